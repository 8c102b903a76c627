"""The requests of one turn: a model asks its tools, and mends its reply, until it has answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbconvo.budget import Budget
from nbconvo.errors import Endless, Unfit
from nbconvo.messages import Delta, Message, ToolCall, new_id
from nbconvo.schemas import Form, Misfit
from nbconvo.session.ask import Ask
from nbconvo.session.asker import Asker, Question
from nbconvo.session.notices import now_running
from nbconvo.session.tally import Tally
from nbconvo.spelling import called

if TYPE_CHECKING:
    from nbconvo.client import Client

__all__ = ["Rounds"]


class Rounds:
    """One turn's way from the user's message to the reply, with all that is said between.

    Args:
        ask: What is asked, and how.
        asked: The user's message; empty for another reply to an earlier one.
        sent: The messages of the first request.
        tally: Counts the reply that is under way.

    Attributes:
        said: What was said in this turn, in order, but for the reply that is under way.
        unfit: Replies that the model was asked to mend.
        parsed: The object that the reply is, where a schema was asked for.
        left: What became of the calls that were under way when the turn was ended.
    """

    def __init__(
        self, ask: Ask, asked: Sequence[Message], sent: Sequence[Message], tally: Tally
    ) -> None:
        self._ask = ask
        self._sent = list(sent)
        self._tally = tally
        self.said = list(asked)
        self.unfit: list[Message] = []
        self.parsed: Any = None
        self.left: tuple[Message, ...] = ()
        self._came: dict[int, Message | None] = {}
        self._asked = len(self.said)

    @property
    def steps(self) -> tuple[Message, ...]:
        """What was said between the user's message and the reply."""
        return tuple(self.said[self._asked :])

    async def run(
        self, client: Client, budgets: Sequence[Budget] = ()
    ) -> AsyncGenerator[Sequence[Delta | Question]]:
        """Yield what comes until the model has answered; the tally holds the reply then.

        Raises:
            Unfit: If the reply does not keep to the schema, after all repairs.
            ServiceError: If the service does not answer as asked, or calls tools without an end.
        """
        ask, tally = self._ask, self._tally
        profile = ask.profile
        options, form = ask.options, profile.form
        calls_left, repairs_left = profile.toolbox.rounds, profile.repairs
        tally.begin()
        while True:
            stream = client.stream(
                ask.service, self._sent, ask.model, options, bulk=ask.bulk, budgets=budgets
            )
            async with aclosing(stream) as batches:
                async for batch in batches:
                    for delta in batch:
                        tally.add(delta)
                    yield batch
            if form is None and not tally.calls:
                return
            reply = self._replies()[0]
            if form is not None and (answer := _answer_by_call(reply, form)) is not None:
                reply = answer
                tally.become(answer.content)
            if reply.calls and profile.toolbox.tools:
                if not calls_left:
                    self._put_away(reply)
                    yield [Delta(steps=(self.said[-1],))]
                    raise _endless(ask)
                calls_left -= 1
                async with aclosing(self._run_tools(reply)) as items:
                    async for item in items:
                        yield [item]
                if not calls_left and form is None:  # once more, for an answer in words
                    options = {**options, "tool_choice": "none"}
                continue
            if form is None:
                return
            try:
                self.parsed = form.read(reply.content)
            except Misfit as error:
                repairs_left -= 1
                if repairs_left < 0:
                    raise _unfit(ask, error, reply.content) from None
                self._ask_to_mend(reply, error)
                mending = self._notice("the reply does not keep to the schema; asking to mend it")
                yield [replace(mending, steps=(self.unfit[-1],))]
                continue
            return

    def ended(self, reason: str | None = None) -> tuple[list[Message], list[Message]]:
        """Return all messages of the turn, the user's first, and the other choices.

        There are some where several were asked for. There is nothing at all if no reply began.
        ``reason`` tells why it ended, where it was not the service that ended it.
        """
        if reason is not None:
            self._tally.estimate(self._sent)
            self._close_calls(reason)
        replies = self._replies(reason)
        if not replies and len(self.said) == self._asked:
            return [], []
        return [*self.said, *replies[:1]], replies[1:]

    def _replies(self, reason: str | None = None) -> list[Message]:
        ask, tally = self._ask, self._tally
        if tally.usage is not None:
            tally.usage = ask.service.priced(tally.usage, tally.model, ask.model)
        return tally.messages(ask.name, ask.service.name, ask.model, reason)

    async def _run_tools(self, reply: Message) -> AsyncGenerator[Delta | Question]:
        """Run what the reply calls; yield the questions that come up, and then the results."""
        self._put_away(reply)
        yield Delta(steps=(self.said[-1],))
        if not self._ask.profile.confirm:
            yield self._notice(now_running([called(c.name, c.arguments) for c in reply.calls]))
        asker = Asker(self._ask, self._notice)
        confirm = asker if self._ask.profile.confirm else None
        box = replace(self._ask.profile.toolbox, confirm=confirm, loop=self._ask.loop)
        running = asyncio.ensure_future(box.run(reply.calls, self._came))
        asking: asyncio.Task[Delta | Question] | None = None
        try:
            while not running.done():
                asking = asking or asyncio.ensure_future(asker.said.get())
                await asyncio.wait({running, asking}, return_when=asyncio.FIRST_COMPLETED)
                if asking.done():
                    yield asking.result()
                    asking = None
            results = running.result()
        finally:
            for task in (running, asking):
                if task is not None:
                    task.cancel()
            await asyncio.gather(running, return_exceptions=True)
        self.said += results
        self._sent += results
        self._tally.steps += tuple(results)
        self._tally.notice = None
        self._tally.begin()  # the seconds of the calls are those of their results
        yield Delta(steps=tuple(results))

    def _notice(self, words: str) -> Delta:
        """Return what says why nothing is coming, to whoever reads the tally, too."""
        delta = Delta(notice=words)
        self._tally.add(delta)
        return delta

    def _put_away(self, reply: Message) -> None:
        """Let a reply be one of the steps; another is to come."""
        step = replace(reply, id=new_id(), turn_usage=None)
        self._came = {}
        self.said.append(step)
        self._sent.append(step)
        self._tally.next_round(step)

    def _close_calls(self, why: str) -> None:
        """Answer calls without a result: no service takes a history with calls left open."""
        calls = self.said[-1].calls if self.said else ()
        self.left = tuple(self._left(place, call, why) for place, call in enumerate(calls))
        self.said += self.left

    def _left(self, place: int, call: ToolCall, why: str) -> Message:
        if (result := self._came.get(place)) is not None:
            return result
        text = f"{why} while it ran" if place in self._came else f"not run: {why}"
        return Message(role="tool", content=text, name=call.name, call_id=call.id, failed=True)

    def _ask_to_mend(self, reply: Message, error: Misfit) -> None:
        unfit = replace(reply, id=new_id(), turn_usage=None)
        self.unfit.append(unfit)
        please = f"This does not keep to the schema: {error}. Give the whole answer again, as JSON."
        # In plain words, whichever way it was asked for: a call would want a result.
        said = replace(reply, content=reply.content or "(no answer)", calls=(), carried=())
        self._sent += [said, Message(role="user", content=please)]
        self._tally.next_round(unfit)


def _answer_by_call(reply: Message, form: Form) -> Message | None:
    """Return the reply that a call is, where a schema was asked for as a tool."""
    for call in reply.calls:
        if call.name == form.spec.name:
            return replace(reply, content=call.arguments, calls=(), carried=())
    return None


def _endless(ask: Ask) -> Endless:
    most = ask.profile.toolbox.rounds
    return Endless(
        f"{ask.service.name}: no answer after {most} round{'s' * (most != 1)} of calls, which are "
        f"kept; allow more with --max-rounds {2 * most} (max_rounds=), or make what the tools "
        "return plainer"
    )


def _unfit(ask: Ask, error: Misfit, text: str) -> Unfit:
    times = ask.profile.repairs
    mended = f" after {times} repair{'s' * (times != 1)}" if times else ""
    return Unfit(
        f"{ask.service.name}: the reply does not keep to the schema{mended}: {error}; "
        f"it is {text[:80]!r}{'…' if len(text) > 80 else ''}",
        text,
    )
