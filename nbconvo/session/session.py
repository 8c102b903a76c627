"""A session: a named conversation bound to a service, a model and options."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Unpack

from nbconvo.configs import checked_options
from nbconvo.conversation import Conversation
from nbconvo.errors import Busy, InputError
from nbconvo.host import running_cell
from nbconvo.messages import Cell, Delta, Message, Usage
from nbconvo.services import BaseService
from nbconvo.session import export
from nbconvo.session.context import with_context
from nbconvo.session.line import Line
from nbconvo.session.profile import Options, Overrides, Profile, chosen
from nbconvo.session.record import Record
from nbconvo.session.reply import Reply
from nbconvo.session.turn import Ask, messages_of, place_of, set_aside, take
from nbconvo.session.workspace import workspace

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Session"]


class Session:
    """A participant: its instructions, its conversation, and how it is asked.

    Args:
        system: The system prompt: who it is, what it shall do.
        name: Under which magics know it; another session of that name is replaced.
        dir: Directory of the log; by default that of the configuration, else no log.
        service: A known name, the http address of a compatible server, or a service.
        model: A model of the service; ``service:model`` names both.
        tools: Not supported yet.
        options: Options of every request, such as ``temperature`` and ``max_tokens``.

    Raises:
        InputError: If an option, the service or the name cannot be used.
        LogError: If the directory cannot be written.
    """

    def __init__(
        self,
        system: str | None = None,
        *,
        name: str | None = None,
        dir: str | os.PathLike[str] | None = None,
        service: str | BaseService | None = None,
        model: str | None = None,
        tools: None = None,
        **options: Unpack[Options],
    ) -> None:
        if tools is not None:
            raise InputError("tools are not supported by this version; leave tools=None")
        self.name = _checked_name(name)
        self._profile = Profile.of(system, service, model, options)
        self._record = Record()
        self._line = Line(repr(name) if name else "the session")
        if directory := dir or workspace.settings.resolved("dir"):
            self.set_dir(directory)
        if name is not None:
            workspace.add(self, name)

    # --- asking ----------------------------------------------------------------------------

    async def ask(
        self, instruction: object, context: object = None, **overrides: Unpack[Overrides]
    ) -> Reply:
        """Say something and return the reply; what is given here holds for this call only.

        Args:
            instruction: Text, or any JSON value.
            context: Text, a JSON value or a DataFrame, put below the instruction.
            overrides: ``system``, ``service``, ``model`` and options in place of the session's.

        Raises:
            InputError: If something given cannot be used; nothing is sent.
            MissingKey, RequestTooLarge: Before anything is sent.
            ServiceError: If the service does not answer as asked; the history stays as it was.
        """
        return await workspace.bridge.start(
            self._whole(self.prepare(instruction, context, **overrides))
        )

    followup = ask

    async def initiate(
        self, instruction: object, context: object = None, **overrides: Unpack[Overrides]
    ) -> Reply:
        """Begin afresh, then as :meth:`ask`; what was said before stays in the tree."""
        ask = self.prepare(instruction, context, begin=True, **overrides)
        return await workspace.bridge.start(self._whole(ask))

    async def stream(
        self, instruction: object, context: object = None, **overrides: Unpack[Overrides]
    ) -> AsyncIterator[Delta]:
        """As :meth:`ask`, yielding deltas as they come; afterwards :attr:`last` is the reply."""
        relayed = workspace.bridge.relay(
            self.answer(self.prepare(instruction, context, **overrides))
        )
        # Closed here and now: who leaves early finds what had come on record.
        async with aclosing(relayed) as items:
            async for item in items:
                if isinstance(item, Delta):
                    yield item

    async def retry(self, **overrides: Unpack[Overrides]) -> Reply:
        """Ask again for the last reply; the new one becomes an alternative to it."""
        return await workspace.bridge.start(self._whole(self.prepare_retry(**overrides)))

    # --- reading ---------------------------------------------------------------------------

    @property
    def system(self) -> str | None:
        """The system prompt."""
        return self._profile.system

    @property
    def service(self) -> BaseService:
        """The service in force: the session's own, else the configured one."""
        return self._profile.asked_service

    @property
    def model(self) -> str | None:
        """The model in force: the session's own, else its service's default."""
        return self._profile.asked_model

    @property
    def options(self) -> dict[str, Any]:
        """A copy of the options of every request; :meth:`set_options` changes them."""
        return dict(self._profile.options)

    @property
    def dir(self) -> str | None:
        """The directory of the log; ``None`` if there is none."""
        return self._record.dir

    @property
    def conversation(self) -> Conversation:
        """The tree of all that was said; to change it, use the session's own methods."""
        return self._record.conversation

    @property
    def messages(self) -> tuple[Message, ...]:
        """The system prompt and the active path: what the next request will send first."""
        system = (Message(role="system", content=self.system),) if self.system else ()
        return (*system, *self.conversation.messages)

    @property
    def usage(self) -> Usage:
        """What all replies took, those off the active path included: they were paid for."""
        return self.conversation.usage

    @property
    def last(self) -> Reply | None:
        """The last reply of the active path."""
        message = self.conversation.last
        return None if message is None else Reply(message)

    @property
    def busy(self) -> bool:
        """Whether a reply is under way."""
        return self._line.busy

    # --- changing --------------------------------------------------------------------------

    def set_system(self, system: str | None) -> None:
        """Change the system prompt; the history stays."""
        self._change(self._profile.but(system=system))

    def set_service(self, service: str | BaseService | None, model: str | None = None) -> None:
        """Change the service, and with it the model: to ``model``, or the service's default."""
        named, model = chosen(service, model)
        self._change(self._profile.but(service=named, model=model))

    def set_model(self, model: str | None) -> None:
        """Change the model; ``service:model`` changes both."""
        service, named = chosen(None, model)
        self._change(self._profile.but(service=service or self._profile.service, model=named))

    def set_options(self, **options: Unpack[Options]) -> None:
        """Change options of every request; ``None`` leaves one to the service."""
        checked = checked_options(options)
        if "model" in checked:
            raise InputError("the model is not an option: change it with set_model()")
        self._change(self._profile.but(options={**self._profile.options, **checked}))

    def set_dir(self, dir: str | os.PathLike[str] | None) -> None:
        """Log to another directory from now on, with all said so far; ``None`` ends the log.

        Raises:
            LogError: If it cannot be written; the old log goes on.
        """
        described = self._profile.described()
        self._record.log_to(dir, self.name or "session", {"name": self.name, **described})

    def undo(self) -> None:
        """Take the last exchange off the active path; it stays in the tree.

        Raises:
            InputError: If there is nothing to undo.
            Busy: If a reply is under way; so with all that changes the path.
        """
        self._check_idle()
        self._record.undo()

    def reset(self) -> None:
        """Begin afresh; what was said stays in the tree."""
        self._check_idle()
        self._record.branch(None)

    def branch(self, message: Message | str) -> None:
        """End the active path at ``message`` (or its id), to go on from there."""
        self._check_idle()
        self._record.branch(_id(message))

    def select(self, message: Message | str) -> None:
        """Lead the active path through ``message`` (or its id), an alternative to one on it."""
        self._check_idle()
        self._record.select(_id(message))

    def alternatives(self, message: Message | str) -> tuple[Message, ...]:
        """Return all messages said in the place of ``message`` (or its id), itself included."""
        return self.conversation.alternatives(_id(message))

    async def hear(self, content: str, cell: Cell | None = None) -> None:
        """Put what others said on the path, without asking for a reply; on the I/O thread.

        What was heard in an earlier run of ``cell`` gives place.
        """
        async with self._line.turn():
            heard = Message(role="user", content=content, cell=cell)
            self._record.commit([heard], place_of(cell, self.conversation))

    # --- exporting -------------------------------------------------------------------------

    def to_jsonl(self) -> str:
        """Return :attr:`messages` as JSON Lines."""
        return export.to_jsonl(self.messages)

    def to_csv(self) -> str:
        """Return :attr:`messages` as comma-separated values."""
        return export.to_csv(self.messages)

    def to_markdown(self) -> str:
        """Return :attr:`messages` as a Markdown document."""
        return export.to_markdown(self.messages, title=self.name or "Conversation")

    def to_pandas(self) -> pd.DataFrame:
        """Return :attr:`messages` as a data frame; pandas must be installed."""
        return export.to_pandas(self.messages)

    def __repr__(self) -> str:
        said = len(self.conversation.messages)
        where = f"{self.service.name}:{self.model}"
        return f"Session({self.name!r}, {where!r}, {said} message{'s' * (said != 1)})"

    # --- one turn --------------------------------------------------------------------------

    def prepare(
        self,
        instruction: object,
        context: object = None,
        *,
        begin: bool = False,
        **overrides: Unpack[Overrides],
    ) -> Ask:
        """Check what is to be asked, before anything is sent, and return it for :meth:`answer`."""
        content = with_context(instruction, context)
        profile = self._profile.overridden(overrides)
        return Ask(self.name, content, profile, begin=begin, cell=running_cell())

    def prepare_retry(self, **overrides: Unpack[Overrides]) -> Ask:
        """Return the ask that repeats the one before the last reply, for :meth:`answer`."""
        last = self.conversation.last
        if last is None:
            raise InputError(f"nothing to retry: {self._line.name} has not replied yet")
        profile = self._profile.overridden(overrides)
        return Ask(self.name, None, profile, again=self.conversation.parent(last.id))

    def set_aside(self, ask: Ask) -> int:
        """Return how many messages after its own earlier turn ``ask`` takes off the path."""
        return set_aside(ask, self._record)

    def request_messages(self, ask: Ask) -> tuple[Message, ...]:
        """Return the messages that ``ask`` would send now."""
        return messages_of(ask, self._record)

    async def answer(self, ask: Ask) -> AsyncGenerator[Delta | Reply]:
        """Run one turn, on the I/O thread: yield its deltas, then the reply as a whole.

        Turns of one session wait for each other.
        """
        if waits := self._line.busy:
            yield Delta(notice=f"{self._line.name} is still answering what was asked before")
        async with self._line.turn():
            if waits:
                yield Delta(notice="")
            async with aclosing(take(ask, self._record, workspace.client)) as items:
                async for item in items:
                    yield item

    async def _whole(self, ask: Ask) -> Reply:
        reply = None
        async with aclosing(self.answer(ask)) as items:
            async for item in items:
                reply = item
        assert isinstance(reply, Reply)
        return reply

    def _check_idle(self) -> None:
        if self.busy:
            raise Busy(f"{self._line.name} is answering; wait for the reply, or stop it")

    def _change(self, profile: Profile) -> None:
        described = profile.described()  # may raise, before anything is changed
        self._profile = profile
        self._record.note("session", name=self.name, **described)


def _checked_name(name: str | None) -> str | None:
    """Return ``name``; raise ``InputError`` unless it is one word that magics can be told."""
    if name is None or re.fullmatch(r"[^\W\d][\w-]*", name):
        return name
    raise InputError(
        f"session name {name!r} cannot be used: a letter comes first, "
        "then letters, digits, '_' and '-'"
    )


def _id(message: Message | str) -> str:
    return message.id if isinstance(message, Message) else message
