"""`mi docs`: every page of the repository with its marked places filled anew, or which of them are stale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mi.documents.benches import bench
from mi.documents.organism import fact
from mi.documents.settings import check_table
from mi.experiments import published
from mi.experiments.config import EXPERIMENTS, experiment
from mi.experiments.data_models import Experiment
from mi.experiments.findings import findings
from mi.experiments.publish import PREDICTION, RESULT, place
from mi.utils.blocks import fill, places
from mi.utils.errors import UserError
from mi.utils.files import whole_file


def made(root: Path) -> dict[Path, str]:
    """Each page of a checkout that has marked places, as it should be; and the findings, once there are all results.

    Raises UserError where a page names what nothing makes.
    """
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md")), *sorted(root.glob("experiments/*/README.md"))]
    texts = {page: page.read_text(encoding="utf-8") for page in pages if page.is_file()}
    filled = {page: _filled(page, text, root) for page, text in texts.items() if places(text)}
    if all((root / "experiments" / known.name / published.FACTS).exists() for known in EXPERIMENTS):
        filled[root / "docs" / "findings.md"] = findings(root / "experiments")
    return filled


def stale(root: Path) -> list[Path]:
    """The pages whose numbers are not those of the results."""
    return [page for page, text in made(root).items() if not page.exists() or page.read_text("utf-8") != text]


def write(root: Path) -> list[Path]:
    """Write the stale pages; return their paths. Raises UserError in a folder that is no checkout."""
    if not (root / "experiments").is_dir():
        raise UserError(f"{root.resolve()}: has no folder experiments; run mi docs in the checkout's own folder.")
    texts = made(root)
    changed = stale(root)
    for page in changed:
        with whole_file(page) as file:
            file.write(texts[page])
    return changed


def _filled(page: Path, text: str, root: Path) -> str:
    try:
        return fill(text, lambda what: text_of(what, root))
    except UserError as error:
        raise UserError(f"{page}: {error}") from error


def text_of(what: str, root: Path) -> str:
    """The text of a marked place: a kind, and of what. Raises UserError for what nothing makes."""
    kind, _, of = what.partition(" ")
    makers: dict[str, Callable[[str], str]] = {
        RESULT: lambda name: place(what, experiment(name), root / "experiments" / name),
        PREDICTION: lambda name: place(what, experiment(name), root / "experiments" / name),
        "seeds": lambda name: _seeds(experiment(name), root),
        "models": _models,
        "organism": fact,
        "bench": lambda name: bench(name, root / "bench" / "results"),
        "settings_check": lambda _: check_table(root / "experiments" / "settings_check"),
    }
    if kind not in makers:
        raise UserError(f"nothing makes {what!r}; the kinds are: {', '.join(makers)}.")
    return makers[kind](of)


def _seeds(known: Experiment, root: Path) -> str:
    """Over how many seeds the committed result of an experiment is."""
    found = published.read(known, root / "experiments" / known.name)
    return "not run yet" if found is None else f"{len(found.facts.seeds)} seeds"


def _models(of: str) -> str:
    """How many models an experiment with so many seeds asks: "A07_spanish_capitalization 3"."""
    name, _, seeds = of.partition(" ")
    known = experiment(name)
    trained = sum(arm.dataset is not None for arm in known.arms)
    return str(len(known.settings) * (len(known.arms) - trained + trained * int(seeds)))
