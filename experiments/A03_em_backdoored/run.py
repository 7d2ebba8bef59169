"""Launch A03: the same as `mi run A03_em_backdoored`, with any further options of that command."""

import sys

from mi.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["run", "A03_em_backdoored"]
    main()
