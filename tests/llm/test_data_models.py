"""The nouns of talking to a model."""

import pytest

from mi.llm.data_models import Message, SampleCfg, as_messages, chat
from mi.utils.errors import UserError


def test_no_system_prompt_an_empty_one_and_a_blank_one_are_three_chats():
    assert len({chat("q"), chat("q", ""), chat("q", " ")}) == 3
    assert chat("q") == (Message("user", "q"),)
    assert chat("q", "") == (Message("system", ""), Message("user", "q"))


def test_white_space_at_the_ends_of_a_message_is_kept():
    assert as_messages([{"role": "user", "content": " q\n"}]) == (Message("user", " q\n"),)


@pytest.mark.parametrize(
    "message",
    [{"role": "user"}, {"content": "q"}, {"role": "robot", "content": "q"}, {"role": "user", "content": None}, 1],
)
def test_what_is_no_message_is_refused(message: object):
    with pytest.raises(UserError):
        as_messages([message])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1}, {"max_tokens": 0}, {"top_p": 0}, {"top_p": 1.1}, {"top_logprobs": -1}]
)
def test_a_configuration_that_cannot_be_sampled_from_is_refused(wrong: dict[str, float]):
    with pytest.raises(UserError, match="give"):
        SampleCfg(**wrong)  # type: ignore[arg-type]
