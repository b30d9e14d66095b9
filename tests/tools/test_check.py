# SPDX-License-Identifier: BSD-2-Clause
"""`make check`: whatever becomes of a suite, what it says counts, and silence is a failure."""

import importlib.util
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT

SPEC = importlib.util.spec_from_file_location("check_of_all", ROOT / "tests/check.py")
check = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check)


def suite(script):
    return check.Suite("tag", "name", [sys.executable, "-c", script])


def pytest_suite(directory, text):
    file = directory / "test_it.py"
    file.write_text(text)
    return check.pytest("tag", "name", str(file), directory)


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(number):
    """Not counting what has ended and is nobody's child any more."""
    try:
        return " Z " not in pathlib.Path(f"/proc/{number}/stat").read_text()
    except FileNotFoundError:
        return False


def test_sum_of_all_lanes():
    suites = [suite(f"print('{n} passed, 0 failed')") for n in range(1, 8)]
    assert check.run(suites) == (28, 0)


def test_who_waits_is_in_no_lane(tmp_path):
    """Here as many as there are lanes wait for what comes after them."""
    it = str(tmp_path / "it")
    script = (f"import os, time\nwhile not os.path.exists({it!r}): time.sleep(0.05)\n"
              "print('1 passed, 0 failed')")
    waiting = [check.Suite("tag", "name", [sys.executable, "-c", script], seconds=20, waits=True)
               for _ in range(check.LANES)]
    last = suite(f"open({it!r}, 'w'); print('1 passed, 0 failed')")
    assert check.run([*waiting, last]) == (check.LANES + 1, 0)


@pytest.mark.parametrize("script", [
    "pass", "raise SystemExit(1)", "import os; os.kill(os.getpid(), 9)", "print('0 passed, 0 failed')",
    "print('5 passed, 0 failed'); raise SystemExit(2)"])
def test_suite_that_dies_or_is_silent_has_failed(script):
    last = suite("print('5 passed, 0 failed')")
    first = suite(script)
    assert check.run([first, last])[1] == 1
    assert len(first.failures) == 1 and not last.failures


def test_suite_that_cannot_be_started_has_failed():
    assert check.run([check.Suite("tag", "name", ["/nowhere/program"])]) == (0, 1)


def test_failures_have_names(tmp_path):
    suites = [suite("print('  FAILED  a: test'); print('1 passed, 1 failed')"),
              pytest_suite(tmp_path, "def test_good(): pass\ndef test_bad(): assert False\n")]
    assert check.run(suites) == (2, 2)
    assert [one.failures for one in suites] == [["a: test"], ["test_bad"]]


@pytest.mark.parametrize("text, counts", [
    ("import os\ndef test_good(): pass\ndef test_dies(): os.kill(os.getpid(), 9)\n", (0, 1)),
    ("", (0, 1)), ("import nothing_like_it\n", (0, 1)),
    ("import pytest\n@pytest.mark.skip\ndef test_of_another_sdk(): pass\n", (0, 0))])
def test_pytest_that_ends_early(tmp_path, text, counts):
    assert check.run([pytest_suite(tmp_path, text)]) == counts


def test_suite_that_hangs_is_ended_with_all_it_has_started():
    hangs = check.Suite("tag", "name", ["sh", "-c", "echo '1 passed, 0 failed'; sleep 1000 & sleep 1000"],
                        seconds=1)
    begin = time.monotonic()
    assert check.run([hangs, suite("print('5 passed, 0 failed')")]) == (6, 1)
    assert hangs.failures == ["had not ended after 1 s"]
    assert time.monotonic() - begin < 100


def test_test_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "TEST_SECONDS", 1)
    one = pytest_suite(tmp_path, "import time\ndef test_hangs(): time.sleep(1000)\ndef test_good(): pass\n")
    assert check.run([one]) == (1, 1)
    assert one.failures == ["test_hangs"]


def test_what_ends_the_check_ends_its_suites(tmp_path):
    """Ctrl-C at the terminal, say."""
    program = (f"import importlib.util, signal\n"
               f"spec = importlib.util.spec_from_file_location('check', {str(ROOT / 'tests/check.py')!r})\n"
               "check = importlib.util.module_from_spec(spec)\n"
               "spec.loader.exec_module(check)\n"
               "signal.signal(signal.SIGTERM, check.end_all)\n"
               f"check.Suite('tag', 'name', ['sh', '-c', 'echo $$ >{tmp_path}/made; mv {tmp_path}/made "
               f"{tmp_path}/pid; exec sleep 1000']).outcome()\n")
    with subprocess.Popen([sys.executable, "-B", "-c", program], stdout=subprocess.DEVNULL) as process:
        until(lambda: (tmp_path / "pid").exists())
        process.terminate()
        assert process.wait(100) == 128 + signal.SIGTERM
    until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_each_file_of_systems_is_a_suite_once():
    files = sorted(path.stem for path in (ROOT / "tests/system").glob("test_*.py"))
    assert sorted(f"test_{name}" for name in check.system_tests()) == files
    assert set(check.LONG) <= set(check.system_tests())


def test_what_is_left_out_of_a_suite_is_in_another(tmp_path):
    options = check.argparse.Namespace(build=str(tmp_path), sdk="", qemu="", linux="", initrd="", also="",
                                       make="make")
    commands = [one.command for one in check.suites_of(options)]
    left_out = [word.partition("=")[2] for command in commands for word in command
                if word.startswith("--ignore=")]
    assert left_out and all((ROOT / path).exists() for path in left_out)
    assert all(any(path in command for command in commands) for path in left_out)
