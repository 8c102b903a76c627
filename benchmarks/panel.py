"""What ``%panel`` costs a browser: opening, scrolling back, and a reply that streams into it.

It starts a JupyterLab on loopback, in temporary folders, and opens it in Debian's Chromium, without
a window. Figures are taken in the page: a frame counts from
one ``requestAnimationFrame`` to the next, a row is painted when the frame that first shows it ends,
and the main thread is busy for as long as Chromium's ``TaskDuration`` says.
"""

from __future__ import annotations

import base64
import importlib.util
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.table import Table, spread

TESTS = Path(__file__).parents[1] / "tests" / "browser" / "conftest.py"
PACKAGES = ("jupyterlab", "ipywidgets", "anywidget", "playwright")

SMALL, LARGE, SCROLLED = 100, 100_000, 5_000  # messages
SMOOTH = 34  # milliseconds of a frame
DELTAS, PACE = 2_000, 0.005
IDLE = 3  # seconds in which frames are counted while nothing happens

SETUP = """%load_ext nbconvo
import os, nbconvo
from nbconvo.messages import Message
from nbconvo.widgets.probe import probe
probe();"""
MAKE = """
def make(name, count):
    session = nbconvo.Session(name=name, service=os.environ["FAKE_PROVIDER"], model="m")
    text = (
        "This is message {}. It has some **bold** words, some *slanted* ones and `code`, and it"
        " goes on for about as long as a short paragraph of a conversation does."
    )
    session._record.commit(
        [
            Message(role="assistant" if n % 2 else "user", content=text.format(n))
            for n in range(count)
        ],
        None,
    )
"""
CLEAR = """async () => {
  await window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs');
  while (document.querySelector('.nbconvo-panel')) await new Promise(requestAnimationFrame);
}"""
OPEN = """([place, text]) => new Promise((resolve) => {
  window.jupyterapp.shell.currentWidget.content.activeCellIndex = place;
  const began = performance.now();
  void window.jupyterapp.commands.execute('notebook:run-cell');
  const look = () => {
    const log = document.querySelector('.nbconvo-panel [role=log]');
    const row = [...(log?.querySelectorAll('article') ?? [])].at(-1);
    const place = row?.getBoundingClientRect();
    const seen = row?.textContent.includes(text) && place.height > 0
      && place.top < log.getBoundingClientRect().bottom;
    if (!seen) return requestAnimationFrame(look);
    const painted = new MessageChannel(); // is heard after the frame that this callback is part of
    painted.port1.onmessage = () => resolve(performance.now() - began);
    painted.port2.postMessage(null);
  };
  requestAnimationFrame(look);
})"""
COUNT_FRAMES = """() => {
  const frames = window.countedFrames = [];
  const count = (now) => {
    if (window.countedFrames !== frames) return;
    frames.push(now);
    requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
}"""
COUNTED = """() => {
  const frames = window.countedFrames;
  window.countedFrames = null;
  return frames.slice(1).map((now, place) => now - frames[place]);
}"""
FIRST_SEEN = """() => {
  const log = document.querySelector('.nbconvo-panel [role=log]');
  const { top } = log.getBoundingClientRect();
  const rows = [...log.querySelectorAll('article')];
  const seen = rows.find((row) => row.getBoundingClientRect().bottom > top);
  return +(/message (\\d+)\\./.exec(seen?.textContent)?.[1] ?? -1);
}"""
ENDED = """() => {
  const cell = '.jp-OutputArea-output.jp-RenderedHTML .nbconvo .nbconvo-foot';
  const rows = [...document.querySelectorAll('.nbconvo-panel [role=log] article')];
  return !!document.querySelector(cell) && !!rows.at(-1)?.textContent.includes('tokens');
}"""

PARAGRAPH = (
    "The whale is the largest animal that has ever lived, and it eats some of the smallest: "
    "krill, in **tons**, every day of the summer. It sings, and nobody knows what about.\n\n"
)
PART = f"## Whales\n\n{PARAGRAPH * 5}- it sings\n- it dives, `deep`\n- it sleeps *upright*\n\n"
REPLY = (PART * 12)[:10_000]


class Traffic:
    """What comes over the websockets of a page, and how busy its main thread is."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.on("Network.webSocketFrameReceived", self._take)
        self._cdp.send("Network.enable")
        self._cdp.send("Performance.enable")
        self.reset()

    def reset(self) -> None:
        self.bytes = 0
        self._began = self._busy()

    @property
    def kilobytes(self) -> float:
        return self.bytes / 1000

    @property
    def seconds(self) -> float:
        return self._busy() - self._began

    def _take(self, event: dict[str, Any]) -> None:
        data = event["response"]["payloadData"]
        binary = event["response"]["opcode"] == 2
        self.bytes += len(base64.b64decode(data) if binary else data.encode())

    def _busy(self) -> float:
        metrics = self._cdp.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))


class Folders:
    """Makes folders below one, as pytest's factory does."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def mktemp(self, name: str) -> Path:
        made = self._root / name
        made.mkdir()
        return made


def opening(lab: Any, open_: Any, rounds: int, table: Table) -> None:
    """Measure how long a panel takes to open on a short session and on a long one."""
    sizes = {"small": SMALL, "large": LARGE}
    notebook = open_(lab, [SETUP, *(f'nbconvo.Panel("{name}")' for name in sizes)])
    begin(notebook)
    for name, count in sizes.items():
        notebook.execute(f"make({name!r}, {count})")
    traffic = Traffic(notebook.page)
    times: dict[str, list[float]] = {name: [] for name in sizes}
    kilobytes: dict[str, list[float]] = {name: [] for name in sizes}
    for turn in range(rounds + 1):  # the first loads what all later ones use
        for cell, (name, count) in list(enumerate(sizes.items(), 1))[:: -1 if turn % 2 else 1]:
            notebook.page.evaluate(CLEAR)
            notebook.page.wait_for_timeout(1000)
            traffic.reset()
            taken = notebook.page.evaluate(OPEN, [cell, f"message {count - 1}."])
            notebook.page.wait_for_timeout(1000)  # what comes after the paint counts too
            if turn:
                times[name].append(taken)
                kilobytes[name].append(traffic.kilobytes)
    for name, count in sizes.items():
        line(table, f"opening on {count:,} messages: ms to the last row", times[name], 0)
    for name, count in sizes.items():
        line(table, f"opening on {count:,} messages: kB received", kilobytes[name], 1)
    ratio = statistics.median(times["large"]) / statistics.median(times["small"])
    table.notes.append(f"Opening: ratio of the medians {ratio:.2f} (aim 1.3); aim under 100 kB.")
    report(table, notebook)


def scrolling(lab: Any, open_: Any, rounds: int, table: Table) -> None:
    """Measure the frames while the wheel goes back through a long session."""
    notebook = open_(lab, [SETUP, 'nbconvo.Panel("long")'])
    begin(notebook)
    notebook.execute(f"make('long', {SCROLLED})")
    page = notebook.page
    found: dict[str, list[list[float]]] = {"idle": [], "scrolling": []}
    lasted, reached = [], []
    for _ in range(rounds):
        page.evaluate(CLEAR)
        page.evaluate(OPEN, [1, f"message {SCROLLED - 1}."])
        page.wait_for_timeout(1000)
        page.evaluate(COUNT_FRAMES)
        page.wait_for_timeout(IDLE * 1000)
        found["idle"].append(page.evaluate(COUNTED))
        page.get_by_role("log").first.hover()
        page.evaluate(COUNT_FRAMES)
        began = time.perf_counter()
        first = SCROLLED
        while first and time.perf_counter() - began < 60:
            for _ in range(20):
                page.mouse.wheel(0, -1200)
                page.wait_for_timeout(16)
            first = page.evaluate(FIRST_SEEN)
        lasted.append(time.perf_counter() - began)
        found["scrolling"].append(page.evaluate(COUNTED))
        reached.append(float(first))
    for what, frames in found.items():
        head = f"scrolling, {what}:"
        under = f"{head} % of frames under {SMOOTH} ms"
        line(table, under, [share(each) for each in frames], 1)
        line(table, f"{head} median frame, ms", [statistics.median(each) for each in frames], 1)
        line(table, f"{head} 95th percentile, ms", [percentile(each, 95) for each in frames], 1)
        line(table, f"{head} longest frame, ms", [max(each) for each in frames], 1)
        line(table, f"{head} frames", [len(each) for each in frames], 0)
    line(table, "scrolling: seconds", lasted, 1)
    line(table, "scrolling: message reached", reached, 0)
    table.notes.append(f"Scrolling back through {SCROLLED:,} messages: aim 95 % of frames.")
    report(table, notebook)


def streaming(lab: Any, open_: Any, rounds: int, table: Table) -> None:
    """Measure what a long reply costs the page, in its cell and a panel together."""
    notebook = open_(lab, [SETUP, "", ""])
    begin(notebook)
    traffic = Traffic(notebook.page)
    ask(lab, notebook, "warm", ["Is it $x^2$?\n\n", "It is."], 0.1)
    busy: dict[str, list[float]] = {"streaming": [], "idle": []}
    kilobytes: dict[str, list[float]] = {"streaming": [], "idle": []}
    lasted = []
    for turn in range(rounds):
        size = len(REPLY) / DELTAS
        deltas = [REPLY[round(n * size) : round((n + 1) * size)] for n in range(DELTAS)]
        lasted.append(ask(lab, notebook, f"whales{turn}", deltas, PACE, traffic))
        busy["streaming"].append(traffic.seconds)
        kilobytes["streaming"].append(traffic.kilobytes)
        notebook.page.wait_for_timeout(2000)
        traffic.reset()
        watch(notebook, lasted[-1])
        busy["idle"].append(traffic.seconds)
        kilobytes["idle"].append(traffic.kilobytes)
    for what in busy:
        line(table, f"streaming, {what}: s of main thread", busy[what], 2)
        line(table, f"streaming, {what}: kB received", kilobytes[what], 1)
    line(table, "streaming: seconds", lasted, 1)
    table.notes.append(
        f"Streaming {len(REPLY) / 1000:.0f} kB in {DELTAS:,} deltas, {1 / PACE:.0f} a second, into "
        "a cell and a panel, and idle for as long afterwards: aims 1.5 s, 250 kB."
    )
    report(table, notebook)


def ask(
    lab: Any,
    notebook: Any,
    name: str,
    deltas: Sequence[str],
    pace: float,
    traffic: Traffic | None = None,
) -> float:
    """Open a panel on a new session, ask it in a cell; return how many seconds the reply took."""
    lab.provider.reply(deltas=deltas, pace=pace)
    notebook.page.evaluate(CLEAR)
    notebook.execute(
        f"nbconvo.Session(name={name!r}, service=os.environ['FAKE_PROVIDER'], model='m')"
    )
    notebook.write(1, f'nbconvo.Panel("{name}")')
    notebook.write(2, f"%%ask {name}\nwhales?")
    notebook.start(1)
    notebook.page.wait_for_selector(".nbconvo-panel [role=log]")
    notebook.page.wait_for_timeout(2000)
    if traffic is not None:
        traffic.reset()
    notebook.start(2)
    return watch(notebook)


def watch(notebook: Any, seconds: float | None = None) -> float:
    """Look twice a second whether a reply has ended, or so many seconds; return how long it took.

    Playwright's own waiting would keep the main thread busy in each frame.
    """
    began = time.perf_counter()
    while True:
        notebook.page.wait_for_timeout(500)
        ended = notebook.page.evaluate(ENDED)
        taken = time.perf_counter() - began
        if ended if seconds is None else taken >= seconds:
            return taken
        if taken > 90:
            raise RuntimeError("the reply does not end")


def begin(notebook: Any) -> None:
    """Run the first cell, and wait until the page is known to run widgets."""
    notebook.start(0)
    for _ in range(200):
        if notebook.execute("print(probe().answered)").strip() == "True":
            notebook.execute(MAKE)
            return
        notebook.page.wait_for_timeout(50)
    raise RuntimeError("the page runs no widgets")


def share(frames: Sequence[float]) -> float:
    return 100 * sum(frame < SMOOTH for frame in frames) / len(frames)


def percentile(numbers: Sequence[float], rank: int) -> float:
    return sorted(numbers)[math.ceil(len(numbers) * rank / 100) - 1]


def line(table: Table, what: str, numbers: Iterable[float], digits: int) -> None:
    table.rows.append((what, *spread(list(numbers), digits)))


def report(table: Table, notebook: Any) -> None:
    """Note what went wrong in the page."""
    table.notes += [f"Wrong: {error}" for error in notebook.errors]
    notebook.errors.clear()


def measure(rounds: int) -> Table:
    """Open, scroll and stream."""
    table = Table(
        "The panel in a browser",
        f"In Debian's Chromium, without a window. {rounds} rounds.",
        ("", "min", "median", "max"),
    )
    spec = importlib.util.spec_from_file_location("browser_tests", TESTS)
    assert spec is not None
    assert spec.loader is not None
    tests = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = tests  # where its dataclasses look
    spec.loader.exec_module(tests)
    open_in = contextmanager(tests.opener)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root,
        tests.running("jupyterlab", Folders(root)) as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=tests.CHROMIUM, args=tests.FLAGS)
        versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        table.notes.append(f"Chromium {browser.version}, {versions}.")
        for part in (opening, scrolling, streaming):
            with open_in(browser) as open_:
                part(lab, open_, rounds, table)
        browser.close()
    return table
