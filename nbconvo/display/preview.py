"""What ``--dry-run`` shows: exactly what would be sent, and how many tokens it is."""

from __future__ import annotations

import html
from dataclasses import dataclass

from nbconvo.markdown import CONTAINER, STYLE
from nbconvo.services.checks import shown_url

__all__ = ["Preview"]


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
