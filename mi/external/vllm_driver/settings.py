"""Where vLLM is and how it is started: MI_VLLM, MI_VLLM_ARGS, MI_VLLM_KEY, MI_VLLM_CHECK; read when it is needed."""

import os
import re
import shlex
import shutil
from dataclasses import dataclass

from mi.utils.errors import UserError

INSTALL = "python -m venv vllm-env && vllm-env/bin/pip install vllm, then export MI_VLLM=$PWD/vllm-env/bin/vllm"
MAX_LORA_RANK = 64
"""What a server of ours takes; vLLM's own default is 16, and memory is set aside for the greatest."""
_LORAS_AT_ONCE, _LORAS_HELD = 4, 64
_CHECKED_GIGABYTES = 4.0


@dataclass(frozen=True)
class VllmSettings:
    """What the environment says of vLLM."""

    url: str | None
    """The base URL, `/v1` included, of a server that runs; None: one is started."""
    command: str
    """The `vllm` command of vLLM's own environment."""
    arguments: tuple[str, ...]
    """More of vLLM's options; they win over ours."""
    key: str | None
    """What a server that runs asks for."""
    checked_gigabytes: float
    """Models whose weights are no larger are compared with our own forward pass; 0 compares none."""

    def max_lora_rank(self) -> int:
        """The greatest rank of an adapter that a server started with these settings takes."""
        joined = " ".join(self.arguments)
        given = re.search(r"--max[-_]lora[-_]rank[= ](\d+)", joined)
        return int(given[1]) if given else MAX_LORA_RANK


def read_settings(endpoint: str | None = None) -> VllmSettings:
    """The settings; `endpoint`, of a model's name, wins over MI_VLLM. Raises UserError for one that says nothing."""
    given = endpoint or os.environ.get("MI_VLLM") or "vllm"
    url = given.rstrip("/") if re.match(r"https?://", given) else None
    if endpoint is not None and url is None:
        raise UserError(f"{endpoint!r} is no address of a vLLM server; write vllm/<model>@http://HOST:PORT/v1.")
    limit = os.environ.get("MI_VLLM_CHECK") or str(_CHECKED_GIGABYTES)
    if not re.fullmatch(r"\d+(\.\d+)?", limit):
        raise UserError(f"MI_VLLM_CHECK is {limit!r}; give gigabytes of weights, 0 to compare with nothing of ours.")
    try:
        arguments = tuple(shlex.split(os.environ.get("MI_VLLM_ARGS", "")))
    except ValueError as error:
        raise UserError(f"MI_VLLM_ARGS cannot be read ({error}); write options as in a shell.") from error
    return VllmSettings(url, given, arguments, os.environ.get("MI_VLLM_KEY") or None, float(limit))


def serve_command(settings: VllmSettings, weights: str, name: str, port: int) -> list[str]:
    """The command line of a server of `weights` under `name` at a port of this machine.

    `--generation-config vllm` keeps what a model's files recommend (top_k, repetition_penalty) out of the draw.
    Raises UserError where vLLM is not installed.
    """
    command = shutil.which(settings.command)
    if command is None:
        raise UserError(f"{settings.command}: vLLM is not installed here; give it an environment of its own: {INSTALL}")
    options = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--served-model-name": name,
        "--generation-config": "vllm",
        "--max-lora-rank": str(MAX_LORA_RANK),
        "--max-loras": str(_LORAS_AT_ONCE),
        "--max-cpu-loras": str(_LORAS_HELD),
    }
    said = {argument.partition("=")[0].replace("_", "-") for argument in settings.arguments}
    ours = [part for option, value in options.items() if option not in said for part in (option, value)]
    return [command, "serve", weights, "--enable-lora", *ours, *settings.arguments]


def serve_environment(key: str) -> dict[str, str]:
    """Our environment without what would lead vLLM's Python to our packages, and with what loading adapters needs."""
    left_out = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "OMP_NUM_THREADS")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "VLLM_API_KEY": key}
