"""The encodings that are at hand, as files; none is ever downloaded.

tiktoken would download an encoding that it lacks, inside the call and without a time limit, so
none of its loaders is called: files that are there already are read here.
"""

from __future__ import annotations

import os
from binascii import a2b_base64
from functools import lru_cache
from typing import TYPE_CHECKING

from nbconvo.errors import InputError

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["FILE_VARIABLE", "encoding"]

FILE_VARIABLE = "NBCONVO_TIKTOKEN_FILE"
"""Environment variable that names a ``.tiktoken`` file to count all models' tokens with."""

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


# tiktoken names a cached file by the SHA-1 of the address that it came from.
_CACHED = {
    "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
    "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
}


def encoding(model: str | None) -> Encoding | None:
    """Return the encoding to count with, or ``None`` where none is at hand."""
    if named := os.environ.get(FILE_VARIABLE):
        found = _read(named, "o200k_base" if "o200k" in named else "cl100k_base")
        if found is None:
            raise InputError(
                f"{FILE_VARIABLE} names '{named}', which is not a readable .tiktoken file; "
                f"correct it, or unset it to have tokens estimated"
            )
        return found
    directory = _cache_directory()
    # Where nothing is cached, tiktoken is not even imported.
    if not model or not directory or not os.path.isdir(directory):
        return None
    name = _encoding_name(model)
    return _read(os.path.join(directory, _CACHED[name]), name) if name in _CACHED else None


def _cache_directory() -> str:
    """Return where tiktoken keeps its files, by its own rule; empty if it is told not to."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if (directory := os.environ.get(variable)) is not None:
            return directory
    from tempfile import gettempdir

    return os.path.join(gettempdir(), "data-gym-cache")


def _encoding_name(model: str) -> str:
    from tiktoken import encoding_name_for_model

    bare = model.rpartition("/")[2]  # OpenRouter says openai/gpt-4o:online
    for name in (bare, bare.partition(":")[0]):
        try:
            return encoding_name_for_model(name).replace("o200k_harmony", "o200k_base")
        except KeyError:
            continue
    return ""


def _read(path: str, cut: str) -> Encoding | None:
    try:
        found = os.stat(path)
        return _load(path, cut, found.st_mtime_ns, found.st_size)
    except OSError:
        return None


@lru_cache(maxsize=4)
def _load(path: str, cut: str, modified: int, size: int) -> Encoding | None:
    """Read an encoding, 0.2 to 0.9 s for OpenAI's, hence the cache; ``None`` if it is none."""
    try:
        with open(path, "rb") as file:
            lines = [line.split() for line in file.read().splitlines() if line]
        ranks = {a2b_base64(token): int(rank) for token, rank in lines}
    except ValueError:
        return None
    # Without every single byte, or with a rank twice, the encoder would panic later.
    whole = all(bytes([byte]) in ranks for byte in range(256))
    if not whole or len(set(ranks.values())) < len(ranks):
        return None
    from tiktoken import Encoding

    return Encoding(cut, pat_str=_CUTS[cut], mergeable_ranks=ranks, special_tokens={})
