"""Clients of three protocols get calls, JSON and what came with a message from ``echo``."""

import base64
import io
import json

import pytest
from PIL import Image
from pydantic import BaseModel

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "weather", "description": "Tell the weather.", "parameters": CITY}
CALLS = 'Shall I?\nweather(city="Oslo")\nweather(city="Bergen")'
GIVEN = [("weather", {"city": "Oslo"}), ("weather", {"city": "Bergen"})]
ASKED = [{"role": "user", "content": CALLS}]
PLAIN = {"role": "user", "content": "hello"}


def drawn():
    buffer = io.BytesIO()
    Image.new("RGB", (64, 40), "red").save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


PNG, PDF = drawn(), base64.b64encode(b"%PDF-1.7").decode()
TOLD = "Look:\n\n[image/png, 64 × 40]\n\n[a.pdf: application/pdf, 8 bytes]"


class Joke(BaseModel):
    text: str
    stars: int


@pytest.fixture(scope="module")
def openai(served):
    module = pytest.importorskip("openai", reason="the openai client is not installed")
    with module.OpenAI(base_url=served, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def anthropic(served):
    module = pytest.importorskip("anthropic", reason="the anthropic client is not installed")
    url = served.removesuffix("/v1")
    with module.Anthropic(base_url=url, api_key="none", max_retries=0) as client:
        yield client


# --- chat completions ------------------------------------------------------------------------

CHAT = {"model": "echo", "tools": [{"type": "function", "function": WEATHER}]}


def of_chat(choice):
    assert choice.finish_reason == "tool_calls"
    assert not choice.message.content
    functions = [call.function for call in choice.message.tool_calls]
    return [(function.name, json.loads(function.arguments)) for function in functions]


def test_chat_calls_and_says_the_results(openai):
    said = openai.chat.completions.create(messages=ASKED, **CHAT).choices[0]
    assert of_chat(said) == GIVEN
    calls = said.message.tool_calls
    assert len({call.id for call in calls}) == 2
    results = [{"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in calls]
    said = openai.chat.completions.create(messages=[*ASKED, said.message, *results], **CHAT)
    assert (said.choices[0].message.content, said.choices[0].finish_reason) == (
        "rain\nrain",
        "stop",
    )


def test_chat_calls_in_a_stream_in_pieces(openai):
    with openai.chat.completions.stream(messages=ASKED, n=2, **CHAT) as stream:
        pieces = [e for e in stream if e.type == "tool_calls.function.arguments.delta"]
        said = stream.get_final_completion()
    assert [of_chat(choice) for choice in said.choices] == [GIVEN, GIVEN]
    assert len(pieces) >= 2


@pytest.mark.parametrize(
    ("given", "calls"),
    [
        ({"tool_choice": "none"}, None),
        ({"parallel_tool_calls": False}, GIVEN[:1]),
        ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, GIVEN),
        ({"tool_choice": "required", "messages": [PLAIN]}, [("weather", {"city": "hello"})]),
    ],
)
def test_chat_keeps_to_the_choice_of_a_tool(openai, given, calls):
    said = openai.chat.completions.create(**{"messages": ASKED, **CHAT, **given}).choices[0]
    assert said.message.content == CALLS if calls is None else of_chat(said) == calls


def test_chat_has_calls_that_are_too_long_left_out(openai):
    said = openai.chat.completions.create(messages=ASKED, max_tokens=12, **CHAT)
    assert len(said.choices[0].message.tool_calls) == 1
    assert said.choices[0].finish_reason == "length"
    assert said.usage.completion_tokens <= 12


def test_chat_keeps_to_a_schema(openai):
    said = openai.chat.completions.parse(model="echo", messages=[PLAIN], response_format=Joke)
    assert said.choices[0].message.parsed == Joke(text="hello", stars=0)
    any_object = {"type": "json_object"}
    said = openai.chat.completions.create(
        model="echo", messages=[PLAIN], response_format=any_object
    )
    assert said.choices[0].message.content == "{}"


def test_chat_tells_what_came(openai):
    parts = [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {
            "type": "file",
            "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
        },
    ]
    messages = [{"role": "user", "content": parts}]
    said = openai.chat.completions.create(model="echo", messages=messages)
    assert said.choices[0].message.content == TOLD


# --- responses -------------------------------------------------------------------------------

RESPONSES = {"model": "echo", "tools": [{"type": "function", "strict": False, **WEATHER}]}


def of_response(response):
    assert response.status == "completed"
    return [(item.name, json.loads(item.arguments)) for item in response.output]


def test_responses_call_and_say_the_results(openai):
    said = openai.responses.create(input=CALLS, **RESPONSES)
    assert of_response(said) == GIVEN
    assert (said.tool_choice, said.tools[0].name) == ("auto", "weather")
    results = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "rain"}
        for item in said.output
    ]
    said = openai.responses.create(input=[*ASKED, *said.output, *results], **RESPONSES)
    assert said.output_text == "rain\nrain"


def test_responses_call_in_a_stream_in_pieces(openai):
    with openai.responses.stream(input=CALLS, **RESPONSES) as stream:
        events = list(stream)
        said = stream.get_final_response()
    assert of_response(said) == GIVEN
    kind = "response.function_call_arguments.delta"
    pieces = [event.delta for event in events if event.type == kind]
    assert len(pieces) >= 2
    assert "".join(pieces) == "".join(item.arguments for item in said.output)


@pytest.mark.parametrize(
    ("given", "calls"),
    [
        ({"tool_choice": "none"}, None),
        ({"parallel_tool_calls": False}, GIVEN[:1]),
        ({"tool_choice": {"type": "function", "name": "weather"}}, GIVEN),
        ({"tool_choice": "required", "input": "hello"}, [("weather", {"city": "hello"})]),
    ],
)
def test_responses_keep_to_the_choice_of_a_tool(openai, given, calls):
    said = openai.responses.create(**{"input": CALLS, **RESPONSES, **given})
    assert said.output_text == CALLS if calls is None else of_response(said) == calls


def test_responses_keep_to_a_schema(openai):
    said = openai.responses.parse(model="echo", input="hello", text_format=Joke)
    assert said.output_parsed == Joke(text="hello", stars=0)


def test_responses_tell_what_came(openai):
    parts = [
        {"type": "input_text", "text": "Look:"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": f"data:application/pdf;base64,{PDF}",
        },
    ]
    said = openai.responses.create(model="echo", input=[{"role": "user", "content": parts}])
    assert said.output_text == TOLD


# --- messages --------------------------------------------------------------------------------

TOOL = {"name": "weather", "description": "Tell the weather.", "input_schema": CITY}
MESSAGES = {"model": "echo", "max_tokens": 99, "tools": [TOOL]}


def of_message(message):
    assert message.stop_reason == "tool_use"
    return [(block.name, block.input) for block in message.content]


def test_messages_call_and_say_the_results(anthropic):
    said = anthropic.messages.create(messages=ASKED, **MESSAGES)
    assert of_message(said) == GIVEN
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "rain"}
        for block in said.content
    ]
    turns = [
        *ASKED,
        {"role": "assistant", "content": said.content},
        {"role": "user", "content": results},
    ]
    said = anthropic.messages.create(messages=turns, **MESSAGES)
    assert (said.content[0].text, said.stop_reason) == ("rain\nrain", "end_turn")


def test_messages_call_in_a_stream_in_pieces(anthropic):
    with anthropic.messages.stream(messages=ASKED, **MESSAGES) as stream:
        pieces = [event for event in stream if event.type == "input_json"]
        said = stream.get_final_message()
    assert of_message(said) == GIVEN
    assert len(pieces) >= 2


@pytest.mark.parametrize(
    ("given", "calls"),
    [
        ({"tool_choice": {"type": "none"}}, None),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, GIVEN[:1]),
        ({"tool_choice": {"type": "tool", "name": "weather"}}, GIVEN),
        (
            {"tool_choice": {"type": "any"}, "messages": [PLAIN]},
            [("weather", {"city": "hello"})],
        ),
    ],
)
def test_messages_keep_to_the_choice_of_a_tool(anthropic, given, calls):
    said = anthropic.messages.create(**{"messages": ASKED, **MESSAGES, **given})
    assert said.content[0].text == CALLS if calls is None else of_message(said) == calls


def test_messages_keep_to_a_schema(anthropic):
    form = {"format": {"type": "json_schema", "schema": Joke.model_json_schema()}}
    said = anthropic.messages.create(
        model="echo", max_tokens=99, messages=[PLAIN], extra_body={"output_config": form}
    )
    assert json.loads(said.content[0].text) == {"text": "hello", "stars": 0}


def test_messages_tell_what_came(anthropic):
    image = {"type": "base64", "media_type": "image/png", "data": PNG}
    file = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    parts = [
        {"type": "text", "text": "Look:"},
        {"type": "image", "source": image},
        {"type": "document", "source": file, "title": "a.pdf"},
    ]
    said = anthropic.messages.create(
        model="echo", max_tokens=99, messages=[{"role": "user", "content": parts}]
    )
    assert said.content[0].text == TOLD


def test_tokens_of_tools_are_counted(anthropic):
    plain = anthropic.messages.count_tokens(model="echo", messages=ASKED).input_tokens
    counted = anthropic.messages.count_tokens(model="echo", messages=ASKED, tools=[TOOL])
    said = anthropic.messages.create(messages=ASKED, **MESSAGES)
    assert plain < counted.input_tokens == said.usage.input_tokens
