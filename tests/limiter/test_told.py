"""What the limiter does with what replies tell of limits, and when it is hindered in its work."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

from nbconvo.errors import RateLimited, RequestTooLarge
from nbconvo.limiter import LocalLimiter
from nbconvo.services.limits import LimitTold, limits_told

sys.path.insert(0, str(Path(__file__).parent))
from model import Bucket, Fixed, Server, Sliding, score  # beside this file


def local(*limits, **how):
    return LocalLimiter(*limits, **how, clock=asyncio.get_running_loop().time)


async def at_once(limiter, most=2_000, tokens=1):
    """Return how many requests go at once."""
    permits = []
    while len(permits) < most:
        waiting = asyncio.create_task(limiter.acquire(tokens))
        await asyncio.sleep(0)
        if not waiting.done():
            waiting.cancel()
            break
        permits.append(waiting.result())
    return len(permits)


async def tell(limiter, *told, refused=False, used=1):
    permit = await limiter.acquire(used)
    limiter.observe(permit, told, refused=refused)
    limiter.settle(permit, 0 if refused else used)


def test_the_first_reply_lets_all_go_that_it_tells_is_left(play):
    async def scene():
        limiter = local(600)
        await tell(limiter, LimitTold("requests", "requests", 600, 400, 20.0))
        assert await at_once(limiter) == 400

    play(scene)


def test_a_stated_limit_below_the_told_one_is_kept(play):
    async def scene():
        limiter = local(60)
        await tell(limiter, LimitTold("requests", "requests", 600, 599, 0.1))
        assert limiter.usage().max_requests_per_minute == 60
        await asyncio.sleep(10)
        assert await at_once(limiter) == 1

    play(scene)


def test_limits_that_were_told_or_found_are_shown(play):
    async def scene():
        limiter = local(seeks=True)
        assert limiter.usage().max_requests_per_minute is None
        await tell(
            limiter,
            LimitTold("requests", "requests", 500, 499, 0.12),
            LimitTold("tokens", "tokens", 30_000, 29_999, 0.002),
            LimitTold("tokens-month", "tokens", 10**6, 10**6 - 1, window=2_592_000),
        )
        usage = limiter.usage()
        assert (usage.max_requests_per_minute, usage.max_tokens_per_minute) == (500, 30_000)

    play(scene)


def test_a_days_limit_that_is_used_up_raises_instead_of_sleeping(play):
    async def scene():
        limiter = local(seeks=True)
        told = LimitTold("requests", "requests", 1_000, 0, 5 * 3600.0, 1.0)
        await tell(limiter, told, refused=True)
        await asyncio.sleep(1)
        begin = asyncio.get_running_loop().time()
        with pytest.raises(RateLimited, match=r"a day, or the like, is used up") as caught:
            await limiter.acquire(1)
        assert caught.value.retry_after > 4 * 3600
        assert asyncio.get_running_loop().time() == begin
        assert (limiter.usage().in_flight, limiter.usage().queued) == (0, 0)

    play(scene)


def test_requests_by_the_day_and_tokens_by_the_minute_are_told_apart(play):
    async def scene():
        limiter = local()
        permits = [await limiter.acquire(10) for _ in range(2)]
        for used, permit in enumerate(permits, 1):
            limiter.observe(
                permit,
                [
                    LimitTold("requests", "requests", 1_000, 1_000 - 4 * used, 4 * used * 86.4),
                    LimitTold("tokens", "tokens", 6_000, 6_000 - 600 * used, 6.0 * used),
                ],
            )
            limiter.settle(permit, 10)
        usage = limiter.usage()
        assert (usage.max_requests_per_minute, usage.max_tokens_per_minute) == (None, 6_000)
        assert 900 < await at_once(limiter, tokens=1) < 1_000

    play(scene)


def test_output_is_counted_when_it_is_made_whatever_was_expected(play):
    async def scene():
        limiter = local()
        permit = await limiter.acquire(1_100, output=1_000)
        limiter.observe(permit, [LimitTold("o", "output_tokens", 8_000, 8_000, 0.0)])
        waiting = [asyncio.create_task(limiter.acquire(1_100, output=1_000)) for _ in range(9)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sum(task.done() for task in waiting) == 7
        limiter.settle(permit, 200, 100)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sum(task.done() for task in waiting) == 7
        limiter.settle(waiting[0].result(), 200, 100)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sum(task.done() for task in waiting) == 8
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    play(scene)


@pytest.mark.parametrize("headers", [True, False])
def test_a_loop_that_was_blocked_for_5_seconds_does_not_flood_the_server(play, headers):
    async def scene():
        loop = asyncio.get_running_loop()
        limiter, server = local(600), Server({"requests": Bucket(600, 1)}, headers=headers, seed=5)

        async def block():
            for _ in range(3):
                await asyncio.sleep(7)
                loop.pass_time(5)

        blocking = asyncio.create_task(block())
        result = await score(limiter, server, requests=500, seed=5)
        await blocking
        assert result.answered == 500
        assert result.refused == 0

    play(scene)


@pytest.mark.parametrize("headers", [True, False])
def test_what_goes_just_before_the_loop_is_busy_counts_from_when_it_is_sent(play, headers):
    async def scene():
        limiter = local(1_200)
        loop = asyncio.get_running_loop()
        server = Server({"requests": Bucket(1_200, 1)}, headers=headers)

        async def ask():
            permit = await limiter.acquire(1)
            await asyncio.sleep(0)
            permit.sent_at = loop.time()
            status, told = server.admit({"requests": 1.0}, loop.time())
            await asyncio.sleep(0.4)
            limiter.observe(permit, limits_told(told), refused=status == 429)
            limiter.settle(permit, 1)

        asks = [asyncio.create_task(ask()) for _ in range(100)]
        loop.call_soon(loop.pass_time, 0.6)  # those that may go have not been sent yet
        await asyncio.gather(*asks)
        assert (server.refused, len(asks)) == (0, 100)
        if headers:
            assert loop.time() - 1_000.6 < 0.4 + 81 / 20 + 0.1

    play(scene)


def test_a_bucket_that_was_in_use_for_long_is_empty_at_most_after_the_loop_was_busy(play):
    async def scene():
        limiter = local(3_000)
        loop = asyncio.get_running_loop()

        async def ask():
            limiter.settle(await limiter.acquire(1), 1)

        await asyncio.gather(*(ask() for _ in range(10)))
        for _ in range(2_450):  # at the rate, so that nobody ever waits
            await asyncio.sleep(1 / 50)
            await ask()
        began = loop.time()
        asks = [asyncio.create_task(ask()) for _ in range(60)]
        loop.call_soon(loop.pass_time, 0.1)
        await asyncio.gather(*asks)
        assert loop.time() - began < 2.0

    play(scene)


def test_replies_to_requests_that_were_sent_in_another_order_than_let_go_are_learnt_from(play):
    async def scene():
        limiter = local()
        loop = asyncio.get_running_loop()
        await tell(limiter, LimitTold("requests", "requests", 600, 9, 0.1))
        slow, quick = await limiter.acquire(1), await limiter.acquire(1)
        quick.sent_at = loop.time()
        limiter.observe(quick, [LimitTold("requests", "requests", 600, 7, 0.3)])
        await asyncio.sleep(2)
        slow.sent_at = loop.time() - 0.001
        limiter.observe(slow, [LimitTold("requests", "requests", 600, 8, 0.2)])
        for permit in (slow, quick):
            limiter.settle(permit, 1)
        assert limiter.usage().max_requests_per_minute == 600

    play(scene)


@pytest.mark.parametrize("seed", [3, 7, 12, 15, 16])
def test_what_came_back_in_a_sliding_window_since_a_request_is_not_believed_twice(play, seed):
    async def scene():
        server = Server({"requests": Sliding(300)}, seed=seed)
        result = await score(local(seeks=True), server, seed=seed)
        assert (result.refused, result.answered) == (0, 700)

    play(scene)


def test_after_1000_cancels_in_random_places_nothing_is_lost_and_the_books_balance(play):
    async def scene():
        chance = random.Random(9)
        limiter = local(60_000, 6_000_000, 20, seeks=True)
        done = []

        async def ask(number):
            first = False
            for _ in range(3):
                permit = await limiter.acquire(
                    chance.randrange(500), first=first, bulk=chance.choice([None, 1, 2])
                )
                refused, used = chance.random() < 0.1, 0
                try:
                    await asyncio.sleep(chance.random())
                    limiter.observe(permit, (), refused=refused)
                    await asyncio.sleep(chance.random())
                    used = 0 if refused else permit.tokens
                finally:
                    limiter.settle(permit, used)
                if not refused:
                    break
                first = True
            done.append(number)

        tasks = [asyncio.create_task(ask(number)) for number in range(2_000)]
        victims = set(chance.sample(range(2_000), 1_000))
        for victim in victims:
            await asyncio.sleep(chance.random() / 20)
            tasks[victim].cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        cancelled = {n for n, end in enumerate(ended) if isinstance(end, asyncio.CancelledError)}
        assert cancelled <= victims
        assert sorted(done) == sorted(set(range(2_000)) - cancelled)
        usage = limiter.usage()
        assert (usage.in_flight, usage.queued) == (0, 0)
        (limits,) = limiter._ledger._limits.values()
        assert limits._unanswered == limits._beliefs._owed == 0
        assert not [
            handle for handle in asyncio.get_running_loop()._scheduled if not handle._cancelled
        ]

    play(scene)


@pytest.mark.parametrize("kind", ["bucket", "minute", "sliding", "fixed"])
@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("stated", [True, False])
def test_a_clock_that_jumps_by_an_hour_does_not_flood_the_server(play, kind, headers, stated):
    """As after a suspension: to the limiter and to the server alike, all has come back."""

    async def scene():
        loop = asyncio.get_running_loop()
        meter = {
            "bucket": Bucket(600, 1),
            "minute": Bucket(600, 60),
            "sliding": Sliding(600),
            "fixed": Fixed(600, phase=12.0),
        }[kind]
        limiter = local(600 if stated else None, seeks=True)
        server = Server({"requests": meter}, headers=headers, seed=6)

        async def jump():
            for _ in range(2):
                await asyncio.sleep(11)
                before = server.refused, server.admitted
                loop.pass_time(3600)
                await asyncio.sleep(3)
                refused.append(server.refused - before[0])
                admitted.append(server.admitted - before[1])

        refused: list[int] = []
        admitted: list[int] = []
        jumping = asyncio.create_task(jump())
        result = await score(limiter, server, requests=2600, seed=6)
        await jumping
        assert result.answered == 2600
        assert max(refused) <= (1 if headers or stated else 30)
        assert min(admitted) > 0

    play(scene)


def test_a_clock_that_stands_still_while_time_goes_on_harms_nobody(play):
    async def scene():
        loop, lag = asyncio.get_running_loop(), 0.0
        limiter = LocalLimiter(600, seeks=True, clock=lambda: loop.time() - lag)
        server = Server({"requests": Bucket(600, 1)}, seed=7)

        async def stand_still():
            nonlocal lag
            for _ in range(3):
                await asyncio.sleep(5)
                lag += 3600
                loop.pass_time(3600)

        still = asyncio.create_task(stand_still())
        result = await score(limiter, server, requests=500, seed=7)
        await still
        assert (result.answered, result.refused) == (500, 0)
        assert result.seconds < 3 * 3600 + 60

    play(scene)


def test_a_level_that_was_found_stays_while_nobody_asks_for_more(play):
    async def scene():
        limiter, server = local(seeks=True), Server({"requests": Bucket(600, 1)}, headers=False)
        how = {"latency": (0.1, 0.2), "early": False}
        await score(limiter, server, **how, requests=700, seed=8)
        found = limiter.usage().max_requests_per_minute
        assert found == pytest.approx(600, rel=0.25)
        for _ in range(600):  # a request every 2 s: it shows nothing of 10 a second
            await asyncio.sleep(2)
            limiter.settle(await limiter.acquire(1), 1)
        assert limiter.usage().max_requests_per_minute == pytest.approx(found, rel=0.05)

    play(scene)


def test_what_was_refused_as_more_than_the_service_allows_is_not_sent_again(play):
    async def scene():
        limiter = local(seeks=True)
        told = LimitTold("tokens", "tokens", 6_000, 5_990, 0.1)
        await tell(limiter, told, used=10)
        await tell(limiter, told, refused=True, used=5_900)
        await tell(limiter, told, refused=True, used=8_000)  # an estimate, worth a try
        for first in (True, False):
            with pytest.raises(RequestTooLarge, match=r"9,000 tokens, .* allows 6,000 together"):
                await limiter.acquire(9_000, first=first)
        assert (limiter.usage().in_flight, limiter.usage().queued) == (0, 0)
        permit = await limiter.acquire(7_000)
        limiter.observe(permit, [LimitTold("tokens", "tokens", 60_000, 59_000, 0.1)])
        limiter.settle(permit, 7_000)
        limiter.settle(await limiter.acquire(9_000), 9_000)

    play(scene)


def test_who_waits_with_as_much_as_was_refused_is_not_sent_either_but_who_has_less_is(play):
    async def scene():
        limiter = local(seeks=True)
        told = LimitTold("tokens", "tokens", 6_000, 5_990, 0.1)
        await tell(limiter, told, used=10)
        sent = await limiter.acquire(9_000)
        sizes = (9_000, 100, 12_000)
        asks = [asyncio.create_task(limiter.acquire(size)) for size in sizes]
        await asyncio.sleep(0)
        limiter.observe(sent, [told], refused=True)
        limiter.settle(sent, 0)
        before, permit, after = await asyncio.gather(*asks, return_exceptions=True)
        assert isinstance(before, RequestTooLarge)
        assert isinstance(after, RequestTooLarge)
        limiter.settle(permit, 100)

    play(scene)


def test_a_window_whose_end_nobody_tells_is_waited_out(play):
    async def scene():
        limiter = local(seeks=True)
        for remaining, reset in ((4, 60.0), (3, 60.0), (4, None)):
            await tell(limiter, LimitTold("requests", "requests", 5, remaining, reset))
            await asyncio.sleep(61)
        assert await at_once(limiter) <= 5
        await asyncio.sleep(121)
        assert await at_once(limiter) > 0

    play(scene)


def test_a_person_may_try_again_what_was_told_to_take_hours(play):
    async def scene():
        limiter = local(seeks=True)
        await tell(limiter, LimitTold("requests", "requests", 100, 0, 86_000.0, window=86_400.0))
        with pytest.raises(RateLimited):
            await limiter.acquire(1)
        await asyncio.sleep(61)
        with pytest.raises(RateLimited):
            await limiter.acquire(1, bulk="rows")
        limiter.settle(await limiter.acquire(1), 1)

    play(scene)


def test_what_is_left_is_believed_at_once_when_nothing_is_on_its_way(play):
    async def scene():
        limiter = local()
        permits = [await limiter.acquire(300, output=250) for _ in range(3)]
        for used, permit in enumerate(permits, 1):
            told = LimitTold("tokens", "tokens", 600, 600 - 60 * used, 6.0 * used)
            limiter.observe(permit, (told,))
            limiter.settle(permit, 60, 10)
        assert limiter.wait(300) == 0.0
        for spent in range(4, 6):
            permit = await limiter.acquire(300, output=250)
            told = LimitTold("tokens", "tokens", 600, 600 - 60 * spent, 6.0 * spent)
            limiter.observe(permit, (told,))
            limiter.settle(permit, 60, 10)
        assert limiter.wait(290) == 0.0
        assert limiter.wait(310) > 0.0

    play(scene)
