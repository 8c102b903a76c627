"""The services known by name that speak chat completions, and where each deviates.

The facts are those of the services' own documentation and of replies that they were seen to send;
default models are ones that it names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from nbconvo.errors import InputError
from nbconvo.messages import Message
from nbconvo.services.base import Request
from nbconvo.services.chat import ChatService
from nbconvo.services.checks import checked_url
from nbconvo.services.credentials import credentials
from nbconvo.services.traits import DETAILS, EXTRAS, Traits

__all__ = [
    "DeepSeekService",
    "GeminiService",
    "GroqService",
    "LMStudioService",
    "LlamaCppService",
    "MistralService",
    "OllamaService",
    "OpenAIService",
    "OpenRouterService",
    "PerplexityService",
    "TogetherService",
    "VLLMService",
    "XAIService",
]

_GPT = re.compile(r"gpt-(\d+)(?:\.(\d+))?(?!\d)")


class OpenAIService(ChatService):
    """OpenAI, or whatever ``OPENAI_BASE_URL`` points to."""

    name = "openai"
    address = "https://api.openai.com/v1"
    default_model = "gpt-5.4-mini"
    idempotency_header = "Idempotency-Key"  # which openai-python sends
    traits = Traits(max_tokens="max_completion_tokens", pdf=True)

    @property
    def max_tokens_field(self) -> str:
        """OpenAI's own models refuse the old name; servers that stand in for it know only that."""
        return super().max_tokens_field if self.base_url == self.address else "max_tokens"

    def request(
        self, messages: Sequence[Message], model: str | None, options: Mapping[str, Any]
    ) -> Request:
        """As of any chat service; refused is what OpenAI's newest models refuse here.

        From gpt-5.4 on these take tools together with reasoning only by the Responses protocol,
        as the error says that they answer with.
        """
        asked = options.get("reasoning") or options.get("reasoning_effort")
        found = _GPT.match(model or "")
        is_new = found is not None and (int(found[1]), int(found[2] or 0)) >= (5, 4)
        at_home = self.base_url == self.address
        if is_new and at_home and options.get("tools") and asked not in (None, "none"):
            raise InputError(
                f"{self.name} does not take tools together with reasoning for {model!r}; leave "
                "reasoning out, or ask --service openai-responses"
            )
        return super().request(messages, model, options)


class OpenRouterService(ChatService):
    """OpenRouter: models of many providers behind one key."""

    name = "openrouter"
    address = "https://openrouter.ai/api/v1"
    default_model = "openrouter/auto"
    traits = Traits(
        reasoning="reasoning",
        pdf=True,
        carries=frozenset({DETAILS}),
        reasoning_back="reasoning",
    )


class GeminiService(ChatService):
    """Google's Gemini models, by its layer for OpenAI's clients."""

    name = "gemini"
    address = "https://generativelanguage.googleapis.com/v1beta/openai"
    default_model = "gemini-3.8-flash"
    key_variables = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    # From Gemini 3 on, a call that goes back without its thought signature is refused.
    traits = Traits(reasoning="thinking_config", carries=frozenset({EXTRAS}))


class GroqService(ChatService):
    """Groq."""

    name = "groq"
    address = "https://api.groq.com/openai/v1"
    default_model = "openai/gpt-oss-120b"
    traits = Traits(refused=frozenset({"logit_bias", "logprobs", "n", "top_logprobs"}))


class MistralService(ChatService):
    """Mistral, which refuses every field that it does not know."""

    name = "mistral"
    address = "https://api.mistral.ai/v1"
    default_model = "mistral-small-latest"
    traits = Traits(
        renamed={"seed": "random_seed"},
        refused=frozenset(
            {"logit_bias", "logprobs", "service_tier", "top_logprobs", "user", "verbosity"}
        ),
        stream_options=False,
        short_ids=True,  # "Tool call id was ... but must be a-z, A-Z, 0-9, with a length of 9"
    )


class DeepSeekService(ChatService):
    """DeepSeek, which wants the reasoning of turns with tool calls back."""

    name = "deepseek"
    address = "https://api.deepseek.com"
    default_model = "deepseek-flash"
    features = frozenset({"tools", "files", "reasoning"})
    traits = Traits(schema="json_object", reasoning_back="reasoning_content")


class XAIService(ChatService):
    """The Grok models of xAI."""

    name = "xai"
    address = "https://api.x.ai/v1"
    default_model = "grok-4.3"
    traits = Traits(max_tokens="max_completion_tokens")


class TogetherService(ChatService):
    """Together."""

    name = "together"
    address = "https://api.together.ai/v1"
    default_model = "openai/gpt-oss-120b"


class PerplexityService(ChatService):
    """Perplexity, whose models search the web and call no tools."""

    name = "perplexity"
    address = "https://api.perplexity.ai"
    default_model = "sonar"
    features = frozenset({"schema", "images", "files", "reasoning"})
    traits = Traits(
        refused=frozenset(
            {"logit_bias", "logprobs", "seed", "service_tier", "stop", "top_logprobs"}
        ),
        stream_options=False,
    )


class OllamaService(ChatService):
    """Ollama on this machine, or where ``OLLAMA_HOST`` says that it listens."""

    name = "ollama"
    address = "http://127.0.0.1:11434/v1"
    keyless = True
    traits = Traits(refused=frozenset({"logit_bias", "n", "user"}))

    @property
    def base_url(self) -> str:
        """The address in force; ``OLLAMA_HOST`` counts after ``OLLAMA_BASE_URL``."""
        host = (credentials.variable("OLLAMA_HOST") or "").rstrip("/")
        if self._base_url or credentials.variable(self.address_variable) or not host:
            return super().base_url
        parts = urlsplit(checked_url(host if "://" in host else f"http://{host}"))
        name = parts.hostname or ""
        # The server's own setting says where it listens: everywhere is no place to call.
        name = "127.0.0.1" if name in {"0.0.0.0", "::"} else f"[{name}]" if ":" in name else name
        port = parts.port or (11434 if "://" not in host else None)
        return f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path}/v1"


class LMStudioService(ChatService):
    """LM Studio on this machine."""

    name = "lmstudio"
    address = "http://127.0.0.1:1234/v1"
    keyless = True


class VLLMService(ChatService):
    """A server of vLLM, or of ``transformers serve``, on this machine."""

    name = "vllm"
    address = "http://127.0.0.1:8000/v1"
    keyless = True


class LlamaCppService(ChatService):
    """llama.cpp's server on this machine."""

    name = "llamacpp"
    address = "http://127.0.0.1:8080/v1"
    keyless = True
    # It takes a tool_choice that names a tool for auto.
    traits = Traits(reasoning="chat_template_kwargs", names_tool=False)
