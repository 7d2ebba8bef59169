"""Many adapters over one base too large to be copied: the weights are held once, the adapter in use is switched."""

import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

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
