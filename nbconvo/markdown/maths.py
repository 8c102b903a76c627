r"""Maths between ``$``, ``$$``, ``\(`` and ``\[``: found, fenced off, and left to the page.

Nothing is typeset here: the source stays as it is, escaped, in an element that the page's
typesetter looks into.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = ["MATHS_CLASSES", "add_maths", "maths_html"]

MATHS_CLASSES = ("math", "mathjax_process", "tex2jax_process")  # MathJax 3 and later; MathJax 2

_CLOSING = {r"\(": r"\)", r"\[": r"\]"}
_LIMIT = 4_000  # characters within brackets, so that many unclosed ones cost no search each
_MONEY = re.compile(r"\$\d[\d.,]*[kKMB]?[\s(]+[A-Za-z]{2}")  # "$5 for one" begins no formula
# What lets TeX link, style, load, redefine or number; the page's typesetter may not refuse it,
# and keeps what is defined for all formulas of the page.
_UNSAFE = re.compile(
    r"\\(?:href|url|class|cssId|style|data|bbox|mmlToken|require|includegraphics|csname"
    r"|(?:math|text)tip|label|(?:eq)?ref|definecolor|mathtoolsset|usetagform|Newextarrow"
    r"|[egx]?def|let|(?:re)?new(?:command|environment|tagform)|Declare[A-Za-z]+)(?![A-Za-z])"
)


def add_maths(parser: MarkdownIt) -> None:
    """Teach the parser maths: tokens ``math_inline``, ``math_inline_double``, ``math_block``."""
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    # No blank lines in maths: TeX has none there either, and a block once closed stays so.
    parser.use(
        dollarmath_plugin,
        allow_labels=False,
        allow_space=False,
        allow_digits=False,
        allow_blank_lines=False,
        double_inline=True,
    )
    parser.block.ruler.before("fence", "bracket_block", _bracket_block)
    parser.inline.ruler.before("escape", "bracket_inline", _bracket_inline)
    parser.inline.ruler.before("math_inline", "money", _money)


def maths_html(token: Token, tag: str) -> str:
    """Return the element that holds the token's source."""
    closing = token.markup.replace("(", ")").replace("[", "]")
    text = html.escape(token.markup + token.content + closing, quote=False)
    if _UNSAFE.search(token.content):
        return f"<code>{text}</code>" if tag == "span" else f"<pre><code>{text}</code></pre>\n"
    element = f'<{tag} class="{" ".join(MATHS_CLASSES)}">{text}</{tag}>'
    return element if tag == "span" else element + "\n"


def _find(closing: str, text: str, start: int, end: int) -> int:
    """Return where the bracket is whose backslash isn't itself escaped, or -1."""
    at = text.find(closing, start, end)
    while at >= 0:
        before = text[start:at]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return at
        at = text.find(closing, at + 1, end)
    return -1


def _money(state: StateInline, silent: bool) -> bool:
    if not _MONEY.match(state.src, state.pos):
        return False
    if not silent:
        state.pending += "$"
    state.pos += 1
    return True


def _bracket_inline(state: StateInline, silent: bool) -> bool:
    opening = state.src[state.pos : state.pos + 2]
    if opening not in _CLOSING:
        return False
    start = state.pos + 2
    end = _find(_CLOSING[opening], state.src, start, min(start + _LIMIT, state.posMax))
    if end < 0 or not state.src[start:end].strip():
        return False
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content, token.markup = state.src[start:end], opening
    state.pos = end + 2
    return True


def _bracket_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.is_code_block(start):
        return False
    lines: list[str] = []
    for line in range(start, end):
        if state.isEmpty(line) or state.sCount[line] < state.blkIndent:
            return False
        lines.append(state.src[state.bMarks[line] : state.eMarks[line]].strip())
        if not lines[0].startswith(r"\["):
            return False
        at = _find(r"\]", lines[-1], 0, len(lines[-1]))
        if at >= 0:
            return at + 2 == len(lines[-1]) and _push(state, start, lines, silent)
    return False


def _push(state: StateBlock, start: int, lines: list[str], silent: bool) -> bool:
    content = "\n".join(lines)[2:-2]
    if not content.strip():
        return False
    state.line = start + len(lines)
    if not silent:
        token = state.push("math_block", "math", 0)
        token.block, token.markup, token.content = True, r"\[", content
        token.map = [start, state.line]
    return True
