import jsonschema
import pytest

from nbconvo.offline.least import least

NODE = {
    "type": "object",
    "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
    "required": ["next"],
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "hello"),
        ({"type": "string", "minLength": 7}, "hello.."),
        ({"type": "string", "maxLength": 4}, "hell"),
        ({"type": "string", "format": "date"}, "1970-01-01"),
        ({"type": "integer"}, 0),
        ({"type": "integer", "minimum": 1, "maximum": 5}, 1),
        ({"type": "integer", "exclusiveMinimum": 1}, 2),
        ({"type": "integer", "maximum": -1.5}, -2),
        ({"type": "integer", "minimum": 4, "multipleOf": 5}, 5),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "boolean"}, False),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, "hello"),
        ({"enum": ["red", "blue"]}, "red"),
        ({"const": 3}, 3),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0]),
        ({"type": "array", "prefixItems": [{"const": 1}], "minItems": 1}, [1]),
        ({"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": "hello"}),
        ({"type": "object", "required": ["a"]}, {"a": "hello"}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 0),
        ({"oneOf": [{"$ref": "#/$defs/Node"}], "$defs": {"Node": NODE}}, {"next": None}),
        ({"$ref": "#/$defs/Node", "$defs": {"Node": NODE}}, {"next": None}),
        (
            {
                "allOf": [
                    {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                    {"$ref": "#/$defs/B"},
                ],
                "$defs": {"B": {"properties": {"b": {"type": "null"}}, "required": ["b"]}},
            },
            {"a": 0, "b": None},
        ),
        ({}, "hello"),
    ],
)
def test_the_least_value_fits(schema, value):
    assert least(schema, "hello") == value
    jsonschema.validate(value, schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/none"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": 7, "enum": 7, "anyOf": 7, "required": 7},
        {"type": "array", "minItems": 10**12},
        {"type": "integer", "minimum": 10**400, "multipleOf": 0.5},
        {"required": [["a"]], "properties": [], "type": "object"},
        {"type": "object", "anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {
            "$ref": "#/$defs/0",
            "$defs": {
                str(at): {"type": "object", "required": ["a", "b"]}
                | {"properties": {name: {"$ref": f"#/$defs/{at + 1}"} for name in "ab"}}
                for at in range(60)
            },
        },
    ],
)
def test_a_schema_that_nothing_fits_does_no_harm(schema):
    least(schema, "hello")
