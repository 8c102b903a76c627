"""Anthropic's Messages protocol: what is asked of it, and what its events say."""

from nbconvo.services.anthropic.service import AnthropicService

__all__ = ["AnthropicService"]
