"""OpenAI's models on Azure: an address for each deployment, and a header of its own for the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, Unpack
from urllib.parse import quote

from nbconvo.errors import InputError
from nbconvo.keys import Key, Masked
from nbconvo.services.base import Request
from nbconvo.services.chat import ChatService
from nbconvo.services.checks import checked_text, masked, unseen_key, unseen_url
from nbconvo.services.credentials import credentials
from nbconvo.services.traits import Traits

__all__ = ["AzureService"]


class _Settings(TypedDict, total=False):
    max_requests_per_minute: float | None
    max_tokens_per_minute: float | None
    max_concurrent: int | None
    max_attempts: int
    timeout: float
    connect_timeout: float
    total_timeout: float
    headers: Mapping[str, str] | None
    name: str | None
    price: tuple[float, float] | None


class AzureService(ChatService):
    """A resource of Azure OpenAI; the model to ask is the name of a deployment.

    An address that ends in ``/openai/v1`` is asked by Azure's newer route, which has no versions.
    The names of the variables are those of openai-python.

    Args:
        api_key: The key; by default ``AZURE_OPENAI_API_KEY``. For a token of Entra ID pass
            ``headers={"Authorization": "Bearer ..."}`` instead.
        base_url: ``https://NAME.openai.azure.com``; by default ``AZURE_OPENAI_ENDPOINT``.
        api_version: By default ``OPENAI_API_VERSION``, else the last one that is no preview.
        settings: Those of every service.
    """

    name = "azure"
    key_variables = ("AZURE_OPENAI_API_KEY",)
    traits = Traits(max_tokens="max_completion_tokens")

    def __init__(
        self,
        api_key: str | Key | None = None,
        base_url: str | None = None,
        *,
        api_version: str | None = None,
        **settings: Unpack[_Settings],
    ) -> None:
        # A traceback that shows local variables must not show these.
        api_key, base_url = unseen_key(api_key), unseen_url(base_url)
        if "headers" in settings:
            settings["headers"] = masked(settings["headers"])
        try:
            super().__init__(api_key, base_url, **settings)
        except InputError:
            settings = {}  # what is none of them may be a key
            raise
        self._api_version = checked_text("api_version", api_version)

    @property
    def address_variable(self) -> str:
        """The environment variable that holds the address."""
        return "AZURE_OPENAI_ENDPOINT"

    @property
    def base_url(self) -> str:
        """The address in force: the argument, else the environment's."""
        if not self._base_url and not credentials.variable(self.address_variable):
            raise InputError(
                f"{self.name} has no address; set {self.address_variable} or pass base_url="
            )
        return super().base_url

    @property
    def api_version(self) -> str:
        """The version of the protocol that is asked for."""
        return self._api_version or credentials.variable("OPENAI_API_VERSION") or "2024-10-21"

    @property
    def needs_key(self) -> bool:
        """Wherever the resource is, unless a header tells who asks."""
        return not any(name.lower() == "authorization" for name in self.headers)

    @property
    def typed_as(self) -> str:
        """What stands for it after ``--service``; its address alone would be another protocol."""
        return self.listed_as or self.name

    def chat_url(self, model: str | None) -> str:
        """Return where the request to the deployment ``model`` goes."""
        if self._is_versionless:
            return super().chat_url(model)
        if not model:
            raise InputError(f"{self.name} needs the name of a deployment as the model")
        path = f"/openai/deployments/{quote(model, safe='')}/chat/completions"
        return f"{self.base_url}{path}?api-version={quote(self.api_version)}"

    def models_request(self) -> Request:
        """Return the request that lists the models which could be deployed."""
        if self._is_versionless:
            return super().models_request()
        return Request(f"{self.base_url}/openai/models?api-version={quote(self.api_version)}")

    def request_headers(self) -> dict[str, str]:
        """Return the headers of every request, the key in one called ``api-key``."""
        headers = super().request_headers()
        if (key := self.key) is not None:
            own = {name: value for name, value in headers.items() if name != "Authorization"}
            return {"api-key": Masked(key.reveal()), **own, **self.headers}
        return headers

    @property
    def _is_versionless(self) -> bool:
        return self.base_url.endswith("/v1")
