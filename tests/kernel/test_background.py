"""A reply that comes while other cells run."""

from __future__ import annotations

import pytest

TEXT = " ".join(f"word{number}" for number in range(40))


@pytest.fixture
def background(kernel, provider):
    """A cell whose reply is under way in the background, for 0.4 s or so."""
    provider.reply(TEXT, pace=0.01)
    return kernel.run("%%ask --background --to later\ngo on")


def test_other_cells_run_meanwhile(kernel, background):
    assert kernel.value("[later.done(), 1 + 1]") == [False, 2]
    kernel.run("await later")


def test_the_reply_comes_into_its_own_cell(kernel, background):
    other = kernel.run("print('meanwhile')")
    kernel.run("await later")
    assert background.texts == [TEXT]
    assert other.texts == ["meanwhile\n"]


def test_what_later_cells_print_stays_theirs(kernel, background):
    printing = kernel.run(
        "import time\nfor n in range(15):\n    print('tick', n)\n    time.sleep(.02)"
    )
    kernel.run("await later")
    assert printing.texts == ["".join(f"tick {n}\n" for n in range(15))]
    assert background.texts == [TEXT]


def test_it_goes_on_while_another_cell_computes(kernel, background):
    computing = kernel.run(
        "import time\n"
        "end = time.monotonic() + 15\n"
        "while not later.done() and time.monotonic() < end: sum(range(1000))\n"
        "print(later.done())"
    )
    assert computing.texts == ["True\n"]
    assert background.texts == [TEXT]


def test_awaiting_gives_the_reply(kernel, background):
    assert kernel.value("[type(await later).__name__, await later]") == ["Reply", TEXT]


def test_the_finished_record_tells_who_answered(kernel, background):
    kernel.run("await later")
    (output,) = background.outputs
    assert output["metadata"]["nbconvo"]["replies"][0]["model"] == "fake-model"


def test_an_ask_in_another_cell_waits_for_its_turn(kernel, background):
    cell = kernel.run("%%ask\nand then?")
    assert cell.texts == ["reply to and then?"]
    assert [role for role, _ in kernel.history("default")] == ["user", "assistant"] * 2


def test_a_failure_is_told_in_its_own_cell_and_to_who_awaits(kernel, provider):
    provider.error(404, delay=0.1)
    background = kernel.run("%%ask --background --to later\nhi")
    awaiting = kernel.run("await later")
    assert awaiting.status == "error"
    assert len(awaiting.outputs[-1]["traceback"]) == 1
    (told,) = background.texts
    assert awaiting.texts[-1].endswith(told)


def test_an_interrupt_of_another_cell_leaves_it_alone(kernel, background):
    other = kernel.send("import time\nprint('sleeping', flush=True)\ntime.sleep(10)")
    kernel.read_until_text(other, "sleeping")
    kernel.interrupt()
    kernel.wait(other)
    kernel.run("await later")
    assert background.texts == [TEXT]


def test_an_interrupt_of_who_awaits_it_leaves_it_alone(kernel, background):
    awaiting = kernel.send("print('waiting', flush=True)\nawait later")
    kernel.read_until_text(awaiting, "waiting")
    kernel.interrupt()
    kernel.wait(awaiting)
    assert awaiting.status == "error"
    assert kernel.value("await later") == TEXT
