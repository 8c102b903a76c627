"""All rules of ``eliza``, the first that fits first, and what it says when none does."""

from __future__ import annotations

from nbconvo.offline.eliza.manners import MANNERS
from nbconvo.offline.eliza.oneself import SELF
from nbconvo.offline.eliza.others import OTHERS
from nbconvo.offline.eliza.rule import Rule

__all__ = ["EARLIER", "GREETINGS", "OTHERWISE", "RULES", "SILENCE", "Rule"]

RULES = MANNERS + SELF + OTHERS

SILENCE = "Take your time. I am listening."

OTHERWISE = (
    "Go on, please.",
    "What does that bring to mind?",
    "Say a little more about that.",
    "How do you feel when you put it like that?",
    "And what lies behind that?",
    "I would like to understand that better. Can you give me an example?",
)

EARLIER = (
    "A while ago you spoke of your {0}. Does this have to do with it?",
    "Let us go back to your {0} for a moment. What comes to mind now?",
    "I keep thinking of your {0}, which you mentioned. Is there a thread between the two?",
)

GREETINGS = (
    "*(Asked to be {0}, I mostly listen.)*",
    "*(Listening today: {0}, or as near to it as a page of rules can get.)*",
    "*— {0}, in a quiet moment*",
)
