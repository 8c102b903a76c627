import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbconvo.offline.replies import Completion, pieces
from nbconvo.offline.requests import Chat
from nbconvo.tokens import estimate

TEXT = "A blue whale and a big shark meet at the bar, and neither can dance."


def completion(text=TEXT, **options):
    chat = Chat("echo", [{"role": "user", "content": text}], **options)
    return Completion.of(chat, "chatcmpl-1", 1_700_000_000)


def texts(chunks, index=0):
    return [
        choice["delta"]["content"]
        for chunk in chunks
        for choice in chunk["choices"]
        if choice["index"] == index and choice["delta"].get("content")
    ]


@given(st.text("ab \n\t\r鯨🐋", max_size=100))
def test_pieces_add_up_to_the_text(text):
    assert "".join(pieces(text)) == text


def test_pieces_are_a_few_words_long():
    assert all(1 <= len(piece.split()) <= 3 for piece in pieces(TEXT))


def test_a_script_without_spaces_comes_in_pieces_too():
    assert len(list(pieces("鯨" * 200))) >= 4


def test_a_whole_reply_has_the_fields_of_a_chat_completion():
    whole = completion().whole()
    assert whole["object"] == "chat.completion"
    assert (whole["id"], whole["created"], whole["model"]) == ("chatcmpl-1", 1_700_000_000, "echo")
    [choice] = whole["choices"]
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"] == TEXT
    assert choice["finish_reason"] == "stop"


def test_usage_counts_prompt_and_reply():
    usage = completion().whole()["usage"]
    assert usage["completion_tokens"] == estimate(TEXT)
    assert usage["prompt_tokens"] > estimate(TEXT)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_the_first_delta_has_the_role_and_only_the_last_a_finish_reason():
    chunks = list(completion().chunks())
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["choices"][0]["delta"] == {}
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["stop"]


def test_all_chunks_share_id_and_model_and_add_up_to_the_text():
    chunks = list(completion().chunks())
    assert {(c["id"], c["model"], c["object"]) for c in chunks} == {
        ("chatcmpl-1", "echo", "chat.completion.chunk")
    }
    assert "".join(texts(chunks)) == TEXT


def test_usage_comes_in_a_chunk_of_its_own_when_asked_for():
    chunks = list(completion(include_usage=True).chunks())
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == completion().whole()["usage"]


def test_usage_stays_away_when_not_asked_for():
    assert all("usage" not in chunk for chunk in completion().chunks())


@pytest.mark.parametrize("max_tokens", [1, 3, 10])
def test_max_tokens_cuts_the_reply_and_says_length(max_tokens):
    cut = completion(max_tokens=max_tokens)
    assert cut.finish_reason == "length"
    assert TEXT.startswith(cut.text)
    assert estimate(cut.text) <= max_tokens < estimate(TEXT[: len(cut.text) + 1])


def test_max_tokens_that_suffice_change_nothing():
    assert completion(max_tokens=estimate(TEXT)).finish_reason == "stop"


def test_a_stop_text_ends_the_reply_before_it():
    assert completion(stop=("dance", " shark")).text == "A blue whale and a big"


def test_alternatives_take_turns_and_are_each_complete():
    chunks = list(completion(n=3).chunks())
    assert [chunk["choices"][0]["index"] for chunk in chunks[:6]] == [0, 1, 2, 0, 1, 2]
    assert ["".join(texts(chunks, index)) for index in range(3)] == [TEXT] * 3
    whole = completion(n=3).whole()
    assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2]
    assert whole["usage"]["completion_tokens"] == 3 * estimate(TEXT)
