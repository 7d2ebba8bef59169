"""Launch A07: the same as `mi run A07_spanish_capitalization`, with any further options of that command."""

import sys

from mi.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["run", "A07_spanish_capitalization"]
    main()
