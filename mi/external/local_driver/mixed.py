"""Sampling many adapters of one base in one batch: each row is drawn by the adapter that it asks, none is merged."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.config import jobs_dir
from mi.external.local_driver import sampling
from mi.external.local_driver.drawing import Row
from mi.external.local_driver.models import LoadedModel, adapter_settings, fingerprint, load, own_copy
from mi.external.local_driver.rendering import encode_chat
from mi.external.local_driver.stacking import NotStackable, Stack, lora_layers
from mi.llm.data_models import LLMResponse, Model, SampleRequest

if TYPE_CHECKING:
    import torch

Call = tuple[Model, SampleRequest]


def sample_mixed(calls: Sequence[Call], batch_size: int = sampling.BATCH_SIZE) -> list[LLMResponse]:
    """One response a call, in the order of the calls, as `sampling.sample` gives it but for the rounding of sums.

    All models are adapters of one base, of one rank and on the same layers, or the base itself. Raises NotStackable
    where they are not, UserError as `sampling.sample` does.
    """
    models = sorted({model for model, _ in calls if model.job_id is not None}, key=lambda model: str(model.job_id))
    if not models or {(model.id, model.type) for model, _ in calls} != {(models[0].id, models[0].type)}:
        raise NotStackable("there are no adapters of one base among the models")
    family = _family(jobs_dir(), tuple(models), tuple(map(fingerprint, models)))
    rows = [
        Row(request, encode_chat(family.base.tokenizer, request.chat), family.of(model)) for model, request in calls
    ]
    sampling.run(rows, batch_size, lambda chosen: _MixedBatch(family, chosen))
    return [row.response(family.base.tokenizer) for row in rows]


class _Family:
    """A base with adapters of it in a stack; the base itself stands behind them, with an adapter that adds nothing."""

    def __init__(self, models: Sequence[Model]) -> None:
        from peft import PeftModel

        self.base = own_copy(Model(models[0].id, models[0].type))
        self.places = {model: place for place, model in enumerate((*models, Model(models[0].id, models[0].type)))}
        folders = [jobs_dir() / str(model.job_id) for model in models]
        settings = [adapter_settings(folder) for folder in folders]
        if any(_shape(each) != _shape(settings[0]) for each in settings):
            raise NotStackable("its adapters differ in rank or layers")
        with warnings.catch_warnings(category=FutureWarning, action="ignore"):
            peft: Any = PeftModel.from_pretrained(self.base.model, str(folders[0]))
        self.stack = Stack(peft.eval(), len(self.places))
        names = [name for name, _ in lora_layers(peft)]
        for place, (folder, each) in enumerate(zip(folders, settings, strict=True)):
            self.stack.put(place, _values(folder, names), each["lora_alpha"] / each["r"])

    def of(self, model: Model) -> LoadedModel:
        """A model of the family as its rows know it: its draws are its own, its weights are the base's."""
        return LoadedModel(self.base.model, self.base.tokenizer, fingerprint(model), self.base.context_length)


@functools.lru_cache(maxsize=1)
def _family(folder: Path, models: tuple[Model, ...], fingerprints: tuple[str, ...]) -> _Family:
    """The family that was asked last is held; folder and `fingerprints` are there to notice a change."""
    return _Family(models)


class _MixedBatch(sampling.Batch):
    """A batch each row of which passes through its own adapter."""

    def __init__(self, family: _Family, rows: list[Row]) -> None:
        super().__init__(family.base, rows)
        self._stack = family.stack
        self._places = {fingerprint(model): place for model, place in family.places.items()}
        self._models = {fingerprint(model): model for model in family.places}

    def forward(
        self, rows: Sequence[Row], ids: torch.Tensor, attention: torch.Tensor, cache: Any
    ) -> tuple[torch.Tensor, Any]:
        """As that of one model."""
        self._stack.route([self._places[row.loaded.fingerprint] for row in rows])
        try:
            return super().forward(rows, ids, attention, cache)
        finally:
            self._stack.rest()

    def _exact_of(self, row: Row) -> Any:
        return load(self._models[row.loaded.fingerprint]).exact


def _shape(settings: dict[str, Any]) -> Any:
    return {name: value for name, value in settings.items() if name not in ("lora_alpha", "base_model_name_or_path")}


def _values(folder: Path, names: Sequence[str]) -> torch.Tensor:
    """The numbers of an adapter that was written, [P], layer by layer."""
    import torch
    from safetensors.torch import load_file

    weights = load_file(folder / "adapter_model.safetensors")
    parts = [weights[f"{name}.lora_{side}.weight"].reshape(-1) for name in names for side in "AB"]
    return torch.cat(parts)
