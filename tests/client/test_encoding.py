"""What can be sent as JSON, whichever of the two modules writes it, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from enum import Enum, IntEnum, StrEnum
from uuid import UUID

import numpy as np
import pytest

from nbconvo.client.encoding import encoded
from nbconvo.errors import InputError


class Plain(Enum):
    TEXT = "a"
    LIST = (1, "b")
    ABSENT = None


class Mixed(str, Enum):  # noqa: UP042 - the way before StrEnum, which is still met
    TEXT = "a"


class Text(StrEnum):
    TEXT = "a"


class Number(IntEnum):
    TWO = 2


@dataclass
class Point:
    x: int = 1


UNIQUE = UUID("12345678-1234-5678-1234-567812345678")
# The second and third make orjson give up: what is sent must not depend on it.
BESIDE = pytest.mark.parametrize("beside", [1, None, 2**70], ids=["C", "null", "large"])


@BESIDE
@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (UNIQUE, str(UNIQUE)),
        (Plain.TEXT, "a"),
        (Plain.LIST, [1, "b"]),
        (Plain.ABSENT, None),
        (Mixed.TEXT, "a"),
        (Text.TEXT, "a"),
        (Number.TWO, 2),
    ],
    ids=repr,
)
def test_a_uuid_goes_as_its_text_and_an_enum_as_its_value(value: object, sent: object, beside):
    assert json.loads(encoded({"a": [value], "b": beside})) == {"a": [sent], "b": beside}


class Holder(Enum):
    NAN = float("nan")
    SET = frozenset({1})


@BESIDE
@pytest.mark.parametrize(
    "value",
    [
        {1},
        b"a",
        1j,
        float("nan"),
        float("inf"),
        date(2026, 1, 2),
        Point(),
        np.int64(1),
        np.float32(1),
        np.array([1]),
        Holder.NAN,
        Holder.SET,
    ],
    ids=repr,
)
def test_what_json_does_not_know_is_refused(value: object, beside):
    with pytest.raises(InputError, match="an option cannot be sent as JSON"):
        encoded({"a": [value], "b": beside})
