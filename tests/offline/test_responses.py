import json

import pytest
from pydantic import TypeAdapter

from nbconvo.offline.replies import Completion
from nbconvo.offline.requests import Refusal
from nbconvo.offline.responses import events, read_response, whole

TEXT = "A blue whale and a big shark meet at the bar."
HELLO = [{"role": "user", "content": TEXT}]


def read(**body):
    return read_response(json.dumps({"model": "echo", "input": TEXT} | body).encode())


def answered(**body):
    return Completion.of(read(**body), "resp_1", 1_700_000_000)


def test_a_text_is_the_users_and_instructions_come_first():
    assert list(read().messages) == HELLO
    assert list(read(instructions="Be brief.").messages) == [
        {"role": "system", "content": "Be brief."},
        *HELLO,
    ]


def test_items_are_heard_but_for_reasoning_and_calls():
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Whale?"}]},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "sunny"},
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Sun."},
                {"type": "refusal", "refusal": "No more."},
            ],
        },
    ]
    assert [(m["role"], m["content"]) for m in read(input=items).messages] == [
        ("user", "Whale?"),
        ("tool", "sunny"),
        ("assistant", "Sun.\nNo more."),
    ]


def test_fields_that_mean_nothing_here_are_ignored():
    assert read(tools=[{"type": "web_search"}], store=True, temperature=7) == read()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"input": []}, "'input' must be a text or a list"),
        ({"input": None}, "'input' must be a text or a list"),
        ({"input": ["hi"]}, r"'input\[0\]' must be an object"),
        ({"input": [{"type": "item_reference", "id": "a"}]}, r"'input\[0\]' must be a message"),
        ({"input": [{"type": ["message"]}]}, r"'input\[0\]' must be a message"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "images and files"),
        ({"max_output_tokens": 0}, "'max_output_tokens' must be a whole number above 0"),
        ({"previous_response_id": "resp_0"}, "'previous_response_id' leads nowhere"),
        ({"conversation": {"id": "conv_0"}}, "'conversation' leads nowhere"),
        ({"model": "gpt-5.4"}, "the models are guide, echo, eliza"),
    ],
)
def test_what_is_wrong_is_said(body, says):
    with pytest.raises(Refusal, match=says):
        read(**body)


def test_a_reply_is_one_message_with_its_usage():
    response = whole(answered())
    (item,) = response["output"]
    assert (item["role"], item["content"][0]["text"]) == ("assistant", TEXT)
    assert (response["status"], response["incomplete_details"]) == ("completed", None)
    used = response["usage"]
    assert used["total_tokens"] == used["input_tokens"] + used["output_tokens"]


def test_a_reply_that_is_cut_is_incomplete():
    response = whole(answered(max_output_tokens=2))
    assert response["status"] == response["output"][0]["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}


@pytest.mark.parametrize(
    ("body", "end"), [({}, "completed"), ({"max_output_tokens": 2}, "incomplete")]
)
def test_a_stream_is_numbered_and_ends_with_the_whole(body, end):
    sent = list(events(answered(**body)))
    assert [event["sequence_number"] for event in sent] == list(range(len(sent)))
    kinds = [event["type"].removeprefix("response.") for event in sent]
    assert [kind for kind in kinds if kind != "output_text.delta"] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        end,
    ]
    assert sent[-1]["response"] == whole(answered(**body))
    words = [event["delta"] for event in sent if event["type"].endswith("text.delta")]
    assert "".join(words) == sent[-1]["response"]["output"][0]["content"][0]["text"]


@pytest.mark.parametrize("body", [{}, {"max_output_tokens": 2, "instructions": "Be brief."}])
def test_all_has_the_shape_that_openais_own_types_describe(body):
    types = pytest.importorskip("openai.types.responses", reason="openai is not installed")
    described = TypeAdapter(types.ResponseStreamEvent)
    for event in events(answered(**body)):
        assert described.validate_python(event).type == event["type"]
    assert types.Response.model_validate(whole(answered(**body))).output_text
