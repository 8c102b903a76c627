"""The model ``guide``."""

from nbconvo.offline.guide.answer import FIRST_LINE, TOPICS, reply

__all__ = ["FIRST_LINE", "TOPICS", "reply"]
