"""Services: what turns messages into a request and a response into deltas; and their registry."""

from __future__ import annotations

from nbconvo.services.anthropic import AnthropicService
from nbconvo.services.azure import AzureService
from nbconvo.services.base import BaseService, Feature, ModelInfo, Request
from nbconvo.services.chat import ChatService
from nbconvo.services.presets import (
    DeepSeekService,
    GeminiService,
    GroqService,
    LlamaCppService,
    LMStudioService,
    MistralService,
    OllamaService,
    OpenAIService,
    OpenRouterService,
    PerplexityService,
    TogetherService,
    VLLMService,
    XAIService,
)
from nbconvo.services.registry import get, knows, names, register, registered
from nbconvo.services.responses import ResponsesService
from nbconvo.services.traits import Traits

__all__ = [
    "AnthropicService",
    "AzureService",
    "BaseService",
    "ChatService",
    "DeepSeekService",
    "Feature",
    "GeminiService",
    "GroqService",
    "LMStudioService",
    "LlamaCppService",
    "MistralService",
    "ModelInfo",
    "OllamaService",
    "OpenAIService",
    "OpenRouterService",
    "PerplexityService",
    "Request",
    "ResponsesService",
    "TogetherService",
    "Traits",
    "VLLMService",
    "XAIService",
    "get",
    "knows",
    "names",
    "register",
    "registered",
]

# In the order in which they are listed.
register("openai", OpenAIService)
register("openai-responses", ResponsesService)
register("anthropic", AnthropicService)
register("openrouter", OpenRouterService)
register("gemini", GeminiService)
register("groq", GroqService)
register("mistral", MistralService)
register("deepseek", DeepSeekService)
register("xai", XAIService)
register("together", TogetherService)
register("perplexity", PerplexityService)
register("azure", AzureService)
register("ollama", OllamaService)
register("lmstudio", LMStudioService)
register("vllm", VLLMService)
register("llamacpp", LlamaCppService)
