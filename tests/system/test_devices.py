# SPDX-License-Identifier: BSD-2-Clause
"""Devices of the board that are handed to a machine: its own drivers have them."""

import calendar
import hashlib
import os
import re
import socket
import time

import pytest

import conftest
import machine
from test_boards import ZCU102
from test_hostile import offend_beside_others

VIRT = ["qemu_virt_aarch64", "qemu_virt_aarch64_gicv3"]

POWER_KEY = 3  # the line of the PL061
GPIO = "/sys/class/gpio"


COUNT = "awk '/{}/ {{ print $2 + $3 }}' /proc/interrupts"  # of both vCPUs


def interrupts(system, name):
    """How often the machine has taken the interrupts of that name."""
    return int(system.output(1, COUNT.format(name)))


def await_interrupt(system, name, before):
    system.output(1, f"until [ $({COUNT.format(name)}) -gt {before} ]; do usleep 200000; done")


def tells_the_hosts_time(system):
    told = system.output(1, "hwclock -u -r")
    match = re.search(r"(\w{3}) +(\d+) (\d\d:\d\d:\d\d) (\d{4})", told)
    assert match, told
    seconds = calendar.timegm(time.strptime(" ".join(match.groups()), "%b %d %H:%M:%S %Y"))
    assert abs(seconds - time.time()) < 60, told


def alarm_rings(system):
    """The clock's alarm is an interrupt of its own."""
    before = interrupts(system, "rtc-pl031")
    system.output(1, "echo 0 >/sys/class/rtc/rtc0/wakealarm; echo +2 >/sys/class/rtc/rtc0/wakealarm")
    await_interrupt(system, "rtc-pl031", before)


def watch_power_key(system):
    """Have the kernel take the power key's interrupt: a guest's kernel may have no gpio-keys."""
    base = system.output(1, f"cat {GPIO}/gpiochip*/base").split()[0]
    line = int(base) + POWER_KEY
    system.output(1, f"echo {line} >{GPIO}/export && echo rising >{GPIO}/gpio{line}/edge")


def power_key_arrives(system, monitor):
    for _ in range(3):
        before = interrupts(system, "gpiolib")
        monitor.command("system_powerdown")
        await_interrupt(system, "gpiolib", before)


def disk_is_what_was_written(system):
    """16 MiB of noise, which then comes from the disk and not from the guest's memory."""
    system.output(1, "dd if=/dev/urandom of=/tmp/noise bs=1M count=16 2>/dev/null")
    system.output(1, "dd if=/tmp/noise of=/dev/vda bs=1M conv=fsync 2>/dev/null")
    system.output(1, "echo 3 >/proc/sys/vm/drop_caches")
    system.output(1, "dd if=/dev/vda bs=1M count=16 2>/dev/null | cmp - /tmp/noise")


@pytest.fixture(params=[pytest.param(name, marks=conftest.marks_of(name)) for name in VIRT])
def board(request):
    return request.param


def test_devices(boot, board):
    """A clock, GPIO and a disk: before and after the machine has been restarted."""
    monitor = machine.Monitor()
    system = boot("devices", MICROKIT_BOARD=board, monitor=monitor)
    for restarts in range(2):
        system.login(1)
        tells_the_hosts_time(system)
        alarm_rings(system)
        watch_power_key(system)
        power_key_arrives(system, monitor)
        disk_is_what_was_written(system)
        if restarts == 0:
            system.send("reboot -f\r")
            system.expect("restarting")
            system.focused = None
    system.login(0)
    assert system.pings(0, "192.168.1.2")


def test_offences_harm_the_offender_alone(boot, guests, board):
    """An interrupt that storms, one that is never ended: the offender's own time."""
    (said,) = offend_beside_others(boot(guests / "hostile_device.yaml", MICROKIT_BOARD=board), [2])
    for step in ("an alarm that is never taken back", "an interrupt that is not ended"):
        assert f"hostile: ok {step}" in said


@pytest.mark.parametrize("board", [pytest.param(ZCU102, marks=conftest.marks_of(ZCU102))])
def test_uart(boot, board):
    """Bytes both ways at the second serial line, while vm0 has the console."""
    description = conftest.HERE / "uart1.yaml"
    system = boot(description, MICROKIT_BOARD=board)
    system.login(1)
    with socket.socket(socket.AF_UNIX) as line:
        # The name of a socket is short.
        directory = conftest.directory_of(description, MICROKIT_BOARD=board)
        line.connect(os.path.relpath(directory / "uart1.sock"))
        line.settimeout(machine.FAR)
        assert "ttyPS0 at MMIO 0xff010000" in system.output(1, "dmesg")
        system.output(1, "stty -F /dev/ttyPS0 raw -echo 115200")
        system.output(1, "head -n 1000 /dev/ttyPS0 >/tmp/got & reader=$!")
        said = "".join(f"line {n} of what comes in\n" for n in range(1000))
        system.focus(0)  # and all of it happens while another machine has the console
        for piece in range(0, len(said), 32):
            line.sendall(said[piece:piece + 32].encode())
        system.login(0)
        assert system.output(0, "hostname").strip() == "vm0"
        assert system.output(1, "wait $reader; md5sum </tmp/got").split()[0] == \
            hashlib.md5(said.encode()).hexdigest()
        system.output(1, "cat /tmp/got >/dev/ttyPS0 & writer=$!")
        echoed = b""
        while len(echoed) < len(said):
            echoed += line.recv(4096)
        assert echoed.decode() == said
        system.output(1, "wait $writer")
