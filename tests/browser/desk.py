"""What the tests of the panel do in its page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


@dataclass
class PanelDesk:
    """A notebook with a panel, and the provider that its participants ask."""

    notebook: Any
    provider: Any

    @property
    def page(self) -> Any:
        return self.notebook.page

    @property
    def panel(self) -> Any:
        return self.page.locator(".nbconvo-panel").first

    @property
    def log(self) -> Any:
        return self.panel.get_by_role("log")

    @property
    def rows(self) -> Any:
        return self.log.get_by_role("article")

    @property
    def message(self) -> Any:
        return self.panel.get_by_role("textbox", name=re.compile("Message to"))

    def choose(self, name: str) -> None:
        tab = self.panel.get_by_role("tab", name=name)
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
