"""The model ``eliza``."""

from nbconvo.offline.eliza.answer import reply

__all__ = ["reply"]
