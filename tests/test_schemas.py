"""Forms that a reply has to have, and replies that keep to them or don't."""

from __future__ import annotations

import datetime
import decimal
import enum
import threading
import typing
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

import pydantic
import pytest
import typing_extensions

from nbconvo.errors import InputError
from nbconvo.schemas import Misfit, form_of


class Joke(pydantic.BaseModel):
    """A joke."""

    text: str
    score: int = 3
    told: datetime.date | None = None


@dataclass
class Pair:
    left: int
    right: Joke


class Row(TypedDict):
    x: int
    y: str


class Loose(typing_extensions.TypedDict):
    x: int
    y: typing_extensions.NotRequired[str]


SCHEMA = {
    "title": "Point of view",
    "type": "object",
    "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}},
    "required": ["x"],
}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Joke, '{"text": "a", "told": "2026-01-02"}', Joke(text="a", told="2026-01-02")),
        (Pair, '{"left": 1, "right": {"text": "a"}}', Pair(1, Joke(text="a"))),
        (Row, '{"x": 1, "y": "b"}', {"x": 1, "y": "b"}),
        (Loose, '{"x": 1}', {"x": 1}),
        (list[Joke], '{"value": [{"text": "a"}]}', [Joke(text="a")]),
        (int, '{"value": 3}', 3),
        (Literal["a", "b"], '{"value": "b"}', "b"),
        (dict[str, int], '{"n": 3}', {"n": 3}),
        (SCHEMA, '{"x": 1}', {"x": 1}),
        ({"type": "array", "items": {"type": "string"}}, '{"value": ["a"]}', ["a"]),
        ({"title": "", "enum": ["a", "b"]}, '{"value": "a"}', "a"),
    ],
)
def test_a_text_that_keeps_to_the_form_is_the_object(kind, text, value):
    assert form_of(kind).read(text) == value


class Colour(enum.Enum):
    RED = "red"


class Tree(pydantic.BaseModel):
    name: str
    below: list[Tree] = []


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Colour, '{"value": "red"}', Colour.RED),
        (datetime.date, '{"value": "2026-01-02"}', datetime.date(2026, 1, 2)),
        (decimal.Decimal, '{"value": "1.10"}', decimal.Decimal("1.10")),
        (Joke | None, '{"value": null}', None),
        (Tree, '{"name": "a", "below": [{"name": "b", "below": []}]}',
         Tree(name="a", below=[Tree(name="b")])),
        (list[Tree], '{"value": [{"name": "a", "below": []}]}', [Tree(name="a")]),
        ({"type": ["string", "null"]}, '{"value": null}', None),
    ],
)  # fmt: skip
def test_enums_dates_decimals_null_and_trees_are_read_too(kind, text, value):
    assert form_of(kind).read(text) == value


def test_a_tree_is_told_by_a_reference_to_itself():
    schema = form_of(Tree).spec.schema
    assert schema["$defs"]["Tree"]["properties"]["below"]["items"] == {"$ref": "#/$defs/Tree"}


class House(pydantic.BaseModel):
    door: Colour = pydantic.Field(Colour.RED, description="what one sees first")
    wall: Colour


def test_nothing_stands_beside_a_reference():
    # Services that enforce a schema refuse that: "$ref cannot have keywords {'description'}".
    spec = form_of(House).spec
    door, wall = spec.schema["properties"].values()
    assert spec.strict
    assert wall == {"$ref": "#/$defs/Colour"}
    assert "$ref" not in door
    assert (door["enum"], door["description"]) == (["red"], "what one sees first")
    root = form_of(Tree).spec.schema
    assert (root["type"], "$ref" in root) == ("object", False)


@pytest.mark.parametrize("kind", [set[int], tuple[int, str]])
def test_what_cannot_be_enforced_is_not_asked_for_strictly(kind):
    assert not form_of(kind).spec.strict


def test_a_text_may_stand_in_a_fence():
    assert form_of(SCHEMA).read('Here you are:\n```json\n{"x": 1}\n```\n') == {"x": 1}


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (Joke, "a joke", "it is not JSON"),
        (Joke, "", "it is not JSON"),
        (Joke, "[" * 100_000, "it is not JSON"),
        (Joke, "{}", "text: Field required"),
        (Joke, '{"text": "a", "score": "many"}', "score: Input should be a valid integer"),
        (list[Joke], '{"value": [{}]}', "0.text: Field required"),
        (list[Joke], "{}", "needs the field 'value'"),
        (list[Joke], "[{}]", "0.text: Field required"),
        (SCHEMA, '{"y": "z"}', "the value: 'x' is a required property; y: 'z' is not of type"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(kind, text, said):
    with pytest.raises(Misfit, match=said):
        form_of(kind).read(text)


def test_a_strict_schema_has_all_fields_required_and_no_others():
    spec = form_of(Pair).spec
    assert (spec.name, spec.strict) == ("Pair", True)
    assert spec.schema["required"] == ["left", "right"]
    joke = spec.schema["$defs"]["Joke"]
    assert joke["required"] == ["text", "score", "told"]
    assert joke["additionalProperties"] is False
    assert "default" not in joke["properties"]["score"]


@pytest.mark.parametrize("kind", [dict[str, int], Loose, SCHEMA, typing.Any, {"not": {}}])
def test_what_cannot_be_enforced_is_not_strict(kind):
    assert form_of(kind).spec.strict is False


def test_a_choice_of_models_is_told_as_any_of_them():
    class Cat(pydantic.BaseModel):
        kind: Literal["cat"]

    class Dog(pydantic.BaseModel):
        kind: Literal["dog"]

    class Pet(pydantic.BaseModel):
        animal: Cat | Dog = pydantic.Field(discriminator="kind")

    animal = form_of(Pet).spec.schema["properties"]["animal"]
    assert len(animal["anyOf"]) == 2
    assert "oneOf" not in animal


def test_a_field_may_have_the_name_of_a_keyword():
    spec = form_of({"type": "object", "properties": {"default": {"type": "string"}, "not": {
        "type": "string"}}, "required": ["default", "not"]}).spec  # fmt: skip
    assert spec.strict
    assert list(spec.schema["properties"]) == ["default", "not"]


def test_a_name_is_made_of_letters_that_services_take():
    assert form_of(SCHEMA).spec.name == "Point_of_view"
    assert form_of(list[Joke]).spec.name == "list"
    assert form_of({"title": "Größe"}).spec.name == "Gr_e"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("Joke", "schema must be a pydantic model"),
        (3, "schema must be"),
        (None, "schema must be"),
        (lambda: 1, "schema must be"),
        ({"type": "nonsense"}, "schema is no JSON Schema: 'nonsense'"),
        (threading.Thread, "cannot be told as JSON Schema"),
    ],
)
def test_what_is_no_form_is_refused(kind, said):
    with pytest.raises(InputError, match=said):
        form_of(kind)


def test_a_typed_dict_of_typing_keeps_what_may_be_missing():
    class Half(TypedDict):
        x: int
        y: NotRequired[int]

    assert form_of(Half).read('{"x": 1}') == {"x": 1}
