"""Rules for what the user says of the listener, of people and of things."""

from __future__ import annotations

from nbconvo.offline.eliza.rule import rule

__all__ = ["OTHERS"]

OTHERS = (
    rule(
        r"\bare you ~",
        "Would it matter to you if I were {0}?",
        "What makes you wonder whether I am {0}?",
    ),
    rule(
        r"\byou(?:'re| are) ~",
        "What in my words makes me seem {0}?",
        "Perhaps I am {0}. And you?",
    ),
    rule(
        r"\bcan you ~",
        "What would you do first, if I could {0}?",
        "You would like me to {0}. What would that give you?",
    ),
    rule(
        r"\byou (\w+) me\b",
        "What makes you feel that I {0} you?",
        "Who else would you say that of: that they {0} you?",
    ),
    rule(
        r"\bmy (mother|father|mum|mom|dad|parents?|sister|brother|family|wife|husband|partner|"
        r"son|daughter|children|grandmother|grandfather)\b",
        "Tell me more about your {0}.",
        "What would your {0} say, if sitting here with us?",
        "How did you and your {0} use to get on?",
    ),
    rule(
        r"\bmy (boss|job|work|colleagues?|project|thesis|paper|deadline|code|notebook)\b",
        "What part does your {0} play in how you feel?",
        "And outside of your {0}, what is there?",
    ),
    rule(
        r"\bmy (\w[\w-]*)",
        "Your {0}: what comes to mind first?",
        "Why do you bring up your {0} today?",
        "What would you change about your {0}?",
    ),
    rule(
        r"\b(?:computers?|machines?|robots?|programs?|language models?|ai)\b",
        "Do machines trouble you? I try to be a quiet one.",
        "What do you hope a machine could do for you that a person has not?",
    ),
    rule(
        r"\b(?:jok(?:e|es|ing)|funny|laugh\w*)\b",
        "What would you rather not talk about, while we are laughing?",
        "When did you last laugh until it hurt?",
    ),
    rule(
        r"\b(everyone|everybody|nobody|no one|always|never)\b",
        "{0}? Can you think of one exception?",
        "“{0}” is a large word. Who or what is it about, really?",
    ),
    rule(
        r"\bif ~",
        "How likely do you think it is that {0}?",
        "And what would you do, if {0}?",
    ),
    rule(
        r"\bbecause ~",
        "Is that the whole reason?",
        "What other reason might there be, besides that {0}?",
    ),
    rule(
        r"\b(?:perhaps|maybe)\b",
        "You sound undecided. What would tip the scales?",
        "Perhaps. And on the other days?",
    ),
    rule(
        r"^\W*(?:yes|yeah|sure|indeed|of course)\b",
        "You seem certain. What makes you so?",
        "Yes. And what follows from that?",
    ),
    rule(
        r"^\W*(?:no|nope|not really)\b",
        "What are you saying no to?",
        "No, then. Is it a gladly said no?",
    ),
    rule(
        r"(?:^\W*(?:what|how|why|when|who|where|which|is|does|do)\b|\?\W*$)",
        "What answer would please you most?",
        "What makes you ask that today?",
        "Whom have you asked before me?",
        "If you had to answer that yourself, what would you say?",
    ),
)
