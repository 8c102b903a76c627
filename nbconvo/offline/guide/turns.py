"""The guide's answers that depend on the conversation: tasks, turns of an exchange, a summary."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbconvo.offline.heard import asked, brief, instruction, said, speaker
from nbconvo.tokens import estimate

__all__ = ["beyond_words", "in_exchange", "not_connected", "so_far", "task"]

_JOKE = (
    "A notebook walks into a bar. “You look out of order,” says the bartender. "
    "“I know,” says the notebook, “I was run 7, 2, 11.”"
)
_JOKE_WANTED = re.compile(r"\b(?:jokes?|funny|puns?)\b", re.IGNORECASE)
_CONNECT = """\
To connect one, run one of these:

- with a key in `OPENAI_API_KEY`: `%session NAME --service openai`
- or with Ollama here: `%session NAME --service http://localhost:11434/v1 --model MODEL`"""

_TURNS = (
    "I heard **{name}** say “{words}”. A model would answer that here{part}; I can only tell how "
    "an exchange works, a turn at a time.",
    "Each of us keeps a history of its own and hears the others under their names. Mine holds "
    "{history} by now, the last of them from **{name}**.",
    "**{name}** and I could be two different models: `%session NAME --service openai` for one of "
    "us, a local server for the other. The `%%exchange` cell stays as it is.",
    "If you interrupt us now, the rest is off and all that was said stays, the last words of "
    "**{name}** included.",
    "`--rounds` says how often each of us speaks, and `--to talk` keeps the turns in a variable, "
    "those of **{name}** too.",
    "When we are done, `%%ask` goes on with either of us alone: what **{name}** said stays in my "
    "history.",
)


def task(messages: Sequence[Mapping[str, Any]], text: str) -> str:
    """Answer a request for a text that only a model can write; once, for a joke, with a joke."""
    if not _JOKE_WANTED.search(text):
        return not_connected(messages)
    if any("run 7, 2, 11" in turn for turn in said(messages, "assistant")):
        return (
            "I knew one joke and you have heard it; I have run out. A model has more: it would be "
            f"sent {_sent(messages)}. {_way(messages)}"
        )
    return (
        f"Here is the only joke I know. It is canned, whatever you ask:\n\n> {_JOKE}\n\n"
        f"A model would have been sent {_sent(messages)}. {_way(messages)}"
    )


def not_connected(messages: Sequence[Mapping[str, Any]]) -> str:
    """Say what a model would be sent and how to connect one; each time a little otherwise."""
    turn = len(said(messages, "assistant"))
    if not asked(messages).strip():
        return "Nothing was asked yet. Try “how do I connect a model?” or “what can %%ask do?”."
    openings = (
        f"That one takes a model. It would be sent {_sent(messages)}.",
        f"Still for a model to say: it would be sent {_sent(messages)}. "
        "`%%ask NAME --dry-run` shows such a request in full.",
        f"I know nbconvo only, so this waits for a model; it would be sent {_sent(messages)}. "
        "The whole notebook runs unchanged once there is one.",
    )
    return f"{openings[turn % len(openings)]} {_way(messages)}"


def beyond_words(messages: Sequence[Mapping[str, Any]], things: str, cell: str) -> str:
    """Say that ``things`` take a model, which ``cell`` plays them, and how to connect one."""
    return (
        f"With your words came {things}. I have only words: that takes a model. Without one, "
        f"`offline:echo` plays it, by what you write and without understanding it:\n\n{cell}\n\n"
        f"{_way(messages)}"
    )


def _way(messages: Sequence[Mapping[str, Any]]) -> str:
    """Tell how to connect a model: in full the first time, then where to find it."""
    if any(_CONNECT in turn for turn in said(messages, "assistant")):
        return "“How do I connect a model?” tells how to give it one."
    return _CONNECT


def _sent(messages: Sequence[Mapping[str, Any]]) -> str:
    """Name what a request holds: the instruction in brief, earlier turns, and the question."""
    system = instruction(messages)
    turns = len(said(messages, "user")) + len(said(messages, "assistant")) - 1
    parts = [f"the instruction “{brief(system)}”"] if system else []
    if turns > 0:
        parts.append(f"the {_count(turns, 'earlier message')}")
    parts.append(f"your words “{brief(asked(messages), 9)}”")
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


def so_far(messages: Sequence[Mapping[str, Any]]) -> str:
    """Tell what the conversation has said and used, from its messages."""
    questions, replies = said(messages, "user"), said(messages, "assistant")
    tokens = sum(estimate(str(message.get("content") or "")) for message in messages)
    lines = [
        f"- {_count(len(questions), 'question')} with this one, {_count(len(replies), 'reply')}: "
        f"about **{tokens} tokens** of text"
    ]
    if system := instruction(messages):
        lines.append(f"- its instruction: “{brief(system)}”")
    if len(questions) > 1:
        lines.append(f"- it began with: “{brief(questions[0])}”")
        lines.append(f"- before this you asked: “{brief(questions[-2])}”")
    return (
        "So far, going by what this session sent me:\n\n" + "\n".join(lines) + "\n\n"
        "`%convo show` has it word by word, `%convo usage` the tokens of every request."
    )


def in_exchange(messages: Sequence[Mapping[str, Any]], name: str, words: str) -> str:
    """Take a turn in an exchange, in which ``name`` has just spoken: one not taken before."""
    system = instruction(messages)
    heard = "\n".join(str(message.get("content") or "") for message in messages)
    new = [turn for turn in _TURNS if _mark(turn) not in heard]
    spoken = len(said(messages, "assistant"))
    return (new or _TURNS)[0 if new else spoken % len(_TURNS)].format(
        name=name,
        words=brief(_own_words(words), 9),
        part=f" under “{brief(system, 8)}”" if system else "",
        history=_count(len(messages), "message"),
    )


def _mark(turn: str) -> str:
    """Return the longest stretch of a turn that is the same whoever speaks."""
    return max(re.split(r"\{\w+\}", turn), key=len)


def _own_words(words: str) -> str:
    """Return what a turn says itself, without the line in which a guide presents itself."""
    lines = [line for line in words.splitlines() if line.strip()]
    own = [line for line in lines if not line.startswith("*No model is connected")]
    return " ".join(speaker(line)[1] for line in own)


def _count(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"
