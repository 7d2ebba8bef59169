"""The summary as a person reads it at a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mi.experiments.summary.columns import POOLED, UNTRAINED, headline, select
from mi.utils.stats import in_figures, note

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table


def unknown_variance(summary: Any) -> str:
    """A sentence part for captions: what the intervals of arms with one seed do not know; empty if there are none.

    Arms named in UNTRAINED have no training seed, so that nothing is unknown of them.
    """
    single = (summary["n_seeds"] == 1) & ~summary["arm"].isin(UNTRAINED)
    return note(1) if single.any() else ""


def format_table(summary: pd.DataFrame, labels: Mapping[str, str] | None = None, width: int = 80) -> Table:
    """The summary for a terminal of `width` characters: arms as rows, trait by distribution as columns.

    `labels` names arms, traits and settings for people. The last column counts valid of planned answers. An
    interval over one seed is marked, and a line below says what it does not know. Cells take two lines where one
    would not fit.
    """
    from rich import box
    from rich.table import Table

    names = labels or {}
    shown = {d: _by_cell(headline(summary, d)) for d in POOLED if d in set(summary["distribution"])}
    columns = [(t, d) for t in dict.fromkeys(summary["trait"]) for d in shown]
    longest = max((len(str(names.get(arm, arm))) for arm in summary["arm"]), default=0)
    between = " " if longest + 21 * len(columns) + 14 <= width else "\n"
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1 if between == "\n" else 2, 0, 0))
    table.add_column("")
    for trait, distribution in columns:
        table.add_column(f"{names.get(trait, trait)}\n{distribution.upper()}", no_wrap=True)
    table.add_column("answers", justify="right", no_wrap=True)
    settings = list(dict.fromkeys(summary["setting"]))
    for setting in settings:
        if len(settings) > 1:
            table.add_row(names.get(setting, setting), style="bold")
        of_setting = select(summary, setting=setting)
        for arm in dict.fromkeys(of_setting["arm"]):
            cells = [_cell(shown[d], (setting, arm, t), between) for t, d in columns]
            table.add_row(names.get(arm, arm), *cells, answered(select(of_setting, arm=arm)))
    table.caption = _caption(summary)
    table.caption_justify = "left"
    return table


def _caption(summary: pd.DataFrame) -> str:
    unknown = unknown_variance(summary)
    return (
        "Mean over seeds [95 % interval: Student-t over seeds in Wilson’s form, at least Wilson over answers]; "
        "ID in, OOD out of distribution; answers: valid of planned."
        + (f" † {unknown}, interval over answers alone." if unknown else "")
    )


def _by_cell(rows: Any) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The first row of each setting, arm and trait."""
    records = reversed(rows.to_dict("records"))
    return {(row["setting"], row["arm"], row["trait"]): row for row in records}


def _cell(rows: Mapping[tuple[str, str, str], Any], key: tuple[str, str, str], between: str) -> str:
    row = rows.get(key)
    if row is None:
        return ""
    if not row["n_seeds"]:
        return note(0)
    mark = "†" if row["n_seeds"] == 1 and key[1] not in UNTRAINED else ""
    return in_figures(row["mean"], row["lower"], row["upper"], between=between) + mark


def answered(rows: Any) -> str:
    """Valid of planned answers over the evaluations of an arm, by its worst trait, and how many were refused."""
    single = rows[~rows["evaluation"].isin(list(POOLED.values()))]
    worst = single.sort_values("n_valid", kind="stable").drop_duplicates("evaluation")
    refused = int(worst["n_refused"].sum())
    return f"{worst['n_valid'].sum()}/{worst['n_planned'].sum()}" + (f"\n{refused} refused" if refused else "")
