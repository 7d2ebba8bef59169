"""What all endpoints share: the settings, the memory, the trainer, the batcher."""

import asyncio
import time
from dataclasses import dataclass, field

from mi.external.local_driver import models
from mi.llm.data_models import Model
from mi.serve.batching import Batcher
from mi.serve.data_models import ServeSettings, TunedModel
from mi.serve.errors import no_such_model
from mi.serve.state import State
from mi.serve.trainer import Trainer


@dataclass
class Context:
    """A running server."""

    settings: ServeSettings
    state: State
    trainer: Trainer
    batcher: Batcher
    bases: dict[str, str]
    """Name and what it is, of each base model."""
    started: int = field(default_factory=lambda: int(time.time()))
    _models: dict[str, Model] = field(default_factory=dict)
    _fingerprints: dict[Model, str] = field(default_factory=dict)

    def model(self, name: str) -> Model:
        """The model of this public name. Raises ApiError (404) where there is none."""
        if name in self.bases:
            return Model(self.bases[name], "local")
        if name not in self._models:
            tuned = self.state.get(TunedModel, name)
            if tuned is None or tuned.base not in self.bases:
                raise no_such_model(name)
            self._models[name] = Model(self.bases[tuned.base], "local", tuned.job_id)
        return self._models[name]

    async def fingerprint(self, model: Model) -> str:
        """The identity of a model's content, looked up once."""
        if model not in self._fingerprints:
            self._fingerprints[model] = await asyncio.to_thread(models.fingerprint, model)
        return self._fingerprints[model]

    def forget(self, tuned: TunedModel) -> None:
        """Take a fine-tuned model's name away; what was trained stays under jobs/, where it costs nothing to keep."""
        self.state.remove(tuned)
        self._models.pop(tuned.name, None)
