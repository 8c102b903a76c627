"""A real JupyterLab and a real Notebook for the whole run, and a real Chromium."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbconvo.testing import FakeProvider

HERE = Path(__file__).parent
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
class Server:
    """A running JupyterLab or Notebook: its address, its folder, the provider its kernels ask."""

    url: str
    root: Path
    provider: FakeProvider
    app: str

    def address(self, path: Path) -> str:
        """Where the notebook at ``path`` is opened."""
        if self.app == "notebook":
            return f"{self.url}/notebooks/{path.name}?token={TOKEN}"
        return f"{self.url}/lab/workspaces/test/tree/{path.name}?reset&token={TOKEN}"


@dataclass
class Notebook:
    """An open notebook in the browser, and what went wrong in its page."""

    page: Any
    path: Path
    errors: list[str] = field(default_factory=list)

    def run_all(self) -> None:
        """Run all cells and wait until they are done."""
        self.page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def start(self, cell: int) -> None:
        """Begin to run one cell; don't wait."""
        self.page.evaluate(
            """place => {
              window.jupyterapp.shell.currentWidget.content.activeCellIndex = place;
              void window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            cell,
        )

    def write(self, cell: int, source: str) -> None:
        """Write into one cell."""
        self.page.evaluate(
            """([place, source]) => window.jupyterapp.shell.currentWidget
              .content.widgets[place].model.sharedModel.setSource(source)""",
            [cell, source],
        )

    def outputs(self, cell: int) -> str:
        """The text of a cell's outputs."""
        text: str = self.page.evaluate(
            """place => JSON.stringify(window.jupyterapp.shell.currentWidget
              .content.widgets[place].model.outputs?.toJSON() ?? [])""",
            cell,
        )
        return text

    def execute(self, code: str) -> str:
        """Run code in the kernel without a cell; return what it printed."""
        printed: str = self.page.evaluate(
            """async code => {
              const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
              const future = kernel.requestExecute({ code });
              let printed = '';
              future.onIOPub = ({ content }) => (printed += content.text ?? content.evalue ?? '');
              await future.done;
              return printed;
            }""",
            code,
        )
        return printed

    def saved(self) -> Any:
        """Save, and return the notebook as it is on disk."""
        self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.path, as_version=4)

    def ready(self) -> None:
        """Wait until the notebook is there and its kernel idle."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_function(IDLE)


@contextmanager
def running(app: str, folders: pytest.TempPathFactory, **settings: Any) -> Iterator[Server]:
    """Run ``jupyterlab`` or ``notebook``, with JupyterLab's settings by plugin and file."""
    pytest.importorskip(app, reason=f"{app} is not installed")
    home, root = folders.mktemp("home"), folders.mktemp("notebooks")
    # The toast that offers Jupyter's news covers what tests click.
    quiet = {"notification": {"fetchNews": "false", "checkForUpdates": False}}
    folder = home / "settings" / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    for name, values in (quiet | settings).items():
        (folder / f"{name}.jupyterlab-settings").write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    exposed = {
        "jupyterlab": "--expose-app-in-browser",
        "notebook": "--JupyterNotebookApp.expose_app_in_browser=True",
    }
    with FakeProvider(cut=None) as provider:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", app, "--no-browser", "--allow-root"),
                *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"),
                *("--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"),
                *(f"--ServerApp.root_dir={root}", exposed[app]),
            ],
            env=_environment(home, provider),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, process)
            yield Server(f"http://127.0.0.1:{port}", root, provider, app)
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running("jupyterlab", tmp_path_factory) as server:
        yield server


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running("notebook", tmp_path_factory) as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these last: while playwright runs, so does its event loop, and no other test can."""
    items.sort(key=lambda item: item.path.is_relative_to(HERE))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        # One context, so that JupyterLab's scripts are loaded and compiled once.
        yield opened.new_context()
        opened.close()


Open = Callable[..., Notebook]


def opener(browser: Any) -> Iterator[Open]:
    """Yield what opens cells, or a file, as a notebook; close all in the end.

    A page error, or a request to elsewhere, fails.
    """
    notebooks: list[Notebook] = []

    def open_(server: Server, cells: list[str] | Path) -> Notebook:
        path = server.root / f"test-{time.monotonic_ns()}.ipynb"
        if isinstance(cells, Path):
            shutil.copy(cells, path)
        else:
            made = nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
                metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            )
            nbformat.write(made, path)
        page = browser.new_page()
        page.set_viewport_size({"width": 1100, "height": 1400})
        notebook = Notebook(page, path)
        notebooks.append(notebook)
        page.on("pageerror", lambda error: _note_error(str(error), server, notebook.errors))
        page.on("request", lambda request: _check_request(request.url, server.url, notebook.errors))
        page.goto(server.address(path))
        notebook.ready()
        return notebook

    yield open_
    for notebook in notebooks:
        # The kernel goes with its notebook: twenty of them would not fit beside each other.
        notebook.page.evaluate("window.jupyterapp.commands.execute('kernelmenu:shutdown')")
        notebook.page.close()
    assert [error for notebook in notebooks for error in notebook.errors] == []


def _note_error(error: str, server: Server, errors: list[str]) -> None:
    # Notebook 7.6 throws this when it opens any notebook, without nbconvo too.
    if server.app == "notebook" and "reading 'schema'" in error:
        return
    errors.append(f"page error: {error}")


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
    raise RuntimeError("the server did not start")


@pytest.fixture(scope="module")
def module_opener(browser: Any) -> Iterator[Open]:
    """Opens notebooks, on the server that it is given, for the tests of a module."""
    yield from opener(browser)
