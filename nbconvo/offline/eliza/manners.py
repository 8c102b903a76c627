"""Rules for greetings, thanks, memories and dreams, which come before all others."""

from __future__ import annotations

from nbconvo.offline.eliza.rule import rule

__all__ = ["MANNERS"]

MANNERS = (
    rule(
        r"\b(?:kill myself|suicid\w*|end my life|want to die|hurt myself|harm myself)\b",
        "I am only a page of rules, and this deserves a person. Please talk to someone now: your "
        "local emergency number, a crisis line, or anyone you trust and can reach.",
    ),
    rule(
        r"^\W*(?:hello|hi|hey|good (?:morning|afternoon|evening))\b\W*$",
        "Hello. What would you like to talk about?",
        "Hello again. Where shall we go on?",
    ),
    rule(
        r"\bmy name is (\w+)",
        "I am glad to meet you, {0}. What brings you here?",
        "Yes, {0}. And how is the one behind the name?",
    ),
    rule(
        r"\b(?:goodbye|bye|see you|farewell)\b",
        "Goodbye. You did most of the work, you know.",
        "Until next time. I shall keep the chair warm.",
    ),
    rule(
        r"\b(?:thanks|thank you)\b",
        "You are welcome. What are you thankful for, besides?",
        "Gladly. Is there something you have not said yet?",
    ),
    rule(
        r"\b(?:sorry|apologi[sz]e)\b",
        "There is nothing to forgive here. What makes you apologise?",
        "Do you often feel that you owe someone an apology?",
    ),
    rule(
        r"\bi (?:still )?remember ~",
        "What makes you think of {0} just now?",
        "When {0} comes back to you, what comes with it?",
    ),
    rule(
        r"\bdo you remember ~",
        "I forget easily. What should I know about {0}?",
        "Why does {0} matter today?",
    ),
    rule(
        r"\bi (?:dreamt|dreamed|had a dream)(?: of| about| that)? ~",
        "And when you woke from it, how did you feel?",
        "Have you imagined {0} while awake, too?",
    ),
    rule(
        r"\bdream",
        "What do you make of your dreams?",
        "Who else appears in your dreams?",
    ),
    rule(
        r"\bwhy can'?t i ~",
        "What would you have to change, to {0}?",
        "Is it really that you can't {0}, or that you may not?",
    ),
    rule(
        r"\bwhy don'?t you ~",
        "Would it help you if I did {0}?",
        "Perhaps I will {0} one day. What would follow?",
    ),
)
