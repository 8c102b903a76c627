"""Imports point down only: the layers of the package, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbconvo

ROOT = Path(nbconvo.__file__).parent

# Modules in one row don't import each other, except inside a package.
ROWS = """
magics
display panel
participants
session
client bridge offline widgets
cards services limiter log host tools
conversation tokens prices budget sse markdown configs settings context schemas media
messages specs
spelling
errors usage
keys
"""
ROW_OF = {unit: row for row, units in enumerate(ROWS.split("\n")) for unit in units.split()}
ALONE = "testing"  # a user's tests load it beside everything else
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def unit_of(path: Path) -> str:
    """The module or package right below ``nbconvo`` that a file belongs to."""
    return path.parts[0].removesuffix(".py")


def imported(source: str) -> Iterator[str]:
    """The units that a module imports anywhere in it, in functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the module in full"
            below = node.module == "nbconvo"
            names = [f"nbconvo.{a.name}" for a in node.names] if below else [str(node.module)]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            if first == "nbconvo":
                yield rest[0] if rest else ""


def wrong(unit: str, source: str) -> list[str]:
    """The imports that don't point down."""
    return [
        other
        for other in imported(source)
        if other != unit
        and (unit == ALONE or other == ALONE or ROW_OF.get(other, -1) <= ROW_OF[unit])
    ]


def test_every_module_has_its_place():
    units = {unit_of(path) for path in FILES} - {"__init__", ALONE}
    assert units == set(ROW_OF)


@pytest.mark.parametrize("path", [p for p in FILES if p.name != "__init__.py" or p.parent.name])
def test_imports_point_down(path):
    assert wrong(unit_of(path), (ROOT / path).read_text()) == []


def test_the_package_itself_imports_its_modules_only_when_they_are_used():
    tree = ast.parse((ROOT / "__init__.py").read_text())
    at_once = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not list(imported("\n".join(ast.unparse(node) for node in at_once)))


@pytest.mark.parametrize(
    ("unit", "source", "found"),
    [
        ("session", "from nbconvo.errors import Busy", []),
        ("session", "from nbconvo.session.turn import take", []),
        ("session", "def f():\n    from nbconvo.display import show", ["display"]),
        ("session", "import nbconvo.magics.loading", ["magics"]),
        ("session", "from nbconvo import participants, errors", ["participants"]),
        ("session", "import nbconvo", [""]),
        ("client", "from nbconvo.bridge import Bridge", ["bridge"]),
        ("client", "from nbconvo.testing import FakeProvider", ["testing"]),
        ("testing", "from nbconvo.errors import Busy", ["errors"]),
    ],
)
def test_an_import_that_does_not_point_down_is_found(unit, source, found):
    assert wrong(unit, source) == found
