"""A reply as a whole: a text that knows where it came from and shows itself."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from nbconvo.messages import Message
from nbconvo.session.frames import frame_of
from nbconvo.usage import Usage

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Reply"]

_UNREAD = object()  # no schema was asked for; with one, None is an object too

# A fence of three or more backticks or tildes, its info string, and the code up to its like.
_FENCE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n`]*\n(?P<code>.*?)^ {0,3}(?P=fence)[`~]*[ \t\r]*$",
    re.DOTALL | re.MULTILINE,
)


class Reply(str):
    """The text of a reply, shown as safe Markdown where it is displayed.

    Attributes:
        message: The message on the conversation's tree.
        choices: The texts of all alternatives, this one first; more than one when ``n`` was.
        steps: What was said on the way to it, in order: replies that called tools, and results.
    """

    message: Message
    choices: tuple[str, ...]
    steps: tuple[Message, ...]
    _parsed: Any
    _shown_in: int | None

    def __new__(
        cls,
        message: Message,
        choices: tuple[str, ...] = (),
        steps: tuple[Message, ...] = (),
        parsed: Any = _UNREAD,
    ) -> Reply:
        """Make the reply that ``message`` is."""
        reply = super().__new__(cls, message.content)
        reply.message = message
        reply.choices = choices or (message.content,)
        reply.steps = steps
        reply._parsed = parsed
        reply._shown_in = None
        return reply

    @property
    def speaker(self) -> str | None:
        """The name of the session that said it."""
        return self.message.name

    @property
    def usage(self) -> Usage:
        """Tokens that it took, those of its steps and repairs included."""
        return self.message.took or Usage()

    @property
    def cost(self) -> float | None:
        """US dollars that it took; ``None`` is unknown. ``usage.priced`` tells a computed one."""
        return self.usage.cost

    @property
    def finish_reason(self) -> str | None:
        """Why it ended: ``stop``, ``length``, ``stopped`` by the user, ..."""
        return self.message.finish_reason

    @property
    def code_blocks(self) -> tuple[str, ...]:
        """The contents of its fenced code blocks, in order."""
        return tuple(found["code"] for found in _FENCE.finditer(self))

    @property
    def parsed(self) -> Any:
        """The object that it is, where a schema was asked for.

        Without one, the JSON value that it is, or that its only code block holds; ``None`` if
        neither.
        """
        if self._parsed is not _UNREAD:
            return self._parsed
        blocks = self.code_blocks
        for text in (str(self), *(blocks if len(blocks) == 1 else ())):
            try:
                return json.loads(text)
            except ValueError:
                continue
        return None

    def to_pandas(self) -> pd.DataFrame:
        """Return :attr:`parsed`, a list of objects or an object that holds one, as a data frame.

        Raises:
            InputError: If it is neither, or pandas is not installed.
        """
        return frame_of(self.parsed)

    def shown(self, execution: int) -> Reply:
        """Return it, silent for the rest of that execution of a cell: it is on its page already."""
        self._shown_in = execution
        return self

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import publish_display_data

        shell = get_ipython()
        if shell is None or shell.execution_count != self._shown_in:
            publish_display_data(self._repr_mimebundle_())

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        # No text/markdown: a front end may prefer it, and run what it holds.
        from nbconvo import cards

        card = cards.Card.of(self.speaker, self.message, self.steps)
        return {"text/html": cards.html([card]), "text/plain": cards.text([card])}

    def __reduce__(self) -> tuple[Any, ...]:
        parsed = () if self._parsed is _UNREAD else (self._parsed,)
        return (Reply, (self.message, self.choices, self.steps, *parsed))
