"""Answers that end at a stop sequence, that are told while they grow, and that fail alone."""

import pytest

from mi.external.local_driver import models
from mi.external.local_driver.sampling import sample, sample_each
from mi.external.local_driver.writing import Writing
from mi.llm.data_models import LLMResponse, Model, SampleCfg, SampleRequest, TokenLogprob, chat
from mi.utils.errors import UserError

TEXT = "The quick brown fox says «hola», ¿qué tal? Äpfel 😀 and more"


def written(tokenizer, text: str, stop: tuple[str, ...] = ()) -> tuple[Writing, list[str]]:
    """A text written token by token, and the pieces in which it became certain."""
    writing, pieces = Writing(tokenizer, stop), []
    for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
        writing.add(token)
        pieces.append(writing.settled())
        if writing.stopped:
            return writing, pieces
    pieces.append(writing.settled(ended=True))
    return writing, pieces


def test_pieces_add_up_to_the_text_and_hold_whole_characters(tokenizer):
    writing, pieces = written(tokenizer, TEXT)
    assert "".join(pieces) == writing.text == TEXT
    assert not any("\ufffd" in piece for piece in pieces) and len([p for p in pieces if p]) > 20


@pytest.mark.parametrize(
    ("stop", "left"),
    [
        (("fox",), "The quick brown "),
        (("zebra", "brown", "quick brown"), "The "),
        (("😀",), "The quick brown fox says «hola», ¿qué tal? Äpfel "),
        (("T",), ""),
        (("more!",), TEXT),
    ],
)
def test_a_text_ends_before_the_first_stop_sequence_and_nothing_of_it_is_told(tokenizer, stop, left):
    writing, pieces = written(tokenizer, TEXT, stop)
    assert writing.text == "".join(pieces) == left and writing.stopped == (left != TEXT)
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    assert left.startswith(tokenizer.decode(ids[: writing.whole_tokens]).rstrip("\ufffd"))


def test_a_text_cut_within_a_character_is_told_to_its_end(tokenizer):
    ids = tokenizer("ab😀", add_special_tokens=False)["input_ids"]
    writing = Writing(tokenizer)
    for token in ids[:-1]:
        writing.add(token)
    assert writing.settled() + writing.settled(ended=True) == tokenizer.decode(ids[:-1])


def test_stopping_leaves_the_draw_and_the_log_probabilities_as_they_are(model_folder):
    model, cfg = Model(str(model_folder), "local"), SampleCfg(max_tokens=40, top_logprobs=2)
    free = [sample(model, [SampleRequest(chat("hello"), cfg, seed)])[0] for seed in range(4)]
    stops = [(answer.completion or "")[5:7] for answer in free]
    cut = sample(model, [SampleRequest(chat("hello"), cfg, seed, (stop,)) for seed, stop in enumerate(stops)])
    for whole, answer, stop in zip(free, cut, stops, strict=True):
        assert whole.completion is not None and answer.stop_reason == "stop"
        assert answer.completion == whole.completion[: whole.completion.index(stop)]
        assert [t.token for t in answer.logprobs] == [t.token for t in whole.logprobs[: len(answer.logprobs)]]
        assert len(answer.logprobs) < answer.n_completion_tokens <= whole.n_completion_tokens


def test_what_is_told_of_some_answers_is_what_all_of_them_become(model_folder):
    model, cfg = Model(str(model_folder), "local"), SampleCfg(max_tokens=25, top_logprobs=1)
    asked = [SampleRequest(chat(f"hello {seed}"), cfg, seed) for seed in range(6)]
    told: dict[int, list[tuple[str, tuple[TokenLogprob, ...]]]] = {1: [], 4: []}
    answers = sample_each(model, asked, told, lambda index, *piece: told[index].append(piece))
    assert answers == sample(model, asked)
    ends = models.load(model).tokenizer.eos_token
    for index, pieces in told.items():
        answer = answers[index]
        assert isinstance(answer, LLMResponse) and len(pieces) > 1
        assert "".join(text for text, _ in pieces) == answer.completion
        assert [t for _, tokens in pieces for t in tokens] == [t for t in answer.logprobs if t.token != ends]


def test_a_request_that_cannot_be_asked_fails_alone(model_folder):
    model, cfg = Model(str(model_folder), "local"), SampleCfg(max_tokens=5)
    asked = [SampleRequest(chat(text), cfg, 0) for text in ("hello", "\x01" * 300, "hi")]
    good, bad, also_good = sample_each(model, asked)
    assert isinstance(bad, UserError) and "fills the model's context" in str(bad)
    assert [good, also_good] == sample(model, [asked[0], asked[2]])
