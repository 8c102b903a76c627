"""A session: a named conversation bound to a service, a model and options."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from nbconvo import services
from nbconvo.configs import checked_options, default_options
from nbconvo.conversation import Conversation
from nbconvo.errors import Busy, InputError
from nbconvo.host import running_cell
from nbconvo.messages import Cell, Delta, Message, Usage
from nbconvo.services import BaseService
from nbconvo.session import export
from nbconvo.session.context import with_context
from nbconvo.session.record import Record
from nbconvo.session.reply import Reply
from nbconvo.session.turn import Ask, messages_of, place_of, take
from nbconvo.session.workspace import split_model, workspace

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
        **options: Any,
    ) -> None:
        if tools is not None:
            raise InputError("tools are not supported by this version; leave tools=None")
        self.name = _checked_name(name)
        self.options = default_options() | checked_options(options)
        self._system = system
        self._record = Record()
        self._turns = 0
        self._lock: asyncio.Lock | None = None
        self._lock_loop: asyncio.AbstractEventLoop | None = None
        self._service, self._model = _chosen(service, model)
        if directory := dir or workspace.settings.resolved("dir"):
            self.set_dir(directory)
        if name is not None:
            workspace.add(self, name)

    # --- asking ----------------------------------------------------------------------------

    async def ask(
        self,
        instruction: object,
        context: object = None,
        *,
        system: str | None = None,
        service: str | BaseService | None = None,
        model: str | None = None,
        **options: Any,
    ) -> Reply:
        """Say something and return the reply; what is given here holds for this call only.

        Args:
            instruction: Text, or any JSON value.
            context: Text, a JSON value or a DataFrame, put below the instruction.
            system: A system prompt in place of the session's.
            service: A service in place of the session's.
            model: A model in place of the session's.
            options: Options in place of the session's.

        Raises:
            InputError: If something given cannot be used; nothing is sent.
            MissingKey, RequestTooLarge: Before anything is sent.
            ServiceError: If the service does not answer as asked; the history stays as it was.
        """
        ask = self.prepare(
            instruction, context, system=system, service=service, model=model, **options
        )
        return await workspace.bridge.start(self._whole(ask))

    async def initiate(
        self,
        instruction: object,
        context: object = None,
        *,
        system: str | None = None,
        service: str | BaseService | None = None,
        model: str | None = None,
        **options: Any,
    ) -> Reply:
        """Begin afresh, then as :meth:`ask`; what was said before stays in the tree."""
        ask = self.prepare(
            instruction,
            context,
            system=system,
            service=service,
            model=model,
            begin=True,
            **options,
        )
        return await workspace.bridge.start(self._whole(ask))

    followup = ask

    async def stream(
        self,
        instruction: object,
        context: object = None,
        *,
        system: str | None = None,
        service: str | BaseService | None = None,
        model: str | None = None,
        **options: Any,
    ) -> AsyncIterator[Delta]:
        """As :meth:`ask`, yielding deltas as they come; afterwards :attr:`last` is the reply."""
        ask = self.prepare(
            instruction, context, system=system, service=service, model=model, **options
        )
        # Closed here and now: who leaves early finds what had come on record.
        async with aclosing(workspace.bridge.relay(self.answer(ask))) as items:
            async for item in items:
                if isinstance(item, Delta):
                    yield item

    async def retry(self, **overrides: Any) -> Reply:
        """Ask the last message again; the new reply becomes an alternative to the old one."""
        return await workspace.bridge.start(self._whole(self.prepare_retry(**overrides)))

    # --- reading ---------------------------------------------------------------------------

    @property
    def system(self) -> str | None:
        """The system prompt."""
        return self._system

    @property
    def service(self) -> BaseService:
        """The service in force: the session's own, else the configured one."""
        return self._service or workspace.default_service()

    @property
    def model(self) -> str | None:
        """The model in force: the session's own, else its service's default."""
        return self._model or self.options["model"] or workspace.default_model(self.service)

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
        system = (Message(role="system", content=self._system),) if self._system else ()
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
        return self._turns > 0

    # --- changing --------------------------------------------------------------------------

    def set_system(self, system: str | None) -> None:
        """Change the system prompt; the history stays."""
        self._system = system
        self._note_settings()

    def set_service(self, service: str | BaseService | None, model: str | None = None) -> None:
        """Change the service, and with it the model: to ``model``, or the service's default."""
        self._service, self._model = _chosen(service, model)
        self._note_settings()

    def set_model(self, model: str | None) -> None:
        """Change the model; ``service:model`` changes both."""
        service, named = _chosen(None, model)
        self._service, self._model = service or self._service, named
        self._note_settings()

    def set_options(self, **options: Any) -> None:
        """Change options of every request; ``None`` leaves one to the service."""
        self.options |= checked_options(options)
        self._note_settings()

    def redefine(
        self,
        system: str | None,
        *,
        service: str | BaseService | None = None,
        model: str | None = None,
        **options: Any,
    ) -> None:
        """Make it what ``Session(system, ...)`` would be; the history, name and log stay."""
        chosen, checked = _chosen(service, model), checked_options(options)
        self._system = system
        self._service, self._model = chosen
        self.options = default_options() | checked
        self._note_settings()

    def set_dir(self, dir: str | os.PathLike[str] | None) -> None:
        """Log to another directory from now on, with all said so far; ``None`` ends the log.

        Raises:
            LogError: If it cannot be written; the old log goes on.
        """
        self._record.log_to(dir, self.name or "session")
        self._note_settings()
        self._record.copy_to_log()

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

    def hear(self, content: str, cell: Cell | None = None) -> None:
        """Put what others said on the path, without asking for a reply.

        What was heard in an earlier run of ``cell`` gives place.
        """
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
        system: str | None = None,
        service: str | BaseService | None = None,
        model: str | None = None,
        begin: bool = False,
        **options: Any,
    ) -> Ask:
        """Check what is to be asked, before anything is sent, and return it for :meth:`answer`."""
        content = with_context(instruction, context)
        return self._ask(content, system, service, model, options, begin=begin)

    def prepare_retry(
        self,
        *,
        system: str | None = None,
        service: str | BaseService | None = None,
        model: str | None = None,
        **options: Any,
    ) -> Ask:
        """Return the ask that repeats the last one, for :meth:`answer`."""
        for message in reversed(self.conversation.messages):
            if message.role == "user":
                return self._ask(None, system, service, model, options, again=message.id)
        raise InputError(f"nothing to retry: {self._shown_name} was asked nothing yet")

    def request_messages(self, ask: Ask) -> tuple[Message, ...]:
        """Return the messages that ``ask`` would send now."""
        return messages_of(ask, self._record)

    async def answer(self, ask: Ask) -> AsyncGenerator[Delta | Reply]:
        """Run one turn, on the I/O thread: yield its deltas, then the reply as a whole.

        Turns of one session wait for each other.
        """
        self._turns += 1
        try:
            if (lock := self._turn_lock()).locked():
                yield Delta(notice=f"{self._shown_name} is still answering what was asked before")
            async with lock, aclosing(take(ask, self._record, workspace.client)) as items:
                async for item in items:
                    yield item
        finally:
            self._turns -= 1

    async def _whole(self, ask: Ask) -> Reply:
        reply = None
        async with aclosing(self.answer(ask)) as items:
            async for item in items:
                reply = item
        assert isinstance(reply, Reply)
        return reply

    def _ask(
        self,
        content: str | None,
        system: str | None,
        service: str | BaseService | None,
        model: str | None,
        options: Mapping[str, Any],
        *,
        begin: bool = False,
        again: str | None = None,
    ) -> Ask:
        chosen, named = _chosen(service, model)
        if chosen is None or chosen is self.service:
            chosen, named = self.service, named or self.model
        if not (named := named or workspace.default_model(chosen)):
            raise InputError(
                f"no model chosen for {chosen.name}; name one with --model "
                f"('%convo models {chosen.name}' lists what it has)"
            )
        return Ask(
            self.name,
            content,
            self._system if system is None else system,
            chosen,
            named,
            self.options | checked_options(options),
            begin=begin,
            again=again,
            cell=running_cell(),
        )

    def _turn_lock(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._lock is None or self._lock_loop is not loop:  # the I/O thread was made anew
            self._lock, self._lock_loop = asyncio.Lock(), loop
        return self._lock

    def _check_idle(self) -> None:
        if self.busy:
            raise Busy(f"{self._shown_name} is answering; wait for the reply, or stop it")

    def _note_settings(self) -> None:
        self._record.note(
            "session",
            name=self.name,
            system=self._system,
            service=self.service.name,
            model=self.model,
            options={name: value for name, value in self.options.items() if value is not None},
        )

    @property
    def _shown_name(self) -> str:
        return repr(self.name) if self.name else "the session"


def _chosen(service: object, model: str | None) -> tuple[BaseService | None, str | None]:
    """Return the service and the model that are named, ``service:model`` taken apart."""
    if isinstance(service, str):
        service = services.get(service)
    elif not isinstance(service, BaseService | None):
        raise InputError(f"service must be a name, an http address or a service, not {service!r}")
    if model is not None and service is None:
        return split_model(model)
    if model is not None and (split := split_model(model))[0] is service:
        return split
    return service, model


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
