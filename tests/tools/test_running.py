"""Calls of tools, run."""

import asyncio
import threading

import pandas as pd
import pytest

from nbconvo.errors import InputError
from nbconvo.messages import ToolCall
from nbconvo.tools import Call, Toolbox


def call(name, arguments="{}", id="c1"):
    return ToolCall(id, name, arguments)


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def ran(*functions, calls, **settings):
    return await Toolbox.of(functions, **settings).run(calls)


async def test_a_result_has_the_id_and_the_name_of_its_call():
    (message,) = await ran(add, calls=[call("add", '{"a": 1, "b": 2}', id="x")])
    assert (message.role, message.call_id, message.name) == ("tool", "x", "add")
    assert (message.content, message.failed) == ("3", False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (None, "null"),
        ("", ""),
        (False, "false"),
        ([], "[]"),
        ({"a": [1]}, '{"a":[1]}'),
        ("plain text", "plain text"),
        (float("nan"), "NaN"),
    ],
)
async def test_a_falsy_result_is_a_result_and_texts_stay_as_they_are(value, text):
    def give():
        return value

    (message,) = await ran(give, calls=[call("give")])
    assert (message.content, message.failed) == (text, False)


async def test_a_table_becomes_one_that_a_model_can_read():
    def give():
        return pd.DataFrame({"city": ["Oslo"], "t": [3]})

    (message,) = await ran(give, calls=[call("give")])
    assert message.content.splitlines()[-1] == "| Oslo | 3 |"


async def test_what_json_does_not_know_becomes_its_text():
    class Place:
        def __str__(self):
            return "there"

    def give():
        return {"where": Place()}

    (message,) = await ran(give, calls=[call("give")])
    assert message.content == '{"where":"there"}'


async def test_calls_run_at_once_and_their_results_keep_the_order():
    meet = threading.Barrier(2, timeout=5)

    def first():
        meet.wait()
        return 1

    def second():
        meet.wait()
        return 2

    found = await ran(first, second, calls=[call("second", id="b"), call("first", id="a")])
    assert [message.content for message in found] == ["2", "1"]


async def test_async_functions_run_on_the_loop_that_is_named():
    seen = []

    async def where():
        seen.append(asyncio.get_running_loop())
        return "there"

    other = asyncio.new_event_loop()
    thread = threading.Thread(target=other.run_forever)
    thread.start()
    try:
        found = await ran(where, calls=[call("where")])
        found += await ran(where, calls=[call("where")], loop=other)
    finally:
        other.call_soon_threadsafe(other.stop)
        thread.join()
        other.close()
    assert [message.content for message in found] == ["there", "there"]
    assert seen == [asyncio.get_running_loop(), other]


async def test_a_tool_that_never_returns_is_left_behind():
    forever = threading.Event()

    def hang():
        forever.wait()

    async def sleep():
        await asyncio.sleep(3600)

    found = await ran(hang, sleep, calls=[call("hang"), call("sleep")], timeout=0.02)
    forever.set()
    assert [m.content for m in found] == ["error: it took longer than 0.02 s"] * 2
    assert all(message.failed for message in found)


async def test_an_exception_is_told_by_its_name_and_text_without_keys():
    def fail():
        raise ValueError("no such city; key sk-abcdef0123456789abcdef")

    (message,) = await ran(fail, calls=[call("fail")])
    assert message.content == "error: ValueError: no such city; key [key]"
    assert message.failed


@pytest.mark.parametrize("error", [SystemExit(1), StopIteration(), KeyboardInterrupt()])
async def test_no_exception_of_a_tool_ends_anything_else(error):
    def fail():
        raise error

    (message,) = await ran(fail, calls=[call("fail")])
    assert message.failed


@pytest.mark.parametrize(
    "error", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError(), StopAsyncIteration()]
)
async def test_nor_does_one_of_an_async_tool(error):
    async def fail():
        await asyncio.sleep(0)
        raise error

    found = await ran(fail, add, calls=[call("fail"), call("add", '{"a": 1, "b": 1}')])
    assert [m.failed for m in found] == [True, False]


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])
async def test_nor_does_one_of_a_coroutine_that_a_sync_tool_returns(error):
    async def later():
        raise error

    def fail():
        return later()

    (message,) = await ran(fail, calls=[call("fail")])
    assert message.failed


async def test_one_that_is_cancelled_from_outside_is_stopped():
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    running = asyncio.ensure_future(ran(wait, calls=[call("wait")]))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()


async def test_a_result_that_is_huge_is_cut_and_says_so():
    def give():
        return "x" * 2_000_000

    (message,) = await ran(give, calls=[call("give")])
    assert len(message.content) < 100_100
    assert message.content.endswith("\n[cut: the first 100,000 of 2,000,000 characters]")
    assert not message.failed


@pytest.mark.parametrize("value", [b"\xff\xd8", bytearray(b"ab")])
async def test_bytes_are_told_by_their_number(value):
    def give():
        return value

    (message,) = await ran(give, calls=[call("give")])
    assert (message.content, message.failed) == ("2 bytes", False)


async def test_what_a_generator_yields_is_the_result_as_a_list():
    def count(n: int):
        yield from range(n)

    async def count_async(n: int):
        for number in range(n):
            yield number

    def squares(n: int):
        return (number**2 for number in range(n))

    names = ("count", "count_async", "squares")
    found = await ran(count, count_async, squares, calls=[call(n, '{"n": 3}') for n in names])
    assert [message.content for message in found] == ["[0,1,2]", "[0,1,2]", "[0,1,4]"]


async def test_of_a_generator_without_an_end_the_beginning_is_told():
    def forever():
        while True:
            yield 1

    async def forever_async():
        while True:
            yield 1

    found = await ran(forever, forever_async, calls=[call("forever"), call("forever_async")])
    assert [message.failed for message in found] == [False, False]
    assert all(message.content.startswith("[1,1,1,") for message in found)


async def test_a_generator_that_takes_too_long_is_left_at_its_next_item():
    late, ended = threading.Event(), threading.Event()

    def slow():
        try:
            late.wait(5)
            yield 1
            yield 2
        except GeneratorExit:
            ended.set()

    (message,) = await ran(slow, calls=[call("slow")], timeout=0.05)
    assert message.content == "error: it took longer than 0.05 s"
    late.set()
    assert await asyncio.to_thread(ended.wait, 5)


async def test_a_figure_is_told_in_words():
    from matplotlib.figure import Figure

    def draw():
        return Figure(figsize=(2, 1))

    (message,) = await ran(draw, calls=[call("draw")])
    assert message.content == '"Figure(200x100)"'


async def test_what_holds_itself_is_an_error_for_the_model():
    def give():
        loop: list[object] = []
        loop.append(loop)
        return loop

    (message,) = await ran(give, calls=[call("give")])
    assert message.failed


async def test_a_name_that_is_not_registered_is_never_called():
    found = await ran(add, calls=[call("ad"), call("exec")])
    assert [m.content for m in found] == [
        "error: no tool 'ad'; did you mean 'add'?",
        "error: no tool 'exec'; there are add",
    ]


async def test_bad_arguments_are_told_and_the_function_is_not_called():
    calls = []

    def note(x: int):
        calls.append(x)

    found = await ran(note, calls=[call("note", "{"), call("note", '{"x": "many"}')])
    assert all(m.failed for m in found)
    assert calls == []


async def test_a_call_runs_only_when_it_is_allowed():
    asked = []

    async def confirm(shown: Call) -> bool:
        asked.append(str(shown))
        return shown.arguments["a"] == 1

    calls = [call("add", '{"a": 1, "b": 1}'), call("add", '{"a": 2, "b": 1}')]
    found = await ran(add, calls=calls, confirm=confirm)
    assert [m.content for m in found] == ["2", "the user did not allow this call"]
    assert asked == ["add(a=1, b=1)", "add(a=2, b=1)"]


async def test_context_variables_reach_the_threads():
    import contextvars

    who = contextvars.ContextVar("who")
    who.set("me")

    def tell():
        return who.get()

    (message,) = await ran(tell, calls=[call("tell")])
    assert message.content == "me"


def test_two_tools_of_one_name_are_refused():
    with pytest.raises(InputError, match="two tools have the name 'add'"):
        Toolbox.of([add, add])
