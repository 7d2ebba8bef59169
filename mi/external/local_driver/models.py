"""Fingerprinting and loading models that lie on this machine or on the hub."""

import copy
import functools
import json
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mi.config import jobs_dir
from mi.external.local_driver.adapters import AdapterHost
from mi.external.local_driver.hub import IDENTITY_FILES, ORGANISM, check_there, folder_of, locate
from mi.external.local_driver.linear import suit
from mi.external.local_driver.placing import is_shortage, placement, tells_shortage
from mi.llm.data_models import Model
from mi.utils.errors import UserError
from mi.utils.hashing import digest, file_digest

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "ORGANISM",
    "LoadedModel",
    "check_there",
    "fingerprint",
    "is_hosted",
    "load",
    "locate",
    "own_copy",
    "unplaced",
]

_CACHE_ENTRIES = 4
"""So many models are held in any case, and more as long as they have no more than _CACHE_PARAMETERS together."""
_CACHE_PARAMETERS = 500_000_000
"""Above this size a model is held alone, lends itself to its adapters, and is handed over rather than copied."""

_EXACT_PARAMETERS = 25_000_000
"""Up to this size a model is worth a second copy in 64 bits."""


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, in evaluation mode; shared, so never to be changed (see `own_copy`)."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    fingerprint: str
    context_length: int
    """Tokens that the model can attend to."""

    @functools.cached_property
    def exact(self) -> "PreTrainedModel | None":
        """The same weights in 64 bits, which decide where rounding must not; a large model is its own.

        None for a model of less than 32 bits.
        """
        if str(self.model.dtype) != "torch.float32":
            return None
        return self.model if _size(self.model) > _EXACT_PARAMETERS else copy.deepcopy(self.model).double()


_cache: OrderedDict[str, LoadedModel] = OrderedDict()
_host: AdapterHost | None = None
"""The one large model that is held, while adapters of it are asked."""


def fingerprint(model: Model) -> str:
    """32 hexadecimal digits over the content of weights and tokenizer, and over the job if there is one."""
    stats = tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files_of(model.id))
    base = _content_digest(stats)
    return base if model.job_id is None else digest([base, model.job_id])


def files_of(model_id: str) -> list[Path]:
    """The files that a base model is: weights, configuration, tokenizer."""
    folder = folder_of(model_id)
    return sorted([*_weight_files(folder), *(folder / name for name in IDENTITY_FILES if (folder / name).is_file())])


def load(model: Model) -> LoadedModel:
    """The model in memory; those used last are kept, so that one base is read once, whatever adapters it carries.

    Raises UserError for an unknown model or job, and for weights that are missing or cut short. Of a large base and
    its adapters, only the one loaded last may be asked.
    """
    global _host
    key = fingerprint(model)
    hosted = _hosted(model, key)
    if hosted is not None:
        return hosted
    if key in _cache:
        _cache.move_to_end(key)
        return _cache[key]
    loaded = _read(folder_of(model.id), key) if model.job_id is None else _load_job(model, key)
    _cache[key] = loaded
    while len(_cache) > 1 and (_size(loaded.model) > _CACHE_PARAMETERS or _is_crowded()):
        _cache.popitem(last=False)
    if _host is not None and _host.fingerprint not in _cache:
        _host = None
    return loaded


def _is_crowded() -> bool:
    held = sum(_size(loaded.model) for loaded in _cache.values())
    return len(_cache) > _CACHE_ENTRIES and held > _CACHE_PARAMETERS


def _hosted(model: Model, key: str) -> LoadedModel | None:
    """A large model, or its adapter, over the one copy of its weights; None for any other."""
    global _host
    base_key = fingerprint(Model(model.id, model.type))
    if _host is not None and _host.fingerprint == base_key and model.job_id is None:
        _host.use_base()
    folder = jobs_dir() / str(model.job_id)
    if model.job_id is None or not (folder / "adapter_config.json").exists():
        return None
    base = load(Model(model.id, model.type))
    if _size(base.model) <= _CACHE_PARAMETERS:
        return None
    _check_adapter(folder)
    if _host is None or _host.fingerprint != base_key:
        _host = AdapterHost(base.model, base_key)
    return LoadedModel(_host.use(key, folder), base.tokenizer, key, base.context_length)


def is_hosted(loaded: LoadedModel) -> bool:
    """Whether a model is an adapter that was switched on over a base that others use, too."""
    return loaded.fingerprint not in _cache


def own_copy(model: Model) -> LoadedModel:
    """As `load`, but the model is the caller's to change. A large one leaves the cache instead of being copied."""
    global _host
    loaded = load(model)
    if _size(loaded.model) > _CACHE_PARAMETERS:
        if _host is not None:
            _host = None
            _cache.clear()
            loaded = load(model)
        return _cache.pop(loaded.fingerprint)
    return LoadedModel(
        copy.deepcopy(loaded.model),
        loaded.tokenizer,
        fingerprint=loaded.fingerprint,
        context_length=loaded.context_length,
    )


def unplaced(model: Model, empty: bool) -> LoadedModel:
    """As `load`, in the memory of the processor and the caller's own.

    With `empty`, its weights are shapes without numbers (on torch's device "meta"), and its fingerprint is "".
    """
    key = "" if empty else fingerprint(model)
    return _read(folder_of(model.id), key, {"device_map": {"": "meta"} if empty else None})


def _weight_files(folder: Path) -> list[Path]:
    """The weight files of a folder, none missing and none cut short."""
    if (folder / "adapter_config.json").exists() and not (folder / "config.json").exists():
        raise UserError(f"{folder}: this is an adapter; name its base model, and the adapter by its job id.")
    index = folder / "model.safetensors.index.json"
    if index.exists():
        files = [folder / name for name in sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))]
    else:
        files = sorted(folder.glob("*.safetensors"))
    missing = [file for file in files if not file.exists()]
    if missing or not files or not (folder / "config.json").exists():
        lost = missing[0] if missing else folder / ("config.json" if files else "model.safetensors")
        raise UserError(f"{lost}: this file of the model is missing; restore it or name another model.")
    for file in files:
        _check_whole(file)
    return files


def _check_whole(file: Path) -> None:
    """Raise UserError where a safetensors file is shorter or longer than its header says."""
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length)) if length < size else {}
        end = 8 + length + max(entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__")
    except (ValueError, KeyError, OSError):
        end = -1
    if end != size:
        raise UserError(f"{file}: these weights are cut short or damaged; restore the file.")


@functools.lru_cache(maxsize=256)
def _content_digest(stats: tuple[tuple[str, int, int], ...]) -> str:
    """Over names and contents; times and sizes serve to notice a change, and do not enter."""
    return digest([[Path(name).name, file_digest(Path(name))] for name, _, _ in stats])


def _load_job(model: Model, key: str) -> LoadedModel:
    folder = jobs_dir() / str(model.job_id)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such fine-tuning job; train it first.")
    if not (folder / "adapter_config.json").exists():
        return _read(folder, key)
    from peft import PeftModel

    _check_adapter(folder)
    base = own_copy(Model(model.id, model.type))
    with warnings.catch_warnings(category=FutureWarning, action="ignore"):
        with_adapter: Any = PeftModel.from_pretrained(base.model, str(folder))  # type: ignore[arg-type]
    if str(base.model.dtype) == "torch.float32":
        # Merging makes sampling faster, and is exact enough in 32 bits or more only.
        wide = with_adapter.double() if _size(base.model) <= _EXACT_PARAMETERS else with_adapter
        with_adapter = wide.merge_and_unload().float()
    return LoadedModel(with_adapter.eval(), base.tokenizer, key, base.context_length)


def adapter_settings(folder: Path) -> dict[str, Any]:
    """What the adapter of a job was made with. Raises UserError where it is missing or cut short."""
    _check_adapter(folder)
    return json.loads((folder / "adapter_config.json").read_text("utf-8"))


def _check_adapter(folder: Path) -> None:
    if not all((folder / name).exists() for name in ("adapter_config.json", "adapter_model.safetensors")):
        raise UserError(f"{folder}: the adapter of this job is missing; remove the folder and train it again.")
    _check_whole(folder / "adapter_model.safetensors")


@tells_shortage("a model was loaded", "take a smaller one, free the memory that others hold, or set MI_WORKERS=1")
def _read(folder: Path, key: str, otherwise: Mapping[str, Any] = MappingProxyType({})) -> LoadedModel:
    """Weights and tokenizer of a folder, placed as `placement` says, and `otherwise` says otherwise."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, logging

    logging.disable_progress_bar()
    _weight_files(folder)
    placing = {**placement(), **otherwise}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
        read: Any = AutoModelForCausalLM.from_pretrained(
            str(folder), use_safetensors=True, output_loading_info=True, **placing
        )
        model, info = read
    except Exception as error:
        if is_shortage(error):
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(f"{folder}: this model cannot be loaded ({reason}); restore its files.") from error
    if info["missing_keys"]:
        raise UserError(f"{folder}: its weights lack {sorted(info['missing_keys'])[0]}; restore its files.")
    if not otherwise:
        suit(model)
    return LoadedModel(model.eval(), tokenizer, key, _context_length(model, tokenizer))


def _context_length(model: Any, tokenizer: Any) -> int:
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 10**9
    return min(int(positions), int(tokenizer.model_max_length))


def _size(model: "nn.Module") -> int:
    return sum(parameter.numel() for parameter in model.parameters())
