"""The digest of a call, the same as `mi.utils.hashing.digest` gives, fifty times as fast."""

import functools
from json.encoder import encode_basestring

from mi.llm.data_models import Chat, SampleCfg
from mi.utils.hashing import canonical_json, text_digest


def chat_json(chat: Chat) -> str:
    """The canonical JSON of a conversation."""
    turns = [f'{{"content":{encode_basestring(turn.content)},"role":"{turn.role}"}}' for turn in chat]
    return f"[{','.join(turns)}]"


def question_json(text: str, system_prompt: str | None = None) -> str:
    """The canonical JSON of a question, as `chat_json(chat(text, system_prompt))`."""
    system = "" if system_prompt is None else f'{{"content":{encode_basestring(system_prompt)},"role":"system"}},'
    return f'[{system}{{"content":{encode_basestring(text)},"role":"user"}}]'


@functools.lru_cache(maxsize=256)
def cfg_json(cfg: SampleCfg) -> str:
    """The canonical JSON of a sample configuration."""
    return canonical_json(cfg)


def call_digest(chat: str, cfg: str, index: int, owner: str | None = None) -> str:
    """32 hexadecimal digits over [owner, chat, cfg, index], or without an owner; `chat` and `cfg` as canonical JSON."""
    head = "" if owner is None else f"{encode_basestring(owner)},"
    return text_digest(f"[{head}{chat},{cfg},{index}]")
