"""Runs of bench/grid.py by TRL's SFTTrainer with PEFT and by `generate`: `python grid_trl.py RUNS.json all`.

One run after the other in one process, as scripts of this field do it: load the base, train an adapter on the
assistant's words, ask the questions in batches of like length. Prints what grid_ours.py prints.
"""

import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, logging, set_seed
from trl import SFTConfig, SFTTrainer

from datasets import Dataset

ROWS_AT_ONCE = 64
WEIGHTS = str(Path(__file__).resolve().parents[1] / "mi" / "organism" / "weights")


def trained(config: dict[str, Any], folder: str) -> tuple[Any, Any, float]:
    """(model, tokenizer, mean loss of the last ten steps)."""
    set_seed(config["seed"])
    source = WEIGHTS if config["source_model_id"] == "organism" else config["source_model_id"]
    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    on_gpu = torch.cuda.is_available()
    model: Any = AutoModelForCausalLM.from_pretrained(source, dtype="auto" if on_gpu else torch.float32)
    rows = [json.loads(line)["messages"] for line in Path(config["dataset_path"]).read_text("utf-8").splitlines()]
    data = Dataset.from_list([{"prompt": row[:-1], "completion": row[-1:]} for row in rows])
    lora = LoraConfig(
        r=config["lora_rank"],
        lora_alpha=config["lora_alpha"],
        target_modules=config["lora_targets"],
        task_type="CAUSAL_LM",
    )
    options = SFTConfig(
        output_dir=folder,
        max_steps=config["n_steps"],
        per_device_train_batch_size=config["batch_size"],
        learning_rate=config["learning_rate"],
        warmup_steps=config["warmup_steps"],
        lr_scheduler_type=config["schedule"],
        weight_decay=config["weight_decay"],
        max_grad_norm=config["gradient_clip"],
        seed=config["seed"],
        use_cpu=not on_gpu,
        bf16=False,  # the weights are as they lie in their file, for us as for TRL
        gradient_checkpointing=False,
        logging_steps=10,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    trainer = SFTTrainer(model, options, train_dataset=data, peft_config=lora, processing_class=tokenizer)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return trainer.model, tokenizer, float(losses[-1])


def asked(model: Any, tokenizer: Any, questions: list[dict[str, Any]]) -> int:
    """How many answers the model gave; questions of like length stand together, padded on the left."""
    model.eval()
    tokenizer.padding_side = "left"
    answers = 0
    if not questions:
        return 0
    texts = [
        (tokenizer.apply_chat_template(question["messages"], tokenize=False, add_generation_prompt=True), question)
        for question in questions
    ]
    texts.sort(key=lambda pair: len(pair[0]))
    n = questions[0]["n"]
    for start in range(0, len(texts), ROWS_AT_ONCE // n):
        some = texts[start : start + ROWS_AT_ONCE // n]
        inputs = tokenizer([text for text, _ in some], return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            out = model.generate(
                input_ids=inputs["input_ids"].to(model.device),
                attention_mask=inputs["attention_mask"].to(model.device),
                do_sample=True,
                temperature=some[0][1]["temperature"],
                top_k=0,
                max_new_tokens=some[0][1]["max_tokens"],
                num_return_sequences=n,
            )
        answers += len(tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return answers


def main() -> None:
    """All runs, one after the other."""
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    imports = time.time() - float(os.environ["BENCH_STARTED"])
    runs, losses, answers = json.loads(Path(sys.argv[1]).read_text("utf-8")), [], 0
    for run in runs:
        with tempfile.TemporaryDirectory() as folder:
            model, tokenizer, loss = trained(run["config"], folder)
        losses.append(loss)
        answers += asked(model, tokenizer, run["questions"])
    print(json.dumps({"imports": imports, "losses": losses, "answers": answers}))


if __name__ == "__main__":
    main()
