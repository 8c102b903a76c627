"""What the offline models read out of the messages that they were sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["asked", "brief", "enclosed", "instruction", "results", "said", "speaker"]

# Words that open a plain request rather than name who speaks.
_NOT_NAMES = re.compile(
    r"q|question|task|note|joke|todo|context|example|hint|topic|subject|text|code|hello|hi|hey|"
    r"answer|prompt|instructions?|summari[sz]e|translate|explain|https?|write|poem|story|idea|"
    r"please|user",
    re.IGNORECASE,
)
_SPEAKER = re.compile(r"\s*([A-Za-z_][\w.-]{0,31}):\s+(?=\S)")
_MARKUP = re.compile(r"[*`]+|^[#>-]+ ", re.MULTILINE)
_LINKS_AND_TAGS = re.compile(r"[\[<]")


def said(messages: Sequence[Mapping[str, Any]], role: str) -> list[str]:
    """Return what ``role`` said, oldest first; messages without text are left out."""
    return [
        message["content"]
        for message in messages
        if message.get("role") == role and message.get("content")
    ]


def asked(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the user's last message; empty when there is none."""
    users = [message for message in messages if message.get("role") == "user"]
    return (users[-1].get("content") or "") if users else ""


def enclosed(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what came beside words since the user's last message, told in words."""
    return [thing for message in _last(messages) for thing in message.get("enclosed", ())]


def results(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the results of tools that came since the user's last message."""
    return [message["content"] for message in _last(messages) if message.get("role") == "tool"]


def _last(messages: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the user's last message and all that follows it."""
    places = [at for at, message in enumerate(messages) if message.get("role") == "user"]
    return messages[places[-1] :] if places else messages


def instruction(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the system prompt; empty when there is none."""
    return "\n".join(said(messages, "system") + said(messages, "developer"))


def speaker(text: str) -> tuple[str | None, str]:
    """Split ``"critic: too long"`` into who speaks and what is said; who may be ``None``."""
    found = _SPEAKER.match(text)
    if found is None or _NOT_NAMES.fullmatch(found[1]):
        return None, text
    return found[1], text[found.end() :]


def brief(text: str, words: int = 12) -> str:
    """Return the beginning of ``text`` on one line, safe to stand inside Markdown."""
    parts = _MARKUP.sub("", text[:1000]).split()
    short = " ".join(parts[:words])
    cut = len(parts) > words or len(short) > 160
    return _LINKS_AND_TAGS.sub(r"\\\g<0>", short[:160].rstrip(" .,:;")) + ("…" if cut else "")
