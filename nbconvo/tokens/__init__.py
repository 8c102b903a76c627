"""How many tokens a text is: counted where an encoding is at hand, else estimated.

Nothing here touches the network, and no heavy module is imported before it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nbconvo.messages import Message
from nbconvo.tokens.attachments import attachment_tokens
from nbconvo.tokens.encodings import FILE_VARIABLE, encoding
from nbconvo.tokens.estimating import estimate, weigh, whole_or_pieces

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["FILE_VARIABLE", "count", "counter", "estimate", "prompt_tokens"]

# What a chat costs beyond its texts; OpenAI's figures for its own models (their cookbook).
_PER_MESSAGE, _PER_ROLE, _PER_NAME, _PRIMER = 3, 1, 1, 3

_LONG_BLANK = re.compile(r"(?<!\s)\s{1000}")


def prompt_tokens(
    messages: Sequence[Message],
    model: str | None = None,
    count: Callable[[str], int] | None = None,
) -> int:
    """Return the tokens of a chat request that holds these messages; see :func:`count`.

    ``count`` is the model's :func:`counter`, if it is at hand.
    """
    count = count or counter(model)
    total = _PRIMER
    for message in messages:
        total += _PER_MESSAGE + _PER_ROLE + count(message.content)
        if message.name:
            total += _PER_NAME + count(message.name)
        for call in message.calls:
            total += _PER_NAME + count(call.name) + count(call.arguments)
        for attachment in message.attachments:
            total += attachment_tokens(attachment, model, count)
    return total


def count(text: str, model: str | None = None) -> int:
    """Return the tokens that ``text`` is for ``model``: counted where possible, else estimated.

    To count takes the file that ``NBCONVO_TIKTOKEN_FILE`` names, or the model's encoding in
    tiktoken's own cache. Of a text above 200,000 characters only pieces are counted.

    Raises:
        InputError: If the variable names a file that cannot be used.
    """
    return counter(model)(text)


def counter(model: str | None) -> Callable[[str], int]:
    """Return what counts as :func:`count` does, as of now: it looks for no file any more.

    Raises:
        InputError: As there.
    """
    found = encoding(model)
    if found is None:
        return estimate
    return lambda text: whole_or_pieces(text, lambda piece: _exact(found, piece))


def _exact(encoding: Encoding, text: str) -> float:
    # tiktoken's regular expressions overflow the stack on very long blanks, and panic.
    return weigh(text) if _LONG_BLANK.search(text) else len(encoding.encode_ordinary(text))
