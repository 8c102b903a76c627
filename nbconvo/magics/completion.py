"""Tab completion on the lines of the magics: sessions, services, models, verbs, options."""

from __future__ import annotations

import re
from collections.abc import Iterable

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

__all__ = ["matcher"]

_LINE = re.compile(r"\s*%{1,2}(session|ask|exchange|panel|convo)\b(?P<words>.*)")
_ENDINGS = (".jsonl", ".csv", ".md")


@context_matcher()
def matcher(context: CompletionContext) -> SimpleMatcherResult:
    """Complete the word at the cursor, on a line of ours; elsewhere leave it to others."""
    line = context.full_text.split("\n")[context.cursor_line][: context.cursor_position]
    found = _LINE.fullmatch(line)
    if not found or (line[-1:] and not line[-1].isspace() and not found["words"]):
        return SimpleMatcherResult(completions=[], suppress=False)
    words = found["words"].split(" ")
    typed, before = words[-1], [word for word in words[:-1] if word]
    # IPython replaces its own token, which may begin inside the word.
    kept = len(typed) - len(context.token)
    fitting = [
        SimpleCompletion(text=candidate[max(kept, 0) :])
        for candidate in _candidates(found[1], before, typed)
        if candidate.startswith(typed)
    ]
    return SimpleMatcherResult(completions=fitting, suppress=bool(fitting))


def _candidates(magic: str, before: list[str], typed: str) -> Iterable[str]:
    from nbconvo import services
    from nbconvo.magics.verbs import VERBS
    from nbconvo.session import workspace

    if before and before[-1] == "--service":
        return services.names()
    if before and before[-1] == "--model":
        return [
            f"{name}:{service.default_model}"
            for name, service in services.registered()
            if isinstance(service, services.BaseService) and service.default_model
        ]
    from nbconvo.magics.magics import ConvoMagics

    options = getattr(ConvoMagics, magic).options
    if before and before[-1] in options.flags and options.takes_value(before[-1]):
        return []
    if typed.startswith("-"):
        return options.flags  # type: ignore[no-any-return]
    if magic == "convo" and not before:
        return VERBS
    if magic == "convo" and before[0] == "models":
        return services.names()
    return workspace.names()
