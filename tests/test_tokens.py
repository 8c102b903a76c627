import hashlib
import os
import socket
import time
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbconvo.errors import InputError
from nbconvo.messages import Message
from nbconvo.tokens import FILE_VARIABLE, count, estimate, prompt_tokens

BLOB = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"


@pytest.fixture(autouse=True)
def no_network_and_no_encoding(monkeypatch, tmp_path):
    """Any socket fails the test; and no encoding of this machine is at hand."""

    def forbidden(*args, **kwargs):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "create_connection", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "nothing"))


def write_encoding(path, *merged):
    """Write an encoding of all single bytes and the merged tokens, in the order of merging."""
    tokens = [bytes([byte]) for byte in range(256)] + [token.encode() for token in merged]
    lines = [b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens)]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(lines))
    return path


def cache_file(directory, name):
    return directory / hashlib.sha1(BLOB.format(name).encode()).hexdigest()


WHALES = "whale" * 8
WHALE = ("wh", "al", "whal", "whale")


# --- estimating


@pytest.mark.parametrize(
    ("text", "tokens"),
    # The true counts are o200k_base's.
    [
        ("very short joke: a blue whale and a big shark meet at the bar and start dancing", 18),
        ("The quick brown fox jumps over the lazy dog. It wasn't amused, and didn't stay.", 18),
        ("def area(radius: float) -> float:\n    return math.pi * radius**2\n", 18),
        ("1234567890 3.14159 2024-11-22", 16),
        ("你好，请给我讲一个关于鲸鱼和鲨鱼的笑话。", 17),
        ("😀😃🎉🚀 great", 8),
        ("# Title\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", 26),
        ("Über den Wolken muss die Freiheit wohl grenzenlos sein", 11),
    ],
)
def test_estimate_is_near_the_true_count(text, tokens):
    assert estimate(text) == pytest.approx(tokens, rel=0.25)


def test_an_empty_text_is_no_token_and_any_other_is_at_least_one():
    assert estimate("") == 0
    assert [estimate(char) for char in " a.é😀\n\x00\ud83e"] == pytest.approx([1] * 8, abs=2)
    assert min(estimate(char) for char in " a.é😀\n\x00\ud83e") >= 1


@given(st.text(st.characters(codec=None, exclude_categories=[])))
@settings(max_examples=200, deadline=None, database=None)
def test_estimate_takes_any_text_and_stays_within_its_bytes(text):
    size = len(text.encode("utf-8", "surrogatepass"))
    assert 0 <= estimate(text) <= 3 * size


@given(st.text(), st.text())
@settings(max_examples=100, deadline=None, database=None)
def test_estimates_of_the_parts_add_up_to_about_that_of_the_whole(one, other):
    together = estimate(one + "\n\n" + other)
    assert abs(together - estimate(one) - estimate(other)) <= 4


def test_a_long_encoded_blob_weighs_more_than_prose_of_its_length():
    blob = b64encode(bytes(range(256)) * 12).decode()
    prose = ("It is a truth seldom acknowledged that whales dance. " * 100)[: len(blob)]
    assert estimate(blob) > 2.5 * estimate(prose)


def test_a_long_text_is_estimated_by_pieces_to_within_two_per_cent():
    paragraph = "The whale sings, the shark counts 1, 2, 3.\n\n你好 😀 def f(x): return x\n"
    text = "".join(f"{n} {paragraph * (1 + n % 3)}" for n in range(8_000))
    assert len(text) > 1_000_000
    middle = sum(estimate(text[at : at + 100_000]) for at in range(0, len(text), 100_000))
    assert estimate(text) == pytest.approx(middle, rel=0.02)


@pytest.mark.parametrize("unit", ["the whale dances ", "你好", " ", "\n", "a", "Ab+/9", "!", "{ "])
def test_a_megabyte_is_estimated_in_a_tenth_of_a_second(unit):
    text = unit * (1_000_000 // len(unit))
    taken = []
    for _ in range(3):
        begin = time.process_time()
        estimate(text)
        taken.append(time.process_time() - begin)
    assert min(taken) < 0.1


# --- counting


def test_without_an_encoding_at_hand_the_estimate_is_given():
    text = "a blue whale and a big shark"
    for model in (None, "gpt-4o", "openai/gpt-5", "nobody-knows"):
        assert count(text, model) == estimate(text)


def test_the_file_that_the_user_names_counts_for_every_model(monkeypatch, tmp_path):
    monkeypatch.setenv(FILE_VARIABLE, str(write_encoding(tmp_path / "x" / "mine", *WHALE)))
    assert count("whale") == 1
    assert count("whales", "no/such-model") == 2
    assert count("whale whale") == 3
    assert count("") == 0


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4", "cl100k_base"),
        ("gpt-3.5-turbo-0613", "cl100k_base"),
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-5.6-sol", "o200k_base"),
        ("gpt-oss-20b", "o200k_base"),
        ("openai/gpt-4o:online", "o200k_base"),
        ("ft:gpt-4o:me", "o200k_base"),
    ],
)
def test_tiktokens_cache_is_read_for_a_model_that_it_knows(monkeypatch, tmp_path, model, name):
    write_encoding(cache_file(tmp_path / "cache", name), *WHALE)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "cache"))
    assert count(WHALES, model) == 8
    assert estimate(WHALES) != 8


@pytest.mark.parametrize("model", ["claude-opus", "llama-4", "text-davinci-003", "gpt-4", None])
def test_a_model_whose_encoding_is_not_in_the_cache_is_estimated(monkeypatch, tmp_path, model):
    write_encoding(cache_file(tmp_path / "cache", "o200k_base"), *WHALE)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "cache"))
    assert count(WHALES, model) == estimate(WHALES)


def test_the_older_variable_of_the_cache_is_known_and_the_newer_goes_first(monkeypatch, tmp_path):
    write_encoding(cache_file(tmp_path / "old", "o200k_base"), *WHALE)
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(tmp_path / "old"))
    assert count(WHALES, "gpt-4o") != 8
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")
    assert count(WHALES, "gpt-4o") == 8
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert count(WHALES, "gpt-4o") != 8


def test_without_variables_the_cache_is_in_the_directory_for_temporary_files(monkeypatch, tmp_path):
    write_encoding(cache_file(tmp_path / "data-gym-cache", "o200k_base"), *WHALE)
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert count(WHALES, "gpt-4o") == 8


def test_a_broken_file_in_the_cache_is_not_used_and_not_removed(monkeypatch, tmp_path):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "cache"))
    whole = write_encoding(cache_file(tmp_path / "cache", "o200k_base"), *WHALE).read_bytes()
    broken = (b"", b"<html>no</html>", whole[:1000], whole[:-3] + b"zz\n", whole + b"d2g= 257\n")
    for content in broken:
        cache_file(tmp_path / "cache", "o200k_base").write_bytes(content)
        assert count(WHALES, "gpt-4o") == estimate(WHALES)
        assert cache_file(tmp_path / "cache", "o200k_base").read_bytes() == content


def test_a_named_file_that_cannot_be_used_is_one_clear_error(monkeypatch, tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("not an encoding")
    for path in (bad, tmp_path / "missing", tmp_path):
        monkeypatch.setenv(FILE_VARIABLE, str(path))
        with pytest.raises(InputError, match=r"NBCONVO_TIKTOKEN_FILE names '.*'.*; correct it"):
            count("whale")


def test_an_encoding_is_read_once_and_again_when_its_file_changes(monkeypatch, tmp_path):
    path = write_encoding(tmp_path / "mine", *WHALE)
    monkeypatch.setenv(FILE_VARIABLE, str(path))
    assert count("whale") == 1
    modified = path.stat().st_mtime_ns
    path.write_bytes(b"#" * path.stat().st_size)
    os.utime(path, ns=(modified, modified))
    assert count("whale") == 1
    write_encoding(path, "wh")
    assert count("whale") == 4


@pytest.mark.parametrize(
    "unit", [" ", "\n", "\t", "whale", "!", "é", "'s", "\ud83e", "\r\n ", "中"]
)
def test_a_counted_text_may_be_long_and_strange(monkeypatch, tmp_path, unit):
    # tiktoken itself panics at a million blanks.
    monkeypatch.setenv(FILE_VARIABLE, str(write_encoding(tmp_path / "mine", *WHALE)))
    assert count(unit * (190_000 // len(unit))) > 0
    assert count(unit * (1_000_000 // len(unit))) > 0


def test_a_long_text_is_counted_by_pieces_to_within_one_per_cent(monkeypatch, tmp_path):
    monkeypatch.setenv(FILE_VARIABLE, str(write_encoding(tmp_path / "mine", *WHALE)))
    assert count("whale " * 100_000) == pytest.approx(200_000, rel=0.01)


def test_a_special_token_in_a_text_is_text(monkeypatch, tmp_path):
    monkeypatch.setenv(FILE_VARIABLE, str(write_encoding(tmp_path / "mine")))
    assert count("<|endoftext|>") == 13


# --- prompts


def test_a_prompt_costs_four_a_message_and_three_at_the_end(monkeypatch, tmp_path):
    monkeypatch.setenv(FILE_VARIABLE, str(write_encoding(tmp_path / "mine", *WHALE)))
    system, user = Message(role="system", content="whale"), Message(role="user", content="whale wh")
    assert prompt_tokens([]) == 3
    assert prompt_tokens([system]) == 3 + 4 + 1
    assert prompt_tokens([system, user]) == 3 + 4 + 1 + 4 + 3


def test_a_name_costs_its_tokens_and_one(monkeypatch, tmp_path):
    monkeypatch.setenv(FILE_VARIABLE, str(write_encoding(tmp_path / "mine", *WHALE)))
    assert prompt_tokens([Message(role="assistant", content="wh", name="whale")]) == 3 + 4 + 1 + 2


def test_a_prompt_is_counted_for_its_model(monkeypatch, tmp_path):
    write_encoding(cache_file(tmp_path / "cache", "o200k_base"), *WHALE)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "cache"))
    messages = [Message(role="user", content="whale" * 8)]
    assert prompt_tokens(messages, "gpt-4o") == 3 + 4 + 8
    assert prompt_tokens(messages, "claude") == 3 + 4 + estimate("whale" * 8)
