"""Servers and clients in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Self

__all__ = ["Worker", "serving", "workers"]


@contextmanager
def serving(module: str) -> Iterator[str]:
    """Run a server module; give its address, such as ``http://127.0.0.1:40123``."""
    process = subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


class Worker:
    """A client in a process of its own that does jobs, one at a time.

    Args:
        peer: Which client.
        under: A command that runs the process, and its arguments.

    Raises:
        RuntimeError: If a job fails, or the process ends.
    """

    def __init__(self, peer: str, under: Sequence[str] = ()) -> None:
        self.peer = peer
        self._slow = bool(under)
        self._process = subprocess.Popen(
            [*under, sys.executable, "-m", "benchmarks.worker", peer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, job: str, **given: Any) -> None:
        """Start a job of ``benchmarks.worker``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"job": job, **given}) + "\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """Wait for the job that was started; return what it found."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the client {self.peer!r} ended with {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise RuntimeError(f"{self.peer}: {found['error']}")
        return found

    def do(self, job: str, **given: Any) -> dict[str, Any]:
        """Start a job and wait for it."""
        self.begin(job, **given)
        return self.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(60 if self._slow else 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@contextmanager
def workers(peers: list[str]) -> Iterator[list[Worker]]:
    """Run a worker for each of some peers."""
    with ExitStack() as stack:
        yield [stack.enter_context(Worker(peer)) for peer in peers]
