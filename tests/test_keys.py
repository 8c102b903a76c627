"""Keys never print, and texts that may hold one are scrubbed but stay readable."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbconvo.keys import Guard, Key, Masked, remember, scrub, without_keys

SECRET = "sk-proj-Zq81_xYw27vUt96sRq35pOn48mLk"


@pytest.mark.parametrize("show", [str, repr, "{}".format, "%s".__mod__, "{0!r}".format, ascii])
def test_a_key_does_not_print(show):
    assert show(Key(SECRET)) == "Key(***)"


def test_a_key_does_not_print_inside_other_values(caplog):
    logging.getLogger("nbconvo.test").warning("%s", {"key": Key(SECRET)})
    assert SECRET not in caplog.text


def test_a_key_reveals_itself_when_asked():
    assert Key(SECRET).reveal() == SECRET


@pytest.mark.parametrize("store", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars])
def test_a_key_cannot_be_stored(store):
    with pytest.raises(TypeError):
        store(Key(SECRET))


def test_keys_compare_and_hash_by_their_secret():
    assert Key("a") == Key("a") != Key("b")
    assert Key("a") != "a"
    assert len({Key("a"), Key("a"), Key("b")}) == 2


def test_a_masked_header_hides_in_a_repr_and_is_whole_as_a_string():
    header = Masked("Bearer " + SECRET)
    assert SECRET not in repr({"Authorization": header})
    assert header == "Bearer " + SECRET


@pytest.mark.parametrize(
    "said",
    [
        f"Incorrect API key provided: {SECRET}.",
        f"bad key {SECRET[:9]}**********************{SECRET[-4:]}.",
        f"bad key {SECRET[:6]}...",
        f"bad key …{SECRET[-4:]}, sorry",
        f'{{"Authorization": "Bearer {SECRET}"}}',
        f"https://host/v1?key={SECRET}&alt=sse",
    ],
)
def test_neither_the_key_nor_its_head_or_tail_survives(said):
    clean = scrub(said, Key(SECRET))
    assert SECRET[:6] not in clean
    assert SECRET[8:-4] not in clean
    assert "[key]" in clean


@pytest.mark.parametrize(
    "shown",
    [
        "sk-test-**********************abcd",
        "sk-ant-api03-Zq81xYw27vUt",
        "sk-or-v1-0123456789abcdef",
        "sk-...abcd",
        "sk-…abcd",
        "gsk_0123456789abcdefABCDEF",
        "gsk_ab…yz",
        "hf_abcdefghijklmnopqrstuvwxyz0123456789",
        "xai-0123456789abcdefghij",
        "AIzaSyA-0123456789_abcdefghijklmnopqrst",
        "****abcd",
        "abcd***wxyz",
        "Bearer 0123456789abcdef",
        "bearer eyJhbGciOi.J9.abc",
    ],
)
def test_what_looks_like_a_key_is_masked_without_knowing_it(shown):
    assert scrub(f"key refused: {shown}. Try another.") == "key refused: [key]. Try another."


@pytest.mark.parametrize(
    "said",
    [
        "skip_special_tokens is not supported",
        "expected a key-value pair, or key_padding_mask",
        "model 'hf-internal-testing/tiny-random-gpt2' not found",
        "provide your API key in an Authorization header using Bearer auth",
        "task-decomposition, risk-averse, pkg_resources",
        "context length is 4096 tokens; **you** sent 5000",
        "see https://platform.openai.com/account/api-keys",
    ],
)
def test_ordinary_words_stay_readable(said):
    assert scrub(said, Key(SECRET)) == said


@pytest.mark.parametrize("key", ["sk-made-up-0000", "sk-test-OPENAIKEY1234", "made-up-0000"])
@pytest.mark.parametrize(
    "said",
    [
        "a budget of $0.050000 would be passed, and 1234 more; it is 2024-10-0000",
        "key refused (401); check the key: set OPENAI_API_KEY, or pass api_key=",
        "no model 'gpt-1234'; a made-up name, made-up/words, test-OPENAI",
    ],
)
def test_words_and_numbers_that_a_key_is_made_of_stay_readable(key, said):
    assert scrub(said, Key(key)) == said


@pytest.mark.parametrize(
    ("key", "piece"),
    [
        ("sk-SECRETKEY-abcdef123456789", "SECRETKEY-ab"),  # it begins with a word
        ("gsk_Qw8ZrT4yUi9oPa2sDf6gHj", "_Qw8Zr"),  # and with the end of a prefix
        ("gsk_Qw8ZrT4yUi9oPa2sDf6gHj", "4yUi9o"),
        ("abcdEF12+/ghIJ34==kl", "EF12+/ghI"),
        ("made-up-0000", "e-up-0000"),
        ("made-up-0000", "up-0000"),
    ],
)
@pytest.mark.parametrize("said", ["{}", "({})", "it is {}, sorry", "{}****"])
def test_a_piece_of_a_key_is_masked_from_its_first_character_to_its_last(
    key: str, piece: str, said: str
):
    assert scrub(said.format(piece), Key(key)) == said.format("[key]").replace("****", "")


@pytest.mark.parametrize("said", ["SECRETKEY", "abcdef", "July-2025", "2025", "my-whale-20"])
def test_a_piece_that_may_as_well_be_a_word_or_a_year_stays(said: str):
    assert scrub(said, Key("sk-SECRETKEY-abcdef123456789"), Key("my-whale-key-2025")) == said


@settings(deadline=None, database=None)
@given(st.text("abXY0189_+/-", min_size=12, max_size=40), st.data())
def test_no_part_of_a_piece_is_left_beside_its_mask(secret: str, data: st.DataObject):
    start = data.draw(st.integers(0, len(secret) - 6))
    piece = secret[start : data.draw(st.integers(start + 6, len(secret)))]
    assert scrub(f"< {piece} >", Key(secret)) in {f"< {piece} >", "< [key] >"}


@pytest.mark.parametrize(
    "shown",
    ["sk-...0000", "sk-ma****0000", "sk-made-up…", "...0000", "…0000", "***0000", "sk-made-***"],
)
def test_what_services_echo_of_a_key_is_masked_even_if_that_is_made_of_words(shown):
    assert scrub(f"refused: {shown}, sorry", Key("sk-made-up-0000")) == "refused: [key], sorry"


def test_what_stands_behind_the_head_of_a_key_stays():
    assert (
        scrub("no service 'sk-test-abc'; known are a, b", Key("sk-test-0123456789"))
        == "no service '[key]'; known are a, b"
    )


def test_a_tail_that_ends_in_punctuation_is_masked():
    assert scrub("it ends in xyz==", Key("0123456789abcxyz==")) == "it ends in [key]"


def test_a_short_key_is_masked_as_a_whole_only():
    assert (
        scrub("the key test is not the tester", Key("test")) == "the key [key] is not the [key]er"
    )
    assert scrub("a key of abc says nothing", Key("abc")) == "a key of abc says nothing"


def test_several_keys_and_none_are_taken():
    assert scrub("first-key second-key", Key("first-key"), None, Key("second-key")) == "[key] [key]"


@settings(deadline=None, database=None)
@given(
    st.text("abcdefgh0123456789_-", min_size=12, max_size=60),
    st.text(max_size=30),
    st.text(max_size=30),
)
def test_no_text_brings_a_key_through(secret, before, after):
    assert secret not in scrub(before + secret + after, Key(secret))


@pytest.mark.parametrize("text", ["a" * 100_000, "Bearer" + " " * 100_000, "sk-" * 30_000])
def test_the_time_grows_with_the_text_and_not_with_its_square(text):
    """A pattern that is tried from each letter on would take a minute here."""
    begun = time.process_time()
    scrub(text, Key(SECRET))
    assert time.process_time() - begun < 5


def test_only_what_is_a_known_key_is_taken_out_of_what_is_said():
    remember(SECRET)
    assert without_keys(f"sk-like {SECRET}, {SECRET[:-1]}") == f"sk-like [key], {SECRET[:-1]}"


@settings(deadline=None, database=None)
@given(st.lists(st.sampled_from([SECRET, "s", "sk-", SECRET[:9], "cats ", "é"])), st.data())
def test_a_text_in_pieces_ends_as_the_whole_text_without_keys(parts, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbconvo.keys._known", (SECRET, "another-key-0000"))
        text = "".join(parts)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
        guard = Guard()
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        seen = "".join(guard.passed((0, "text"), piece) for piece in pieces)
        assert SECRET not in seen
        assert seen + guard.passed((0, "text"), "", is_last=True) == without_keys(text)


def test_only_a_tail_that_begins_a_known_key_waits():
    remember(SECRET)
    guard = Guard()
    assert guard.passed((0, "text"), "Two sk-pro") == "Two "
    assert guard.passed((0, "text"), "fessors, no key") == "sk-professors, no key"
    assert guard.held == {}


def test_where_no_key_is_known_nothing_is_looked_for():
    assert Guard().may_touch is None
