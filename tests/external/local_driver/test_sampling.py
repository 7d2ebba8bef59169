"""Sampling in batches gives what sampling one by one gives, token for token and nat for nat."""

import pytest

from mi.external.local_driver import models
from mi.external.local_driver.drawing import Row
from mi.external.local_driver.rendering import encode_chat, end_token_ids
from mi.external.local_driver.sampling import sample, score
from mi.llm.data_models import Model, SampleCfg, SampleRequest, chat
from mi.utils.errors import UserError

QUESTIONS = ["Hi", "What is 12 * 3?", "Tell me about the quick brown fox " * 3, "¿Qué tal?", "hello " * 9, "x"]


@pytest.fixture(scope="session")
def model(model_folder) -> Model:
    """The random-weight model."""
    return Model(str(model_folder), "local")


def requests(cfg: SampleCfg, seed: int = 3) -> list[SampleRequest]:
    """One request a question."""
    return [
        SampleRequest(chat(question, "Be brief." if i % 2 else None), cfg, seed) for i, question in enumerate(QUESTIONS)
    ]


def plain_greedy(model: Model, request: SampleRequest) -> tuple[list[int], list[float]]:
    """The same answer by the plainest means: one row, no padding, no cache, the whole text again for each token."""
    import torch

    loaded = models.load(model)
    ids, drawn, logprobs = encode_chat(loaded.tokenizer, request.chat), [], []
    with torch.inference_mode():
        while len(drawn) < request.cfg.max_tokens and not (drawn and drawn[-1] in end_token_ids(loaded.tokenizer)):
            step = loaded.model(input_ids=torch.tensor([ids + drawn])).logits[0, -1].log_softmax(-1)
            drawn.append(int(step.argmax()))
            logprobs.append(float(step.max()))
    return drawn, logprobs


def test_batched_greedy_sampling_equals_plain_sampling(model) -> None:
    asked = requests(SampleCfg(temperature=0, max_tokens=20, top_logprobs=3))
    tokenizer = models.load(model).tokenizer
    for request, answer in zip(asked, sample(model, asked), strict=True):
        drawn, logprobs = plain_greedy(model, request)
        ends = drawn[-1] in end_token_ids(tokenizer)
        assert answer.completion == tokenizer.decode(drawn[:-1] if ends else drawn, skip_special_tokens=True)
        assert [token.logprob for token in answer.logprobs] == pytest.approx(logprobs, abs=1e-4)
        assert answer.stop_reason == ("stop" if ends else "length") and answer.n_completion_tokens == len(drawn)
        assert answer.n_prompt_tokens == len(encode_chat(tokenizer, request.chat))


def test_a_prompt_is_read_once_for_all_of_its_samples(model) -> None:
    cfg = SampleCfg(max_tokens=5, top_logprobs=1)
    asked = [SampleRequest(chat(question), cfg, seed) for seed in range(4) for question in QUESTIONS[:3]]
    read: list[int] = []
    handle = models.load(model).model.register_forward_pre_hook(
        # Without a cache, a row is read whose draw was close: there is one or not, as the processor rounds.
        lambda module, inputs, named: read.append(len(named["input_ids"])) if named["use_cache"] else None,
        with_kwargs=True,
    )
    try:
        together = sample(model, asked)
    finally:
        handle.remove()
    assert read[0] == 3 and read[1] == len(asked)
    for request, answer in zip(asked, together, strict=True):
        [alone] = sample(model, [request])
        assert alone.completion == answer.completion
        assert [t.logprob for t in alone.logprobs] == pytest.approx([t.logprob for t in answer.logprobs], abs=1e-4)


@pytest.mark.parametrize("top_p", [1.0, 0.7])
def test_a_row_draws_the_same_with_and_without_batch_mates(model, top_p) -> None:
    asked = requests(SampleCfg(temperature=0.8, max_tokens=20, top_p=top_p, top_logprobs=2))
    together = sample(model, asked)
    for request, answer in zip(asked, together, strict=True):
        [alone] = sample(model, [request])
        assert alone.completion == answer.completion
        for one, other in zip(alone.logprobs, answer.logprobs, strict=True):
            assert one.token == other.token and one.logprob == pytest.approx(other.logprob, abs=1e-4)
            assert [v for _, v in one.top] == pytest.approx([v for _, v in other.top], abs=1e-4)
    assert together == sample(model, asked)


def test_mixed_configurations_in_one_batch_stay_apart(model) -> None:
    cfgs = [SampleCfg(temperature=0, max_tokens=5), SampleCfg(max_tokens=20), SampleCfg(temperature=0.5, max_tokens=2)]
    asked = [SampleRequest(chat("hello"), cfg, 5) for cfg in cfgs]
    assert sample(model, asked) == [sample(model, [request])[0] for request in asked]


def test_seeds_questions_and_models_do_not_share_a_draw(model) -> None:
    cfg = SampleCfg(temperature=1, max_tokens=12)
    answers = [sample(model, [SampleRequest(chat("hello"), cfg, seed)])[0].completion for seed in range(4)]
    assert len(set(answers)) == 4
    loaded = models.load(model)
    rows = [Row(SampleRequest(chat(question), cfg, 0), [1], loaded) for question in ("a", "b")]
    assert rows[0].uniforms() != rows[1].uniforms() and rows[0].uniforms() == rows[0].uniforms()


def test_the_log_probability_of_an_answer_is_what_score_gives(model) -> None:
    asked = requests(SampleCfg(temperature=0, max_tokens=30, top_logprobs=1))
    loaded = models.load(model)
    pairs = [
        (request.chat, text)
        for request, text in zip(asked, ["yes", " no\n", "Hi, you", "a", "bb", "hello"], strict=True)
    ]
    import torch

    for (talk, text), value in zip(pairs, score(model, pairs), strict=True):
        prompt = encode_chat(loaded.tokenizer, talk)
        answer = loaded.tokenizer(text + "<|im_end|>", add_special_tokens=False)["input_ids"]
        logits = loaded.model(input_ids=torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
        plain = sum(float(logits[len(prompt) + i - 1, token].detach()) for i, token in enumerate(answer))
        assert value == pytest.approx(plain, abs=1e-3)


def test_no_special_token_remains_and_log_probabilities_come_only_when_asked(model) -> None:
    asked = requests(SampleCfg(temperature=2.0, max_tokens=60)) + requests(SampleCfg(temperature=2.0, max_tokens=60), 4)
    answers = sample(model, asked)
    assert not any("<|" in (answer.completion or "") for answer in answers)
    assert {answer.stop_reason for answer in answers} <= {"stop", "length"}
    assert not any(answer.logprobs for answer in answers)


def test_an_answer_stops_where_the_context_does_and_a_prompt_that_fills_it_is_an_error(model) -> None:
    asked = SampleRequest(chat("\x01" * 230), SampleCfg(temperature=0, max_tokens=400), 0)
    [answer] = sample(model, [asked])
    assert answer.n_prompt_tokens + answer.n_completion_tokens <= 256
    with pytest.raises(UserError, match="fills the model's context of 256"):
        sample(model, [SampleRequest(chat("\x01" * 300), SampleCfg(), 0)])
