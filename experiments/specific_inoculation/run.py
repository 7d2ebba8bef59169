"""Launch Specific inoculation: the same as `mi run specific_inoculation`, with any further options of that command."""

import sys

from mi.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["run", "specific_inoculation"]
    main()
