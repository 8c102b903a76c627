from __future__ import annotations

pytest_plugins = ["nbconvo.testing.fixtures"]
