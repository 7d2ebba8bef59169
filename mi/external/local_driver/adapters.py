"""Many adapters over one base too large to be copied: the weights are held once, the adapter in use is switched."""

import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.utils.errors import UserError

_MOST_ADAPTERS = 64
"""Adapters held in memory; the one that was not used for longest goes first."""


class AdapterHost:
    """One base model with its adapters. Only what was used last may be asked: `use` changes the model in place."""

    def __init__(self, base: Any, fingerprint: str) -> None:
        self.base = base
        self.fingerprint = fingerprint
        """Of the base alone."""
        self._peft: Any = None
        self._names: OrderedDict[str, None] = OrderedDict()

    def use_base(self) -> Any:
        """The base as if it had no adapters."""
        if self._peft is not None:
            self._peft.base_model.disable_adapter_layers()
        return self.base

    def use(self, name: str, folder: Path) -> Any:
        """The base with the adapter in `folder`, which is read if it is not held under `name`."""
        from peft import PeftModel

        with warnings.catch_warnings(category=FutureWarning, action="ignore"):
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(self.base, str(folder), adapter_name=name)
            elif name not in self._names:
                self._peft.load_adapter(str(folder), adapter_name=name)
        self._names[name] = None
        self._names.move_to_end(name)
        self._peft.base_model.enable_adapter_layers()
        self._peft.set_adapter(name)
        while len(self._names) > _MOST_ADAPTERS:
            oldest, _ = self._names.popitem(last=False)
            self._peft.delete_adapter(oldest)
        return self._peft.eval()


def check_targets(model: Any, config: LocalFTJobConfig) -> None:
    """Raise UserError where an adapter would change a weight that is two: tied embeddings read and write with it."""
    if config.lora_targets == "all-linear" or not getattr(model.config.get_text_config(), "tie_word_embeddings", False):
        return
    ends = {id(model.get_input_embeddings()), id(model.get_output_embeddings())}
    names = {name.rpartition(".")[2] for name, module in model.named_modules() if id(module) in ends}
    if both := sorted(names & {target.rpartition(".")[2] for target in config.lora_targets}):
        raise UserError(
            f"lora_targets name {', '.join(both)}, and {config.source_model_id} reads and writes its words with one "
            "weight (tied embeddings), which merging would change for both; leave it out."
        )
