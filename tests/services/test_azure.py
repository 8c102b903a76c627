"""Azure OpenAI: an address for each deployment, a version, and a header of its own."""

from __future__ import annotations

import pytest

from nbconvo import services
from nbconvo.errors import InputError, MissingKey
from nbconvo.messages import Message
from nbconvo.services import AzureService

KEY = "made-up-Zq81xYw27vUt96"
URL = "https://mine.openai.azure.com"
ASKED = (Message(role="user", content="Whale?"),)


def test_a_deployment_is_asked_at_an_address_of_its_own():
    azure = AzureService(KEY, URL + "/", api_version="2025-03-01-preview")
    request = azure.request(ASKED, "my model", {"max_tokens": 5, "stream": True})
    assert request.url == (
        f"{URL}/openai/deployments/my%20model/chat/completions?api-version=2025-03-01-preview"
    )
    assert request.body == {
        "model": "my model",
        "messages": [{"role": "user", "content": "Whale?"}],
        "max_completion_tokens": 5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_key_has_a_header_of_its_own_and_does_not_print():
    headers = AzureService(KEY, URL, headers={"X-Tag": "a"}).request_headers()
    assert {name: str(value) for name, value in headers.items()} == {
        "Accept": "application/json",
        "api-key": KEY,
        "X-Tag": "a",
    }
    assert KEY not in repr(headers)


def test_a_token_takes_the_place_of_a_key():
    azure = AzureService(base_url=URL, headers={"Authorization": "Bearer t0ken"})
    assert azure.request_headers()["Authorization"] == "Bearer t0ken"
    both = AzureService(KEY, URL, headers={"Authorization": "Bearer t0ken"}).request_headers()
    assert both["Authorization"] == "Bearer t0ken"


def test_the_newer_route_has_no_versions():
    azure = AzureService(KEY, URL + "/openai/v1")
    assert azure.request(ASKED, "mine", {}).url == f"{URL}/openai/v1/chat/completions"
    assert azure.models_request().url == f"{URL}/openai/v1/models"
    assert "api-key" in azure.request_headers()


def test_the_environment_tells_all_of_it(monkeypatch: pytest.MonkeyPatch):
    azure = services.get("azure")
    assert isinstance(azure, AzureService)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", URL)
    with pytest.raises(MissingKey, match=r"azure needs a key: .* set AZURE_OPENAI_API_KEY"):
        azure.request_headers()
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    assert str(azure.request_headers()["api-key"]) == KEY
    assert azure.models_request().url == f"{URL}/openai/models?api-version=2024-10-21"
    monkeypatch.setenv("OPENAI_API_VERSION", "2025-01-01-preview")
    assert azure.models_request().url.endswith("?api-version=2025-01-01-preview")
    assert azure.typed_as == "azure"


def test_what_is_missing_is_named():
    azure = AzureService(KEY)
    with pytest.raises(InputError, match="set AZURE_OPENAI_ENDPOINT or pass base_url="):
        azure.request(ASKED, "mine", {})
    with pytest.raises(InputError, match="needs the name of a deployment as the model"):
        AzureService(KEY, URL).request(ASKED, None, {})
    with pytest.raises(InputError, match="api_version must be a text, not int"):
        AzureService(KEY, URL, api_version=2024)  # type: ignore[arg-type]


def test_limits_are_those_of_every_service():
    assert AzureService(KEY, URL, max_requests_per_minute=30).max_requests_per_minute == 30
