import json

import pytest

from nbconvo.offline.requests import Refusal, read_chat

HELLO = [{"role": "user", "content": "hello"}]


def read(**body):
    return read_chat(json.dumps({"model": "echo", "messages": HELLO} | body).encode())


def refusal(data):
    with pytest.raises(Refusal) as caught:
        read_chat(data if isinstance(data, bytes) else json.dumps(data).encode())
    return caught.value


def test_fields_that_mean_nothing_here_are_ignored():
    assert read(temperature=2, tools=[], store=False, made_up={"a": 1}) == read()


def test_null_is_as_good_as_absent():
    names = ("stream", "stream_options", "max_tokens", "max_completion_tokens", "stop", "n")
    assert read(**dict.fromkeys(names)) == read()


def test_without_a_model_the_guide_answers():
    assert read(model=None).model == "guide"


def test_text_parts_become_one_text():
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    chat = read(messages=[{"role": "user", "content": parts}])
    assert chat.messages[0]["content"] == "one\ntwo"


def test_half_a_surrogate_pair_is_replaced():
    chat = read(messages=[{"role": "user", "content": "\ud83e whale 🐋"}])
    assert chat.messages[0]["content"] == "\N{REPLACEMENT CHARACTER} whale 🐋"


def test_an_assistant_message_may_have_no_content():
    chat = read(messages=[{"role": "assistant", "content": None}, *HELLO])
    assert chat.messages[0]["content"] == ""


def test_the_smaller_of_two_limits_holds():
    assert read(max_tokens=9, max_completion_tokens=4).max_tokens == 4


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"{not json", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        ([], "not a JSON object"),
        ({"model": "echo"}, "'messages'"),
        ({"messages": []}, "'messages'"),
        ({"messages": "hello"}, "'messages'"),
        ({"messages": ["hello"]}, "'messages[0]'"),
        ({"messages": [*HELLO, {"content": "x"}]}, "'messages[1]'"),
        ({"messages": [{"role": "user", "content": 5}]}, "'messages[0].content'"),
        ({"messages": HELLO, "max_tokens": 0}, "'max_tokens'"),
        ({"messages": HELLO, "max_tokens": True}, "'max_tokens'"),
        ({"messages": HELLO, "max_completion_tokens": "9"}, "'max_completion_tokens'"),
        ({"messages": HELLO, "n": 129}, "from 1 to 128"),
        ({"messages": HELLO, "stop": 5}, "'stop'"),
    ],
)
def test_a_bad_request_is_refused_with_its_reason(data, part):
    error = refusal(data)
    assert error.status == 400
    assert error.body["error"]["type"] == "invalid_request_error"
    assert part in error.body["error"]["message"]


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"type": "input_audio", "input_audio": {"data": ""}}, "not a part 'input_audio'"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}, "cannot be"),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,A"}},
            "not valid base64",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_passed_over(part, says):
    error = refusal({"messages": [{"role": "user", "content": [part]}]})
    assert says in error.body["error"]["message"]


def test_what_is_no_field_of_a_message_is_not_taken_for_an_image():
    message = {"role": "user", "content": "x", "enclosed": 7}
    assert "enclosed" not in read(messages=[message]).messages[0]


WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {}}}


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"tools": 7}, "'tools' must be a list"),
        ({"tools": [{"type": "function"}]}, "a tool needs a 'name'"),
        ({"tools": [WEATHER], "tool_choice": "news"}, "one of the tools, not 'news'"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function"}}, "one of the tools, not {"),
        ({"response_format": {"type": "json_schema"}}, "needs a JSON Schema"),
    ],
)
def test_an_offer_that_is_none_is_refused_with_its_reason(body, part):
    assert part in refusal({"messages": HELLO, **body}).body["error"]["message"]


def test_tools_that_are_no_functions_are_passed_over():
    assert read(tools=[{"type": "custom", "custom": {"name": "f"}}], tool_choice="f") == read()


@pytest.mark.parametrize("model", ["gpt-5", "offline:guide", 7])
def test_an_unknown_model_is_refused_naming_those_there_are(model):
    error = refusal({"model": model, "messages": HELLO})
    assert error.status == 404
    assert error.body["error"]["code"] == "model_not_found"
    assert "guide, echo, eliza" in error.body["error"]["message"]
