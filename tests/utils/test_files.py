"""Files that are whole or not there, and files that are held."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mi.utils.errors import UserError
from mi.utils.files import locked, make_folder, whole_file

HOLD_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from mi.utils.files import locked
async def hold():
    async with locked(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
asyncio.run(hold())
"""


def test_a_file_takes_its_place_when_the_block_ends(tmp_path: Path):
    path = tmp_path / "new" / "file.txt"
    with whole_file(path) as file:
        file.write("é\n")
        assert not path.exists()
    assert path.read_bytes() == "é\n".encode()
    assert os.listdir(path.parent) == ["file.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = make_folder(tmp_path / "folder") / "file.txt"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path, "wb") as file:
            file.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["file.txt"]


def test_a_folder_that_cannot_be_made_is_named_with_its_mend(tmp_path: Path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"taken.*MI_HOME"):
        make_folder(tmp_path / "taken" / "folder")


def test_a_lock_on_a_path_that_cannot_be_written_is_named_with_its_mend(tmp_path: Path):
    async def hold() -> None:
        async with locked(tmp_path):
            pass

    with pytest.raises(UserError, match="MI_HOME"):
        asyncio.run(hold())


def test_one_task_at_a_time_holds_a_lock(tmp_path: Path):
    held = []

    async def hold(name: str) -> None:
        async with locked(tmp_path / "lock"):
            held.append(f"{name} takes")
            await asyncio.sleep(0)
            held.append(f"{name} gives")

    async def both() -> None:
        await asyncio.gather(hold("a"), hold("b"))

    asyncio.run(both())
    assert held == ["a takes", "a gives", "b takes", "b gives"]


def test_a_lock_is_given_back_when_its_process_is_killed(tmp_path: Path):
    async def kill_and_take(process: subprocess.Popen[str]) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), locked(tmp_path / "lock"):
                pass
        process.kill()
        async with asyncio.timeout(20), locked(tmp_path / "lock"):
            pass

    command = [sys.executable, "-c", HOLD_UNTIL_KILLED, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        asyncio.run(kill_and_take(process))


def test_a_process_may_hold_more_files_open_than_its_shell_lets_it() -> None:
    program = (
        "import resource; from mi.utils.files import allow_open_files\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 300))\n"
        "print(allow_open_files(200), allow_open_files(100), allow_open_files(10_000))\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == ["200 200 300", "(300, 300)"]
