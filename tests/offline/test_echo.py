from nbconvo.offline.echo import reply


def test_repeats_the_last_user_message_to_the_letter():
    messages = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "first"},
        {"role": "user", "content": "  *second*\n\n\t{{x}} 🐋 "},
    ]
    assert reply(messages) == "  *second*\n\n\t{{x}} 🐋 "


def test_says_nothing_when_nothing_was_said():
    assert reply([{"role": "system", "content": "be brief"}]) == ""


def test_repeats_an_empty_last_message_and_not_an_earlier_one():
    messages = [{"role": "user", "content": "first"}, {"role": "user", "content": ""}]
    assert reply(messages) == ""
