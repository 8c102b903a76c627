"""The notebook that the project grew from runs with nothing but its imports renamed."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

SYSTEM = "As a comedian, you are sarcastically funny"
JOKE = "very short joke: a blue whale and a big shark meet at the bar and start dancing"

CELLS = f"""
import nbconvo as li
---
from nbconvo.configs import oai_schema

oai_schema['chat']['config']
---
sys_comedian = "{SYSTEM}"
instruct1 = "{JOKE}"
---
comedian1 = li.Session(system=sys_comedian, dir="data/logs/comedian/")

joke1 = await comedian1.initiate(instruction=instruct1, max_token=50)
---
from IPython.display import Markdown

Markdown(joke1)
---
from nbconvo.services import OpenRouterService

service = OpenRouterService(max_requests_per_minute=100, max_tokens_per_minute=24_000)
---
comedian2 = li.Session(system=sys_comedian, dir="data/logs/comedian/", service=service)

joke2 = await comedian2.initiate(
    instruction=instruct1, model="nousresearch/nous-hermes-yi-34b", max_token=100
)
Markdown(joke2)
---
sys_critic = "you are a highly critical commentator on humor"
critic = li.Session(system=sys_critic, dir="data/logs/critic/")

comments = await critic.initiate(
    {{"brief": "provide a concise critique", "style": "no mercy"}},
    context={{"joke1": joke1, "joke2": joke2}},
    temperature=0.3,
)
Markdown(comments)
---
revised = await comedian1.followup(
    "revise the joke, given the critique", context=comments, max_token=60
)
Markdown(revised)
""".split("---\n")


@pytest.fixture
def results(provider, shell, tmp_path, monkeypatch) -> list[Any]:
    """The value of each cell; all of them have run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up-openai")
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-made-up")
    monkeypatch.setenv("OPENROUTER_BASE_URL", provider.base_url + "/router")
    for text in ("they tango", "they waltz", "no laughs", "they rest"):
        provider.reply(text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        results = []
        for cell in CELLS:
            done = shell.run_cell(cell)
            done.raise_error()
            results.append(done.result)
    told = [str(warning.message) for warning in caught if warning.category is UserWarning]
    assert set(told) == {"'max_token' is taken as 'max_tokens'"}
    return results


def test_the_defaults_are_there_to_be_read(results):
    assert results[1]["max_tokens"] is None


def test_the_replies_are_shown_as_markdown(results):
    assert [shown.data for shown in results if hasattr(shown, "data")] == [
        "they tango",
        "they waltz",
        "no laughs",
        "they rest",
    ]


def test_each_request_is_what_the_notebook_says(results, provider):
    first, second, third, fourth = provider.requests
    assert [(m["role"], m["content"]) for m in first.json["messages"]] == [
        ("system", SYSTEM),
        ("user", JOKE),
    ]
    assert first.json["max_tokens"] == 50
    assert first.headers["authorization"] == "Bearer sk-made-up-openai"

    assert second.path == "/v1/router/chat/completions"
    assert second.headers["authorization"] == "Bearer sk-or-made-up"
    assert second.json["model"] == "nousresearch/nous-hermes-yi-34b"
    assert second.json["max_tokens"] == 100

    assert third.json["temperature"] == 0.3
    assert third.json["messages"][-1]["content"] == (
        "brief: provide a concise critique\nstyle: no mercy\n\njoke1: they tango\njoke2: they waltz"
    )

    assert [m["content"] for m in fourth.json["messages"]] == [
        SYSTEM,
        JOKE,
        "they tango",
        "revise the joke, given the critique\n\nno laughs",
    ]
    assert fourth.path == "/v1/chat/completions"


def test_the_logs_are_where_the_notebook_wants_them(results, tmp_path):
    logs = tmp_path / "data" / "logs"
    assert len(list((logs / "comedian").iterdir())) == 2
    (critique,) = (logs / "critic").iterdir()
    assert "no laughs" in critique.read_text()
    for path in logs.rglob("*.jsonl"):
        assert "made-up" not in path.read_text()
