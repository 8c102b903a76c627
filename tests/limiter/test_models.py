"""Several models of one account: services limit each apart, users state limits for all together."""

from __future__ import annotations

import asyncio

import pytest

from nbconvo.errors import RateLimited
from nbconvo.limiter import LocalLimiter
from nbconvo.services.limits import LimitTold


class Room:
    """A limiter whose admissions are written down in their order."""

    def __init__(self, **limits):
        self.limiter = LocalLimiter(**limits, clock=asyncio.get_running_loop().time)
        self.begin = asyncio.get_running_loop().time()
        self.admitted = []

    def ask(self, label, model, tokens=1, **how):
        return asyncio.create_task(self._ask(label, model, tokens, how))

    async def _ask(self, label, model, tokens, how):
        permit = await self.limiter.acquire(tokens, model=model, **how)
        self.admitted.append((label, asyncio.get_running_loop().time() - self.begin))
        self.limiter.settle(permit, tokens)

    async def tell(self, model, limit, remaining, reset, refused=False):
        permit = await self.limiter.acquire(1, model=model)
        told = LimitTold("requests", "requests", limit, remaining, reset)
        self.limiter.observe(permit, (told,), refused=refused)
        self.limiter.settle(permit, 0 if refused else 1)
        return permit

    @property
    def order(self):
        return [label for label, _ in self.admitted]


def test_what_is_told_of_one_model_is_not_believed_of_another(play):
    async def scene():
        room = Room()
        await room.tell("small", 60, 0, 60.0)
        await room.tell("large", 600, 599, 0.1)
        asks = [room.ask(n, "large") for n in range(50)]
        await asyncio.gather(*asks)
        assert room.admitted[-1][1] == 0.0

    play(scene)


def test_who_waits_for_one_model_holds_up_no_other_of_any_kind(play):
    async def scene():
        room = Room()
        await room.tell("small", 60, 0, 60.0)
        await room.tell("large", 600, 599, 0.1)
        waiting = [
            room.ask("held", "small"),
            room.ask("held", "small", first=True),
            room.ask("held", "small", bulk="rows"),
        ]
        others = [
            room.ask("row", "large", bulk="rows"),
            room.ask("ask", "large"),
            room.ask("returned", "large", first=True),
        ]
        await asyncio.gather(*others)
        assert sorted(room.order) == ["ask", "returned", "row"]
        assert room.admitted[-1][1] == 0.0
        await asyncio.gather(*waiting)
        assert 59.0 < room.admitted[-1][1] < 62.0

    play(scene)


def test_those_of_one_model_keep_their_order_while_another_waits(play):
    async def scene():
        room = Room()
        await room.tell("small", 60, 2, 1.0)
        await room.tell("large", 600, 599, 0.1)
        asks = [room.ask((model, n), model) for n in range(8) for model in ("small", "large")]
        await asyncio.gather(*asks)
        for model in ("small", "large"):
            assert [n for of, n in room.order if of == model] == list(range(8))

    play(scene)


def test_a_stated_limit_holds_for_all_models_together(play):
    async def scene():
        room = Room(max_requests_per_minute=60)
        await asyncio.gather(*(room.ask(n, f"model {n % 3}") for n in range(31)))
        assert 29.5 <= room.admitted[-1][1] <= 30.5
        assert room.order == list(range(31))

    play(scene)


def test_a_stated_limit_holds_even_where_each_model_is_told_no_more(play):
    async def scene():
        room = Room(max_requests_per_minute=60)
        for model in ("a", "b"):
            await room.tell(model, 60, 59, 1.0)
        await asyncio.sleep(60)
        await asyncio.gather(*(room.ask(n, "ab"[n % 2]) for n in range(31)))
        assert room.admitted[-1][1] - 60 >= 29

    play(scene)


def test_a_large_request_of_one_model_is_not_starved_by_small_ones_of_another(play):
    async def scene():
        room = Room(max_tokens_per_minute=6_000)
        small = [room.ask("small", "a", 50) for _ in range(20)]
        large = room.ask("large", "b", 3_000)
        small += [room.ask("later", "a", 50) for _ in range(20)]
        await asyncio.gather(large, *small)
        assert room.order == ["small"] * 20 + ["large"] + ["later"] * 20

    play(scene)


def test_a_refusal_that_headers_explain_pauses_its_model_alone(play):
    async def scene():
        room = Room()
        await room.tell("small", 60, 59, 1.0)
        await room.tell("large", 600, 599, 0.1)
        refused = await room.limiter.acquire(1, model="small")
        told = LimitTold("requests", "requests", 60, 0, 60.0)
        room.limiter.observe(refused, (told,), refused=True)
        room.limiter.pause(300, refused)
        room.limiter.settle(refused, 0)
        with pytest.raises(RateLimited):
            await room.limiter.acquire(1, model="small")
        await room.ask("other", "large")
        assert room.admitted == [("other", 0.0)]
        assert room.limiter.wait(1, "large") == 0.0

    play(scene)


def test_a_refusal_that_nothing_explains_pauses_all_models_those_to_come_too(play):
    async def scene():
        room = Room(max_requests_per_minute=6_000)
        refused = await room.limiter.acquire(1, model="a")
        room.limiter.observe(refused, (), refused=True)
        room.limiter.pause(10, refused)
        room.limiter.settle(refused, 0)
        assert room.limiter.wait(1, "new") == pytest.approx(10)
        await asyncio.gather(room.ask("a", "a"), room.ask("new", "new"))
        assert room.admitted[0][1] >= 10

    play(scene)


def test_usage_tells_what_all_models_may_together(play):
    async def scene():
        room = Room()
        await room.tell("small", 60, 59, 1.0)
        await room.tell("large", 600, 599, 0.1)
        assert room.limiter.usage().max_requests_per_minute == 660
        room.limiter.set_limits(
            max_requests_per_minute=100, max_tokens_per_minute=None, max_concurrent=None
        )
        assert room.limiter.usage().max_requests_per_minute == 100

    play(scene)


def test_a_place_that_comes_free_goes_to_who_came_first_of_all_models(play):
    async def scene():
        room = Room(max_concurrent=1)
        held = await room.limiter.acquire(1, model="a")
        asks = [room.ask(n, "ab"[n % 2]) for n in range(6)]
        await asyncio.sleep(0)
        room.limiter.settle(held, 1)
        await asyncio.gather(*asks)
        assert room.order == list(range(6))

    play(scene)


def test_a_level_is_looked_for_apart_for_each_model(play):
    async def scene():
        room = Room(seeks=True)
        held = [await room.limiter.acquire(1, model="a") for _ in range(3)]
        more = asyncio.create_task(room.limiter.acquire(1, model="a"))
        other = await room.limiter.acquire(1, model="b")
        assert not more.done()
        for permit in (*held, other):
            room.limiter.settle(permit, 1)
        room.limiter.settle(await more, 1)

    play(scene)


def test_a_stated_rate_that_one_model_had_cut_grows_again_while_only_another_is_asked(play):
    async def scene():
        room = Room(max_requests_per_minute=600)
        await asyncio.gather(room.ask("a", "a"), room.ask("b", "b"))
        refused = await room.limiter.acquire(1, model="a")
        room.limiter.observe(refused, (), refused=True)
        room.limiter.settle(refused, 0)
        await asyncio.gather(*(room.ask(n, "b") for n in range(700)))
        times = [at for label, at in room.admitted if label in (0, 99, 599, 699)]
        assert times[1] - times[0] > 11.0
        assert times[3] - times[2] < 10.5

    play(scene)


def test_what_one_model_took_while_a_told_limit_was_kept_counts_for_the_stated_one_of_all(play):
    async def scene():
        room = Room(max_requests_per_minute=60)
        for left in reversed(range(60)):
            await room.tell("a", 60, left, 60.0 - left)
        first = asyncio.get_running_loop().time() - room.begin
        await asyncio.gather(*(room.ask(n, "b") for n in range(60)))
        assert first < 5.0
        assert room.admitted[3][1] > 55.0
        assert room.admitted[-1][1] < 125.0

    play(scene)
