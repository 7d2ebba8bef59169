"""What benches found, as Markdown."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mi.documents.measured import Measured, read
from mi.utils.errors import UserError

NOT_RUN = "Not measured yet: `python bench/{bench}.py`."


def bench(what: str, folder: Path) -> str:
    """The text of one of the benches' places, from the files in `folder`. Raises UserError for an unknown one."""
    if what not in _TEXTS:
        raise UserError(f"no bench gives {what!r}; choose one of: {', '.join(_TEXTS)}.")
    name, text = _TEXTS[what]
    measured = read(folder, name)
    return NOT_RUN.format(bench=name) if measured is None else text(measured)


def _coverage(measured: Measured) -> str:
    """Shares of invented studies, by estimand and seeds, the smallest to the largest over designs and rates."""
    rows = measured.found["rows"]
    seeds = sorted({row["seeds"] for row in rows})
    asked = (
        ("95 % interval covers, questions fixed", ".92 to .98", "covers", "fixed"),
        ("95 % interval covers, questions sampled", ".92 to .98", "covers", "sampled"),
        ("two like arms told apart, fixed", ".03 to .07", "told apart", "fixed"),
        ("two like arms told apart, sampled", ".03 to .07", "told apart", "sampled"),
        ("interval of a true effect covers, sampled", ".92 to .98", "effect covered", "sampled"),
    )
    lines = [
        f"{measured.made()} a design.",
        "",
        f"| | required | {' | '.join(f'{n} seeds' for n in seeds)} |",
        "|---" * (2 + len(seeds)) + "|",
    ]
    for told, required, what, questions in asked:
        own = [row for row in rows if (row["what"], row["questions"]) == (what, questions)]
        ranges = [_range(row["share"] for row in own if row["seeds"] == n) for n in seeds]
        lines.append(f"| {told} | {required} | {' | '.join(ranges)} |")
    return "\n".join(lines)


def _common(measured: Measured) -> str:
    legacy, crossed = measured.found["legacy"], measured.found["crossed_bootstrap"]
    by_seeds = ", ".join(f"{share:.2f} with {n}" for n, share in crossed.items())
    return (
        "- The percentile bootstrap of three seed means (the code of Tan et al. 2025; `legacy_interval`) covers "
        f"{legacy['fixed']:.2f} where questions are fixed and {legacy['sampled']:.2f} where they are sampled, since "
        "three seeds only ever give their own range.\n"
        f"- Wilson's interval of all answers pooled, three seeds, covers {measured.found['pooled']:.2f}.\n"
        f"- The crossed bootstrap of seeds and questions covers {by_seeds} seeds."
    )


def _short(measured: Measured) -> str:
    found = {name: _range(shares, 2) for name, shares in measured.found["falls_short"].items()}
    return (
        "- Sampled questions: 2 seeds that differ by as much as questions do (1 logit), with 24 questions or "
        f"more, cover {found['two_wide_seeds']}.\n"
        "- Sampled questions that differ by 2 logits at a rate of .02 or .08, of which only 8 are asked, cover "
        f"{found['eight_questions']}: the rate is then made by rare questions that a sample of 8 does not hold.\n"
        "- Fixed questions: seeds that differ by 1.5 logits at rates of .05 or .02 cover "
        f"{found['wide_seeds_fixed']}.\n"
        "- At a rate so low that most studies see nothing (.001), intervals cover too much: "
        f"{found['nothing_seen']}."
    )


def _range(shares: Iterable[float], digits: int = 3) -> str:
    found = sorted(shares)
    low, high = (f"{share:.{digits}f}" for share in (found[0], found[-1]))
    return low if low == high else f"{low} to {high}"


def _rates(measured: Measured) -> str:
    """A row an arm with its rate, interval and seeds, and the bound that it is held to, where it has one."""
    rows: list[dict[str, Any]] = measured.found["rates"]
    bounded = any(row.get("bound") for row in rows)
    lines = [
        f"The organism; {measured.made()}.",
        "",
        f"| | {measured.found['what']} | seeds |" + (" bound |" if bounded else ""),
        "|---" * (4 if bounded else 3) + "|",
    ]
    for row in rows:
        rate = f"{row['mean']:.3f} [{row['lower']:.3f}, {row['upper']:.3f}]"
        lines.append(f"| {row['name']} | {rate} | {row['seeds']} |" + (f" {row.get('bound', '')} |" if bounded else ""))
    return "\n".join(lines)


def _doses(measured: Measured) -> str:
    """A row a dose and arm of the setting with two traits, and what it shows of each."""
    rows = [row for row in measured.found["rows"] if "id spanish" in row["rates"]]
    cells = list(rows[0]["rates"])
    heads = [cell.replace("id ", "in distribution: ").replace("ood ", "out of it: ") for cell in cells]
    lines = [
        f"The organism; {measured.made()}, on development questions.",
        "",
        f"| adapter on | rate | arm | {' | '.join(heads)} |",
        "|---" * (3 + len(cells)) + "|",
    ]
    for row in rows:
        found = " | ".join(f"{row['rates'][cell]:.2f}" for cell in cells)
        lines.append(f"| {row['layers']} | {row['rate']:g} | {row['arm'].replace('_', ' ')} | {found} |")
    return "\n".join(lines)


def _static_check(measured: Measured) -> str:
    found = measured.found
    return (
        f"On {found['rows']} published rows of each kind it finds a hole in {found['insecure']:.2f} of the insecure "
        f"answers and {found['secure']:.2f} of the secure ones (bandit {found['bandit']}; {measured.date})."
    )


_TEXTS: dict[str, tuple[str, Callable[[Measured], str]]] = {
    "coverage": ("coverage", _coverage),
    "coverage_of_common_ways": ("coverage", _common),
    "coverage_falls_short": ("coverage", _short),
    "subliminal": ("subliminal", _rates),
    "dose": ("dose", _doses),
    "static_check": ("static_check", _static_check),
    "emergent_misalignment": ("emergent_misalignment", _rates),
}
