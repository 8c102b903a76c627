"""What the page may ask for: a table of actions, and what each does."""

from nbconvo.panel.actions.requests import Answer, Request, one_line
from nbconvo.panel.actions.table import answer, checked

__all__ = ["Answer", "Request", "answer", "checked", "one_line"]
