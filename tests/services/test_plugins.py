"""Services that other packages offer by an entry point, as pip would have installed them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbconvo import services
from nbconvo.errors import InputError, UnknownName
from nbconvo.services import ChatService, registry
from nbconvo.session.workspace import split_model

GOOD = """
from nbconvo.services import ChatService
class Mine(ChatService):
    name = "mine"
    address = "http://127.0.0.1:9/v1"
instance = Mine(max_requests_per_minute=7)
number = 7
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package with entry points in place; what it registers ends with the test."""
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    monkeypatch.setattr(registry, "_broken", {})
    monkeypatch.setattr(registry, "_offered", None)
    monkeypatch.syspath_prepend(tmp_path)
    modules = []

    def install(module: str, code: str, **offered: str) -> None:
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {value}\n" for name, value in offered.items())
        (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{lines}")
        modules.append(module)

    yield install
    for module in modules:
        sys.modules.pop(module, None)


@pytest.mark.parametrize("value", ["good_pkg:Mine", "good_pkg:instance"])
def test_a_package_offers_a_service_by_an_entry_point(install: Install, value: str):
    install("good_pkg", GOOD, mine=value)
    assert services.names()[-1] == "mine"
    service = services.get("mine")
    assert (service.base_url, service.typed_as) == ("http://127.0.0.1:9/v1", "mine")
    assert services.get("mine") is service
    assert dict(services.registered())["mine"] is service


def test_its_package_is_imported_when_it_is_asked_for_and_no_sooner(install: Install):
    install("good_pkg", GOOD, mine="good_pkg:Mine")
    assert "mine" in services.names()
    assert services.knows("mine")
    assert not services.knows("mien")
    assert split_model("llama3:8b") == (None, "llama3:8b")
    services.get("openai")
    assert "good_pkg" not in sys.modules
    found, model = split_model("mine:small")
    assert (type(found).__name__, model) == ("Mine", "small")


def test_a_package_installed_meanwhile_is_found(install: Install):
    with pytest.raises(UnknownName):
        services.get("mine")
    install("good_pkg", GOOD, mine="good_pkg:Mine")
    assert services.get("mine").name == "mine"


@pytest.mark.parametrize(
    ("code", "value", "why"),
    [
        ("import no_such_module_zz", "bad_pkg:Mine", "ModuleNotFoundError: No module named"),
        ("raise RuntimeError('first\\nsecond')", "bad_pkg:Mine", "RuntimeError: first second"),
        ("raise SystemExit", "bad_pkg:Mine", "SystemExit;"),
        ("x = (", "bad_pkg:Mine", "SyntaxError: "),
        (GOOD, "bad_pkg:Other", "AttributeError: module 'bad_pkg' has no attribute 'Other'"),
        (GOOD, "bad_pkg:number", "TypeError: bad_pkg:number is not a service"),
        (
            "from nbconvo.services import ChatService\n"
            "class Mine(ChatService):\n"
            "    def __init__(self): raise ValueError('not today')",
            "bad_pkg:Mine",
            "ValueError: not today",
        ),
    ],
    ids=["import", "raises", "exits", "syntax", "missing", "no service", "constructor"],
)
def test_one_that_fails_is_broken_and_says_why_and_the_rest_work(
    install: Install, code: str, value: str, why: str
):
    install("bad_pkg", code, broken=value)
    install("good_pkg", GOOD, mine="good_pkg:Mine")
    for _ in range(2):
        with pytest.raises(InputError, match="service 'broken' of 'bad_pkg' is broken: ") as caught:
            services.get("broken")
        assert why in str(caught.value)
        assert "\n" not in str(caught.value)
    listed = dict(services.registered())
    assert isinstance(listed["broken"], str)
    assert isinstance(listed["mine"], ChatService)
    assert isinstance(services.get("openai"), ChatService)


def test_one_that_failed_is_not_imported_again(install: Install, tmp_path: Path):
    made = tmp_path / "made"
    install("bad_pkg", f"import os; os.mkdir({str(made)!r}); raise OSError", broken="bad_pkg:x")
    for _ in range(3):
        assert dict(services.registered())["broken"] == "OSError"
    assert made.is_dir()


def test_a_package_cannot_take_a_services_name(install: Install):
    install("good_pkg", GOOD, openai="good_pkg:Mine")
    assert services.get("openai").base_url == "https://api.openai.com/v1"
    assert services.names().count("openai") == 1


def test_a_service_registered_in_the_notebook_goes_before_a_packages(install: Install):
    install("good_pkg", GOOD, mine="good_pkg:Mine")
    own = ChatService(base_url="http://127.0.0.1:8/v1")
    services.register("mine", own)
    assert services.get("mine") is own


def test_an_unknown_name_may_be_near_to_a_packages(install: Install):
    install("good_pkg", GOOD, singular="good_pkg:Mine")
    with pytest.raises(UnknownName, match="did you mean 'singular'"):
        services.get("singulra")


def test_a_bad_name_of_a_package_is_broken(install: Install):
    install("good_pkg", GOOD, **{"two words": "good_pkg:Mine"})
    with pytest.raises(InputError, match="one word"):
        services.get("two words")


def test_loading_the_extension_looks_for_no_packages():
    code = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "import nbconvo; nbconvo.load_ipython_extension(shell)\n"
        "from nbconvo.services import registry\n"
        "print(registry._offered)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
