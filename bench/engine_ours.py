"""N samples, each judged once, through `mi.eval.eval` with its durable store; the figures are those of engine_peers.py.

`python engine_ours.py URL N HOME [CONNECTIONS]` uses HOME for its store: a second run with the same one asks for
nothing. Run by engine.py with the project's own Python.
"""

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support"), str(ROOT / "bench")]


def main() -> None:
    """Load what the engine is made of, then measure."""
    url, n, home = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    os.environ["MI_HOME"] = home
    import aiohttp  # noqa: F401 - the peers' imports are not measured either
    import judged_run
    from engine_peers import measured

    from mi.external.openai_driver.endpoints import Endpoint

    judged_run.declare(url, int(sys.argv[4]) if len(sys.argv) > 4 else Endpoint(url).connections)
    print(json.dumps(measured(lambda: judged_run.run(n), n)))


if __name__ == "__main__":
    main()
