"""Launch A05: the same as `mi run A05_baselines`, with any further options of that command."""

import sys

from mi.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["run", "A05_baselines"]
    main()
