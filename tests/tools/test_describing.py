"""Python functions as a model is told of them."""

import enum
import functools
import json
from dataclasses import dataclass
from typing import Annotated, Literal

import pydantic
import pytest

from nbconvo.errors import InputError
from nbconvo.schemas import Misfit
from nbconvo.tools import tool_of


class Unit(enum.Enum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


@dataclass
class Place:
    name: str
    height: float = 0.0


class Stop(pydantic.BaseModel):
    place: Place
    nights: int = pydantic.Field(ge=1)


def weather(city: str, days: int = 3, unit: Unit = Unit.CELSIUS) -> str:
    """Tell the weather.

    It is a forecast.

    Args:
        city: Where, as a name
            in English.
        days: How far ahead.
    """
    return f"{city} {days} {unit.value}"


def test_a_function_is_told_by_its_name_docstring_and_annotations():
    spec = tool_of(weather).spec
    assert (spec.name, spec.description) == ("weather", "Tell the weather.\n\nIt is a forecast.")
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where, as a name in English."},
            "days": {"type": "integer", "default": 3, "description": "How far ahead."},
            "unit": {"$ref": "#/$defs/Unit", "default": "celsius"},
        },
        "required": ["city"],
        "additionalProperties": False,
        "$defs": {"Unit": {"enum": ["celsius", "kelvin"], "title": "Unit", "type": "string"}},
    }


def test_parameters_are_described_in_numpys_and_sphinxs_style_too():
    def numpys(city):
        """Do.

        Parameters
        ----------
        city : str
            Which city.
        """

    def sphinxs(city):
        """Do.

        :param city: Which city.
        """

    for function in (numpys, sphinxs):
        told = tool_of(function).spec.parameters["properties"]["city"]
        assert told["description"] == "Which city."


@pytest.mark.parametrize(
    ("annotation", "arguments", "value"),
    [
        (int, "7", 7),
        (int | None, "null", None),
        (Literal["a", "b"], '"b"', "b"),
        (list[int], "[1, 2]", [1, 2]),
        (dict[str, float], '{"x": 1}', {"x": 1.0}),
        (Unit, '"kelvin"', Unit.KELVIN),
        (Place, '{"name": "K2"}', Place("K2")),
        (Stop, '{"place": {"name": "K2"}, "nights": 2}', Stop(place=Place("K2"), nights=2)),
        (Annotated[int, pydantic.Field(le=3)], "3", 3),
    ],
)
def test_arguments_become_what_the_annotation_says(annotation, arguments, value):
    def take(x):
        return x

    take.__annotations__["x"] = annotation
    assert tool_of(take).bound(f'{{"x": {arguments}}}') == ([], {"x": value})


def test_an_argument_that_is_left_out_is_left_to_the_function():
    assert tool_of(weather).bound('{"city": "Oslo"}') == ([], {"city": "Oslo"})


def test_names_that_pydantic_has_for_itself_can_be_parameters():
    def odd(schema: str, copy: int, json: bool, model_config: str, _private: int):
        return schema

    names = {"schema": "s", "copy": 1, "json": True, "model_config": "m", "_private": 2}
    assert tool_of(odd).bound(json.dumps(names)) == ([], names)


def test_positional_only_parameters_are_passed_by_place():
    def power(base: int, exponent: int = 2, /, *, modulus: int | None = None):
        return pow(base, exponent, modulus)

    assert tool_of(power).bound('{"base": 3, "modulus": 5}') == ([3, 2], {"modulus": 5})


def test_no_arguments_at_all_may_be_an_empty_text():
    assert tool_of(lambda_free).bound("") == ([], {})


def lambda_free():
    """Return nothing."""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{", "Invalid JSON"),
        ("[]", "should be an object"),
        ("{}", "city: Field required"),
        ('{"city": 1}', "city: Input should be a valid string"),
        ('{"city": "Oslo", "day": 1}', "day: Extra inputs are not permitted"),
    ],
)
def test_arguments_that_do_not_fit_are_told_to_be_mended(arguments, said):
    with pytest.raises(Misfit, match=said):
        tool_of(weather).bound(arguments)


def test_methods_partials_and_callable_objects_are_tools():
    class Clock:
        def now(self, zone: str = "UTC") -> str:
            """Tell the time."""
            return zone

        def __call__(self, zone: str) -> str:
            """Ring."""
            return zone

    assert tool_of(Clock().now).spec.parameters["properties"].keys() == {"zone"}
    assert tool_of(Clock()).spec.name == "Clock"
    half = tool_of(functools.partial(weather, days=1))
    assert half.spec.name == "weather"
    assert half.spec.description.startswith("Tell the weather.")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x, "a tool needs a name"),
        ("weather", "a tool must be a function, not a str"),
        (Place, "a tool must be a function, not a class"),
        (3, "a tool must be a function, not a int"),
    ],
)
def test_what_is_no_function_is_refused(function, said):
    with pytest.raises(InputError, match=said):
        tool_of(function)


def test_what_cannot_be_told_is_refused_with_the_reason():
    def starred(*cities):
        pass

    def open_ended(**options):
        pass

    class Opaque:
        pass

    def opaque(x: Opaque):
        pass

    def unresolved(x: "NoSuchType"):  # noqa: F821
        pass

    for function, said in (
        (starred, r"takes any number of arguments \(\*cities\)"),
        (open_ended, r"takes any arguments \(\*\*options\)"),
        (opaque, "the tool 'opaque' cannot be told to a model"),
        (unresolved, "name 'NoSuchType' is not defined"),
    ):
        with pytest.raises(InputError, match=said):
            tool_of(function)
