"""Pictures, scaled and encoded: as services take them, and as they are looked at."""

from __future__ import annotations

import io
import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nbconvo.errors import InputError
from nbconvo.messages import Attachment

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["LONGEST_SIDE", "encoded", "fitted", "picture", "thumbnail"]

LONGEST_SIDE = 2048
"""Pixels; of a larger image services see no more (OpenAI, "Images and vision")."""

_MOST_IMAGE_BYTES = 4_500_000  # Anthropic takes 5 MB, as base64 (its "Vision" page)
_THUMBNAIL, _PICTURE = 320, 1600  # pixels
_SENT_AS_THEY_ARE = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
}
_ORIENTATION = 0x0112  # the EXIF tag; services don't look at it


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


def fitted(data: bytes, name: str | None, side: int) -> Attachment:
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
    return encoded(image, name, side)


def encoded(image: Image, name: str | None, side: int) -> Attachment:
    """Return an image as PNG, or as JPEG where that is much smaller."""
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
