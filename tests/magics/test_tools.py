"""Tools, schemas, images and files on the line of a cell."""

from __future__ import annotations

import io
import random
import re

import pytest
from PIL import Image

from nbconvo.errors import Endless, InputError, Stopped, Unfit

WEATHER = """
def weather(city: str) -> str:
    "Tell the weather."
    return f"rain in {city}"
def secret() -> int:
    "Tell the number."
    return 42
from dataclasses import dataclass
@dataclass
class Joke:
    text: str
"""


@pytest.fixture
def notebook(notebook):
    notebook.run(WEATHER)
    return notebook


def last(provider) -> dict:
    return provider.requests[-1].json


def drawn() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(buffer, "PNG")
    return buffer.getvalue()


def test_a_cell_names_the_functions_that_the_model_may_call(notebook, provider):
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.reply("It rains.")
    ran = notebook.run("%%ask --tools weather,secret\nthe weather?")
    assert ran.result == "It rains."
    assert last(provider)["messages"][-1]["content"] == "rain in Oslo"
    assert "1 tool call" in ran.html
    assert "rain in Oslo" in ran.html
    assert ran.text.startswith("It rains.")


def test_a_sessions_tools_hold_until_its_cell_names_others(notebook, provider):
    notebook.run("%%session meteo --tools weather\nbe brief")
    notebook.run("%%ask meteo\nhi")
    assert [tool["function"]["name"] for tool in last(provider)["tools"]] == ["weather"]
    ran = notebook.run("%%session meteo\nbe brief")
    assert "tools" in ran.printed
    notebook.run("%%ask meteo\nhi")
    assert "tools" not in last(provider)


def called(notebook, provider, cell="%%ask meteo\nx"):
    provider.reply("", calls=[("secret", {})])
    provider.reply("done")
    assert notebook.run(cell).error is None
    return last(provider)["messages"][-1]["content"]


@pytest.mark.parametrize("begin", ["%%session meteo --tools secret\nbe brief",
                                   "%session meteo --tools secret"])  # fmt: skip
def test_a_function_that_is_defined_anew_is_the_one_that_is_called(notebook, provider, begin):
    notebook.run(begin)
    notebook.run('def secret(much: int = 1) -> int:\n    "Tell it."\n    return 43')
    assert called(notebook, provider) == "43"
    assert last(provider)["tools"][0]["function"]["description"] == "Tell it."
    assert called(notebook, provider, "import nbconvo; nbconvo.run(meteo.ask('x'))") == "43"


def test_a_line_sets_how_often_and_how_long_functions_are_called(notebook, provider):
    notebook.run("%%session meteo --tools secret --max-rounds 1 --tool-timeout 2.5\nbe brief")
    meteo = notebook.names["meteo"]
    assert (meteo.max_rounds, meteo.tool_timeout) == (1, 2.5)
    for _ in range(5):
        provider.reply("", calls=[("secret", {})])
    ran = notebook.run("%%ask meteo --max-rounds 2\nx")
    assert isinstance(ran.error, Endless)
    assert (
        "no answer after 2 rounds of calls, which are kept; allow more with --max-ro" in ran.printed
    )
    assert "3 tool calls · 1 failed" in ran.html
    ran = notebook.run("%%session meteo --tools secret\nbe brief")
    assert "rounds of calls 1 → 10, seconds of a call 2.5 → 60" in ran.printed


@pytest.mark.parametrize("line", ["--max-rounds 0", "--tool-timeout -1", "--max-rounds many"])
def test_limits_of_calls_that_are_none_are_refused(notebook, provider, line):
    ran = notebook.run(f"%%ask --tools secret {line}\nx")
    assert isinstance(ran.error, InputError)
    assert len(provider.requests) == 0


def test_one_given_from_python_stays_what_it_is(notebook, provider):
    notebook.run("import nbconvo; meteo = nbconvo.Session(name='meteo', tools=[secret])")
    notebook.run("def secret() -> int:\n    return 43")
    assert called(notebook, provider) == "42"


def test_a_function_that_is_gone_is_told_before_anything_is_sent(notebook, provider):
    notebook.run("%session meteo --tools secret")
    notebook.run("del secret")
    ran = notebook.run("%%ask meteo\nx")
    assert isinstance(ran.error, InputError)
    assert "--tools 'secret': the notebook has no 'secret'" in ran.printed
    assert len(provider.requests) == 0


def test_a_function_that_is_not_there_is_named_with_the_nearest(notebook, provider):
    ran = notebook.run("%%ask --tools wether\nhi")
    assert isinstance(ran.error, InputError)
    assert "--tools 'wether': the notebook has no 'wether'; did you mean 'weather'?" in ran.printed
    assert len(provider.requests) == 0


@pytest.mark.parametrize(
    ("typed", "result"),
    [("y", "42"), ("yes", "42"), ("", "the user did not allow this call"),
     ("no", "the user did not allow this call")],
)  # fmt: skip
def test_each_call_is_shown_and_may_be_refused(notebook, provider, monkeypatch, typed, result):
    prompts = []
    monkeypatch.setattr("builtins.input", lambda prompt: prompts.append(prompt) or typed)
    provider.reply("", calls=[("secret", {})])
    provider.reply("done")
    notebook.run("%%ask --tools secret --confirm\nthe number?")
    assert prompts == ["default wants to run secret()\nAllow it? [y/N] "]
    assert last(provider)["messages"][-1]["content"] == result


def test_without_a_model_echo_plays_tools_schemas_and_images(notebook, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    echo = "--model offline:echo"
    ran = notebook.run(f'%%ask {echo} --tools weather --confirm\nweather(city="Oslo")')
    assert ran.text.startswith("rain in Oslo")
    assert "1 tool call" in ran.html
    notebook.run(f'%%ask {echo} --schema Joke --to joke\n{{"text": "Eight arms."}}')
    assert notebook.names["joke"].parsed.text == "Eight arms."
    notebook.names["plot"] = Image.new("RGB", (8, 6), "red")
    assert "[image/png, 8 × 6]" in notebook.run(f"%%ask {echo} --image plot\nLook:").text


def test_a_schema_that_the_guide_cannot_fill_in_is_one_line_that_says_who_does(notebook):
    ran = notebook.run("%%ask --model offline:guide --schema Joke\nA joke.")
    assert isinstance(ran.error, InputError)
    assert "add --model offline:echo" in ran.printed


def test_an_interrupt_at_the_question_stops_the_cell(notebook, provider, monkeypatch):
    def interrupted(prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    provider.reply("", calls=[("secret", {})])
    ran = notebook.run("%%ask --tools secret --confirm\nthe number?")
    assert isinstance(ran.error, Stopped)
    assert len(provider.requests) == 1


def test_where_no_input_can_be_typed_the_call_is_refused(notebook, provider, monkeypatch):
    def nobody(prompt):
        raise RuntimeError("raw_input was called, but this frontend does not support it")

    monkeypatch.setattr("builtins.input", nobody)
    provider.reply("", calls=[("secret", {})])
    provider.reply("done")
    ran = notebook.run("%%ask --tools secret --confirm\nx")
    assert ran.error is None
    assert "nobody can be asked here whether to run secret(): not allowed" in ran.lines
    assert (
        last(provider)["messages"][-1]["content"]
        == "not run: nobody could be asked whether to allow this call"
    )
    assert "1 tool call · 1 not allowed" in ran.html


def test_in_the_background_nobody_is_asked_and_both_are_told(notebook, provider):
    provider.reply("", calls=[("secret", {})])
    provider.reply("done")
    notebook.run("%%ask --tools secret --confirm --background --to later\nx")
    reply = notebook.names["later"].result(10)
    shown = "not run: nobody could be asked whether to allow this call"
    assert last(provider)["messages"][-1]["content"] == shown
    assert shown in reply._repr_mimebundle_()["text/html"]


def test_a_schema_is_named_by_its_type(notebook, provider):
    provider.reply('{"text": "knock"}')
    notebook.run("%%ask --schema Joke --to joke\na joke")
    assert notebook.names["joke"].parsed == notebook.names["Joke"]("knock")


def test_a_reply_that_never_fits_fails_the_cell_in_one_line(notebook, provider):
    for _ in range(3):
        provider.reply("{}")
    ran = notebook.run("%%ask --schema Joke\na joke")
    assert isinstance(ran.error, Unfit)
    assert len([line for line in ran.lines if "Unfit" in line]) == 1
    assert "Traceback" not in ran.printed
    assert "the schema after 2 repairs: text: Field required; it is '{}'" in ran.printed
    assert "<summary>2 attempts that did not fit</summary>" in ran.html
    assert re.search(r"openai:\S+ · [\d.]+ s · unfit</small>", ran.html)


def test_an_image_is_a_path_a_variable_or_what_a_cell_put_out(notebook, provider, tmp_path):
    (tmp_path / "cat.png").write_bytes(drawn())
    notebook.names["picture"] = Image.new("RGB", (3, 3))
    notebook.run("picture")
    number = notebook.shell.execution_count - 1
    line = f"--image {tmp_path}/cat.png --image picture --image Out[{number}] --image _{number}"
    notebook.run(f"%%ask {line}\nwhat is this?")
    words, *images = last(provider)["messages"][-1]["content"]
    assert words == {"type": "text", "text": "what is this?"}
    assert [image["type"] for image in images] == ["image_url"] * 4
    assert images[0]["image_url"]["url"].startswith("data:image/png;base64,")


def test_an_image_is_shown_small_in_the_history(notebook, provider):
    notebook.names["picture"] = drawn()
    notebook.run("%%ask --image picture\nwhat is this?")
    shown = notebook.run("%convo show")
    html = shown.result._repr_mimebundle_()["text/html"]
    assert 'src="data:image/jpeg;base64,' in html


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--image Out[99]", "--image 'Out[99]': that cell has put out nothing"),
        ("--image no.png", "no file 'no.png'"),
        ("--image weather", "no image in a function"),
        ("--file no.pdf", "no file 'no.pdf'"),
        ("--schema Jok", "did you mean 'Joke'?"),
        ("--tools weather.no", "'weather' has no 'no'"),
        ("--tools weather --option n=3", "n=3 does not go with tools"),
        ("--schema Joke --option n=2", "n=2 does not go with a schema"),
        ("--reasoning much", "reasoning must be low, medium, high or a number, not 'much'"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_is_sent(notebook, provider, line, said):
    ran = notebook.run(f"%%ask {line}\nhi")
    assert isinstance(ran.error, InputError)
    assert said in ran.printed
    assert len(provider.requests) == 0


def test_a_text_file_goes_along_with_its_name(notebook, provider, tmp_path):
    (tmp_path / "notes.md").write_text("# Whales")
    notebook.run(f"%%ask --file {tmp_path}/notes.md\nsum it up")
    sent = str(last(provider)["messages"][-1]["content"])
    assert "notes.md" in sent
    assert "# Whales" in sent


@pytest.mark.parametrize("service", ["openai", "anthropic", "openai-responses"])
def test_a_dry_run_shows_the_size_of_an_image_not_its_data(
    notebook, tmp_path, service, monkeypatch
):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test-0000")
    noise = Image.frombytes("L", (64, 64), random.Random(0).randbytes(64 * 64))
    noise.save(tmp_path / "big.png")
    size = (tmp_path / "big.png").stat().st_size
    cell = f"%%ask --image {tmp_path}/big.png --service {service} --model m --dry-run\nwhat is it?"
    preview = str(notebook.run(cell).result)
    assert f"… ({size:,} bytes)" in preview
    assert len(preview) < 2000


def test_a_dry_run_shows_a_long_text_as_it_is(notebook):
    text = "whale " * 200
    assert text.strip() in str(notebook.run(f"%%ask --dry-run\n{text}").result)


def test_a_variable_that_is_no_function_is_named_with_its_type(notebook):
    notebook.run("import pandas; df = pandas.DataFrame({'a': range(9)})")
    error = notebook.run("%%ask --tools df\nhello").error
    assert str(error) == "--tools 'df' is no function, but of type DataFrame"


@pytest.mark.parametrize(
    ("schema", "said", "parsed"),
    [
        ("list[Joke]", '[{"text": "a"}]', "[Joke(text='a')]"),
        ("list[Joke]", '{"value": [{"text": "a"}]}', "[Joke(text='a')]"),
        ("Joke|None", '{"value": null}', "None"),
        ("'dict[str, list[int]]'", '{"a": [1]}', "{'a': [1]}"),
        ("typing.Literal['a']", '"a"', "'a'"),
    ],
)
def test_a_schema_is_any_type_made_of_the_notebooks_names(notebook, provider, schema, said, parsed):
    notebook.run("import typing")
    provider.reply(said)
    ran = notebook.run(f"%%ask --schema {schema}\na joke")
    assert repr(ran.result.parsed) == parsed


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("list[Joke()]", "'Joke()' is no part of one"),
        ("list[Jok]", "the notebook has no 'Jok'; did you mean 'Joke'?"),
        ("list[", "is no type ("),
        ("3[0]", "is no type ("),
    ],
)
def test_a_schema_that_is_no_type_is_one_line_and_nothing_is_called(notebook, schema, said):
    error = notebook.run(f"%%ask --schema {schema}\na joke").error
    assert isinstance(error, InputError)
    assert said in str(error)
