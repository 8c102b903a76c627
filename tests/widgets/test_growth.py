"""What the page needs to have all of a text that grows."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbconvo.markdown import Growing, render
from nbconvo.widgets.growth import Growth, changed

WORDS = st.text(st.sampled_from("ab<>/p \U0001f40b\U0001f988\u00e9"), max_size=12)
STATES = st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=8)
MARKDOWN = st.lists(
    st.sampled_from(
        ["word ", "\n", "\n\n", "- ", "# ", "```\n", "[a]", "[a]: http://a\n", "\U0001f40b"]
    ),
    max_size=40,
)


class Page:
    """A body in the page, as growing.js keeps it: its strings are UTF-16 code units."""

    def __init__(self) -> None:
        self.closed = self.open = self.why = b""

    def grow(self, growth: dict[str, Any]) -> None:
        if growth.get("reset"):
            self.closed = self.open = b""
        self.closed += self.open[: 2 * growth.get("take", 0)] + units(growth.get("add", ""))
        self.open = patched(self.open, growth)
        self.why = patched(self.why, growth.get("why", {"keep": len(self.why), "tail": ""}))

    def parts(self) -> tuple[str, ...]:
        return tuple(part.decode("utf-16-le") for part in (self.closed, self.open, self.why))


def units(text: str) -> bytes:
    return text.encode("utf-16-le")


def patched(old: bytes, change: Any) -> bytes:
    return old[: 2 * change["keep"]] + units(change["tail"])


@given(WORDS, WORDS)
def test_a_change_makes_the_new_string_of_the_old_one(old, new):
    change = changed(old, new)
    assert patched(units(old), change).decode("utf-16-le") == new
    assert new.endswith(change["tail"])  # whole characters: no pair of surrogates is cut


def test_what_is_shared_is_counted_as_the_page_counts():
    assert changed("\U0001f40b a", "\U0001f40b b") == {"keep": 3, "tail": "b"}
    assert changed("\U0001f40b", "\U0001f988") == {"keep": 0, "tail": "\U0001f988"}


@given(STATES, st.booleans())
def test_the_page_has_what_the_deltas_are_made_of(states, moving):
    growth, page = Growth(moving=moving), Page()
    for state in states:
        if (delta := growth.delta(*state)) is not None:
            page.grow(delta)
        assert page.parts() == state


@given(STATES)
def test_a_page_that_has_nothing_gets_all(states):
    growth, page = Growth(), Page()
    for state in states:
        growth.delta(*state)
    page.grow(growth.whole())
    assert page.parts() == (states[-1] if states else ("", "", ""))


@given(MARKDOWN, st.booleans())
def test_a_reply_that_streams_is_whole_in_the_page(pieces, moving):
    growing, growth, page = Growing(), Growth(moving=moving), Page()
    for piece in pieces:
        growing.feed(piece)
        page.grow(growth.delta(*growing.parts()) or {"keep": len(page.open), "tail": ""})
    closed, rest, _ = page.parts()
    assert closed + rest == render("".join(pieces))


def test_without_a_change_there_is_no_delta():
    growth = Growth()
    assert growth.delta("", "") is None
    assert growth.delta("<p>a</p>", "<p>b</p>") is not None
    assert growth.delta("<p>a</p>", "<p>b</p>") is None


def test_only_what_is_new_is_sent():
    growth = Growth()
    growth.delta("<p>a</p>", "<p>b</p>")
    assert growth.delta("<p>a</p>", "<p>bc</p>") == {"keep": 4, "tail": "c</p>"}
    assert growth.delta("<p>a</p><p>bc</p>", "") == {"add": "<p>bc</p>", "keep": 0, "tail": ""}


def test_what_was_open_can_be_moved_and_not_sent_again():
    growth = Growth(moving=True)
    growth.delta("", "<p>abc</p>")
    delta = growth.delta("<p>abcd</p>", "<p>e</p>")
    assert delta == {"take": 6, "add": "d</p>", "keep": 3, "tail": "e</p>"}


def test_closed_blocks_that_change_are_sent_anew():
    growth = Growth()
    growth.delta("<p>[a]</p>", "<p>b</p>")
    delta = growth.delta('<p><a href="x">a</a></p>', "")
    assert delta == {"reset": True, "add": '<p><a href="x">a</a></p>', "keep": 0, "tail": ""}
