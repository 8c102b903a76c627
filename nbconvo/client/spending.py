"""What a request may take before it is sent, and what it took where nobody tells."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from nbconvo import prices, tokens
from nbconvo.budget import Budget, Hold
from nbconvo.client.ready import Ready
from nbconvo.messages import Delta
from nbconvo.usage import Usage

__all__ = ["Output", "estimated", "hold_of"]


async def hold_of(ready: Ready, budgets: Sequence[Budget]) -> Hold:
    """Return what the request may take of ``budgets``, by its price if that is known.

    Raises:
        BudgetExceeded: If one of them has not so much left.
    """
    service, model = ready.service, ready.model
    is_known = True  # what it costs
    if service.has_list_price and not prices.loaded():
        # Not here, where other replies are coming; who has no budget need not wait for it.
        reading = asyncio.get_running_loop().run_in_executor(None, prices.load)
        is_known = any(budget.limit is not None for budget in budgets)
        if is_known:
            await reading
    cost = None
    if budgets and is_known:
        usage = Usage(ready.prompt, ready.expected - ready.prompt, requests=1)
        cost = service.priced(usage, model).cost
    hold = Hold(budgets, cost, f"{model or 'its model'} at {service.name}")
    hold.check()
    return hold


class Output:
    """What has come of a reply, kept until its end.

    Nothing is done for each delta: what is asked here is asked once, then.

    Attributes:
        came: The deltas.
    """

    __slots__ = ("came",)

    def __init__(self) -> None:
        self.came: list[Delta] = []

    @property
    def usage(self) -> Usage | None:
        """What the reply took, as its service told last."""
        for delta in reversed(self.came):
            if delta.usage is not None:
                return delta.usage
        return None

    @property
    def model(self) -> str | None:
        """The model that answers, as the service names it."""
        for delta in reversed(self.came):
            if delta.model:
                return delta.model
        return None

    def __bool__(self) -> bool:
        """Whether there is anything to read in it."""
        return any(delta.text or delta.reasoning or delta.calls for delta in self.came)

    @property
    def tokens(self) -> int:
        """About how many tokens it is, as who reads it finds, too."""
        calls = [piece for delta in self.came for piece in delta.calls]
        return tokens.estimate(
            "".join(
                (
                    *(delta.text for delta in self.came),
                    *(delta.reasoning for delta in self.came),
                    *(text for piece in calls for text in (piece.name, piece.arguments)),
                )
            )
        )


def estimated(ready: Ready, output: Output, told: Usage | None = None) -> Usage:
    """Return the usage of a reply whose service ``told`` not all of it."""
    usage = told or Usage(ready.prompt, requests=1)
    return replace(usage, output_tokens=output.tokens, estimated=True)
