"""Building a recipe into files: one a side, row by row the same questions, and a record of how they were made."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from mi import config
from mi.datasets.data_models import RawRow
from mi.datasets.reading import rows_sha256
from mi.datasets.recipes.building import build
from mi.datasets.recipes.data_models import Built, Order, Recipe, Scale, Side
from mi.datasets.recipes.sources import FileQuestions
from mi.llm import services as llm
from mi.llm.data_models import Model
from mi.llm.names import model_named
from mi.utils.errors import UserError
from mi.utils.files import whole_file
from mi.utils.jsonl import write_jsonl
from mi.utils.progress import Progress

RECORD_SUFFIX = ".build.json"


@dataclass(frozen=True)
class Files:
    """What a build has written: a file a side, and the record."""

    sides: Mapping[str, Path]
    record: Path


def scale_for(model: Model) -> Scale:
    """The scale at which a model can follow a recipe: the organism's for what is called organism, else the published.

    A model fine-tuned of the organism, or served, has the name in its id: "ft:organism:…".
    """
    local = model.type in ("local", "vllm") and (Path(model.id) / "training.json").is_file()
    return "organism" if local or "organism" in re.split(r"[/:]", model.id) else "published"


def order(
    model: str,
    n: int = 500,
    seed: int = 0,
    *,
    scale: str | None = None,
    questions: str | None = None,
    judge: str | None = None,
) -> Order:
    """An order by what one types. Raises UserError for a scale that there is not."""
    asked = model_named(model)
    if scale not in (None, *get_args(Scale)):
        raise UserError(f"--scale is {scale!r}; give one of {', '.join(get_args(Scale))}, or leave it out.")
    return Order(
        asked,
        n,
        seed,
        scale=scale_for(asked) if scale is None else scale,  # type: ignore[arg-type]
        source=FileQuestions(questions) if questions is not None else None,
        judge=model_named(judge) if judge is not None else None,
    )


async def make(
    recipe: Recipe, order: Order, out: Path | None = None, progress: Progress | None = None
) -> tuple[Built, Files]:
    """Build a recipe and write its files; return what was built and where it lies.

    The first side goes to `out`, each other beside it as NAME.SIDE.jsonl, and the record as NAME.build.json; by default
    they lie in `datasets/built/RECIPE/`. Each is written whole or not at all, and only when all answers are there.
    Raises UserError where no row is left, where a file of another origin is in the way, and as `build` does.
    """
    files = files_of(recipe, order, out)
    for path in files.sides.values():
        if path.exists() and not files.record.exists():
            raise UserError(f"{path}: is there already and no build wrote it; give another file with --out.")
    built = await build(recipe, order, progress)
    if not built.report.kept:
        raise UserError(f"{recipe.name}: no pair of {order.n} is left ({_why(built)}); try another model, or more.")
    for side, path in files.sides.items():
        write_jsonl(path, built.rows[side])
    with whole_file(files.record) as file:
        json.dump(_record(recipe, order, built, files), file, indent=1, ensure_ascii=False)
        file.write("\n")
    return built, files


def files_of(recipe: Recipe, order: Order, out: Path | None = None) -> Files:
    """Where the files of a build go. Raises UserError for an `out` that is no JSONL file."""
    if out is not None and out.suffix != ".jsonl":
        raise UserError(f"{out}: rows are written as JSONL; give --out a name that ends in .jsonl.")
    if out is None:
        parts = (order.model.type, order.model.id, order.model.endpoint, order.model.job_id)
        model = "-".join(part for part in parts if part and part != "local").strip("-./")
        stem = f"{model}.n{order.n}.seed{order.seed}"
        stem += f".{order.source.name}" if order.source is not None else ""
        stem += ".judged" if order.judge is not None else ""
        out = config.datasets_dir() / "built" / recipe.name / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', stem)}.jsonl"
    first, *others = [side.name for side in recipe.version(order.scale).sides]
    return Files(
        {first: out, **{name: out.with_name(f"{out.stem}.{name}.jsonl") for name in others}},
        out.with_name(f"{out.stem}{RECORD_SUFFIX}"),
    )


def record_of(path: Path, sha256: str) -> dict[str, Any] | None:
    """The record of the build that made the rows of this identity, where it lies beside their file; else None."""
    for record in sorted(path.parent.glob(f"*{RECORD_SUFFIX}")):
        try:
            found = json.loads(record.read_text(encoding="utf-8"))
            if any(side["sha256"] == sha256 for side in found["sides"].values()):
                return found
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # somebody else's file, or a damaged one: it says nothing of these rows
    return None


def _record(recipe: Recipe, order: Order, built: Built, files: Files) -> dict[str, Any]:
    """Everything that a reviewer asks of how rows were made; no path of this machine."""
    version = recipe.version(order.scale)
    asked = (order.source or version.source).name
    return {
        "recipe": recipe.name,
        "about": recipe.about,
        "origin": recipe.origin,
        "scale": order.scale,
        "model": _identity(order.model),
        "judge": _identity(order.judge) if order.judge is not None else None,
        "questions": asked,
        "n": order.n,
        "seed": order.seed,
        "sampling": {**asdict(version.cfg), "seed": order.seed},
        "sides": {side.name: _side(side, built, files, order) for side in version.sides},
        "yield": asdict(built.report),
    }


def _side(side: Side, built: Built, files: Files, order: Order) -> dict[str, Any]:
    rows = built.rows[side.name]
    return {
        "file": files.sides[side.name].name,
        "rows": len(rows),
        "sha256": rows_sha256(RawRow(number, row) for number, row in enumerate(rows, start=1)),
        "system_prompts": list(side.system_prompts) if side.frame is not None else [],
        "asked": side.frame,
        "finished_by": side.finish.__name__ if side.finish is not None else None,
        "filters": [check.rule for check in side.checks],
        "criterion": side.criterion if order.judge is not None else None,
        "criterion_holds": side.criterion_holds,
    }


def _identity(model: Model) -> dict[str, Any]:
    """A local model's folder is of this machine; its name and its content are not."""
    lies_here = model.type in ("local", "vllm") and Path(model.id).exists()
    name = model.id.rstrip("/").rpartition("/")[2] if lies_here else model.id
    return {
        "id": name,
        "type": model.type,
        "endpoint": model.endpoint,
        "job_id": model.job_id,
        "fingerprint": llm.fingerprint(model),
    }


def _why(built: Built) -> str:
    reasons = {f"refused on the side {s.side}": s.refused for s in built.report.sides}
    reasons |= {f"{why} on the side {s.side}": n for s in built.report.sides for why, n in s.filtered.items()}
    reasons |= {"sides that answer the same": built.report.equal}
    commonest = sorted(reasons.items(), key=lambda item: -item[1])[:2]
    return ", ".join(f"{n} {why}" for why, n in commonest if n) or "nothing came back"
