"""Where services that speak chat completions deviate from each other, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["DETAILS", "EXTRAS", "Traits"]

#: Protocols of carried blocks: OpenRouter's ``reasoning_details``, and what Gemini hangs on a call.
DETAILS, EXTRAS = "chat.reasoning_details", "chat.extra_content"


@dataclass(frozen=True, slots=True)
class Traits:
    """How a service takes what all of them take in some way; the defaults fit most.

    Attributes:
        max_tokens: The field that limits the length of a reply.
        renamed: Options by the names that the service has for them.
        refused: Options that it answers with an error, or takes and ignores.
        stream_options: Whether it may be asked for the usage of a stream; those that may not tell
            it anyway.
        reasoning: The field that says how much to reason. ``reasoning_effort`` takes a word;
            ``reasoning`` is OpenRouter's object; ``thinking_config`` is ``reasoning_effort``, with
            Google's own field for a number of tokens; ``chat_template_kwargs`` passes the word to
            the template of the model.
        schema: What holds a reply to a schema: ``json_schema`` does, ``json_object`` holds it to
            JSON and needs the schema told in words, ``None`` has only the words.
        pdf: Whether it takes a PDF as a ``file`` part.
        names_tool: Whether ``tool_choice`` can name one tool.
        carries: Which carried blocks go back to it.
        short_ids: Whether the ids of calls have to be nine letters and digits: those that another
            service gave are replaced.
        reasoning_back: The field in which the reasoning of a turn with tool calls goes back.
    """

    max_tokens: str = "max_tokens"
    renamed: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    stream_options: bool = True
    reasoning: Literal[
        "reasoning_effort", "reasoning", "thinking_config", "chat_template_kwargs"
    ] = "reasoning_effort"
    schema: Literal["json_schema", "json_object"] | None = "json_schema"
    pdf: bool = False
    names_tool: bool = True
    short_ids: bool = False
    carries: frozenset[str] = frozenset()
    reasoning_back: str | None = None
