"""What a failing cell saves: one line, no key, nothing in the history."""

from __future__ import annotations

import json

KEY = "sk-made-up-Qz7Xw9Lk2Mv5Rt8Yp4Bn"  # what kernels have in OPENAI_API_KEY
SECRET = KEY.removeprefix("sk-made-up-")
REFUSAL = {
    "error": {
        "message": f"Incorrect API key provided: sk-made-*****{KEY[-4:]}, that is {KEY}. "
        "Find yours in the account settings.",
        "type": "invalid_request_error",
        "code": "invalid_api_key",
    }
}


def test_a_refused_key_saves_one_line(kernel, provider):
    provider.error(401, REFUSAL)
    cell = kernel.run("%%ask\nhi")
    assert cell.status == "error"
    errors = [output for output in cell.outputs if output["kind"] == "error"]
    assert [len(output["traceback"]) for output in errors] == [1]
    assert "\n" not in errors[0]["traceback"][0]
    assert errors[0]["traceback"][0].startswith("AuthenticationFailed: ")


def test_an_error_is_the_only_output(kernel, provider):
    provider.error(401, REFUSAL)
    assert [output["kind"] for output in kernel.run("%%ask\nhi").outputs] == ["error"]


def test_no_piece_of_a_refused_key_is_in_any_message(kernel, provider):
    provider.error(401, REFUSAL)
    provider.error(401, REFUSAL)
    kernel.run(
        "%%ask\nhi", "await _nbconvo.sessions['default'].ask('hi')", "%tb", "%convo services"
    )
    said = json.dumps(kernel.said, default=str)
    assert "AuthenticationFailed" in said
    pieces = {SECRET[start : start + 4] for start in range(len(SECRET) - 3)}
    assert {piece for piece in pieces if piece in said} == set()


def test_cells_queued_behind_an_error_do_not_run(kernel, provider):
    provider.error(401, REFUSAL, delay=0.1)
    cells = [kernel.send(f"%%ask\nline {number}") for number in range(3)]
    kernel.wait(*cells)
    assert [cell.status for cell in cells] == ["error", "aborted", "aborted"]


def test_an_error_leaves_the_history_as_it_was(kernel, provider):
    kernel.run("%%ask\nhi")
    before = kernel.history("default")
    provider.error(401, REFUSAL)
    kernel.run("%%ask\nand?")
    assert kernel.history("default") == before


def test_an_error_in_mid_stream_keeps_what_was_shown(kernel, provider):
    provider.reply("one two three four", drop_after=2)
    cell = kernel.run("%%ask\ncount")
    shown, error = cell.outputs
    assert shown["data"]["text/plain"] == "one two"
    assert error["traceback"] == [
        "StreamCut: openai: the reply broke off before its end; ask again"
    ]


def test_one_participants_error_leaves_the_others_reply(kernel, provider):
    kernel.run("%%session comedian\nYou are funny.", "%%session critic\nYou are not.")
    provider.error(401, REFUSAL)
    provider.reply("fine")
    cell = kernel.run("%%ask comedian critic --to both\nwhales")
    assert cell.status == "error"
    assert [output["kind"] for output in cell.outputs] == ["display_data", "error"]
    assert kernel.value("list(both.values())") == ["fine"]
