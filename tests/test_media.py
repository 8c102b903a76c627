"""Images and files, from whatever a notebook has."""

import io
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw

from nbconvo.errors import InputError
from nbconvo.media import attached, file_of, image_of, thumbnail

matplotlib.use("agg")


def drawn(width=40, height=30, form="PNG", mode="RGB", **more) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width, height), 128).save(buffer, form, **more)
    return buffer.getvalue()


def noise(side: int) -> Image.Image:
    return Image.effect_noise((side, side), 100).convert("RGB")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("form", "kind"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")],
)
def test_a_small_image_is_sent_as_it_is(form, kind):
    data = drawn(form=form)
    image = image_of(data)
    assert (image.media_type, image.data, image.width, image.height) == (kind, data, 40, 30)


def test_a_path_gives_its_name(here):
    (here / "plot.png").write_bytes(drawn())
    assert image_of("plot.png").name == image_of(here / "plot.png").name == "plot.png"


def test_other_forms_become_png():
    image = image_of(drawn(form="BMP"))
    assert image.media_type == "image/png"
    assert Image.open(io.BytesIO(image.data)).size == (40, 30)


def test_a_large_image_is_scaled_down_to_the_side_and_keeps_its_proportions():
    image = image_of(drawn(4000, 1000), side=1000)
    assert (image.width, image.height) == (1000, 250)
    assert Image.open(io.BytesIO(image.data)).size == (1000, 250)


def test_an_image_of_40_mb_becomes_one_that_services_take():
    buffer = io.BytesIO()
    noise(3700).save(buffer, "PNG", compress_level=0)
    assert len(buffer.getvalue()) > 40_000_000
    image = image_of(buffer.getvalue())
    assert image.media_type == "image/jpeg"
    assert len(image.data) < 4_500_000


def test_a_photograph_is_turned_as_its_camera_was():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = image_of(drawn(form="JPEG", exif=exif))
    assert (image.width, image.height) == (30, 40)


def test_pil_images_figures_and_axes_are_images():
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([1, 2])
    for source in (Image.new("RGBA", (5, 5)), Image.new("1", (5, 5)), figure, axes):
        assert image_of(source).media_type == "image/png"
    pyplot.close(figure)


def test_what_shows_itself_as_a_picture_is_one():
    from base64 import b64encode

    from IPython import display

    class Plot:
        def _repr_mimebundle_(self, include=None, exclude=None):
            return {"image/png": b64encode(drawn()).decode()}, {}

    class Broken:
        def _repr_png_(self):
            raise RuntimeError

        def _repr_jpeg_(self):
            return drawn(form="JPEG")

    assert image_of(display.Image(drawn())).media_type == "image/png"
    assert image_of(Plot()).media_type == "image/png"
    assert image_of(Broken()).media_type == "image/jpeg"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        found = self.path.startswith("/cat.png")
        if self.path == "/nonsense":
            self.wfile.write(b"nonsense\r\n\r\n")
            return
        self.send_response(200 if found else 404)
        if self.path.endswith("?cut"):
            self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(drawn() if found else b"")

    def log_message(self, *args):
        pass


@pytest.fixture
def address():
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_is_fetched(address):
    image = image_of(f"{address}/cat.png?token=secret")
    assert (image.name, image.width) == ("cat.png", 40)


def test_an_address_that_gives_nothing_is_told_without_its_query(address):
    with pytest.raises(InputError) as raised:
        image_of(f"{address}/dog.png?token=secret")
    assert "/dog.png': Not Found" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/my cat.png?token=secret", "/my cat.png': InvalidURL"),
        ("/nonsense", "/nonsense': BadStatusLine"),
        ("/cat.png?cut", "it was cut off after"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_one_line(address, path, said):
    with pytest.raises(InputError, match="cannot fetch") as raised:
        file_of(address + path)
    assert said in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_address_that_is_none_is_told_without_its_password():
    with pytest.raises(InputError, match="cannot fetch") as raised:
        image_of("http://me:secret@[oslo?token=secret")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"nothing", "'the image' is no image"),
        (b"", "'the image' is empty"),
        (b"<svg xmlns='x'/>", "is an SVG; draw it as PNG first"),
        (drawn()[:60], "cannot read 'the image'"),
        (drawn(200, 200, "JPEG")[:-400], "cannot read 'the image'"),
        ("no.png", "no file 'no.png'"),
        (".", "cannot read '.'"),
        (object(), "no image in a object"),
        (str, "no image in a type"),
        (None, "no image in a NoneType"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(here, source, said):
    with pytest.raises(InputError, match=said):
        image_of(source)


def test_a_name_that_is_nearly_right_is_told(here):
    (here / "figure.png").write_bytes(drawn())
    with pytest.raises(InputError, match=r"did you mean 'figure\.png'"):
        image_of("figur.png")


def test_an_image_with_too_many_pixels_is_refused_before_it_fills_the_memory(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match="too many pixels"):
        image_of(drawn(100, 100))


def test_a_text_is_a_file_and_a_pdf_is_one(here):
    (here / "notes.md").write_bytes("\ufeffGrüße".encode())
    notes, paper = attached(files=["notes.md", b"%PDF-1.7 ..."])
    assert (notes.media_type, notes.name) == ("text/plain", "notes.md")
    assert notes.data.decode() == "Grüße"
    assert paper.media_type == "application/pdf"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (drawn(), "neither a PDF nor a text in UTF-8"),
        (b"\xff\xfe", "neither a PDF nor a text"),
        (b"  ", "is empty"),
        (3, "a file is a path, an address or bytes, not int"),
        (b"%PDF-" + b" " * 32_000_000, "too large"),
    ],
)
def test_what_is_no_file_is_refused(source, said):
    with pytest.raises(InputError, match=said):
        file_of(source)


def test_a_single_thing_in_place_of_a_list_is_refused():
    with pytest.raises(InputError, match=r"images must be a list, such as images=\[x\]"):
        attached(images="plot.png")


def test_a_thumbnail_is_small_and_on_white():
    image = Image.new("RGBA", (2000, 1000), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((0, 0, 100, 100), fill="red")
    small = Image.open(io.BytesIO(thumbnail(image_of(image))))
    assert small.size == (320, 160)
    assert small.getpixel((300, 150)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((6, 8), "uint8"), ((6, 8, 3), "uint8"), ((6, 8, 4), "uint8"), ((6, 8), bool)],
)
def test_an_array_of_bytes_is_an_image(shape, dtype):
    image = image_of(np.zeros(shape, dtype))
    assert (image.media_type, image.width, image.height) == ("image/png", 8, 6)


@pytest.mark.parametrize(
    "array", [np.zeros((6, 8)), np.zeros(9, "uint8"), np.zeros((2, 2, 7), "u1")]
)
def test_an_array_that_is_no_picture_is_told_with_its_shape(array):
    with pytest.raises(InputError, match=r"an array of shape \(.*is no picture: give bytes"):
        image_of(array)


def test_an_array_is_no_list_of_images():
    with pytest.raises(InputError, match="images must be a list"):
        attached(np.zeros((6, 8), "uint8"))


def test_an_address_that_fails_is_told_with_its_port():
    with pytest.raises(InputError, match=r"cannot fetch 'http://127\.0\.0\.1:9/x\.png'"):
        image_of("http://me:secret@127.0.0.1:9/x.png?key=secret")
