"""What has come of a reply so far."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nbconvo import tokens
from nbconvo.keys import without_keys
from nbconvo.messages import CallDelta, Carry, Delta, Message, ToolCall, new_id, paired
from nbconvo.usage import Usage

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """What has come of a reply, added up as it comes, its alternatives (by index) apart.

    Attributes:
        id: The id that the reply's message will have.
        texts: The text of each alternative so far; ``reasonings``, ``reasons`` (of ends), tool
            ``calls`` and blocks to be ``carried`` likewise.
        notice: Why nothing is coming just now, in words; ``None`` when something is.
        steps: What was said on the way to the reply, in order: calls of tools and their results,
            and replies that were to be mended.
        spent: What the replies before this one took, if there were any.
    """

    clock: Callable[[], float] = time.monotonic
    texts: dict[int, str] = field(default_factory=dict)
    reasonings: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    calls: dict[int, list[_Call]] = field(default_factory=dict)
    carried: dict[int, _Carried] = field(default_factory=dict)
    id: str = field(default_factory=new_id)
    notice: str | None = None
    steps: tuple[Message, ...] = ()
    usage: Usage | None = None
    spent: Usage | None = None
    model: str | None = None
    sent: float = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin to count the seconds."""
        self.sent = self.clock()

    def add(self, delta: Delta) -> None:
        """Count a delta in; the time that a reply takes begins when its request is sent."""
        if delta.notice is not None:
            self.sent, self.notice = self.clock(), delta.notice or None
        if delta.text:
            self.texts[delta.index] = self.texts.get(delta.index, "") + delta.text
        if delta.reasoning:
            self.reasonings[delta.index] = self.reasonings.get(delta.index, "") + delta.reasoning
        if delta.finish_reason:
            self.reasons[delta.index] = delta.finish_reason
        for piece in delta.calls:
            _put(self.calls.setdefault(delta.index, []), piece)
        for part in delta.carry:
            self.carried.setdefault(delta.index, _Carried()).add(part)
        self.usage = delta.usage or self.usage
        self.model = delta.model or self.model

    def next_round(self, *steps: Message) -> None:
        """Begin with another reply, which will have the id; ``steps`` lead to it."""
        for found in (self.texts, self.reasonings, self.reasons, self.calls, self.carried):
            found.clear()
        self.spent = self.turn_usage()
        self.usage, self.steps = None, self.steps + steps
        self.begin()

    def turn_usage(self) -> Usage | None:
        """Return what all replies took, this one included."""
        if self.spent is None or self.usage is None:
            return self.spent or self.usage
        return self.spent + self.usage

    def become(self, text: str) -> None:
        """Take ``text`` for the reply: it came as the arguments of a call."""
        self.texts[0] = text
        self.calls.pop(0, None)
        self.carried.pop(0, None)
        self.reasons[0] = "stop"

    def estimate(self, sent: Sequence[Message]) -> None:
        """Estimate the usage of a reply that ended before the service told it."""
        if self.usage is not None and self.usage.output_tokens:
            return
        usage = self.usage or Usage(tokens.prompt_tokens(sent), requests=1)
        called = (call for calls in self.calls.values() for call in calls)
        pieces = (call.name + call.arguments for call in called)
        said = "".join((*self.texts.values(), *self.reasonings.values(), *pieces))
        self.usage = replace(usage, output_tokens=tokens.estimate(said), estimated=True)

    def messages(
        self, name: str | None, service: str, model: str | None, reason: str | None = None
    ) -> list[Message]:
        """Return the alternatives as messages, the first one with the usage of all.

        Args:
            name: Who speaks.
            service: Which service answered.
            model: Which model was asked; the service may name it in more detail.
            reason: Why the reply ended, where it was not the service that ended it.
        """
        seconds = round(self.clock() - self.sent, 3)
        said = {*self.texts, *self.reasonings, *self.calls}
        indices = sorted(said if reason else {*said, *self.reasons})
        return [
            Message(
                id=self.id if index == indices[0] else new_id(),
                role="assistant",
                content=self.texts.get(index, ""),
                name=name,
                service=service,
                model=self.model or model,
                usage=self.usage if index == indices[0] else None,
                turn_usage=self.turn_usage() if self.spent and index == indices[0] else None,
                finish_reason=reason or self._reason(index),
                seconds=seconds,
                reasoning=self.reasonings.get(index, ""),
                # Those of a reply that did not come to its end may lack theirs.
                calls=() if reason or index not in self.calls else _whole(self.calls[index]),
                carried=() if reason or index not in self.carried else self.carried[index].blocks(),
            )
            for index in indices
        ]

    def _reason(self, index: int) -> str | None:
        """Why an alternative ended. Google says ``stop`` of one that ends in calls."""
        told = self.reasons.get(index)
        return "tool_calls" if told == "stop" and index in self.calls else told


class _Call:
    """A tool call as far as it has come."""

    __slots__ = ("arguments", "id", "name", "place")

    def __init__(self, place: int) -> None:
        self.place = place
        self.id = self.name = self.arguments = ""

    def whole(self, number: int) -> ToolCall:
        """Return the call; one without an id gets one, since its result has to refer to it."""
        arguments = (
            without_keys(paired(self.arguments)) or "{}"
        )  # as services write that there are none
        return ToolCall(paired(self.id) or f"call_{number}", paired(self.name), arguments)


def _whole(calls: Sequence[_Call]) -> tuple[ToolCall, ...]:
    # Pieces without a beginning are those of a tool that the service calls itself.
    begun = [call for call in calls if call.id or call.name]
    return tuple(call.whole(number) for number, call in enumerate(begun, 1))


def _put(calls: list[_Call], piece: CallDelta) -> None:
    call = next((call for call in reversed(calls) if call.place == piece.place), None)
    if call is None or _begins_another(piece, call):
        calls.append(call := _Call(piece.place))
    call.id = call.id or piece.id
    call.name = call.name or piece.name
    call.arguments += piece.arguments


def _begins_another(piece: CallDelta, call: _Call) -> bool:
    """Whether a piece is of another call than the last one at its place.

    There are servers that give all calls the same place, and no ids either.
    """
    if piece.id and call.id:
        return piece.id != call.id
    if not piece.name or not call.name:
        return False
    return piece.name != call.name or bool(piece.arguments and _is_json(call.arguments))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class _Carried:
    """Blocks that go back to the service, as far as they have come."""

    __slots__ = ("_blocks", "_needed")

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, int], dict[str, Any]] = {}
        self._needed = False

    def add(self, part: Carry) -> None:
        block = self._blocks.setdefault((part.protocol, part.place), {})
        self._needed = self._needed or part.needed
        for name, value in part.fields.items():
            before = block.get(name)
            joins = isinstance(before, str) and isinstance(value, str)
            block[name] = before + value if joins else value

    def blocks(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        if not self._needed:
            return ()
        in_order = sorted(self._blocks.items(), key=lambda found: found[0][1])
        return tuple((protocol, _mended(block)) for (protocol, _), block in in_order)


def _mended(value: Any) -> Any:
    """Return a part of a block, of pieces that may hold halves of characters, or of keys."""
    if isinstance(value, str):
        return without_keys(value if value.isascii() else paired(value))
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(item) for name, item in value.items()}
    return value
