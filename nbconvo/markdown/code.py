"""Code blocks, coloured by Pygments with classes, never with styles."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nbconvo.spelling import visible

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["code_html"]

_LIMIT = 50_000  # characters of one code block; a longer one stays plain
_PIECE = 800  # characters, about, that are coloured by themselves while code streams in
_CUT = re.compile(r"\n\n(?=\S)")  # where functions and classes end, in most languages


def code_html(token: Token, colours: dict[tuple[str, str], str]) -> str:
    """Return the HTML of a code block; an unknown language stays plain.

    Args:
        token: A ``fence`` or ``code_block`` of markdown-it.
        colours: What was coloured before, by language and code; it gains what is new.
    """
    code, words = visible(token.content), token.info.split(maxsplit=1)
    language = words[0].strip("{}.").lower() if words else ""
    if len(code) > _LIMIT or language not in _languages():
        body = html.escape(code, quote=False)
    elif _is_closed(token):
        body = _kept(language, code, colours)
    else:
        *whole, last = _pieces(code)
        body = "".join(_kept(language, piece, colours) for piece in whole)
        body += _coloured(language, last)
    return f'<div class="highlight"><pre><code>{body}</code></pre></div>\n'


def _is_closed(token: Token) -> bool:
    lines = len(token.content.removesuffix("\n").split("\n")) if token.content else 0
    return token.map is not None and token.map[1] - token.map[0] == lines + 2


def _pieces(code: str) -> Iterator[str]:
    """Cut code that still grows, so that all but the last piece stay as they are.

    A string that spans a cut has wrong colours until its block is closed and coloured whole.
    """
    start = 0
    while len(code) - start > _PIECE:
        cut = _CUT.search(code, start + _PIECE // 2, start + _PIECE)
        end = cut.end() if cut else code.find("\n", start + _PIECE) + 1
        if not end:
            break
        yield code[start:end]
        start = end
    yield code[start:]


def _kept(language: str, code: str, colours: dict[tuple[str, str], str]) -> str:
    if (language, code) not in colours:
        colours[language, code] = _coloured(language, code)
    return colours[language, code]


def _coloured(language: str, code: str) -> str:
    from pygments import highlight
    from pygments.formatters.html import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    if not code:
        return ""
    coloured: str = highlight(
        code, get_lexer_by_name(language, stripnl=False), HtmlFormatter(nowrap=True)
    )
    return coloured


@functools.cache
def _languages() -> frozenset[str]:
    from pygments.lexers import get_all_lexers

    # Without plugins: to look for them takes 70 ms, and a model's word shall not load any.
    return frozenset(alias for entry in get_all_lexers(plugins=False) for alias in entry[1])
