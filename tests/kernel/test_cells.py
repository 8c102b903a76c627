"""What an asking cell shows, saves and leaves behind."""

from __future__ import annotations

TEXT = " ".join(f"word{number}" for number in range(500))


def test_an_ask_saves_one_record_of_html_and_plain_text(kernel, provider):
    provider.reply("Why did the **chicken**?")
    (output,) = kernel.run("%%ask\ntell a joke").outputs
    assert output["kind"] == "display_data"
    assert set(output["data"]) == {"text/html", "text/plain"}
    assert "<strong>chicken</strong>" in output["data"]["text/html"]


def test_the_plain_text_of_the_record_is_the_text_of_the_reply(kernel, provider):
    provider.reply("Why did the **chicken**?")
    assert kernel.run("%%ask\ntell a joke").texts == ["Why did the **chicken**?"]


def test_the_record_says_who_answered_in_its_metadata(kernel, provider):
    provider.reply("Why did the chicken?", usage={"prompt_tokens": 5, "completion_tokens": 4})
    kernel.run("%%session comedian\nYou are funny.")
    (output,) = kernel.run("%%ask comedian\ntell a joke").outputs
    (reply,) = output["metadata"]["nbconvo"]["replies"]
    assert reply.pop("turn") == kernel.value("comedian.last.message.id")
    assert reply == {
        "session": "comedian",
        "service": "openai",
        "model": "fake-model",
        "finish_reason": "stop",
        "input_tokens": 5,
        "output_tokens": 4,
        "replayed": False,
    }


def test_the_reply_is_the_cells_value(kernel, provider):
    provider.reply("Why did the chicken?")
    cell = kernel.run("%%ask\ntell a joke")
    number = cell.reply["content"]["execution_count"]
    assert kernel.value(f"[type(_).__name__, _, Out[{number}] is _]") == [
        "Reply",
        "Why did the chicken?",
        True,
    ]


def test_a_reply_that_is_displayed_again_shows_itself(kernel, provider):
    provider.reply("Why did the **chicken**?")
    (output,) = kernel.run("%%ask\ntell a joke", "_").outputs
    assert "<strong>chicken</strong>" in output["data"]["text/html"]


def test_a_reply_of_500_deltas_is_one_record_painted_ten_times_a_second(kernel, provider, measured):
    provider.reply(TEXT, pace=0.003)
    cell = kernel.run("%%ask\ngo on and on")
    painted = [*cell.of("display_data"), *cell.of("update_display_data")]
    seconds = painted[-1][0] - painted[0][0]
    measured("messages of a reply of 500 deltas", len(painted))
    measured("seconds of a reply of 500 deltas", seconds)
    assert seconds > 1
    assert 4 * seconds < len(painted) < 10 * seconds + 4
    assert [output["kind"] for output in cell.outputs] == ["display_data"]
    assert painted[-1][1]["data"]["text/plain"] == TEXT


def test_twenty_queued_cells_all_run_in_order(kernel, provider):
    kernel.run("%%session comedian\nYou are funny.")
    cells = [kernel.send(f"%%ask comedian\nline {number}") for number in range(20)]
    kernel.wait(*cells)
    assert [cell.status for cell in cells] == ["ok"] * 20
    assert sorted(cells, key=lambda cell: cell.idle) == cells
    said = [("user", f"line {n}") if own else ("assistant", f"reply to line {n}")
            for n in range(20) for own in (True, False)]  # fmt: skip
    assert kernel.history("comedian")[1:] == [list(message) for message in said]


def test_a_variable_gets_the_reply(kernel, provider):
    provider.reply("Why did the chicken?")
    kernel.run("%%ask --to joke\ntell a joke")
    assert kernel.value("[type(joke).__name__, joke]") == ["Reply", "Why did the chicken?"]


def test_two_participants_answer_in_one_record(kernel, provider):
    kernel.run("%%session comedian\nYou are funny.", "%%session critic\nYou are not.")
    cell = kernel.run("%%ask comedian critic --to both\nwhales")
    assert cell.texts == ["comedian:\nreply to whales\n\ncritic:\nreply to whales"]
    assert kernel.value("list(both)") == ["comedian", "critic"]


def test_a_quiet_cell_shows_nothing_and_has_its_value(kernel, provider):
    provider.reply("Why did the chicken?")
    assert kernel.run("%%ask --quiet\ntell a joke").outputs == []
    assert kernel.value("_") == "Why did the chicken?"


def test_a_semicolon_ends_the_line_and_is_no_name(kernel, provider):
    kernel.run("%%session comedian\nYou are funny.")
    assert kernel.run("%%ask comedian;\nhi").texts == ["reply to hi"]


def test_a_semicolon_ends_the_text_and_is_sent(kernel, provider):
    assert kernel.run("%%ask\nhi;").texts == ["reply to hi;"]


def test_a_timed_cell_shows_one_record_and_the_time(kernel, provider):
    cell = kernel.run("%%time\n%%ask\nhi")
    shown, printed = sorted(cell.outputs, key=lambda output: output["kind"])
    assert shown["data"]["text/plain"] == "reply to hi"
    assert "Wall time" in printed["text"]


def test_a_timed_cell_has_its_value(kernel, provider):
    kernel.run("%%time\n%%ask\nhi")
    assert kernel.value("_") == "reply to hi"


def test_a_captured_cell_shows_nothing(kernel, provider):
    assert kernel.run("%%capture caught\n%%ask\nhi").outputs == []


def test_a_captured_reply_can_be_shown_later(kernel, provider):
    provider.reply("one two three", pace=0.15)  # painted more than once
    cell = kernel.run("%%capture caught\n%%ask\nhi", "caught.show()")
    # IPython's capture notes a value that displays itself as one more output, an empty one.
    shown = [output["data"]["text/plain"] for output in cell.outputs if output["data"]]
    assert shown == ["one two three"]


def test_the_same_cell_run_again_replaces_its_own_turn(kernel, provider):
    provider.reply("first")
    provider.reply("second")
    provider.reply("third")
    kernel.run("%%ask\nhi", cell="cell-1")
    kernel.run("%%ask\nand?", cell="cell-2")
    kernel.run("%%ask\nhi there", cell="cell-1")
    assert kernel.history("default") == [["user", "hi there"], ["assistant", "third"]]


def test_another_cell_with_the_same_text_is_another_turn(kernel, provider):
    kernel.run("%%ask\nanother", cell="cell-1")
    kernel.run("%%ask\nanother", cell="cell-2")
    assert kernel.history("default") == [["user", "another"], ["assistant", "reply to another"]] * 2


def test_cells_without_an_id_are_all_turns_of_their_own(kernel, provider):
    kernel.run("%%ask\nanother", "%%ask\nanother")
    assert len(kernel.history("default")) == 4


def test_a_loop_in_one_cell_appends_all_its_turns(kernel, provider):
    loop = "for n in range(3):\n    get_ipython().run_cell_magic('ask', '', f'line {n}')"
    kernel.run(loop, cell="cell-1")
    kernel.run(loop, cell="cell-1")
    asked = [text for role, text in kernel.history("default") if role == "user"]
    assert asked == ["line 0", "line 1", "line 2"]


def test_an_awaited_loop_that_is_run_again_replaces_all_its_turns(kernel, provider):
    kernel.run(
        "import nbconvo; looped = nbconvo.Session(name='looped', service='openai', model='m')"
    )
    loop = "for n in range(3):\n    await looped.ask(f'line {n}')"
    kernel.run(loop, cell="cell-1")
    kernel.run(loop, cell="cell-1")
    asked = [text for role, text in kernel.history("looped") if role == "user"]
    assert asked == ["line 0", "line 1", "line 2"]


def test_the_output_says_how_many_later_messages_a_rerun_sets_aside(kernel, provider):
    for number in (1, 2, 3):
        kernel.run(f"%%ask\ncell {number}", cell=f"cell-{number}")
    output = kernel.run("%%ask\ncell 1", cell="cell-1").outputs[0]
    assert "4 later messages set aside" in output["data"]["text/html"]
    again = kernel.run("%%ask\ncell 1", cell="cell-1").outputs[0]
    assert "set aside" not in again["data"]["text/html"]
