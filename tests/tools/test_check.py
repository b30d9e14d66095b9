# SPDX-License-Identifier: BSD-2-Clause
"""`make check`: whatever becomes of a suite, what it says counts, and silence is a failure."""

import importlib.util
import sys

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


def test_sum_of_all_lanes():
    suites = [suite(f"print('{n} passed, 0 failed')") for n in range(1, 8)]
    assert check.run(suites) == (28, 0)


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


def test_each_file_of_systems_is_a_suite_once():
    files = sorted(path.stem for path in (ROOT / "tests/system").glob("test_*.py"))
    assert sorted(f"test_{name}" for name in check.system_tests()) == files
    assert set(check.LONG) <= set(check.system_tests())
