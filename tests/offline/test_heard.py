import pytest

from nbconvo.offline.heard import brief, speaker


def test_the_speaker_of_a_turn_is_split_from_its_words():
    assert speaker("critic: too long: cut it") == ("critic", "too long: cut it")


@pytest.mark.parametrize(
    "text",
    [
        "very short joke: a whale",
        "joke: a whale",
        "Question: why?",
        "http://localhost:1234/v1",
        "10:30 is late",
        "nothing",
        "",
    ],
)
def test_a_plain_request_has_no_speaker(text):
    assert speaker(text) == (None, text)


def test_brief_cuts_after_the_words_it_was_told_and_says_so():
    assert brief("one two three four", words=3) == "one two three…"


def test_brief_keeps_a_short_text_on_one_line():
    assert brief("one\n two.") == "one two"


@pytest.mark.parametrize("text", ["<script>x</script>", "[a](javascript:b)", "**bold** `code`"])
def test_brief_leaves_no_markdown_that_acts(text):
    html = pytest.importorskip("markdown_it").MarkdownIt().render(brief(text))
    assert "<script" not in html
    assert "<a " not in html
    assert "<strong" not in html
    assert "<code" not in html


def test_brief_shortens_one_endless_word():
    assert len(brief("x" * 5000)) < 200
