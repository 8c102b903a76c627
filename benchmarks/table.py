"""A table of figures as Markdown, and the machine that they were taken on."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

__all__ = ["Table", "installed", "machine", "spread"]

SHOWN = ("aiohttp", "orjson", "msgspec", "ipykernel")


@dataclass
class Table:
    """Rows of figures.

    Attributes:
        title: What was measured.
        about: How, and what the figures mean.
        columns: Names of all columns, the first that of the rows' labels.
        rows: Cells as they are shown.
        notes: What could not be measured, and what else is to be said.
    """

    title: str
    about: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Return it as a section of a page."""
        lines = [f"## {self.title}", "", self.about, ""]
        if self.rows:
            lines.append("| " + " | ".join(self.columns) + " |")
            lines.append("|---|" + "--:|" * (len(self.columns) - 1))
            lines += ["| " + " | ".join(row) + " |" for row in self.rows]
            lines.append("")
        if self.notes:
            lines += [*(f"- {note}" for note in self.notes), ""]
        return "\n".join(lines)


def spread(figures: Sequence[float], digits: int = 2) -> tuple[str, str, str]:
    """Return the least, the median and the greatest of some figures, to be shown."""
    if not figures:
        return ("", "", "")
    found = (min(figures), statistics.median(figures), max(figures))
    least, median, most = (f"{figure:,.{digits}f}" for figure in found)
    return least, median, most


def installed(distribution: str) -> str | None:
    """Return the version of a distribution, or ``None`` if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def machine(distributions: Sequence[str]) -> str:
    """Say which machine this is, and which versions of ``distributions`` are installed."""
    found = [
        f"{name} {number}"
        for name in dict.fromkeys((*SHOWN, *distributions))
        if (number := installed(name))
    ]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return ", ".join(
        [platform.system(), platform.machine(), f"{os.cpu_count()} cores", python, *found]
    )
