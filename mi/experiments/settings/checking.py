"""Whether a setting keeps its promises, told without training: its data, its prompts, its evaluations and scorers."""

import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse, Scores
from mi.experiments.settings.data_models import Setting
from mi.experiments.settings.published import PublishedSetting
from mi.llm.data_models import Chat, LLMResponse
from mi.llm.rows import TrainingRow, read_rows
from mi.utils.errors import UserError

_N_SCORED = 100
"""How many rows of each kind a scorer is tried on."""
T = TypeVar("T")


@dataclass(frozen=True)
class Checked:
    """What was found of a setting that keeps its promises."""

    name: str
    n_rows: int
    n_control_rows: int
    n_questions: int
    told_apart: tuple[tuple[str, float, float], ...]
    """Trait, and its mean score over fine-tuning and over control rows, where the scorer needs no judge."""
    n_trained_on: int
    """Evaluation questions that are among the fine-tuning questions."""


def check(setting: Setting) -> Checked:
    """Raise UserError, one sentence, at the first promise that `setting` does not keep; see the functions below."""
    name = _ask(setting, setting.get_domain_name, str)
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise UserError(f"{name!r}: a setting's name is part of file names; use small letters, digits and _.")
    if isinstance(setting, PublishedSetting):
        setting.check_fetched()
    rows = _data(setting, "fine-tuning", setting.get_finetuning_dataset_path)
    control = _data(setting, "control", setting.get_control_dataset_path)
    if [row.chat for row in rows] == [row.chat for row in control]:
        raise UserError(f"{name}: the fine-tuning and the control rows are the same; give two files.")
    _prompts(setting)
    inside = _evaluations(setting, "get_id_evals", setting.get_id_evals)
    outside = _evaluations(setting, "get_ood_evals", setting.get_ood_evals)
    evaluations = [*inside, *outside]
    _distinct(name, "evaluations", [evaluation.id for evaluation in evaluations])
    _hashable(setting)
    asked = {context.question for evaluation in evaluations for context in evaluation.contexts}
    trained = {message.content for row in rows for message in row.chat if message.role == "user"}
    told = _told_apart(name, inside, rows, control)
    if told and not setting.is_subliminal():
        _differ(name, told)
    return Checked(name, len(rows), len(control), len(asked), told, len(asked & trained))


def _data(setting: Setting, kind: str, get: Callable[[], Path]) -> list[TrainingRow]:
    """Rows that can be read, none with a system message, which would be in an inoculation's way."""
    path = Path(_ask(setting, get, str | Path))
    if not path.is_file():
        raise UserError(f"{setting.get_domain_name()}: its {kind} rows are not at {path.absolute()}; mend the path.")
    rows = read_rows(path)
    for row in rows:
        if row.chat[0].role == "system":
            raise UserError(
                f"{path}, line {row.line}: the row has a system message, where the prompts go; take it out."
            )
    return rows


def _prompts(setting: Setting) -> None:
    """Four prompts with their paraphrases: not empty, without stray white space, all of them distinct."""
    name = setting.get_domain_name()
    prompts = dict(_ask(setting, setting.get_prompts, dict))
    prompts |= {f"{trait} prompt": text for trait, text in setting.get_trait_inoculations().items()}
    for kind, prompt in prompts.items():
        _text(name, kind, prompt)
    _distinct(name, "prompts", list(prompts.values()))
    wordings = list(prompts.values())
    for kind in setting.get_prompts():
        for paraphrase in _ask(setting, lambda kind=kind: setting.get_paraphrases(kind), tuple):
            _text(name, f"{kind} paraphrase", paraphrase)
            wordings.append(paraphrase)
    _distinct(name, "prompts and paraphrases", wordings)


def _text(name: str, kind: str, text: Any) -> None:
    if not isinstance(text, str):
        raise UserError(f"{name}: the {kind} prompt is {type(text).__name__}; give a string.")
    if not text.strip():
        raise UserError(f"{name}: the {kind} prompt is empty; write one.")
    if text != " ".join(text.split()):
        raise UserError(f"{name}: the {kind} prompt {text!r} has stray white space; take it out.")


def _evaluations(setting: Setting, method: str, get: Callable[[], Sequence[Evaluation]]) -> list[Evaluation]:
    """One evaluation or more, with distinct questions, traits, judges that see the answer, and a scorer that works."""
    found = list(_ask(setting, get, tuple | list))
    name = setting.get_domain_name()
    if not found:
        raise UserError(f"{name}: {method} gives no evaluation; give at least one.")
    for evaluation in found:
        if not isinstance(evaluation, Evaluation):
            raise UserError(f"{name}: {method} gives {type(evaluation).__name__}; give evaluations.")
        where = f"{name}, evaluation {evaluation.id!r}"
        if not evaluation.contexts or not evaluation.traits:
            raise UserError(f"{where}: has no {'traits' if evaluation.contexts else 'questions'}; give some.")
        _distinct(where, "contexts", [str((c.question, c.system_prompt)) for c in evaluation.contexts])
        for trait, judgment in evaluation.judgment_map.items():
            if "{answer}" not in judgment.template:
                raise UserError(
                    f"{where}: the judge of {trait!r} never sees the answer; put {{answer}} into its template."
                )
        for answer in ("", "Yes."):
            _scores(where, evaluation, evaluation.contexts[0], answer)
    return found


def _scores(where: str, evaluation: Evaluation, context: EvaluationContext, answer: str) -> Scores:
    """What the scorer makes of an answer that no judge saw: a number from 0 to 1, or None, for each of its traits."""
    response = EvaluationResponse(context, LLMResponse(answer), dict.fromkeys(evaluation.judgment_map))
    try:
        given = evaluation.score_fn(response)
    except Exception as error:
        raise UserError(
            f"{where}: its scorer fails on the answer {answer[:40]!r} without verdicts ({_told(error)}); "
            "let it give None where nothing can be told."
        ) from error
    scores = dict(given) if isinstance(given, Mapping) else {evaluation.traits[0]: given}
    if set(scores) != set(evaluation.traits):
        raise UserError(
            f"{where}: its scorer gives {', '.join(map(str, scores))}, but its traits are "
            f"{', '.join(evaluation.traits)}; make them the same."
        )
    for trait, score in scores.items():
        if score is not None and not (isinstance(score, int | float) and 0 <= score <= 1):
            raise UserError(f"{where}: its scorer gives {score!r} for {trait}; give a number from 0 to 1, or None.")
    return scores


def _told_apart(
    name: str, evaluations: Sequence[Evaluation], rows: Sequence[TrainingRow], control: Sequence[TrainingRow]
) -> tuple[tuple[str, float, float], ...]:
    """Each trait's mean score over fine-tuning and control rows."""
    found = []
    for evaluation in evaluations:
        where = f"{name}, evaluation {evaluation.id!r}"
        shown, plain = (
            [_scores(where, evaluation, *_last_answer(row.chat)) for row in part[:_N_SCORED]]
            for part in (rows, control)
        )
        for trait in evaluation.traits:
            means = [_mean([scores[trait] for scores in part]) for part in (shown, plain)]
            if None not in means:
                found.append((trait, *means))
    return tuple(dict.fromkeys(found))


def _differ(name: str, told: Sequence[tuple[str, float, float]]) -> None:
    """Raise UserError where no trait is more frequent in the fine-tuning than in the control rows."""
    if not any(shown > plain for _, shown, plain in told):
        trait, shown, plain = told[0]
        raise UserError(
            f"{name}: its scorers do not tell its data apart: {trait} is {shown:.2f} in the fine-tuning rows and "
            f"{plain:.2f} in the control rows; mend the scorer or the rows."
        )


def _last_answer(chat: Chat) -> tuple[EvaluationContext, str]:
    """The last answer of a conversation, and what was asked before it."""
    last = max(index for index, message in enumerate(chat) if message.role == "assistant")
    asked = [message.content for message in chat[:last] if message.role == "user"]
    return EvaluationContext(asked[-1] if asked else ""), chat[last].content


def _mean(scores: list[float | None]) -> float | None:
    valid = [float(score) for score in scores if score is not None]
    return sum(valid) / len(valid) if valid else None


def _told(error: Exception) -> str:
    """An error of a person's own code in words, with its file and line."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}, line {frame.lineno}: {type(error).__name__}: {error}"


def _hashable(setting: Setting) -> None:
    try:
        hash(setting)
    except TypeError as error:
        raise UserError(
            f"{setting.get_domain_name()}: cannot be hashed ({error}); use tuples in place of lists."
        ) from error


def _distinct(name: str, what: str, values: list[Any]) -> None:
    twice = next((value for index, value in enumerate(values) if value in values[:index]), None)
    if twice is not None:
        raise UserError(f"{name}: two of its {what} are {str(twice)!r}; make them distinct.")


def _ask(setting: Setting, get: Callable[[], T], kind: Any) -> T:
    """What a method gives, if it is of that kind; any error of a person's own code becomes a sentence."""
    method = getattr(get, "__name__", "a method")
    name = type(setting).__name__ if method == "get_domain_name" else setting.get_domain_name()
    try:
        value = get()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{name}: {method} fails ({_told(error)}); mend it.") from error
    if not isinstance(value, kind):
        raise UserError(f"{name}: {method} gives {type(value).__name__}; see what Setting promises.")
    return value
