"""A model that calls functions of the notebook, and one that keeps to a schema."""

import asyncio
import json
import os
import pickle
import threading
from dataclasses import dataclass

import pytest

from nbconvo import Session, cards, log
from nbconvo.errors import Endless, Halted, InputError, ServerFailed, Unfit


def weather(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


async def wind(city: str) -> int:
    """Tell the wind."""
    return 0


@pytest.fixture
def session(provider):
    return Session(tools=[weather, wind], service="openai")


def sent(provider, number=-1):
    return provider.requests[number].json


def roles(session):
    return [message.role for message in session.conversation.messages]


async def test_what_the_model_calls_is_run_and_the_reply_is_the_final_one(provider, session):
    provider.reply("Let me see.", calls=[("weather", {"city": "Oslo"})])
    provider.reply("It rains.")
    reply = await session.ask("the weather?")
    assert reply == "It rains."
    assert [tool["function"]["name"] for tool in sent(provider, 0)["tools"]] == ["weather", "wind"]
    assert sent(provider)["messages"][1:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {
                    "id": "call-1-1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call-1-1", "content": "rain in Oslo"},
    ]


async def test_what_runs_is_told_to_who_reads_the_deltas_and_to_who_looks_at_the_turn(provider):
    looks = []

    def look() -> str:
        """Look at the turn."""
        looks.extend(turn.tally.notice for turn in session.turns)
        return "seen"

    session = Session(tools=[look], service="openai")
    provider.reply("", calls=[("look", {}), *[("look", {"a": "x" * 500})] * 5])
    provider.reply("done")
    notices = [delta.notice async for delta in session.stream("go") if delta.notice]
    (running,) = (notice for notice in notices if notice.startswith("running"))
    assert running.startswith('running look(), look(a="xxx')
    assert running.endswith('x…, look(a="' + "x" * 112 + "… and 2 more")
    assert looks == [running]


async def test_calls_and_results_are_in_the_history_with_roles_and_ids(provider, session):
    provider.reply("", calls=[("weather", {"city": "Oslo"}), ("wind", {"city": "Oslo"})])
    provider.reply("It rains.")
    reply = await session.ask("the weather?")
    assert roles(session) == ["user", "assistant", "tool", "tool", "assistant"]
    calling, *results = session.conversation.messages[1:4]
    assert [call.id for call in calling.calls] == [result.call_id for result in results]
    assert [result.content for result in results] == ["rain in Oslo", "0"]
    assert reply.steps == (calling, *results)
    assert session.conversation.readable == (
        session.conversation.messages[0],
        session.conversation.messages[-1],
    )


async def test_all_of_it_is_on_disk_and_is_read_back(provider, tmp_path):
    session = Session(tools=[weather], service="openai", dir=tmp_path)
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.reply("It rains.")
    await session.ask("the weather?")
    (file,) = tmp_path.glob("*.jsonl")
    assert log.read(file).conversation.messages == session.conversation.messages


async def test_usage_and_cost_of_a_reply_are_those_of_all_its_requests(provider, session):
    for cost in (0.25, 0.5):
        calls = [("weather", {"city": "Oslo"})] if cost == 0.25 else []
        usage = {"prompt_tokens": 10, "completion_tokens": 1, "cost": cost}
        provider.reply("x", calls=calls, usage=usage)
    reply = await session.ask("the weather?")
    assert (reply.usage.requests, reply.usage.input_tokens, reply.cost) == (2, 20, 0.75)


async def test_the_seconds_of_a_reply_are_not_those_of_the_calls_before_it(provider):
    def slow() -> str:
        """Take long."""
        for turn in session.turns:
            turn.tally.sent -= 100  # as if a clock had gone on
        return "done"

    session = Session(tools=[slow], service="openai")
    provider.reply("", calls=[("slow", {})])
    provider.reply("Done.")
    reply = await session.ask("go")
    assert reply.message.seconds < 100


OSLO = {"city": "Oslo"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 1, "cost": 0.25}


async def test_the_line_below_a_reply_tells_what_the_whole_turn_took(provider, session, tmp_path):
    session.set_dir(tmp_path)
    provider.reply("", calls=[("weather", {"city": "Oslo"})], usage=USAGE)
    provider.reply("no", usage=USAGE)
    provider.reply('{"text": "rain"}', usage=USAGE)
    reply = await session.ask("a joke", schema=Joke)
    assert (reply.usage.requests, reply.cost) == (3, 0.75)
    for message in (reply.message, session.last.message, log_of(tmp_path).last):
        foot = cards.footer(message)
        assert "in 30 + out 3 tokens" in foot
        assert "$0.75" in foot
    assert session.usage == reply.usage == log_of(tmp_path).usage


def log_of(directory):
    (file,) = directory.glob("*.jsonl")
    return log.read(file).conversation


async def test_a_stopped_reply_tells_what_came_before_it_too(provider, session):
    hold = threading.Event()
    provider.reply("", calls=[("weather", {"city": "Oslo"})], usage=USAGE)
    provider.reply("half a reply", hold=hold)
    stream = session.stream("go")
    async for delta in stream:
        if delta.text:
            break
    await stream.aclose()
    hold.set()
    assert session.last.usage == session.usage
    assert session.usage.requests == 2


async def test_a_later_ask_sends_the_calls_and_their_results_along(provider, session):
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.reply("It rains.")
    await session.ask("the weather?")
    await session.ask("sure?")
    said = [message["role"] for message in sent(provider)["messages"]]
    assert said == ["user", "assistant", "tool", "assistant", "user"]


async def test_the_steps_to_a_reply_are_removed_with_it(provider, session):
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.reply("It rains.")
    await session.ask("the weather?")
    await session.ask("sure?")
    session.remove(session.conversation.messages[3])
    assert roles(session) == ["user", "user", "assistant"]


async def test_a_bad_call_goes_back_to_the_model_to_be_mended(provider, session):
    provider.reply("", calls=[("wether", {}), ("weather", "{"), ("weather", {"town": "Oslo"})])
    provider.reply("Sorry.")
    await session.ask("the weather?")
    told = [m["content"] for m in sent(provider)["messages"] if m["role"] == "tool"]
    assert told[0] == "error: no tool 'wether'; did you mean 'weather'?"
    assert told[1].startswith("error: the arguments do not fit: the value: Invalid JSON")
    assert "city: Field required" in told[2]


async def test_a_model_that_calls_without_an_end_has_to_answer_in_words(provider):
    session = Session(tools=[weather], max_rounds=2, service="openai")
    for _ in range(2):
        provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.reply("It rains.")
    assert await session.ask("the weather?") == "It rains."
    assert [request.json.get("tool_choice") for request in provider.requests] == [
        None,
        None,
        "none",
    ]


async def test_one_that_calls_even_then_fails_and_the_calls_are_kept(provider):
    session = Session(tools=[weather], max_rounds=1, service="openai")
    for _ in range(2):
        provider.reply("", calls=[("weather", {"city": "Oslo"})])
    with pytest.raises(Endless, match=r"no answer after 1 round of calls.*--max-rounds 2"):
        await session.ask("the weather?")
    assert roles(session) == ["user", "assistant", "tool", "assistant", "tool"]
    ran, left = session.conversation.messages[2::2]
    assert (ran.content, left.content) == ("rain in Oslo", "not run: too many rounds")
    await session.ask("so?")
    assert len(sent(provider)["messages"]) == 6


def test_how_often_tools_are_called_and_for_how_long_may_be_changed(provider):
    session = Session(tools=[weather])
    session.set_tool_limits(max_rounds=3)
    session.set_tool_limits(tool_timeout=1.5)
    assert (session.max_rounds, session.tool_timeout) == (3, 1.5)


async def test_a_service_that_fails_after_a_call_loses_nothing(provider, session):
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.error(400)
    with pytest.raises(Exception, match="400"):
        await session.ask("the weather?")
    assert session.conversation.messages == ()
    assert [message.role for message in session.conversation] == ["user", "assistant", "tool"]


async def test_who_stops_while_a_tool_runs_keeps_the_call_and_can_go_on(provider):
    begun, going = threading.Event(), threading.Event()

    def slow() -> str:
        """Take long."""
        begun.set()
        going.wait(5)
        return "late"

    session = Session(tools=[slow], service="openai")
    provider.reply("", calls=[("slow", {})])
    asking = asyncio.ensure_future(session.ask("go"))
    await asyncio.to_thread(begun.wait, 5)
    session.stop()
    with pytest.raises(Halted):
        await asking
    going.set()
    assert [m.content for m in session.conversation.messages] == ["go", "", "stopped while it ran"]
    await session.ask("and now?")
    said = [message["role"] for message in sent(provider)["messages"]]
    assert said == ["user", "assistant", "tool", "user"]


async def test_of_several_calls_that_are_stopped_each_tells_how_far_it_came(provider):
    asked, answered, going = threading.Event(), threading.Event(), asyncio.Event()

    async def wait() -> str:
        """Wait."""
        going.set()
        return await asyncio.Event().wait()

    def confirm(call):
        if call.name == "weather":
            asked.set()
            answered.wait(5)
        return True

    session = Session(tools=[wind, wait, weather], service="openai", confirm=confirm)
    provider.reply("", calls=[("wind", {"city": "Oslo"}), ("wait", {}), ("weather", OSLO)])
    asking = asyncio.ensure_future(session.ask("go"))
    await going.wait()
    await asyncio.to_thread(asked.wait, 5)
    session.stop()
    with pytest.raises(Halted):
        await asking
    answered.set()
    results = session.conversation.messages[2:]
    assert [m.content for m in results] == ["0", "stopped while it ran", "not run: stopped"]
    assert [m.failed for m in results] == [False, True, True]


async def test_a_retry_asks_again_from_the_users_message_on(provider, session):
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.reply("It rains.")
    await session.ask("the weather?")
    await session.retry()
    assert [message["role"] for message in sent(provider)["messages"]] == ["user"]


async def test_calls_without_their_results_on_the_path_are_not_sent(provider, session):
    provider.reply("Let me see.", calls=[("weather", {"city": "Oslo"})])
    provider.reply("It rains.")
    await session.ask("the weather?")
    session.branch(session.conversation.messages[1])
    await session.ask("go on")
    said = sent(provider)["messages"]
    assert [message["role"] for message in said] == ["user", "assistant", "user"]
    assert "tool_calls" not in said[1]


async def test_a_function_is_registered_with_a_decorator_and_may_be_redefined(provider):
    session = Session(service="openai")

    @session.tool
    def dice(sides: int = 6) -> int:
        """Throw."""
        return 3

    assert dice(6) == 3
    session.tool(dice)
    assert session.tools == ("dice",)
    provider.reply("", calls=[("dice", {})])
    provider.reply("a three")
    assert await session.ask("throw") == "a three"


async def test_tools_can_be_given_to_one_call_only(provider):
    session = Session(service="openai")
    await session.ask("hi", tools=[weather])
    await session.ask("hi")
    assert ["tools" in request.json for request in provider.requests] == [True, False]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_function_may_decide_which_calls_run(provider, is_async):
    shown = []

    def confirm(call):
        shown.append(str(call))
        return False

    async def confirm_later(call):
        return confirm(call)

    session = Session(
        tools=[weather], service="openai", confirm=confirm_later if is_async else confirm
    )
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.reply("As you like.")
    await session.ask("the weather?")
    assert shown == ['weather(city="Oslo")']
    assert sent(provider)["messages"][-1]["content"] == "the user did not allow this call"


async def test_while_a_function_decides_other_requests_go_on(provider, session):
    asked, going = threading.Event(), threading.Event()

    def confirm(call):
        asked.set()
        return going.wait(5)

    deciding = Session(tools=[weather], service="openai", confirm=confirm)
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    waiting = asyncio.ensure_future(deciding.ask("the weather?"))
    await asyncio.to_thread(asked.wait, 5)
    provider.reply("meanwhile")
    assert await session.ask("hi") == "meanwhile"
    provider.reply("It rains.")
    going.set()
    assert await waiting == "It rains."


async def test_a_function_that_decides_and_ends_everything_ends_its_call_alone(provider):
    def confirm(call):
        raise SystemExit

    session = Session(tools=[weather], service="openai", confirm=confirm)
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.reply("As you like.")
    async with asyncio.timeout(5):
        await session.ask("the weather?")
    assert sent(provider)["messages"][-1]["content"] == "error: RuntimeError: SystemExit"


async def test_a_function_that_never_decides_keeps_no_program_from_its_end(provider):
    deciders = []
    asked, going = threading.Event(), threading.Event()

    def confirm(call):
        deciders.append(threading.current_thread())
        asked.set()
        return going.wait(5)

    session = Session(tools=[weather], service="openai", confirm=confirm)
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.reply("It rains.")
    waiting = asyncio.ensure_future(session.ask("the weather?"))
    await asyncio.to_thread(asked.wait, 5)
    assert deciders[0].daemon  # Python waits at its end for others, such as those of pools
    going.set()
    assert await waiting == "It rains."


async def test_where_nobody_can_be_asked_nothing_runs(provider):
    session = Session(tools=[weather], service="openai", confirm=True)
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.reply("As you like.")
    await session.ask("the weather?")
    assert (
        sent(provider)["messages"][-1]["content"]
        == "not run: nobody could be asked whether to allow this call"
    )


async def test_what_may_run_is_asked_for_before_it_runs(provider):
    looks = []

    def confirm(call):
        looks.extend(turn.tally.notice for turn in session.turns)
        return True

    def look(city: str) -> str:
        """Look at the turn."""
        looks.extend(turn.tally.notice for turn in session.turns)
        return city

    session = Session(tools=[look], service="openai", confirm=confirm)
    provider.reply("", calls=[("look", {"city": "Oslo"})])
    provider.reply("done")
    told = [delta.notice async for delta in session.stream("go") if delta.notice]
    assert told == looks == ['may look(city="Oslo") run?', 'running look(city="Oslo")']


async def test_async_tools_run_on_the_loop_of_whoever_awaits(provider):
    loops = []

    async def where() -> str:
        """Tell where."""
        loops.append(asyncio.get_running_loop())
        return "here"

    session = Session(tools=[where], service="openai")
    provider.reply("", calls=[("where", {})])
    provider.reply("There.")
    await session.ask("where?")
    assert loops == [asyncio.get_running_loop()]


async def test_streaming_tells_of_the_steps(provider, session):
    provider.reply("Let me see.", calls=[("weather", {"city": "Oslo"})])
    provider.reply("It rains.")
    steps, said = [], ""
    async for delta in session.stream("the weather?"):
        steps += delta.steps
        said += delta.text
    assert [step.role for step in steps] == ["assistant", "tool"]
    assert said == "Let me see.It rains."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tools": [lambda: 1]}, "a tool needs a name"),
        ({"tools": [weather, weather]}, "two tools have the name 'weather'"),
        ({"max_rounds": 0}, "max_rounds must be a whole number, 1 or more, not 0"),
        ({"max_rounds": True}, "max_rounds must be"),
        ({"tool_timeout": 0}, "tool_timeout must be a number"),
        ({"confirm": "yes"}, "confirm must be True, False or a function, not 'yes'"),
    ],
)
def test_bad_tools_are_refused_in_one_line(provider, given, said):
    with pytest.raises(InputError, match=said):
        Session(**given)


# --- schemas -----------------------------------------------------------------------------------


@dataclass
class Joke:
    text: str
    score: int = 3


async def test_a_schema_is_asked_for_and_the_reply_is_the_object(provider):
    session = Session(service="openai")
    provider.reply('{"text": "knock", "score": 5}')
    reply = await session.ask("a joke", schema=Joke)
    assert reply.parsed == Joke("knock", 5)
    form = sent(provider)["response_format"]
    assert (form["type"], form["json_schema"]["name"]) == ("json_schema", "Joke")
    assert form["json_schema"]["strict"] is True


async def test_a_reply_that_does_not_fit_is_mended_and_stays_beside(provider):
    session = Session(service="openai")
    provider.reply('{"score": 5}')
    provider.reply("Here: {")
    provider.reply('{"text": "knock"}')
    reply = await session.ask("a joke", schema=Joke)
    assert reply.parsed == Joke("knock")
    asked = sent(provider)["messages"][-1]["content"]
    assert asked.startswith("This does not keep to the schema: it is not JSON")
    assert [m.content for m in session.conversation.messages] == ["a joke", '{"text": "knock"}']
    beside = session.alternatives(session.conversation.messages[-1])
    assert [message.content for message in beside] == [
        '{"text": "knock"}',
        '{"score": 5}',
        "Here: {",
    ]


async def test_one_that_never_fits_is_an_error_that_holds_the_text(provider, tmp_path):
    session = Session(service="openai", dir=tmp_path)
    for _ in range(2):
        provider.reply('{"score": "high"}')
    with pytest.raises(Unfit, match="keep to the schema after 1 repair: text: Field re") as raised:
        await session.ask("a joke", schema=Joke, repairs=1)
    assert raised.value.text == '{"score": "high"}'
    assert session.conversation.messages == ()
    last = next(m for m in session.conversation if m.role == "assistant")
    assert (last.finish_reason, last.usage.estimated) == ("unfit", False)
    assert len(provider.requests) == 2


async def test_a_list_of_objects_becomes_a_data_frame(provider):
    session = Session(service="openai")
    provider.reply(json.dumps({"value": [{"text": "a", "score": 1}, {"text": "b", "score": 2}]}))
    reply = await session.ask("two jokes", schema=list[Joke])
    assert reply.to_pandas().to_dict("list") == {"text": ["a", "b"], "score": [1, 2]}


async def test_tools_and_a_schema_go_together(provider):
    session = Session(service="openai", tools=[weather])
    provider.reply("", calls=[("weather", {"city": "Oslo"})])
    provider.reply('{"text": "rain"}')
    reply = await session.ask("a joke on the weather", schema=Joke)
    assert reply.parsed == Joke("rain")


async def test_a_schema_that_cannot_be_told_is_refused_before_anything_is_sent(provider):
    session = Session(service="openai")
    with pytest.raises(InputError, match="cannot be told as JSON Schema"):
        await session.ask("x", schema=threading.Thread)
    assert len(provider.requests) == 0


async def test_a_service_failure_in_a_repair_leaves_the_history_as_it_was(provider):
    session = Session(service="openai")
    provider.reply("no")
    for _ in range(5):
        provider.error(500, headers={"retry-after-ms": "1"})
    with pytest.raises(ServerFailed):
        await session.ask("a joke", schema=Joke)
    assert session.conversation.messages == ()


async def test_an_interrupted_reply_of_calls_only_is_counted_by_what_had_come(provider):
    hold = threading.Event()
    provider.reply("", calls=[("weather", '{"city": "' + "x" * 400 + '"}'), ("w", "{}")], hold=hold)
    session = Session(tools=[weather], service="openai")
    stream = session.stream("hi")
    async for delta in stream:
        if delta.calls:
            break
    await stream.aclose()
    hold.set()
    assert session.usage.output_tokens > 0
    assert session.usage.estimated
    assert session.conversation.last.calls == ()
    provider.reply("hello")
    await session.ask("again")
    assert [m["role"] for m in sent(provider)["messages"]][-1] == "user"


async def test_a_null_that_the_schema_allows_is_the_object(provider):
    provider.reply('{"value": null}')
    reply = await Session(service="openai").ask("hi", schema=Joke | None)
    assert reply.parsed is None
    assert pickle.loads(pickle.dumps(reply)).parsed is None


async def test_a_schema_of_a_list_is_a_table_in_one_call(provider):
    provider.reply('{"value": [{"text": "a"}, {"text": "b"}]}')
    reply = await Session(service="openai").ask("hi", schema=list[Joke])
    assert list(reply.to_pandas()["text"]) == ["a", "b"]


@pytest.mark.parametrize("tool", ["plain", "table"])
async def test_a_known_key_that_a_tool_returns_is_told_to_nobody(provider, tool, tmp_path):
    def look():
        key = os.environ["OPENAI_API_KEY"]
        return key if tool == "plain" else {"environment": [key]}

    key = os.environ["OPENAI_API_KEY"]
    session = Session(tools=[look], service="openai", name="s", dir=tmp_path)
    provider.reply(f"Look: {key}", calls=[("look", {})], reasoning=f"Where is {key}?")
    provider.reply(f"It is {key}.")
    reply = await session.ask("what is my key?")
    assert reply == "It is [key]."
    assert "[key]" in sent(provider)["messages"][-1]["content"]
    (path,) = tmp_path.glob("*.jsonl")
    seen = [
        path.read_text(),
        reply._repr_mimebundle_(),
        session.messages,
        provider.requests[-1].json,
    ]
    assert key not in repr(seen)


async def test_a_known_key_in_the_arguments_of_a_call_is_not_recorded(provider, session):
    key = os.environ["OPENAI_API_KEY"]
    provider.reply(calls=[("weather", {"city": key})])
    provider.reply("No such city.")
    reply = await session.ask("the weather?")
    assert reply.steps[0].calls[0].arguments == '{"city": "[key]"}'
    assert key not in repr(session.messages)


def test_one_function_does_for_a_list_of_one(provider):
    assert Session(tools=weather).tools == ("weather",)


@pytest.mark.parametrize(("given", "kind"), [(3, "int"), ("weather", "str")])
def test_what_is_no_list_of_functions_is_told_in_one_line(provider, given, kind):
    with pytest.raises(InputError, match=f"must be a list of functions, .* not a {kind}$"):
        Session(tools=given)
