"""A token is drawn as its probabilities say, and a draw that rounding could turn is known for one."""

from collections import Counter

import pytest
import torch

from mi.external.local_driver.choosing import CLOSE, Choices, choose

PROBABILITIES = (0.5, 0.05, 0.3, 0.15)


def chosen(uniforms, temperature: float = 1.0, top_p: float = 1.0, probabilities=PROBABILITIES):
    """Tokens, and whether they were close, for each of some numbers in [0, 1)."""
    uniforms = torch.as_tensor(uniforms, dtype=torch.float64)[:, None]
    settings = torch.full_like(uniforms, temperature).float(), torch.full_like(uniforms, top_p)
    logits = torch.log(torch.tensor(probabilities)).expand(len(uniforms), -1)
    tokens, close = choose(logits, Choices(*settings, uniforms))
    return tokens.tolist(), close.tolist()


def shares(temperature: float, top_p: float) -> list[float]:
    tokens, _ = chosen(torch.arange(1000) / 1000, temperature, top_p)
    return [Counter(tokens)[token] / len(tokens) for token in range(4)]


def test_draws_follow_the_distribution_and_top_p_cuts_its_tail() -> None:
    assert shares(1.0, 1.0) == pytest.approx([0.5, 0.05, 0.3, 0.15], abs=2e-3)
    assert shares(1.0, 0.75) == pytest.approx([0.625, 0, 0.375, 0], abs=2e-3)
    assert shares(1.0, 0.01) == [1, 0, 0, 0] == shares(0.0, 1.0)


def test_a_number_at_the_border_of_two_tokens_is_close_and_one_between_borders_is_not() -> None:
    tokens, close = chosen([0.25, 0.5 - CLOSE / 2, 0.5 + CLOSE / 2, 0.5 + 3 * CLOSE, 0.84, 0.85, 0.0])
    assert tokens == [0, 0, 1, 1, 2, 3, 0] and close == [False, True, True, False, False, True, False]


def test_a_low_temperature_makes_more_draws_close() -> None:
    half = (0.5, 0.5)
    assert chosen([0.5 + 3 * CLOSE], 1.0, probabilities=half)[1] == [False]
    assert chosen([0.5 + 3 * CLOSE], 0.1, probabilities=half)[1] == [True]


def test_the_greedy_choice_between_two_equal_tokens_is_close() -> None:
    assert chosen([0.3], 0.0, probabilities=(0.4, 0.4, 0.2)) == ([0], [True])
    assert chosen([0.3], 0.0) == ([0], [False])


@pytest.mark.parametrize(
    ("top_p", "probabilities", "close"),
    [
        (0.8, PROBABILITIES, True),  # the two likeliest hold just as much
        (0.7, PROBABILITIES, False),
        (0.7, (0.4, 0.2, 0.2, 0.2), True),  # which of the equal ones is cut off?
        (1.0, (0.4, 0.2, 0.2, 0.2), False),
    ],
)
def test_it_is_close_where_rounding_could_move_the_cut_of_top_p(top_p, probabilities, close) -> None:
    assert chosen([0.1], 1.0, top_p, probabilities)[1] == [close]
