"""The bytes of attachments, beside the logs that tell of them: each once, under its digest."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nbconvo.messages import Attachment

__all__ = ["keep", "kept"]

_FOLDER = "attachments"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def keep(directory: Path, attachment: Attachment) -> None:
    """Write the bytes of an attachment, unless they are there; it appears whole or not at all.

    Raises:
        OSError: If it cannot be written.
    """
    path = directory / _FOLDER / attachment.digest
    if not attachment.data or path.exists():
        return
    path.parent.mkdir(exist_ok=True)
    beside = path.with_name(f".{attachment.digest[:16]}-{os.urandom(4).hex()}.tmp")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "wb") as file:
            file.write(attachment.data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def kept(directory: Path, digest: str) -> bytes:
    """Return the bytes with this digest; none if they are not there any more."""
    if not _DIGEST.fullmatch(digest):  # a line of a log must not name any other file
        return b""
    try:
        return (directory / _FOLDER / digest).read_bytes()
    except OSError:
        return b""
