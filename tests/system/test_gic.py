# SPDX-License-Identifier: BSD-2-Clause
"""A guest's interrupt controller answers as one without a hypervisor does.

hostile/gic_look.c looks at it, and says what it sees. It runs in QEMU's own machine, too, and both must
have said the same.
"""

import os
import re

import pytest

import conftest
import machine

BOARDS = {"qemu_virt_aarch64": 2, "qemu_virt_aarch64_gicv3": 3}


def answers(system):
    """What the guest says, from now on to its end; the lines of the test of each name."""
    system.expect(r"gic: done")
    text = machine.CONTROL.sub("", system.child.before).replace("\r", "")
    return re.findall(r"gic: (.*): ?(.*)", text)


def without_hypervisor(guests, version, processors):
    program, *arguments = (os.environ.get("QEMU") or "qemu-system-aarch64").split()
    command = [*arguments, "-machine", f"virt,gic-version={version}", "-cpu", "cortex-a53",
               "-smp", processors, "-m", "128M", "-nic", "none", "-display", "none",
               "-serial", "stdio", "-kernel", guests / "gic_look.img"]
    with machine.Machine(program, command) as system:
        return answers(system)


@pytest.mark.skipif(not conftest.on_bundled_sdk(),
                    reason="seL4 does not always know which interrupts are active")
@pytest.mark.parametrize("board", BOARDS)
def test_answers(boot, guests, board):
    """On one vCPU and on four."""
    system = boot(guests / "gic_look.yaml", MICROKIT_BOARD=board)
    for number, vcpus in enumerate((1, 4)):
        expected = without_hypervisor(guests, BOARDS[board], vcpus)
        assert len(expected) >= 18 + 2 * number
        if number:
            system.focus(number)
            system.send("\r")  # it is held until now
        assert answers(system) == expected
