import json

import pytest

from nbconvo.offline.echo import reply
from nbconvo.offline.offer import Offer
from nbconvo.specs import SchemaSpec, ToolSpec

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
WEATHER = ToolSpec(
    "weather",
    "",
    {"type": "object", "properties": {"city": TEXT, "days": NUMBER}, "required": ["city"]},
)
CLOCK = ToolSpec("clock", "", {"type": "object", "properties": {}})
JOKE = {
    "type": "object",
    "properties": {"text": TEXT, "stars": NUMBER},
    "required": ["text", "stars"],
}


def says(text, *tools, results=(), enclosed=(), schema=None, **offer):
    user = {"role": "user", "content": text, "enclosed": enclosed}
    came = [{"role": "tool", "content": result} for result in results]
    form = SchemaSpec("reply", schema) if schema else None
    return reply([user, *came], Offer(tools, schema=form, **offer))


def calls(text, *tools, **offer):
    return [(name, json.loads(given)) for name, given in says(text, *tools, **offer)]


def test_repeats_the_last_user_message_to_the_letter():
    messages = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "first"},
        {"role": "user", "content": "  *second*\n\n\t{{x}} 🐋 "},
    ]
    assert reply(messages) == "  *second*\n\n\t{{x}} 🐋 "


def test_says_nothing_when_nothing_was_said():
    assert reply([{"role": "system", "content": "be brief"}]) == ""


def test_repeats_an_empty_last_message_and_not_an_earlier_one():
    messages = [{"role": "user", "content": "first"}, {"role": "user", "content": ""}]
    assert reply(messages) == ""


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ('weather(city="Oslo")', {"city": "Oslo"}),
        ("  weather('Oslo', days=3)  # soon", {"city": "Oslo", "days": 3}),
        ('weather(**{"city": "Oslo"})', {"city": "Oslo"}),
        ("weather()", {}),
        (r"weather(city='\d')", {"city": r"\d"}),
        ("weather(city=['Oslo', None, True, -1.5])", {"city": ["Oslo", None, True, -1.5]}),
    ],
)
def test_a_line_that_is_a_call_is_made(line, given):
    assert calls(f"Shall I?\n{line}\nThanks.", WEATHER) == [("weather", given)]


def test_several_lines_are_several_calls():
    text = 'weather(city="Oslo")\nclock()\nweather(city="Bergen")'
    assert [name for name, _ in calls(text, WEATHER, CLOCK)] == ["weather", "clock", "weather"]
    assert calls(text, WEATHER, CLOCK, parallel=False) == [("weather", {"city": "Oslo"})]


@pytest.mark.parametrize("text", ["clock()", "the weather(city)", "weather", ""])
def test_what_is_no_call_of_a_tool_that_is_offered_is_said_again(text):
    assert says(text, WEATHER) == text


@pytest.mark.parametrize(
    "line",
    ["weather(city=Oslo)", "weather(", "weather(1, 2, 3)", "weather(x={1})", "weather(days=1e999)",
     'weather("Oslo")()', 'weather("Oslo") + 1', "weather(b'')", "weather(**3)"],
)  # fmt: skip
def test_a_call_that_cannot_be_read_is_told(line):
    said = says(line, WEATHER)
    assert said.startswith(f"`{line}` is not called: ")
    assert said.endswith('`weather(city="...")`')


def test_results_are_said_again_and_nothing_more_is_called():
    call = 'weather(city="Oslo")'
    assert says(call, WEATHER, results=["rain", "sun"]) == "rain\nsun"
    assert says(call, WEATHER, results=[""]) == ""
    assert says(call, WEATHER, results=["rain"], choice="required") == "rain"


def test_no_tool_is_called_where_none_may_be():
    assert says("clock()", CLOCK, choice="none") == "clock()"


def test_where_one_has_to_be_called_it_is_the_first_with_the_least_it_takes():
    assert calls("hi", WEATHER, CLOCK, choice="required") == [("weather", {"city": "hi"})]
    assert calls("clock()", WEATHER, CLOCK, choice="required") == [("clock", {})]
    assert calls("hi", WEATHER, CLOCK, choice="clock") == [("clock", {})]
    assert calls('{"city": "Oslo"}', WEATHER, choice="weather") == [("weather", {"city": "Oslo"})]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", '{"text": "hello", "stars": 0}'),
        ('{"text": "x",  "stars": 5}', '{"text": "x",  "stars": 5}'),
        ('A joke [1]:\n```json\n{"text": "x"}\n```', '{"text": "x"}'),
        ("[1, {}]", '{"text": "[1, {}]", "stars": 0}'),
        ("7", '{"text": "7", "stars": 0}'),
        ("[" * 100_000, None),
        ('{"stars": NaN}', None),
    ],
)
def test_under_a_schema_its_json_is_said_again_or_the_least_that_fits(text, said):
    assert says(text, schema=JOKE) == (said or json.dumps({"text": text, "stars": 0}))


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ({"type": "array", "items": JOKE}, '[{"text": "x"}]', '{"value": [{"text": "x"}]}'),
        (NUMBER, "7", '{"value": 7}'),
        (TEXT, "see [1]", '{"value": "see [1]"}'),
    ],
)
def test_what_stands_for_the_only_field_becomes_it(field, text, said):
    schema = {"type": "object", "properties": {"value": field}, "required": ["value"]}
    assert says(text, schema=schema) == said


def test_results_fill_in_the_schema():
    assert says("x", WEATHER, results=["rain"], schema=JOKE) == '{"text": "rain", "stars": 0}'


def test_what_came_beside_words_is_told():
    assert says("Look:", enclosed=("image/png, 640 × 400",)) == "Look:\n\n[image/png, 640 × 400]"
    assert says("", enclosed=("a", "b")) == "[a]\n\n[b]"
