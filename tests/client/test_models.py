"""The list of models, with canned answers."""

from __future__ import annotations

from typing import Any

import pytest

from nbconvo.client import Client
from nbconvo.errors import AuthenticationFailed, MissingKey, ProtocolError
from nbconvo.services import ChatService, ModelInfo, OpenAIService, OpenRouterService

from .conftest import KEY

URL = "https://openrouter.ai/api/v1/models"


async def test_models_come_in_the_services_order(client: Client, canned: Any):
    listed = [{"id": "b/two", "context_length": 8192}, {"id": "a/one"}, {"name": "no id"}]
    canned.get(URL, payload={"data": listed})
    models = await client.models(OpenRouterService(KEY))
    assert models == (ModelInfo("b/two", 8192), ModelInfo("a/one"))


async def test_models_are_asked_for_with_the_key(client: Client, canned: Any):
    canned.get(URL, payload={"data": []})
    await client.models(OpenRouterService(KEY))
    ((request,),) = canned.requests.values()
    assert request.kwargs["headers"]["Authorization"] == f"Bearer {KEY}"
    assert "data" not in request.kwargs


async def test_a_refusal_is_told(client: Client, canned: Any):
    canned.get(URL, status=401, payload={"error": {"message": "No auth", "code": 401}})
    with pytest.raises(AuthenticationFailed, match=r"openrouter: key refused \(401\): No auth"):
        await client.models(OpenRouterService(KEY))


async def test_a_list_that_is_no_json_is_a_protocol_error(client: Client, canned: Any):
    canned.get("http://127.0.0.1:9/v1/models", body="<html>", content_type="text/html")
    with pytest.raises(ProtocolError, match="<html>"):
        await client.models(ChatService(base_url="http://127.0.0.1:9/v1"))


async def test_models_of_a_service_without_its_key_are_not_asked_for(client: Client, canned: Any):
    with pytest.raises(MissingKey):
        await client.models(OpenAIService())
    assert canned.requests == {}
