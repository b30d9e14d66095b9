# SPDX-License-Identifier: BSD-2-Clause
"""`make coverage`: what is executed counts, and only that."""

import importlib.util
import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT

SPEC = importlib.util.spec_from_file_location("coverage_of_rooms", ROOT / "tests/coverage.py")
coverage = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(coverage)


def lines(*segments):
    found = coverage.Counts().lines
    coverage.count_lines(segments, found)
    return dict(found)


def test_lines_of_regions():
    """A function of five lines, executed twice; what its `if` holds, in lines 3 and 4, never."""
    body = [1, 10, 2, True, True, False]
    branch = [3, 20, 0, True, True, False]
    behind = [4, 6, 2, True, False, False]
    end = [5, 2, 0, False, False, False]
    assert lines(body, branch, behind, end) == {1: True, 2: True, 3: True, 4: False, 5: True}


def test_lines_between_functions_do_not_count():
    first = [1, 1, 1, True, True, False], [2, 2, 0, False, False, False]
    second = [5, 1, 0, True, True, False], [6, 2, 0, False, False, False]
    assert lines(*first, *second) == {1: True, 2: True, 5: False, 6: False}


@pytest.mark.skipif(shutil.which("llvm-cov") is None, reason="LLVM's tools are not here")
def test_table(tmp_path):
    """Of one unit test: its own file, whole or nearly, and none of its neighbours."""
    done = subprocess.run([sys.executable, ROOT / "tests/coverage.py", "--build", tmp_path,
                           "unit/test_gpt"], stdout=subprocess.PIPE, text=True, check=True)
    figures = re.search(r"^block +(\d+)/(\d+) +([\d.]+) % +(\d+)/(\d+)", done.stdout, re.M)
    executed, of, percent, taken, branches = map(float, figures.groups())
    source = (ROOT / "block/gpt.c").read_text().splitlines()
    assert 50 < executed <= of < len(source) and 0 < taken <= branches
    assert percent == pytest.approx(100 * executed / of, abs=0.06) and percent > 90
    without = re.search(r"^block: no function of: (.*)$", done.stdout, re.M)[1].split()
    assert "gpt.c" not in without and "driver.c" in without
