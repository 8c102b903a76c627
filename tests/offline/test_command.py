import re
import signal
import sys

import pytest

from nbconvo.offline.__main__ import main


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C can't be sent to one process")
def test_prints_one_line_with_its_url_and_ends_cleanly_on_ctrl_c(command):
    process = command("--port", "0")
    line = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=30)
    assert re.search(r"http://127\.0\.0\.1:\d+/v1$", line.strip())
    assert (rest, errors, process.returncode) == ("", "", 0)


def test_a_port_in_use_gives_one_line_and_exit_code_1(served, capsys):
    port = served.split(":")[2].partition("/")[0]
    assert main(["--port", port]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"127.0.0.1:{port}" in err
    assert "--port" in err


def test_a_host_that_is_not_here_gives_one_line_and_exit_code_1(capsys):
    assert main(["--host", "192.0.2.1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "options", [["--port", "99999"], ["--port", "x"], ["--pace", "-1"], ["--pace", "nan"]]
)
def test_a_bad_option_is_named(options, capsys):
    with pytest.raises(SystemExit):
        main(options)
    assert f"{options[1]!r} is not" in capsys.readouterr().err
