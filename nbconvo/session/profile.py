"""Who a participant is and whom it asks: system prompt, service, model and options."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

from nbconvo import services
from nbconvo.configs import checked_options, default_options
from nbconvo.errors import InputError
from nbconvo.schemas import Form, form_of
from nbconvo.services import BaseService
from nbconvo.session.workspace import split_model, workspace
from nbconvo.specs import ToolSpec
from nbconvo.tools import Call, Toolbox

__all__ = [
    "MOST_ROUNDS",
    "TOOL_TIMEOUT",
    "Confirm",
    "Options",
    "Overrides",
    "Profile",
    "chosen",
]


#: Whether to ask before each call of a tool: in the cell, or by what is given the call and returns
#: whether it may run.
Confirm = bool | Callable[[Call], bool | Awaitable[bool]]

MOST_ROUNDS, TOOL_TIMEOUT, _REPAIRS = 10, 60.0, 2


class Options(TypedDict, total=False):
    """Options of a request; ``None`` leaves one to the service. See ``configs.oai_schema``."""

    temperature: float | None
    top_p: float | None
    max_tokens: int | None
    n: int | None
    stop: str | list[str] | None
    seed: int | None
    presence_penalty: float | None
    frequency_penalty: float | None
    logit_bias: dict[str, float] | None
    logprobs: bool | None
    top_logprobs: int | None
    response_format: dict[str, Any] | None
    reasoning: str | int | None
    reasoning_effort: str | None
    verbosity: str | None
    service_tier: str | None
    user: str | None
    stream: bool | None
    extra_body: Mapping[str, Any] | None


class Overrides(Options, total=False):
    """What one call may have of its own, in place of the session's."""

    system: str | None
    service: str | BaseService | None
    model: str | None
    tools: Callable[..., Any] | Sequence[Callable[..., Any]]
    max_rounds: int
    tool_timeout: float
    confirm: Confirm
    schema: Any
    repairs: int
    images: Sequence[Any]
    files: Sequence[Any]


# Not frozen: that takes five times as long to make, and each request makes one.
@dataclass(slots=True)
class Profile:
    """A session's own choices, as a value: not to be changed.

    A service or model of ``None`` is the configured one.

    Attributes:
        system: The system prompt.
        service: Whom to ask.
        model: The model to ask.
        options: Options of every request.
        toolbox: The tools that the model may call.
        confirm: Whether somebody is asked before each call, and how.
        form: What a reply has to look like.
        repairs: How often the model is asked to mend a reply that does not.
    """

    system: str | None
    service: BaseService | None
    model: str | None
    options: Mapping[str, Any]
    toolbox: Toolbox = field(default_factory=Toolbox)
    confirm: Confirm = False
    form: Form | None = None
    repairs: int = _REPAIRS

    @classmethod
    def of(
        cls, system: str | None, service: object, model: str | None, options: Mapping[str, Any]
    ) -> Profile:
        """Check the choices, and fill the options up with the defaults.

        Raises:
            InputError: If the service or an option is not known or cannot be used.
        """
        checked = default_options() | checked_options(options)
        return cls(system, *chosen(service, model), checked)

    @property
    def asked_service(self) -> BaseService:
        """The service in force."""
        return self.service or workspace.default_service()

    @property
    def asked_model(self) -> str | None:
        """The model in force; ``None`` if none was chosen and the service has no default."""
        return self.model or workspace.default_model(self.asked_service, self.options["model"])

    def overridden(self, overrides: Mapping[str, Any]) -> Profile:
        """Return the profile of one call: service and model decided, the rest replaced.

        Raises:
            InputError: If an override cannot be used, or no model is chosen.
        """
        given = dict(overrides)
        system = given.pop("system", None)
        service, model = chosen(given.pop("service", None), given.pop("model", None))
        if service is None or service is self.asked_service:
            service, model = self.asked_service, model or self.asked_model
        if not (model := model or workspace.default_model(service)):
            raise InputError(
                f"no model chosen for {service.name}; name one with --model "
                f"('%convo models {service.typed_as}' lists what it has)"
            )
        service.check_model(model)
        own = self.equipped(given)
        options = {**self.options, **checked_options(given)}
        system = self.system if system is None else system
        toolbox = own.toolbox.current()
        own.check_alternatives(options)
        return Profile(system, service, model, options, toolbox, own.confirm, own.form, own.repairs)

    def equipped(self, given: dict[str, Any]) -> Profile:
        """Return a copy with the tools and the schema that are among ``given``, and take them out.

        Raises:
            InputError: If one cannot be used.
        """
        changes: dict[str, Any] = {}
        box: dict[str, Any] = {}
        for name, kept, least in (("max_rounds", "rounds", 1), ("tool_timeout", "timeout", 0.001)):
            if (value := given.pop(name, None)) is not None:
                box[kept] = _number(name, value, least, whole=name == "max_rounds")
        if (tools := given.pop("tools", None)) is not None:
            box["tools"] = Toolbox.of(tools).tools
        if box:
            changes["toolbox"] = replace(self.toolbox, **box)
        if (confirm := given.pop("confirm", None)) is not None:
            if not isinstance(confirm, bool) and not callable(confirm):
                raise InputError(f"confirm must be True, False or a function, not {confirm!r:.80}")
            changes["confirm"] = confirm
        if (schema := given.pop("schema", None)) is not None:
            changes["form"] = form_of(schema)
        if (repairs := given.pop("repairs", None)) is not None:
            changes["repairs"] = _number("repairs", repairs, 0, whole=True)
        return replace(self, **changes) if changes else self

    def check_alternatives(self, options: Mapping[str, Any]) -> None:
        """Raise ``InputError`` if several replies are asked for where only one is gone on with."""
        what = "tools" if self.toolbox.tools else "a schema" if self.form is not None else None
        if what and (options.get("n") or 1) > 1:
            raise InputError(
                f"n={options['n']} does not go with {what}: only one reply can be gone on with; "
                "leave n out, or ask several times"
            )

    @property
    def asked_options(self) -> dict[str, Any]:
        """The options of a request, its tools and its schema among them."""
        options = {name: value for name, value in self.options.items() if value is not None}
        tools = list(self.toolbox.specs)
        if self.form is not None:
            spec = self.form.spec
            features = self.asked_service.features
            if "schema" in features or "tools" not in features:
                options["schema"] = spec
            else:
                # A call of a tool whose arguments are the reply.
                options["tool_choice"] = "required" if tools else spec.name
                about = spec.description or "Give the answer, in full."
                tools.append(ToolSpec(spec.name, about, spec.schema))
        if tools:
            options["tools"] = tuple(tools)
        return options

    def but(self, **changes: Any) -> Profile:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def described(self) -> dict[str, Any]:
        """Return the choices in force by name, options that are set among them."""
        given = {name: value for name, value in self.options.items() if value is not None}
        given.pop("model", None)
        tools = [tool.name for tool in self.toolbox.tools]
        return {
            "system": self.system,
            "service": self.asked_service.name,
            "model": self.asked_model,
            "options": given,
            **({"tools": tools} if tools else {}),
        }


def _number(name: str, value: Any, least: float, *, whole: bool) -> Any:
    kinds = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least:
        kind = "a whole number" if whole else "a number"
        raise InputError(f"{name} must be {kind}, {least} or more, not {value!r:.80}")
    return value


def chosen(service: object, model: object) -> tuple[BaseService | None, str | None]:
    """Return the service and the model that are named, ``service:model`` taken apart.

    Raises:
        InputError: If the service is neither a known name, nor an http address, nor a service.
    """
    if isinstance(service, str):
        service = services.get(service)
    elif not isinstance(service, BaseService | None):
        raise InputError(f"service must be a name, an http address or a service, not {service!r}")
    if not isinstance(model, str | None):
        raise InputError(f"model must be a text, not {model!r}")
    if model is not None and service is None:
        return split_model(model)
    if model is not None and (split := split_model(model))[0] is service:
        return split
    return service, model
