"""Sessions, the registry of sessions by name, and what they share."""

from nbconvo.session.reply import Reply
from nbconvo.session.session import Session
from nbconvo.session.workspace import Workspace, workspace

__all__ = ["Reply", "Session", "Workspace", "workspace"]
