"""What tokens cost, and a person's own list."""

from pathlib import Path

import pytest

from mi.llm.data_models import Model
from mi.llm.prices import Price, price_of, read_prices
from mi.utils.errors import UserError


def test_a_dated_version_costs_what_its_name_does_and_a_fine_tuned_one_has_a_price_of_its_own():
    prices = read_prices()
    plain, tuned = price_of(Model("gpt-4.1-2025-04-14"), prices), price_of(Model("ft:gpt-4.1-2025-04-14:me::x"), prices)
    assert plain is not None and plain == prices["gpt-4.1"] and tuned == prices["ft:gpt-4.1"]
    assert price_of(Model("gpt-4.1-mini"), prices) == prices["gpt-4.1-mini"] != plain
    assert plain.cost(1_000_000, 500_000) == pytest.approx(plain.input + plain.output / 2)


def test_a_model_that_nobody_lists_has_no_price_and_a_local_one_costs_nothing():
    assert price_of(Model("gpt-4.1-unheard-of"), read_prices()) is None
    assert price_of(Model("gpt-4.1", endpoint="openrouter"), read_prices()) is None
    own = {"gpt-4.1@openrouter": Price(1, 2, "now")}
    assert price_of(Model("gpt-4.1", endpoint="openrouter"), own) == Price(1, 2, "now")
    local = price_of(Model("organism", "local"), {})
    assert local is not None and local.cost(10**9, 10**9) == 0


def test_a_list_of_ones_own_comes_before_the_house_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    house = read_prices()
    own = tmp_path / "prices.toml"
    own.write_text(
        'as_of = "2027-01"\n[models]\n"mine" = { input = 1, output = 2 }\n"gpt-4o" = { input = 3, output = 4 }'
    )
    monkeypatch.setenv("MI_PRICES", str(own))
    prices = read_prices()
    assert (prices["mine"].output, prices["gpt-4o"].input, prices["gpt-4o"].as_of) == (2, 3, "2027-01")
    assert prices["gpt-4.1"] == house["gpt-4.1"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "as_of = 1\n[models]",
        'as_of = "x"\n[models]\na = 3',
        'as_of = "x"\n[models]\na = {input = -1, output = 1}',
        "[",
    ],
)
def test_a_list_of_another_form_is_named(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = tmp_path / "prices.toml"
    own.write_text(content)
    monkeypatch.setenv("MI_PRICES", str(own))
    with pytest.raises(UserError, match=r"prices\.toml"):
        read_prices()
    monkeypatch.setenv("MI_PRICES", str(tmp_path / "none.toml"))
    with pytest.raises(UserError, match=r"none\.toml"):
        read_prices()
