# SPDX-License-Identifier: BSD-2-Clause
"""Reboot and power-off from inside a guest are that guest's business alone."""

import re
import time

import pytest

import conftest
import machine


VIRTUAL = ("-icount", "shift=1,sleep=off")


def begin(booter):
    system = booter("three_vms")
    for number in (0, 1, 2):
        system.login(number)
    return system


@pytest.fixture(scope="module")
def shared(request):
    system = conftest.Shared(request, begin)
    yield system
    system.drop()


@pytest.fixture
def three_vms(shared, pytestconfig):
    return shared.system(pytestconfig)


def ping_in_background(system, number, target, count):
    system.output(number, f"ping -c {count} -i 0.2 {target} >/tmp/ping 2>&1 &")


def ping_result(system, number):
    return machine.ping_statistics(system.output(number, "wait; cat /tmp/ping"))


def test_reboot_while_the_others_talk(three_vms):
    system = three_vms
    ping_in_background(system, 0, "192.168.1.3", 60)
    before = system.output(1, "echo trace >/root/trace; cat /proc/sys/kernel/random/boot_id")
    system.send("reboot\r")
    system.expect("restarting")
    system.expect("vm1 is ready")
    system.expect(machine.PROMPT)
    after = system.output(1, "cat /proc/sys/kernel/random/boot_id; ls /root")
    assert before.strip() not in after and "trace" not in after, "it is not a fresh machine"
    assert ping_result(system, 0)[:2] == (60, 60)
    # And the rebooted machine is reached again under the address that it has always had.
    output = system.output(2, "ping -c 5 -i 0.2 192.168.1.2")
    assert machine.ping_statistics(output)[:2] == (5, 5)


def test_power_off_and_start_again(three_vms):
    system = three_vms
    ping_in_background(system, 0, "192.168.1.3", 60)
    system.focus(1)
    system.send("poweroff\r")
    system.expect("powered off")
    assert "umount" not in system.child.before, "there is nothing on a disk to unmount"
    assert ping_result(system, 0)[:2] == (60, 60)
    status, output = system.run(0, "ping -c 2 -W 1 192.168.1.2")
    assert status != 0 and machine.ping_statistics(output)[1] == 0
    system.focus(1)
    system.send("\r")
    system.expect("vm1 is ready")
    system.login(1)
    output = system.output(0, "ping -c 5 -i 0.2 192.168.1.2")
    assert machine.ping_statistics(output)[:2] == (5, 5)


def test_reboot_ten_times(three_vms):
    """What a restart forgets to put back shows in the next one."""
    system = three_vms
    system.output(1, "hostname")
    for _ in range(10):
        system.send("reboot -f\r")
        system.expect("vm1 is ready")
        system.expect(machine.PROMPT)
        output = system.output(1, "ping -c 2 -i 0.2 192.168.1.1")
        assert machine.ping_statistics(output)[:2] == (2, 2)


def test_panic_is_the_guests_own(boot):
    system = boot("virtio_demo")
    system.login(0)
    system.login(1)
    system.send("echo c >/proc/sysrq-trigger\r")
    system.login(0)
    assert "vm0" in system.output(0, "hostname")


def test_a_panic_is_told_and_ended_by_enter(three_vms):
    """A kernel that stays in its panic spins for ever, and says so last of all."""
    system = three_vms
    system.focus(2)
    system.send("\r")
    system.expect(machine.PROMPT)
    system.output(2, "echo 0 >/proc/sys/kernel/panic")
    # Its last words in a machine that goes on are no panic, printed by whomever.
    words = "---[ end Kernel panic - not syncing: sysrq triggered crash ]---"
    system.output(2, f"echo '{words}' >/dev/console; sleep 3")
    system.command("l")
    system.expect(r"2 +vm2 +alone, has the keys, \d+ bytes unseen")
    system.send("\r")
    system.expect(machine.PROMPT)
    system.send("echo c >/proc/sysrq-trigger\r")
    system.expect(re.escape(words))
    system.expect(r"vmm vm2: panicked; press Enter to restart it")
    system.command("l")
    system.expect(r"1 +vm1 +console, \d+ bytes unseen")
    system.expect(r"2 +vm2 +alone, panicked, has the keys, \d+ bytes unseen")
    system.send("\r")
    system.expect("vmm vm2: restarting")
    system.expect("vm2 is ready")
    system.login(2)
    system.command("l")
    system.expect(r"2 +vm2 +alone, has the keys, \d+ bytes unseen")


def test_a_person_restarts_a_machine_whatever_its_guest_does(three_vms):
    """By keys; the neighbours lose no ping."""
    system = three_vms
    system.login(2)
    system.keep_pinging(0, "192.168.1.2")
    for offence in ("echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger",
                    "echo freeze >/sys/power/state", "exec sh -c 'kill -STOP $$'"):
        system.focus(2)
        system.send(offence + "\r")
        time.sleep(2)
        system.command("r")
        system.expect(r"\[vm2: restart\]")
        system.expect("vm2 is ready")
        system.login(2)
    system.command("k")
    system.expect("vmm vm2: stopped; press Enter to start it")
    system.command("k")
    system.expect(r"\[vm2 is off: no kill\]")
    system.command("l")
    system.expect(r"2 +vm2 +alone, off")
    system.command("u")
    system.expect("vm2 is ready")
    system.login(2)
    sent, received = system.stop_pinging(0)
    assert sent == received > 10


def test_power_button(three_vms):
    """A request to shut down in order, which is that machine's business alone."""
    system = three_vms
    system.login(1)
    system.output(1, "until pidof acpid; do usleep 200000; done")
    system.command("o")
    system.expect("its power button was pressed")
    system.expect("vm1: powered off")
    system.login(0)
    system.focus(1)
    system.send("\r")
    system.expect("vm1 is ready")
    system.login(1)


def test_a_paused_machine_has_not_noticed(boot):
    """60 s; its TCP connection goes on, and its clocks have stood still."""
    system = boot("virtio_demo", VIRTUAL)
    for number in (0, 1):
        system.login(number)
    system.output(1, "ifconfig eth0 192.168.1.2")
    system.listen(0, 5000, "nc -l -p 5000 -e sh -c 'cat >/tmp/got' &")
    system.output(1, "(for i in $(seq 100); do echo line $i; usleep 100000; done | nc 192.168.1.1 5000) &")

    def uptime():
        return float(system.output(1, "cat /proc/uptime").split()[0])

    before = uptime()
    host = float(system.output(0, "cat /proc/uptime").split()[0])
    system.focus(1)
    system.command("p")
    system.expect("vmm vm1: paused")
    lines = int(system.output(0, "sleep 1; wc -l </tmp/got"))
    assert int(system.output(0, "sleep 60; wc -l </tmp/got")) == lines < 100
    assert system.run(0, "ping -c 1 -W 1 192.168.1.2")[0] == 1
    system.focus(1)
    system.send("echo typed meanwhile\r")
    system.command("g")
    system.expect("vmm vm1: goes on")
    system.expect("\ntyped meanwhile")
    assert uptime() - before < 10
    assert float(system.output(0, "cat /proc/uptime").split()[0]) - host > 61
    system.output(1, "wait")
    assert system.output(0, "wait; md5sum </tmp/got") == system.output(
        1, "for i in $(seq 100); do echo line $i; done | md5sum")


def test_exits_are_counted_on_demand(boot):
    """Built with EXITS=1, a monitor tells what its guest's exits were when the machine stops."""
    system = boot("virtio_demo", EXITS=1)
    system.login(0)
    system.login(1)
    system.output(1, "ifconfig eth0 192.168.1.2; ping -c 100 -i 0.01 192.168.1.1")
    system.send("poweroff\r")
    system.expect("powered off")
    said = machine.CONTROL.sub("", system.child.before)
    whole = int(re.search(r"vmm vm1: exits: +(\d+) in all", said)[1])
    causes = {text: int(count) for count, text in
              re.findall(r"vmm vm1: exits: +(\d+) ([A-Za-z][^\r\n]*)", said) if text != "in all"}
    assert whole == sum(causes.values()) > 1000
    for cause in ("accesses to registers", "WFI or WFE", "SMC or HVC", "interrupts of the virtual timer"):
        assert causes[cause] > 0
    # Each ping was at least one kick of the card's (QueueNotify is at 0x050).
    kicks = re.search(r"vmm vm1: exits: +(\d+)   at 0xa\w+050", said)
    assert kicks and int(kicks[1]) >= 100
