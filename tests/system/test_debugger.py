# SPDX-License-Identifier: BSD-2-Clause
"""Debuggers in guests: breakpoints, watchpoints and single step, in several machines at once."""

import subprocess

import pytest

import conftest

PLACE = conftest.BUILD_DIR / "check" / "debugger"
COUNTS = (6, 4)  # breakpoints and watchpoints of QEMU's Cortex-A53
MACHINES = 3


@pytest.fixture
def place():
    conftest.make_guests(PLACE, "debugger*.yaml")
    programs = PLACE / "debugger"
    programs.mkdir(exist_ok=True)
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-O2", "-s", "-Wall", "-Wextra", "-Werror",
                    "-o", programs / "debugger", conftest.HERE / "debugger.c"], check=True)
    return PLACE


@pytest.mark.skipif(not conftest.on_bundled_sdk(), reason="seL4 does not switch debug registers")
@pytest.mark.parametrize("name", ["debugger", pytest.param("debugger_cores", marks=conftest.needs_cores)])
def test_debuggers_at_once(place, boot, name):
    system = boot.start(conftest.build_with_new_disk(place / f"{name}.yaml"))
    for number in range(MACHINES):
        system.login(number)
        system.output(number, "mount -o ro /dev/vda /mnt")
    command = "/mnt/debugger %d %d" % COUNTS
    for number in range(1, MACHINES):
        system.run(number, f"(while {command} >/tmp/said 2>&1; do echo >>/tmp/rounds; done; "
                           "touch /tmp/failed) &")
    for _ in range(5):
        status, said = system.run(0, command)
        assert status == 0, said
        assert said.count(": ok") == 8, said
    for number in range(1, MACHINES):
        status, said = system.run(number, "cat /tmp/said; test ! -e /tmp/failed -a -e /tmp/rounds")
        assert status == 0, said
