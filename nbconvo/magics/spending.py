"""What was spent, and what may be: ``%convo usage`` and ``--budget``."""

from __future__ import annotations

import argparse
from typing import Any

from nbconvo import cards
from nbconvo.budget import checked_budget
from nbconvo.display.table import Table
from nbconvo.errors import InputError
from nbconvo.session import Session, workspace
from nbconvo.usage import Usage

__all__ = ["budget_of", "set_budget", "usage"]

# Left out where no row has any.
_SELDOM = ("cached", "cache writes", "reasoning", "budget")


def usage(words: list[str], args: argparse.Namespace, asking: Any) -> Table:
    """Return the table of what sessions took, and the whole kernel, forgotten sessions included.

    Cached and reasoning tokens have a column where there are any, a budget where one is set.
    """
    rows = [_row(session.name or "", session.usage, session.budget) for session in workspace]
    if len(rows) > 1:
        rows.append(_row("all", sum((session.usage for session in workspace), Usage()), None))
    kernel = sum((account.usage for account in workspace.accounts()), Usage())
    if kernel.requests:
        rows.append(_row("kernel", kernel, workspace.budget.limit))
    if not rows:
        return Table((), (), empty="no sessions yet; begin one with %%session NAME")
    shown = [n for n in rows[0] if n not in _SELDOM or any(row[n] not in {"", "0"} for row in rows)]
    return Table(tuple(shown), tuple(tuple(row[name] for name in shown) for row in rows))


def budget_of(text: str | None) -> float | None:
    """Return the dollars that ``--budget`` names; ``None`` for no limit.

    Raises:
        InputError: If it names none, or fewer than 0.
    """
    if text is None or text.lower() == "none":
        return None
    try:
        return checked_budget(float(text.removeprefix("$")))
    except (ValueError, InputError):
        raise InputError(
            f"--budget must be dollars such as 2.00, 0 or more, or none, not {text!r}"
        ) from None


def set_budget(session: Session, text: str | None) -> list[str]:
    """Set what ``--budget`` says, if anything; return it in words if it is another one."""
    if text is None or (budget := budget_of(text)) == session.budget:
        return []
    session.set_budget(budget)
    return ["no budget" if budget is None else f"at most {cards.dollars(budget)} in all"]


def _row(name: str, took: Usage, budget: float | None) -> dict[str, str]:
    about = "~" if took.estimated else ""
    unknown = took.cost is None and took.requests
    return {
        "session": name,
        "requests": f"{took.requests:,}",
        "input tokens": f"{about}{took.input_tokens:,}",
        "cached": f"{took.cached_tokens:,}",
        "cache writes": f"{took.cache_write_tokens:,}",
        "output tokens": f"{about}{took.output_tokens:,}",
        "reasoning": f"{took.reasoning_tokens:,}",
        "cost": "unknown" if unknown else cards.cost(took) or cards.dollars(0.0),
        "budget": "" if budget is None else cards.dollars(budget),
    }
