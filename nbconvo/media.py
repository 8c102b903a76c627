"""Images and files that go along with a message: from whatever a notebook has, ready to be sent."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbconvo.errors import InputError
from nbconvo.messages import Attachment

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["LONGEST_SIDE", "attached", "file_of", "image_of", "is_address", "picture", "thumbnail"]

LONGEST_SIDE = 2048
"""Pixels; of a larger image services see no more (OpenAI, "Images and vision")."""

_MOST_IMAGE_BYTES = 4_500_000  # Anthropic takes 5 MB, as base64 (its "Vision" page)
_MOST_DATA = 64 * 2**20  # bytes that are read of a file or an address
_MOST_FILE_BYTES = 32_000_000  # of a PDF: Anthropic's limit of a whole request
_THUMBNAIL, _PICTURE = 320, 1600  # pixels
_TIMEOUT = 20.0  # seconds for an address to answer
_SENT_AS_THEY_ARE = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
}
_ORIENTATION = 0x0112  # the EXIF tag; services don't look at it


def attached(
    images: Iterable[Any] = (), files: Iterable[Any] = (), *, side: int = LONGEST_SIDE
) -> tuple[Attachment, ...]:
    """Return images, scaled down to at most ``side`` pixels, and files, as attachments.

    Raises:
        InputError: As :func:`image_of` and :func:`file_of`.
    """
    for label, given in (("images", images), ("files", files)):
        if isinstance(given, str | bytes | os.PathLike) or not isinstance(given, Iterable):
            raise InputError(f"{label} must be a list, such as {label}=[x], not {given!r:.60}")
    return (
        *(image_of(image, side=side) for image in images),
        *(file_of(file) for file in files),
    )


def image_of(source: Any, *, side: int = LONGEST_SIDE) -> Attachment:
    """Return an image as PNG, JPEG, GIF or WebP, no side of it longer than ``side`` pixels.

    ``source`` is a path, an http address, bytes, a PIL image, a matplotlib figure or axes, or
    anything that shows itself in a notebook as a PNG or JPEG, as what ``Out[n]`` holds may do.

    Raises:
        InputError: If it is none of these, cannot be read, or is no image.
    """
    if isinstance(source, Attachment):
        if not source.is_image:
            raise InputError(f"{source.name or source.media_type!r} is no image; attach it as file")
        return source
    if hasattr(source, "save") and hasattr(source, "getbands"):  # a PIL image
        return _encoded(source, None, side)
    if (found := _stored(source)) is not None:
        return _fitted(*found, side)
    return _fitted(_picture(source), None, side)


def file_of(source: Any) -> Attachment:
    """Return a PDF or a text as an attachment; ``source`` is a path, an http address or bytes.

    Raises:
        InputError: If it is neither, or cannot be read.
    """
    if isinstance(source, Attachment):
        return source
    if (found := _stored(source)) is None:
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


def is_address(source: Any) -> bool:
    """Whether ``source`` is an http address, which takes its time to be read."""
    return isinstance(source, str) and source.startswith(("http://", "https://"))


@lru_cache(maxsize=64)
def thumbnail(image: Attachment) -> bytes | None:
    """Return a small JPEG of an image, some 10 kB; ``None`` if it cannot be read any more."""
    return _reduced(image, _THUMBNAIL, quality=75)


def picture(image: Attachment) -> bytes | None:
    """Return a JPEG of an image to be looked at, some 100 kB; ``None`` if it cannot be read."""
    return _reduced(image, _PICTURE, quality=88)


def _reduced(image: Attachment, side: int, *, quality: int) -> bytes | None:
    try:
        opened = _opened(image.data)
        opened.thumbnail((side, side))
        return _saved(_on_white(opened), "JPEG", quality=quality)
    except (OSError, ValueError, SyntaxError, InputError):
        return None


def _stored(source: Any) -> tuple[bytes, str | None] | None:
    """Return the bytes and the name of a source that is bytes, or names some."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), None
    if is_address(source):
        return _downloaded(source)
    if isinstance(source, str | os.PathLike):
        return _read(source)
    return None


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


def _read(source: str | os.PathLike[str]) -> tuple[bytes, str]:
    shown = os.fspath(source)
    try:
        path = Path(source).expanduser()
        if (size := path.stat().st_size) > _MOST_DATA:
            raise InputError(f"{shown!r} is too large: {size:,} bytes; most is 64 MB")
        return path.read_bytes(), path.name
    except FileNotFoundError:
        raise InputError(f"no file {shown!r} in {str(Path.cwd())!r}{_near(shown)}") from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise InputError(f"cannot read {shown!r}: {reason}") from None


def _near(shown: str) -> str:
    from nbconvo.errors import nearest

    try:
        names = os.listdir(Path(shown).expanduser().parent)
    except OSError:
        return ""
    near = nearest(Path(shown).name, names)
    return f"; did you mean {near!r}?" if near else ""


def _downloaded(address: str) -> tuple[bytes, str | None]:
    from urllib.error import HTTPError, URLError
    from urllib.parse import urlsplit
    from urllib.request import Request, urlopen

    parts = urlsplit(address)
    shown = f"{parts.scheme}://{parts.hostname}{parts.path}"  # a query may hold a secret
    try:
        request = Request(address, headers={"User-Agent": "nbconvo"})
        with urlopen(request, timeout=_TIMEOUT) as response:
            data = response.read(_MOST_DATA + 1)
    except (URLError, OSError, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise InputError(f"cannot fetch {shown!r}: {reason}") from None
    if len(data) > _MOST_DATA:
        raise InputError(f"{shown!r} is too large; most is 64 MB")
    return data, os.path.basename(parts.path) or None


def _fitted(data: bytes, name: str | None, side: int) -> Attachment:
    """Return a picture as a service takes it: as it is, where that will do."""
    image = _opened(data, name)
    kind = _SENT_AS_THEY_ARE.get(image.format or "")
    if kind and max(image.size) <= side and len(data) <= _MOST_IMAGE_BYTES:
        try:
            upright = image.getexif().get(_ORIENTATION, 1) == 1
            image.load()  # to the end: what is cut off is found here, not by the service
        except (OSError, ValueError, SyntaxError) as error:
            raise InputError(f"cannot read {name or 'the image'!r}: {error}") from None
        if upright:
            return Attachment(kind, data, name, *image.size)
    return _encoded(image, name, side)


def _encoded(image: Image, name: str | None, side: int) -> Attachment:
    from PIL import ImageOps

    try:
        image = ImageOps.exif_transpose(image)
        image.thumbnail((side, side)) if max(image.size) > side else image.load()
        kept = image if image.mode in ("RGB", "RGBA", "L", "LA", "P") else image.convert("RGB")
        # A photograph as PNG is five times as large; a drawing as JPEG is smeared.
        if image.format != "JPEG":
            data = _saved(kept, "PNG")
            if len(data) <= _MOST_IMAGE_BYTES:
                return Attachment("image/png", data, name, *image.size)
        data = _saved(_on_white(kept), "JPEG", quality=90)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"cannot read {name or 'the image'!r}: {error}") from None
    return Attachment("image/jpeg", data, name, *image.size)


def _opened(data: bytes, name: str | None = None) -> Image:
    from PIL import Image, UnidentifiedImageError

    shown = name or "the image"
    try:
        with warnings.catch_warnings():
            # Far more pixels than any camera has: it may be small, and fill the memory.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{shown!r} has too many pixels; scale it down first") from None
    except UnidentifiedImageError:
        what = "an SVG; draw it as PNG first" if re.match(rb"\s*<(\?xml|svg)", data) else "no image"
        kind = what if data else "empty"
        raise InputError(f"{shown!r} is {kind}") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"cannot read {shown!r}: {error}") from None


def _on_white(image: Image) -> Image:
    """Return the image without transparency, which JPEG does not know."""
    from PIL.Image import new

    if "A" not in image.mode and "transparency" not in image.info:
        return image.convert("RGB")
    above = image.convert("RGBA")
    ground = new("RGB", above.size, "white")
    ground.paste(above, mask=above.getchannel("A"))
    return ground


def _saved(image: Image, form: str, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **settings)
    return buffer.getvalue()
