"""docs/testing.md holds what it promises: its examples are run as a user's tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


def test_the_examples_of_the_page_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins take seconds to load
    conftest, *examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    pytester.makeconftest(conftest)
    pytester.makeini(SETTINGS)
    tests = sum(example.count("def test_") for example in examples)
    pytester.makepyfile(**{f"test_{number}": code for number, code in enumerate(examples)})
    done = pytester.runpytest_subprocess(
        "-q", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin"
    )
    done.assert_outcomes(passed=tests)
