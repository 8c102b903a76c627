"""Scripts and styles, as they travel with each widget."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import zlib

import pytest

from nbconvo.widgets.probe import Probe
from nbconvo.widgets.reply import ReplyWidget
from nbconvo.widgets.scripts import packed, script, style


def test_files_become_one_script_without_indentation_and_comments(tmp_path):
    first, last = tmp_path / "a.js", tmp_path / "b.js"
    first.write_text("// why\nfunction f() {\n  // how\n  return 1; // here\n}\n\n")
    last.write_text("export default f;")
    expected = "function f() {\nreturn 1; // here\n}\nexport default f;\n"
    assert script(first, last) == expected


def test_files_become_one_style_sheet_without_comments(tmp_path):
    path = tmp_path / "a.css"
    path.write_text("/* why\n   so */\na { b: c;\n  d: e; }\n/* f */ g { h: i }\n")
    assert style(path) == "a { b: c;\nd: e; }\ng { h: i }\n"


@pytest.mark.parametrize("widget", [Probe, ReplyWidget])
def test_a_script_is_small_and_one_module(widget):
    assert str(widget._esm).count("export default") == 1
    assert len(str(widget._esm)) < 6_500


@pytest.mark.parametrize("widget", [Probe, ReplyWidget])
def test_a_script_can_be_parsed(widget, tmp_path):
    node = shutil.which("node") or pytest.skip("node is not installed")
    path = tmp_path / "module.mjs"
    path.write_text(str(widget._esm))
    subprocess.run([node, "--check", str(path)], check=True, capture_output=True)


def test_a_packed_script_holds_all_of_it_in_less_than_half():
    module = "export default { render() { return 'a long line'; } };\n" * 50
    made = packed(module)
    data = re.search(r'atob\("([^"]+)"\)', made)
    assert data is not None
    assert zlib.decompress(base64.b64decode(data[1])).decode() == module
    assert len(made) < len(module) / 2
