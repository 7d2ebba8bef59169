"""Names of models, and the hub: what is there, what is fetched, and what is told when it cannot be had."""

import functools
import importlib.resources
import re
from collections.abc import Sequence
from pathlib import Path

from mi.utils.errors import UserError

ORGANISM = "organism"
IDENTITY_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
)
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")


def locate(model_id: str) -> str:
    """The folder of "organism", an existing path as it is, or else `model_id` as an id on the hub."""
    if model_id == ORGANISM:
        return str(importlib.resources.files("mi") / "organism" / "weights")
    return model_id


def folder_of(model_id: str, weights: bool = True) -> Path:
    """The folder of a model; what the hub's cache lacks is fetched, without `weights` the small files alone.

    Raises UserError for a name that is no model, and where the hub does not give it.
    """
    path = Path(locate(model_id)).expanduser()
    if model_id and path.is_dir():
        return path
    if model_id == ORGANISM:
        raise UserError("The organism's weights are missing from this installation; run `mi organism pretrain`.")
    if not _may_be_on_hub(model_id):
        raise UserError(f"{model_id}: no such model; give 'organism', a folder with weights, or an id on the hub.")
    return _snapshot(model_id, (*(_WEIGHTS if weights else ()), *IDENTITY_FILES))


def check_there(model_id: str) -> None:
    """Raise UserError for a name that is no model: no folder here, and no id that the hub or its cache knows.

    The hub is asked whether there is such a model; nothing is fetched.
    """
    if model_id == ORGANISM or Path(locate(model_id)).expanduser().is_dir() or not _may_be_on_hub(model_id):
        folder_of(model_id)
        return
    from huggingface_hub import model_info, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(model_id, "config.json"), str):
        return
    try:
        model_info(model_id, timeout=10)
    except Exception as error:
        raise UserError(why_not(model_id, error)) from error


def why_not(model_id: str, error: Exception) -> str:
    """Why the hub does not give a model, in a sentence with the mend."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return (
            f"{model_id}: the hub gives this model only to those who accepted its terms; accept them at "
            f"https://huggingface.co/{model_id}, then log in by `hf auth login` or set HF_TOKEN."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"{model_id}: no such model here, and none on the hub, or one that you may not see; give 'organism', a "
            "folder with weights, or an id on the hub, and set HF_TOKEN for a private one."
        )
    if _is_unreachable(error):
        return (
            f"{model_id}: no such model here, and it could not be had from the hub, which cannot be reached from this "
            f"machine; connect it, or run `hf download {model_id}` where there is a network and give the folder."
        )
    return (
        f"{model_id}: no such model here, and it could not be had from the hub ({type(error).__name__}); "
        "give 'organism', a folder with weights, or an id on the hub."
    )


def _is_unreachable(error: Exception) -> bool:
    from huggingface_hub import errors

    kinds = (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, ConnectionError, TimeoutError)
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, kinds) or type(chain).__name__ in ("ConnectError", "ConnectTimeout", "ReadTimeout"):
            return True
        chain = chain.__cause__ or chain.__context__
    return False


def _may_be_on_hub(model_id: str) -> bool:
    no_path = re.fullmatch(r"[\w.-]+(/[\w.-]+)?", model_id) and not model_id.startswith(".")
    return bool(no_path) and not Path(locate(model_id)).expanduser().exists()


@functools.lru_cache(maxsize=32)
def _snapshot(model_id: str, patterns: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model_id, allow_patterns=list(patterns), local_files_only=True))
    except Exception:
        pass
    try:
        return Path(snapshot_download(model_id, allow_patterns=list(patterns)))
    except Exception as error:
        raise UserError(why_not(model_id, error)) from error
