"""The bridge to the one I/O thread, crossed once by each request."""

from nbconvo.bridge.job import Job
from nbconvo.bridge.thread import Bridge

__all__ = ["Bridge", "Job"]
