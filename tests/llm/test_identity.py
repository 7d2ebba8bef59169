"""The fast digest is the digest."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mi.llm.data_models import Message, SampleCfg, chat
from mi.llm.identity import call_digest, cfg_json, chat_json, question_json
from mi.utils.hashing import digest

TEXTS = st.text(st.characters())  # halves of surrogate pairs, too
CHATS = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXTS), max_size=3).map(tuple)
CFGS = st.builds(SampleCfg, temperature=st.floats(0, 2), seed=st.integers(), top_p=st.floats(0.1, 1))


@settings(deadline=None)
@given(CHATS, CFGS, st.integers(0, 9), TEXTS)
def test_the_fast_digest_of_a_call_is_the_digest_of_its_canonical_json(
    messages, cfg: SampleCfg, index: int, owner: str
):
    fast = call_digest(chat_json(messages), cfg_json(cfg), index, owner)
    assert fast == digest([owner, messages, cfg, index])
    assert call_digest(chat_json(messages), cfg_json(cfg), index) == digest([messages, cfg, index])


@settings(deadline=None)
@given(TEXTS, st.none() | TEXTS)
def test_a_question_is_the_chat_that_holds_it(text: str, system_prompt: str | None):
    assert question_json(text, system_prompt) == chat_json(chat(text, system_prompt))
