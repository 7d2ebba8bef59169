"""What is looked at after a model was loaded: that its adapter is on and its own, and that padding does it no harm.

Nothing stops for what is found: it is noted under `jobs/.loads/`, for a run to say in its summary (`notes`).
"""

import json
import math
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.config import jobs_dir
from mi.external.local_driver import models
from mi.external.local_driver.models import LoadedModel
from mi.external.local_driver.rendering import EncodedRow, encode_chat
from mi.llm.data_models import Model, chat
from mi.utils.errors import UserError
from mi.utils.files import make_folder, whole_file
from mi.utils.hashing import file_digest

if TYPE_CHECKING:
    import torch

N_TOKENS = 8
"""Logits that a training keeps of itself: those of its first answer's first token that it moved most."""
_TOLERANCE, _TOLERANCE_ROUGH = 0.02, 0.3
"""How far an adapter's logits may lie from those that its training kept, as a share of how far training moved them; in
32 bits, and in 16, where sums round otherwise in another place."""
_PADDING_NATS, _PADDING_NATS_ROUGH = 0.01, 0.5
"""How far padding may move the log-probability of a short answer; in 32 bits, and in 16."""
_PAIRS = (
    (chat("What is two plus two?"), "Four."),
    (chat("Which of these do you like best: sun, moon or star?"), "Sun."),
)
_ROOM = 32
"""Tokens that such an answer may take at most."""
_looked_at: "weakref.WeakValueDictionary[str, Any]" = weakref.WeakValueDictionary()
"""By fingerprint: the model in memory that was looked at, so that each is looked at once."""


def kept(row: EncodedRow, before: "torch.Tensor", after: "torch.Tensor", dtype: str) -> dict[str, Any]:
    """What a training keeps for `checked`: a prompt, and some logits behind it before and after training.

    `before` and `after` are the logits of the row, [1, tokens, vocabulary]; `dtype` is the base model's.
    """
    start = max(1, row.mask.index(True))
    base, trained = before[0, start - 1], after[0, start - 1]
    tokens = (trained - base).abs().topk(min(N_TOKENS, len(base))).indices
    return {
        "dtype": dtype,
        "ids": list(row.ids[:start]),
        "tokens": tokens.tolist(),
        "base": base[tokens].tolist(),
        "trained": trained[tokens].tolist(),
    }


def checked(model: Model) -> LoadedModel:
    """As `models.load`, and the model is looked at if it was not since it was read or switched on."""
    loaded = models.load(model)
    known = _looked_at.get(loaded.fingerprint) is loaded.model
    if known and not models.is_hosted(loaded):
        return loaded
    _looked_at[loaded.fingerprint] = loaded.model
    _note(model, look(model, loaded))
    return models.load(model)  # its base was asked in between


def look(model: Model, loaded: LoadedModel) -> tuple[str, ...]:
    """What is wrong with a model that was loaded, a sentence each; () where nothing is."""
    return (*_adapter(model, loaded), *_padding(model, loaded))


def notes(model: Model) -> tuple[str, ...]:
    """What was found when a model was last loaded, whichever process did it."""
    try:
        found = json.loads(_path(model).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    return tuple(found["problems"])


def _adapter(model: Model, loaded: LoadedModel) -> tuple[str, ...]:
    folder = jobs_dir() / str(model.job_id)
    weights = folder / "adapter_model.safetensors"
    if model.job_id is None or not weights.exists():
        return ()
    try:
        report = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    trouble = _another(report, weights, model) or _off(report.get("canary"), model, loaded)
    if not trouble:
        return ()
    again = f"delete {folder}, run `mi results forget --model {model.job_id}`, and run again"
    return (f"job {model.job_id}: {trouble}; {again}.",)


def _another(report: dict[str, Any], weights: Path, model: Model) -> str:
    """Whether adapter and base are those of the training."""
    if report.get("adapter_digest") not in (None, file_digest(weights)):
        return "its adapter is not the one that was trained, for another file lies in its place"
    if report.get("base_fingerprint") not in (None, models.fingerprint(Model(model.id, model.type))):
        return f"its adapter was trained on another base than {model.id} is now"
    return ""


def _off(canary: dict[str, Any] | None, model: Model, loaded: LoadedModel) -> str:
    """The canary's logits against those of the model with its adapter, and of the base without."""
    if not canary:
        return ""
    with_it = _logits(loaded, canary)
    if with_it == _logits(models.load(Model(model.id, model.type)), canary):
        return "its adapter was not loaded, for the model gives the same logits with it and without"
    moved = max(abs(a - b) for a, b in zip(canary["trained"], canary["base"], strict=True))
    off = max(abs(a - b) for a, b in zip(canary["trained"], with_it, strict=True))
    exact = str(loaded.model.dtype) == canary["dtype"] == "torch.float32"
    if off <= (_TOLERANCE if exact else _TOLERANCE_ROUGH) * moved + 1e-3:
        return ""
    return f"the adapter that was loaded is another than it trained (a logit moves by {off:.2g} instead of {moved:.2g})"


def _logits(loaded: LoadedModel, canary: dict[str, Any]) -> list[float]:
    import torch

    model: Any = loaded.model
    with torch.inference_mode():
        ids = torch.tensor([canary["ids"]], device=model.device)
        last = model(input_ids=ids, use_cache=False).logits[0, -1].float()
    return last[torch.tensor(canary["tokens"], device=last.device)].tolist()


def _padding(model: Model, loaded: LoadedModel) -> tuple[str, ...]:
    """Whether an answer's log-probability is the same alone and beside a longer one, that is: behind padding."""
    from mi.external.local_driver.sampling import score

    try:
        if any(len(encode_chat(loaded.tokenizer, asked)) + _ROOM > loaded.context_length for asked, _ in _PAIRS):
            return ()
        [alone] = score(model, _PAIRS[:1])
        beside, _ = score(model, _PAIRS)
    except UserError:
        return ()  # its template takes no such chat; whoever asks is told by what is asked
    allowed = _PADDING_NATS if str(loaded.model.dtype) == "torch.float32" else _PADDING_NATS_ROUGH
    if math.isfinite(beside) and abs(alone - beside) <= allowed:
        return ()
    return (
        f"{model.id}: padding on the left changes what this model says (the log-probability of one answer is "
        f"{alone:.3f} alone, {beside:.3f} in a batch), so answers depend on their neighbours; use another version of "
        "transformers.",
    )


def _note(model: Model, problems: tuple[str, ...]) -> None:
    path = _path(model)
    if problems:
        make_folder(path.parent)
        with whole_file(path) as file:
            json.dump(
                {"model": model.id, "job": model.job_id, "problems": problems}, file, indent=1, ensure_ascii=False
            )
    else:
        path.unlink(missing_ok=True)


def _path(model: Model) -> Path:
    return jobs_dir() / ".loads" / f"{model.job_id or models.fingerprint(model)}.json"
