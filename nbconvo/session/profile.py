"""Who a participant is and whom it asks: system prompt, service, model and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from nbconvo import services
from nbconvo.configs import checked_options, default_options
from nbconvo.errors import InputError
from nbconvo.services import BaseService
from nbconvo.session.workspace import split_model, workspace

__all__ = ["Options", "Overrides", "Profile", "chosen"]


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


@dataclass(frozen=True, slots=True)
class Profile:
    """A session's own choices; a service or model of ``None`` is the configured one."""

    system: str | None
    service: BaseService | None
    model: str | None
    options: Mapping[str, Any]

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
        options = {**self.options, **checked_options(given)}
        return Profile(self.system if system is None else system, service, model, options)

    def but(self, **changes: Any) -> Profile:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def described(self) -> dict[str, Any]:
        """Return the choices in force by name, options that are set among them."""
        given = {name: value for name, value in self.options.items() if value is not None}
        given.pop("model", None)
        return {
            "system": self.system,
            "service": self.asked_service.name,
            "model": self.asked_model,
            "options": given,
        }


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
