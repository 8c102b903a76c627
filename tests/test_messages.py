"""The values: they are frozen, and each has an id of its own."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from datetime import UTC, timedelta

import pytest

from nbconvo.messages import Cell, Delta, Message, Usage, new_id


@pytest.mark.parametrize(
    "value",
    [Usage(), Cell("c", "1"), Delta(), Message(role="user", content="")],
    ids=lambda value: type(value).__name__,
)
def test_values_are_frozen_and_take_no_further_field(value):
    first = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, first, "changed")
    assert not hasattr(value, "__dict__")


def test_a_delta_is_its_text():
    assert str(Delta("half a ")) == "half a "
    assert str(Delta(reasoning="hm", notice="waiting")) == ""


def test_each_message_has_an_id_of_its_own():
    assert Message(role="user", content="a").id != Message(role="user", content="a").id


def test_a_message_is_created_in_utc():
    created = Message(role="user", content="a").created
    assert created.tzinfo is UTC
    assert created.utcoffset() == timedelta(0)


def test_no_two_ids_are_the_same():
    assert len({new_id() for _ in range(1000)}) == 1000
    assert {len(new_id()) for _ in range(100)} == {32}


def test_whoever_seeds_chance_does_not_seed_ids():
    code = "import random; from nbconvo.messages import new_id; random.seed(1); print(new_id())"
    first, second = (subprocess.check_output([sys.executable, "-c", code]) for _ in range(2))
    assert first != second


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_does_not_repeat_its_parents_ids():
    code = (
        "import os\nfrom nbconvo.messages import new_id\nchild = os.fork()\n"
        "if child: os.waitpid(child, 0)\nprint(new_id(), flush=True)\nos._exit(0)"
    )
    child, parent = subprocess.check_output([sys.executable, "-c", code]).split()
    assert child != parent
