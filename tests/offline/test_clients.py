"""Clients that others wrote work against ``python -m nbconvo.offline``."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

TEXT = "A blue whale and a big shark meet at the bar."
HELLO = [{"role": "user", "content": TEXT}]


@pytest.fixture(scope="module", autouse=True)
def asking_llm(served, tmp_path_factory):
    """``llm`` asking, streamed and not, in processes that run while other tests do."""
    if find_spec("llm") is None:
        yield None
        return
    processes = {
        option: _llm(served, tmp_path_factory.mktemp("llm"), option)
        for option in ("--usage", "--no-stream")
    }
    yield processes
    for process in processes.values():
        process.kill()
        process.communicate()


def _llm(url, home, option):
    (home / "extra-openai-models.yaml").write_text(
        f"- model_id: box\n  model_name: echo\n  api_base: {url}\n"
    )
    environment = os.environ | {"LLM_USER_PATH": str(home), "PYTHONWARNINGS": "ignore"}
    environment.pop("OPENAI_API_KEY", None)
    return subprocess.Popen(
        [sys.executable, "-m", "llm", "-m", "box", "-u", option, TEXT],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.fixture(scope="module")
def openai(served):
    module = pytest.importorskip("openai", reason="the openai client is not installed")
    with module.OpenAI(base_url=served, api_key="none", max_retries=0) as client:
        yield client


def test_openai_gets_a_whole_reply(openai):
    reply = openai.chat.completions.create(model="echo", messages=HELLO)
    assert reply.choices[0].message.content == TEXT
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens > 0


def test_openai_gets_a_stream_with_usage(openai):
    stream = openai.chat.completions.create(
        model="echo", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = stream
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert last.usage.completion_tokens > 0


def test_openai_s_stream_helper_gathers_the_reply(openai):
    with openai.chat.completions.stream(model="echo", messages=HELLO, n=2) as stream:
        for _ in stream:
            pass
        reply = stream.get_final_completion()
    assert [choice.message.content for choice in reply.choices] == [TEXT, TEXT]


def test_openai_lists_the_models(openai):
    assert [model.id for model in openai.models.list()] == ["guide", "echo", "eliza"]


def test_openai_sees_an_unknown_model_as_not_found(openai):
    import openai as module

    with pytest.raises(module.NotFoundError, match="guide, echo, eliza") as caught:
        openai.chat.completions.create(model="gpt-5", messages=HELLO)
    assert caught.value.code == "model_not_found"


def test_openai_sees_the_responses_api_as_not_found(openai):
    import openai as module

    with pytest.raises(module.NotFoundError):
        openai.responses.create(model="echo", input=TEXT)


@pytest.mark.parametrize("option", ["--usage", "--no-stream"])
def test_llm_prints_the_reply_and_its_usage(asking_llm, option):
    if asking_llm is None:
        pytest.skip("llm is not installed")
    out, err = asking_llm[option].communicate(timeout=60)
    assert out.strip() == TEXT, err
    assert "Token usage" in err
    assert "input" in err
    assert asking_llm[option].returncode == 0
