"""The I/O thread: what runs there, how its results come back, and how it ends."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing

import pytest

from nbconvo.bridge import Bridge
from nbconvo.bridge.inbox import LoopInbox, ThreadInbox
from nbconvo.bridge.interrupts import interruptible
from nbconvo.bridge.waker import Waker, Wakers
from nbconvo.errors import NbConvoError, Stopped

LONG = 30.0  # seconds; nothing here waits that long unless it hangs
TICK = 0.01  # seconds between two batches


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    bridge = Bridge()
    yield bridge
    bridge.close()


class Work:
    """A coroutine that says when it began and how it ended."""

    def __init__(self, clean_up: float = 0.0) -> None:
        self.clean_up = clean_up
        self.begun = threading.Event()
        self.end: str | None = None

    async def forever(self) -> None:
        self.begun.set()
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            await asyncio.sleep(self.clean_up)
            self.end = "cancelled"
            raise

    async def items(self, count: int, *, then: Exception | None = None) -> AsyncGenerator[int]:
        """Yield ``count`` numbers; then end, raise ``then``, or go on for ever (``...``)."""
        try:
            for number in range(count):
                yield number
                await asyncio.sleep(0)
            self.begun.set()
            if then is ...:
                await asyncio.sleep(LONG)
            elif then is not None:
                raise then
        finally:
            await asyncio.sleep(self.clean_up)
            self.end = "cleaned up"


async def thread_name() -> str:
    return threading.current_thread().name


async def answer(value: int = 42) -> int:
    await asyncio.sleep(0)
    return value


async def fail() -> None:
    raise LookupError("no whale")


def drain(batches: Iterator[list[int]], into: list[int]) -> None:
    for batch in batches:
        into += batch


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


# --- run: the sync door --------------------------------------------------------------------


def test_run_returns_what_the_coroutine_does(bridge: Bridge):
    assert bridge.run(answer()) == 42


def test_run_raises_what_the_coroutine_does(bridge: Bridge):
    with pytest.raises(LookupError, match="no whale"):
        bridge.run(fail())


def test_all_runs_on_one_daemon_thread_that_starts_on_first_use(bridge: Bridge):
    assert not bridge.running
    assert {bridge.run(thread_name()) for _ in range(3)} == {"nbconvo-io"}
    (thread,) = (t for t in threading.enumerate() if t.name == "nbconvo-io" and t.daemon)
    assert thread.is_alive()
    assert bridge.running


async def test_run_works_where_an_event_loop_is_running(bridge: Bridge):
    assert bridge.run(answer()) == 42


def test_run_works_from_any_thread(bridge: Bridge):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: bridge.run(answer(n)), range(40)))
    assert results == list(range(40))


def test_even_an_exit_on_the_thread_leaves_it_running(bridge: Bridge):
    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        bridge.run(leave())
    assert bridge.run(answer()) == 42


def test_on_the_io_thread_itself_waiting_is_refused_at_once(bridge: Bridge):
    async def wait_for_itself() -> list[str]:
        said = []
        for wait in (
            lambda: bridge.run(answer()),
            lambda: bridge.batches(Work().items(3), TICK),
        ):
            with pytest.raises(NbConvoError, match=r"wait on the I/O thread.*await") as caught:
                wait()
            said.append(str(caught.value))
        return said

    assert len(bridge.start(wait_for_itself()).result(5)) == 2


# --- start: a job --------------------------------------------------------------------------


async def test_a_job_can_be_awaited(bridge: Bridge):
    job = bridge.start(answer())
    assert await job == 42
    assert job.done()
    assert await job == 42


async def test_an_awaited_job_raises_what_it_raised(bridge: Bridge):
    with pytest.raises(LookupError, match="no whale"):
        await bridge.start(fail())


def test_a_job_can_be_waited_for_on_another_loop_than_where_it_was_started(bridge: Bridge):
    job = bridge.start(answer())

    async def wait() -> int:
        return await job

    assert [asyncio.run(wait()) for _ in range(2)] == [42, 42]


async def test_each_job_runs_in_the_context_of_who_began_it(bridge: Bridge):
    whose = contextvars.ContextVar[int]("whose")
    jobs = []

    async def mine() -> int:
        return whose.get()

    for number in range(3):
        whose.set(number)
        jobs.append(bridge.start(mine()))
    assert [await job for job in jobs] == [0, 1, 2]


async def test_jobs_run_side_by_side(bridge: Bridge):
    meet = asyncio.Barrier(3)

    async def come() -> int:
        async with meet:
            return meet.n_waiting + 1

    assert len(await asyncio.gather(*(bridge.start(come()) for _ in range(3)))) == 3


def test_a_cancelled_job_is_done_when_its_clean_up_is(bridge: Bridge):
    work = Work(clean_up=0.05)
    job = bridge.start(work.forever())
    assert work.begun.wait(5)
    job.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        job.result(5)
    assert work.end == "cancelled"


def test_a_job_cancelled_before_it_began_ends_all_the_same(bridge: Bridge):
    bridge.run(answer())
    for _ in range(20):
        job = bridge.start(Work().forever())
        job.cancel()
        with pytest.raises(concurrent.futures.CancelledError):
            job.result(5)


def test_cancelling_what_has_ended_does_nothing(bridge: Bridge):
    job = bridge.start(answer())
    assert job.result(5) == 42
    job.cancel()
    bridge.close()
    job.cancel()
    assert job.result(5) == 42


async def test_a_cancelled_await_cancels_its_job_and_waits_for_the_clean_up(bridge: Bridge):
    work = Work(clean_up=0.05)
    job = bridge.start(work.forever())
    waiting = asyncio.create_task(job.wait())
    await asyncio.to_thread(work.begun.wait, 5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert work.end == "cancelled"
    assert job.done()


def test_a_job_cancelled_for_a_reason_tells_it_to_who_waits(bridge: Bridge):
    job = bridge.start(Work().forever())
    job.cancel("stopped")
    job.cancel()
    with pytest.raises(Stopped, match=r"^stopped$"):
        job.result(5)


async def test_awaiting_a_stopped_job_raises_no_keyboard_interrupt(bridge: Bridge):
    job = bridge.start(Work().forever())
    job.cancel("stopped")
    with pytest.raises(NbConvoError, match=r"^stopped$"):
        await job


def test_a_cancellation_from_within_a_job_is_no_stop(bridge: Bridge):
    async def give_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(concurrent.futures.CancelledError):
        bridge.start(give_up()).result(5)


# --- batches: the sync door for streams ----------------------------------------------------


def test_items_begin_before_anybody_reads_them(bridge: Bridge):
    work = Work()
    batches = bridge.batches(work.items(3), TICK)
    assert work.begun.wait(5)
    assert [item for batch in batches for item in batch] == [0, 1, 2]


def test_items_begin_in_the_order_of_asking(bridge: Bridge):
    begun: list[int] = []

    async def items(number: int) -> AsyncGenerator[int]:
        begun.append(number)
        yield number

    asked = [bridge.batches(items(number), TICK) for number in range(5)]
    for batches in reversed(asked):
        list(batches)
    assert begun == [0, 1, 2, 3, 4]


def test_items_that_nobody_reads_end_when_they_are_closed(bridge: Bridge):
    work = Work(clean_up=0.03)
    batches = bridge.batches(work.items(3, then=...), TICK)
    assert work.begun.wait(5)
    batches.close()
    assert work.end == "cleaned up"


def test_batches_hold_every_item_in_order(bridge: Bridge):
    work = Work()
    batches = list(bridge.batches(work.items(500), TICK))
    assert [item for batch in batches for item in batch] == list(range(500))
    assert work.end == "cleaned up"


def test_the_first_item_does_not_wait_for_the_interval(bridge: Bridge):
    before = time.monotonic()
    batches = bridge.batches(Work().items(1, then=...), LONG)
    assert next(batches) == [0]
    assert time.monotonic() - before < 5
    batches.close()


def test_what_comes_in_one_step_of_the_loop_comes_together(bridge: Bridge):
    async def items() -> AsyncGenerator[int]:
        yield 0
        threading.Event().wait(TICK)  # lets the reader run, as writing to disk does
        yield 1

    assert list(bridge.batches(items(), LONG)) == [[0, 1]]


def test_a_batch_is_empty_when_nothing_has_come(bridge: Bridge):
    batches = bridge.batches(Work().items(0, then=...), TICK)
    assert [next(batches), next(batches)] == [[], []]
    batches.close()


def test_what_the_items_raise_comes_after_them(bridge: Bridge):
    got: list[int] = []
    with pytest.raises(LookupError, match="no whale"):
        drain(bridge.batches(Work().items(5, then=LookupError("no whale")), TICK), got)
    assert got == [0, 1, 2, 3, 4]


def test_leaving_the_loop_early_ends_the_items(bridge: Bridge):
    work = Work(clean_up=0.03)
    batches = bridge.batches(work.items(3, then=...), TICK)
    next(filter(None, batches))
    batches.close()
    assert work.end == "cleaned up"


# --- relay: the await door for streams -----------------------------------------------------


async def test_relayed_items_come_in_order(bridge: Bridge):
    work = Work()
    assert [item async for item in bridge.relay(work.items(500))] == list(range(500))
    assert work.end == "cleaned up"


async def test_what_relayed_items_raise_comes_after_them(bridge: Bridge):
    got = []
    items = bridge.relay(Work().items(5, then=LookupError("no whale")))
    for _ in range(5):
        got.append(await anext(items))
    with pytest.raises(LookupError, match="no whale"):
        await anext(items)
    assert got == [0, 1, 2, 3, 4]


async def test_leaving_a_relay_early_ends_the_items(bridge: Bridge):
    work = Work(clean_up=0.03)
    async with aclosing(bridge.relay(work.items(3, then=...))) as items:
        assert await anext(items) == 0
    assert work.end == "cleaned up"


async def test_cancelling_a_relay_ends_the_items(bridge: Bridge):
    work = Work(clean_up=0.03)

    async def read() -> None:
        async with aclosing(bridge.relay(work.items(3, then=...))) as items:
            async for _ in items:
                pass

    reading = asyncio.create_task(read())
    await asyncio.to_thread(work.begun.wait, 5)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert work.end == "cleaned up"


def test_a_relay_works_on_the_io_thread_too(bridge: Bridge):
    async def read() -> list[int]:
        return [item async for item in bridge.relay(Work().items(3))]

    assert bridge.run(read()) == [0, 1, 2]


# --- inboxes -------------------------------------------------------------------------------


def test_an_inbox_gathers_for_an_interval():
    inbox = ThreadInbox[int]()
    inbox.put(1)
    assert inbox.take(TICK) == ([1], True)
    inbox.put(2)
    inbox.put(3)
    assert inbox.take(TICK) == ([2, 3], True)
    inbox.put(4)
    inbox.close()
    assert inbox.take(TICK) == ([4], False)


def test_what_came_along_with_the_first_item_after_a_pause_is_taken_with_it():
    inbox = ThreadInbox[int]()
    inbox.put(1)
    inbox.put(2)
    inbox.close()
    assert inbox.take(LONG) == ([1, 2], False)


class CountingLoop:
    """Counts how often it is woken."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.woken = 0

    def call_soon_threadsafe(self, callback) -> None:
        self.woken += 1
        self.loop.call_soon_threadsafe(callback)


class InterruptedLoop(CountingLoop):
    """Interrupts who wakes it for the first time, before or after that."""

    def __init__(self, before: bool) -> None:
        super().__init__()
        self.before = before

    def call_soon_threadsafe(self, callback) -> None:
        if self.woken or not self.before:
            super().call_soon_threadsafe(callback)
        self.woken += self.before
        if self.woken == 1:
            raise KeyboardInterrupt


class BeatingLoop:
    """Keeps the timers that are set; its time is the test's."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback) -> asyncio.TimerHandle:
        assert delay < 0.1
        loop = asyncio.get_running_loop()
        self.timers.append(asyncio.TimerHandle(self.now + delay, callback, (), loop))
        return self.timers[-1]

    def ring(self, *, interrupted: bool = False) -> None:
        self.now += 0.1
        timers, self.timers = self.timers, []
        for timer in timers:
            if not timer.cancelled() and not interrupted:
                timer._callback()


async def test_a_loop_is_woken_once_for_all_that_waits():
    loop = CountingLoop()
    inbox = LoopInbox[int](Waker(loop))
    for number in range(100):
        inbox.put(number)
    assert await inbox.take() == (list(range(100)), True)
    await asyncio.sleep(0)
    assert loop.woken == 1
    inbox.put(100)
    assert loop.woken == 2
    inbox.close()
    assert await inbox.take() == ([100], False)


async def test_a_loop_is_woken_once_for_all_calls_that_wait():
    loop, called = CountingLoop(), []
    waker = Waker(loop)
    for number in range(100):
        waker.call(lambda number=number: called.append(number))
    await asyncio.sleep(0)
    assert (called, loop.woken) == (list(range(100)), 1)
    waker.call(lambda: called.append(100))
    await asyncio.sleep(0)
    assert (called[-1], loop.woken) == (100, 2)


async def test_what_one_loop_calls_in_one_step_wakes_the_other_once_when_that_is_over():
    loop, called = CountingLoop(), []
    waker = Waker(loop)
    for number in range(3):
        waker.gather(lambda number=number: called.append(number), asyncio.get_running_loop())
    assert loop.woken == 0
    for _ in range(2):
        await asyncio.sleep(0)
    assert (called, loop.woken) == ([0, 1, 2], 1)


async def test_a_job_that_has_ended_can_be_awaited(bridge: Bridge):
    job = bridge.start(asyncio.sleep(0, "done"))
    assert job.result() == "done"
    assert await job == "done"
    assert await job == "done"


@pytest.mark.parametrize("before", [True, False])
async def test_an_interrupt_while_a_loop_is_being_woken_leaves_it_to_be_woken(before: bool):
    loop, called = InterruptedLoop(before), []
    waker = Waker(loop)
    with pytest.raises(KeyboardInterrupt):
        waker.call(lambda: called.append(1))
    await asyncio.sleep(0)
    waker.call(lambda: called.append(2))
    await asyncio.sleep(0)
    assert called == [1, 2]


async def test_a_call_that_fails_does_not_hold_back_the_others():
    loop, called, told = asyncio.get_running_loop(), [], []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    waker, error = Waker(loop), ValueError("no")

    def fail() -> None:
        raise error

    waker.call(fail)
    waker.call(lambda: called.append(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (called, told) == ([1], [error])


async def test_a_loop_that_is_closed_is_told_to_who_calls():
    loop = asyncio.new_event_loop()
    loop.close()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="closed"):
            Waker(loop).call(lambda: None)


async def test_a_loop_beats_while_something_is_awaited_and_then_no_more():
    loop = BeatingLoop()
    waker = Waker(loop)
    with waker.heartbeat(), waker.heartbeat():
        for _ in range(3):
            assert len(loop.timers) == 1
            loop.ring()
    loop.ring()
    assert loop.timers == []
    with waker.heartbeat():
        assert len(loop.timers) == 1


async def test_a_beat_that_was_interrupted_is_followed_by_those_of_the_next_await():
    loop = BeatingLoop()
    waker = Waker(loop)
    with waker.heartbeat():
        loop.ring(interrupted=True)
        assert loop.timers == []
        with waker.heartbeat():
            loop.ring()
            assert len(loop.timers) == 1


def test_each_loop_has_a_waker_of_its_own():
    wakers, first, other = Wakers(), asyncio.new_event_loop(), asyncio.new_event_loop()
    waker = wakers.of(first)
    assert wakers.of(first) is waker
    assert wakers.of(other).loop is other
    assert wakers.of(first).loop is first
    first.close()
    other.close()


async def test_taking_from_an_empty_inbox_waits_so_long_and_no_longer():
    assert await LoopInbox[int](Waker(asyncio.get_running_loop())).take(TICK) == ([], True)


async def test_after_a_pause_a_loop_gets_the_first_item_at_once_and_then_gathers():
    inbox = LoopInbox[int](Waker(asyncio.get_running_loop()))
    inbox.put(1)
    before = time.monotonic()
    assert await inbox.take(LONG) == ([1], True)
    assert time.monotonic() - before < 5
    inbox.put(2)
    gathering = asyncio.create_task(inbox.take(LONG))
    for number in (3, 4):
        await asyncio.sleep(TICK)
        inbox.put(number)
    await asyncio.sleep(TICK)
    assert not gathering.done()
    inbox.close()
    assert await gathering == ([2, 3, 4], False)


async def test_a_loop_gathers_for_an_interval_and_no_longer():
    inbox = LoopInbox[int](Waker(asyncio.get_running_loop()))
    inbox.put(1)
    await inbox.take(TICK)
    taken = time.monotonic()
    inbox.put(2)
    assert await inbox.take(0.05) == ([2], True)
    assert 0.04 <= time.monotonic() - taken < 5


# --- interrupts ----------------------------------------------------------------------------

needs_signals = pytest.mark.skipif(os.name == "nt", reason="no signals to send")


@pytest.fixture
def _handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


async def interrupted(work: Work) -> None:
    press_ctrl_c()
    await work.forever()


@needs_signals
@pytest.mark.usefixtures("_handler")
def test_an_interrupt_cancels_what_runs_and_waits_for_its_clean_up(bridge: Bridge):
    work = Work(clean_up=0.05)
    before = time.monotonic()
    with pytest.raises(Stopped) as caught:
        bridge.run(interrupted(work))
    assert time.monotonic() - before < 2
    assert work.end == "cancelled"
    assert isinstance(caught.value, KeyboardInterrupt)
    assert bridge.run(answer()) == 42


def read_interruptibly(bridge: Bridge, items: AsyncGenerator[int], into: list[int]) -> None:
    with (
        interruptible() as watch,
        closing(bridge.batches(items, TICK, watch=watch)) as batches,
        pytest.raises(Stopped),  # already here, so that the end can be painted
    ):
        drain(batches, into)


@needs_signals
@pytest.mark.usefixtures("_handler")
def test_an_interrupt_keeps_the_items_that_had_come(bridge: Bridge):
    async def items() -> AsyncGenerator[int]:
        yield 1
        yield 2
        press_ctrl_c()
        await asyncio.sleep(LONG)

    got: list[int] = []
    with pytest.raises(Stopped):
        read_interruptibly(bridge, items(), got)
    assert got == [1, 2]


@needs_signals
@pytest.mark.usefixtures("_handler")
def test_an_interrupt_between_two_batches_counts(bridge: Bridge):
    work = Work()

    def read() -> None:
        with interruptible() as watch:
            batches = bridge.batches(work.items(3, then=...), TICK, watch=watch)
            next(filter(None, batches))
            press_ctrl_c()
            list(batches)

    with pytest.raises(Stopped):
        read()
    assert work.end == "cleaned up"


@needs_signals
@pytest.mark.usefixtures("_handler")
def test_an_interrupt_after_the_last_item_fails_the_cell_all_the_same(bridge: Bridge):
    got: list[int] = []

    def read() -> None:
        with interruptible() as watch:
            drain(bridge.batches(Work().items(3), TICK, watch=watch), got)
            press_ctrl_c()

    with pytest.raises(Stopped):
        read()
    assert got == [0, 1, 2]


@needs_signals
@pytest.mark.usefixtures("_handler")
@pytest.mark.parametrize("streams", [False, True], ids=["run", "batches"])
def test_a_second_interrupt_does_not_wait_for_a_clean_up_that_hangs(bridge: Bridge, streams: bool):
    release = threading.Event()

    async def hang() -> None:
        press_ctrl_c()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(LONG)
        press_ctrl_c()
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(TICK)

    async def hanging() -> AsyncGenerator[int]:
        await hang()
        yield 0

    before = time.monotonic()
    with pytest.raises(Stopped):
        read_interruptibly(bridge, hanging(), []) if streams else bridge.run(hang())
    assert time.monotonic() - before < 2
    release.set()


@needs_signals
@pytest.mark.usefixtures("_handler")
def test_an_interrupt_counts_that_does_not_end_the_wait_by_itself(bridge: Bridge):
    work = Work()

    async def pressed() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # as if it came just before
        await work.forever()

    before = time.monotonic()
    with pytest.raises(Stopped):
        bridge.run(pressed())
    assert time.monotonic() - before < 2


@needs_signals
@pytest.mark.usefixtures("_handler")
def test_an_interrupt_before_the_job_is_begun_stops_it(bridge: Bridge):
    class Pressed(Bridge):
        def start(self, coroutine, on_end=None):
            press_ctrl_c()
            return super().start(coroutine, on_end)

    pressed = Pressed()
    try:
        with pytest.raises(Stopped):
            pressed.run(Work().forever())
        with pytest.raises(Stopped):
            read_interruptibly(pressed, Work().items(3, then=...), [])
    finally:
        pressed.close()


# --- the end -------------------------------------------------------------------------------


def test_closing_ends_the_thread_and_the_next_use_starts_another(bridge: Bridge):
    first = bridge.run(_current_thread())
    bridge.close()
    assert not first.is_alive()
    assert not bridge.running
    assert bridge.run(_current_thread()) is not first


async def _current_thread() -> threading.Thread:
    return threading.current_thread()


def test_closing_what_never_ran_or_is_closed_does_nothing(bridge: Bridge):
    bridge.close()
    bridge.run(answer())
    bridge.close()
    bridge.close()


def test_closing_cancels_what_runs(bridge: Bridge):
    work = Work(clean_up=0.03)
    job = bridge.start(work.forever())
    bridge.close()
    with pytest.raises(Stopped, match=r"^nbconvo was unloaded$"):
        job.result(0)


def test_closing_stops_who_reads(bridge: Bridge):
    work = Work()
    batches = bridge.batches(work.items(3, then=...), TICK)
    assert work.begun.wait(5)
    bridge.close()
    got: list[int] = []
    with pytest.raises(Stopped, match=r"^nbconvo was unloaded$"):
        drain(batches, got)
    assert got == [0, 1, 2]


async def test_closing_ends_an_await_with_an_error_of_one_line(bridge: Bridge):
    work = Work()
    waiting = asyncio.ensure_future(bridge.start(work.forever()).wait())
    await asyncio.to_thread(work.begun.wait, 5)
    await asyncio.to_thread(bridge.close)
    with pytest.raises(NbConvoError, match=r"^nbconvo was unloaded$"):
        await waiting


def test_closing_runs_what_has_to_come_last_on_the_thread():
    order = []

    async def last() -> None:
        order.append(threading.current_thread().name)

    bridge = Bridge(last)
    work = Work()
    job = bridge.start(work.forever())
    assert work.begun.wait(5)
    bridge.close()
    assert order == ["nbconvo-io"]
    assert work.end == "cancelled"
    assert job.done()


def test_what_comes_last_is_that_of_the_thread_that_ends():
    held: list[str] = []
    closed: list[list[str]] = []

    def last():
        mine = [held.pop()]  # at once: the next thread may hold something by the time it runs

        async def close() -> None:
            await asyncio.sleep(0.02)
            closed.append(mine)

        return close()

    async def hold(what: str) -> None:
        held.append(what)

    bridge = Bridge(last)
    bridge.run(hold("first"))
    closing = threading.Thread(target=bridge.close)
    closing.start()
    while held:
        time.sleep(0.001)
    bridge.run(hold("second"))
    closing.join()
    assert (closed, held) == ([["first"]], ["second"])
    bridge.close()
    assert closed == [["first"], ["second"]]


def test_no_job_is_lost_between_starting_and_closing():
    bridge = Bridge()
    jobs = []

    def start() -> None:
        for _ in range(200):
            jobs.append(bridge.start(answer()))

    starting = threading.Thread(target=start)
    starting.start()
    while starting.is_alive():
        bridge.close()
    bridge.close()
    for job in jobs:
        with contextlib.suppress(Stopped):
            assert job.result(5) == 42
    assert len(jobs) == 200


# --- other processes -----------------------------------------------------------------------


def python(script: str) -> str:
    """Run a script as its own process, warnings being errors; return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert ran.stderr == ""
    assert ran.returncode == 0
    return ran.stdout


def test_the_thread_ends_with_the_process():
    printed = python(
        """
        import asyncio
        from nbconvo.bridge import Bridge

        async def last():
            print("closed")

        async def forever():
            try:
                await asyncio.sleep(30)
            finally:
                print("cancelled")

        bridge = Bridge(last)
        bridge.start(forever())
        bridge.run(asyncio.sleep(0))
        """
    )
    assert printed.split() == ["cancelled", "closed"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_a_thread_of_its_own():
    printed = python(
        """
        import asyncio, os, warnings
        from nbconvo.bridge import Bridge

        async def pid():
            return os.getpid()

        bridge = Bridge()
        assert bridge.run(pid()) == os.getpid()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork with threads
            child = os.fork()
        if not child:
            assert not bridge.running
            assert bridge.run(pid()) == os.getpid()
            bridge.close()
            os._exit(7)
        _, status = os.waitpid(child, 0)
        assert bridge.run(pid()) == os.getpid()
        print(os.waitstatus_to_exitcode(status))
        """
    )
    assert printed.strip() == "7"


CONNECTED = """
    import asyncio, gc, os, socket, sys, warnings
    from nbconvo.bridge import Bridge

    class Reader(asyncio.Protocol):
        def __init__(self):
            self.came = asyncio.get_running_loop().create_future()

        def data_received(self, data):
            self.came.set_result(data)

    async def connect():
        loop = asyncio.get_running_loop()
        return await loop.create_connection(Reader, *listening.getsockname())

    async def close():
        transport.close()

    async def read():
        async with asyncio.timeout(5):
            return await reader.came

    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork with threads
    listening = socket.create_server(("127.0.0.1", 0))
    bridge = Bridge()
    transport, reader = bridge.run(connect())
    peer, _ = listening.accept()
    peer.settimeout(5)
    listening.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)"])
def test_what_a_forked_process_collects_does_not_break_its_parents_connections(end: str):
    printed = python(
        CONNECTED
        + f"""
    child = os.fork()
    if not child:
        warnings.simplefilter("ignore", ResourceWarning)
        bridge.run(asyncio.sleep(0))
        transport.close()  # as a collected pool does
        del transport, reader, bridge
        gc.collect()
        {end}
    os.waitpid(child, 0)
    peer.sendall(b"whale")
    print(bridge.run(read()))
    bridge.run(close())
    peer.close()
    """
    )
    assert printed == "b'whale'\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_connection_that_is_closed_is_not_held_open_by_a_forked_process():
    printed = python(
        CONNECTED
        + """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        peer.close()
        os.close(writing)
        os.read(reading, 1)  # lives until the parent has seen the end
        os._exit(0)
    os.close(reading)
    bridge.run(close())
    print(peer.recv(1))
    peer.close()
    os.close(writing)
    os.waitpid(child, 0)
    """
    )
    assert printed == "b''\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_lock_that_was_held_at_the_fork_does_not_hold_up_the_child():
    printed = python(
        """
        import asyncio, os, warnings
        from nbconvo.bridge import Bridge

        warnings.simplefilter("ignore", DeprecationWarning)
        bridge = Bridge()
        with bridge._lock:
            child = os.fork()
        if not child:
            os._exit(bridge.run(asyncio.sleep(0, 7)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    assert printed == "7\n"


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_bridge_is_unharmed_by_a_patched_asyncio(when: str):
    printed = python(
        f"""
        import asyncio, nest_asyncio2
        from nbconvo.bridge import Bridge

        async def answer(n):
            await asyncio.sleep(0.001)
            return n

        async def items():
            for n in range(3):
                yield n
                await asyncio.sleep(0)

        bridge = Bridge()
        if {when == "after"}:
            bridge.run(answer(0))
        nest_asyncio2.apply()

        async def main():
            print(bridge.run(answer(1)))
            print(await bridge.start(answer(2)))
            print(await asyncio.gather(*(bridge.start(answer(n)) for n in range(3))))
            print([n async for n in bridge.relay(items())])
            print([n for batch in bridge.batches(items(), 0.01) for n in batch])

        asyncio.run(main())
        bridge.close()
        """
    )
    assert printed.splitlines() == ["1", "2", "[0, 1, 2]", "[0, 1, 2]", "[0, 1, 2]"]


def test_a_nested_wait_lets_the_other_tasks_of_the_loop_go_on():
    printed = python(
        """
        import asyncio
        from nbconvo.bridge import Bridge

        ticks = []

        async def tick():
            while True:
                await asyncio.sleep(0.001)
                ticks.append(0)

        async def answer():
            await asyncio.sleep(0.1)
            return 42

        async def items():
            for n in range(3):
                await asyncio.sleep(0.03)
                yield n

        async def main():
            bridge = Bridge()
            ticking = asyncio.create_task(tick())
            print(bridge.run(answer(), nested=True), len(ticks) > 5)
            ticks.clear()
            got = [n for batch in bridge.batches(items(), 0.01, nested=True) for n in batch]
            print(got, len(ticks) > 5)
            ticks.clear()
            print(bridge.run(answer()), len(ticks))
            ticking.cancel()
            bridge.close()

        asyncio.run(main())
        """
    )
    assert printed.splitlines() == ["42 True", "[0, 1, 2] True", "42 0"]
