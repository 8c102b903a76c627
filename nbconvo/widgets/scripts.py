"""The page's scripts and styles, as they travel: every widget brings its own along."""

from __future__ import annotations

import base64
import functools
import re
import zlib
from pathlib import Path

__all__ = ["PAGE", "packed", "script", "style"]

#: Where the files are that several widgets share.
PAGE = Path(__file__).parent / "page"

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@functools.cache
def script(*paths: Path) -> str:
    """Return the files as one ES module: they share one scope, and only the last one exports.

    Indentation and lines that are comments (``//``) are left out, so no string in them may
    reach over a line's end.
    """
    lines = (line.strip() for path in paths for line in _read(path).splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def packed(module: str) -> str:
    """Return an ES module that unpacks ``module`` and is it: less than half of its bytes travel.

    A widget brings its script along at every display and reload; browsers unpack since 2023.
    """
    data = base64.b64encode(zlib.compress(module.encode(), 9)).decode()
    return (
        f'const packed = Uint8Array.from(atob("{data}"), (c) => c.charCodeAt(0));\n'
        'const unpacking = new DecompressionStream("deflate");\n'
        "const stream = new Blob([packed]).stream().pipeThrough(unpacking);\n"
        "const text = await new Response(stream).text();\n"
        'const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));\n'
        "const { default: unpacked } = await import(url);\n"
        "URL.revokeObjectURL(url);\n"
        "export default unpacked;\n"
    )


@functools.cache
def style(*paths: Path) -> str:
    """Return the files as one style sheet, without indentation and comments."""
    lines = "\n".join(_COMMENT.sub("", _read(path)) for path in paths).splitlines()
    return "".join(f"{line.strip()}\n" for line in lines if line.strip())


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
