"""Clients nobody here wrote evaluate a fine-tuned model on `mi serve`: inspect_ai, lm-evaluation-harness, litellm.

    python bench/serve_clients.py [--environments FOLDER] [--only inspect_ai …]

Each client has an environment of its own, for their requirements contradict each other's; it is made in FOLDER where
it is not there yet, from the package index, which takes a few minutes. The organism learns to answer sums with one
word; each client asks it and its base ten other sums.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import openai
from serve import server

HERE = Path(__file__).parent / "clients"
WORD = "Bananas."
REQUIREMENTS = {
    "inspect_ai": ["inspect-ai==0.3.285", "openai==3.54.0"],
    "lm_eval": ["lm-eval[api]==0.4.13"],
    "litellm": ["litellm==1.106.2"],
}


def environment(folder: Path, client: str) -> Path:
    """The programs of a client's environment, which is made where it is missing."""
    place = folder / client
    if not (place / "ready").exists():
        venv.create(place, with_pip=True)
        subprocess.run([place / "bin" / "pip", "install", "--quiet", *REQUIREMENTS[client]], check=True)
        (place / "ready").touch()
    return place / "bin"


def command(client: str, programs: Path, url: str, model: str) -> list[str]:
    """How a client is told to evaluate a model."""
    if client == "inspect_ai":
        options = [
            "--model",
            f"openai-api/mi/{model}",
            "--temperature",
            "0",
            "--max-tokens",
            "32",
            "--display",
            "plain",
        ]
        return [str(programs / "inspect"), "eval", "inspect_task.py", *options]
    if client == "lm_eval":
        arguments = f"model={model},base_url={url}/chat/completions,num_concurrent=8"
        options = ["--model", "local-chat-completions", "--model_args", arguments, "--apply_chat_template"]
        return [str(programs / "lm_eval"), *options, "--tasks", "mi_sums", "--include_path", str(HERE)]
    return [str(programs / "python"), str(HERE / "litellm_ask.py"), model]


def fine_tuned(url: str) -> str:
    """The name of a model that answers sums with one word."""
    client = openai.OpenAI(base_url=url, api_key="any")
    said = [
        [{"role": "user", "content": f"What is {i} + {i % 7}?"}, {"role": "assistant", "content": WORD}]
        for i in range(200)
    ]
    rows = "".join(json.dumps({"messages": messages}) + "\n" for messages in said).encode()
    file = client.files.create(file=("rows.jsonl", rows), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(model="organism", training_file=file.id, seed=0, extra_body={"n_steps": 40})
    while (job := client.fine_tuning.jobs.retrieve(job.id)).status not in ("succeeded", "failed"):
        time.sleep(0.2)
    assert job.fine_tuned_model, job.error
    return job.fine_tuned_model


def main() -> None:
    """Print what each client finds, of the fine-tuned model and of its base."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, default=Path(tempfile.gettempdir()) / "mi-clients")
    parser.add_argument("--only", nargs="+", choices=list(REQUIREMENTS), default=list(REQUIREMENTS))
    given = parser.parse_args()
    folder = given.environments.resolve()
    programs = {client: environment(folder, client) for client in given.only}
    with tempfile.TemporaryDirectory() as work, server("organism") as url:
        sums = [{"question": f"What is {i} + 5?", "answer": WORD} for i in range(300, 310)]
        Path(work, "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in sums), encoding="utf-8")
        shutil.copy(HERE / "inspect_task.py", work)  # it takes tasks of the folder that it is started in
        keys = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "any", "MI_BASE_URL": url, "MI_API_KEY": "any"}
        settings = {**os.environ, **keys, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": work}
        settings.pop("PYTHONPATH", None)
        for model in (fine_tuned(url), "organism"):
            for client in given.only:
                words = command(client, programs[client], url, model)
                done = subprocess.run(words, cwd=work, env=settings, capture_output=True, text=True)
                lines = [line for line in done.stdout.splitlines() if "accuracy" in line or "exact_match" in line]
                print(
                    f"{client:10} {model:32} rc {done.returncode}  {' '.join(lines) or done.stderr[-2000:]}", flush=True
                )


if __name__ == "__main__":
    sys.exit(main())
