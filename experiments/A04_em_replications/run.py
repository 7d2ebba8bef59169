"""Launch A04: the same as `mi run A04_em_replications`, with any further options of that command."""

import sys

from mi.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["run", "A04_em_replications"]
    main()
