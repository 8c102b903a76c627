"""Untrusted Markdown to sanitised HTML, whole or while it grows.

A model's reply is never handed to a front end as Markdown: JupyterLab runs the scripts of a
Markdown output in a trusted notebook. It goes through a parser that knows no raw HTML, then
Pygments, then an allow-list. Whatever shows the result gives its container the classes
``CONTAINER``: ``STYLE`` is scoped under the first, and the others keep the page's typesetter
to what is marked as maths, so that "$5 and $10" stays money.
"""

from nbconvo.markdown.growing import Growing
from nbconvo.markdown.plain import plain
from nbconvo.markdown.rendering import render
from nbconvo.markdown.structured import GrowingJson, is_json, reply_html
from nbconvo.markdown.style import CONTAINER, STYLE

__all__ = [
    "CONTAINER",
    "STYLE",
    "Growing",
    "GrowingJson",
    "is_json",
    "plain",
    "render",
    "reply_html",
]
