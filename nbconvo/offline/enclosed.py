"""What came along with a message beside words, told in words: images and files. Pure.

Parts as chat completions, Anthropic's Messages and OpenAI's Responses have them.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Mapping
from typing import Any

__all__ = ["told_of"]


def told_of(part: Mapping[str, Any]) -> str | None:
    """Return what a part encloses, such as ``image/png, 640 × 400``; ``None`` if it is no part.

    Raises:
        ValueError: If it is not what it should be.
    """
    match part:
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return _at(url, "image")
        case {"type": "input_image", "image_url": str(url)}:
            return _at(url, "image")
        case {"type": "file", "file": {"file_data": str(data), **rest}}:
            return _at(data, "file", rest.get("filename"))
        case {"type": "input_file", "file_data": str(data)}:
            return _at(data, "file", part.get("filename"))
        case {"type": "input_file", "file_url": str(url)}:
            return _at(url, "file", part.get("filename"))
        case {"type": "image" | "document" as kind, "source": {"type": "url", "url": str(url)}}:
            return _at(url, "image" if kind == "image" else "file", part.get("title"))
        case {
            "type": "image" | "document" as kind,
            "source": {"type": "base64", "media_type": str(media), "data": str(data)},
        }:
            is_image = kind == "image"
            return _told(media, data, "image" if is_image else "file", part.get("title"))
    return None


def _at(url: str, kind: str, name: object = None) -> str:
    head, _, data = url.partition(",")
    if head.startswith("data:"):
        return _told(head.removeprefix("data:").partition(";")[0], data, kind, name)
    if url.startswith(("http://", "https://")):
        return f"{kind} at {url[:200]}, which is not fetched"
    return _told("", url, kind, name)  # the Responses protocol takes a file's bare base64, too


def _told(media: str, data: str, kind: str, name: object) -> str:
    try:
        found = base64.b64decode(data, validate=True)
    except ValueError:
        raise ValueError(f"the {kind} is not valid base64") from None
    if kind == "image":
        width, height = _size(found)
        return f"{media}, {width} × {height}"
    named = f"{name}: " if isinstance(name, str) and name else ""
    return f"{named}{media or kind}, {len(found):,} bytes"


def _size(data: bytes) -> tuple[int, int]:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # only its head is read
        try:
            return Image.open(io.BytesIO(data)).size
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            raise ValueError("the image cannot be read; send a PNG, JPEG, GIF or WebP") from None
