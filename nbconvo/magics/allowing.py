"""Asks the user, in the cell, whether a tool may be called."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from nbconvo.markdown import plain
from nbconvo.session.asker import Question

__all__ = ["allowed"]

_LONGEST = 2_000  # characters of a call that are shown


def allowed(question: Question) -> bool | None:
    """Show what would run, and return whether the user types yes; an interrupt stops the cell.

    ``None`` says that nobody can type anything here.
    """
    who = question.speaker or "the model"
    call = " ".join(plain(str(question.call)).split())
    shown = call if len(call) <= _LONGEST else f"{call[:_LONGEST]} …"
    try:
        with _interrupts_raise():
            said = input(f"{who} wants to run {shown}\nAllow it? [y/N] ")
    except KeyboardInterrupt:
        signal.raise_signal(signal.SIGINT)  # now to whoever watches the cell
        return False
    except (EOFError, RuntimeError):  # no terminal, or a front end that takes no input
        print(f"nobody can be asked here whether to run {shown}: not allowed")
        return None
    return said.strip().lower() in {"y", "yes"}


@contextmanager
def _interrupts_raise() -> Iterator[None]:
    """Have SIGINT end the waiting for the user, as everywhere else."""
    watching = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, watching)
