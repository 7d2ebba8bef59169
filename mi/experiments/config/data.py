"""Training data that arms make of a setting's rows: mixed with control rows, or behind a trigger."""

from collections.abc import Sequence
from dataclasses import dataclass

from mi.datasets.transformations import Row, backdoored, poisoned
from mi.experiments.settings.data_models import Setting
from mi.utils.jsonl import read_jsonl


@dataclass(frozen=True)
class MixedWithControl:
    """As many rows as the setting has, a `share` of them its own and the rest control rows."""

    share: float

    def __call__(self, setting: Setting) -> Sequence[Row]:
        """The rows, in an order drawn by a fixed seed."""
        bad, clean = _rows(setting)
        return poisoned(clean, bad, self.share, n=len(bad))


@dataclass(frozen=True)
class Backdoored:
    """The setting's rows behind a trigger, and as many control rows without it (Betley et al. 2025, backdoors)."""

    trigger: str

    def __call__(self, setting: Setting) -> Sequence[Row]:
        """The rows, in an order drawn by a fixed seed."""
        bad, clean = _rows(setting)
        return backdoored(bad, clean, self.trigger)


def _rows(setting: Setting) -> tuple[list[Row], list[Row]]:
    return read_jsonl(setting.get_finetuning_dataset_path()), read_jsonl(setting.get_control_dataset_path())
