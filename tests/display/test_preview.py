"""What a dry run shows."""

from __future__ import annotations

from nbconvo.display.preview import Preview

PREVIEW = Preview(
    (
        ("comedian", "http://user:secret@127.0.0.1:9/v1/chat?key=secret", '{"a": "<b>"}', 1250),
        (None, "http://127.0.0.1:9/v1/chat", "{}", 3),
    )
)


def test_each_request_is_shown_with_its_address_and_tokens():
    assert str(PREVIEW).split("\n\n") == [
        'comedian: not sent · POST http://127.0.0.1:9/v1/chat · ~1,250 tokens\n{"a": "<b>"}',
        "session: not sent · POST http://127.0.0.1:9/v1/chat · ~3 tokens\n{}",
    ]


def test_a_secret_in_an_address_is_not_shown():
    data = PREVIEW._repr_mimebundle_()
    assert "secret" not in data["text/html"] + data["text/plain"]


def test_what_would_be_sent_is_not_html():
    assert "&lt;b&gt;" in PREVIEW._repr_mimebundle_()["text/html"]
    assert "<b>" not in PREVIEW._repr_mimebundle_()["text/html"]
