"""A command that ends with the process that started it, however that one ends; its output goes to a file.

Between the two stands this file, run as a script: it imports nothing of ours, so that the command may belong to another
Python, and it ends the command and all that the command has started when its own input ends.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 10.0
"""Between the asking to end (SIGTERM) and the ending (SIGKILL)."""


class Tethered:
    """A command that runs. It has a session of its own, so that Ctrl-C reaches its parent alone."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the process that stands between."""
        return self._keeper.pid

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, a negative one where a signal ended it; None while it runs."""
        return self._keeper.poll()

    def end(self) -> None:
        """Ask the command to end, end it where it does not, and wait until all of it is gone."""
        assert self._keeper.stdin is not None
        with contextlib.suppress(OSError):
            self._keeper.stdin.close()
        try:
            self._keeper.wait(GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()


def _keep(command: Sequence[str]) -> int:
    """Run a command in a process group of its own until it ends or our input does. Returns its exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    threading.Thread(target=_end_with_input, args=(child,), daemon=True).start()
    code = child.wait()
    _signal(child, signal.SIGKILL)  # whatever it has left behind in its group
    return code


def _end_with_input(child: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 1024):
        pass
    _signal(child, signal.SIGTERM)
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(child, signal.SIGKILL)


def _signal(child: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


if __name__ == "__main__":
    result = _keep(sys.argv[1:])
    sys.exit(result if result >= 0 else 128 - result)
