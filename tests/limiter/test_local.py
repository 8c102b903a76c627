"""What is the in-process limiter's own: limits that change, loops that end, other threads."""

import asyncio
import gc
import threading
import weakref

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from nbconvo.errors import InputError, RequestTooLarge
from nbconvo.limiter import LocalLimiter
from nbconvo.services.limits import LimitTold

UNLIMITED = {"max_requests_per_minute": None, "max_tokens_per_minute": None, "max_concurrent": None}


def local(**limits):
    return LocalLimiter(**limits, clock=asyncio.get_running_loop().time)


def at_once(limiter, tokens):
    """Acquire outside any event loop, which works only where nothing has to wait."""
    coroutine = limiter.acquire(tokens)
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


def test_with_room_acquire_needs_neither_loop_nor_task():
    limiter = LocalLimiter(60, 6_000, 1)
    limiter.settle(at_once(limiter, 50), 50)
    assert limiter.usage().total_requests == 1


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_not_above_0_is_refused(rate):
    with pytest.raises(InputError, match=f"max_tokens_per_minute .* above 0, not '{rate}'"):
        LocalLimiter(max_tokens_per_minute=rate)


def test_a_refused_limit_changes_nothing():
    limiter = LocalLimiter(30)
    with pytest.raises(InputError):
        limiter.set_limits(**UNLIMITED | {"max_requests_per_minute": 5, "max_tokens_per_minute": 0})
    assert limiter.usage().max_requests_per_minute == 30
    at_once(limiter, 1)
    assert limiter.wait(1) == pytest.approx(2, abs=0.1)


def test_the_name_stands_in_the_error():
    limiter = LocalLimiter(max_tokens_per_minute=10, name="openrouter")
    with pytest.raises(RequestTooLarge, match=r"^openrouter: request of about 11 tokens"):
        limiter.acquire(11).send(None)


def test_a_raised_limit_lets_those_who_wait_go_at_once(play):
    async def scene():
        limiter = local(max_requests_per_minute=1, max_concurrent=2)
        waiting = [asyncio.create_task(limiter.acquire(1)) for _ in range(20)]
        await asyncio.sleep(0.1)
        assert limiter.usage().queued == 19
        limiter.set_limits(**UNLIMITED)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert all(task.done() for task in waiting)

    play(scene)


def test_a_lowered_limit_holds_for_those_who_wait(play):
    async def scene():
        loop = asyncio.get_running_loop()
        limiter = local(max_requests_per_minute=60)
        await limiter.acquire(1)
        waiting = asyncio.create_task(limiter.acquire(1))
        await asyncio.sleep(0)
        limiter.set_limits(**UNLIMITED | {"max_requests_per_minute": 6})
        begin = loop.time()
        await waiting
        assert loop.time() - begin == pytest.approx(10, abs=1e-3)

    play(scene)


def test_who_waits_and_is_too_large_for_a_lowered_limit_is_refused_and_the_next_goes_on(play):
    async def scene():
        limiter = local(max_tokens_per_minute=6_000)
        await limiter.acquire(50)
        large = asyncio.create_task(limiter.acquire(5_000))
        small = asyncio.create_task(limiter.acquire(50))
        await asyncio.sleep(0)
        limiter.set_limits(**UNLIMITED | {"max_tokens_per_minute": 4_000})
        with pytest.raises(RequestTooLarge, match=r"5,000 tokens is more than the 4,000 a minute"):
            await large
        await small
        assert limiter.usage().in_flight == 2

    play(scene)


def test_changing_limits_again_and_again_admits_no_more(play):
    async def scene():
        limiter = local(max_requests_per_minute=60)
        for turn in range(50):
            limiter.set_limits(**UNLIMITED | {"max_requests_per_minute": 60 + turn % 2})
            if limiter.wait(1) == 0:
                await limiter.acquire(1)
        assert limiter.usage().requests == 1

    play(scene)


def test_who_waited_on_a_closed_loop_is_forgotten(virtual_loop):
    old = virtual_loop()
    old.set_exception_handler(lambda loop, context: None)
    limiter = LocalLimiter(60, clock=old.time)
    at_once(limiter, 1)
    task = weakref.ref(old.create_task(limiter.acquire(1)))
    old.call_soon(old.stop)
    old.run_forever()
    assert limiter.usage().queued == 1
    old.close()
    limiter.pause(0)
    gc.collect()
    assert limiter.usage().queued == 0
    assert task() is None


def test_a_new_loop_does_not_queue_behind_those_of_a_closed_one(virtual_loop):
    old, new = virtual_loop(), virtual_loop()
    old.set_exception_handler(lambda loop, context: None)
    limiter = LocalLimiter(max_concurrent=1)
    permit = at_once(limiter, 1)
    old.create_task(limiter.acquire(1))
    old.call_soon(old.stop)
    old.run_forever()
    old.close()
    waiting = new.create_task(limiter.acquire(1))
    new.call_soon(limiter.settle, permit, 1)
    assert new.run_until_complete(waiting).tokens == 1
    assert limiter.usage().queued == 0
    new.close()


def test_a_second_loop_is_refused_while_the_first_one_has_a_queue(virtual_loop):
    one, two = virtual_loop(), virtual_loop()
    limiter = LocalLimiter(max_concurrent=1)
    at_once(limiter, 1)
    task = one.create_task(limiter.acquire(1))
    one.call_soon(one.stop)
    one.run_forever()
    with pytest.raises(RuntimeError, match="another event loop"):
        two.run_until_complete(limiter.acquire(1))
    task.cancel()
    one.call_soon(one.stop)
    one.run_forever()
    one.close()
    two.close()


def test_usage_history_and_wait_can_be_read_from_another_thread_while_requests_pass(play):
    async def scene():
        limiter = local(max_requests_per_minute=6_000, max_tokens_per_minute=60_000)
        seen, stop = [], threading.Event()

        def watch():
            while not stop.is_set():
                seen.append((limiter.usage(), limiter.history(), limiter.wait(10)))

        watcher = threading.Thread(target=watch)
        watcher.start()

        async def ask():
            permit = await limiter.acquire(10)
            await asyncio.sleep(0.05)
            limiter.settle(permit, 5)

        for _ in range(5):
            await asyncio.gather(*(ask() for _ in range(100)))
        stop.set()
        watcher.join()
        assert seen
        assert max(usage.queued for usage, *_ in seen) <= 100
        assert all(0 <= sum(history) <= 500 for _, history, _ in seen)
        assert limiter.usage().total_requests == 500
        assert limiter.usage().total_tokens == 2_500

    play(scene)


def test_no_timer_is_left_when_nobody_waits(play):
    async def scene():
        loop = asyncio.get_running_loop()
        limiter = local(max_requests_per_minute=1)
        await limiter.acquire(1)
        waiting = asyncio.create_task(limiter.acquire(1))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        assert not [handle for handle in loop._scheduled if not handle.cancelled()]

    play(scene)


class Books(RuleBasedStateMachine):
    """Everything that can happen to requests, in any order; the books must balance."""

    requests_per_minute, tokens_per_minute, concurrent = 120.0, 6_000.0, 3

    def __init__(self, loop):
        super().__init__()
        self.loop = loop
        self.limiter = LocalLimiter(
            self.requests_per_minute, self.tokens_per_minute, self.concurrent, clock=loop.time
        )
        self.tasks = []
        self.held = []

    def turn_loop(self, times=6):
        for _ in range(times):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def collect(self):
        """Sort out what became of the tasks, once all that can happen now has happened."""
        self.turn_loop()
        done = [task for task in self.tasks if task.done()]
        self.tasks = [task for task in self.tasks if not task.done()]
        self.held += [t.result() for t in done if not t.cancelled() and t.exception() is None]

    @rule(
        tokens=st.integers(0, 6_000),
        output=st.integers(0, 100),
        first=st.booleans(),
        bulk=st.none() | st.integers(0, 2),
        model=st.sampled_from(["a", "b", None]),
    )
    def ask(self, tokens, output, first, bulk, model):
        waiting = self.limiter.acquire(
            tokens, output=min(output, tokens), first=first, bulk=bulk, model=model
        )
        self.tasks.append(self.loop.create_task(waiting))

    @rule(data=st.data())
    def cancel_anybody(self, data):
        if self.tasks:
            data.draw(st.sampled_from(self.tasks)).cancel()

    @rule()
    def look(self):
        self.collect()

    @rule(data=st.data(), used=st.none() | st.integers(0, 9_000), cancel=st.booleans())
    def settle_anybody(self, data, used, cancel):
        self.collect()
        if self.held:
            permit = data.draw(st.sampled_from(self.held))
            self.held.remove(permit)
            self.limiter.settle(permit, used)
            # Whoever was admitted just now has not run yet.
            if cancel and self.tasks:
                data.draw(st.sampled_from(self.tasks)).cancel()

    @rule(
        data=st.data(),
        limit=st.integers(1, 200),
        remaining=st.integers(0, 200),
        reset=st.none() | st.floats(0, 100),
        counts=st.sampled_from(["requests", "tokens", "input_tokens", "output_tokens"]),
        refused=st.booleans(),
        silent=st.booleans(),
    )
    def tell(self, data, limit, remaining, reset, counts, refused, silent):
        self.collect()
        if self.held:
            scale = 1 if counts == "requests" else 100
            told = LimitTold(counts, counts, limit * scale, remaining * scale, reset)
            permit = data.draw(st.sampled_from(self.held))
            self.limiter.observe(permit, () if silent else (told,), refused=refused)

    @rule(seconds=st.floats(0, 30))
    def pass_time(self, seconds):
        self.collect()
        self.loop.pass_time(seconds)

    @rule(seconds=st.floats(0, 5))
    def pause(self, seconds):
        self.limiter.pause(seconds)

    @rule(raised=st.booleans())
    def change_limits(self, raised):
        factor = 2 if raised else 1
        self.limiter.set_limits(
            max_requests_per_minute=self.requests_per_minute * factor,
            max_tokens_per_minute=self.tokens_per_minute * factor,
            max_concurrent=self.concurrent * factor,
        )

    @invariant()
    def no_more_in_flight_than_allowed_nor_fewer_than_held(self):
        usage = self.limiter.usage()
        assert len(self.held) <= usage.in_flight <= 2 * self.concurrent
        assert usage.requests >= 0
        assert usage.tokens >= 0
        assert 0 <= usage.retries <= usage.total_requests

    @invariant()
    def the_history_holds_the_last_minute(self):
        assert self.limiter.usage().requests <= sum(self.limiter.history())
        assert min(self.limiter.history()) >= 0

    @invariant()
    def what_is_reserved_is_what_is_in_flight(self):
        held = self.limiter._ledger.held
        for model, limits in self.limiter._ledger._limits.items():
            mine = [permit for permit in held if permit.model == model]
            assert limits._beliefs._owed == sum(permit.output for permit in mine)
            assert limits._unanswered == sum(not permit.answered for permit in mine)
            assert limits._under_way == len(mine)

    @invariant()
    def a_window_holds_what_was_taken_in_it(self):
        for allowance in {
            a for each in self.limiter._ledger._limits.values() for a in each._active
        }:
            if (window := allowance.window) is not None:
                assert window._total == pytest.approx(sum(a for _, a in window._taken.values()))

    @invariant()
    def no_bucket_is_above_its_capacity(self):
        now = self.loop.time()
        assert self.limiter.wait(0) >= 0
        for pace in self.limiter._ledger.stated.paces.values():
            bucket = pace.bucket
            beyond = bucket.capacity + bucket.rate
            assert bucket.delay(beyond, now, ahead=1e-9) >= 0

    def teardown(self):
        self.collect()
        usage = self.limiter.usage()
        assert usage.in_flight == len(self.held)
        assert usage.queued == len(self.tasks)
        self.limiter.set_limits(**UNLIMITED)
        for task in self.tasks:
            task.cancel()
        self.collect()
        for permit in self.held:
            self.limiter.settle(permit, None)
        usage = self.limiter.usage()
        assert (usage.in_flight, usage.queued, len(self.limiter._queue.lanes._tokens)) == (0, 0, 0)
        self.loop.close()


def test_whatever_happens_the_books_balance(virtual_loop):
    run_state_machine_as_test(
        lambda: Books(virtual_loop()),
        settings=settings(max_examples=60, stateful_step_count=40, deadline=None, database=None),
    )


def test_permits_of_a_loop_that_was_closed_hold_up_nobody():
    limiter = LocalLimiter(max_concurrent=1)

    async def take():
        return await limiter.acquire(1)

    lost = asyncio.run(take())
    again = asyncio.run(take())
    limiter.settle(lost, 1)
    assert limiter.usage().in_flight == 1
    limiter.settle(again, 1)
    assert limiter.usage().total_requests == 1


def test_a_service_that_refused_all_for_minutes_is_asked_as_often_as_before_soon_after(play):
    async def scene():
        now = asyncio.get_running_loop().time
        limiter, answered = LocalLimiter(60, clock=now), []
        ends = now() + 300

        async def ask():
            refused = True
            while refused:
                permit = await limiter.acquire(1)
                await asyncio.sleep(0.3)
                refused = now() < ends
                limiter.observe(permit, (), refused=refused)
                if refused:
                    limiter.pause(8)
                limiter.settle(permit, 0 if refused else 1)
            answered.append(now() - ends)

        asks = [asyncio.create_task(ask()) for _ in range(5_000)]
        await asyncio.sleep(300 + 1_800)
        assert sum(at > 900 for at in answered) > 850
        for task in asks:
            task.cancel()
        await asyncio.gather(*asks, return_exceptions=True)

    play(scene)
