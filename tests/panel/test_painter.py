from __future__ import annotations

import threading
import time

from nbconvo.panel.painter import Painter


class Canvas:
    """Counts how often it is painted."""

    def __init__(self, pause: float | None = None) -> None:
        self.pause = pause
        self.painted = 0
        self.first = threading.Event()

    def paint(self) -> float | None:
        self.painted += 1
        self.first.set()
        return self.pause

    def close(self) -> None:
        painter_of[id(self)].remove(self)


painter_of: dict[int, Painter] = {}


def new_painter(interval: float = 0.01) -> tuple[Painter, list]:
    watchers: list = []
    return Painter(watchers.append, watchers.remove, interval), watchers


def wait(condition) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_it_watches_while_it_has_something_to_paint():
    painter, watchers = new_painter()
    canvas = Canvas()
    painter.add(canvas)
    assert len(watchers) == 1
    painter.remove(canvas)
    wait(lambda: not painter.running)
    assert watchers == []


def test_it_sleeps_while_nothing_rings():
    painter, _ = new_painter()
    canvas = Canvas()
    painter.add(canvas)
    wait(lambda: canvas.painted)
    seen = canvas.painted
    time.sleep(0.1)
    assert canvas.painted == seen
    painter.ring()
    wait(lambda: canvas.painted > seen)
    painter.remove(canvas)


def test_what_rings_often_is_looked_at_once():
    painter, _ = new_painter(interval=0.2)
    canvas = Canvas()
    painter.add(canvas)
    wait(lambda: canvas.painted == 1)
    for _ in range(1000):
        painter.ring()
    wait(lambda: canvas.painted == 2)
    painter.remove(canvas)
    wait(lambda: not painter.running)
    assert canvas.painted <= 3


def test_what_moves_by_itself_is_looked_at_again_unrung():
    painter, _ = new_painter()
    canvas = Canvas(pause=0.02)
    painter.add(canvas)
    wait(lambda: canvas.painted > 5)
    painter.remove(canvas)


def test_closing_closes_all_that_is_painted():
    painter, _ = new_painter()
    for _ in range(2):
        canvas = Canvas()
        painter_of[id(canvas)] = painter
        painter.add(canvas)
    painter.close()
    wait(lambda: not painter.running)
    assert painter.painted == ()
    painter_of.clear()


def test_it_begins_again():
    painter, _ = new_painter()
    for _ in range(2):
        canvas = Canvas()
        painter.add(canvas)
        wait(lambda canvas=canvas: canvas.painted)
        painter.remove(canvas)
        wait(lambda: not painter.running)
