"""Untrusted Markdown: what is rendered, what is refused, and that growing changes neither."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nbconvo.markdown import STYLE, Growing, plain, render, rendering

if TYPE_CHECKING:
    from markdown_it.token import Token

SAMPLE = r"""## The whale and the shark

A blue whale and a **big shark** meet, and after the *second* drink they start dancing;
`bartender.py` says that the floor was only ever rated for $5 fish and $10 crabs.

1. First the whale, with care
2. then the shark, without

   - nested and loose, with a [link](https://example.org) and [one][defined below]

     ```sh
     echo "$HOME" | wc -c
     ```

```python
def dance(animal: str, steps: int = 3) -> str:
    '''Return what the floor says.

not indented, and after a blank line'''
    return " ".join(f"{animal} {i}" for i in range(steps))
```

| animal | mass in t | dances |
|:--|--:|:-:|
| blue whale | 150 | yes |

> The energy is $E = \tfrac12 m v^2$,
which is a lazy line.

$$
\int_0^1 x^2 \, dx = \frac13
$$

\[
a
- b
\]

A heading
of two lines
---

    indented code

    and more of it
"""
BIG = SAMPLE * 12 + "\n\n[defined below]: https://example.com/late\n"

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<p onclick=alert(1) style='position:fixed'>x</p>",
    "<style>*{display:none}</style><link rel=stylesheet href=//e.org/x.css>",
    "<svg><animate onbegin=alert(1) /><script>alert(1)</script></svg>",
    "<math><mtext><a href='javascript:alert(1)'>x</a></mtext></math>",
    "<math><mtext><table><mglyph><style><img src onerror=alert(1)>",
    "<!-- --><form action=javascript:alert(1)><button>x</button></form>",
    "<a data-commandlinker-command='apputils:reset'>x</a>",
    "[x](javascript:alert(1)) [x](JaVaScRiPt:alert(1)) [x](vbscript:x) [x](file:///etc/passwd)",
    "[x](data:text/html;base64,PHNjcmlwdD4=) ![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "[x](java&#115;cript:alert(1)) [x](&#x6A;avascript&colon;alert(1)) [x](java\\script:x)",
    "[x](<java\tscript:alert(1)>) <javascript:alert(1)> [x]( javascript:alert(1))",
    "[x][r]\n\n[r]: javascript:alert(1)",
    "[x](//evil.example) [x](/logout) [x](#top) [x](relative.ipynb)",
    '[x]() ![x]() [x]( "title") ![x](<>) [x](<> "title") [x][e] ![x][e]\n\n[e]: <>',
    '[x](https://e.org "\\" onmouseover=alert(1) x=\\"")',
    '![" onerror="alert(1)](https://e.org/x.png) ![a](https://e.org/"onerror="x)',
    r"$\text{<img src=x onerror=alert(1)>}$ and $$\text{</span><script>alert(1)</script>}$$",
    "$$\n\\text{</div><iframe src=javascript:alert(1)></iframe>}\n$$",
    "\\[\n\\text{</div><img src=x onerror=alert(1)>}\n\\]\n\n\\(<script>alert(1)</script>\\)",
    "```html\n<script>alert(1)</script>\n```\n\n```<img/src/onerror=alert(1)>\n</code></pre><b>",
    '```python" onclick="alert(1)\nx\n```\n\n`<script>alert(1)</script>`',
    "|<script>|\n|-|\n|<img src=x onerror=alert(1)>|",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;img src=x onerror=alert(1)&#62;",
    "<scr\x00ipt>alert(1)</scr\x1b[0mipt>",
]

PLAIN = "blockquote br code em h1 h2 h3 h4 h5 h6 hr li p pre s strong table tbody thead tr ul"
ATTRIBUTES: dict[str, set[str]] = {tag: set() for tag in PLAIN.split(" ")} | {
    "a": {"href", "title", "target", "rel"},
    "div": {"class"},
    "span": {"class"},
    "ol": {"start"},
    "td": {"align"},
    "th": {"align"},
}


class Elements(HTMLParser):
    """The elements of a page as (tag, attributes)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", {}))

    def handle_decl(self, decl: str) -> None:
        self.found.append(("declaration", {}))

    def unknown_decl(self, data: str) -> None:
        self.found.append(("declaration", {}))

    def handle_pi(self, data: str) -> None:
        self.found.append(("instruction", {}))


def assert_passive(page: str) -> None:
    for tag, attributes in Elements(page).found:
        assert tag in ATTRIBUTES, tag
        assert attributes.keys() <= ATTRIBUTES[tag], attributes
        if tag == "a":
            address = attributes.get("href", "https:")
            assert urlsplit(address or "").scheme in {"http", "https", "mailto"}
            assert attributes["rel"] == "noopener noreferrer nofollow"
            assert attributes["target"] == "_blank"


def tags(page: str) -> set[str]:
    return {tag for tag, _ in Elements(page).found}


def links(page: str) -> list[str | None]:
    return [attributes["href"] for tag, attributes in Elements(page).found if tag == "a"]


def grow(text: str, size: int) -> str:
    reply = Growing()
    for start in range(0, len(text), size):
        reply.feed(text[start : start + size])
        reply.html()
    return reply.html()


# What is refused


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_renders_to_passive_elements_only(text: str) -> None:
    assert_passive(render(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_is_passive_at_every_step_of_growing(text: str) -> None:
    reply = Growing()
    for start in range(0, len(text), 7):
        reply.feed(text[start : start + 7])
        assert_passive(reply.html())


def test_all_hostile_markdown_together_is_passive() -> None:
    assert_passive(render("\n\n".join(HOSTILE)))
    assert_passive(render("".join(HOSTILE)))


def test_the_check_itself_finds_active_elements() -> None:
    for bad in ("<script>", "<p onclick=x>", "<a href='javascript:x' rel=x target=x>", "<!-- -->"):
        with pytest.raises((AssertionError, KeyError)):
            assert_passive(bad)


def test_html_in_markdown_is_shown_as_text() -> None:
    assert Elements(render("<script>alert(1)</script>")).words.strip() == HOSTILE[0]


@pytest.mark.parametrize(
    "text",
    ["[x](javascript:a)", "[x](/logout)", "[x](#a)", "[x](//e.org)", "[x](data:text/html,y)"],
)
def test_a_refused_link_stays_as_its_source(text: str) -> None:
    assert Elements(render(text)).words.strip() == text


@pytest.mark.parametrize(
    "source",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\style{position:fixed}{x}",
        r"\class{jp-Dialog}{x}",
        r"\require{html}x",
        r"\def\sum{0}",
        r"\renewcommand{\sum}{0}",
        r"\mmlToken{mi}[href='javascript:x']{x}",
    ],
)
def test_maths_that_could_link_style_or_redefine_is_not_typeset(source: str) -> None:
    for text in (f"${source}$", f"$$\n{source}\n$$", rf"\({source}\)", f"\\[\n{source}\n\\]"):
        page = render(text)
        assert "mathjax_process" not in page
        assert source in Elements(page).words


@given(st.lists(st.sampled_from([*HOSTILE, "\n", "$", "`", "](", "<", ">", '"', "&#", "\x00"])))
@settings(database=None, deadline=None, max_examples=100)
def test_any_mixture_of_hostile_pieces_is_passive(pieces: list[str]) -> None:
    assert_passive(render("".join(pieces)))


# What is rendered


def test_web_and_mail_links_open_in_a_new_tab() -> None:
    page = render("[a](https://a.org/?q=1&r=2) <http://b.org> <c@d.org>")
    assert links(page) == ["https://a.org/?q=1&r=2", "http://b.org", "mailto:c@d.org"]
    assert_passive(page)


def test_a_bare_address_is_not_made_a_link() -> None:
    assert links(render("see https://example.org now")) == []


def test_an_image_is_a_link_with_its_words_and_loads_nothing() -> None:
    page = render("![the *whale* `x`](https://e.org/w.png)")
    assert links(page) == ["https://e.org/w.png"]
    assert Elements(page).words.strip() == "the whale x"
    assert "img" not in tags(page)


def test_an_image_without_words_shows_its_address() -> None:
    assert Elements(render("![](https://e.org/w.png)")).words.strip() == "https://e.org/w.png"


def test_an_image_inside_a_link_leaves_its_words_to_the_link() -> None:
    page = render("[a ![badge](https://e.org/b.svg) b](https://e.org)")
    assert links(page) == ["https://e.org"]
    assert Elements(page).words.strip() == "a badge b"


def test_code_is_coloured_with_classes() -> None:
    page = render("```Python title=x\nreturn 1\n```")
    assert ("span", {"class": "k"}) in Elements(page).found
    assert Elements(page).words.strip() == "return 1"


@pytest.mark.parametrize("fence", ["```", "```klingon", "``` ", "~~~ {.klingon}", "```{}"])
def test_code_in_an_unknown_language_is_plain(fence: str) -> None:
    assert "<code>a &lt; b\n</code>" in render(f"{fence}\na < b\n{fence[:3]}")


def test_very_long_code_stays_plain() -> None:
    assert "span" not in tags(render("```python\n" + "x = 1\n" * 10_000 + "```"))


def test_code_whose_fence_is_open_shows_as_code() -> None:
    page = render("```python\nreturn 1")
    assert Elements(page).found[2:] == [
        ("code", {}),
        ("span", {"class": "k"}),
        ("span", {"class": "mi"}),
    ]
    assert Elements(page).words.strip() == "return 1"


def test_a_closed_fence_has_the_colours_of_its_whole_code() -> None:
    string = "'''\n" + "a\n\n" * 900 + "'''\n"
    page = render(f"```python\n{string}```")
    assert {a.get("class") for t, a in Elements(page).found if t == "span"} == {"sd"}


def test_tables_keep_their_alignment_without_a_style() -> None:
    page = render("|a|b|\n|--:|:-:|\n|1|2|")
    aligned = [attributes for tag, attributes in Elements(page).found if tag == "td"]
    assert aligned == [{"align": "right"}, {"align": "center"}]


def test_struck_text_and_the_start_of_a_list_are_kept() -> None:
    assert {"s", "ol", "li"} <= tags(render("3. ~~no~~"))
    assert ("ol", {"start": "3"}) in Elements(render("3. ~~no~~")).found


@pytest.mark.parametrize(
    "text", ["$5 and $10", "$5 or 6$", "it is $1,000 (net) or 3$.", "US$5-$10", r"\$x\$", "$ x $"]
)
def test_money_is_not_maths(text: str) -> None:
    page = render(text)
    assert tags(page) == {"p"}
    assert Elements(page).words.strip() == text.replace("\\", "")


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("$a<b$", "span"),
        ("$5 x$", "span"),
        (r"$2 \times 3$", "span"),
        ("so $$a*b*c$$ here", "span"),
        (r"so \(a_1 b_1\) here", "span"),
        (r"so \[ a_1 b_1 \] here", "span"),
        ("$$\na\n- b\n$$", "div"),
        ("$$a*b*c$$", "div"),
        ("\\[\na \\\\\n- b\n\\]", "div"),
        (r"\[ \left[ a \\\] ", "div"),
    ],
)
def test_maths_is_kept_as_its_source_for_the_typesetter(text: str, tag: str) -> None:
    page = render(text)
    assert (tag, {"class": "math mathjax_process tex2jax_process"}) in Elements(page).found
    assert Elements(page).words.strip() == text.strip()


@pytest.mark.parametrize("text", [r"\(", r"\[", r"\(\)", "\\[\n\\]", r"\[ a", "\\[ a\n\nb \\]"])
def test_brackets_that_hold_no_maths_are_text(text: str) -> None:
    assert "math" not in render(text)


def test_lone_surrogates_and_control_characters_render() -> None:
    assert render("a\ud800b \x1b[31mred\x1b[0m \x00") == "<p>a\ufffdb red</p>\n"


def test_an_empty_text_is_empty_html() -> None:
    assert render("") == render(" \n\n") == Growing().html() == ""


# Growing

PIECES = st.sampled_from(
    [
        *("\n", "\n\n", "\n\n", "\r\n", "\r", " ", "    ", "\t", "a", "word ", "é", "\u00a0"),
        *("- ", "* ", "1. ", "2) ", "  - n\n", "> ", "# ", "===", "---", "- - -", "     code\n"),
        *("```", "```python\n", "~~~", "````", "`", "|", "a|b\n", "-|-\n", "x\n= y\n", "\\\n"),
        *("[x]", "[x]: /u", "[x]: http://u.v\n", "[y]: <http://a.b> 'ti\ntle'\n", "[x][y]"),
        *(
            "$",
            "$$",
            "$$\n",
            "\\[",
            "\\]",
            "\\(",
            "\\)",
            "\\",
            "*",
            "**",
            "_",
            "~~",
            "<b>",
            "<!-- ",
        ),
        *("\x1b[31m", "\x1b", "\x1b]0;t\x07", "\ud83d", "\ude00", "\x0b", "\x00", "&amp;"),
    ]
)


@given(st.lists(PIECES, max_size=40), st.integers(1, 9))
@example(["para", "\n", "#", "x"], 1)
@example(["[x]", "\n\n", "a", "\n\n", "[x]: http://u.v\n", "\n", "b", "\n\n", "c"], 3)
@settings(database=None, deadline=None, max_examples=100)
def test_growing_is_at_every_step_what_render_gives(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    reply = Growing()
    for start in range(0, len(text), size):
        reply.feed(text[start : start + size])
        assert reply.html() == render(text[: start + size])


@pytest.mark.parametrize(("size", "length"), [(7, 5_000), (75, 20_000), (20_000, 20_000)])
def test_growing_a_long_reply_ends_as_render_does(size: int, length: int) -> None:
    text = BIG[-length:]
    assert grow(text, size) == render(text)


def test_a_link_definition_that_comes_late_reaches_closed_blocks() -> None:
    reply = Growing()
    reply.feed("see [this]\n\nmore\n\nand more\n\n")
    assert links(reply.html()) == []
    reply.feed("[this]: https://e.org\n\nthe end\n\n")
    assert links(reply.html()) == ["https://e.org"]


def test_closed_parts_only_grow_at_their_end() -> None:
    reply, before = Growing(), ""
    for start in range(0, len(SAMPLE), 7):
        reply.feed(SAMPLE[start : start + 7])
        closed, _ = reply.parts()
        assert closed.startswith(before)
        before = closed
    assert len(before) > len(SAMPLE)


def test_closed_blocks_are_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 kB in 134 feeds reads a few times 10 kB, not 134 times 5 kB."""
    read: list[int] = []

    def parse(text: str, env: dict[str, Any]) -> list[Token]:
        read.append(len(text))
        return rendering.parse(text, env)

    monkeypatch.setattr("nbconvo.markdown.growing.parse", parse)
    grow(BIG[:10_000], 75)
    assert len(read) == 135
    assert sum(read) < 10 * 10_000


def test_code_that_grows_is_not_coloured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from pygments.lexers import PythonLexer

    read: list[int] = []
    whole = PythonLexer.get_tokens

    def get_tokens(self: Any, text: str) -> Any:
        read.append(len(text))
        return whole(self, text)

    monkeypatch.setattr(PythonLexer, "get_tokens", get_tokens)
    grow("```python\n" + "def f(x):\n    return x + 1\n\n" * 90, 25)
    assert len(read) > 100
    assert max(read) <= 1_000


# Plain text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x1b[1;31mred\x1b[0m \x9b2Jx", "red x"),
        ("\x1b]0;title\x07a\x1b]8;;http://e.org\x1b\\b", "ab"),
        ("\x1b\x1b[31m[32m", "[32m"),
        ("bell\x07 \x00nul \x7fdel \x85nel", "bell nul del nel"),
        ("\ud83d\ude00 \ud83d \ude00", "😀 \ufffd \ufffd"),
        ("naïve 日本 😀", "naïve 日本 😀"),
    ],
)
def test_plain_text_can_be_printed_and_saved(text: str, expected: str) -> None:
    assert plain(text) == expected


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=50))
@settings(database=None, deadline=None)
def test_plain_text_is_always_unicode_without_controls(text: str) -> None:
    safe = plain(text)
    safe.encode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", safe)
    assert plain(safe) == safe


# Weight


def test_the_style_is_small_scoped_and_loads_nothing() -> None:
    assert len(STYLE) < 3_000
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert STYLE.count("{") == STYLE.count("}")
    for selectors in re.findall(r"([^{}]+)\{", re.sub(r"\([^)]*\)", "", STYLE)):
        assert all(selector.startswith(".nbconvo") for selector in selectors.split(","))


def test_the_import_is_light() -> None:
    heavy = "markdown_it", "mdit_py_plugins", "nh3", "pygments"
    code = f"import sys, nbconvo.cards; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[1],
        text=True,
    )
    assert done.stdout.strip() == "[]"
