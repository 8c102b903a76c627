"""Tools, schemas and images without a model: the offline models, asked by a session."""

from dataclasses import dataclass

import pytest
from PIL import Image

from nbconvo import Session
from nbconvo.errors import InputError
from nbconvo.services import AnthropicService, ResponsesService
from nbconvo.session import workspace


def weather(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


@dataclass
class Joke:
    text: str
    stars: int


CALL = 'Shall I?\nweather(city="Oslo")\nweather(city="Bergen")'


@pytest.fixture(params=["chat", "messages", "responses"])
def echo(request, provider):
    """A session with ``echo``, in each of the protocols that its server speaks."""
    session = Session(model="offline:echo")
    if request.param == "chat":
        return session

    async def at_the_same_server():
        offline = session.service
        await offline.open()
        kind = AnthropicService if request.param == "messages" else ResponsesService
        return kind("sk-test-0000", offline.base_url)

    service = workspace.bridge.run(at_the_same_server())
    return Session(service=service, model="echo")


async def test_a_call_in_a_message_is_run_and_its_result_said(echo):
    reply = await echo.ask(CALL, tools=[weather])
    assert reply == "rain in Oslo\nrain in Bergen"
    roles = [message.role for message in echo.conversation.messages]
    assert roles == ["user", "assistant", "tool", "tool", "assistant"]


async def test_a_call_is_run_once_it_is_allowed(echo):
    shown = []
    reply = await echo.ask(
        CALL, tools=[weather], confirm=lambda call: shown.append(str(call)) or "Oslo" in str(call)
    )
    assert shown == ['weather(city="Oslo")', 'weather(city="Bergen")']
    assert reply == "rain in Oslo\nthe user did not allow this call"


async def test_a_call_that_does_not_fit_its_tool_is_told_as_its_result(echo):
    assert "city" in await echo.ask("weather()", tools=[weather])


async def test_a_schema_is_filled_in(echo):
    assert (await echo.ask("hello", schema=Joke)).parsed == Joke("hello", 0)
    assert (await echo.ask('{"text": "x", "stars": 5}', schema=Joke)).parsed == Joke("x", 5)
    assert (await echo.ask('[{"text": "x", "stars": 5}]', schema=list[Joke])).parsed == [
        Joke("x", 5)
    ]


async def test_json_that_does_not_fit_is_mended(echo):
    reply = await echo.ask('{"text": "x", "stars": "many"}', schema=Joke)
    assert reply.parsed.stars == 0
    assert "does not keep to the schema" in reply.parsed.text


async def test_tools_and_a_schema_go_together(echo):
    reply = await echo.ask('weather(city="Oslo")', tools=[weather], schema=Joke)
    assert reply.parsed == Joke("rain in Oslo", 0)


async def test_what_came_with_the_message_is_told(echo, tmp_path):
    picture = Image.new("RGB", (64, 40), "red")
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7")
    reply = await echo.ask("Look:", images=[picture], files=[tmp_path / "a.pdf"])
    assert reply.startswith("Look:\n\n[image/png, 64 × 40]\n\n[a.pdf: application/pdf, 8 bytes]")


@pytest.mark.parametrize("model", ["guide", "eliza"])
async def test_a_model_that_fills_in_no_schema_refuses_before_anything_is_sent(model, provider):
    session = Session(model=f"offline:{model}")
    with pytest.raises(InputError, match="add --model offline:echo") as caught:
        await session.ask("hello", schema=Joke)
    assert "\n" not in str(caught.value)
    assert not session.conversation.messages
