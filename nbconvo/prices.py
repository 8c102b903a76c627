"""What a request costs: by a price that is given, else by the list prices of genai-prices.

The list is part of that package (MIT licence, pydantic): nothing here touches the network. A model
that it does not hold has an unknown cost, which is never taken for 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from nbconvo.usage import Usage

__all__ = ["Listed", "Price", "cost", "listed", "load", "loaded", "priced"]

#: US dollars for a million tokens of the prompt, and of the reply.
Price = tuple[float, float]

# Where a service is too, beside the address that the list knows.
_MOVED = {"https://api.together.ai": "https://api.together.xyz"}


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list holds of a model; what it does not is ``None``.

    Attributes:
        context: How long a conversation may be, in tokens.
        input_price: US dollars for a million tokens of the prompt, while that is not a long one.
        output_price: The same of the reply.
    """

    context: int | None = None
    input_price: float | None = None
    output_price: float | None = None


def loaded() -> bool:
    """Whether the list was read, if it can be; to read it takes about 0.2 s."""
    return _list.cache_info().currsize > 0


def load() -> None:
    """Read the list; best on a thread where nothing waits."""
    # With a first search, which compiles its patterns.
    cost(Usage(1, 1), "https://api.openai.com/v1", ["gpt-4o"])


def priced(
    usage: Usage, address: str, models: Iterable[str | None], price: Price | None = None
) -> Usage:
    """Return ``usage`` with its cost computed, unless the service told it; see :func:`cost`."""
    if usage.cost is not None or (found := cost(usage, address, models, price)) is None:
        return usage
    return replace(usage, cost=found, priced=True)


def cost(
    usage: Usage, address: str, models: Iterable[str | None], price: Price | None = None
) -> float | None:
    """Return the US dollars that ``usage`` costs at ``address``, or ``None`` if it is unknown.

    Args:
        usage: The tokens. Those that were read from a cache, or written to it, and those of
            reasoning cost what the list says of them; with a given ``price``, what all do.
        address: The base URL of the service: the same model has other prices elsewhere.
        models: Names of the model, the most exact first.
        price: What to reckon with in place of the list.
    """
    if price is not None:
        sent, said = price
        return (usage.input_tokens * sent + usage.output_tokens * said) / 1e6
    found = (_cost(usage, address, model) for model in models if model)
    return next((one for one in found if one is not None), None)


def listed(address: str, model: str) -> Listed:
    """Return what the list holds of ``model`` at ``address``, a base URL."""
    if (found := _calculated(Usage(1), address, model)) is None:
        return Listed()
    told = found.model_price
    return Listed(found.model.context_window, _base(told.input_mtok), _base(told.output_mtok))


def _base(price: Any) -> float | None:
    """Return the price of the first token, where those after many have another."""
    return None if price is None else float(getattr(price, "base", price))


def _cost(usage: Usage, address: str, model: str) -> float | None:
    if (found := _calculated(usage, address, model)) is None:
        return None
    told = found.model_price
    # A model that is paid by the image or the second would seem to cost nothing.
    if usage.input_tokens and told.input_mtok is None:
        return None
    if usage.output_tokens and told.output_mtok is None:
        return None
    return float(found.total_price)


def _calculated(usage: Usage, address: str, model: str) -> Any | None:
    """Return the list's own calculation, or ``None`` where it has none."""
    for old, known in _MOVED.items():
        if address.startswith(old):
            address = known + address[len(old) :]
    if (prices := _list()) is None:
        return None
    try:
        return prices.calc_price(prices.Usage(**_counts(usage)), model, provider_api_url=address)
    except Exception:  # an unknown model, or usage that it has no price for: no reason to fail
        return None


@cache
def _list() -> Any | None:
    """Return the package with the list; a broken one is none, and not tried again."""
    try:
        import genai_prices
    except Exception:
        return None
    return genai_prices


def _counts(usage: Usage) -> dict[str, Any]:
    """Return the tokens under the list's names; a part is never more than the whole."""
    cached = min(usage.cached_tokens, usage.input_tokens)
    counts = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": cached,
        "cache_write_tokens": min(usage.cache_write_tokens, usage.input_tokens - cached),
        "output_reasoning_tokens": min(usage.reasoning_tokens, usage.output_tokens),
    }
    return {name: count for name, count in counts.items() if count}
