"""Python functions that a model may call: told to it as JSON Schema, and run with its arguments."""

from nbconvo.tools.describing import Tool, tool_of
from nbconvo.tools.outcomes import outcome
from nbconvo.tools.running import Call, Result, Toolbox

__all__ = ["Call", "Result", "Tool", "Toolbox", "outcome", "tool_of"]
