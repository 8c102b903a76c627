"""A real JupyterLab for the whole run, and a real Chromium."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbconvo.testing import FakeProvider

TOKEN = "made-up-token"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
IDLE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  return panel?.sessionContext?.session?.kernel?.status === 'idle';
}"""


@dataclass
class Lab:
    """A running JupyterLab: its address, its folder, and the provider that its kernels ask."""

    url: str
    root: Path
    provider: FakeProvider


@dataclass
class Notebook:
    """An open notebook in the browser, and what went wrong in its page."""

    page: Any
    path: Path
    errors: list[str] = field(default_factory=list)

    def run_all(self) -> None:
        """Run all cells and wait until they are done."""
        self.page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def saved(self) -> Any:
        """Save, and return the notebook as it is on disk."""
        self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.path, as_version=4)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    home = tmp_path_factory.mktemp("home")
    root = tmp_path_factory.mktemp("notebooks")
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    # The toast that offers Jupyter's news covers what tests click.
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with FakeProvider(cut=None) as provider:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"),
                *("--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"),
                *(f"--ServerApp.root_dir={root}", "--expose-app-in-browser"),
            ],
            env=_environment(home, provider),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, process)
            yield Lab(f"http://127.0.0.1:{port}", root, provider)
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # Not for the session: while playwright runs, so does its event loop, and no other test
    # could run one.
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def open_notebook(lab: Lab, browser: Any) -> Iterator[Any]:
    """Open cells, or a file, as a notebook; fail on a page error or a request to elsewhere."""
    notebooks: list[Notebook] = []

    def open_(cells: list[str] | Path) -> Notebook:
        path = lab.root / f"test-{time.monotonic_ns()}.ipynb"
        if isinstance(cells, Path):
            shutil.copy(cells, path)
        else:
            made = nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
                metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            )
            nbformat.write(made, path)
        page = browser.new_page(viewport={"width": 1100, "height": 1400})
        notebook = Notebook(page, path)
        notebooks.append(notebook)
        page.on("pageerror", lambda error: notebook.errors.append(f"page error: {error}"))
        page.on("request", lambda request: _check_request(request.url, lab.url, notebook.errors))
        page.goto(f"{lab.url}/lab/workspaces/test/tree/{path.name}?reset&token={TOKEN}")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function(IDLE)
        return notebook

    yield open_
    for notebook in notebooks:
        # The kernel goes with its notebook: twenty of them would not fit beside each other.
        notebook.page.evaluate("window.jupyterapp.commands.execute('kernelmenu:shutdown')")
        notebook.page.close()
    assert [error for notebook in notebooks for error in notebook.errors] == []


def _check_request(url: str, home: str, errors: list[str]) -> None:
    local = (home, home.replace("http", "ws"), "data:", "blob:", "about:")
    if not url.startswith(local):
        errors.append(f"request to {url}")


def _environment(home: Path, provider: FakeProvider) -> dict[str, str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith(("_API_KEY", "_BASE_URL")) and not name.startswith("NBCONVO_")
    }
    return clean | {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "FAKE_PROVIDER": provider.base_url,
    }


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("JupyterLab did not start")
