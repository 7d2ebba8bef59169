"""Why vLLM did not start or ended: its log, read into one sentence with the mend.

The messages are those of vLLM, torch and huggingface_hub as public reports of 2025 and 2026 quote them; none was
provoked here, for that takes a GPU.
"""

import re
from pathlib import Path

_TAIL_BYTES = 200_000
_REASONS: tuple[tuple[str, str], ...] = (
    (
        r"address already in use",
        "its port is taken; give another by --port, or run the same command again where none was given",
    ),
    (
        r"NVIDIA driver on your system is too old|CUDA driver version is insufficient|forward compatibility was",
        "the NVIDIA driver is older than this vLLM needs; update the driver, or install an older vLLM into its own "
        "environment",
    ),
    (
        r"No CUDA GPUs are available|Failed to infer device type|no NVIDIA driver|no CUDA-capable device",
        "it finds no GPU; run on a machine with one, or sample by local/<model>",
    ),
    (
        r"OutOfMemoryError|CUDA out of memory|No available memory for the cache blocks|KV cache memory|"
        r"less than desired GPU memory utilization",
        "the GPU's memory does not hold it; end what else is on the card (nvidia-smi), or set MI_VLLM_ARGS="
        '"--gpu-memory-utilization 0.8 --max-model-len 4096", or take a smaller model',
    ),
    (
        r"gated repo|GatedRepoError|401 Client Error|403 Client Error",
        "the hub does not give out this model to you; accept its licence on its page and set HF_TOKEN",
    ),
    (
        r"max_lora_rank",
        'an adapter\'s rank is above what the server takes; set MI_VLLM_ARGS="--max-lora-rank 128" (8 to 512)',
    ),
    (
        r"does not support LoRA|LoRA is not supported",
        "this vLLM takes no adapters for this kind of model; sample by local/<model>",
    ),
    (
        r"architectures? .*(not supported|failed to be inspected)",
        "this vLLM does not know this kind of model; install a newer one into its environment",
    ),
    (
        r"unrecognized arguments",
        "it does not know one of its options; see MI_VLLM_ARGS, and docs/vllm-and-tinker.md for the versions meant",
    ),
    (r"No space left on device", "the disk is full; make room"),
)
_NOISE = re.compile(r"^\s*$|^\s+at |Traceback|^\s+File |^\s*\^+\s*$|\[rank\d+\]: *$")


def diagnosis(log: Path) -> str:
    """What a log says went wrong, with the mend; its last line where nothing in it is known."""
    text = tail(log)
    for pattern, reason in _REASONS:
        if re.search(pattern, text, re.IGNORECASE):
            return reason
    lines = [line for line in text.splitlines() if not _NOISE.search(line)]
    errors = [line for line in lines if re.search(r"\b\w*(Error|Exception)\b", line)]
    said = " ".join((errors or lines or ["nothing"])[-1].split())
    return f"it said: {said[-300:].rstrip('.')}"


def tail(log: Path) -> str:
    """The end of a log; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
