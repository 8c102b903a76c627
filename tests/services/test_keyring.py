"""Keys in the system's keyring, where there is one."""

from __future__ import annotations

import threading

import keyring.errors
import pytest

from nbconvo.errors import InputError
from nbconvo.services.credentials import Credentials


def test_a_system_without_a_keyring_holds_no_key_and_nobody_is_warned(
    monkeypatch: pytest.MonkeyPatch,
):
    def nowhere(service: str, user: str) -> str:
        raise keyring.errors.NoKeyringError

    monkeypatch.setattr("keyring.get_password", nowhere)
    assert Credentials().find("nowhere", ("NOWHERE_API_KEY",)) is None


SECRET = "made-up-Qz7Xw9Lk2Mv5Rt8Y"
NAMES = ("NOWHERE_API_KEY",)


def locked(*_: str) -> str:
    threading.Event().wait()
    return ""


def failing(*_: str) -> str:
    raise keyring.errors.KeyringError(f"no way to {SECRET}")


def test_a_key_of_this_process_is_forgotten_where_the_system_has_no_keyring(
    monkeypatch: pytest.MonkeyPatch,
):
    def nowhere(service: str, user: str) -> str:
        raise keyring.errors.NoKeyringError

    monkeypatch.setattr("keyring.get_password", nowhere)
    credentials = Credentials()
    credentials.ask("nowhere", SECRET)
    assert credentials.forget("nowhere") == ("this process",)
    assert credentials.find("nowhere", NAMES) is None


def test_what_the_keyring_holds_is_found_kept_and_forgotten(monkeypatch: pytest.MonkeyPatch):
    held: dict[tuple[str, str], str] = {}
    monkeypatch.setattr("keyring.get_password", lambda *whose: held.get(whose))
    monkeypatch.setattr("keyring.set_password", lambda *all: held.update({all[:2]: all[2]}))
    monkeypatch.setattr("keyring.delete_password", lambda *whose: held.pop(whose))
    credentials = Credentials()
    credentials.ask("nowhere", SECRET, keep=True)
    assert held == {("nbconvo", "nowhere"): SECRET}
    found = Credentials().find("nowhere", NAMES)
    assert found is not None
    assert (found.key.reveal(), found.where) == (SECRET, "keyring")
    assert credentials.forget("nowhere") == ("the keyring",)
    assert held == {}


@pytest.mark.parametrize(("back_end", "said"), [(locked, "is it locked"), (failing, "it failed")])
def test_a_keyring_that_does_not_answer_is_left_alone_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, back_end, said
):
    monkeypatch.setattr("keyring.get_password", back_end)
    credentials = Credentials(patience=0.01)
    with pytest.warns(UserWarning, match=said) as told:
        found = [credentials.find(name, NAMES) for name in ("nowhere", "elsewhere", "nowhere")]
    assert found == [None] * 3
    assert len(told) == 1
    assert SECRET not in str(told[0].message)


@pytest.mark.filterwarnings("ignore:the system keyring")
def test_a_keyring_that_does_not_answer_is_waited_for_once_not_for_each_service(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("keyring.get_password", locked)
    credentials = Credentials(patience=0.01)
    credentials.find("nowhere", NAMES)
    credentials.patience = 60
    found = threading.Thread(target=credentials.find, args=("elsewhere", NAMES), daemon=True)
    found.start()
    found.join(10)
    assert not found.is_alive()
    assert credentials.at_hand("elsewhere", NAMES)


@pytest.mark.parametrize("back_end", [locked, failing])
def test_a_keyring_that_does_not_take_a_key_is_told_without_it(
    monkeypatch: pytest.MonkeyPatch, back_end
):
    monkeypatch.setattr("keyring.set_password", back_end)
    with pytest.raises(InputError, match="did not take the key") as raised:
        Credentials(patience=0.01).ask("nowhere", SECRET, keep=True)
    assert SECRET not in str(raised.value)


def test_a_keyring_that_keeps_nothing_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("keyring.set_password", lambda *_: None)
    monkeypatch.setattr("keyring.get_password", lambda *_: None)
    credentials = Credentials()
    with pytest.raises(InputError, match="did not take the key: it keeps nothing on this system"):
        credentials.ask("nowhere", SECRET, keep=True)
    assert credentials.find("nowhere", NAMES) is None


def test_a_key_is_found_in_the_environment_before_dotenv_and_the_keyring(
    monkeypatch: pytest.MonkeyPatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("NOWHERE_API_KEY=of-dotenv\n")
    monkeypatch.setattr("keyring.get_password", lambda *_: "of-keyring")
    monkeypatch.setenv("NOWHERE_API_KEY", "of-environment")
    credentials = Credentials()
    wheres = []
    for undo in (
        lambda: monkeypatch.delenv("NOWHERE_API_KEY"),
        (tmp_path / ".env").unlink,
        lambda: None,
    ):
        found = credentials.find("nowhere", NAMES)
        assert found is not None
        wheres.append(found.where)
        undo()
    assert wheres == ["NOWHERE_API_KEY", ".env", "keyring"]


def test_a_dotenv_that_may_not_be_read_holds_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("NOWHERE_API_KEY=of-dotenv\n")
    assert Credentials(reads_dotenv=lambda: False).find("nowhere", NAMES) is None
