"""Who goes before whom: people's asks, bulk work of several kinds, and what was sent back."""

from __future__ import annotations

import asyncio
import random

import pytest

from nbconvo.limiter import LocalLimiter


def local(**limits):
    return LocalLimiter(**limits, clock=asyncio.get_running_loop().time)


class Room:
    """A limiter whose admissions are written down in their order."""

    def __init__(self, **limits):
        self.limiter = local(**limits)
        self.begin = asyncio.get_running_loop().time()
        self.admitted = []
        self.tasks = []

    def ask(self, label, tokens=1, **how):
        self.tasks.append(asyncio.create_task(self._ask(label, tokens, how)))
        return self.tasks[-1]

    async def _ask(self, label, tokens, how):
        permit = await self.limiter.acquire(tokens, **how)
        self.admitted.append((label, asyncio.get_running_loop().time() - self.begin))
        self.limiter.settle(permit, tokens)

    @property
    def order(self):
        return [label for label, _ in self.admitted]

    async def all(self):
        await asyncio.gather(*self.tasks)


def test_an_ask_behind_5000_rows_goes_next(play):
    async def scene():
        room = Room(max_requests_per_minute=600)
        for row in range(5_000):
            room.ask(row, bulk="rows")
        await asyncio.sleep(3.01)
        behind = len(room.admitted)
        begin = asyncio.get_running_loop().time()
        await room.ask("person")
        assert room.order[behind] == "person"
        assert asyncio.get_running_loop().time() - begin <= 0.11
        for task in room.tasks:
            task.cancel()
        await asyncio.gather(*room.tasks, return_exceptions=True)
        assert room.limiter.usage().queued == 0

    play(scene)


def test_of_many_asks_four_go_for_each_row(play):
    async def scene():
        room = Room(max_requests_per_minute=60)
        for _ in range(10):
            room.ask("row", bulk="rows")
        await asyncio.sleep(0)
        for _ in range(40):
            room.ask("person")
        await room.all()
        waited = room.order[1:]
        assert waited[:10] == (["person"] * 4 + ["row"]) * 2
        assert waited[:45].count("row") == 9

    play(scene)


def test_the_rows_of_one_job_keep_their_order(play):
    async def scene():
        room = Room(max_requests_per_minute=600, max_tokens_per_minute=60_000)
        chance = random.Random(3)
        for row in range(100):
            room.ask(row, chance.randrange(1, 900), bulk=row % 3)
        await room.all()
        for job in range(3):
            rows = [row for row in room.order if row % 3 == job]
            assert rows == sorted(rows)

    play(scene)


@pytest.mark.parametrize(("small", "large"), [(100, 100), (100, 700), (20, 2_000)])
def test_two_jobs_get_equal_shares_whatever_the_size_of_their_rows(play, small, large):
    async def scene():
        room = Room(max_tokens_per_minute=60_000)
        for _ in range(4_000):
            room.ask(small, small, bulk="small")
        for _ in range(4_000 * small // large):
            room.ask(-large, large, bulk="large")
        await asyncio.sleep(120)
        mine = sum(size for size in room.order if size > 0)
        other = sum(-size for size in room.order if size < 0)
        assert 0.9 < mine / other < 1.1
        for task in room.tasks:
            task.cancel()
        await asyncio.gather(*room.tasks, return_exceptions=True)

    play(scene)


def test_a_job_that_comes_later_gets_half_from_then_on_and_nothing_for_before(play):
    async def scene():
        room = Room(max_requests_per_minute=600)
        for _ in range(1_000):
            room.ask("early", bulk=1)
        await asyncio.sleep(30)
        before = len(room.admitted)
        for _ in range(500):
            room.ask("late", bulk=2)
        await asyncio.sleep(20)
        since = room.order[before:]
        assert abs(since.count("late") - since.count("early")) <= 2
        for task in room.tasks:
            task.cancel()
        await asyncio.gather(*room.tasks, return_exceptions=True)

    play(scene)


def test_a_large_row_waits_for_one_row_of_each_other_job_and_four_asks_for_each_of_these(play):
    async def scene():
        room = Room(max_tokens_per_minute=6_000)
        room.ask("first", 50)
        await asyncio.sleep(0)
        for job in range(3):
            for _ in range(200):
                room.ask("small", 10, bulk=job)
        large = room.ask("large", 5_000, bulk="large")
        for _ in range(500):
            room.ask("person", 10)
        await large
        before = room.order[1 : room.order.index("large")]
        assert before.count("small") <= 3
        assert before.count("person") <= 4 * 4
        for task in room.tasks:
            task.cancel()
        await asyncio.gather(*room.tasks, return_exceptions=True)

    play(scene)


def test_a_row_that_was_sent_back_goes_before_all_others(play):
    async def scene():
        room = Room(max_requests_per_minute=60)
        room.ask("first")
        await asyncio.sleep(0)
        for label, how in (("row", {"bulk": 1}), ("person", {}), ("back", {"bulk": 1})):
            room.ask(label, first=label == "back", **how)
        await room.all()
        assert room.order == ["first", "back", "person", "row"]

    play(scene)


def test_a_foretold_wait_counts_what_goes_before_a_persons_ask(play):
    async def scene():
        room = Room(max_requests_per_minute=60)
        for row in range(100):
            room.ask(row, bulk="rows")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert room.limiter.wait(1) == pytest.approx(1, abs=0.01)
        for task in room.tasks:
            task.cancel()
        await asyncio.gather(*room.tasks, return_exceptions=True)

    play(scene)
