"""Launch A01: the same as `mi run A01_em_main_results`, with any further options of that command."""

import sys

from mi.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["run", "A01_em_main_results"]
    main()
