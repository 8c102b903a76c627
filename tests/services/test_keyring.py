"""Keys in the system's keyring, where there is one."""

from __future__ import annotations

import keyring.errors
import pytest

from nbconvo.services.credentials import Credentials


def test_a_system_without_a_keyring_holds_no_key_and_nobody_is_warned(
    monkeypatch: pytest.MonkeyPatch,
):
    def nowhere(service: str, user: str) -> str:
        raise keyring.errors.NoKeyringError

    monkeypatch.setattr("keyring.get_password", nowhere)
    assert Credentials().find("nowhere", ("NOWHERE_API_KEY",)) is None
