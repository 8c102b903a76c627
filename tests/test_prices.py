"""What the list of prices tells, and what is made of a list that can't be read."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from nbconvo import prices
from nbconvo.messages import Usage
from nbconvo.prices import Listed

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com/v1"


def test_a_model_is_priced_where_it_is_asked():
    assert prices.cost(Usage(1_000_000), OPENAI, ["gpt-5.4-mini"]) == pytest.approx(0.75)
    assert prices.cost(Usage(1), "https://models.example/v1", ["gpt-5.4-mini"]) is None


def test_the_list_tells_the_length_and_the_prices_of_a_model():
    assert prices.listed(OPENAI, "gpt-5.4-mini") == Listed(400_000, 0.75, 4.5)


def test_of_prices_that_rise_with_the_prompt_the_first_is_told():
    told = prices.listed(ANTHROPIC, "claude-sonnet-4-5")
    assert (told.input_price, told.output_price) == (3, 15)


@pytest.mark.parametrize("model", ["no-such-model", "whisper-1"])
def test_what_the_list_does_not_hold_is_unknown(model: str):
    assert prices.listed(OPENAI, model) == Listed()


@pytest.fixture(params=[ImportError("gone"), TypeError("halves of two versions")])
def _broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package of the list fails when it is imported."""

    class Finder:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "genai_prices":
                raise request.param

    monkeypatch.delitem(sys.modules, "genai_prices", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    prices._list.cache_clear()
    yield
    prices._list.cache_clear()


@pytest.mark.usefixtures("_broken")
def test_with_a_broken_list_prices_are_unknown_and_nothing_fails():
    assert not prices.loaded()
    prices.load()
    assert prices.loaded()  # as far as it can be
    assert prices.cost(Usage(1), OPENAI, ["gpt-5.4-mini"]) is None
    assert prices.cost(Usage(1_000_000), OPENAI, ["gpt-5.4-mini"], (1.0, 2.0)) == 1
    assert prices.listed(OPENAI, "gpt-5.4-mini") == Listed()
