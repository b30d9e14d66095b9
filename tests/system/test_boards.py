# SPDX-License-Identifier: BSD-2-Clause
"""Systems on other boards than the one that all other tests are on; test_gicv3.py has one more."""

import pytest

import conftest
from test_systems import everybody_reaches_everybody, log_in

ZCU102 = "zcu102"


@pytest.mark.parametrize("board", [pytest.param(ZCU102, marks=conftest.marks_of(ZCU102))])
def test_other_board(boot, board):
    """Another UART, another timer, memory from address 0 on; power is as everywhere."""
    system = boot("three_vms", MICROKIT_BOARD=board)
    log_in(system, 3)
    everybody_reaches_everybody(system, 3)
    system.focus(1)
    system.send("reboot\r")
    system.expect("restarting")
    system.expect("vm1 is ready")
    system.login(1)
    assert system.pings(0, "192.168.1.2")
    system.focus(2)
    system.send("poweroff\r")
    system.expect("powered off")
    system.send("\r")
    system.expect("vm2 is ready")
    system.login(2)
    assert system.pings(0, "192.168.1.3")


def test_board_that_nothing_emulates():
    process = conftest.make("run", MICROKIT_BOARD="ultra96v2")
    if conftest.on_bundled_sdk():
        assert process.returncode != 0
        assert "make: QEMU does not emulate the board ultra96v2. `make image` makes its boot image; " \
            "docs/boards.md says how" in process.stdout
    else:
        assert "knows no board 'ultra96v2'" in process.stdout or "does not emulate" in process.stdout
