"""The magics: parse the line, call, show. Loaded by ``%load_ext nbconvo``."""

from nbconvo.magics.loading import load, unload

__all__ = ["load", "unload"]
