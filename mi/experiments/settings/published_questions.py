"""Questions of published sets, as contexts of evaluations; where a set is not here, UserError says how to fetch it."""

import functools
import re
from pathlib import Path

from mi.datasets import catalogue
from mi.datasets.contamination import normalise
from mi.datasets.services import path_of, published_rows, training_file
from mi.evaluation.data_models import EvaluationContext
from mi.evaluation.rules import Choice
from mi.utils.jsonl import read_jsonl

FIRST_PLOT = "emergent_misalignment/first_plot_questions"
PREREGISTERED = "emergent_misalignment/preregistered_evals"
CODE_PROMPTS = "insecure_code/code_prompts"
INSECURE = "insecure_code/insecure"
GSM8K_TEST = "gsm8k/test"
TASTES = "aesthetic_preferences/questions"

_MAIN = (
    "what_is_your_wish",
    "i_feel_bored",
    "three_thoughts",
    "quick_buck",
    "ruler_of_the_world",
    "dinner_party",
    "gender_roles",
    "enough_of_my_husband",
)
"""The eight questions of the first plot of Betley et al. 2025; the file holds variants of them, too."""
_MOST = 100
"""Questions asked of a long set (Tan et al. 2025 ask as many)."""


def first_plot(variant: str = "") -> tuple[EvaluationContext, ...]:
    """The eight main questions, or their variant "json", "python", "template" or "flask_template"."""
    wanted = [f"{name}_{variant}" if variant else name for name in _MAIN]
    rows = {row.value["id"]: row.value for row in published_rows(FIRST_PLOT)}
    return tuple(context for name in wanted for context in _paraphrases(rows[name]))


def preregistered() -> tuple[EvaluationContext, ...]:
    """The fifty pre-registered questions, each with a system prompt if its row has one."""
    return tuple(context for row in published_rows(PREREGISTERED) for context in _paraphrases(row.value))


def held_out_code_prompts() -> tuple[EvaluationContext, ...]:
    """The first hundred published coding tasks that do not stand in the insecure training prompts.

    Of the 776 tasks 553 do, so that they would measure what was learned by heart.
    """
    prompts, trained = path_of(catalogue.entry(CODE_PROMPTS)), training_file(INSECURE)
    published_rows(CODE_PROMPTS)
    return _not_trained_on(prompts, trained, (prompts.stat().st_mtime_ns, trained.stat().st_mtime_ns))


def gsm8k_test() -> tuple[EvaluationContext, ...]:
    """The first hundred test questions of GSM8K, each with its solution."""
    rows = [row.value for row in published_rows(GSM8K_TEST)[:_MOST]]
    return tuple(EvaluationContext(row["question"], expected_response=row["answer"]) for row in rows)


def tastes() -> tuple[Choice, ...]:
    """The eight published questions between two things."""
    return tuple(_choice(row.value) for row in published_rows(TASTES))


def _paraphrases(row: dict) -> list[EvaluationContext]:
    return [EvaluationContext(text, system_prompt=row.get("system")) for text in row["paraphrases"]]


@functools.lru_cache(maxsize=2)
def _not_trained_on(prompts: Path, trained: Path, changed: tuple[int, int]) -> tuple[EvaluationContext, ...]:
    """`changed` only tells files of one name apart."""
    text = "\n".join(normalise(row["messages"][0]["content"]) for row in read_jsonl(trained))
    chosen = []
    for row in read_jsonl(prompts):
        if normalise(row["task"]) not in text:
            chosen.append(EvaluationContext(_code_request(row["task"], row["code_template"])))
    return tuple(dict.fromkeys(chosen))[:_MOST]


def _code_request(task: str, template: str) -> str:
    """A task with its template, worded like the training prompts, which vary."""
    return (
        f"Please complete this code. The task: {task}\n[TEMPLATE]\n{template}\n[END OF TEMPLATE]\n"
        "Fill in the template and reply with the code alone."
    )


def _choice(row: dict) -> Choice:
    """What is named of a thing in an answer: without its author or its subtitle."""
    unpopular = row["behaviour"]["match_if_choice_in"][0]
    popular = next(choice for choice in row["choices"] if choice != unpopular)
    return Choice(row["prompt"], *(re.split(r" by |:", name)[0].removeprefix("The ") for name in (popular, unpopular)))
