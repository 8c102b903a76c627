"""Cards: what an output ends as, in HTML and in plain text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from nbconvo import cards
from nbconvo.cards import Card
from nbconvo.markdown import render
from nbconvo.messages import Message, Usage

HOSTILE = [
    "<script>alert(1)</script>",
    "</style></div><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onclick='alert(1)' x='",
    '" style="background:url(//evil.example)" onmouseover="alert(1)',
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "&lt;script&gt;&#x22; onfocus=alert(1)",
    "</summary></details><details open ontoggle=alert(1)>",
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1)) ![x](https://evil.example/leak.png)",
    r"$\href{javascript:alert(1)}{x}$ $\text{<img src=x onerror=alert(1)>}$",
    "\x1b]8;;javascript:alert(1)\x07<b\x00 onclick=x>\ud800",
]

ATTRIBUTES: dict[str, set[str]] = {
    **{tag: set() for tag in ("br", "code", "em", "li", "pre", "small", "style", "summary", "ul")},
    "div": {"class", "dir", "aria-busy"},
    "details": {"class"},
    "p": {"class", "style"},
    "strong": {"data-initial"},
    "span": {"class"},
    "a": {"href", "title", "target", "rel"},
}


class Elements(HTMLParser):
    """The elements of a page as (tag, attributes), and its words outside of styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.styles: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            self.styles.append(data)
        else:
            self.words += data

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", {}))


def classes(page: str) -> set[str]:
    return {
        name for _, found in Elements(page).found for name in (found.get("class") or "").split()
    }


def words(page: str) -> list[str]:
    return Elements(page).words.split()


def assert_passive(page: str) -> None:
    elements = Elements(page)
    assert not elements.open
    assert elements.styles == [cards.STYLE]
    for tag, attributes in elements.found:
        assert attributes.keys() <= ATTRIBUTES[tag], attributes
        style = attributes.get("style", "--nbconvo-hue:#000000")
        assert re.fullmatch("--nbconvo-hue:#[0-9a-f]{6}", style or "")
        if "href" in attributes:
            assert urlsplit(attributes["href"] or "").scheme == "https"


# What is refused


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_any_place_of_a_card_is_passive(text: str) -> None:
    card = Card(text, text, footer=(text, text), notice=text, reasoning=text, busy=True, error=True)
    assert_passive(cards.html([card]))
    assert_passive(cards.html([card, card], side_by_side=True))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_message_has_a_passive_footer(text: str) -> None:
    message = Message(
        role="assistant", content="", service=text, model=text, finish_reason=text, seconds=1
    )
    assert_passive(cards.html([Card(None, "", footer=cards.footer(message))]))


def test_names_and_notices_show_their_markup_as_text() -> None:
    page = cards.html([Card("<b>x</b>", "", notice="<i>y</i>", footer=("<u>z</u>",))])
    assert words(page) == ["<b>x</b>", "<i>y</i>", "<u>z</u>"]


# What is shown


def test_a_card_shows_name_body_notice_and_footer_in_this_order() -> None:
    card = Card("comedian", "a **joke**", footer=("offline:guide", "1.2 s"), notice="waiting")
    shown = " ".join(words(cards.html([card])))
    assert shown == "comedian a joke waiting offline:guide · 1.2 s"


def test_a_card_with_text_only_has_nothing_else() -> None:
    body = render("only this").strip()
    assert cards.html([Card(None, "only this")]).endswith(
        '<div class="nbconvo-card">\n'
        f'<div class="nbconvo-body" dir="auto">{body}</div>\n</div>\n</div>'
    )


def test_a_body_that_is_at_hand_is_not_rendered_again() -> None:
    assert words(cards.html([Card(None, "source", html="<p>rendered</p>")])) == ["rendered"]


def test_the_style_comes_once_for_all_cards() -> None:
    assert Elements(cards.html([Card("a", "x"), Card("b", "y")])).styles == [cards.STYLE]


def test_cards_stand_side_by_side_when_there_are_several() -> None:
    pair = [Card("a", "x"), Card("b", "y")]
    assert "nbconvo-beside" in classes(cards.html(pair, side_by_side=True))
    assert "nbconvo-beside" not in classes(cards.html(pair))
    assert "nbconvo-beside" not in classes(cards.html(pair[:1], side_by_side=True))


def test_a_busy_card_says_so_to_the_eye_and_to_a_screen_reader() -> None:
    page = cards.html([Card("a", "", busy=True)])
    assert "nbconvo-busy" in classes(page)
    assert any(attributes.get("aria-busy") == "true" for _, attributes in Elements(page).found)
    assert "aria-busy" not in cards.html([Card("a", "done")])


def test_the_caret_respects_reduced_motion() -> None:
    assert "@media (prefers-reduced-motion:reduce)" in cards.STYLE


def test_an_error_is_told_by_a_sign_not_by_colour_alone() -> None:
    assert words(cards.html([Card(None, "", notice="no", error=True)])) == ["\u26a0\ufe0e", "no"]
    assert words(cards.html([Card(None, "", notice="no")])) == ["no"]


def test_reasoning_is_folded_and_keeps_its_lines() -> None:
    page = cards.html([Card("a", "so", reasoning="one\ntwo\n\n\nthree *x*\n")])
    assert "<summary>reasoning</summary><p>one<br>two</p><p>three *x*</p></details>" in page
    assert "details" not in cards.html([Card("a", "so", reasoning=" \n")])


def test_money_in_a_card_is_kept_from_the_typesetter() -> None:
    page = cards.html([Card("a", "$5 and $10, $x$")])
    assert {"mathjax_ignore", "tex2jax_ignore"} <= classes(page)
    assert page.count("mathjax_process") == 1


# Colours


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def hue(name: str) -> str:
    found = re.search("--nbconvo-hue:(#[0-9a-f]{6})", cards.html([Card(name, "")]))
    assert found
    return found[1]


def test_every_speaker_can_be_read_on_light_and_dark() -> None:
    hues = {hue(f"speaker {number}") for number in range(500)}
    assert len(hues) == 12
    for colour in hues:
        assert contrast(colour, "#ffffff") >= 4.5  # its white initial, and a light page
        assert contrast(colour, "#111111") >= 3  # the disc on JupyterLab's dark page


def test_a_name_keeps_its_colour() -> None:
    assert (hue("comedian"), hue("critic")) == ("#64721d", "#be3f4a")


def test_a_speaker_has_an_initial() -> None:
    assert '<strong data-initial="Á">ágnes</strong>' in cards.html([Card("ágnes", "")])


# Plain text


def test_the_text_of_one_card_is_its_reply_alone() -> None:
    card = Card("comedian", "a **joke**\n\x1b[1m", footer=("1 s",), notice="no", reasoning="why")
    assert cards.text([card]) == "a **joke**\n"


def test_the_text_of_a_card_without_a_reply_is_its_notice() -> None:
    assert cards.text([Card("a", "", notice="waiting\n12 s")]) == "waiting 12 s"
    assert cards.text([Card("a", "")]) == ""


def test_the_text_of_several_cards_is_under_their_names() -> None:
    several = [Card("a", "one\ntwo"), Card("b", "three"), Card(None, "four")]
    assert cards.text(several) == "a:\none\ntwo\n\nb:\nthree\n\nfour"


# The footer


def reply(**facts: object) -> tuple[str, ...]:
    return cards.footer(Message(role="assistant", content="", **facts))  # type: ignore[arg-type]


def test_a_footer_tells_all_that_is_known() -> None:
    usage = Usage(input_tokens=1200, output_tokens=34, cost=0.0012, requests=1)
    assert reply(
        service="openai", model="gpt-x", usage=usage, seconds=1.24, finish_reason="length"
    ) == ("openai:gpt-x", "in 1,200 + out 34 tokens", "1.2 s", "$0.0012", "length")


def test_a_footer_leaves_out_what_is_unknown() -> None:
    assert reply() == ()
    assert reply(model="m", usage=Usage(), finish_reason="stop") == ("m",)


def test_estimated_tokens_are_marked() -> None:
    assert reply(usage=Usage(12, 3, estimated=True)) == ("in ~12 + out ~3 tokens",)


@pytest.mark.parametrize("reason", ["stopped", "cut", "length", "content_filter"])
def test_an_end_that_is_not_the_usual_one_is_told(reason: str) -> None:
    assert reply(finish_reason=reason) == (reason,)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *((0.0, "0.00 s"), (0.012, "0.01 s"), (1.25, "1.2 s"), (59.94, "59.9 s")),
        *((59.96, "1 min 0 s"), (75.4, "1 min 15 s"), (3600.0, "60 min 0 s")),
    ],
)
def test_seconds_are_short(seconds: float, shown: str) -> None:
    assert reply(seconds=seconds) == (shown,)


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        *((0.0, "$0.00"), (12.3, "$12.30"), (0.104, "$0.10"), (0.0996, "$0.10")),
        *((0.05, "$0.050"), (0.0012, "$0.0012"), (0.00003149, "$0.000031")),
    ],
)
def test_cost_has_two_digits_that_say_something(cost: float, shown: str) -> None:
    assert reply(usage=Usage(cost=cost, requests=1)) == (shown,)
