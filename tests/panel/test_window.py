"""What a page gets to know: all that changes, once, and nothing that does not."""

from __future__ import annotations

from nbconvo.messages import Message, Usage
from nbconvo.panel.window import Window
from nbconvo.session import Session, workspace


def test_a_page_begins_with_the_last_page_however_long_the_history(open_page, comedian, say):
    say(comedian, *(str(n) for n in range(200)))
    page = open_page("comedian")
    assert page.has["path"]["n"] == 200
    assert page.texts == [f"<p>{n}</p>\n" for n in range(170, 200)]


def test_older_rows_come_when_they_are_asked_for(open_page, comedian, say):
    say(comedian, *(str(n) for n in range(200)))
    given = open_page("comedian").ask("page", at=140, n=30)
    assert [row["html"] for row in given["rows"]] == [f"<p>{n}</p>\n" for n in range(140, 170)]


def test_nothing_is_told_twice(comedian, say):
    window = Window(clock=lambda: 0.0)
    assert window.changes() is not None
    assert window.changes() is None
    say(comedian, "q", "a")
    assert set(window.changes() or {}) == {"seq", "path", "sessions"}
    assert window.changes() is None


def test_of_a_longer_path_only_the_new_rows_are_sent(open_page, comedian, say):
    say(comedian, "q", "a")
    page = open_page("comedian")
    say(comedian, "r", "b")
    page.until(lambda: len(page.rows) == 4)
    assert len(page.messages[-1]["path"]["rows"]) == 2
    assert page.messages[-1]["path"]["same"] == 2


def test_another_branch_replaces_the_rows_behind_the_fork(open_page, comedian, say):
    asked = say(comedian, "q", "a", "r", "b")
    page = open_page("comedian")
    comedian.branch(asked[1])
    page.until(lambda: page.texts == ["<p>q</p>\n", "<p>a</p>\n"])
    comedian.select(asked[3])
    page.until(lambda: len(page.texts) == 4)


def test_a_row_tells_its_alternatives(open_page, comedian, say):
    (question, _) = say(comedian, "q", "a")
    other = Message(role="assistant", content="b", name="comedian")
    comedian._record.commit([other], question.id)
    page = open_page("comedian")
    alts = page.rows[1]["alts"]
    assert (alts["i"], alts["n"], alts["next"]) == (2, 2, None)
    page.ask("choose", s="comedian", id=alts["prev"])
    page.until(lambda: page.texts[-1] == "<p>a</p>\n")


def test_an_alternative_beside_the_path_is_counted_at_once(open_page, comedian, say):
    (question, _) = say(comedian, "q", "a")
    page = open_page("comedian")
    cut = Message(role="assistant", content="b", name="comedian", finish_reason="cut")
    comedian._record.commit([cut], question.id, active=False)
    page.until(lambda: page.rows[1]["alts"])
    assert page.rows[1]["alts"]["n"] == 2


def test_everyone_shows_whom_the_user_spoke_to(open_page, comedian, critic, say):
    say(comedian, "q", "a")
    page = open_page()
    assert page.has["shown"] == "*"
    assert page.rows[0]["to"] == "comedian"
    assert page.rows[1]["who"] == "comedian"


def test_a_choice_of_session_shows_its_history_and_instructions(open_page, comedian, critic, say):
    say(comedian, "q", "a")
    say(critic, "r", "b")
    page = open_page()
    page.ask("show", key="comedian")
    page.until(lambda: page.has["shown"] == "comedian")
    assert page.texts == ["<p>q</p>\n", "<p>a</p>\n"]
    assert page.has["system"] == "be funny"


def test_a_session_that_is_closed_leaves_the_panel_with_everyone(open_page, comedian, critic):
    page = open_page()
    page.ask("show", key="comedian")
    workspace.remove("comedian")
    page.until(lambda: page.has["shown"] == "*")
    assert [tab["key"] for tab in page.has["sessions"]] == ["critic"]


def test_a_panel_on_a_session_that_was_closed_says_so_and_stays_readable(open_page, comedian, say):
    say(comedian, "q", "a")
    page = open_page("comedian")
    workspace.remove("comedian")
    page.until(lambda: page.has["gone"])
    assert len(page.texts) == 2
    assert "was closed" in page.ask("send", to=["comedian"], text="go")["error"]


def test_a_session_whose_name_another_took_is_gone_too(open_page, comedian):
    page = open_page("comedian")
    Session(name="comedian")
    page.until(lambda: page.has["gone"])


def test_a_session_without_a_name_can_be_shown(open_page, provider):
    session = Session(service=provider.base_url, model="m")
    page = open_page(session)
    page.ask("send", to=[""], text="go")
    page.until(lambda: len(page.texts) == 2)
    assert page.rows[0]["s"] == ""


def test_of_many_sessions_the_last_asked_are_listed_and_the_others_are_known(
    open_page, provider, say
):
    many = [Session(name=f"s{number}") for number in range(102)]
    say(many[0], "q", "a")
    page = open_page()
    assert [tab["key"] for tab in page.has["sessions"]] == ["s0", *(f"s{n}" for n in range(3, 102))]
    assert page.has["others"] == ["s1", "s2"]


def test_one_who_is_not_listed_can_be_written_to(open_page, provider):
    for number in range(101):
        Session(name=f"t{number}", service=provider.base_url, model="m")
    page = open_page()
    assert page.has["others"] == ["t0"]
    page.ask("send", to=["t0"], text="go")
    page.until(lambda: len(page.texts) == 2)
    assert "t0" in {tab["key"] for tab in page.has["sessions"]}


def test_a_tab_tells_what_its_session_took(open_page, comedian, say):
    say(comedian, "q", "a", usage=Usage(10, 5, cost=0.002, requests=1))
    (tab,) = open_page().has["sessions"]
    assert (tab["tokens"], tab["cost"], tab["count"]) == (30, "$0.0040", 2)


def test_a_long_message_shows_its_beginning_until_all_is_asked_for(open_page, comedian, say):
    (message,) = say(comedian, "word " * 10_000)
    page = open_page("comedian")
    assert page.rows[0]["more"] == 50_000
    assert len(page.rows[0]["html"]) < 7_000
    row = page.ask("whole", s="comedian", id=message.id)["row"]
    assert "more" not in row
    assert len(row["html"]) > 49_000


def test_a_page_that_comes_back_begins_with_a_whole(open_page, comedian, say):
    say(comedian, "q", "a")
    page = open_page("comedian")
    page.ask("hello", seq=0)
    assert any(message.get("whole") for message in page.messages[1:])
    assert len(page.texts) == 2


def test_a_second_page_takes_nothing_from_the_first(open_page, provider, comedian):
    provider.reply("one two three four", deltas=3, pace=0.05)
    page = open_page("comedian")
    page.ask("send", to=["comedian"], text="go")
    page.until(lambda: page.bodies)
    second = page.panel.snapshot()  # as another page would get it
    assert second["seq"] == page.has["seq"]
    assert "".join(growth["tail"] for growth in second["grow"].values()).startswith("<p>")
    page.until(lambda: len(page.rows) == 2)
    assert page.texts[-1] == "<p>one two three four</p>\n"


def test_two_panels_on_one_session_show_the_same(open_page, comedian):
    first, second = open_page("comedian"), open_page("comedian")
    first.ask("send", to=["comedian"], text="go")
    for page in (first, second):
        page.until(lambda page=page: len(page.rows) == 2)
    assert first.rows == second.rows


def test_nothing_is_sent_to_a_page_that_left(open_page, comedian, say):
    page = open_page("comedian")
    page.ask("bye")
    sent = len(page.messages)
    say(comedian, "q", "a")
    page.panel.paint()
    assert len(page.messages) == sent
    page.ask("hello", seq=page.has["seq"])
    page.until(lambda: len(page.rows) == 2)
