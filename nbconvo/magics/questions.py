"""A question on one line, ``%ask comedian what is this?``: IPython takes it for a call for help."""

from __future__ import annotations

import re

__all__ = ["questions"]

_LINE = re.compile(r"(?P<before>\s*(?:\w+\s*=\s*)?)%ask[ \t]+(?P<text>\S.*\?)\s*?(?P<end>\n?)\Z")
_STRINGS = ('"""', "'''")


def questions(lines: list[str]) -> list[str]:
    """Return the lines of a cell, those that ask a question made calls of the magic.

    For ``shell.input_transformers_cleanup``, which come before help is looked for. ``%ask?``
    stays a call for help; so does every line of a cell in which one may be part of a string.
    """
    cell = "".join(lines)
    if cell.startswith("%%") or any(quotes in cell for quotes in _STRINGS):
        return lines
    return [_LINE.sub(_call, line) for line in lines]


def _call(line: re.Match[str]) -> str:
    return f"{line['before']}get_ipython().run_line_magic('ask', {line['text']!r}){line['end']}"
