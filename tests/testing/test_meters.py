"""The three ways to count, by a clock that is made up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbconvo.testing.meters import Bucket, FixedWindow, Meter, SlidingWindow

MINUTE = 60.0


def meters() -> list[Meter]:
    return [Bucket(1.0, 60.0), SlidingWindow(60.0, MINUTE), FixedWindow(60.0, MINUTE)]


@pytest.mark.parametrize("meter", meters(), ids=lambda meter: type(meter).__name__)
def test_all_is_left_at_first(meter: Meter):
    assert meter.remaining(1000.0) == 60
    assert meter.wait(60, 1000.0) == 0
    assert meter.full_in(1000.0) == 0


@pytest.mark.parametrize("meter", meters(), ids=lambda meter: type(meter).__name__)
def test_what_never_fits_is_never_due(meter: Meter):
    assert meter.wait(61, 1000.0) == math.inf


def test_a_bucket_is_refilled_all_the_time():
    bucket = Bucket(rate=2.0, capacity=10.0)
    bucket.take(10, 0.0)
    assert bucket.remaining(1.0) == 2
    assert bucket.wait(4, 1.0) == 1
    assert bucket.full_in(1.0) == 4
    assert bucket.remaining(100.0) == 10


def test_a_bucket_may_be_in_debt():
    bucket = Bucket(rate=2.0, capacity=10.0)
    taken = bucket.take(0, 0.0)
    bucket.change(taken, 30, 0.0)
    assert bucket.remaining(0.0) == -20
    assert bucket.wait(0, 0.0) == 10


def test_a_bucket_keeps_no_more_than_it_holds():
    bucket = Bucket(rate=2.0, capacity=10.0)
    taken = bucket.take(8, 0.0)
    bucket.change(taken, 0, 3.0)
    assert bucket.remaining(3.0) == 10


def test_a_sliding_window_forgets_each_thing_a_period_after_it_was_taken():
    window = SlidingWindow(10.0, MINUTE)
    window.take(4, 0.0)
    window.take(6, 20.0)
    assert window.wait(3, 20.0) == 40
    assert window.wait(5, 20.0) == 60
    assert window.full_in(20.0) == 60
    assert window.remaining(60.0) == 4
    assert window.remaining(80.0) == 10


def test_a_sliding_window_counts_what_was_given_back_no_more():
    window = SlidingWindow(10.0, MINUTE)
    taken = window.take(8, 0.0)
    window.change(taken, 3, 5.0)
    assert window.remaining(5.0) == 7
    window.change(taken, 0, 61.0)  # long gone
    assert window.remaining(61.0) == 10


def test_a_fixed_window_begins_when_the_clock_says_so():
    window = FixedWindow(10.0, MINUTE)
    window.take(10, 59.0)
    assert window.wait(1, 59.0) == 1
    assert window.full_in(59.0) == 1
    assert window.remaining(60.0) == 10
    window.take(10, 60.0)
    assert window.wait(1, 60.0) == 60


def test_a_fixed_window_is_not_changed_by_what_an_earlier_one_took():
    window = FixedWindow(10.0, MINUTE)
    taken = window.take(8, 59.0)
    window.take(1, 60.0)
    window.change(taken, 0, 61.0)
    assert window.remaining(61.0) == 9


@pytest.mark.parametrize("place", range(3))
@given(steps=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 60)), max_size=40))
def test_after_the_wait_there_is_room_and_not_before(place: int, steps: list[tuple[int, int]]):
    meter, now = meters()[place], 1000.0
    for seconds, amount in steps:
        now += seconds
        wait = meter.wait(amount, now)
        if wait > 0:
            assert meter.remaining(now) < amount
            assert meter.remaining(now + wait * 0.99) < amount
        now += wait
        assert meter.remaining(now) >= amount - 1e-6
        meter.take(amount, now)
