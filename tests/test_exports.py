"""What the package offers: each name is there and documented, and importing costs little."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import nbconvo

ROOT = Path(nbconvo.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)
RUNNABLE = [name for name in MODULES if not name.endswith("__main__")]

HEAVY = {
    "aiohttp",
    "anywidget",
    "ipywidgets",
    "tiktoken",
    "markdown_it",
    "nh3",
    "pygments",
    "pandas",
    "nest_asyncio2",
    "pydantic",
    "jsonschema",
    "docstring_parser",
    "PIL",
    "dotenv",
    "genai_prices",
    "keyring",
}

# Runs with IPython up; tells what ``doing`` brings in, starts, opens and prints.
OBSERVED = """
import contextlib, io, json, sys, threading
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before, sockets, printed = set(sys.modules), [], io.StringIO()
sys.addaudithook(lambda event, _: event.startswith("socket.") and sockets.append(event))
with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
    {doing}
print(json.dumps({{
    "modules": sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}),
    "threads": [thread.name for thread in threading.enumerate()],
    "sockets": sockets,
    "printed": printed.getvalue(),
    "magics": sorted(shell.magics_manager.magics["cell"]),
}}))
"""


def observed(doing: str) -> dict[str, list[str]]:
    code = OBSERVED.format(doing=doing)
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def source_of(module: str) -> ast.Module:
    path = ROOT.parent.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text())


@pytest.mark.parametrize("name", nbconvo.__all__)
def test_every_name_of_the_package_is_there_and_documented(name):
    value = getattr(nbconvo, name)
    assert name == "__version__" or inspect.getdoc(value)


def test_dir_lists_the_names_and_nothing_else():
    assert dir(nbconvo) == sorted(nbconvo.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'nbconvo' has no attribute 'sesion'"):
        _ = nbconvo.sesion


@pytest.mark.parametrize("module", RUNNABLE)
def test_all_of_a_module_names_what_is_there(module):
    loaded = importlib.import_module(module)
    assert len(set(loaded.__all__)) == len(loaded.__all__)
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []


@pytest.mark.parametrize("module", RUNNABLE)
def test_a_module_takes_from_another_only_what_that_one_offers(module):
    for node in ast.walk(source_of(module)):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("nbconvo."):
            continue
        offered = importlib.import_module(str(node.module))
        for alias in node.names:
            public = not alias.name.startswith("_") and f"{node.module}.{alias.name}" not in MODULES
            assert not public or alias.name in offered.__all__, f"{node.module}.{alias.name}"


@pytest.mark.parametrize(
    "doing", ["import nbconvo", "import nbconvo; nbconvo.load_ipython_extension(shell)"]
)
def test_importing_and_loading_bring_in_nothing_heavy_and_do_nothing_that_shows(doing):
    seen = observed(doing)
    assert "nbconvo" in seen["modules"]
    assert HEAVY & set(seen["modules"]) == set()
    assert seen["sockets"] == []
    assert not [name for name in seen["threads"] if name.startswith("nbconvo")]
    assert seen["printed"] == ""
    assert ("ask" in seen["magics"]) == ("load" in doing)


def test_what_is_heavy_is_seen_when_it_is_imported():
    assert "aiohttp" in observed("import nbconvo, aiohttp")["modules"]


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "py.typed").exists()
