"""The services known by name, and where they deviate from plain chat completions."""

from __future__ import annotations

from nbconvo.services.chat import ChatService

__all__ = ["OpenAIService", "OpenRouterService"]


class OpenAIService(ChatService):
    """OpenAI, or whatever ``OPENAI_BASE_URL`` points to."""

    name = "openai"
    address = "https://api.openai.com/v1"
    default_model = "gpt-5.4-mini"
    idempotency_header = "Idempotency-Key"  # which openai-python sends

    @property
    def max_tokens_field(self) -> str:
        """OpenAI's own models refuse the old name; servers that stand in for it know only that."""
        return "max_completion_tokens" if self.base_url == self.address else "max_tokens"


class OpenRouterService(ChatService):
    """OpenRouter: models of many providers behind one key."""

    name = "openrouter"
    address = "https://openrouter.ai/api/v1"
    default_model = "openrouter/auto"
