# SPDX-License-Identifier: BSD-2-Clause
"""Systems on other boards than the one that all other tests are on; test_gicv3.py has one more."""

import os
import re
import subprocess

import pytest

import conftest
import machine
from test_cores import run_where_they_belong
from test_systems import everybody_reaches_everybody, log_in

ZCU102 = "zcu102"
GICV3 = "qemu_virt_aarch64_gicv3"
RPI4B = "rpi4b_4gb"
PLACE = conftest.BUILD_DIR / "check" / "boards"


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


# ---- Raspberry Pi 4: outside of `make check` where QEMU is older than 9 ----

def qemu_knows(name):
    program = (os.environ.get("QEMU") or "qemu-system-aarch64").split()
    said = subprocess.run([*program, "-machine", "help"], stdout=subprocess.PIPE, text=True, check=False)
    return re.search(rf"^{name} ", said.stdout, re.M)


on_raspi4b = pytest.mark.skipif(
    not qemu_knows("raspi4b") or not (conftest.on_bundled_sdk() or (conftest.SDK / "board" / RPI4B).is_dir()),
    reason="QEMU has no machine raspi4b (9.0 and later have), or the SDK is not for rpi4b_4gb")


@on_raspi4b
@pytest.mark.parametrize("cores", [1, 2])
def test_rpi4b(boot, cores):
    """Its cores start without PSCI. Those that a system does not use are parked."""
    PLACE.mkdir(parents=True, exist_ok=True)
    text = (conftest.ROOT / "systems" / "cores.yaml").read_text()
    (PLACE / "pi.yaml").write_text(text.replace("cores: 2\n", f"cores: {cores}\n"))
    system = boot(PLACE / "pi.yaml", MICROKIT_BOARD=RPI4B, monitor=machine.Monitor())
    for again in (False, True):
        for number in (0, 1):
            system.login(number)
        run_where_they_belong(system, {0: [0], 1: [cores - 1]})
        assert system.pings(1, "192.168.1.1") and system.pings(0, "192.168.1.2")
        # An idle machine is woken by the board's timer.
        uptime = "cut -d. -f1 /proc/uptime"
        before, after = system.output(0, f"{uptime}; sleep 5; {uptime}").split()
        assert 5 <= int(after) - int(before) <= 60
        if again:
            break
        system.start(1, "reboot -f")
        system.expect("restarting")
        system.focused = None


# ---- Two cores ----

VCPUS = 4
TWO_CORES = [pytest.param(board, path, id=board, marks=conftest.marks_of(board)) for board, path in (
    (ZCU102, conftest.ROOT / "systems" / "smp.yaml"), (GICV3, conftest.HERE / "gicv3.yaml"))]


@conftest.needs_cores
@pytest.mark.parametrize("board, path", TWO_CORES)
def test_two_cores(boot, board, path):
    """
    The other core starts, gets interrupts of its own, and the cores send each other SGIs. A machine's
    vCPUs are on both, so they restart and go off and on across cores.
    """
    PLACE.mkdir(parents=True, exist_ok=True)
    cores = [cpu % 2 for cpu in range(VCPUS)]
    (PLACE / path.name).write_text("cores: 2\n" + re.sub(
        r"vcpus: \d+,", f"vcpus: {VCPUS}, cpu: {cores},", path.read_text()))
    system = boot(PLACE / path.name, MICROKIT_BOARD=board)
    for again in (False, True):
        for number in (1, 0):
            system.login(number)
        assert system.output(0, "nproc").strip() == str(VCPUS)
        assert system.pings(0, "192.168.1.2") and system.pings(1, "192.168.1.1")
        if again:
            break
        last = f"/sys/devices/system/cpu/cpu{VCPUS - 1}/online"
        assert system.output(0, f"echo 0 >{last} && nproc && echo 1 >{last} && nproc").split() == [
            str(VCPUS - 1), str(VCPUS)]
        system.start(0, "reboot -f")
        system.expect("restarting")
        system.focused = None


@conftest.needs_cores
@pytest.mark.parametrize("board", [pytest.param(board, marks=conftest.marks_of(board))
                                   for board in (ZCU102, GICV3)])
def test_a_core_each(boot, board):
    system = boot("cores", MICROKIT_BOARD=board, monitor=machine.Monitor())
    for number in (0, 1):
        system.login(number)
    run_where_they_belong(system, {0: [0], 1: [1]})
    assert system.pings(1, "192.168.1.1") and system.pings(0, "192.168.1.2")


def test_board_that_nothing_emulates():
    process = conftest.make("run", MICROKIT_BOARD="ultra96v2")
    if conftest.on_bundled_sdk():
        assert process.returncode != 0
        assert "make: QEMU does not emulate the board ultra96v2. `make image` makes its boot image; " \
            "docs/boards.md says how" in process.stdout
    else:
        assert "knows no board 'ultra96v2'" in process.stdout or "does not emulate" in process.stdout
