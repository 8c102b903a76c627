"""What ``--dry-run`` shows: what would be sent, data but by size, and how many tokens it is."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

from nbconvo.markdown import CONTAINER, STYLE
from nbconvo.services.checks import shown_url

__all__ = ["Preview", "readable"]

_SHORT = 256  # characters of data that are shown as they are
_DATA = re.compile(r"(data:[\w.+/-]+;base64,)?[A-Za-z0-9+/]+(={0,2})")


def readable(body: Any) -> Any:
    """Return the JSON value ``body`` with the size of images and files in the place of their data.

    Known are the data of an address (``data:image/png;base64,...``), and text that is all base64.
    """
    if isinstance(body, dict):
        return {name: readable(value) for name, value in body.items()}
    if isinstance(body, list):
        return list(map(readable, body))
    if not isinstance(body, str) or len(body) <= _SHORT or not (found := _DATA.fullmatch(body)):
        return body
    kind = found[1] or ""
    size = (len(body) - len(kind)) // 4 * 3 - len(found[2])
    return f"{kind}… ({size:,} bytes)"


@dataclass(frozen=True, slots=True)
class Preview:
    """Requests that were not sent: who is asked, the address, the body, the estimated tokens."""

    requests: tuple[tuple[str | None, str, str, int], ...]

    def __str__(self) -> str:
        return "\n\n".join(f"{head}\n{body}" for head, body in self._parts())

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        parts = "".join(
            f"<p>{html.escape(head)}</p><div class='highlight'><pre>{html.escape(body)}</pre></div>"
            for head, body in self._parts()
        )
        page = f'<div class="{CONTAINER}"><style>{STYLE}</style>{parts}</div>'
        return {"text/html": page, "text/plain": str(self)}

    def _parts(self) -> list[tuple[str, str]]:
        return [
            (f"{name or 'session'}: not sent · POST {shown_url(url)} · ~{tokens:,} tokens", body)
            for name, url, body, tokens in self.requests
        ]
