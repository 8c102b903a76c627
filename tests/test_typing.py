"""The package, and a typed use of it, pass mypy in strict mode."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
USE = "tests/typing/api.py"


def mypy(*arguments: str) -> str:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_package_and_a_use_of_its_api_are_typed():
    assert mypy("nbconvo", USE) == ""


def test_a_wrong_use_of_the_api_is_found(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from nbconvo import Session\n"
        "Session(system=1)\n"
        "async def ask() -> int:\n"
        "    return await Session().ask('x')\n"
    )
    said = mypy(str(wrong))
    assert 'wrong.py:2: error: Argument "system" to "Session"' in said
    assert "wrong.py:4: error: Incompatible return value type" in said
