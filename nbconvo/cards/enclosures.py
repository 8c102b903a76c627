"""Images and files that go along with a message, as HTML."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Sequence

from nbconvo.cards.words import one_line
from nbconvo.media import thumbnail
from nbconvo.messages import Attachment

__all__ = ["enclosed"]

_WIDEST, _HIGHEST = 160, 120  # pixels of a small image on the page


def enclosed(attachments: Sequence[Attachment]) -> str:
    """Return attachments as HTML: images small, files by their names; empty if there are none."""
    shown = " ".join(map(_enclosed, attachments))
    return f'<p class="nbconvo-enclosed">{shown}</p>' if shown else ""


def _enclosed(attachment: Attachment) -> str:
    name = one_line(attachment.name or attachment.media_type)
    about = html.escape(f"{name} · {_size(attachment)}")
    small = thumbnail(attachment) if attachment.is_image else None
    if small is None:
        return f"<code>{about}</code>"
    data = b64encode(small).decode()
    return (
        f'<img alt="{about}" title="{about}"{_measures(attachment)} '
        f'src="data:image/jpeg;base64,{data}">'
    )


def _measures(image: Attachment) -> str:
    """The size on the page as attributes, which hold where a host strips styles."""
    if not image.width or not image.height:
        return ""
    scale = min(1, _WIDEST / image.width, _HIGHEST / image.height)
    width, height = (max(1, round(side * scale)) for side in (image.width, image.height))
    return f' width="{width}" height="{height}"'


def _size(attachment: Attachment) -> str:
    if attachment.width and attachment.height:
        return f"{attachment.width} × {attachment.height}"
    size = len(attachment.data)
    if not size:
        return "lost"  # the log has its digest only
    for unit, bytes_ in (("MB", 1_000_000), ("kB", 1_000)):
        if size >= bytes_:
            return f"{size / bytes_:.{0 if size >= 10 * bytes_ else 1}f} {unit}"
    return f"{size} bytes"
