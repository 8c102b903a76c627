"""How many requests are under way where a service refuses more, whatever it tells."""

from __future__ import annotations

import asyncio
import itertools

from nbconvo.limiter import LocalLimiter
from nbconvo.limiter.crowd import Crowd
from nbconvo.services.limits import LimitTold


def burst(crowd, now, most, admits):
    """Let ``most`` go at once, of which the service admits some; return whether it was too many."""
    found = [crowd.refused(now, most - 1 - refused, now + 0.01) for refused in range(most - admits)]
    for others in range(admits):
        crowd.answered(others, now + 0.5)
    return all(found)


def test_what_was_not_refused_of_a_burst_is_how_many_may_be_under_way():
    crowd = Crowd(gently=True)
    assert crowd.most == 16
    assert burst(crowd, 1.0, 16, 8)
    assert crowd.most == 8


def test_one_more_is_tried_the_later_the_more_often_it_was_refused():
    crowd = Crowd(gently=True)
    burst(crowd, 0.0, 16, 8)
    tried, now = [], 0.0
    while len(tried) < 8:
        now += 0.1
        crowd.grow(8, now)
        if crowd.most > 8:
            assert crowd.most == 9
            assert crowd.refused(now, 8, now + 0.01)
            tried.append(now)
    pauses = [round(later - earlier) for earlier, later in itertools.pairwise(tried)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (4, 60)


def test_a_number_that_was_admitted_lately_is_not_to_blame():
    crowd = Crowd(gently=False)
    crowd.answered(20, 0.0)
    assert not crowd.refused(1.0, 15, 1.0)
    assert crowd.most == float("inf")
    assert crowd.refused(1_000.0, 15, 1_000.0)  # long ago
    assert crowd.most == 15


def test_what_was_admitted_is_doubted_where_no_rate_can_be_to_blame():
    """Some that seemed to be under way then may have ended, and not been read yet."""
    crowd = Crowd(gently=False)
    crowd.answered(15, 0.0)
    assert not crowd.refused(1.0, 14, 1.0, no_rate=True)
    assert crowd.refused(1.0, 13, 1.0, no_rate=True)
    assert crowd.most == 13


def test_a_request_alone_is_not_too_many():
    crowd = Crowd(gently=False)
    assert not crowd.refused(1.0, 0, 1.0)


def test_where_more_go_well_any_number_soon_may():
    crowd = Crowd(gently=False)
    assert crowd.refused(0.0, 3, 0.0)
    now = 0.0
    while crowd.most < float("inf"):
        now += crowd.grows_in(now)
        crowd.grow(int(crowd.most), now)
    assert now < 20


def test_nothing_is_tried_that_nobody_asks_for():
    crowd = Crowd(gently=False)
    crowd.refused(0.0, 8, 0.0)
    crowd.grow(3, 100.0)
    assert crowd.most == 8


def test_refusals_that_headers_explained_make_no_crowd_of_a_later_one(play):
    async def scene():
        limiter = LocalLimiter(60_000, clock=asyncio.get_running_loop().time)

        async def refused(tokens, *told):
            permit = await limiter.acquire(tokens)
            limiter.observe(permit, told, refused=True)
            limiter.settle(permit, 0)

        for _ in range(20):
            await refused(1, LimitTold("tokens", "tokens", 100, 0, 60.0))
            await asyncio.sleep(61)
        await refused(0)  # alone, so that it was not one too many
        asks = [asyncio.create_task(limiter.acquire(0)) for _ in range(30)]
        await asyncio.sleep(0.5)
        assert all(ask.done() for ask in asks)
        for ask in asks:
            limiter.settle(ask.result(), 0)

    play(scene)
