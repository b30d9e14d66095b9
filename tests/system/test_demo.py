# SPDX-License-Identifier: BSD-2-Clause
"""`make demo`, as a user types it."""

import pexpect
import pytest

import conftest


@pytest.mark.parametrize("variables", [
    pytest.param({}, id="default"),
    pytest.param({"MICROKIT_BOARD": "zcu102"}, id="zcu102", marks=conftest.marks_of("zcu102"))])
def test_demo(boot, variables):
    """Both machines come up, no packet is lost, and make says so by its status as well."""
    demo = boot.make("demo", **variables)
    demo.expect("---- both are up")
    demo.expect("6 packets transmitted, 6 packets received, 0% packet loss")
    demo.expect("---- 6 of 6 packets came back")
    demo.child.expect(pexpect.EOF)
    demo.child.close()
    assert demo.child.exitstatus == 0
