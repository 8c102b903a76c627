"""API keys that never print, and the scrubbing of texts that may hold one."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Iterator

__all__ = ["Guard", "Key", "Masked", "remember", "scrub", "without_keys"]

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
# sk-proj-, gsk_, sk-ant-api03-: the same in the keys of many, so no secret.
_PREFIX = re.compile(r"(?:[a-z]+[-_]|api\d\d-|v\d-)*|AIza")

_OF_A_SERVICE = re.compile(r"(?:sk|pk|rk|csk|gsk|xai|pplx|nvapi|tgp|hf|gh[a-z])[-_]|AIza")

_REST = re.compile(r"[\w*…•-]*")  # of a mask, or of a word
_MASKS = re.compile(r"(?:\[key\]){2,}")
_LONG = 12  # characters from which on pieces of a key are looked for, not it as a whole only
_PIECE = 6
_REMEMBERED = 64

# The keys that this process has used, newest last: what prints a text need not know whose it is.
_known: tuple[str, ...] = ()


class Key:
    """A secret that shows itself only when asked to with ``reveal()``."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        # A traceback that shows local variables shows this one.
        self._secret = secret = Masked(secret)

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
    """A text, such as a header's value, that a traceback with local variables does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def remember(secret: str) -> None:
    """Have :func:`scrub` look for ``secret`` in every text from now on.

    One of fewer than 12 characters is a word that servers without keys are given, such as
    ``ollama``: it would make other texts unreadable, so it is looked for only where it is told.
    """
    global _known
    if len(secret) >= _LONG and secret not in _known:
        # Replaced whole: another thread may be reading it.
        _known = (*_known[1 - _REMEMBERED :], Masked(secret))


def without_keys(text: str) -> str:
    """Return ``text`` without the keys that the process has used, as they are; all else stays."""
    found = [secret for secret in _known if secret in text]
    for secret in sorted(found, key=len, reverse=True):  # one may be the beginning of another
        text = text.replace(secret, _MASK)
    return text


class Guard:
    """Takes the known keys out of texts that come in pieces, each text with a place of its own.

    Attributes:
        may_touch: Tells of a piece whether a known key, or the beginning of one at its end, may be
            in it; ``None`` where no key is known.
        held: Tails that begin a known key, by place, until the next piece tells whether they do;
            a place is a number and a name.
    """

    __slots__ = ("held", "may_touch")

    def __init__(self) -> None:
        self.may_touch = _hints(_known).search if _known else None
        self.held: dict[tuple[int, str], str] = {}

    def passed(self, place: tuple[int, str], piece: str, *, is_last: bool = False) -> str:
        """Return what may be seen of a piece, with what the one before left for it."""
        if self.held:
            piece = self.held.pop(place, "") + piece
        text = without_keys(piece) if piece else ""
        if is_last or not text or not _known:
            return text
        begun = min([_begins(text, secret) for secret in _known])
        if begun < len(text):
            self.held[place] = text[begun:]
        return text[:begun]


@functools.lru_cache(maxsize=4)
def _hints(known: tuple[str, ...]) -> re.Pattern[str]:
    heads = (map(re.escape, secret[:4]) for secret in known)
    return re.compile("|".join(rf"{a}(?:\Z|{b}(?:\Z|{c}(?:\Z|{d})))" for a, b, c, d in heads))


def _begins(text: str, secret: str) -> int:
    """Return where a tail of ``text`` begins that the secret begins with, or the text's length."""
    place = text.find(secret[:1], max(0, len(text) - len(secret) + 1))
    while 0 <= place < len(text) and not secret.startswith(text[place:]):
        place = text.find(secret[:1], place + 1)
    return len(text) if place < 0 else place


def scrub(text: str, *keys: Key | None) -> str:
    """Return ``text`` without keys, pieces of them, or anything that looks like one.

    Looked for are the keys given, and those that the process has used, as they are and as URLs,
    JSON and Basic headers write them.
    """
    given = [key.reveal() for key in keys if key is not None]
    for secret in dict.fromkeys((*given, *_known)):
        if len(secret) >= 4:
            whole, pieces, ends = _patterns(secret)
            for pattern in whole:
                text = pattern.sub(_MASK, text)
            if pieces is not None:
                text = _without_pieces(text, secret, pieces)
            for pattern in ends:
                text = pattern.sub(_MASK, text)
    return _MASKS.sub(_MASK, _KEY_LIKE.sub(_MASK, text))


def _without_pieces(text: str, secret: str, pieces: re.Pattern[str]) -> str:
    """Return ``text`` without its longest runs that are of the secret and hold one of its pieces.

    What follows of a mask, or of a word, goes with them.
    """
    parts, end = [], 0
    while (found := pieces.search(text, end)) is not None:
        start, after = found.span()
        while start > end and text[start - 1 : after] in secret:
            start -= 1
        while after < len(text) and text[start : after + 1] in secret:
            after += 1
        parts += [text[end:start], _MASK]
        rest = _REST.match(text, after)
        end = rest.end() if rest else after
    return "".join((*parts, text[end:]))


_Patterns = tuple[tuple[re.Pattern[str], ...], re.Pattern[str] | None, tuple[re.Pattern[str], ...]]


@functools.lru_cache(maxsize=2 * _REMEMBERED)
def _patterns(secret: str) -> _Patterns:
    """Return what finds the whole of a secret, pieces of it, and its head and tail."""
    whole = [re.compile("".join(map(_written, secret)))]
    if len(secret) < _LONG:
        return tuple(whole), None, ()
    whole += [re.compile(f"(?<![\\w+/-])[\\w+/-]*(?:{'|'.join(_in_base64(secret))})[\\w+/=-]*")]
    pieces = "|".join(_pieces(secret))
    ends = tuple(map(re.compile, _ends(secret)))
    return tuple(whole), re.compile(pieces) if pieces else None, ends


def _written(letter: str) -> str:
    """Return the ways in which a letter is written: itself, in a URL, in JSON or in HTML."""
    code = ord(letter)
    in_url = "".join(f"%{byte:02x}" for byte in letter.encode("utf-8", "surrogatepass"))
    ways = [
        rf"\\{{0,3}}{re.escape(letter)}",
        f"(?i:{in_url})",
        rf"(?i:\\{{1,3}}u{code:04x})",
        f"&#{code};",
    ]
    if letter == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"


def _in_base64(secret: str) -> Iterator[str]:
    """Yield what base64 makes of the secret wherever it begins, without its uncertain edges."""
    data = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data)
        certain = encoded[4 if before else 0 : len(encoded) // 4 * 4 - 4].decode()
        yield re.escape(certain)
        yield re.escape(certain.translate(str.maketrans("+/", "-_")))


def _ends(secret: str) -> Iterator[str]:
    """Yield patterns of the key's head and tail: with a mask always, else where they are no words.

    All that repeats is bounded or begins where nothing like it stands before, so that the time
    grows with the text only.
    """
    head, tail = secret[:_PIECE], secret[-4:]
    mask = r"(?:[*…•]|\.\.)"
    yield rf"{re.escape(head)}[\w.-]{{0,40}}{mask}[\w*.…•-]*"
    yield rf"[\w-]{{0,40}}{mask}[*.…•]{{0,64}}[\w-]{{0,16}}{re.escape(tail)}(?!\w)"
    if _OF_A_SERVICE.match(secret) or not _is_word(head):
        yield rf"{re.escape(head)}[^\s'\"`,;()<>\[\]{{}}|]*(?<![.:!?])"
    if not _is_word(tail):
        yield rf"(?<![\w+=-])[\w+=-]*{re.escape(tail)}(?!\w)"
    elif not _is_word(secret[-_PIECE:]):  # of a word before -2025 the key's own only
        longer = (re.escape(secret[-size:]) for size in range(_PIECE, 40))
        yield rf"(?<![\w+=-])(?:{'|'.join(longer)})(?!\w)"


def _pieces(secret: str) -> Iterator[str]:
    """Yield the pieces that no other text holds by chance: none that may be of words."""
    found = _PREFIX.match(secret)
    begin = found.end() if found else 0
    random = secret[begin:]
    if not re.search(r"\d", random) or not re.search(r"[^\W\d]", random):
        return
    for start in range(max(0, begin - _PIECE + 1), len(secret) - _PIECE + 1):
        end = start + _PIECE
        # Of one that begins in the prefix, test-1 and test-A are what any text may hold.
        if not _is_word(secret[max(start, begin) : end]):
            yield re.escape(secret[start:end])


def _is_word(piece: str) -> bool:
    """Whether a piece could as well be of a word, a name or a number."""
    plain = re.sub("[-_]", "", piece)
    is_cased = plain.islower() or plain.isupper() or plain.istitle()
    return plain.isdecimal() or (plain.isalpha() and is_cased) or not plain
