"""A prediction is a value, and the result says of each claim whether it held, by the interval and nothing else."""

import pandas as pd
import pytest

from mi.experiments.config import EXPERIMENTS
from mi.experiments.data_models import Claim
from mi.experiments.summary import against, bound_of, tally, value_of
from mi.experiments.summary.claims import BY_SEED_COLUMNS

RATES = {
    ("plain", "none"): [0.80, 0.84, 0.79, 0.82],
    ("plain", "good"): [0.0, 0.01, 0.0, 0.01],
    ("plain", "same"): [0.81, 0.83, 0.80, 0.82],
    ("plain", "wild"): [0.0, 0.9, 0.1, 0.8],
    ("plain", "once"): [0.7],
    ("plain", "base"): [0.0],
    ("plain", "mute"): [float("nan")] * 4,
    ("behind", "good"): [0.9, 0.95, 0.92, 0.93],
}


def table(rates=RATES, setting="code"):
    rows = [
        [condition, setting, arm, "ood", "bad", seed, mean, 0 if mean != mean else 300]
        for (condition, arm), means in rates.items()
        for seed, mean in enumerate(means)
    ]
    return pd.DataFrame(rows, columns=BY_SEED_COLUMNS)


def verdict(claim: Claim, rates=RATES) -> str:
    (found,) = against(table(rates), [claim], "plain")["verdict"]
    return found


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (Claim("gone", "good", at_most=0.05), "held"),
        (Claim("gone", "none", at_most=0.05), "not held"),
        (Claim("spreads", "none", at_least=0.3), "held"),
        (Claim("spreads", "wild", at_least=0.3), "undecided"),
        (Claim("alike", "same", at_least=-0.1, at_most=0.1, than="none"), "held"),
        (Claim("lower", "good", at_most=0, than="none"), "held"),
        (Claim("lower", "same", at_most=0, than="none"), "undecided"),
        (Claim("does not suppress", "good", at_least=-0.1, than="none"), "not held"),
        (Claim("comes back", "good", at_least=0.3, condition="behind"), "held"),
        (Claim("more behind it", "good", at_least=0, condition="behind", than_condition="plain"), "held"),
        (Claim("above the base model", "none", at_least=0.1, than="base"), "held"),
        (Claim("the base model has nothing", "base", at_most=0.05), "held"),
    ],
    ids=lambda value: value.says if isinstance(value, Claim) else value,
)
def test_a_claim_is_held_where_its_interval_lies_within_its_bounds(claim, expected):
    assert verdict(claim) == expected


def test_a_difference_is_told_with_its_sign_and_one_that_rounds_to_nothing_has_no_minus():
    rates = {("plain", "none"): [0.5, 0.5, 0.5], ("plain", "less"): [0.499, 0.499, 0.499]}
    alike, rate = Claim("alike", "less", at_least=-0.1, at_most=0.1, than="none"), Claim("half", "less", at_least=0.4)
    claims = against(table(rates), [alike, rate], "plain")
    assert value_of(claims, 0, alike).startswith("+0.00 [")
    assert value_of(claims, 1, rate).startswith("0.50 [")


def test_one_training_seed_decides_nothing_however_far_it_lies_from_the_bound():
    assert verdict(Claim("spreads", "once", at_least=0.1)) == "one seed: undecided"
    assert verdict(Claim("higher", "once", at_least=0.0, than="good")) == "one seed: undecided"


def test_what_was_not_measured_keeps_its_row_and_says_so():
    assert verdict(Claim("silent", "mute", at_most=0.05)) == "no answer"
    assert verdict(Claim("refused by the server", "absent", at_most=0.05)) == "no answer"
    assert verdict(Claim("beside nobody", "good", at_most=0.0, than="absent")) == "no answer"


def test_a_claim_about_several_settings_is_counted_over_them_and_may_name_some():
    both = pd.concat([table(), table({("plain", "good"): [0.8, 0.9, 0.85, 0.8]}, "law")])
    claims = [Claim("gone", "good", at_most=0.05), Claim("gone", "good", at_most=0.05, settings=("law",))]
    found = against(both, claims, "plain")
    assert tally(found, 0) == "held in 1 of 2, not held in 1 of 2"
    assert tally(found, 1) == "not held"
    assert tally(found, 1, {"not held": "disagrees"}) == "disagrees"


def test_bounds_are_told_in_words():
    told = [
        bound_of(Claim("", "a", at_least=0.3)),
        bound_of(Claim("", "a", at_most=0.05, distribution="id")),
        bound_of(Claim("", "a", at_least=0.0, than="b")),
        bound_of(Claim("", "a", at_least=-0.1, than="b")),
        bound_of(Claim("", "a", at_least=-0.1, at_most=0.1, than="b")),
    ]
    assert told == ["at least 0.30", "in distribution, at most 0.05", "higher", "lower by at most 0.10", "within 0.10"]


@pytest.mark.parametrize("known", EXPERIMENTS, ids=lambda known: known.name)
def test_every_experiment_predicts_of_what_it_has(known):
    arms = {arm.name for arm in known.arms}
    conditions = {condition.name for condition in known.conditions} | {""}
    settings = {setting.get_domain_name() for setting in known.settings}
    traits = {trait for setting in known.settings for trait in setting.get_traits()} | {""}
    assert known.prediction
    assert len({claim.says for claim in known.prediction}) == len(known.prediction)
    for claim in known.prediction:
        assert claim.arm in arms and claim.than in arms | {""}, claim
        assert claim.condition in conditions and claim.than_condition in conditions, claim
        assert set(claim.settings) <= settings and claim.trait in traits, claim
        assert claim.at_least is not None or claim.at_most is not None, claim
