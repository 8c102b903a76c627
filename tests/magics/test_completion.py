"""Tab completion on the lines of the magics."""

from __future__ import annotations

import pytest

from nbconvo.session import Session


@pytest.fixture(autouse=True)
def _sessions(provider):
    for name in ("comedian", "comic-2", "critic"):
        Session(name=name)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%%ask com", ["%%ask comedian", "%%ask comic-2"]),
        ("%%ask ", ["%%ask comedian", "%%ask comic-2", "%%ask critic"]),
        ("%%ask comic-", ["%%ask comic-2"]),
        ("%%ask critic come", ["%%ask critic comedian"]),
        ("%ask cr", ["%ask critic"]),
        ("%session cr", ["%session critic"]),
        ("%%exchange critic com", ["%%exchange critic comedian", "%%exchange critic comic-2"]),
        ("%%ask critic --te", ["%%ask critic --temperature"]),
        ("%%ask --dry", ["%%ask --dry-run"]),
        ("%%session new --rp", ["%%session new --rpm"]),
        ("%%exchange --ro", ["%%exchange --rounds"]),
        ("%%session new --service open", [
            "%%session new --service openai",
            "%%session new --service openai-responses",
            "%%session new --service openrouter",
        ]),
        ("%%ask --model off", ["%%ask --model offline:guide"]),
        ("%convo re", ["%convo reset", "%convo retry"]),
        ("%convo show cr", ["%convo show critic"]),
        ("%convo models off", ["%convo models offline"]),
    ],
)  # fmt: skip
def test_a_word_of_the_line_is_completed(notebook, line, offered):
    assert sorted(notebook.complete(line)) == offered


def test_every_option_is_offered_and_nothing_twice(notebook):
    offered = notebook.complete("%%ask --")
    assert len(offered) == len(set(offered))
    assert {"%%ask --to", "%%ask --model", "%%ask --raw"} <= set(offered)
    assert "%%ask --help" not in offered


def test_the_second_line_of_a_cell_is_left_to_others(notebook):
    notebook.names["comparable"] = 1
    assert "%%ask critic\ncomedian" not in notebook.complete("%%ask critic\ncom")


def test_other_lines_are_left_to_others(notebook):
    notebook.names["comparable"] = 1
    offered = notebook.complete("compar")
    assert offered == ["comparable"]


def test_the_names_of_the_magics_are_completed_too(notebook):
    assert "%%exchange" in notebook.complete("%%exch")
