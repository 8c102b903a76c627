"""The values: they take no further field, and each message has an id of its own."""

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
def test_values_take_no_further_field_and_are_keys_of_dictionaries(value):
    assert not hasattr(value, "__dict__")
    with pytest.raises((AttributeError, TypeError)):
        value.further = "changed"
    assert hash(value) == hash(dataclasses.replace(value))


@pytest.mark.parametrize("value", [Cell("c", "1"), Message(role="user", content="")])
def test_what_a_conversation_keeps_is_frozen(value):
    first = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, first, "changed")


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
