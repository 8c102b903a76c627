"""How soon a plan can be done, by one who knows the server: reckoned, and checked by hand."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from benchmarks.plans import PROMPT, Plan
from nbconvo.testing.limits import Limit

MINUTE = 1_800_000_000.0  # Unix time at which a minute begins


def requests(limit: Limit, count: int = 850) -> Plan:
    return Plan("requests", count, (limit,), latency=0.1)


def test_a_bucket_of_a_second_gives_its_burst_and_then_its_rate():
    plan = requests(Limit("requests", 1200, holds=1), 600)
    assert plan.best(MINUTE, 0) == pytest.approx((600 - 20) / 20, abs=0.01)


def test_a_bucket_of_a_minute_gives_its_burst_and_then_its_rate():
    plan = requests(Limit("requests", 600))
    assert plan.best(MINUTE, 0) == pytest.approx((850 - 600) / 10, abs=0.01)


def test_a_sliding_window_gives_the_second_burst_a_minute_later():
    plan = requests(Limit("requests", 600, kind="sliding"))
    assert plan.best(MINUTE, 0) == pytest.approx(60, abs=0.01)


@pytest.mark.parametrize("late", [5, 50])
def test_a_clock_minute_gives_the_second_burst_when_it_ends(late: float):
    plan = requests(Limit("requests", 600, kind="fixed"))
    assert plan.best(MINUTE + late, 0) == pytest.approx(60 - late, abs=0.01)


def test_tokens_are_those_of_prompts_and_replies():
    plan = Plan("t", 400, (Limit("tokens", 100_000, holds=10),), options={"reserves": "sum"})
    asked = sum(plan.sizes()) + PROMPT * 400
    most = (asked - 100_000 / 6) / (100_000 / 60)
    assert plan.best(MINUTE, 0) == pytest.approx(most, rel=0.01)


def test_what_is_refunded_lets_more_go():
    kept = Plan(
        "t",
        600,
        (Limit("tokens", 200_000),),
        options={"reserves": "sum"},
        uses=(0.5, 0.5),
    )
    refunded = replace(kept, options={"reserves": "sum", "refunds": True})
    used = sum(plan_output(refunded)) + PROMPT * 600
    # Never sooner than the tokens that were used, and later than these by what is in flight only.
    least = (used - 200_000) / (200_000 / 60)
    assert least <= refunded.best(MINUTE, 0) < least * 1.1
    assert kept.best(MINUTE, 0) > least * 2


def plan_output(plan: Plan) -> list[int]:
    return [plan.answer(row, size)[1] for row, size in enumerate(plan.sizes())]


def test_another_client_leaves_its_share_of_the_refill_alone():
    limit = Limit("requests", 1200, holds=1)
    plan = replace(requests(limit, 300), options={"other": 0.5})
    assert plan.best(MINUTE, 0) == pytest.approx((300 - 20) / 10, abs=0.01)


def test_what_failed_is_asked_for_twice():
    plan = requests(Limit("requests", 1200, holds=1), 600)
    assert plan.best(MINUTE, 24) - plan.best(MINUTE, 0) == pytest.approx(24 / 20, abs=0.01)


def test_the_rate_that_is_kept_leaves_bursts_aside():
    plan = requests(Limit("requests", 600))
    assert plan.rate_kept(85.0) == pytest.approx(1.0)
    halved = replace(plan, options={"other": 0.5})
    assert halved.rate_kept(170.0) == pytest.approx(1.0)


def test_a_plan_is_the_same_on_the_server():
    limits = (Limit("requests", 1200, holds=1), Limit("tokens", 9e5))
    plan = Plan("p", 5, limits, 1200, None, {"dialect": "groq"}, faults=0.1, seed=3)
    there = Plan.of(json.loads(json.dumps(asdict(plan))))
    assert there.sizes() == plan.sizes()
    assert there.answer(3, 500) == plan.answer(3, 500)
    assert there.limits == plan.limits
