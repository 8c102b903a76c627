"""The fixtures, loaded the way a user loads them."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def user(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins take seconds to load
    pytester.makeconftest('pytest_plugins = ["nbconvo.testing.fixtures"]')
    return pytester


def run(user: pytest.Pytester, test: str, passed: int = 1) -> None:
    user.makepyfile(test)
    user.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=passed)


def test_fake_provider_is_running_and_fresh_for_each_test(user: pytest.Pytester):
    run(
        user,
        """
        import urllib.request
        import pytest

        @pytest.mark.parametrize("time", [1, 2])
        def test_it(fake_provider, time):
            urllib.request.urlopen(fake_provider.base_url + "/models").close()
            assert len(fake_provider.requests) == 1
        """,
        passed=2,
    )


def test_nbconvo_env_leads_to_the_fake_provider_and_hides_every_account(
    user: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_ORG_ID",
        "OPENROUTER_API_KEY",
        "OPENROUTER_BASE_URL",
        "GROQ_API_KEY",
        "NBCONVO_DIR",
    ):
        monkeypatch.setenv(name, "real")
    run(
        user,
        """
        import os

        def test_it(nbconvo_env, fake_provider):
            assert nbconvo_env is fake_provider
            assert os.environ["OPENAI_BASE_URL"] == fake_provider.base_url
            assert os.environ["OPENAI_API_KEY"] == "sk-test-not-a-key"
            assert "real" not in os.environ.values()
        """,
    )


def test_loading_the_fixtures_imports_no_client_and_no_other_part_of_nbconvo():
    code = (
        "import sys, nbconvo.testing.fixtures; "
        "print([m for m in sys.modules if m == 'aiohttp' or m.startswith('nbconvo.')"
        " and not m.startswith('nbconvo.testing')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
