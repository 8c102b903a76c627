"""The pipeline: Markdown parser, Pygments, allow-list. Each is imported on first use."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nbconvo.markdown.code import code_html
from nbconvo.markdown.maths import MATHS_CLASSES, add_maths, maths_html
from nbconvo.markdown.plain import plain
from nbconvo.spelling import visible

if TYPE_CHECKING:
    import nh3
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

__all__ = ["parse", "render", "to_html"]

_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def render(text: str, *, breaks: bool = False) -> str:
    """Return untrusted Markdown as HTML that holds nothing active.

    Links are http, https or mailto and open in a new tab. An image becomes a link, because
    loading an address that a model wrote would tell a third party what the model put there.
    Maths stays as its escaped source in ``.math``, for the page's own typesetter. With
    ``breaks`` each line end breaks the line, as whoever typed it meant it.
    """
    env: dict[str, Any] = {"breaks": breaks}
    return to_html(parse(plain(text), env), env)


def parse(text: str, env: dict[str, Any]) -> list[Token]:
    """Return the tokens of Markdown that went through ``plain``.

    ``env`` holds link definitions under ``references``, and gains those of the text.
    """
    return _parser().parse(text, env)


def to_html(tokens: Sequence[Token], env: dict[str, Any]) -> str:
    """Return the sanitised HTML of whole top-level blocks.

    ``env`` may hold a dictionary ``colours``, to keep coloured code in from call to call.
    """
    if not tokens:
        return ""
    parser = _parser()
    return _cleaner().clean(parser.renderer.render(tokens, parser.options, env))


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    class Parser(MarkdownIt):
        def validateLink(self, url: str) -> bool:  # noqa: N802 - the parser's own name
            return bool(_LINK.match(url))

    parser = Parser("commonmark", {"html": False}).enable(["table", "strikethrough"])
    add_maths(parser)
    parser.core.ruler.push("passive", _passive)
    rules = {
        "softbreak": lambda *args: "<br>\n" if args[4].get("breaks") else "\n",
        "fence": lambda _, tokens, i, __, env: code_html(tokens[i], env.get("colours", {})),
        "code_inline": lambda _, tokens, i, *__: f"<code>{_escaped(tokens[i].content)}</code>",
        "code_block": lambda _, tokens, i, *__: code_html(tokens[i], {}),
        "math_inline": lambda _, tokens, i, *__: maths_html(tokens[i], "span"),
        "math_inline_double": lambda _, tokens, i, *__: maths_html(tokens[i], "span"),
        "math_block": lambda _, tokens, i, *__: maths_html(tokens[i], "div"),
        "table_open": lambda *_: '<div class="nbconvo-table"><table>\n',
        "table_close": lambda *_: "</table></div>\n",
    }
    for name, rule in rules.items():
        parser.add_render_rule(name, rule)
    return parser


@functools.cache
def _cleaner() -> nh3.Cleaner:
    import nh3
    from pygments.token import STANDARD_TYPES

    tags = "a blockquote br code div em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong table tbody"
    return nh3.Cleaner(
        tags={*tags.split(), "td", "th", "thead", "tr", "ul"},
        attributes={"a": {"href", "title"}, "ol": {"start"}, "td": {"align"}, "th": {"align"}},
        allowed_classes={
            "div": {*MATHS_CLASSES, "highlight", "nbconvo-table"},
            "span": {*MATHS_CLASSES, *STANDARD_TYPES.values()},
        },
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def _escaped(code: str) -> str:
    return html.escape(visible(code))


def _passive(state: StateCore) -> None:
    """Turn images into links, drop empty links, and give cells an attribute for their style."""
    for token in state.tokens:
        if token.type in ("td_open", "th_open") and "style" in token.attrs:
            token.attrs = {"align": str(token.attrs["style"]).rpartition(":")[2]}
        if any(child.type in ("image", "link_open") for child in token.children or ()):
            token.children = list(_passive_inline(token.children or ()))


def _passive_inline(children: Sequence[Token]) -> Iterator[Token]:
    from markdown_it.token import Token

    inside_link = 0
    for child in children:
        if child.type.startswith("link_"):
            inside_link += child.nesting
            if not _LINK.match(str(child.attrs.get("href", ""))):  # [words]()
                child.attrs = {}
        if child.type != "image":
            yield child
            continue
        address = str(child.attrs["src"])
        words = "".join(part.content or " " * (not part.nesting) for part in child.children or ())
        text = Token("text", "", 0, content=words.strip() or address)
        if inside_link or not _LINK.match(address):  # no link can stand in another
            yield text
            continue
        yield Token("link_open", "a", 1, attrs={"href": address, "title": f"image: {address}"})
        yield text
        yield Token("link_close", "a", -1)
