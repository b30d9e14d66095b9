# SPDX-License-Identifier: BSD-2-Clause
"""The guests' `resize`, at a terminal that answers, and at one that does not."""

import pexpect
import pytest

from conftest import ROOT

QUESTION = "\x1b[6n"


@pytest.mark.parametrize("answer, status, size", [
    ("\x1b[41;133R", 0, "41 133"), ("", 1, "24 80"), ("\x1b[R", 1, "24 80"), ("\x1b[4x;10R", 1, "24 80"),
    ("x" * 5000, 1, "24 80"),
], ids=["answers", "is_silent", "says_nothing", "says_no_number", "babbles"])
def test_resize(answer, status, size):
    child = pexpect.spawn("sh", ["-c", f"sh {ROOT}/guest/files/resize; echo status $?; stty size; stty -a"],
                          encoding="utf-8", dimensions=(24, 80), timeout=60)
    child.expect_exact(QUESTION)
    for begin in range(0, len(answer), 64):
        child.send(answer[begin:begin + 64])
    child.expect(r"status (\d+)\r\n(\d+ \d+)\r\n")
    assert (int(child.match[1]), child.match[2]) == (status, size)
    child.expect(pexpect.EOF)
    assert " icanon" in child.before and " echo " in child.before, "the terminal is as it was"
