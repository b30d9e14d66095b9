# SPDX-License-Identifier: BSD-2-Clause
"""What docs/security.md claims names the test that holds it: there must be such a test, and it must run."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text()

# What else is named alone, and is as long as a test's name.
FUNCTIONS = ("guest_memory_at",)

# `tests/file: case`, with a line break after the colon where the line ended; or a case alone.
NAMED = re.compile(r"`(?:(tests/[\w/.]+)(?::\s+(\w+))?|(\w+))`")


def named():
    """(file, case, whether the file stands beside it) of all that look like tests."""
    file = None
    for path, case, alone in NAMED.findall(TEXT):
        file = path or file
        if case or (alone and file and "_" in alone):
            yield file, case or alone, bool(case)


def runs(path, case):
    """Whether the file has a case of this name, and, of the unit tests, hands it to the runner."""
    text = (ROOT / path).read_text()
    if path.endswith(".py"):
        return re.search(rf"^def {case}\(", text, re.M)
    if not path.startswith("tests/unit/"):
        return re.search(rf"\b{case}\b", text)
    return (re.search(rf"^(?:static )?void {case}\(", text, re.M) and
            re.search(rf"\(\s*{case}\b[^;{{]*\),", text))


def test_named_rows_exist():
    """`system-row`: what a system of tests/kernel reports."""
    rows = [(system, row) for system, row in re.findall(r"`([a-z]+)-(\w+)`", TEXT)
            if (ROOT / "tests/kernel" / system).is_dir()]
    missing = [(system, row) for system, row in rows
               if not any(f'"{row}"' in program.read_text()
                          for program in (ROOT / "tests/kernel" / system).glob("*.[ch]"))]
    assert not missing
    assert len(rows) > 20


def test_named_files_exist():
    missing = [path for path, _, _ in NAMED.findall(TEXT) if path and not (ROOT / path).exists()]
    assert not missing


def test_named_cases_exist():
    """A name beside its file must be a test's; one alone may be something else if it is short."""
    missing = [(path, case) for path, case, beside in named()
               if (ROOT / path).is_file() and not runs(path, case) and
               (beside or (case.count("_") > 1 and case.islower() and case not in FUNCTIONS))]
    assert not missing
    assert sum(1 for _ in named()) > 50
