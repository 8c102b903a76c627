"""What a service is: messages to a request, events to deltas, failures to errors. All pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from nbconvo.errors import InputError, ServiceError
from nbconvo.keys import Masked
from nbconvo.messages import Delta, Message
from nbconvo.services.checks import shown_url
from nbconvo.services.endpoint import Endpoint
from nbconvo.services.failures import failure

__all__ = ["BaseService", "Feature", "ModelInfo", "Request"]

Feature = Literal["tools", "schema", "images", "files", "reasoning"]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: where to, which JSON body (``None``: a GET), and headers of its own.

    The service's headers, the key among them, are added when it is sent.
    """

    url: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a service offers; what is not told is ``None``.

    Attributes:
        id: The name to ask for it.
        context: How long a conversation may be, in tokens.
        input_price: US dollars for a million tokens of the prompt.
        output_price: The same of the reply.
    """

    id: str
    context: int | None = None
    input_price: float | None = None
    output_price: float | None = None


class BaseService(Endpoint):
    """A service that answers over HTTP. Subclass it, and say how a request and a reply look.

    A subclass sets ``name``, ``address`` and, where they exist, ``key_variables`` and
    ``default_model``, and defines :meth:`request`, :meth:`deltas` and :meth:`reply`.
    No state of a request may be kept on ``self``: many run at once. It is made with what an
    :class:`~nbconvo.services.endpoint.Endpoint` takes.
    """

    default_model: ClassVar[str | None] = None
    #: What it can be asked beside words. A schema that it doesn't take is asked for as a tool, or
    #: in words; the others are refused before anything is sent.
    features: ClassVar[frozenset[Feature]] = frozenset()
    #: The longest side of an image that its models make use of, in pixels.
    image_side: ClassVar[int] = 2048
    #: The header whose value tells the service that a request is one it may know already.
    idempotency_header: ClassVar[str | None] = None

    def check_model(self, model: str) -> None:
        """Raise ``InputError`` if it is known, before anything is sent, that there is no such."""

    def check(self, messages: Sequence[Message], options: Mapping[str, Any]) -> None:
        """Raise ``InputError`` if it is known, before anything is sent, that it can't take these.

        ``options`` are those of :meth:`request`.
        """
        wanted: list[Feature] = []
        if options.get("tools"):
            wanted.append("tools")
        if options.get("reasoning") is not None:
            wanted.append("reasoning")
        for message in messages:
            for item in message.attachments:
                if not item.data:
                    raise InputError(
                        f"{item.name or item.media_type!r} cannot be sent again: "
                        "the log has lost it"
                    )
                wanted.append("images" if item.is_image else "files")
        for feature in wanted:
            if feature not in self.features:
                raise InputError(
                    f"{self.name} does not take {feature}; leave them out, or ask another service"
                )

    async def open(self) -> None:
        """Prepare to be asked; runs on the I/O thread before each request. Nothing by default."""

    async def close(self) -> None:
        """Undo :meth:`open`; runs on the I/O thread when it ends. Nothing by default."""

    def request(
        self,
        messages: Sequence[Message],
        model: str | None,
        options: Mapping[str, Any],
    ) -> Request:
        """Return the request that asks ``model`` to go on with ``messages``.

        Args:
            messages: The conversation. A reply's ``carried`` blocks of this protocol go back as
                they are, in place of what they say.
            model: The model to ask.
            options: Those of ``configs.oai_schema`` that are not ``None``, and ``tools`` (a
                sequence of :class:`~nbconvo.specs.ToolSpec`), ``tool_choice`` (``auto``, ``none``,
                ``required`` or a tool's name), ``schema`` (a :class:`~nbconvo.specs.SchemaSpec`),
                ``reasoning`` (``low``, ``medium``, ``high``, or most tokens of it).

        Raises:
            InputError: If the service cannot be asked this.
        """
        raise NotImplementedError

    def deltas(self, event: dict[str, Any]) -> Iterable[Delta]:
        """Return the deltas that one event of the stream holds (its JSON data, decoded)."""
        raise NotImplementedError

    def together(self, events: Iterable[dict[str, Any]]) -> Iterator[Delta]:
        """Yield the deltas of events that came together, perhaps fewer that say the same.

        By default those of :meth:`deltas`, one event after the other.
        """
        for event in events:
            yield from self.deltas(event)

    def reply(self, body: dict[str, Any]) -> Iterable[Delta]:
        """Return a reply that came whole, as deltas; the last has a ``finish_reason``."""
        raise NotImplementedError

    def models_request(self) -> Request:
        """Return the request that lists the service's models."""
        return Request(f"{self.base_url}/models")

    def models(self, body: Mapping[str, Any]) -> tuple[ModelInfo, ...]:
        """Return the models that a models reply lists, in its order."""
        raise NotImplementedError

    def failure(
        self, status: int, headers: Mapping[str, str], body: str, model: str | None
    ) -> ServiceError:
        """Return the error that a response with an error status, or an error event, stands for."""
        return failure(
            self.name,
            status,
            headers,
            body,
            model=model,
            key=self.key,
            key_variable=self.key_variable,
            address=shown_url(self.base_url),
            typed=self.typed_as,
        )

    def request_headers(self) -> dict[str, str]:
        """Return the headers of every request, the key among them; secret ones don't print.

        Raises:
            MissingKey: Where a key is needed and there is none.
        """
        key = self.checked_key()
        headers: dict[str, str] = {"Accept": "application/json"}
        if key is not None:
            headers["Authorization"] = Masked("Bearer " + key.reveal())
        return {**headers, **self.headers}
