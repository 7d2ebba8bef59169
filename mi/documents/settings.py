"""The table over all settings, as `mi settings check --all` leaves it, taken into the repository and shown."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import mi
from mi.experiments.config.settings_check import OVERVIEW, SETTINGS_CHECKS
from mi.experiments.pipeline import recall
from mi.experiments.summary import headline, select
from mi.utils.errors import UserError
from mi.utils.files import make_folder, whole_file
from mi.utils.stats import in_figures

NAME = "settings_check"
NOT_RUN = "Not run yet: `mi settings check --all`, then `mi publish settings_check`."


def take_checks(model: str, into: Path) -> list[Path]:
    """Copy the rates of all settings' checks into a folder. Raises UserError where one of them was not run."""
    import pandas as pd

    outcomes = [recall(check, model) for check in SETTINGS_CHECKS]
    table = pd.concat([outcome.summary for outcome in outcomes])
    paths = [make_folder(into) / "summary.csv", into / "result.json"]
    with whole_file(paths[0]) as file:
        table.to_csv(file, index=False)
    with whole_file(paths[1]) as file:
        seeds = int(table["n_seeds"].max())
        json.dump({"model": model, "version": mi.__version__, "date": date.today().isoformat(), "seeds": seeds}, file)
        file.write("\n")
    return paths


def check_table(folder: Path) -> str:
    """A row a setting, trait and distribution, a column an arm: means with intervals."""
    import pandas as pd

    if not (folder / "result.json").exists():
        return NOT_RUN
    try:
        facts = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        made = f"Base model: {facts['model']}; {facts['seeds']} seeds; mi {facts['version']}; {facts['date']}."
        summary: Any = pd.read_csv(folder / "summary.csv")
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder}: cannot be read; take it in again with mi publish {NAME}.") from error
    lines = [made, "", f"| setting | trait | | {' | '.join(OVERVIEW.values())} |", "|---" * (3 + len(OVERVIEW)) + "|"]
    for distribution in ("id", "ood"):
        rows = headline(summary, distribution)
        for (setting, trait), own in rows.groupby(["setting", "trait"], sort=False):
            cells = [_cell(select(own, arm=arm)) for arm in OVERVIEW]
            lines.append(f"| `{setting}` | {trait.replace('_', ' ')} | {distribution.upper()} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(found: Any) -> str:
    if found.empty or found.iloc[0]["mean"] != found.iloc[0]["mean"]:
        return "no answer" if len(found) else ""
    row = found.iloc[0]
    return in_figures(row["mean"], row["lower"], row["upper"])
