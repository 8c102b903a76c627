"""How a reply came about, folded away: what a model thought, called, and was told."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from nbconvo.cards.facts import seconds
from nbconvo.conversation import with_results
from nbconvo.markdown import plain
from nbconvo.messages import Message, ToolCall
from nbconvo.spelling import called, cut, visible

__all__ = ["why"]

# Characters that are shown.
_LONGEST_CALL, _LONGEST_RESULT, _LONGEST_THOUGHT = 1_000, 4_000, 20_000
_WORTH_TELLING = 0.1  # seconds that a call took


def why(reasoning: str, steps: Sequence[Message] = ()) -> str:
    """Return a model's reasoning and the steps to its reply, untrusted, as HTML, folded away.

    It is empty if there is neither.
    """
    inner = "".join(_steps(steps)) + _paragraphs(reasoning)
    if not inner:
        return ""
    summary = " · ".join(_summary(reasoning, steps))
    return f'<details class="nbconvo-why"><summary>{summary}</summary>{inner}</details>'


def _summary(reasoning: str, steps: Sequence[Message]) -> Iterator[str]:
    calls = sum(len(step.calls) for step in steps)
    refused = sum(step.failed and step.finish_reason == "refused" for step in steps)
    failed = sum(step.failed for step in steps) - refused
    unfit = sum(not step.is_step for step in steps)
    if reasoning.strip() or any(step.reasoning.strip() for step in steps) or not (calls or unfit):
        yield "reasoning"
    if calls:
        yield f"{calls} tool call{'s' * (calls != 1)}"
    if unfit:
        yield f"{unfit} attempt{'s' * (unfit != 1)} that did not fit"
    if failed:
        yield f"{failed} failed"
    if refused:
        yield f"{refused} not allowed"


def _steps(steps: Sequence[Message]) -> Iterator[str]:
    for said, pairs in with_results(steps):
        if said is not None:
            yield _paragraphs(said.reasoning) + _paragraphs(said.content)
        for call, result in pairs:
            yield _call(call, result) + _result(result)


def _call(call: ToolCall | None, result: Message | None) -> str:
    if call is None:
        code = called((result and result.name) or "?", "…")
    else:
        code = cut(called(call.name, call.arguments), _LONGEST_CALL)
    took = (result and result.seconds) or 0
    time = f" <small>{seconds(took)}</small>" if took >= _WORTH_TELLING else ""
    return f'<p class="nbconvo-call"><code>{html.escape(plain(code))}</code>{time}</p>'


def _result(result: Message | None) -> str:
    if result is None:
        return ""
    text = html.escape(visible(cut(plain(result.content), _LONGEST_RESULT)))
    if not result.failed:
        return f'<pre class="nbconvo-result">{text}</pre>'
    said = text.removeprefix("error: ")
    return f'<pre class="nbconvo-result nbconvo-error">\u26a0\ufe0e {said}</pre>'


def _paragraphs(words: str) -> str:
    parts = cut(plain(words), _LONGEST_THOUGHT).split("\n\n")
    escaped = (html.escape(part.strip()) for part in parts)
    return "".join(f"<p>{part}</p>".replace("\n", "<br>") for part in escaped if part)
