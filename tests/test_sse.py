"""Bytes to events, after the examples of the standard and what services were seen to send."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbconvo.sse import Decoder, Event


def decoded(*pieces: bytes) -> list[Event]:
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.end()


# --- the standard's examples ---------------------------------------------------------------


def test_data_lines_of_one_event_are_joined():
    assert decoded(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [Event("YHOO\n+2\n10")]


def test_comments_are_skipped_and_so_are_fields_of_no_use():
    stream = b": test stream\n\ndata: first\nid: 1\n\nretry: 10\ndata:second\nid\n\n"
    assert decoded(stream) == [Event("first"), Event("second")]


def test_only_one_space_after_the_colon_is_left_out():
    assert decoded(b"data:test\n\ndata: test\n\ndata:  third\n\n") == [
        Event("test"),
        Event("test"),
        Event(" third"),
    ]


def test_an_event_can_have_a_name():
    assert decoded(b"event: add\ndata: 1\n\ndata: 2\n\n") == [Event("1", "add"), Event("2")]


def test_an_event_without_data_is_none():
    assert decoded(b"event: ping\n\n\n\ndata: 1\n\n") == [Event("1")]


def test_a_field_without_a_colon_has_an_empty_value():
    assert decoded(b"data\n\ndata\ndata\n\n") == [Event(""), Event("\n")]


def test_a_byte_order_mark_at_the_beginning_is_left_out():
    stream = b"\xef\xbb\xbfdata: 1\n\ndata: 2\n\n"
    assert decoded(stream) == [Event("1"), Event("2")]
    assert Decoder().data(stream) == [b"1", b"2"]
    assert decoded(*(stream[at : at + 1] for at in range(len(stream)))) == [Event("1"), Event("2")]


# --- what services send --------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_lines_end_in_any_of_three_ways(end: bytes):
    assert decoded(b"data: a@data: b@@: hm@@data: c@@".replace(b"@", end)) == [
        Event("a\nb"),
        Event("c"),
    ]


def test_an_event_is_complete_at_its_blank_line_and_not_before():
    decoder = Decoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [Event("a")]


def test_a_carriage_return_ends_a_line_without_waiting_for_what_follows():
    decoder = Decoder()
    assert decoder.feed(b"data: a\r\r") == [Event("a")]


def test_a_line_end_cut_in_two_is_one_even_with_nothing_between():
    assert decoded(b"data: a\r", b"", b"\ndata: b\r", b"\n\r\n") == [Event("a\nb")]


@pytest.mark.parametrize("rest", [b"data: a", b"data: a\n", b"data: a\r", b"data: a\r\n"])
def test_the_end_completes_the_last_event(rest: bytes):
    assert decoded(b"data: 0\n\n" + rest) == [Event("0"), Event("a")]


def test_the_end_after_whole_events_adds_nothing():
    assert decoded(b"data: a\n\n") == [Event("a")]
    assert decoded() == []


def test_bytes_that_are_no_utf8_are_replaced():
    assert decoded(b"data: a\xffb\n\n") == [Event("a\ufffdb")]


def test_what_unicode_calls_a_line_end_is_none():
    text = "a\u2028b\u0085c\x0bd"
    assert decoded(f"data: {text}\n\n".encode()) == [Event(text)]


EVENTS = st.lists(
    st.builds(
        Event,
        data=st.text().map(lambda text: text.replace("\r", "").encode("utf-8", "replace").decode()),
        name=st.sampled_from(["", "delta", "ping"]),
    ),
    max_size=5,
)


@given(EVENTS, st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_events_are_the_same_wherever_the_bytes_are_cut(events, end: str, draw):
    lines = []
    for event in events:
        lines += [f"event: {event.name}"] if event.name else []
        lines += [f"data: {line}" for line in event.data.split("\n")] + [": comment", ""]
    stream = "".join(line + end for line in lines).encode()
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)))))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert decoded(*pieces) == events


@pytest.mark.parametrize("take", ["feed", "data"])
def test_a_long_event_costs_each_piece_its_own_size_only(take: str):
    decoder, piece, held, costs = Decoder(), b"x" * 1000, [], 0
    getattr(decoder, take)(b"data: a\n\ndata: ")
    tracemalloc.start()
    try:
        for _ in range(2000):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            held += getattr(decoder, take)(piece)
            costs += tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert held == []
    assert costs < 5 * 2000 * len(piece)  # joined again for each, it is a thousand times as much
    (event,) = getattr(decoder, take)(b"\n\n")
    assert len(event.data if isinstance(event, Event) else event) == 2000 * len(piece)


def test_the_end_completes_an_event_of_many_pieces():
    assert decoded(b"data: a\n\ndata: b", b"c", b"d") == [Event("a"), Event("bcd")]
