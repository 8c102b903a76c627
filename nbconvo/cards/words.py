"""Words of others for one line of a card."""

from __future__ import annotations

import html

from nbconvo.markdown import plain
from nbconvo.spelling import visible

__all__ = ["escape", "one_line"]


def one_line(words: str) -> str:
    """Return words as they stand in a line with others, which they don't reorder."""
    return " ".join(visible(plain(words)).split())


def escape(words: str) -> str:
    """Return the same as HTML."""
    return html.escape(one_line(words))
