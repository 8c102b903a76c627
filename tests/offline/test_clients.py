"""Clients that others wrote work against ``python -m nbconvo.offline``."""

import json
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


def test_openai_gets_a_whole_response(openai):
    response = openai.responses.create(model="echo", input=TEXT, instructions="Be brief.")
    assert (response.status, response.output_text) == ("completed", TEXT)
    assert response.usage.total_tokens > response.usage.input_tokens > 0
    again = openai.responses.create(model="echo", input=[*response.output, *HELLO])
    assert again.output_text == TEXT


def test_openai_s_stream_helper_gathers_the_response(openai):
    with openai.responses.stream(model="echo", input=HELLO) as stream:
        said = [event.delta for event in stream if event.type == "response.output_text.delta"]
        response = stream.get_final_response()
    assert len(said) > 1
    assert "".join(said) == response.output_text == TEXT
    assert response.usage.output_tokens > 0


def test_openai_sees_a_response_that_was_cut(openai):
    response = openai.responses.create(model="echo", input=TEXT, max_output_tokens=2)
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"


def test_openai_sees_that_no_response_is_kept(openai):
    import openai as module

    with pytest.raises(module.BadRequestError, match="leads nowhere") as caught:
        openai.responses.create(model="echo", input=TEXT, previous_response_id="resp_0")
    assert caught.value.param == "previous_response_id"


# --- anthropic -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def anthropic(served):
    module = pytest.importorskip("anthropic", reason="the anthropic client is not installed")
    url = served.removesuffix("/v1")
    with module.Anthropic(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def test_anthropic_gets_a_whole_reply(anthropic):
    reply = anthropic.messages.create(model="echo", max_tokens=99, messages=HELLO, system="Hm.")
    assert [block.text for block in reply.content] == [TEXT]
    assert (reply.stop_reason, reply.role) == ("end_turn", "assistant")
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens > 0


def test_anthropic_gets_a_stream(anthropic):
    stream = anthropic.messages.create(model="echo", max_tokens=99, messages=HELLO, stream=True)
    kinds = [event.type for event in stream]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert kinds.count("content_block_delta") > 1


def test_anthropic_s_stream_helper_gathers_the_reply(anthropic):
    with anthropic.messages.stream(
        model="echo", max_tokens=99, messages=HELLO, stop_sequences=[" shark"]
    ) as stream:
        said = list(stream.text_stream)
        reply = stream.get_final_message()
    assert "".join(said) == reply.content[0].text == "A blue whale and a big"
    assert (reply.stop_reason, reply.stop_sequence) == ("stop_sequence", " shark")
    assert reply.usage.output_tokens > 0


def test_anthropic_counts_the_tokens_that_the_reply_reports(anthropic):
    counted = anthropic.messages.count_tokens(model="echo", messages=HELLO)
    reply = anthropic.messages.create(model="echo", max_tokens=99, messages=HELLO)
    assert counted.input_tokens == reply.usage.input_tokens > 0


def test_anthropic_lists_the_models(anthropic):
    assert [model.id for model in anthropic.models.list()] == ["guide", "echo", "eliza"]


def test_anthropic_sees_errors_as_what_they_are(anthropic):
    import anthropic as module

    with pytest.raises(module.NotFoundError, match="guide, echo, eliza") as missing:
        anthropic.messages.create(model="claude-haiku-5-5", max_tokens=9, messages=HELLO)
    assert missing.value.body["error"]["type"] == "not_found_error"
    assert missing.value.request_id == missing.value.body["request_id"]
    source = {"type": "base64", "media_type": "image/png", "data": "AA=="}
    picture = {"type": "image", "source": source}
    with pytest.raises(module.BadRequestError, match="cannot be read"):
        anthropic.messages.create(
            model="echo", max_tokens=9, messages=[{"role": "user", "content": [picture]}]
        )


# --- litellm -------------------------------------------------------------------------------

# In a process of its own: it warns of much, and looks for its list of prices elsewhere if it may.
LITELLM = """
import json, sys
import litellm

url, text = sys.argv[1:]
root = url.removesuffix("/v1")
hello = [{"role": "user", "content": text}]
told = {}
for name, base in (("openai", url), ("anthropic", root)):
    asked = dict(model=f"{name}/echo", messages=hello, api_base=base, api_key="none", num_retries=0)
    reply = litellm.completion(**asked, max_tokens=99)
    choice = reply.choices[0]
    told[name] = [choice.message.content, choice.finish_reason, reply.usage.completion_tokens]
    chunks = list(litellm.completion(**asked, stream=True, stream_options={"include_usage": True}))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    used = [chunk.usage.prompt_tokens for chunk in chunks if getattr(chunk, "usage", None)]
    told[name + " streamed"] = [said, used]
    try:
        litellm.completion(**asked | {"model": f"{name}/gpt-5"})
    except Exception as error:
        told[name + " refused"] = [type(error).__name__, str(error)]
response = litellm.responses(model="openai/echo", input=text, api_base=url, api_key="none")
told["responses"] = [response.output[0].content[0].text, response.usage.total_tokens]
stream = litellm.responses(
    model="openai/echo", input=text, api_base=url, api_key="none", stream=True
)
said = [event.delta for event in stream if event.type == "response.output_text.delta"]
told["responses streamed"] = ["".join(said)]
print(json.dumps(told))
"""


@pytest.fixture(scope="module", autouse=True)
def asking_litellm(served):
    """``litellm`` asking in all ways, in a process that runs while other tests do."""
    if find_spec("litellm") is None:
        yield None
        return
    process = subprocess.Popen(
        [sys.executable, "-c", LITELLM, served, TEXT],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONWARNINGS": "ignore"},
    )
    yield process
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def litellm(asking_litellm):
    if asking_litellm is None:
        pytest.skip("litellm is not installed")
    out, err = asking_litellm.communicate(timeout=120)
    assert asking_litellm.returncode == 0, err
    return json.loads(out.splitlines()[-1])


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_litellm_gets_a_whole_reply_with_its_usage(litellm, protocol):
    text, reason, tokens = litellm[protocol]
    assert (text, reason) == (TEXT, "stop")
    assert tokens > 0


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_litellm_gets_a_stream_with_its_usage(litellm, protocol):
    text, tokens = litellm[f"{protocol} streamed"]
    assert text == TEXT
    assert tokens[-1] > 0


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
def test_litellm_sees_an_unknown_model_as_not_found(litellm, protocol):
    kind, text = litellm[f"{protocol} refused"]
    assert kind == "NotFoundError"
    assert "guide, echo, eliza" in text


def test_litellm_gets_a_response_whole_and_streamed(litellm):
    text, tokens = litellm["responses"]
    assert text == TEXT
    assert tokens > 0
    assert litellm["responses streamed"] == [TEXT]


# --- llm -----------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--usage", "--no-stream"])
def test_llm_prints_the_reply_and_its_usage(asking_llm, option):
    if asking_llm is None:
        pytest.skip("llm is not installed")
    out, err = asking_llm[option].communicate(timeout=60)
    assert out.strip() == TEXT, err
    assert "Token usage" in err
    assert "input" in err
    assert asking_llm[option].returncode == 0
