"""Rules for what the user says of themselves: I can't, I want, I am, I feel."""

from __future__ import annotations

from nbconvo.offline.eliza.rule import rule

__all__ = ["SELF"]

SELF = (
    rule(
        r"\bi (?:can'?t|cannot|am not able to) ~",
        "What stands between you and that: to {0}?",
        "Suppose you could {0}. What would you do the morning after?",
        "Who told you that you can't {0}?",
    ),
    rule(
        r"\bi(?:'d like| would like| want| need| wish| hope) to ~",
        "What would it give you, to {0}?",
        "What has kept you from it so far: to {0}?",
        "Whose wish is it that you {0}?",
    ),
    rule(
        r"\bi(?:'d like| would like| need| want| wish for| hope for) ~",
        "What would change if you got {0}?",
        "How long have you wanted {0}?",
        "And if {0} never came?",
    ),
    rule(
        r"\bi(?:'m| am)(?: (?:so|very|a bit|rather))? "
        r"(sad|unhappy|depressed|lonely|alone|miserable|down|upset)\b",
        "I am sorry that you are {0}. When did it begin?",
        "What does being {0} keep you from?",
    ),
    rule(
        r"\bi(?:'m| am)(?: (?:so|very|rather))? (happy|glad|pleased|proud|excited)\b",
        "How good to hear that you are {0}. What brought it about?",
        "What would help you to stay {0}?",
    ),
    rule(
        r"\b(?:i(?:'m| am)|feel(?:ing)?) (?:\w+ )?(tired|exhausted|sleepy)\b",
        "What has made you so {0}?",
        "If you could rest from one thing only, which would it be?",
    ),
    rule(
        r"\b(?:afraid|scared|frightened|worried|anxious)(?: of| about| that) ~",
        "What is the worst that {0} could bring?",
        "Does the fear of {0} remind you of an older one?",
    ),
    rule(
        r"\bi(?:'m| am) ~",
        "How long have you been {0}?",
        "What is it like to be {0}?",
        "Do those around you know that you are {0}?",
    ),
    rule(
        r"\bi (?:feel|felt)(?: like| that)? ~",
        "Tell me more about feeling {0}.",
        "Where in the day do you feel {0} most?",
        "Is {0} a feeling you know of old?",
    ),
    rule(
        r"\bi don'?t know\b",
        "If you did know, what might the answer be?",
        "Not knowing can be a good place to start. What is the nearest you can get?",
    ),
    rule(
        r"\bi (?:don'?t|do not) ~",
        "What keeps you from it: that you don't {0}?",
        "Was there a time when you did {0}?",
    ),
    rule(
        r"\bi (?:think|believe|suppose|guess)(?: that)? ~",
        "How sure are you that {0}?",
        "What would it mean to you if it were not so that {0}?",
    ),
    rule(
        r"\bi (love|like|adore|hate|dislike) ~",
        "What is it in {1} that you {0}?",
        "Have you always known that you {0} {1}?",
    ),
    rule(
        r"\bi was ~",
        "And are you still {0}, in some way?",
        "What did it teach you, that you were {0}?",
    ),
)
