"""Many participants: all answering at once, or speaking in turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from nbconvo.errors import InputError, NbConvoError
from nbconvo.host import running_cell
from nbconvo.messages import Cell, Delta
from nbconvo.session import Reply, Session, workspace
from nbconvo.session.ask import Ask, Said
from nbconvo.session.turn import Item

__all__ = ["chorus", "conversing", "exchange"]

_PATIENCE = 0.1  # seconds


async def exchange(
    participants: Sequence[Session], opening: str, *, rounds: int = 3
) -> AsyncIterator[Reply]:
    """Let participants speak in turn, each hearing the others; yield each turn as a reply.

    Each is asked with its own system prompt, service and model; what the others said since its
    last turn is its message, each part under the speaker's name. All histories hold all that was
    said, however the exchange ends.

    Args:
        participants: Two or more sessions, in the order in which they speak.
        opening: What they are given to talk about.
        rounds: How often each speaks.

    Raises:
        InputError: If there are fewer than two, one twice, or no opening.
        ServiceError: If a service fails; what was said before stays.
    """
    relayed = workspace.bridge.relay(conversing(participants, opening, rounds=rounds))
    # Closed here and now: who leaves early finds all histories complete.
    async with aclosing(relayed) as items:
        async for _, item in items:
            if isinstance(item, Reply):
                yield item


def conversing(
    participants: Sequence[Session], opening: str, *, rounds: int
) -> AsyncGenerator[tuple[int, Item]]:
    """Check, then return the exchange for the I/O thread: who speaks, by place, and what."""
    for one in participants:
        if not isinstance(one, Session):
            raise InputError(f"an exchange is between sessions, and {one!r:.80} is none")
    if len(participants) < 2:
        raise InputError("an exchange needs two participants or more")
    if len({id(session) for session in participants}) < len(participants):
        raise InputError("an exchange needs different participants: one is named twice")
    if not opening.strip():
        raise InputError("nothing to talk about: the opening is empty")
    for session in participants:
        session.asking.prepare(opening).service.checked_key()  # before anybody is asked, and paid
    most = workspace.settings.max_rounds
    if not 1 <= rounds <= most:
        raise InputError(
            f"rounds must lie between 1 and {most}, not {rounds!r}; "
            "%config NbConvo.max_rounds allows more"
        )
    return _conversing(participants, opening.strip(), rounds, running_cell())


async def _conversing(
    participants: Sequence[Session], opening: str, rounds: int, cell: Cell | None
) -> AsyncGenerator[tuple[int, Item]]:
    names = [session.name or f"participant {n}" for n, session in enumerate(participants, 1)]
    # What each has yet to hear: who said it (nobody: the opening), and what.
    unheard: list[list[Said]] = [[(None, opening)] for _ in participants]
    spoken = False
    try:
        for _ in range(rounds):
            for place, speaker in enumerate(participants):
                heard = tuple(unheard[place])
                ask = replace(speaker.asking.prepare(_joined(heard)), cell=cell, heard=heard)
                known, said = {message.id for message in speaker.conversation}, ""
                try:
                    async with aclosing(speaker.asking.answer(ask)) as items:
                        async for item in items:
                            if isinstance(item, Reply):
                                said = str(item)
                            elif isinstance(item, Delta) and item.index == 0:
                                said += item.text
                            yield place, item
                finally:
                    # Its own path tells whether the turn counts: a failed one does not, a
                    # stopped one does once something was said.
                    if any(
                        (message.role, message.content) == ("user", heard[-1][1])
                        and message.id not in known
                        for message in speaker.conversation.messages
                    ):
                        spoken = True
                        unheard[place] = []
                        for other, waiting in enumerate(unheard):
                            if other != place:
                                waiting.append((names[place], said.strip() or "…"))
    finally:
        # Who spoke last was not heard by all: each history holds the whole exchange.
        failed = await _hear(participants, unheard, cell) if spoken else None
    if failed is not None:
        raise failed


async def _hear(
    participants: Sequence[Session], unheard: Sequence[Sequence[Said]], cell: Cell | None
) -> BaseException | None:
    """Let each hear what is left; return the first error, if a log could not be written.

    One who is answering somebody else hears it afterwards: an interrupt must not wait for that.
    """
    hearing = []
    for session, waiting in zip(participants, unheard, strict=True):
        if waiting:
            hearing.append(asyncio.create_task(session.asking.hear(waiting, cell)))
    if hearing:
        await asyncio.wait(hearing, timeout=_PATIENCE)
    for task in hearing:
        task.add_done_callback(_looked_at)
    errors = [task.exception() for task in hearing if task.done() and not task.cancelled()]
    return next((error for error in errors if error is not None), None)


def _joined(heard: Sequence[Said]) -> str:
    """Return all that was said as one text, each part under its speaker."""
    return "\n\n".join(said if name is None else f"{name}: {said}" for name, said in heard)


def _looked_at(task: asyncio.Task[None]) -> None:
    """Take the error of a late hearing: nobody is left to be told, and asyncio would complain."""
    if not task.cancelled():
        task.exception()


async def chorus(
    asked: Sequence[tuple[Session, Ask]],
) -> AsyncGenerator[tuple[int, Item | NbConvoError]]:
    """Ask several at once, on the I/O thread; yield who speaks, by place, and what.

    One that fails yields its error as its last item; the others go on.
    """
    said: asyncio.Queue[tuple[int, Item | NbConvoError] | None] = asyncio.Queue()

    async def listen(place: int, session: Session, ask: Ask) -> None:
        try:
            async with aclosing(session.asking.answer(ask)) as items:
                async for item in items:
                    said.put_nowait((place, item))
        except NbConvoError as error:
            said.put_nowait((place, error))
        finally:
            said.put_nowait(None)

    tasks = [
        asyncio.create_task(listen(place, session, ask))
        for place, (session, ask) in enumerate(asked)
    ]
    try:
        ended = 0
        while ended < len(tasks):
            if (item := await said.get()) is None:
                ended += 1
            else:
                yield item
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
