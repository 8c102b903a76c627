import pytest

from nbconvo.offline.eliza import reply
from nbconvo.offline.eliza.answer import reflect
from nbconvo.offline.eliza.rules import EARLIER, OTHERWISE, RULES, SILENCE


def conversation(*turns, system=None):
    """User turns with the replies that eliza gave between them."""
    messages = [{"role": "system", "content": system}] if system else []
    for turn in turns[:-1]:
        messages.append({"role": "user", "content": turn})
        messages.append({"role": "assistant", "content": reply(messages)})
    return [*messages, {"role": "user", "content": turns[-1]}]


def say(*turns, system=None):
    return reply(conversation(*turns, system=system))


def test_has_at_least_25_rules_with_more_than_one_answer():
    assert sum(len(rule.answers) > 1 for rule in RULES) >= 25


def test_every_answer_can_be_filled_from_its_own_pattern():
    for rule in RULES:
        parts = ["x"] * rule.pattern.groups
        assert all("{" not in answer.format(*parts) for answer in rule.answers)


@pytest.mark.parametrize(
    ("said", "given_back"),
    [
        ("my own fault", "your own fault"),
        ("I am tired of you", "you are tired of me"),
        ("you are my friend", "I am your friend"),
        ("that I was late", "that you were late"),
        ("I'm yours", "you're mine"),
        ("you like me", "I like you"),
        ("talk to you about myself", "talk to me about yourself"),
    ],
)
def test_reflection_swaps_the_persons(said, given_back):
    assert reflect(said) == given_back


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("I am worried about my thesis.", "your thesis"),
        ("I want to finish it", "finish it"),
        ("My mother calls daily", "your mother"),
        ("I think you are a machine", "I am a machine"),
        ("My name is Grace", "Grace"),
        ("I can\N{RIGHT SINGLE QUOTATION MARK}t sleep", "to sleep"),
        ("critic: I need more time", "more time"),
    ],
)
def test_gives_back_what_was_said(said, part):
    assert part in say(said)


def test_gives_the_same_reply_to_the_same_messages():
    messages = conversation("hello", "I am sad", "the rain again")
    assert reply(messages) == reply(messages)


def test_does_not_give_one_answer_twice_running():
    assert say("I feel old") != say("I feel old", "I feel old")


def test_asks_for_more_when_no_rule_fits():
    assert say("Purple rain") == OTHERWISE[0]


def test_comes_back_to_something_of_the_users_own_when_no_rule_fits():
    assert say("I lost my umbrella", "Purple rain") == EARLIER[0].format("umbrella")


@pytest.mark.parametrize("silence", ["", "  ", "...", "?!"])
def test_bears_silence(silence):
    assert say(silence) == SILENCE


def test_points_to_a_person_where_rules_must_not_play():
    assert "emergency number" in say("I want to die")


@pytest.mark.parametrize(
    ("system", "part"),
    [
        ("As a comedian, you are sarcastically funny", "the comedian"),
        ("You are Dr. Ada Lovelace, mathematician", "Dr. Ada Lovelace"),
        ("Your name is Bob.", "Bob"),
    ],
)
def test_names_the_part_it_was_given_once(system, part):
    assert part in say("Purple rain", system=system)
    assert part not in say("Purple rain", "Green rain", system=system)


@pytest.mark.parametrize("system", ["Be brief.", "You are sarcastic", "Answer in French"])
def test_an_instruction_without_a_part_changes_nothing(system):
    assert say("Purple rain", system=system) == say("Purple rain")


def test_braces_in_what_was_said_are_only_text():
    assert "{0} and {x}" in say("I need {0} and {x}")
