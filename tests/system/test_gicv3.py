# SPDX-License-Identifier: BSD-2-Clause
"""On a board with a GICv3 guests have one: redistributors, SGIs by system registers, many vCPUs."""

import re

import pytest

import conftest
from test_hostile import offend_beside_others

BOARD = "qemu_virt_aarch64_gicv3"
SYSTEM = conftest.HERE / "gicv3.yaml"
VCPUS = 12

pytestmark = pytest.mark.skipif(not (conftest.SDK / "board" / BOARD).is_dir(),
                                reason="the SDK has no board with a GICv3")


def log_in(system):
    system.login(1)
    system.login(0)


def sgis(system):
    """How many SGIs each vCPU of vm0 has taken."""
    lines = re.findall(r"IPI\d: +((?:\d+ +)+)", system.output(0, "cat /proc/interrupts"))
    return [sum(column) for column in zip(*([int(n) for n in line.split()] for line in lines))]


def switch(cpu, on):
    return f"echo {int(on)} >/sys/devices/system/cpu/cpu{cpu}/online"


def test_many_vcpus(boot):
    """All are there after power-on and after a restart, can be sent SGIs, and go off and on."""
    system = boot(SYSTEM, MICROKIT_BOARD=BOARD)
    log_in(system)
    for again in (False, True):
        assert system.output(0, "nproc").strip() == str(VCPUS)
        assert len(sgis(system)) == VCPUS and all(sgis(system))
        assert "GICv3: CPU11: found redistributor b region 0:0x0000000008200000" in \
            system.output(0, "dmesg")
        for cpu in (VCPUS - 1, 1, VCPUS - 1):
            off, on = switch(cpu, False), switch(cpu, True)
            assert system.output(0, f"{off} && nproc && {on} && nproc").split() == [
                str(VCPUS - 1), str(VCPUS)]
            before = sgis(system)[cpu]
            assert system.output(0, f"taskset {1 << cpu:x} nproc").strip() == "1"
            system.output(0, f"{off} && {on}")
            assert sgis(system)[cpu] > before
        assert system.pings(0, "192.168.1.2")
        if again:
            break
        system.send("reboot -f\r")
        system.expect("restarting")
        system.focused = None
        log_in(system)


def test_offences_harm_the_offender_alone(boot, guests):
    """It floods distributor, redistributor and the registers that send SGIs."""
    (said,) = offend_beside_others(boot(guests / "hostile.yaml", MICROKIT_BOARD=BOARD), [2])
    for step in ("writes all over the distributor", "a flood of interrupts"):
        assert f"hostile: ok {step}" in said


def test_a_start_finds_nothing_of_the_last_one(boot, guests):
    system = boot(guests / "leftover.yaml", MICROKIT_BOARD=BOARD)
    found = []
    while len(found) < 8:
        system.expect(r"left by cpu (\d): ([0-9a-f]{16})")
        found.append(system.child.match.groups())
    assert found == 2 * [("0", 16 * "0"), *3 * [("1", 16 * "0")]]
