"""How a reply came about: what was thought, called and told, folded under it."""

from __future__ import annotations

import re

from nbconvo import cards
from nbconvo.cards import Card, why
from nbconvo.messages import Message, ToolCall


def calling(*calls: tuple[str, str], **fields: object) -> Message:
    made = tuple(ToolCall(f"c{n}", name, given) for n, (name, given) in enumerate(calls))
    return Message(role="assistant", content="", calls=made, **fields)  # type: ignore[arg-type]


def result(call: str, text: str, **fields: object) -> Message:
    return Message(role="tool", content=text, name="f", call_id=call, **fields)  # type: ignore[arg-type]


def summary(page: str) -> str:
    found = re.search("<summary>(.*)</summary>", page)
    assert found
    return found[1]


OSLO, ROME = ("weather", '{"city": "Oslo"}'), ("weather", '{"city": "Rome"}')


def test_a_call_is_code_with_its_result_directly_below():
    shown = why("", [calling(OSLO), result("c0", "rain")])
    call = '<p class="nbconvo-call"><code>weather(city=&quot;Oslo&quot;)</code></p>'
    assert f'{call}<pre class="nbconvo-result">rain</pre>' in shown


def test_results_of_calls_at_once_stand_below_their_own():
    shown = why("", [calling(OSLO, ROME), result("c1", "sun"), result("c0", "rain")])
    parts = [shown.index(part) for part in ("Oslo", "rain", "Rome", "sun")]
    assert parts == sorted(parts)


def test_an_id_that_a_later_reply_uses_again_pairs_with_the_nearest():
    steps = [calling(OSLO), result("c0", "rain"), calling(ROME), result("c0", "sun")]
    shown = why("", steps)
    parts = [shown.index(part) for part in ("Oslo", "rain", "Rome", "sun")]
    assert parts == sorted(parts)


def test_a_call_without_a_result_and_a_result_without_a_call_are_shown():
    assert "Oslo" in why("", [calling(OSLO)])
    alone = why("", [result("c7", "rain")])
    assert "f(…)" in alone
    assert "rain" in alone


def test_what_went_wrong_is_an_error_in_the_words_that_the_model_was_told():
    for told, said in [
        ("error: ValueError: boom", "ValueError: boom"),
        ("error: it took longer than 5 s", "it took longer than 5 s"),
    ]:
        shown = why("", [calling(OSLO), result("c0", told, failed=True)])
        assert f'<pre class="nbconvo-result nbconvo-error">\u26a0\ufe0e {said}</pre>' in shown
        assert summary(shown) == "1 tool call · 1 failed"


def test_a_call_that_was_not_allowed_has_not_failed():
    told = "the user did not allow this call"
    steps = [calling(OSLO, ROME), result("c0", told, failed=True, finish_reason="refused")]
    assert told in why("", steps)
    assert summary(why("", steps)) == "2 tool calls · 1 not allowed"
    both = [*steps, result("c1", "error: boom", failed=True)]
    assert summary(why("", both)) == "2 tool calls · 1 failed · 1 not allowed"


def test_replies_that_were_to_be_mended_are_attempts_and_no_reasoning():
    unfit = Message(role="assistant", content="{}")
    assert summary(why("", [unfit])) == "1 attempt that did not fit"
    both = [calling(OSLO, reasoning="hm"), result("c0", "rain"), unfit, unfit]
    assert summary(why("", both)) == "reasoning · 1 tool call · 2 attempts that did not fit"


def test_the_summary_tells_of_reasoning_and_counts_calls():
    assert summary(why("so")) == "reasoning"
    assert summary(why("", [calling(OSLO)])) == "1 tool call"
    assert summary(why("", [calling(OSLO, ROME, reasoning="hm")])) == "reasoning · 2 tool calls"


def test_what_is_long_is_cut_and_says_so():
    big = "x" * 50_000
    shown = why(big, [calling(("f", f'{{"a": "{big}"}}')), result("c0", big)])
    assert len(shown) < 30_000
    assert shown.count("50,000 characters in all") == 2
    assert len(re.findall("characters in all", shown)) == 3


def test_how_long_a_call_took_is_told_where_it_took_time():
    assert "<small>1.5 s</small>" in why("", [calling(OSLO), result("c0", "x", seconds=1.5)])
    assert "<small>" not in why("", [calling(OSLO), result("c0", "x", seconds=0.01)])


def test_hostile_calls_and_results_are_passive():
    bad = "</pre></details><script>alert(1)</script>\u202e"
    shown = why(bad, [calling((bad, bad)), result("c0", bad), result("c0", bad, failed=True)])
    assert set(re.findall("<([a-z]+)", shown)) == {"details", "summary", "p", "code", "pre"}
    code = re.sub("<p>.*?</p>", "", shown)
    assert "\u202e" not in code
    assert "\\u202e" in code


def test_a_notice_stands_alone_where_nothing_was_said_yet():
    body = '<div class="nbconvo-body"'
    assert body not in cards.html([Card("a", "", notice="running f()", busy=True)])
    assert body in cards.html([Card("a", "", busy=True)])


def test_a_name_does_not_reorder_its_line():
    assert "\u202e" not in cards.html([Card("a\u202e", "", notice="\u202e", footer=("\u202e",))])
