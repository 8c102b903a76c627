"""How many tokens a text is: counted where an encoding is at hand, else estimated.

Nothing here ever touches the network: tiktoken would download an encoding that it lacks, without
a time limit, so only files that are there already are read, and none of its loaders is called.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
from binascii import a2b_base64
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING

from nbconvo.errors import InputError
from nbconvo.messages import Message

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["FILE_VARIABLE", "count", "estimate", "prompt_tokens"]

FILE_VARIABLE = "NBCONVO_TIKTOKEN_FILE"
"""Environment variable that names a ``.tiktoken`` file to count all models' tokens with."""

# What a chat costs beyond its texts; OpenAI's figures for its own models (their cookbook).
_PER_MESSAGE, _PER_ROLE, _PER_NAME, _PRIMER = 3, 1, 1, 3

_SAMPLE_ABOVE = 300_000
_SAMPLES, _SAMPLE = 48, 4_096
_EXACT_BELOW = 1_000_000


def prompt_tokens(messages: Sequence[Message], model: str | None = None) -> int:
    """Return the tokens of a chat request that holds these messages."""
    total = _PRIMER
    for message in messages:
        total += _PER_MESSAGE + _PER_ROLE + count(message.content, model)
        if message.name:
            total += _PER_NAME + count(message.name, model)
    return total


def count(text: str, model: str | None = None) -> int:
    """Return the tokens that ``text`` is for ``model``: exact where possible, else an estimate.

    Exact needs the file that ``NBCONVO_TIKTOKEN_FILE`` names, or the model's encoding in
    tiktoken's own cache, and at most a million characters.

    Raises:
        InputError: If the variable names a file that cannot be used.
    """
    encoding = _encoding(model) if text and len(text) <= _EXACT_BELOW else None
    return estimate(text) if encoding is None else len(encoding.encode_ordinary(text))


# --- estimating ----------------------------------------------------------------------------------


def _classes(name: str) -> bytes:
    """Return a table that keeps the ASCII characters of one kind and blanks all other bytes."""
    kept = (128 > byte > 32 and _kind(chr(byte)) == name for byte in range(256))
    return bytes(ord("x") if keep else ord(" ") for keep in kept)


def _kind(char: str) -> str:
    return "letter" if char.isalpha() else "digit" if char.isdigit() else "mark"


_LETTERS, _DIGITS, _MARKS = _classes("letter"), _classes("digit"), _classes("mark")
_ASCII_AND_TAILS = bytes(range(0xC0))
_OPAQUE = re.compile(rb"[A-Za-z0-9+/]{40,}")
_INNER_CAPITAL = re.compile(rb"[a-z][A-Z]")
_SPACE = re.compile(rb"\n\s*|[^\S\n]{2,}\n?\s*")

# Tokens for each character outside ASCII, by the first byte of its UTF-8.
_OUTSIDE_ASCII = (
    (range(0xC2, 0xCD), 0.7),  # Latin with accents; its word is cut in two besides
    (range(0xCD, 0xD0), 0.6),  # Greek
    (range(0xD0, 0xD4), 0.38),  # Cyrillic
    (range(0xD4, 0xD6), 0.8),  # Armenian
    (range(0xD6, 0xD8), 0.6),  # Hebrew
    (range(0xD8, 0xE0), 0.5),  # Arabic
    (range(0xE0, 0xE2), 0.7),  # Indic, Thai, Georgian
    (range(0xE2, 0xE3), 1.2),  # quotes, dashes, arrows, symbols
    (range(0xE3, 0xE4), 0.7),  # kana
    (range(0xE4, 0xF0), 0.85),  # Han, Hangul
    (range(0xF0, 0xF8), 2.1),  # emoji
)


def estimate(text: str) -> int:
    """Return about how many tokens ``text`` is for today's models, without any encoding.

    It counts what encodings break a text into: words, groups of three digits, runs of marks,
    line breaks. The weights were fitted to OpenAI's o200k_base and cl100k_base (two to one).
    Mean error and 95 % bound on held-out files, o200k_base: English prose +2 and 10 %, chat 0,
    Markdown -2 and 8 %, Python 0 and 20 %, JavaScript +2 and 13 %, JSON -6 and 18 %, tables of
    numbers 2 %, base64 1 %; western languages within 20 %, Chinese, Japanese and Korean +15 %,
    Arabic, Hebrew, Greek, Thai, Hindi +35 to +50 % (and as much below cl100k_base, which needs
    twice as many tokens there). A quarter of the characters would err by 20 to 55 %.

    Takes about 50 ms a megabyte; of longer texts a sample is taken.
    """
    if len(text) > _SAMPLE_ABOVE:
        step = (len(text) - _SAMPLE) / (_SAMPLES - 1)
        starts = (int(step * index) for index in range(_SAMPLES))
        sample = sum(_weigh(text[start : start + _SAMPLE]) for start in starts)
        return math.ceil(sample * len(text) / (_SAMPLES * _SAMPLE))
    return math.ceil(_weigh(text))


def _weigh(text: str) -> float:
    # All on bytes: translate, split and count run in C, whatever the length.
    data = text.encode("utf-8", "surrogatepass")
    total = 0.0
    if opaque := _OPAQUE.findall(data):
        total += sum(map(len, opaque)) / 1.45
        data = _OPAQUE.sub(b" ", data)
    words, letters_over_7 = _runs(data.translate(_LETTERS), beyond=7)
    marks, more_marks = _runs(data.translate(_MARKS), beyond=1)
    numbers = data.translate(_DIGITS).split()
    total += words + 0.14 * letters_over_7 + 0.2 * len(_INNER_CAPITAL.findall(data))
    total += 0.8 * marks + 0.25 * more_marks + len(_SPACE.findall(data))
    total += 1.15 * sum((size + 2) // 3 * n for size, n in Counter(map(len, numbers)).items())
    return total if text.isascii() else total + _weigh_outside_ascii(data)


def _runs(blanked: bytes, beyond: int) -> tuple[int, int]:
    """Return the number of runs, and what they have in all ``beyond`` so many characters each."""
    sizes = Counter(map(len, blanked.split()))
    over = sum((size - beyond) * n for size, n in sizes.items() if size > beyond)
    return sizes.total(), over


def _weigh_outside_ascii(data: bytes) -> float:
    leads = Counter(data.translate(None, _ASCII_AND_TAILS))
    return sum(
        weight * sum(leads[byte] for byte in first_bytes) for first_bytes, weight in _OUTSIDE_ASCII
    )


# --- counting ------------------------------------------------------------------------------------

_CONTRACTION = r"(?i:'(?:[sdmt]|ll|ve|re))"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_BLANKS = (r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+")
# How an encoding cuts a text before it merges bytes: part of its definition, not of its file.
_CUTS = {
    "cl100k_base": "|".join(
        (
            _CONTRACTION,
            r"[^\r\n\p{L}\p{N}]?\p{L}+",
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n]*",
            *_BLANKS,
        )
    ),
    "o200k_base": "|".join(
        (
            rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTION}?",
            rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTION}?",
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            *_BLANKS,
        )
    ),
}


def _encoding(model: str | None) -> Encoding | None:
    """Return the encoding to count with, or ``None`` where none is at hand."""
    if named := os.environ.get(FILE_VARIABLE):
        cut = "o200k_base" if "o200k" in Path(named).name else "cl100k_base"
        encoding = _read(Path(named), cut)
        if encoding is None:
            raise InputError(
                f"{FILE_VARIABLE} names '{named}', which is not a readable .tiktoken file; "
                f"correct it, or unset it to have tokens estimated"
            )
        return encoding
    at_hand = {name: path for name in _CUTS if (path := _cached(name)).is_file()}
    name = _encoding_name(model) if model and at_hand else None
    return _read(at_hand[name], name) if name in at_hand else None


def _cached(name: str) -> Path:
    """Return where tiktoken keeps an encoding: its rule, with its directories and file name."""
    directory = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if directory is None:
        directory = os.path.join(tempfile.gettempdir(), "data-gym-cache")
    url = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
    # Empty means no cache.
    return Path(directory or os.devnull, sha1(url.encode(), usedforsecurity=False).hexdigest())


def _encoding_name(model: str) -> str | None:
    from tiktoken import encoding_name_for_model

    bare = model.rpartition("/")[2]  # OpenRouter says openai/gpt-4o:online
    for name in (bare, bare.partition(":")[0]):
        try:
            return encoding_name_for_model(name).replace("o200k_harmony", "o200k_base")
        except KeyError:
            continue
    return None


def _read(path: Path, cut: str) -> Encoding | None:
    try:
        return _load(path, cut, path.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=4)
def _load(path: Path, cut: str, modified: int) -> Encoding | None:
    """Read an encoding; 0.2 to 0.5 s for OpenAI's, hence the cache. ``None`` if it is none."""
    try:
        lines = (line.split() for line in path.read_bytes().splitlines() if line)
        ranks = {a2b_base64(token): int(rank) for token, rank in lines}
    except ValueError:
        return None
    # Without every single byte, or with a rank twice, the encoder would panic later.
    if any(bytes([byte]) not in ranks for byte in range(256)) or len(set(ranks.values())) < len(
        ranks
    ):
        return None
    from tiktoken import Encoding

    return Encoding(cut, pat_str=_CUTS[cut], mergeable_ranks=ranks, special_tokens={})
