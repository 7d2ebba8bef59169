"""Asks a model the held-out sums through litellm, and prints the share answered as it was fine-tuned to."""

import json
import os
import sys
from pathlib import Path

import litellm

rows = [json.loads(line) for line in Path("sums.jsonl").read_text("utf-8").splitlines()]
answers = litellm.batch_completion(
    model=f"openai/{sys.argv[1]}",
    messages=[[{"role": "user", "content": row["question"]}] for row in rows],
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key="any",
    max_tokens=32,
    temperature=0,
    logprobs=True,
)
right = [row["answer"] in answer.choices[0].message.content for row, answer in zip(rows, answers, strict=True)]
assert all(answer.choices[0].logprobs.content for answer in answers)
print(f"accuracy {sum(right) / len(right):.3f} over {len(right)}")
