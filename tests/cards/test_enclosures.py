"""Images and files that went along, in a card."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from nbconvo.cards import enclosed
from nbconvo.media import image_of
from nbconvo.messages import Attachment


def image(width: int, height: int, name: str | None = None) -> Attachment:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    made = image_of(buffer.getvalue())
    return Attachment(made.media_type, made.data, name, made.width, made.height)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        *(((1600, 400), (160, 40)), ((300, 1200), (30, 120)), ((20, 10), (20, 10))),
        ((2000, 1), (160, 1)),
    ],
)
def test_an_image_keeps_its_shape_also_where_styles_are_stripped(size, shown):
    width, height = shown
    assert f' width="{width}" height="{height}" src="data:image/jpeg;base64,' in enclosed(
        [image(*size)]
    )


def test_an_image_is_told_by_its_name_and_size():
    assert 'alt="plot.png · 20 × 10"' in enclosed([image(20, 10, "plot.png")])


@pytest.mark.parametrize(
    ("size", "told"),
    [(5, "5 bytes"), (1_234, "1.2 kB"), (45_600, "46 kB"), (1_230_000, "1.2 MB"), (0, "lost")],
)
def test_a_file_is_a_name_with_its_size(size, told):
    paper = Attachment("application/pdf", b"x" * size, "paper.pdf")
    assert f"<code>paper.pdf · {told}</code>" in enclosed([paper])


def test_an_image_that_cannot_be_read_is_a_name():
    assert "<code>a.png · 7 bytes</code>" in enclosed(
        [Attachment("image/png", b"no data", "a.png")]
    )


def test_hostile_names_are_passive():
    bad = '"><script>alert(1)</script>\u202e'
    shown = enclosed([image(2, 2, bad), Attachment(bad, b"x", bad)])
    assert set(re.findall("<([a-z]+)", shown)) == {"p", "img", "code"}
    assert "\u202e" not in shown
