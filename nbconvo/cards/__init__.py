"""Replies as static cards, and the parts that other places show of them."""

from nbconvo.cards.card import Card, around, html, text
from nbconvo.cards.enclosures import enclosed
from nbconvo.cards.facts import cost, dollars, footer
from nbconvo.cards.speakers import hue
from nbconvo.cards.steps import why
from nbconvo.cards.style import STYLE

__all__ = [
    "STYLE",
    "Card",
    "around",
    "cost",
    "dollars",
    "enclosed",
    "footer",
    "html",
    "hue",
    "text",
    "why",
]
