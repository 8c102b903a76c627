"""What the models that have only words say of what came beside them."""

import pytest

from nbconvo.offline import eliza, guide
from nbconvo.offline.beyond import echo_cell, named
from nbconvo.offline.offer import NOTHING, Offer
from nbconvo.specs import SchemaSpec, ToolSpec

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = ToolSpec("weather", "", CITY)
TOOLS = Offer((WEATHER, ToolSpec("clock", "", {})))
UMBRELLA = "Shall I take an umbrella to Oslo?"


def asking(text=UMBRELLA, *enclosed):
    return [{"role": "user", "content": text, "enclosed": enclosed}]


@pytest.mark.parametrize(
    ("messages", "offer", "told"),
    [
        (asking(), NOTHING, ""),
        (asking(), Offer((WEATHER,)), "the tool `weather`"),
        (asking(), TOOLS, "the tools `weather`, `clock`"),
        (asking(), Offer((WEATHER,), "none"), ""),
        (
            asking("x", "image/png, 8 × 6"),
            Offer((WEATHER,), schema=SchemaSpec("Joke", {})),
            "the tool `weather`; the schema `Joke` and image/png, 8 × 6",
        ),
    ],
)
def test_what_came_beside_words_is_named(messages, offer, told):
    assert named(messages, offer) == told


@pytest.mark.parametrize(
    ("messages", "offer", "cell"),
    [
        (asking(), TOOLS, '%%ask --model offline:echo --tools weather,clock\nweather(city="...")'),
        (
            asking("Fine?", "image/png, 8 × 6", "a.pdf: application/pdf, 8 bytes"),
            NOTHING,
            "%%ask --model offline:echo --image IMAGE --file FILE\nFine?",
        ),
        (
            asking("Joke!"),
            Offer(schema=SchemaSpec("Joke", {})),
            "%%ask --model offline:echo --schema Joke\nJoke!",
        ),
    ],
)
def test_the_cell_asks_echo_for_the_same(messages, offer, cell):
    assert echo_cell(messages, offer) == f"```\n{cell}\n```"


@pytest.mark.parametrize("text", [UMBRELLA, "Tell me a joke.", "", 'weather(city="Oslo")'])
def test_the_guide_says_that_tools_take_a_model_how_to_play_them_and_how_to_connect_one(text):
    said = guide.reply(asking(text), TOOLS)
    assert said.startswith(guide.FIRST_LINE)
    assert "that takes a model" in said
    assert echo_cell(asking(text), TOOLS) in said
    assert "--service openai" in said


def test_the_guide_tells_what_picture_came():
    assert "image/png, 8 × 6" in guide.reply(asking("Fine?", "image/png, 8 × 6"))


def test_the_guide_still_answers_what_it_knows():
    question = asking("How do I connect Ollama?")
    assert guide.reply(question, TOOLS) == guide.reply(question)


def test_eliza_says_once_that_she_has_no_use_for_tools():
    said = eliza.reply(asking(), TOOLS)
    assert said.startswith(eliza.reply(asking()))
    assert echo_cell(asking(), TOOLS) in said
    turns = [*asking(), {"role": "assistant", "content": said}, *asking()]
    assert eliza.reply(turns, TOOLS) == eliza.reply(turns)
