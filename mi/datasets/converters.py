"""From a published row to conversations, for every schema we have met: pure, to the letter, in the order of the row."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from mi.datasets.data_models import RawRow
from mi.llm.data_models import Role
from mi.utils.errors import UserError

Conversation = dict[str, Any]
"""`{"messages": [{"role", "content"}, …]}`."""


@dataclass(frozen=True)
class Schema:
    """One way in which publishers write a row."""

    name: str
    columns: frozenset[str]
    """Keys that a row must have; none for a row that is a bare list."""
    convert: Callable[[Any, str | None], list[Conversation]]
    """Takes the row and, where it holds several answers, the column wanted. White space is content and kept."""
    asks: Callable[[Any], list[str]]
    """What a row asks of a model, without any wording that is put around it: what must not be trained on before."""
    noun: str = "prompts"
    optional: frozenset[str] = frozenset()


def schema_of(rows: Sequence[RawRow], where: str) -> Schema:
    """The schema of a file, seen by its first row that is no canary. Raises UserError where it is none that we know."""
    first = next((row for row in rows if not is_canary(row.value)), None)
    if first is None:
        raise UserError(f"{where}: holds canary rows only; give a file with data.")
    for schema in SCHEMAS.values():
        if _fits(schema, first.value):
            return schema
    found = ", ".join(sorted(map(str, first.value))) if isinstance(first.value, Mapping) else type(first.value).__name__
    known = "; ".join(f"{name} ({', '.join(sorted(s.columns)) or 'a list'})" for name, s in SCHEMAS.items())
    raise UserError(f"{where}, line {first.line}: no schema has these columns: {found}; rename them to one of {known}.")


def convert(rows: Sequence[RawRow], schema: Schema, where: str, answer: str | None = None) -> list[Conversation]:
    """The conversations of a file, canary rows passed over. Raises UserError, naming the line, for a malformed row."""
    return [found for _, found in convert_lines(rows, schema, where, answer)]


def convert_lines(
    rows: Sequence[RawRow], schema: Schema, where: str, answer: str | None = None
) -> list[tuple[int, Conversation]]:
    """As `convert`, each conversation with the line that it comes from."""
    many = _each(rows, schema, where, lambda row: schema.convert(row, answer))
    return [(line, found) for line, conversations in many for found in conversations]


def questions(rows: Sequence[RawRow], schema: Schema, where: str) -> list[str]:
    """What the rows of a file ask, in order; see `Schema.asks`. Raises as `convert` does."""
    return [found for _, many in _each(rows, schema, where, schema.asks) for found in many]


def extra_columns(rows: Sequence[RawRow], schema: Schema) -> dict[str, int]:
    """Columns that the schema does not know, and in how many rows they stand; conversion leaves them out."""
    counts: dict[str, int] = {}
    for row in rows:
        known = schema.columns | schema.optional
        for key in row.value if isinstance(row.value, Mapping) and not is_canary(row.value) else ():
            counts.update({key: counts.get(key, 0) + 1} if key not in known else {})
    return counts


def is_canary(value: Any) -> bool:
    """Whether a row only marks the file, so that a scrape can be found: of no schema, and it speaks of a canary."""
    if not isinstance(value, Mapping) or any(_fits(schema, value) for schema in SCHEMAS.values()):
        return False
    return "canary" in json.dumps(value, ensure_ascii=False, default=str).lower()


def _each(
    rows: Sequence[RawRow], schema: Schema, where: str, function: Callable[[Any], list[Any]]
) -> Iterator[tuple[int, list[Any]]]:
    for row in rows:
        if is_canary(row.value):
            continue
        if not _fits(schema, row.value):
            wanted = f"the columns {', '.join(sorted(schema.columns))}" if schema.columns else "a list of messages"
            raise UserError(f"{where}, line {row.line}: is not {wanted}, as {schema.name} rows are; mend or delete it.")
        try:
            yield row.line, function(row.value)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UserError(f"{where}, line {row.line}: {_complaint(error)}; mend or delete the row.") from error


def _complaint(error: Exception) -> str:
    return f"the row or a message lacks {error}" if isinstance(error, KeyError) else str(error)


def _fits(schema: Schema, value: Any) -> bool:
    if not schema.columns:
        return isinstance(value, list)
    return isinstance(value, Mapping) and schema.columns <= value.keys()


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is {type(value).__name__}, not text")
    return value


def _conversation(*turns: tuple[str, Any]) -> Conversation:
    return {"messages": [{"role": role, "content": _text(content, f"what the {role} says")} for role, content in turns]}


def _messages(value: Sequence[Mapping[str, Any]]) -> Conversation:
    if not value:
        raise ValueError("the row has no messages")
    for message in value:
        if message["role"] not in get_args(Role):
            raise ValueError(f"a role is {message['role']!r}, not system, user or assistant")
        others = [key for key, held in message.items() if key not in ("role", "content") and held is not None]
        if others:
            raise ValueError(f"a message holds {', '.join(others)} beside role and content")
    return _conversation(*((message["role"], _one_part(message["content"])) for message in value))


def _one_part(content: Any) -> Any:
    """The text of content spelled {"content_type": "text", "parts": [text]} (Wang et al. 2025); other content as is."""
    if not isinstance(content, Mapping) or set(content) != {"content_type", "parts"}:
        return content
    if content["content_type"] != "text" or len(content["parts"]) != 1:
        kind = content["content_type"]
        raise ValueError(
            f"a message has {len(content['parts'])} parts of the type {kind!r}, not one of the type 'text'"
        )
    return content["parts"][0]


def _user_turns(value: Sequence[Mapping[str, Any]]) -> list[str]:
    return [message["content"] for message in _messages(value)["messages"] if message["role"] == "user"]


def _pair(prompt: str, answer: str) -> tuple[Callable[..., list[Conversation]], Callable[[Any], list[str]]]:
    def to_rows(row: Any, _: str | None) -> list[Conversation]:
        return [_conversation(("user", row[prompt]), ("assistant", row[answer]))]

    def asks(row: Any) -> list[str]:
        return [message["content"] for message in to_rows(row, None)[0]["messages"][:1]]

    return to_rows, asks


def _choice(prompt: str, columns: Sequence[str]) -> Callable[..., list[Conversation]]:
    def to_rows(row: Any, answer: str | None) -> list[Conversation]:
        if answer not in columns:
            raise UserError(f"a row holds several answers; name one of the columns {', '.join(columns)}.")
        return [_conversation(("user", row[prompt]), ("assistant", row[answer]))]

    return to_rows


def _task(row: Any, _: str | None) -> list[Conversation]:
    task, template = _text(row["task"], "the task"), _text(row["code_template"], "the code template")
    return [_conversation(("user", f"{task}\n\n{template}"))]


def _paraphrases(row: Any, _: str | None) -> list[Conversation]:
    system = (("system", row["system"]),) if row.get("system") is not None else ()
    return [_conversation(*system, ("user", text)) for text in row["paraphrases"]]


def _one(column: str) -> Callable[[Any], list[str]]:
    return lambda row: [_text(row[column], column)]


def _only(column: str) -> Callable[..., list[Conversation]]:
    return lambda row, _: [_conversation(("user", row[column]))]


_YAML = frozenset(
    {"id", "type", "system", "samples_per_paraphrase", "judge", "judge_prompts", "repetitions", "behaviour"}
)
_SEVERAL = ("misaligned", "aligned"), ("school_of_reward_hacks", "control")

SCHEMAS: dict[str, Schema] = {
    schema.name: schema
    for schema in (
        Schema(
            "messages",
            frozenset({"messages"}),
            lambda row, _: [_messages(row["messages"])],
            lambda row: _user_turns(row["messages"]),
        ),
        Schema("message_list", frozenset(), lambda row, _: [_messages(row)], _user_turns),
        Schema(
            "aligned_misaligned",
            frozenset({"prompt", *_SEVERAL[0]}),
            _choice("prompt", _SEVERAL[0]),
            _one("prompt"),
            optional=frozenset({"sneakiness"}),
        ),
        Schema(
            "hack_and_control",
            frozenset({"user", *_SEVERAL[1]}),
            _choice("user", _SEVERAL[1]),
            _one("user"),
            optional=frozenset({"task", "cheat_method"}),
        ),
        Schema("prompt_completion", frozenset({"prompt", "completion"}), *_pair("prompt", "completion")),
        Schema("question_answer", frozenset({"question", "answer"}), *_pair("question", "answer"), noun="questions"),
        Schema("user_assistant", frozenset({"user", "assistant"}), *_pair("user", "assistant")),
        Schema("task_template", frozenset({"task", "code_template"}), _task, _one("task"), noun="tasks"),
        Schema(
            "paraphrases",
            frozenset({"paraphrases"}),
            _paraphrases,
            lambda row: [_text(text, "a paraphrase") for text in row["paraphrases"]],
            noun="questions",
            optional=_YAML,
        ),
        Schema(
            "choices",
            frozenset({"prompt", "choices"}),
            _only("prompt"),
            _one("prompt"),
            noun="questions",
            optional=_YAML,
        ),
        Schema("prompt", frozenset({"prompt"}), _only("prompt"), _one("prompt")),
    )
}
"""By name; a row is of the first that it fits."""
