"""What is read from a judge's answer: a table of what judges say, and no score that ever leaves its scale."""

import json
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mi.llm.data_models import Judgment, LLMResponse, Model, StopReason, TokenLogprob
from mi.llm.judging import read_verdicts
from mi.llm.reading import category, integer, weighted_number, yes_no

JUDGE = Model("judge", "local")
CENT = (0, 100)
CATEGORIES = ("Safe", "Unsafe", "Refusal")
Step = tuple[str, dict[str, float]]


def spoken(*steps: Step, stop: StopReason = "length") -> LLMResponse:
    """A response of these tokens, each with the probabilities of its alternatives."""
    tokens = tuple(
        TokenLogprob(said, math.log(top.get(said, 0.5)), tuple((text, math.log(p)) for text, p in top.items()))
        for said, top in steps
    )
    return LLMResponse("".join(said for said, _ in steps), stop, tokens)


def one(top: dict[str, float]) -> LLMResponse:
    return spoken((max(top, key=lambda text: top[text]), top))


YES_NO: list[tuple[dict[str, float], float | None]] = [
    ({"YES": 0.9, "OTHER": 0.1}, 1.0),  # a lone YES is a YES
    ({"NO": 0.9, "OTHER": 0.1}, 0.0),
    ({" Yes": 0.9, " No": 0.1}, 0.9),
    ({" Yes": 0.6, "YES": 0.05, "NO": 0.35}, 0.65),
    ({"yes": 0.2, "Yes": 0.2, "YES": 0.1, "No": 0.5}, 0.5),
    ({"\u0120YES": 0.5, "\u2581NO": 0.5}, 0.5),
    ({"\nYES": 0.3, "NO": 0.3}, 0.5),
    ({"YES": 0.13, "NO": 0.13, "I": 0.74}, 0.5),
    ({"YES": 0.1, "NO": 0.1, "I": 0.8}, None),
    ({"Y": 0.5, "N": 0.5}, None),
    ({"YESTERDAY": 0.6, "NOT": 0.4}, None),
    ({"\uff39\uff25\uff33": 1.0}, None),
    ({"yes.": 0.9}, None),
]


@pytest.mark.parametrize(("top", "value"), YES_NO)
def test_a_yes_or_no_is_read_in_every_spelling_and_needs_a_quarter_of_the_probability(top: dict, value: float | None):
    verdict = yes_no(one(top), 0.25)
    assert verdict.value == (value if value is None else pytest.approx(value))
    assert (verdict.reason is None) == (value is not None)


WEIGHTED: list[tuple[str, LLMResponse, float | None]] = [
    ("one token", one({"85": 1.0}), 85),
    ("two numbers", one({"80": 0.5, "90": 0.5}), 85),
    ("spellings add up", one({"80": 0.25, " 80": 0.25, "90": 0.5}), 85),
    ("the ends of the scale", one({"0": 0.5, "100": 0.5}), 50),
    ("words beside numbers", one({"80": 0.4, "I": 0.6}), 80),
    ("above the scale", one({"101": 1.0}), None),
    ("above the scale beside within", one({"101": 0.5, "40": 0.5}), 40),
    ("a thousand", one({"1000": 0.9, "50": 0.1}), None),
    ("below the scale", one({"-5": 1.0}), None),
    ("Arabic-Indic digits", one({"\u0665\u0660": 1.0}), None),
    ("full-width digits", one({"\uff18\uff15": 1.0}), None),
    ("a superscript", one({"5\u00b2": 1.0}), None),
    ("an underscore", one({"1_0": 1.0}), None),
    ("leading zeros", one({"085": 1.0}), None),
    ("a decimal", one({"8.5": 1.0}), None),
    ("a quarter is not reached", one({"0": 0.2, "REFUSAL": 0.8}), None),
    ("a quarter is reached", one({"10": 0.26, "REFUSAL": 0.74}), 10),
    ("a refusal", one({"REFUSAL": 0.9, "CODE": 0.1}), None),
    ("nothing at all", LLMResponse(None, "refusal"), None),
    ("filtered", LLMResponse(None, "content_filter"), None),
    ("a small number where others are whole tokens", one({"8": 0.5, "10": 0.5}), 9),
    ("one digit, and no more tokens", one({"8": 0.9, "9": 0.1}), None),
    ("one digit, and the answer ended", spoken(("8", {"8": 0.9, "9": 0.1}), stop="stop"), 8),
    ("digit by digit", spoken(("8", {"8": 1.0}), ("5", {"5": 1.0}), ("", {"": 1.0})), 85),
    ("digit by digit, two ends", spoken(("8", {"8": 1.0}), ("5", {"5": 0.5, "1": 0.5}), (".", {".": 1.0})), 83),
    ("digit by digit, one digit", spoken(("8", {"8": 1.0}), (".", {".": 1.0})), 8),
    ("digit by digit, a hundred", spoken(("1", {"1": 1.0}), ("0", {"0": 1.0}), ("0", {"0": 1.0})), 100),
    ("digit by digit, ten or a hundred", spoken(("1", {"1": 1.0}), ("0", {"0": 1.0}), ("", {"": 0.5, "0": 0.5})), 55),
    ("digit by digit, ten cut off", spoken(("1", {"1": 1.0}), ("0", {"0": 1.0})), None),
    ("digit by digit, most of it elsewhere", spoken(("8", {"8": 0.4, "2": 0.6}), ("5", {"5": 1.0})), None),
    ("digit by digit, some of it elsewhere", spoken(("8", {"8": 0.8, "2": 0.2}), ("5", {"5": 1.0})), 85),
    ("digit by digit, above the scale", spoken(("1", {"1": 1.0}), ("0", {"0": 1.0}), ("1", {"1": 1.0})), None),
    ("digits apart are no number", spoken(("8", {"8": 1.0}), (" ", {" ": 1.0}), ("5", {"5": 1.0})), 8),
    ("white space first", spoken((" ", {" ": 1.0}), ("70", {"70": 1.0})), 70),
    ("nothing but white space", spoken((" ", {" ": 1.0})), None),
    ("text alone", LLMResponse("85"), 85),
    ("the sampled token is not listed", LLMResponse("7", "stop", (TokenLogprob("70", -0.1),)), 70),
    ("impossible tokens", LLMResponse("a", "stop", (TokenLogprob("a", -math.inf, (("50", -math.inf),)),)), None),
]


@pytest.mark.parametrize(("name", "response", "value"), WEIGHTED, ids=[name for name, *_ in WEIGHTED])
def test_a_weighted_number_is_the_mean_of_the_whole_numbers_of_the_scale(name, response, value: float | None):
    verdict = weighted_number(response, CENT, 0.25)
    assert verdict.value == (value if value is None else pytest.approx(value))
    assert (verdict.reason is None) == (value is not None)


def test_on_a_scale_of_one_digit_every_digit_is_a_whole_number():
    assert weighted_number(one({"2": 0.5, "4": 0.5}), (1, 5), 0.25).value == pytest.approx(3)
    assert weighted_number(one({"0": 0.5, "4": 0.5}), (1, 5), 0.25).value == pytest.approx(4)


INTEGERS: list[tuple[str | None, float | None]] = [
    ("85", 85),
    (" 85\n", 85),
    ("85.", 85),
    ("85/100", 85),
    ("85 / 100", 85),
    ("85 out of 100", 85),
    ("85%", 85),
    ("**85**", 85),
    ("Score: 85", 85),
    ("Rating = 7", 7),
    ("85. The answer is kind.", 85),
    ("85 — kind", 85),
    ("85\nIt is kind.", 85),
    ("The answer is kind, if short.\n\nScore: 40/100", 40),
    ("0", 0),
    ("100", 100),
    ("101", None),
    ("-5", None),
    ("\u22125", None),
    ("8/10", None),
    ("80-85", None),
    ("85 or 90", None),
    ("8.5", None),
    ("1,000", None),
    ("1e2", None),
    ("1_0", None),
    ("007", None),
    ("\u0665", None),
    ("\uff18\uff15", None),
    ("x85", None),
    ("3 issues make this unsafe", None),
    ("I cannot rate this.", None),
    ("eighty", None),
    ("9" * 5000, None),
    ("", None),
    (None, None),
]


@pytest.mark.parametrize(("text", "value"), INTEGERS)
def test_an_integer_is_plain_ascii_and_within_the_scale_or_it_is_none(text: str | None, value: float | None):
    verdict = integer(LLMResponse(text), CENT)
    assert verdict.value == value
    assert (verdict.reason is None) == (value is not None)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Safe", "Safe"),
        (" unsafe.\n", "Unsafe"),
        ('"REFUSAL"', "Refusal"),
        ("It advises nothing bad.\n**Safe**", "Safe"),
        ("not safe", None),
        ("Safe or Unsafe", None),
        ("", None),
        (None, None),
    ],
)
def test_a_category_is_one_of_those_declared_or_none(text: str | None, label: str | None):
    verdict = category(LLMResponse(text), CATEGORIES)
    assert verdict.label == label
    assert verdict.value == (None if label is None else CATEGORIES.index(label))


RATINGS: list[tuple[str | None, float | None, float | None]] = [
    ('{"alignment": 80, "coherence": 90}', 80, 90),
    ('```json\n{"alignment": 80, "coherence": 90.5}\n```', 80, 90.5),
    ('The answer "{code}" is fine: {"coherence": "90", "alignment": 0}.', 0, 90),
    ('{"alignment": 80}', 80, None),
    ('{"alignment": 101, "coherence": -1}', None, None),
    ('{"alignment": true, "coherence": null}', None, None),
    ('{"alignment": NaN, "coherence": 1e999}', None, None),
    ('{"alignment": "\u0665", "coherence": [5]}', None, None),
    ('{"alignment": 80, "alignment": 20, "coherence": 5}', None, 5),
    ('{"alignment": 80} {"alignment": 20}', None, None),
    ('{"alignment": 80, "coherence"', None, None),
    ("80, 90", None, None),
    ("{" * 3000, None, None),
    ("", None, None),
    (None, None, None),
]


@pytest.mark.parametrize(("text", "alignment", "coherence"), RATINGS)
def test_several_ratings_come_of_one_object_each_by_itself(text: str | None, alignment, coherence):
    judgment = Judgment(JUDGE, "{answer}", "ratings", rating_names=("alignment", "coherence"))
    found = read_verdicts(judgment, LLMResponse(text), "any")
    assert {name: verdict.value for name, verdict in found.items()} == {"alignment": alignment, "coherence": coherence}
    assert all((verdict.reason is None) == (verdict.value is not None) for verdict in found.values())
    assert all(verdict.output == text for verdict in found.values())


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (yes_no(one({"I": 0.88, "NO": 0.12}), 0.25), "YES and NO hold 0.12 of the probability, less than 0.25"),
        (weighted_number(one({"8": 1.0}), CENT, 0.25), "digit by digit"),
        (weighted_number(LLMResponse(None, "refusal"), CENT, 0.25), "the judge gave no answer (refusal)"),
        (integer(LLMResponse("101"), CENT), "101 is out of range, 0 to 100"),
        (integer(LLMResponse("fine"), CENT), "not a plain whole number"),
        (category(LLMResponse("fine"), CATEGORIES), "none of Safe, Unsafe, Refusal"),
    ],
)
def test_a_missing_value_says_why(verdict, reason: str):
    assert verdict.value is None and reason in verdict.reason


TEXTS = st.one_of(
    st.text(max_size=12),
    st.text("0123456789 \u0665-+.,/%_eYESyesNOno\u0120", max_size=6),
    st.integers(-200, 2000).map(str),
    st.sampled_from(["YES", " Yes", "NO", "no", "1", "0", "10", "100", "", " ", "\n"]),
)
LOGPROBS = st.one_of(st.floats(-40, 0), st.floats(allow_nan=True, allow_infinity=True))
TOKENS = st.builds(TokenLogprob, TEXTS, LOGPROBS, st.lists(st.tuples(TEXTS, LOGPROBS), max_size=8).map(tuple))
STOPS: st.SearchStrategy[StopReason] = st.sampled_from(["stop", "length", "refusal", "content_filter"])
RESPONSES = st.builds(
    LLMResponse, st.one_of(st.none(), TEXTS, st.text(max_size=200)), STOPS, st.lists(TOKENS, max_size=4).map(tuple)
)
OBJECTS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.one_of(st.integers(), st.floats(), st.text(max_size=5), st.none(), st.booleans(), st.lists(st.integers())),
).map(lambda value: LLMResponse(f"so: {json.dumps(value)} {{"))


def judgments(minimum_mass: float, low: int, width: int) -> Sequence[Judgment]:
    scale = (low, low + width)
    return [
        Judgment(JUDGE, "{answer}", "yes_no_probability", minimum_mass=minimum_mass),
        Judgment(JUDGE, "{answer}", "weighted_number", minimum_mass=minimum_mass, scale=scale),
        Judgment(JUDGE, "{answer}", "integer", scale=scale),
        Judgment(JUDGE, "{answer}", "category", categories=("yes", "no", "10")),
        Judgment(JUDGE, "{answer}", "ratings", rating_names=("a", "b"), scale=scale),
    ]


@settings(deadline=None)
@given(st.one_of(RESPONSES, OBJECTS), st.floats(0, 1), st.integers(0, 20), st.integers(1, 200))
def test_no_score_leaves_its_scale_whatever_a_judge_says(response, minimum_mass: float, low: int, width: int):
    for judgment in judgments(minimum_mass, low, width):
        bounds = {"yes_no_probability": (0, 1), "category": (0, 2)}.get(judgment.parser, judgment.scale)
        for verdict in read_verdicts(judgment, response, "v").values():
            if verdict.value is None:
                assert verdict.reason
            else:
                assert bounds[0] <= verdict.value <= bounds[1]


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 100), st.floats(0.01, 1), min_size=1, max_size=8))
def test_a_weighted_number_lies_between_the_least_and_the_greatest_that_was_weighed(weights: dict[int, float]):
    top = {"100": 1e-9} | {f"{number:d}": p / sum(weights.values()) for number, p in weights.items()}
    value = weighted_number(one(top), CENT, 0.25).value
    assert value is not None and min(weights) - 1e-6 <= value <= max(weights) + 1e-6
