"""What is told of a reply beside its words: who made it, how long it took, what it cost."""

from __future__ import annotations

from nbconvo.markdown import plain
from nbconvo.messages import Message
from nbconvo.usage import Usage

__all__ = ["cost", "dollars", "footer", "seconds"]


def footer(message: Message) -> tuple[str, ...]:
    """Return what a reply's message tells about its making, each fact a few words.

    Service and model, tokens (``~`` where estimated), seconds, cost where it is known, and
    the reason of its end unless that is ``stop``. Tokens and cost are those of the whole turn.
    """
    took = message.took
    facts = (
        ":".join(part for part in (message.service, message.model) if part),
        _tokens(took) if took else "",
        "" if message.seconds is None else seconds(message.seconds),
        cost(took) if took else "",
        "" if message.finish_reason == "stop" else message.finish_reason or "",
    )
    # The service names its model and its reasons: in a terminal these could be escapes.
    return tuple(plain(fact) for fact in facts if fact)


def _tokens(usage: Usage) -> str:
    if not usage.total_tokens:
        return ""
    about = "~" if usage.estimated else ""
    return f"in {about}{usage.input_tokens:,} + out {about}{usage.output_tokens:,} tokens"


def seconds(seconds: float) -> str:
    """Return a time in a few characters: 1.2 s, 0.03 s, 2 min 5 s."""
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def cost(usage: Usage) -> str:
    """Return what usage cost, ``~`` where it was computed; nothing where that is unknown.

    Nothing either where nobody charges: that is no news of each reply of a local server.
    """
    if usage.cost is None or (usage.priced and not usage.cost):
        return ""
    return ("~" if usage.priced else "") + dollars(usage.cost)


def dollars(cost: float) -> str:
    """Return dollars with at least two digits that say something: $12.30, $0.0012, $0.000031."""
    if cost <= 0 or cost >= 0.1:
        return f"${cost:.2f}"
    digits = f"{cost:.1e}"
    return f"${cost:.{1 - int(digits.partition('e')[2])}f}"
