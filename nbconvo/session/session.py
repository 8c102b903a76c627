"""A session: a named conversation bound to a service, a model and options."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from nbconvo.budget import Budget, checked_budget
from nbconvo.configs import checked_options
from nbconvo.conversation import Conversation
from nbconvo.errors import Busy, InputError
from nbconvo.host import running_execution
from nbconvo.messages import Delta, Message
from nbconvo.services import BaseService
from nbconvo.services.checks import unseen_url
from nbconvo.session import export
from nbconvo.session.ask import Ask, fetched
from nbconvo.session.asking import Asking
from nbconvo.session.profile import Confirm, Options, Overrides, Profile, chosen
from nbconvo.session.record import Record
from nbconvo.session.reply import Reply
from nbconvo.session.turn import Turn
from nbconvo.session.workspace import workspace
from nbconvo.tools import Tool, tool_of
from nbconvo.usage import Usage

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Session"]


class Session:
    """A participant: its instructions, its conversation, and how it is asked.

    Args:
        system: The system prompt: who it is, what it shall do.
        name: Under which magics know it; another session of that name is replaced.
        dir: Directory of the log; by default that of the configuration, else no log. ``""`` is
            none.
        service: A known name, the http address of a compatible server, or a service.
        model: A model of the service; ``service:model`` names both.
        tools: Python functions that the model may call, or one, sync or async.
        max_rounds: How often it may call some before it has to answer, 10 if not given.
        tool_timeout: Seconds that one call may take, 60 if not given.
        confirm: Whether to ask before each call, in a cell; or a function that is given the
            :class:`~nbconvo.tools.Call` and tells whether it may run.
        budget: US dollars that its requests may cost in all; a request that would pass it is
            refused with ``BudgetExceeded``, and so is one whose price is not known.
        options: Options of every request, such as ``temperature`` and ``max_tokens``; in their
            values a UUID is sent as its text, a member of an Enum as its value.

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
        tools: Callable[..., Any] | Sequence[Callable[..., Any]] = (),
        max_rounds: int | None = None,
        tool_timeout: float | None = None,
        confirm: Confirm = False,
        budget: float | None = None,
        **options: Unpack[Options],
    ) -> None:
        service = unseen_url(service)  # first of all: a traceback must not show what it may hold
        self.name = _checked_name(name)
        _check_kinds(system, dir)
        profile = Profile.of(system, service, model, options)
        profile = profile.equipped(
            {
                "tools": tools or (),
                "max_rounds": max_rounds,
                "tool_timeout": tool_timeout,
                "confirm": confirm,
            }
        )
        remedy = f"%session {name} --budget {{}}" if name else "set_budget({})"
        self._budget = Budget(f"{name or 'the session'}'s budget", remedy, checked_budget(budget))
        self._record = Record(workspace.changed)
        #: How it is asked, for those who begin turns and wait for them: magics, panels, exchanges.
        self.asking = Asking(name, profile, self._record, self._budget)
        if directory := workspace.settings.resolved("dir") if dir is None else dir:
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
            overrides: ``system``, ``service``, ``model``, ``tools`` and options in place of the
                session's; and ``schema``, a pydantic model, dataclass, TypedDict or JSON Schema
                that the reply has to keep to (:attr:`Reply.parsed` is the object), with
                ``repairs``, how often the model is asked to mend it, 2 if not given; ``images``
                (see :func:`nbconvo.media.image_of`) and ``files``, PDFs or texts.

        Raises:
            InputError: If something given cannot be used; nothing is sent.
            MissingKey, RequestTooLarge: Before anything is sent.
            ServiceError: If the service does not answer as asked; the history stays as it was.
            Unfit: If the reply does not keep to the schema; its ``text`` is what came.
        """
        given = await fetched(overrides)
        return await self._start(self.asking.prepare(instruction, context, **given))

    followup = auto_followup = ask

    async def initiate(
        self, instruction: object, context: object = None, **overrides: Unpack[Overrides]
    ) -> Reply:
        """Begin afresh, then as :meth:`ask`; what was said before stays in the tree."""
        given = await fetched(overrides)
        return await self._start(self.asking.prepare(instruction, context, placed=True, **given))

    async def stream(
        self, instruction: object, context: object = None, **overrides: Unpack[Overrides]
    ) -> AsyncIterator[Delta]:
        """As :meth:`ask`, yielding deltas as they come; afterwards :attr:`last` is the reply."""
        given = await fetched(overrides)
        ask = _awaited(self.asking.prepare(instruction, context, **given))
        relayed = workspace.bridge.relay(self.asking.batches(ask))
        # Closed here and now: who leaves early finds what had come on record.
        async with aclosing(relayed) as batches:
            async for batch in batches:
                for item in batch:
                    if isinstance(item, Delta):
                        yield item

    async def retry(
        self, reply: Message | str | None = None, **overrides: Unpack[Overrides]
    ) -> Reply:
        """Ask again for ``reply`` (or its id), or the last one; the new one is an alternative.

        Without ``reply``, an ask that got none since the last one is asked again: it failed, or
        was stopped before anything came.
        """
        asked = None if reply is None else _id(reply)
        return await self._start(self.asking.prepare_retry(asked, **overrides))

    async def edit(
        self, message: Message | str, instruction: object, **overrides: Unpack[Overrides]
    ) -> Reply:
        """Say something else in the place of ``message`` (or its id), an alternative to it."""
        given = await fetched(overrides)
        return await self._start(self.asking.prepare_edit(_id(message), instruction, **given))

    def stop(self) -> int:
        """End all that is under way, from any thread; return how many asks that were.

        What had come is kept, marked ``stopped``; who waits for it gets ``Halted``.
        """
        turns = self.asking.turns.live
        for turn in reversed(turns):  # those that wait first: no end of another lets them go
            turn.halt()
        return len(turns)

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
    def tools(self) -> tuple[str, ...]:
        """The names of the functions that the model may call; :meth:`set_tools` changes them."""
        return tuple(tool.name for tool in self._profile.toolbox.tools)

    @property
    def max_rounds(self) -> int:
        """How often the model may call tools before it has to answer."""
        return self._profile.toolbox.rounds

    @property
    def tool_timeout(self) -> float:
        """Seconds that one call of a tool may take."""
        return self._profile.toolbox.timeout

    @property
    def confirm(self) -> Confirm:
        """Whether somebody is asked before each call; :meth:`set_confirm` changes it."""
        return self._profile.confirm

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
    def cost(self) -> float | None:
        """US dollars that all replies took; ``None`` if that is not known of each."""
        return self.usage.cost

    @property
    def budget(self) -> float | None:
        """US dollars that its requests may cost in all; :meth:`set_budget` changes it."""
        return self._budget.limit

    @property
    def last(self) -> Reply | None:
        """The last reply of the active path."""
        message = self.conversation.last
        return None if message is None else Reply(message)

    @property
    def busy(self) -> bool:
        """Whether a reply is under way."""
        return self.asking.line.busy

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The asks that are under way or wait for their turn, in order; see :class:`Turn`."""
        return self.asking.turns.live

    @property
    def failed_turns(self) -> tuple[Turn, ...]:
        """The last asks that failed, until they are asked again or :meth:`dismiss` is told."""
        return self.asking.turns.failed

    # --- changing --------------------------------------------------------------------------

    def set_system(self, system: str | None) -> None:
        """Change the system prompt; the history stays."""
        _check_kinds(system, None)
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

    def set_tools(self, *tools: Callable[..., Any] | Tool) -> None:
        """Change the functions that the model may call; none at all ends that."""
        self._change(self._profile.equipped({"tools": tools}))

    def set_confirm(self, confirm: Confirm) -> None:
        """Change whether somebody is asked before each call of a tool, as when it was made."""
        self._change(self._profile.equipped({"confirm": confirm}))

    def set_tool_limits(
        self, max_rounds: int | None = None, tool_timeout: float | None = None
    ) -> None:
        """Change how often the model may call tools, and the seconds of a call; ``None``: not."""
        given = {"max_rounds": max_rounds, "tool_timeout": tool_timeout}
        self._change(self._profile.equipped(given))

    def tool(self, function: F) -> F:
        """Let the model call ``function``, too; to be used as a decorator.

        Another of the same name is replaced.
        """
        new = tool_of(function)
        kept = [tool for tool in self._profile.toolbox.tools if tool.name != new.name]
        self.set_tools(*kept, new)
        return function

    def set_budget(self, budget: float | None) -> None:
        """Change what its requests may cost in all, those before included; ``None``: no limit.

        Raises:
            InputError: If it is below 0 or no number.
        """
        self._budget.limit = checked_budget(budget)

    def set_dir(self, dir: str | os.PathLike[str] | None) -> None:
        """Log to another directory from now on, with all said so far; ``None`` ends the log.

        Raises:
            LogError: If it cannot be written; the old log goes on.
        """
        _check_kinds(None, dir)
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

    def remove(self, message: Message | str) -> None:
        """Take one message (or its id) off the active path; the tree and the log keep it.

        The calls of tools that led to it go with it. What follows it stays on the path, as copies.

        Raises:
            InputError: If it is not on the path.
        """
        self._check_idle()
        if isinstance(message, Message) and message.role == "system":
            raise InputError("that is the system prompt; set_system() changes it")
        self._record.remove(_id(message))

    def dismiss(self, turn: Turn) -> None:
        """Forget one of :attr:`failed_turns`."""
        self.asking.turns.dismiss(turn)

    def fork(self, name: str | None = None, message: Message | str | None = None) -> Session:
        """Return a new session with the same settings, and copies of what was said.

        Args:
            name: Under which magics know it.
            message: The last message (or its id) to take along; by default the whole path.

        Raises:
            InputError: If the name is taken or cannot be used.
        """
        if name is not None and name in workspace:
            raise InputError(f"a session {name!r} exists already; choose another name")
        said = self.conversation.path(self.conversation.leaf if message is None else _id(message))
        profile = self._profile
        forked = Session(
            profile.system, name=name, dir=self.dir, service=profile.service, model=profile.model
        )
        forked._change(profile)
        if said:
            forked._record.commit([each.copied(cell=None) for each in said], None)
        return forked

    def select(self, message: Message | str) -> None:
        """Lead the active path through ``message`` (or its id), an alternative to one on it."""
        self._check_idle()
        self._record.select(_id(message))

    def alternatives(self, message: Message | str) -> tuple[Message, ...]:
        """Return all messages said in the place of ``message`` (or its id), itself included."""
        return self.conversation.alternatives(_id(message))

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

    def panel(self) -> Any:
        """Open a :class:`nbconvo.Panel` on it: its history and the rate limits, live."""
        # The one look up from here: panels know sessions, not the other way round.
        return sys.modules["nbconvo"].Panel(self)

    def __repr__(self) -> str:
        said = len(self.conversation.messages)
        where = f"{self.service.name}:{self.model}"
        return f"Session({self.name!r}, {where!r}, {said} message{'s' * (said != 1)})"

    @property
    def _profile(self) -> Profile:
        return self.asking.profile

    async def _start(self, ask: Ask) -> Reply:
        return await self.asking.start(_awaited(ask))

    def _check_idle(self) -> None:
        if self.busy:
            raise Busy(f"{self.asking.line.name} is answering; wait for the reply, or stop it")

    def _change(self, profile: Profile) -> None:
        described = profile.described()  # may raise, before anything is changed
        self.asking.profile = profile
        workspace.changed()
        self._record.note("session", name=self.name, **described)


def _checked_name(name: str | None) -> str | None:
    """Return ``name``; raise ``InputError`` unless it is one word that magics can be told."""
    if name is None or (isinstance(name, str) and re.fullmatch(r"[^\W\d][\w-]*", name)):
        return name
    raise InputError(
        f"session name {name!r} cannot be used: a letter comes first, "
        "then letters, digits, '_' and '-'"
    )


def _check_kinds(system: object, dir: object) -> None:
    """Raise ``InputError`` unless these can be instructions and a directory."""
    if not isinstance(system, str | None):
        raise InputError(f"the system prompt must be a text, not {system!r:.80}")
    if not isinstance(dir, str | os.PathLike | None):
        raise InputError(f"dir must be the path of a directory, not {dir!r:.80}")


def _awaited(ask: Ask) -> Ask:
    """Let async tools run on the event loop of whoever awaits the reply: it turns meanwhile.

    And let what people ask in cells and panels go first: a program may await thousands.
    """
    ask.loop, ask.bulk = asyncio.get_running_loop(), running_execution()
    return ask


def _id(message: Message | str) -> str:
    return message.id if isinstance(message, Message) else message
