"""How many tokens an image or a file is, about."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from nbconvo.messages import Attachment

__all__ = ["attachment_tokens"]

_TILE, _WHOLE = 512, 2048  # pixels: OpenAI's tiles, and the square that an image is fitted into
_SHORT_SIDE = 768
_PER_TILE, _PER_IMAGE = 170, 85
_PIXELS_PER_TOKEN = 750  # Anthropic, "Vision"
_PER_PAGE = 2_000  # Anthropic, "PDF support": 1,500 to 3,000 a page
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_BYTES_PER_PAGE = 50_000  # where the pages are compressed, and cannot be counted


def attachment_tokens(
    attachment: Attachment, model: str | None, count: Callable[[str], int]
) -> int:
    """Return about how many tokens an attachment is: what the service says of it is what holds.

    An image counts by its size, for Anthropic's models by theirs, for Google's by their rule, for
    all others by OpenAI's; a text by its words, a PDF by its pages.
    """
    if attachment.is_image:
        return _image_tokens(attachment.width or _WHOLE, attachment.height or _WHOLE, model or "")
    if attachment.media_type == "application/pdf":
        pages = len(_PAGE.findall(attachment.data))
        return _PER_PAGE * (pages or math.ceil(len(attachment.data) / _BYTES_PER_PAGE))
    return count(attachment.data.decode("utf-8", "replace"))


def _image_tokens(width: int, height: int, model: str) -> int:
    if "claude" in model:
        return math.ceil(width * height / _PIXELS_PER_TOKEN)
    if "gemini" in model:
        return 258 * math.ceil(width / _SHORT_SIDE) * math.ceil(height / _SHORT_SIDE)
    scale = min(1.0, _WHOLE / max(width, height))
    scale *= min(1.0, _SHORT_SIDE / (min(width, height) * scale))
    tiles = math.ceil(width * scale / _TILE) * math.ceil(height * scale / _TILE)
    return _PER_IMAGE + _PER_TILE * tiles
