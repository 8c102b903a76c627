"""What every limiter must do, told in virtual time through the protocol alone."""

import asyncio
import math
import random

import pytest

from nbconvo.errors import RateLimited, RequestTooLarge


def now():
    return asyncio.get_running_loop().time()


async def pass_steps(steps=5):
    for _ in range(steps):
        await asyncio.sleep(0)


async def admissions(limiter, sizes, *, seconds=0.0):
    """Ask for all sizes at once; return the moments of admission, in the order of asking."""
    begin = now()

    async def ask(size):
        permit = await limiter.acquire(size)
        moment = now() - begin
        await asyncio.sleep(seconds)
        limiter.settle(permit, size)
        return moment

    return await asyncio.gather(*(ask(size) for size in sizes))


def most_over(moments, amounts, per_second):
    """Return the most that any window took beyond what the rate allows for its length."""
    return max(
        sum(amounts[first : last + 1]) - per_second * (moments[last] - moments[first])
        for first in range(len(moments))
        for last in range(first, len(moments))
    )


def refusals(moments, amounts, per_second, capacity):
    """Return how many of the requests a server's own token bucket refuses."""
    level, then, refused = capacity, moments[0], 0
    for moment, amount in zip(moments, amounts, strict=True):
        level = min(capacity, level + (moment - then) * per_second)
        then = moment
        if amount > level + 0.001:
            refused += 1
        else:
            level -= amount
    return refused


def test_without_limits_nobody_waits(make, play):
    async def scene():
        assert await admissions(make(), [10**9] * 1_000) == [0.0] * 1_000

    play(scene)


def test_45_requests_at_20_a_minute_take_132_seconds(make, play):
    async def scene():
        moments = await admissions(make(max_requests_per_minute=20), [1] * 45)
        assert moments == pytest.approx([3.0 * index for index in range(45)], abs=1e-3)

    play(scene)


@pytest.mark.parametrize("per_minute", [0.5, 7, 60, 600, 100_000])
def test_no_window_holds_more_requests_than_the_rate_and_half_a_second(make, play, per_minute):
    async def scene():
        limiter = make(max_requests_per_minute=per_minute)
        moments = await admissions(limiter, [1] * 300)
        await asyncio.sleep(1_000)
        moments += [moment + moments[-1] + 1_000 for moment in await admissions(limiter, [1] * 100)]
        burst = max(1, per_minute / 60 / 2)
        assert most_over(moments, [1] * 400, per_minute / 60) <= burst + 0.01

    play(scene)


def test_a_server_with_a_one_second_bucket_of_requests_refuses_none(make, play):
    async def scene():
        moments = await admissions(make(max_requests_per_minute=600), [1] * 200, seconds=0.7)
        assert refusals(moments, [1] * 200, per_second=10, capacity=10) == 0
        assert moments[-1] < 1.005 * 20

    play(scene)


def test_a_server_with_a_one_second_bucket_of_tokens_refuses_none(make, play):
    async def scene():
        sizes = random.Random(8).sample(range(1, 401), 200)
        moments = await admissions(make(max_tokens_per_minute=24_000), sizes, seconds=0.7)
        assert refusals(moments, sizes, per_second=400, capacity=400) == 0
        assert moments[-1] < 1.005 * sum(sizes) / 400

    play(scene)


def test_tokens_larger_than_the_burst_keep_the_rate(make, play):
    async def scene():
        moments = await admissions(make(max_tokens_per_minute=6_000), [1_000] * 10)
        assert moments == pytest.approx([10.0 * index for index in range(10)], abs=1e-3)

    play(scene)


def test_requests_and_tokens_are_both_kept(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=60, max_tokens_per_minute=6_000)
        sizes = [1, 1, 1, 1_000, 1, 1]
        moments = await admissions(limiter, sizes)
        assert most_over(moments, [1] * 6, 1) <= 1.01
        assert most_over(moments, sizes, 100) <= 50 + 1_000 + 0.01
        assert moments[4] - moments[3] > 9

    play(scene)


def test_order_of_asking_is_kept_under_mixed_sizes(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=600, max_tokens_per_minute=60_000, max_concurrent=4)
        sizes = [1, 30_000, 2, 500, 1, 1, 9_000, 3] * 10
        moments = await admissions(limiter, sizes, seconds=0.3)
        assert moments == sorted(moments)
        assert moments[-1] > sum(sizes[:-8]) / 1_000

    play(scene)


def test_a_small_request_does_not_overtake_a_large_one_that_waits(make, play):
    async def scene():
        limiter = make(max_tokens_per_minute=6_000)
        await limiter.acquire(50)
        large = asyncio.create_task(limiter.acquire(5_000))
        await pass_steps()
        await asyncio.sleep(0.2)
        small = asyncio.create_task(limiter.acquire(1))
        await pass_steps()
        assert not small.done()
        await asyncio.sleep(0.31)
        assert large.done()
        assert not small.done()
        small.cancel()

    play(scene)


def test_no_more_are_in_flight_than_max_concurrent(make, play):
    async def scene():
        limiter = make(max_concurrent=3)
        moments = await admissions(limiter, [1] * 10, seconds=5)
        assert moments == [0, 0, 0, 5, 5, 5, 10, 10, 10, 15]

    play(scene)


def test_settling_frees_a_place_at_once(make, play):
    async def scene():
        limiter = make(max_concurrent=1)
        permit = await limiter.acquire(1)
        waiting = asyncio.create_task(limiter.acquire(1))
        await pass_steps()
        assert not waiting.done()
        limiter.settle(permit, 1)
        await pass_steps()
        assert waiting.done()
        assert limiter.usage().in_flight == 1

    play(scene)


def test_a_cancelled_waiter_leaves_and_the_next_moves_up(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=60)
        await limiter.acquire(1)
        begin = now()
        waiting = [asyncio.create_task(limiter.acquire(1)) for _ in range(3)]
        await pass_steps()
        waiting[0].cancel()
        waiting[1].cancel()
        await pass_steps()
        assert limiter.usage().queued == 1
        await waiting[2]
        assert now() - begin == pytest.approx(1, abs=1e-3)
        assert limiter.usage().in_flight == 2

    play(scene)


def test_a_large_head_that_is_cancelled_lets_a_small_one_go_at_once(make, play):
    async def scene():
        limiter = make(max_tokens_per_minute=6_000)
        await limiter.acquire(40)
        large = asyncio.create_task(limiter.acquire(5_000))
        small = asyncio.create_task(limiter.acquire(5))
        await pass_steps()
        large.cancel()
        await pass_steps()
        assert small.done()

    play(scene)


def test_admitted_and_cancelled_in_one_step_gives_all_back_and_wakes_the_next(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=6, max_tokens_per_minute=6_000, max_concurrent=1)
        permit = await limiter.acquire(50)
        first = asyncio.create_task(limiter.acquire(50))
        second = asyncio.create_task(limiter.acquire(50))
        await asyncio.sleep(100)
        limiter.settle(permit, 50)
        first.cancel()
        await pass_steps()
        assert first.cancelled()
        assert second.done()
        usage = limiter.usage()
        assert (usage.in_flight, usage.queued) == (1, 0)
        assert (usage.total_requests, usage.total_tokens) == (2, 100)

    play(scene)


def test_nobody_is_admitted_during_a_pause(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=600)
        begin = now()
        limiter.pause(10)
        limiter.pause(4)
        assert limiter.usage().paused_for == pytest.approx(10)
        moments = await admissions(limiter, [1, 1])
        assert moments == pytest.approx([10, 10], abs=1e-3)
        assert now() - begin == pytest.approx(10, abs=1e-3)
        assert limiter.usage().paused_for == 0
        assert limiter.usage().rate_limited == 2

    play(scene)


def test_a_pause_holds_those_who_wait_already(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=60)
        await limiter.acquire(1)
        begin = now()
        waiting = asyncio.create_task(limiter.acquire(1))
        await pass_steps()
        limiter.pause(30)
        await waiting
        assert now() - begin == pytest.approx(30, abs=1e-3)

    play(scene)


def test_two_minutes_of_a_pause_are_waited_out(make, play):
    async def scene():
        limiter = make()
        limiter.pause(130)
        await asyncio.sleep(10)
        begin = now()
        await limiter.acquire(1)
        assert now() - begin == pytest.approx(120, abs=1e-3)

    play(scene)


def test_nobody_waits_out_more_than_two_minutes_of_a_pause(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=60)
        await limiter.acquire(1)
        waiting = asyncio.create_task(limiter.acquire(1))
        await pass_steps()
        begin = now()
        limiter.pause(7_200)
        with pytest.raises(RateLimited, match=r"2 h are left; ask again then"):
            await waiting
        await asyncio.sleep(60)
        with pytest.raises(RateLimited, match=r"1 h 59 min are left") as caught:
            await limiter.acquire(1, first=True)
        assert caught.value.retry_after == pytest.approx(7_140)
        assert now() - begin == pytest.approx(60)
        assert (limiter.usage().queued, limiter.usage().in_flight) == (0, 1)

    play(scene)


def test_first_goes_before_those_who_wait_and_keeps_order_among_its_like(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=60)
        await limiter.acquire(1)
        order = []

        async def ask(label, first):
            await limiter.acquire(1, first=first)
            order.append(label)

        async with asyncio.TaskGroup() as group:
            for label in ("new 1", "new 2", "back 1", "back 2"):
                group.create_task(ask(label, first=label.startswith("back")))
        assert order == ["back 1", "back 2", "new 1", "new 2"]

    play(scene)


def test_first_that_waits_goes_as_soon_as_it_may_even_before_a_large_head_might(make, play):
    async def scene():
        limiter = make(max_tokens_per_minute=6_000)
        await limiter.acquire(550)
        large = asyncio.create_task(limiter.acquire(5_000))
        await pass_steps()
        begin = now()
        await limiter.acquire(10, first=True)
        assert now() - begin == pytest.approx(5.1, abs=1e-3)
        await large

    play(scene)


def test_first_with_room_need_not_wait_for_a_large_head(make, play):
    async def scene():
        limiter = make(max_tokens_per_minute=6_000)
        await limiter.acquire(40)
        large = asyncio.create_task(limiter.acquire(5_000))
        await pass_steps()
        begin = now()
        await limiter.acquire(5, first=True)
        assert now() == begin
        await large
        assert now() - begin == pytest.approx(0.45, abs=1e-3)

    play(scene)


def test_too_large_is_refused_at_once_with_both_numbers_and_the_remedy(make, play):
    async def scene():
        limiter = make(max_tokens_per_minute=4_000)
        with pytest.raises(RequestTooLarge) as refused:
            await limiter.acquire(5_200)
        assert str(refused.value) == (
            "request of about 5,200 tokens is more than the 4,000 a minute that --tpm allows; "
            "shorten it or raise the limit"
        )
        assert limiter.usage().in_flight == limiter.usage().total_requests == 0

    play(scene)


def test_a_request_of_the_whole_minute_is_admitted(make, play):
    async def scene():
        assert await admissions(make(max_tokens_per_minute=4_000), [4_000]) == [0]

    play(scene)


def test_unused_tokens_come_back(make, play):
    async def scene():
        limiter = make(max_tokens_per_minute=6_000)
        permit = await limiter.acquire(1_000)
        assert limiter.wait(50) == pytest.approx(10)
        limiter.settle(permit, 400)
        assert limiter.wait(50) == pytest.approx(4)
        assert limiter.usage().tokens == limiter.usage().total_tokens == 400

    play(scene)


def test_tokens_that_come_back_never_fill_a_bucket_above_its_burst(make, play):
    async def scene():
        limiter = make(max_tokens_per_minute=6_000)
        permits = [await limiter.acquire(1_000) for _ in range(3)]
        await asyncio.sleep(60)
        for permit in permits:
            limiter.settle(permit, None)
        await limiter.acquire(50)
        assert limiter.wait(50) == pytest.approx(0.5)

    play(scene)


def test_tokens_used_beyond_the_reservation_are_paid_by_those_who_follow(make, play):
    async def scene():
        limiter = make(max_tokens_per_minute=6_000)
        limiter.settle(await limiter.acquire(50), 1_050)
        assert limiter.wait(50) == pytest.approx(10.5)
        assert limiter.usage().tokens == 1_050

    play(scene)


def test_an_absurd_figure_of_the_service_holds_the_others_up_for_a_minute_at_most(make, play):
    async def scene():
        limiter = make(max_tokens_per_minute=6_000)
        limiter.settle(await limiter.acquire(1), 10**12)
        assert limiter.wait(1) <= 61

    play(scene)


def test_a_negative_figure_of_the_service_counts_as_nothing(make, play):
    async def scene():
        limiter = make(max_tokens_per_minute=6_000)
        limiter.settle(await limiter.acquire(1), -500)
        assert limiter.usage().total_tokens == limiter.usage().tokens == 0

    play(scene)


def test_never_sent_gives_back_request_tokens_and_place(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=1, max_tokens_per_minute=6_000, max_concurrent=1)
        for _ in range(5):
            limiter.settle(await limiter.acquire(6_000), None)
        usage = limiter.usage()
        assert (usage.requests, usage.tokens, usage.in_flight) == (0, 0, 0)
        assert (usage.total_requests, usage.total_tokens) == (0, 0)

    play(scene)


def test_settling_twice_raises_and_gives_nothing_back(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=1)
        permit = await limiter.acquire(1)
        limiter.settle(permit, 1)
        with pytest.raises(RuntimeError, match="settled already"):
            limiter.settle(permit, None)
        assert limiter.wait(1) == pytest.approx(60)

    play(scene)


def test_a_permit_of_another_limiter_is_not_taken(make, play):
    async def scene():
        permit = await make().acquire(1)
        with pytest.raises(RuntimeError, match="not of this limiter"):
            make().settle(permit, 1)

    play(scene)


def test_usage_counts_the_last_minute_and_all_time(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=600)
        for _ in range(3):
            limiter.settle(await limiter.acquire(7), 7)
        await asyncio.sleep(30)
        limiter.settle(await limiter.acquire(7), 7)
        assert (limiter.usage().requests, limiter.usage().tokens) == (4, 28)
        await asyncio.sleep(35)
        assert (limiter.usage().requests, limiter.usage().tokens) == (1, 7)
        await asyncio.sleep(3_600)
        assert (limiter.usage().requests, limiter.usage().tokens) == (0, 0)
        assert (limiter.usage().total_requests, limiter.usage().total_tokens) == (4, 28)

    play(scene)


def test_a_request_settled_after_more_than_a_minute_leaves_the_last_minute_alone(make, play):
    async def scene():
        limiter = make()
        long = await limiter.acquire(100)
        await asyncio.sleep(60)
        await limiter.acquire(7)
        limiter.settle(long, 30)
        assert (limiter.usage().requests, limiter.usage().tokens) == (1, 7)
        assert limiter.usage().total_tokens == 37

    play(scene)


def test_a_request_that_goes_first_is_a_retry_once_it_is_granted(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=60)
        await limiter.acquire(1)
        back = asyncio.create_task(limiter.acquire(1, first=True))
        await pass_steps()
        assert limiter.usage().retries == 0
        await back
        assert limiter.usage().retries == 1
        await limiter.acquire(1)
        await asyncio.sleep(10)
        await limiter.acquire(1, first=True)
        assert (limiter.usage().retries, limiter.usage().total_requests) == (2, 4)

    play(scene)


def test_a_retry_that_was_never_sent_is_none(make, play):
    async def scene():
        limiter = make()
        sent, unsent = [await limiter.acquire(1, first=True) for _ in range(2)]
        limiter.settle(sent, 1)
        limiter.settle(unsent, None)
        assert (limiter.usage().retries, limiter.usage().total_requests) == (1, 1)

    play(scene)


def test_a_retry_whose_wait_is_cancelled_is_none(make, play):
    async def scene():
        limiter = make(max_concurrent=1)
        permit = await limiter.acquire(1)
        waiting = [asyncio.create_task(limiter.acquire(1, first=True)) for _ in range(2)]
        await pass_steps()
        waiting[0].cancel()
        await pass_steps()
        limiter.settle(permit, 1)
        waiting[1].cancel()  # granted, but not running yet
        await pass_steps()
        assert (limiter.usage().retries, limiter.usage().in_flight) == (0, 0)

    play(scene)


def test_history_counts_the_requests_of_every_5_seconds_oldest_first(make, play):
    async def scene():
        limiter = make()
        assert limiter.history() == (0,) * 60
        await asyncio.sleep(-now() % 5)
        for requests, seconds in ((3, 4.5), (1, 5.5), (2, 10)):
            for _ in range(requests):
                limiter.settle(await limiter.acquire(7), 7)
            await asyncio.sleep(seconds)
        assert limiter.history() == (0,) * 55 + (4, 0, 2, 0, 0)

    play(scene)


def test_history_changes_only_when_a_request_goes_out_or_5_seconds_have_passed(make, play):
    async def scene():
        limiter = make(max_concurrent=2)
        await asyncio.sleep(-now() % 5 + 1)
        permit = await limiter.acquire(1)
        before = limiter.history()
        await asyncio.sleep(3.9)
        limiter.settle(permit, 100)
        limiter.pause(0)
        assert limiter.history() == before == (0,) * 59 + (1,)
        await asyncio.sleep(0.2)
        assert limiter.history() == (0,) * 58 + (1, 0)
        await limiter.acquire(1)
        assert limiter.history() == (0,) * 58 + (1, 1)

    play(scene)


def test_history_forgets_after_5_minutes(make, play):
    async def scene():
        limiter = make()
        await asyncio.sleep(-now() % 5)
        await limiter.acquire(1)
        await asyncio.sleep(299)
        assert limiter.history() == (1,) + (0,) * 59
        await asyncio.sleep(1)
        assert limiter.history() == (0,) * 60
        await limiter.acquire(1)
        assert limiter.history() == (0,) * 59 + (1,)

    play(scene)


def test_a_request_that_turns_out_to_be_never_sent_leaves_the_history(make, play):
    async def scene():
        limiter = make()
        await asyncio.sleep(-now() % 5)
        kept, unsent = [await limiter.acquire(1) for _ in range(2)]
        await asyncio.sleep(100)
        limiter.settle(unsent, None)
        limiter.settle(kept, 1)
        assert limiter.history() == (0,) * 39 + (1,) + (0,) * 20

    play(scene)


def test_a_request_settled_after_more_than_5_minutes_leaves_the_history_alone(make, play):
    async def scene():
        limiter = make()
        long = await limiter.acquire(1)
        await asyncio.sleep(300)
        await limiter.acquire(1)
        limiter.settle(long, None)
        assert sum(limiter.history()) == 1
        assert limiter.usage().requests == 1

    play(scene)


def test_the_last_minute_is_counted_wherever_in_five_minutes_it_lies(make, play):
    async def scene():
        limiter = make()
        for _ in range(700):
            await limiter.acquire(2)
            await asyncio.sleep(1)
            requests = min(59, limiter.usage().total_requests)
            assert (limiter.usage().requests, limiter.usage().tokens) == (requests, 2 * requests)

    play(scene)


def test_usage_tells_the_limits_the_queue_and_when_its_first_may_go(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=30, max_tokens_per_minute=9_000, max_concurrent=9)
        await limiter.acquire(1)
        waiting = [asyncio.create_task(limiter.acquire(1)) for _ in range(3)]
        await pass_steps()
        usage = limiter.usage()
        assert (usage.max_requests_per_minute, usage.max_tokens_per_minute) == (30, 9_000)
        assert (usage.max_concurrent, usage.in_flight, usage.queued) == (9, 1, 3)
        assert usage.next_in == pytest.approx(2)
        await asyncio.gather(*waiting)
        assert limiter.usage().next_in == 0

    play(scene)


def test_wait_foretells_when_a_request_would_be_admitted(make, play):
    async def scene():
        limiter = make(max_requests_per_minute=600, max_tokens_per_minute=6_000)
        assert limiter.wait(300) == 0
        waiting = [asyncio.create_task(limiter.acquire(size)) for size in (300, 1, 200, 40)]
        await pass_steps()
        foretold, begin = limiter.wait(20), now()
        await limiter.acquire(20)
        assert foretold == pytest.approx(now() - begin, abs=1e-3)
        assert foretold > 4
        await asyncio.gather(*waiting)

    play(scene)


def test_wait_is_infinite_where_only_the_end_of_another_request_helps(make, play):
    async def scene():
        limiter = make(max_tokens_per_minute=100, max_concurrent=1)
        assert limiter.wait(101) == math.inf
        permit = await limiter.acquire(1)
        assert limiter.wait(1) == math.inf
        limiter.settle(permit, 1)
        assert limiter.wait(1) < 60

    play(scene)
