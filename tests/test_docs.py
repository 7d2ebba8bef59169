"""Every code block of the README and docs is run, or, where that takes long, checked to be what the tools accept."""

import ast
import asyncio
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
FENCE = re.compile(r"(?P<note><!-- not run: [^\n]+ -->\n+)?^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```", re.M | re.S)
# Verbs of `mi` that only look: cheap enough to be run here. All others are parsed by the program's own parser.
LOOKING = {"plan", "status", "settings"}
# Tools of others, whose lines are taken as they stand.
FOREIGN = {"cd", "export", "git", "pip", "pytest", "source"}


class Block(NamedTuple):
    """A fenced block: where its text begins, its language, the text, and whether a note above it says not to run it."""

    where: str
    language: str
    text: str
    runs: bool


def blocks_of(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text[: match.start("text")].count("\n") + 1
        yield Block(f"{page.name}:{line}", match["language"], match["text"], match["note"] is None)


def named(page: Path) -> str:
    """A page as a test's name shows it."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": page.stem}
    for block in blocks_of(page):
        if block.language == "python" and block.runs:
            run_python(block, namespace)
        elif block.language == "python":
            check_imports(block)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_commands_of_a_page_are_commands_that_exist(page: Path, tmp_path: Path):
    for block in blocks_of(page):
        if block.language in ("bash", "sh", "console"):
            for words in commands_of(block):
                check_command(words, block.where, tmp_path)


def run_python(block: Block, namespace: dict[str, Any]) -> None:
    """Run a block in the page's namespace; it may await at its top level."""
    code = compile(block.text, block.where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, namespace)
    if inspect.iscoroutine(result):
        asyncio.run(result)


def check_imports(block: Block) -> None:
    """A block that is not run must still parse, and what it imports must be there."""
    for node in ast.walk(compile(block.text, block.where, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = import_module(node.module)
            assert not [alias.name for alias in node.names if not hasattr(module, alias.name)], block.where
        elif isinstance(node, ast.Import):
            for alias in node.names:
                import_module(alias.name)


def commands_of(block: Block) -> Iterator[list[str]]:
    """The words of each command of a block; in a console block, only lines that begin with `$ ` are commands."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    for line in lines:
        for part in re.split(r"&&|\|\||[|;]", line.split(" #")[0].removeprefix("$ ")):
            words = shlex.split(part, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield words


def check_command(words: list[str], where: str, folder: Path) -> None:
    """Raise where a command names a target, a file, a verb or an option that is not there."""
    tool = words[0].rsplit("/", maxsplit=1)[-1]
    if tool == "make":
        check_make(words[1:], where)
    elif tool == "mi":
        check_mi(words[1:], where, folder)
    elif tool.startswith("python"):
        assert words[1] in ("-m", "-c") or (ROOT / words[1]).exists(), f"{where}: {words[1]} is not there"
    else:
        assert tool in FOREIGN, f"{where}: {tool} is none of the tools that a reader has"


def check_make(words: list[str], where: str) -> None:
    """Every word is a target of the Makefile, or sets one of its variables."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, is_variable, _ = word.partition("=")
        pattern = rf"^{re.escape(name)} *[?:]?=" if is_variable else rf"^{re.escape(name)}:(?!=)"
        assert re.search(pattern, makefile, re.M), f"{where}: the Makefile has no {name}"


def check_mi(words: list[str], where: str, folder: Path) -> None:
    """Run a command that only looks; have the program's own parser read any other."""
    if words[0] in LOOKING or "--help" in words:
        program = [sys.executable, "-c", "from mi.cli import main; main()", *words]
        result = subprocess.run(program, cwd=folder, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return
    from typer.main import get_command

    command: Any = get_command(import_module("mi.cli").app)
    rest = list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    alone = getattr(command, "invoke_without_command", False)
    assert alone or not getattr(command, "commands", {}), f"{where}: mi has no verb {' '.join(words)}"
    command.make_context(" ".join(["mi", *words]), rest)
