"""API keys that never print, and the scrubbing of texts that may hold one."""

from __future__ import annotations

import re

__all__ = ["Key", "Masked", "scrub"]

_MASK = "[key]"

# What services' own error texts show of a key: its head and stars, or the like. A name such as
# skip_special_tokens or key-value must stay readable, so most need a digit or a mask in them.
_KEY_LIKE = re.compile(
    r"""
    \b(?i:bearer)\s+(?=[^\s"']*[\d*…])[^\s"',;)]{6,}(?<!\.)   # a header quoted back
  | \bsk-[\w*.…-]{3,}[\w*…]                                   # OpenAI, and many after it
  | \b(?:sk|pk|rk|csk|gsk|xai|pplx|nvapi|tgp|hf|gh[a-z]|key)[-_]
    (?: (?=[\w-]*\d)[\w-]{16,}                                 # whole
      | [\w-]*(?:\*|…|\.\.)[\w*.…-]*[\w*…] )                  # gsk_ab...yz
  | \bAIza[\w*-]{4,}                                           # Google
  | (?<![\w-])[\w-]*\*{3,}[\w*-]*                           # abcd****wxyz
    """,
    re.VERBOSE,
)


class Key:
    """A secret that shows itself only when asked to with ``reveal()``."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def reveal(self) -> str:
        """Return the secret itself, to be put in a request and nowhere else."""
        return self._secret

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self._secret == other._secret

    def __hash__(self) -> int:
        return hash(self._secret)

    def __repr__(self) -> str:
        return "Key(***)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a key cannot be pickled or copied into a file")


class Masked(str):
    """A header value that a traceback with local variables does not give away."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def scrub(text: str, *keys: Key | None) -> str:
    """Return ``text`` without the given keys, pieces of them, or anything that looks like one."""
    for key in keys:
        if key is None or len(secret := key.reveal()) < 4:
            continue
        text = text.replace(secret, _MASK)
        if len(secret) >= 12:
            head, tail = re.escape(secret[:6]), re.escape(secret[-4:])
            text = re.sub(rf"{head}\S*|(?<!\S)\S*{tail}(?!\w)", _MASK, text)
    return _KEY_LIKE.sub(_MASK, text)
