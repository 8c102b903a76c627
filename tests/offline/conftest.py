import os
import signal
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "nbconvo.offline"]


def _heed_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def command():
    """Run ``python -m nbconvo.offline`` with options; returns its process."""
    running = []

    def start(*options):
        process = subprocess.Popen(
            [*COMMAND, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONWARNINGS": "error"},
            # Tests that run in the background of a shell inherit an ignored SIGINT.
            preexec_fn=None if sys.platform == "win32" else _heed_interrupts,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def served(command):
    """Base URL of ``python -m nbconvo.offline`` in a process of its own."""
    process = command("--port", "0", "--pace", "0")
    return process.stdout.readline().split()[-1]
