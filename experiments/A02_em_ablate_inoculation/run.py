"""Launch A02: the same as `mi run A02_em_ablate_inoculation`, with any further options of that command."""

import sys

from mi.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["run", "A02_em_ablate_inoculation"]
    main()
