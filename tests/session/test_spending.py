"""What replies cost, and budgets that refuse the next one."""

from __future__ import annotations

import asyncio
import threading

import pytest

from nbconvo import Session
from nbconvo.errors import BudgetExceeded, InputError, ServiceError
from nbconvo.services import ChatService
from nbconvo.session import workspace

USAGE = {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}


def priced(provider, price=None) -> ChatService:
    return ChatService("key", provider.base_url, price=price)


async def test_the_services_own_figure_comes_first(provider):
    provider.reply("x", usage={**USAGE, "cost": 0.25})
    session = Session(service=priced(provider, (1.0, 2.0)), model="m")
    assert (await session.ask("hi")).cost == 0.25
    assert session.cost == 0.25


async def test_a_price_that_is_given_is_reckoned_with_and_marked(provider):
    provider.reply("x", usage=USAGE)
    reply = await Session(service=priced(provider, (1.0, 2.0)), model="m").ask("hi")
    assert reply.cost == pytest.approx(3.0)
    assert reply.usage.priced


async def test_a_price_that_nobody_knows_is_unknown_and_not_nothing(provider):
    provider.reply("x", usage=USAGE)
    reply = await Session(service=priced(provider), model="no-such-model").ask("hi")
    assert reply.cost is None


async def test_what_would_pass_the_budget_is_refused_before_it_is_sent(provider):
    session = Session(service=priced(provider, (1.0, 2.0)), model="m", budget=3.5)
    provider.reply("x", usage=USAGE)
    await session.ask("hi")
    with pytest.raises(BudgetExceeded):
        await session.ask("again", max_tokens=1_000_000)
    assert len(provider.requests) == 1
    assert len(session.conversation.messages) == 2


async def test_a_budget_of_nothing_refuses_all_that_costs(provider):
    session = Session(service=priced(provider, (1.0, 2.0)), model="m", budget=0)
    with pytest.raises(BudgetExceeded):
        await session.ask("hi")
    assert len(provider.requests) == 0


async def test_a_budget_that_is_passed_lets_what_costs_nothing_answer(provider):
    provider.reply("x", usage=USAGE)
    session = Session(service=priced(provider, (0.0, 2.0)), model="m")
    await session.ask("hi")
    session.set_budget(1)
    session.set_service(priced(provider, (0, 0)), "m")
    assert (await session.ask("hi")).cost == 0


async def test_under_a_budget_an_unknown_price_is_refused(provider):
    session = Session(service=priced(provider), model="no-such-model", budget=5)
    with pytest.raises(BudgetExceeded):
        await session.ask("hi")


@pytest.mark.parametrize("budget", [-1, "much", float("nan"), float("inf"), True])
def test_what_is_no_budget_is_refused(provider, budget):
    with pytest.raises(InputError):
        Session(budget=budget)


async def test_each_round_of_tools_counts(provider):
    def look() -> str:
        """Look."""
        return "seen"

    for calls in ([("look", {})], []):
        provider.reply("x", usage=USAGE, calls=calls)
    session = Session(service=priced(provider, (1.0, 2.0)), model="m", tools=[look])
    assert (await session.ask("hi")).cost == pytest.approx(6.0)


async def test_of_two_asks_that_together_would_pass_the_kernels_budget_one_is_refused(
    provider, config
):
    hold = threading.Event()
    provider.reply("x", usage=USAGE, hold=hold)
    one, other = (Session(service=priced(provider, (0.0, 2.0)), model="m") for _ in range(2))
    config.budget = workspace.budget.spent + 3.0
    first = asyncio.ensure_future(one.ask("hi", max_tokens=1_000_000))
    await asyncio.to_thread(provider.wait_for_requests)
    with pytest.raises(BudgetExceeded, match="under way"):
        await other.ask("hi", max_tokens=1_000_000)
    hold.set()
    await first
    assert workspace.budget.reserved == 0
    assert len(provider.requests) == 1


@pytest.mark.parametrize("budget", [-1.0, float("nan"), float("inf")])
def test_what_is_no_budget_is_no_setting_either(config, budget):
    with pytest.raises(InputError):
        config.budget = budget
    assert config.budget is None


async def test_a_request_that_fails_gives_back_what_was_held_for_it(provider):
    provider.error(400)
    session = Session(service=priced(provider, (0.0, 2.0)), model="m", budget=3.0)
    with pytest.raises(ServiceError):
        await session.ask("hi", max_tokens=1_000_000)
    provider.reply("x", usage=USAGE)
    reply = await session.ask("hi", max_tokens=1_000_000)
    assert reply.cost == pytest.approx(2.0)


async def test_one_that_is_tried_again_is_held_for_once(provider):
    provider.error(500, headers={"retry-after-ms": "1"}, times=2)
    provider.reply("x", usage=USAGE)
    session = Session(service=priced(provider, (0.0, 2.0)), model="m", budget=3.0)
    await session.ask("hi", max_tokens=1_000_000)
    assert session.cost == pytest.approx(2.0)
    with pytest.raises(BudgetExceeded, match=r"\$2.00 spent, about \$2.00 for this"):
        await session.ask("hi", max_tokens=1_000_000)


async def test_what_costs_nothing_is_never_refused(provider):
    session = Session(service="offline", model="echo", budget=0)
    assert "hi" in await session.ask("hi")
    assert session.cost == 0
