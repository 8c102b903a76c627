"""Usages add up without inventing a figure."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nbconvo.usage import Usage

usages = st.builds(
    Usage,
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.none() | st.integers(0, 1000).map(float),  # whole, so that sums are exact
    st.integers(0, 3),
    st.booleans(),
)
quick = settings(deadline=None, database=None)


def test_total_tokens_are_input_and_output():
    assert Usage(3, 4, cached_tokens=2, reasoning_tokens=1).total_tokens == 7


def test_usages_add_up_field_by_field():
    total = Usage(1, 2, 3, 4, 0.5, 1, False, 5) + Usage(10, 20, 30, 40, 0.25, 2, False, 50)
    assert total == Usage(11, 22, 33, 44, 0.75, 3, False, 55)


def test_what_is_told_later_leaves_what_it_lacks_as_it_was():
    start = Usage(10, 0, 4, cost=0.5, requests=1, estimated=True, cache_write_tokens=3)
    assert start.updated(Usage(0, 7, reasoning_tokens=2, requests=1)) == Usage(
        10, 7, 4, 2, 0.5, 1, cache_write_tokens=3
    )
    assert start.updated(Usage(12, 7, 5, cost=0.0, requests=1, cache_write_tokens=2)) == Usage(
        12, 7, 5, cost=0.0, requests=1, cache_write_tokens=2
    )


def test_one_unknown_cost_makes_the_sum_unknown():
    assert (Usage(cost=0.5, requests=1) + Usage(requests=1)).cost is None


def test_a_cost_of_nothing_is_a_known_cost():
    assert (Usage(cost=0.0, requests=1) + Usage(cost=0.5, requests=1)).cost == 0.5


def test_a_known_cost_is_kept_where_no_request_was_counted():
    assert (Usage(cost=0.5) + Usage()).cost == 0.5


def test_one_estimate_makes_the_sum_an_estimate():
    assert (Usage(1, estimated=True) + Usage(1)).estimated


@quick
@given(usages)
def test_no_usage_adds_nothing(usage):
    assert usage + Usage() == usage
    assert Usage() + usage == usage


@quick
@given(usages, usages, usages)
def test_the_sum_does_not_depend_on_the_order(a, b, c):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
