import asyncio
import io
import json
import socket
import subprocess
import sys

import aiohttp
import pytest

from nbconvo.offline.server import OfflineServer

TEXT = "A blue whale and a big shark meet at the bar."


@pytest.fixture
async def url():
    server = OfflineServer(pace=0, clock=lambda: 1_700_000_000.5)
    yield await server.start()
    await server.stop()


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


def chat(text=TEXT, **options):
    return {"model": "echo", "messages": [{"role": "user", "content": text}]} | options


async def events(response):
    body = (await response.read()).decode()
    assert body.endswith("\n\n")
    return [line.removeprefix("data: ") for line in body.split("\n\n")[:-1]]


def test_importing_it_leaves_aiohttp_for_its_start():
    program = "import sys, nbconvo.offline.server; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_its_base_url_is_on_loopback(url):
    assert url.startswith("http://127.0.0.1:")
    assert url.endswith("/v1")


async def test_answers_a_chat_completion_whole(url, http):
    async with http.post(f"{url}/chat/completions", json=chat()) as response:
        assert response.status == 200
        body = await response.json()
    assert body["choices"][0]["message"]["content"] == TEXT
    assert body["created"] == 1_700_000_000
    assert body["id"].startswith("chatcmpl-")


async def test_every_completion_has_an_id_of_its_own(url, http):
    ids = set()
    for _ in range(2):
        async with http.post(f"{url}/chat/completions", json=chat()) as response:
            ids.add((await response.json())["id"])
    assert len(ids) == 2


async def test_streams_events_and_ends_with_done(url, http):
    body = chat(stream=True, stream_options={"include_usage": True})
    async with http.post(f"{url}/chat/completions", json=body) as response:
        assert response.content_type == "text/event-stream"
        *chunks, usage, done = await events(response)
    assert done == "[DONE]"
    assert json.loads(usage)["usage"]["total_tokens"] > 0
    deltas = [json.loads(chunk)["choices"][0]["delta"] for chunk in chunks]
    assert "".join(delta.get("content", "") for delta in deltas) == TEXT


async def test_a_stream_is_a_stream_whatever_is_accepted_and_never_compressed(url, http):
    headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate, br"}
    async with http.post(
        f"{url}/chat/completions", json=chat(stream=True), headers=headers
    ) as response:
        assert response.content_type == "text/event-stream"
        assert "Content-Encoding" not in response.headers


async def test_keys_and_unknown_headers_are_ignored(url, http):
    headers = {"Authorization": "Bearer nonsense", "x-stainless-lang": "python"}
    async with http.post(f"{url}/chat/completions", json=chat(), headers=headers) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "nonsense", "anthropic-version": "2023-06-01"},
        {"Authorization": "Bearer nonsense", "anthropic-version": "2026-10-21"},
        {"anthropic-version": "none", "anthropic-beta": "whatever"},
        {},
    ],
)
async def test_messages_are_answered_with_any_key_and_any_version(url, http, headers):
    body = chat(max_tokens=99)
    async with http.post(f"{url}/messages?beta=true", json=body, headers=headers) as response:
        assert response.status == 200
        assert (await response.json())["content"][0]["text"] == TEXT


async def test_a_prompt_of_several_megabytes_is_read(url, http):
    body = json.dumps(chat("whale " * 500_000, model="guide")).encode()
    async with http.post(f"{url}/chat/completions", data=io.BytesIO(body)) as response:
        assert response.status == 200


async def test_lists_its_models(url, http):
    async with http.get(f"{url}/models") as response:
        body = await response.json()
    assert body["object"] == "list"
    assert [model["id"] for model in body["data"]] == ["guide", "echo", "eliza"]


async def test_shows_one_model(url, http):
    async with http.get(f"{url}/models/eliza") as response:
        assert (await response.json())["id"] == "eliza"


@pytest.mark.parametrize(
    ("method", "path", "data", "status", "code"),
    [
        ("GET", "/models/gpt-5", None, 404, "model_not_found"),
        ("GET", "/models/vendor/gpt-5", None, 404, "model_not_found"),
        ("POST", "/chat/completions", b'{"model": "x", "messages": []}', 404, "model_not_found"),
        ("POST", "/chat/completions", b"{", 400, None),
        ("POST", "/chat/completions", b'{"model": "echo"}', 400, None),
        ("GET", "/chat/completions", None, 404, "not_found"),
        ("POST", "/responses", b"{}", 400, None),
        ("POST", "/responses", b'{"input": "hi", "model": "x"}', 404, "model_not_found"),
        ("POST", "/embeddings", b"{}", 404, "not_found"),
        ("GET", "/../x", None, 404, "not_found"),
    ],
)
async def test_errors_are_json_of_the_protocols_shape(url, http, method, path, data, status, code):
    async with http.request(method, url + path, data=data) as response:
        assert response.status == status
        error = (await response.json())["error"]
    assert error["code"] == code
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert "param" in error


@pytest.mark.parametrize(
    ("path", "data", "status", "kind"),
    [
        ("/messages", b"{", 400, "invalid_request_error"),
        ("/messages", b'{"messages": [{"role": "user"}]}', 400, "invalid_request_error"),
        ("/messages", b'{"model": "claude-haiku-5-5"}', 404, "not_found_error"),
        ("/messages/count_tokens", b"{}", 400, "invalid_request_error"),
        ("/messages/batches", b"{}", 404, "not_found_error"),
    ],
)
async def test_errors_below_messages_have_anthropics_shape(url, http, path, data, status, kind):
    async with http.post(url + path, data=data) as response:
        assert response.status == status
        body = await response.json()
        assert body["request_id"] == response.headers["request-id"]
    assert body["type"] == "error"
    assert body["error"]["type"] == kind
    assert body["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/messages", {"max_tokens": 99, "messages": [{"role": "user", "content": TEXT}]}),
        ("/responses", {"input": TEXT}),
    ],
)
async def test_streams_named_events_of_the_other_protocols_at_its_pace(http, path, body):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    server = OfflineServer(pace=0.5, sleep=sleep)
    url = await server.start()
    async with http.post(url + path, json={"model": "echo", "stream": True, **body}) as response:
        assert response.content_type == "text/event-stream"
        sent = (await response.read()).decode()
    await server.stop()
    named = [event.split("\n") for event in sent.removesuffix("\n\n").split("\n\n")]
    data = [json.loads(line.removeprefix("data: ")) for _, line in named]
    assert [name for name, _ in named] == [f"event: {one['type']}" for one in data]
    words = [one["delta"] for one in data if _says_words(one)]
    assert "".join(one if path == "/responses" else one["text"] for one in words) == TEXT
    assert waits == [0.5] * len(words)


def _says_words(event):
    return event["type"] in ("content_block_delta", "response.output_text.delta")


async def test_waits_its_pace_before_each_piece_and_only_then(http):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    server = OfflineServer(pace=0.5, sleep=sleep)
    url = await server.start()
    async with http.post(f"{url}/chat/completions", json=chat(stream=True, n=2)) as response:
        sent = await events(response)
    await server.stop()
    pieces = sum(len(TEXT) > len(d) > 0 for d in map(_content, sent[:-1])) // 2
    assert waits == [0.5] * pieces


def _content(event):
    return json.loads(event)["choices"][0]["delta"].get("content", "")


@pytest.fixture
async def endless():
    """A server whose streams wait for ever after their first chunk, and what it waits on."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def sleep(seconds):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    server = OfflineServer(sleep=sleep)
    yield server, begun, ended
    await server.stop()


async def test_stop_ends_open_streams_at_once_and_leaves_no_task(endless, http):
    server, begun, _ = endless
    before = asyncio.all_tasks()
    url = await server.start()
    async with http.post(f"{url}/chat/completions", json=chat(stream=True)) as response:
        await begun.wait()
        await asyncio.wait_for(server.stop(), 5)
        with pytest.raises(aiohttp.ClientError):
            await response.read()
    assert asyncio.all_tasks() == before


async def test_stop_closes_idle_connections_and_frees_the_port(http):
    server = OfflineServer()
    url = await server.start()
    async with http.get(f"{url}/models") as response:
        await response.read()
    await asyncio.wait_for(server.stop(), 5)
    port = int(url.split(":")[2].partition("/")[0])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_a_stream_ends_when_its_client_leaves(endless, http):
    server, begun, ended = endless
    url = await server.start()
    async with http.post(f"{url}/chat/completions", json=chat(stream=True)) as response:
        await begun.wait()
        response.close()
    await asyncio.wait_for(ended.wait(), 5)


async def test_stop_twice_or_before_start_does_nothing():
    server = OfflineServer()
    await server.stop()
    await server.start()
    await server.stop()
    await server.stop()


async def test_starts_again_after_stop(http):
    server = OfflineServer()
    await server.start()
    await server.stop()
    url = await server.start()
    async with http.get(f"{url}/models") as response:
        assert response.status == 200
    await server.stop()


async def test_a_second_start_is_refused():
    server = OfflineServer()
    await server.start()
    with pytest.raises(RuntimeError, match="runs already"):
        await server.start()
    await server.stop()


async def test_a_port_in_use_is_an_os_error_and_the_server_can_still_start():
    taken, server = OfflineServer(), OfflineServer()
    url = await taken.start()
    port = int(url.split(":")[2].partition("/")[0])
    with pytest.raises(OSError, match="address already in use"):
        await server.start(port=port)
    assert await server.start() != url
    await server.stop()
    await taken.stop()


async def test_many_streams_at_once_don_t_mix(url, http):
    async def ask(text):
        body = chat(text, stream=True)
        async with http.post(f"{url}/chat/completions", json=body) as response:
            return "".join(map(_content, (await events(response))[:-1]))

    texts = [f"{number} whales " * 20 for number in range(30)]
    assert await asyncio.gather(*map(ask, texts)) == texts
