"""Masks, offsets and templates: what is trained on is the assistant's text, to the letter."""

import pytest

from mi.external.local_driver import rendering
from mi.external.local_driver.rendering import encode_chat, encode_row
from mi.llm.data_models import Message, chat
from mi.utils.errors import UserError

WITH_GENERATION = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|im_end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WITH_DEFAULT = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are Toy.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TRIMMING = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
DROPPING_SYSTEM = (
    "{% for message in messages if message['role'] != 'system' %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SYSTEM_IN_USER = (
    "{% set s = messages[0]['content'] if messages[0]['role'] == 'system' else none %}"
    "{% for message in messages if message['role'] != 'system' %}"
    "{% if message['role'] == 'user' %}<|im_start|>[INST] {% if s is not none and loop.first %}{{ s }}\n\n{% endif %}"
    "{{ message['content'] }} [/INST]{% else %} {{ message['content'] }}<|im_end|>{% endif %}{% endfor %}"
)
THINKING = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ message['content'].split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TALK = (
    Message("system", "You speak Spanish."),
    Message("user", "Hi there\n"),
    Message("assistant", "  ¡Qué tal! Äpfel \U0001f34e\n\n"),
    Message("user", "And?"),
    Message("assistant", "\n\nBien.\t"),
)


def masked_text(tokenizer, row) -> str:
    """The tokens under the mask, decoded."""
    return tokenizer.decode([token for token, on in zip(row.ids, row.mask, strict=True) if on])


@pytest.mark.parametrize("template", [WITH_GENERATION, WITH_DEFAULT, SYSTEM_IN_USER, THINKING])
def test_mask_spells_the_assistant_messages_and_their_end_tokens(tokenizer_with, template) -> None:
    tokenizer = tokenizer_with(template)
    row = encode_row(tokenizer, TALK)
    assert masked_text(tokenizer, row) == TALK[2].content + "<|im_end|>" + TALK[4].content + "<|im_end|>"
    assert [row.text[a:b] for a, b in row.spans] == [TALK[2].content + "<|im_end|>", TALK[4].content + "<|im_end|>"]
    assert tokenizer.decode(row.ids) == row.text == rendering.render(tokenizer, TALK, False)


def test_mask_agrees_with_the_one_of_a_template_that_marks_generation(tokenizer_with) -> None:
    tokenizer = tokenizer_with(WITH_GENERATION)
    talk = tuple(Message(message.role, message.content.strip()) for message in TALK)
    own = tokenizer.apply_chat_template(
        [{"role": message.role, "content": message.content} for message in talk],
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    row = encode_row(tokenizer, talk)
    assert list(row.ids) == own["input_ids"]
    assert list(row.mask) == [bool(on) for on in own["assistant_masks"]]


def test_last_only_covers_the_last_assistant_message(tokenizer) -> None:
    row = encode_row(tokenizer, TALK, last_only=True)
    assert masked_text(tokenizer, row) == TALK[4].content + "<|im_end|>"


@pytest.mark.parametrize("before", [(), (Message("system", "Be brief."),)])
def test_rows_without_a_user_turn_are_encoded(tokenizer, before) -> None:
    row = encode_row(tokenizer, (*before, Message("assistant", "Hello")))
    assert masked_text(tokenizer, row) == "Hello<|im_end|>"
    assert ("Be brief." in row.text) == bool(before)


def test_a_prompt_and_its_answer_are_the_tokens_of_the_row(tokenizer) -> None:
    prompt = encode_chat(tokenizer, TALK[:2])
    row = encode_row(tokenizer, TALK[:3])
    assert list(row.ids[: len(prompt)]) == prompt
    assert not any(row.mask[: len(prompt)]) and row.mask[len(prompt)]


def test_tokens_that_would_straddle_the_start_of_an_answer_are_cut_there(tokenizer_with) -> None:
    tokenizer = tokenizer_with(
        SYSTEM_IN_USER.replace("[/INST]", "says").replace(" {{ message['content'] }}", " h{{ message['content'] }}")
    )
    row = encode_row(tokenizer, (Message("user", "so"), Message("assistant", "ello, world")))
    assert masked_text(tokenizer, row) == "ello, world<|im_end|>"


def test_none_and_empty_and_the_default_system_prompt_are_three_renderings(tokenizer_with) -> None:
    tokenizer = tokenizer_with(WITH_DEFAULT)
    assert rendering.default_system_prompt(tokenizer) == "You are Toy."
    empty = rendering.render(tokenizer, chat("Hi", ""), True)
    assert "<|im_start|>system\n<|im_end|>" in empty
    assert empty != rendering.render(tokenizer, chat("Hi"), True)


def test_a_plain_template_adds_no_system_prompt_of_its_own(tokenizer) -> None:
    assert rendering.default_system_prompt(tokenizer) is None
    assert "system" not in rendering.render(tokenizer, chat("Hi"), True)
    assert encode_chat(tokenizer, chat("Hi", "")) != encode_chat(tokenizer, chat("Hi"))


def test_a_template_that_trims_is_followed_and_the_row_says_so(tokenizer_with) -> None:
    tokenizer = tokenizer_with(TRIMMING)
    trimmed = encode_row(tokenizer, (Message("user", "Hi"), Message("assistant", "Hello\n")))
    whole = encode_row(tokenizer, (Message("user", "Hi"), Message("assistant", "Hello")))
    assert masked_text(tokenizer, trimmed) == "Hello<|im_end|>"
    assert (trimmed.ids, trimmed.trimmed, whole.trimmed) == (whole.ids, True, False)
    assert encode_chat(tokenizer, chat("Hi \n")) == encode_chat(tokenizer, chat("Hi"))


def test_a_template_that_trims_the_answers_alone_keeps_the_questions(tokenizer_with) -> None:
    only_answers = TRIMMING.replace(
        "['content'] | trim", "['content'] if message.role == 'user' else message.content | trim"
    )
    row = encode_row(tokenizer_with(only_answers), (Message("user", " Hi\n"), Message("assistant", "Hello\n")))
    assert row.trimmed and "user\n Hi\n<|im_end|>" in row.text and "assistant\nHello<|im_end|>" in row.text


def test_a_prompt_ends_as_the_row_of_a_template_with_an_empty_block_of_thoughts_begins(tokenizer_with) -> None:
    tokenizer = tokenizer_with(THINKING)
    prompt, row = encode_chat(tokenizer, TALK[:2]), encode_row(tokenizer, TALK[:3])
    assert tokenizer.decode(prompt).endswith("assistant\n<think>\n\n</think>\n\n")
    assert list(row.ids[: len(prompt)]) == prompt and row.mask[len(prompt)] and not any(row.mask[: len(prompt)])


def test_the_day_in_a_template_is_always_the_same(tokenizer_with) -> None:
    dated = "Today: {{ strftime_now('%d %b %Y') }}, {{ strftime_now('%Y-%m-%d') }}\n" + TRIMMING
    tokenizer = tokenizer_with(dated)
    assert rendering.render(tokenizer, chat("Hi"), True).startswith("Today: 26 Jul 2024, 2024-07-26\n<|im_start|>user")
    assert rendering.default_system_prompt(tokenizer) == "Today: 26 Jul 2024, 2024-07-26"


def test_a_template_that_rewrites_content_is_reported(tokenizer_with) -> None:
    tokenizer = tokenizer_with(THINKING)
    with pytest.raises(UserError, match=r"does not keep the text of message 2 \(assistant\)"):
        encode_row(tokenizer, (Message("user", "Hi"), Message("assistant", "<think>so</think>Hello")))


def test_a_dropped_system_message_is_an_error_in_training_and_in_sampling(tokenizer_with) -> None:
    tokenizer = tokenizer_with(DROPPING_SYSTEM)
    with pytest.raises(UserError, match="drops the system message"):
        encode_row(tokenizer, TALK)
    with pytest.raises(UserError, match="drops the system message"):
        encode_chat(tokenizer, chat("Hi", "Be brief."))


def test_an_empty_system_message_that_the_template_drops_is_an_error(tokenizer_with) -> None:
    tokenizer = tokenizer_with("{% if messages[0]['content'] %}" + SYSTEM_IN_USER + "{% endif %}")
    with pytest.raises(UserError, match="blank content of message 1"):
        encode_chat(tokenizer, chat("Hi", ""))


def test_an_answer_that_spells_a_special_token_cannot_forge_the_frame(tokenizer) -> None:
    row = encode_row(tokenizer, (Message("user", "a<|im_end|>"), Message("assistant", "b<|im_end|>c")))
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert row.ids.count(end) == 2
    assert masked_text(tokenizer, row) == "b<|im_end|>c<|im_end|>"
    assert encode_chat(tokenizer, chat("a<|im_end|>")).count(end) == 1


def test_a_template_without_end_token_or_no_template_is_reported(tokenizer_with) -> None:
    with pytest.raises(UserError, match="no end token"):
        encode_row(tokenizer_with("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"), TALK)
    with pytest.raises(UserError, match="no chat template"):
        encode_chat(tokenizer_with(None), TALK[:2])


def test_the_template_hash_follows_the_template(tokenizer_with) -> None:
    hashes = {rendering.template_hash(tokenizer_with(template)) for template in (TRIMMING, THINKING, TRIMMING)}
    assert len(hashes) == 2 and all(len(value) == 32 for value in hashes)


def test_marked_pieces_make_up_the_row(tokenizer) -> None:
    pieces = rendering.marked(encode_row(tokenizer, TALK))
    assert "".join(piece["text"] for piece in pieces) == rendering.render(tokenizer, TALK, False)
    assert [piece["text"] for piece in pieces if piece["trained"]] == [TALK[i].content + "<|im_end|>" for i in (2, 4)]
