"""The suite's own parts: every table can be run, the page keeps its order."""

from __future__ import annotations

import importlib
import inspect
import json
import urllib.request
from dataclasses import asdict

import pytest

from benchmarks.__main__ import BY_NAME, TABLES, main, placed
from benchmarks.limiter import out_of_order
from benchmarks.peers import PEERS, Told, found, peer_class
from benchmarks.plans import Plan
from benchmarks.processes import Worker, serving
from benchmarks.rates import outcomes
from benchmarks.table import Table, spread
from nbconvo.testing.limits import Limit


@pytest.mark.parametrize("name", TABLES + BY_NAME)
def test_each_table_is_a_module_with_one_function(name: str):
    measure = importlib.import_module(f"benchmarks.{name}").measure
    assert next(iter(inspect.signature(measure).parameters)) == "rounds"
    assert inspect.signature(measure).return_annotation == "Table"


def test_no_rounds_are_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "--rounds", "0"])
    with pytest.raises(SystemExit):
        main()
    assert "--rounds must be 1 or more, not 0" in capsys.readouterr().err


def test_the_page_keeps_its_order_and_takes_the_newest():
    page = placed("", "streaming", "## Streaming\n\nold\n")
    page = placed(page, "soak", "## Soak\n")
    page = placed(page, "requests", "## Requests\n")
    page = placed(page, "streaming", "## Streaming\n\nnew\n")
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Requests",
        "## Streaming",
        "## Soak",
    ]
    assert "old" not in page
    assert placed(page, "soak", "## Soak\n") == page


def test_a_table_is_markdown():
    table = Table("T", "How.", ("", "min"), [("row", "1.00")], ["A note."])
    assert table.markdown() == (
        "## T\n\nHow.\n\n|  | min |\n|---|--:|\n| row | 1.00 |\n\n- A note.\n"
    )


def test_a_spread_is_least_median_and_greatest():
    assert spread([3, 1, 1000, 2], 0) == ("1", "2", "1,000")


@pytest.mark.parametrize(
    ("order", "count"),
    [([0, 1, 2, 3], 0), ([1, 0, 2, 3], 1), ([3, 0, 1, 2], 1), ([3, 2, 1, 0], 3), ([], 0)],
)
def test_who_went_before_one_that_asked_earlier(order: list[int], count: int):
    assert out_of_order(order) == count


def test_a_peer_that_is_not_installed_is_left_out_with_a_word(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.peers.installed", lambda name: name == "aiohttp" or None)
    there, missing = found("requests")
    assert there == [
        "aiohttp",
        "nbconvo",
        "nbconvo, HTTP alone",
        "aiohttp, streamed",
        "nbconvo, streamed",
        "nbconvo ask()",
    ]
    assert "openai is left out: openai is not installed." in missing
    assert len(there) + len(missing) < len(PEERS)


@pytest.mark.parametrize("peer", ["aiohttp", "nbconvo", "nbconvo, HTTP alone"])
async def test_a_client_reads_what_the_server_says(peer: str):
    with serving("benchmarks.server") as url:
        client = peer_class(peer)(f"{url}/v1", Told())
        assert (await client.ask("whole-1", "whales?", 100)).startswith("A whale")
        # Those that came together may be one piece.
        pieces = [text async for text in client.stream("stream-30-0", "whales?")]
        await client.close()
    moments = [float(moment) for moment in "".join(pieces).split()]
    assert len(moments) == 30
    assert moments == sorted(moments)


def test_a_worker_asks_a_limited_server_and_both_tell_what_they_saw():
    plan = Plan("p", 12, (Limit("requests", 600_000),), 600_000, latency=0.01, seed=4)
    with serving("benchmarks.limited") as url, Worker("nbconvo") as client:
        (outcome,) = outcomes(url, client, [plan])
    assert (outcome["answered"], outcome["lost"], outcome["unfinished"]) == (12, 0, 0)
    assert (outcome["admitted"], outcome["refused"], outcome["twice"]) == (12, 0, 0)


def test_a_limited_server_sees_what_is_asked_twice():
    plan = Plan("p", 2, (Limit("requests", 600_000),), latency=0.001)
    body = {"messages": [{"role": "user", "content": "row 1"}], "max_tokens": 50}
    with serving("benchmarks.limited") as url:
        posted(f"{url}/open", asdict(plan))
        posted(f"{url}/0/v1/chat/completions", body)
        posted(f"{url}/0/v1/chat/completions", body)
        with urllib.request.urlopen(f"{url}/0") as response:
            assert json.load(response)["twice"] == 1


def test_a_worker_tells_of_a_job_that_fails():
    with Worker("aiohttp") as client, pytest.raises(RuntimeError, match="ConnectionRefused"):
        client.do("requests", url="http://127.0.0.1:9/v1", model="whole", count=1, at_once=1)


def posted(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode())
    with urllib.request.urlopen(request) as response:
        response.read()
