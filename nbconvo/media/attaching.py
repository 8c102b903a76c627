"""What goes along with a message: an image or a file, made of whatever a notebook has."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbconvo.errors import InputError
from nbconvo.media.pictures import LONGEST_SIDE, encoded, fitted
from nbconvo.media.sources import stored
from nbconvo.messages import Attachment

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["attached", "file_of", "image_of"]

_ARRAY = "__array_interface__"  # what makes an array, NumPy's or another's
_MOST_FILE_BYTES = 32_000_000  # of a PDF: Anthropic's limit of a whole request


def attached(
    images: Iterable[Any] = (), files: Iterable[Any] = (), *, side: int = LONGEST_SIDE
) -> tuple[Attachment, ...]:
    """Return images, scaled down to at most ``side`` pixels, and files, as attachments.

    Raises:
        InputError: As :func:`image_of` and :func:`file_of`.
    """
    for label, given in (("images", images), ("files", files)):
        is_one = isinstance(given, str | bytes | os.PathLike) or hasattr(given, _ARRAY)
        if is_one or not isinstance(given, Iterable):
            raise InputError(f"{label} must be a list, such as {label}=[x], not {given!r:.60}")
    return (
        *(image_of(image, side=side) for image in images),
        *(file_of(file) for file in files),
    )


def image_of(source: Any, *, side: int = LONGEST_SIDE) -> Attachment:
    """Return an image as PNG, JPEG, GIF or WebP, no side of it longer than ``side`` pixels.

    ``source`` is a path, an http address, bytes, a PIL image, an array of bytes such as NumPy's,
    a matplotlib figure or axes, or anything that shows itself in a notebook as a PNG or JPEG, as
    what ``Out[n]`` holds may do.

    Raises:
        InputError: If it is none of these, cannot be read, or is no image.
    """
    if isinstance(source, Attachment):
        if not source.is_image:
            raise InputError(f"{source.name or source.media_type!r} is no image; attach it as file")
        return source
    if hasattr(source, "save") and hasattr(source, "getbands"):  # a PIL image
        return encoded(source, None, side)
    if hasattr(source, _ARRAY):
        return encoded(_of_array(source), None, side)
    if (found := stored(source)) is not None:
        return fitted(*found, side)
    return fitted(_picture(source), None, side)


def file_of(source: Any) -> Attachment:
    """Return a PDF or a text as an attachment; ``source`` is a path, an http address or bytes.

    Raises:
        InputError: If it is neither, or cannot be read.
    """
    if isinstance(source, Attachment):
        return source
    if (found := stored(source)) is None:
        raise InputError(f"a file is a path, an address or bytes, not {type(source).__name__}")
    data, name = found
    shown = name or "the file"
    if data.startswith(b"%PDF-"):
        if len(data) > _MOST_FILE_BYTES:
            raise InputError(f"{shown!r} is too large: {len(data):,} bytes; services take 32 MB")
        return Attachment("application/pdf", data, name)
    if not data.strip():
        raise InputError(f"{shown!r} is empty")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"{shown!r} is neither a PDF nor a text in UTF-8; attach images as images")
    return Attachment("text/plain", text.encode(), name)


def _of_array(array: Any) -> Image:
    from PIL.Image import fromarray

    told = getattr(array, _ARRAY)
    shape, kind = told["shape"], told["typestr"][1:]
    if kind in ("u1", "b1") and len(shape) in (2, 3):
        with suppress(TypeError, ValueError):  # PIL knows what colours there are
            return fromarray(array)
    raise InputError(
        f"an array of shape {shape} and type {kind!r} is no picture: give bytes from 0 to 255 "
        "(uint8), in rows and columns, with 3 or 4 colours or none"
    )


def _picture(source: Any) -> bytes:
    """Return the picture that an object draws, or shows itself as."""
    figure = getattr(source, "figure", source) if hasattr(source, "get_figure") else source
    if hasattr(figure, "savefig"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", bbox_inches="tight")
        return buffer.getvalue()
    if (shown := _shown(source)) is not None:
        return shown
    raise InputError(
        f"no image in a {type(source).__name__}: give a path, an address, bytes, a PIL image, "
        "a figure, or what shows itself as a picture"
    )


def _shown(source: Any) -> bytes | None:
    """Return the picture as which an object shows itself in a notebook, if it does."""
    from base64 import b64decode

    for method in ("_repr_png_", "_repr_jpeg_"):
        found = _called(source, method)
        found = found[0] if isinstance(found, tuple) else found
        if found:
            return b64decode(found) if isinstance(found, str) else bytes(found)
    bundle = _called(source, "_repr_mimebundle_")
    bundle = bundle[0] if isinstance(bundle, tuple) else bundle
    for kind in ("image/png", "image/jpeg"):
        if isinstance(bundle, dict) and (found := bundle.get(kind)):
            return b64decode(found) if isinstance(found, str) else bytes(found)
    return None


def _called(source: Any, method: str) -> Any:
    function = getattr(source, method, None)
    if isinstance(source, type) or not callable(function):
        return None
    try:
        return function()
    except Exception:  # what it does is its own affair; it shows no picture
        return None
