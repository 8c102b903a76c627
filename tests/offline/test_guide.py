import pytest

from nbconvo.offline.guide import FIRST_LINE, TOPICS, reply
from nbconvo.offline.guide.topic import nearest

COMEDIAN = "As a comedian, you are sarcastically funny"
JOKE = "run 7, 2, 11"


def conversation(*turns, system=COMEDIAN):
    """User turns with the replies that the guide gave between them."""
    messages = [{"role": "system", "content": system}] if system else []
    for turn in turns[:-1]:
        messages.append({"role": "user", "content": turn})
        messages.append({"role": "assistant", "content": reply(messages)})
    return [*messages, {"role": "user", "content": turns[-1]}]


def say(*turns, system=COMEDIAN):
    return reply(conversation(*turns, system=system))


@pytest.mark.parametrize(
    "question", ["tell me a joke", "%%ask", "critic: hm", "", "why?", "what was said so far?"]
)
def test_first_line_says_that_no_model_is_connected(question):
    first = say(question).splitlines()[0]
    assert first == FIRST_LINE
    assert "No model is connected" in first


def test_answers_when_no_message_is_there_at_all():
    assert "Nothing was asked yet" in reply([])


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("how do I connect a model?", "connect"),
        ("Which service should I use?", "connect"),
        ("how do I get an OpenAI key in?", "openai"),
        ("openrouter", "openrouter"),
        ("openrouetr?", "openrouter"),
        ("can I use Ollama on my laptop?", "ollama"),
        ("lm studio", "lmstudio"),
        ("vLLM on our cluster", "vllm"),
        ("llama.cpp?", "llamacpp"),
        ("use my own server at http://10.0.0.2:9000/v1", "compatible"),
        ("what does %%session do?", "session"),
        ("%%ask", "ask"),
        ("what is --dry-run?", "variable"),
        ("explain %%exchange", "exchange"),
        ("how can two participants talk to each other?", "exchange"),
        ("how do I undo?", "convo"),
        ("what models are there?", "models"),
        ("change settings", "config"),
        ("How do I put a dataframe into a prompt?", "interpolation"),
        ("can I use it from Python?", "python"),
        ("export to csv", "log"),
        ("how do I save all this", "log"),
        ("rate limits?", "limits"),
        ("how do I stop a reply?", "interrupt"),
        ("error 401", "errors"),
        ("eliza", "toys"),
        ("how do I use tools?", "tools"),
        ("what is --confirm?", "tools"),
        ("how do I get a pydantic model?", "schema"),
        ("how can I send an image?", "images"),
        ("does this cost money?", "privacy"),
        ("hello", "about"),
        ("thanks!", "thanks"),
    ],
)
def test_answers_what_was_asked_about_nbconvo(question, topic):
    known = {topic.name: topic for topic in TOPICS}
    assert say(question) == f"{FIRST_LINE}\n\n{known[topic].answer}"


@pytest.mark.parametrize(
    ("service", "exact"),
    [
        ("openai", "%%session NAME --service openai"),
        ("openrouter", "OPENROUTER_API_KEY"),
        ("ollama", "--service http://localhost:11434/v1"),
        ("lmstudio", "--service http://localhost:1234/v1"),
        ("vllm", "--service http://localhost:8000/v1"),
        ("llama.cpp", "--service http://127.0.0.1:8080/v1"),
    ],
)
def test_tells_the_exact_line_that_connects_a_service(service, exact):
    assert exact in say(service)


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France?",
        "In two sentences: why do whales sing?",
        "Is a notebook a good place to talk?",
        "Give me a list of five fruits",
        "What is in this picture, and which tool made it?",
        "What is the limit of 1/x?",
        "Write an essay on rate limits in the history of telephone exchanges",
        "What do you think of octopuses?",
    ],
)
def test_does_not_pretend_to_know_what_takes_a_model(question):
    said = say(question)
    assert question.split()[0] in said
    assert f"the instruction “{COMEDIAN}”" in said
    assert "`%session NAME --service openai`" in said
    assert "`%session NAME --service http://localhost:11434/v1 --model MODEL`" in said


def test_says_in_other_words_what_takes_a_model_when_asked_again():
    first = say("Why is the sky blue?", system=None)
    second = say("Why is the sky blue?", "Why is the sky blue?", system=None)
    assert first.splitlines()[2] != second.splitlines()[2]


def test_a_magic_named_beside_a_joke_is_what_is_asked_about():
    assert JOKE not in say("can %%ask keep a joke in a variable?")
    assert JOKE in say("a joke that is 100% funny")


def test_tells_its_one_joke_once_and_says_that_it_is_canned():
    first = say("very short joke: a blue whale and a big shark meet at the bar")
    assert JOKE in first
    assert "only joke I know" in first
    assert "canned" in first


@pytest.mark.parametrize("more", ["another joke", "again, about octopuses", "one more, please"])
def test_admits_that_it_has_run_out_of_jokes(more):
    second = say("a joke please", more)
    assert JOKE not in second
    assert "I have run out" in second


def test_again_finds_the_last_request_that_says_of_what():
    assert "I have run out" in say("a joke please", "again", "and again")


def test_tells_what_was_said_and_used_so_far():
    said = say("a joke please", "how do I undo?", "what have we said so far?")
    assert "3 questions with this one, 2 replies" in said
    assert COMEDIAN in said
    assert "it began with: “a joke please”" in said
    assert "before this you asked: “how do I undo?”" in said
    assert "tokens**" in said


@pytest.mark.parametrize(
    "question",
    ["how many tokens did we use?", "what did I ask before?", "summarize this conversation"],
)
def test_knows_a_question_about_the_conversation(question):
    assert "going by what this session sent me" in say("hello", question)


def test_an_exchange_of_three_rounds_never_repeats_a_turn():
    opening = "Is a notebook a good place to talk?"
    comedian = conversation(opening)
    critic = conversation(opening, system="As a critic, you are stern")
    turns = []
    for _ in range(3):
        for name, mine, others in (
            ("comedian", comedian, critic),
            ("critic", critic, comedian),
        ):
            turns.append(reply(mine))
            mine.append({"role": "assistant", "content": turns[-1]})
            others.append({"role": "user", "content": f"{name}: {turns[-1]}"})
    assert len(set(turns)) == 6
    assert all(len(turn.split()) < 80 for turn in turns)
    assert all(
        f"**{name}**" in turn
        for name, turn in zip(["comedian", "critic"] * 2, turns[1:5], strict=True)
    )


def test_a_turn_of_an_exchange_quotes_the_speaker_not_the_guides_first_line():
    said = say(f"critic: {FIRST_LINE}\n\nOctopuses are *overrated*.")
    assert "“Octopuses are overrated”" in said
    assert said.count("No model is connected") == 1


def test_goes_on_taking_turns_after_all_of_them_were_used():
    turns = ["critic: so it is"] * 9
    assert "critic" in say(*turns)


def test_answers_are_short():
    assert {t.name: len(t.answer.split()) for t in TOPICS if len(t.answer.split()) > 110} == {}


def test_no_two_topics_answer_alike_or_share_a_name():
    assert len({topic.answer for topic in TOPICS}) == len(TOPICS)
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


def test_code_blocks_are_closed():
    assert all(topic.answer.count("```") % 2 == 0 for topic in TOPICS)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_sure_sign_leads_to_its_topic(topic):
    for sign in topic.strong:
        found, _ = nearest(sign, TOPICS)
        assert found is topic, sign


def test_the_same_messages_get_the_same_reply():
    messages = conversation("hello", "a joke", "why?")
    assert reply(messages) == reply(messages)


def test_a_question_below_what_others_said_is_answered():
    heard = "critic: I did not laugh.\n\nNot at all."
    said = reply([{"role": "user", "content": f"{heard}\n\nHow do I connect Ollama?"}])
    assert "ollama pull" in said
    assert "critic" in reply([{"role": "user", "content": heard}])
