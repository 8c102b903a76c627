"""``loop = "kernel"``, and asyncio as others may have patched it."""

from __future__ import annotations

import asyncio
from functools import cache

import pytest

from nbconvo.bridge.nested import kernel_loop
from nbconvo.errors import InputError

TEXT = " ".join(f"word{number}" for number in range(200))
TICKING = """
import asyncio
ticks = 0
async def tick():
    global ticks
    while True:
        ticks += 1
        await asyncio.sleep(0.01)
ticker = asyncio.create_task(tick())
await asyncio.sleep(0.05)
"""
TICKS_DURING_AN_ASK = """
before = ticks
get_ipython().run_line_magic("ask", "--quiet hi")
print(ticks - before)
"""


@pytest.fixture(scope="module")
def _nested_kernel(start_kernel):
    kernel = start_kernel()
    kernel.run("%load_ext nbconvo", TICKING)
    return kernel


@pytest.fixture
def nested_kernel(_nested_kernel, fresh, provider):
    """A kernel with ``loop = "kernel"`` and a task of the user's that counts ``ticks``."""
    kernel = fresh(_nested_kernel)
    assert kernel.run("%config NbConvo.loop = 'kernel'").texts == []
    return kernel


def test_the_users_tasks_advance_during_an_ask(nested_kernel, provider):
    provider.reply("hi", delay=0.3)
    assert nested_kernel.run(TICKS_DURING_AN_ASK).result > 3


def test_the_users_tasks_stand_still_with_the_thread(nested_kernel, provider):
    nested_kernel.run("%config NbConvo.loop = 'thread'")
    provider.reply("hi", delay=0.3)
    assert nested_kernel.run(TICKS_DURING_AN_ASK).result == 0


def test_queued_cells_all_run_in_order_on_the_kernels_loop(nested_kernel, provider):
    kernel = nested_kernel
    cells = [kernel.send(f"%%ask\nline {number}") for number in range(20)]
    kernel.wait(*cells)
    assert [cell.status for cell in cells] == ["ok"] * 20
    asked = [text for role, text in kernel.history("default") if role == "user"]
    assert asked == [f"line {number}" for number in range(20)]


def test_a_reply_streams_into_one_record_on_the_kernels_loop(nested_kernel, provider):
    provider.reply(TEXT, pace=0.003)
    cell = nested_kernel.run("%%ask\ngo on")
    assert cell.texts == [TEXT]
    assert len(cell.of("update_display_data")) > 3


def test_an_interrupt_works_on_the_kernels_loop(nested_kernel, provider, measured):
    kernel = nested_kernel
    provider.reply(TEXT, pace=0.02)
    cell = kernel.send("%%ask\ngo on")
    kernel.read_until_text(cell, "word9")
    closed = len(provider.closed)
    stopped = kernel.interrupt()
    kernel.wait(cell)
    provider.wait_for_closed(closed + 1)
    measured("seconds to stop on the kernel's loop", cell.idle - stopped)
    assert cell.idle - stopped < 0.2
    kept = kernel.history("default")[-1][1]
    assert cell.texts[-1] == f"Stopped: {len(kept)} characters kept"
    assert kernel.run("%%ask\nhi").texts == ["reply to hi"]
    assert kernel.value("ticker.done()") is False


def test_an_await_works_on_the_kernels_loop(nested_kernel, provider):
    assert nested_kernel.run("await _nbconvo.Session().ask('hi')").texts == ["reply to hi"]


@pytest.fixture(scope="module")
def patched(start_kernel):
    """Kernels in which asyncio was patched by a package, after a request had been made."""

    @cache
    def start(package):
        kernel = start_kernel()
        kernel.run("%load_ext nbconvo", "%%ask\nhi", f"import {package}; {package}.apply()")
        return kernel

    return start


@pytest.mark.parametrize("reload", [False, True], ids=["patched after", "patched before"])
@pytest.mark.parametrize("package", ["nest_asyncio2", "nest_asyncio"])
def test_the_thread_is_unharmed_by_a_patched_asyncio(patched, fresh, provider, package, reload):
    pytest.importorskip(package)
    kernel = patched(package)
    if reload:  # with a thread made anew
        kernel.run("%unload_ext nbconvo")
    fresh(kernel)
    cells = [kernel.send(f"%%ask\nline {number}") for number in range(10)]
    kernel.wait(*cells)
    assert [cell.status for cell in cells] == ["ok"] * 10
    assert kernel.run("await _nbconvo.sessions['default'].ask('hi')").texts == ["reply to hi"]
    provider.reply(TEXT, pace=0.02)
    cell = kernel.send("%%ask\ngo on")
    kernel.read_until_text(cell, "word9")
    stopped = kernel.interrupt()
    kernel.wait(cell)
    assert cell.idle - stopped < 0.2
    assert kernel.run("%%ask\nhi").texts == ["reply to hi"]


def test_the_kernels_loop_is_refused_where_the_old_nest_asyncio_drops_cells(
    patched, fresh, provider
):
    pytest.importorskip("nest_asyncio")
    kernel = fresh(patched("nest_asyncio"))
    cell = kernel.run("%config NbConvo.loop = 'kernel'", "%%ask\nhi")
    if kernel.value("__import__('ipykernel').version_info[0]") < 7:
        assert cell.texts == ["reply to hi"]
    else:
        (line,) = cell.texts
        assert line.startswith("InputError: loop = 'kernel' cannot work here: nest_asyncio 1.x")
        assert "\n" not in line
        assert kernel.run("%config NbConvo.loop = 'thread'", "%%ask\nhi").texts == ["reply to hi"]


def test_the_kernels_loop_is_refused_on_a_loop_that_is_not_asyncios_own():
    class ForeignLoop(asyncio.AbstractEventLoop):
        """A loop such as uvloop's."""

    asyncio._set_running_loop(ForeignLoop())
    try:
        with pytest.raises(InputError, match=r"cannot work on .*; use %config NbConvo.loop = 'thr"):
            kernel_loop()
    finally:
        asyncio._set_running_loop(None)


def test_there_is_no_kernels_loop_where_none_runs():
    assert kernel_loop() is None
