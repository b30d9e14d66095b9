# SPDX-License-Identifier: BSD-2-Clause
"""Systems of several cores: all that machines do is right as well where they really run at once.

What the hostile guests do from two cores is in test_hostile.py.
"""

import collections
import os
import shutil
import time

import pytest

import conftest
import machine

pytestmark = conftest.needs_cores

PLACE = conftest.BUILD_DIR / "check" / "cores"
LOOKS = 2000
TIMES = 10
ROUNDS = 30  # of so many looks


# ---- Where vCPUs run, seen from outside ----

def spin(system, number, cpu):
    """Have a vCPU of a machine compute for good."""
    system.output(number, f"taskset {1 << cpu:x} sh -c 'while :; do :; done' & spinners=\"$spinners $!\"")


def stop_spinning(system, number):
    system.output(number, "kill $spinners; wait $spinners 2>/dev/null; spinners=")


def look(system, cores, times, together=None):
    """
    Look until so many of these cores, or all, were at EL0 at one moment, so many times: a guest's
    shell computes there, an idle core waits elsewhere. Returns how often each core was.
    """
    together = together or len(cores)
    seen = collections.Counter()
    for _ in range(LOOKS):
        busy = {core for core, level in enumerate(system.monitor.exception_levels()) if level == 0}
        seen.update(busy)
        times -= len(busy & cores) >= together
        if times == 0:
            return seen
        time.sleep(0.01)
    raise AssertionError(f"{together} of the cores {cores} are to compute: {seen}")


def run_where_they_belong(system, placement):
    """
    Each vCPU computes on the core that it is to have, and the others have little to do then, at the
    latest once what a login starts is done: on a busy host that takes seconds. And several that
    compute do so at the same moments. `placement`: {machine: [core of each vCPU]}
    """
    first_on = {}
    for number, cores in placement.items():
        assert system.output(number, "nproc").strip() == str(len(cores))
        for cpu, core in enumerate(cores):
            first_on.setdefault(core, (number, cpu))
            spin(system, number, cpu)
            for _ in range(ROUNDS):
                seen = look(system, {core}, TIMES)
                alone = all(seen[other] < TIMES / 2 for other in set(seen) - {core})
                if alone:
                    break
            stop_spinning(system, number)
            assert alone, f"vCPU {cpu} of machine {number} computes on {seen}"
    for number, cpu in first_on.values():
        spin(system, number, cpu)
    # As many as the host runs at once.
    look(system, set(first_on), TIMES, together=min(len(first_on), len(os.sched_getaffinity(0))))
    for number in {number for number, _ in first_on.values()}:
        stop_spinning(system, number)


# ---- The systems that ship ----

def test_two_machines_have_a_core_each(boot):
    system = boot("cores", monitor=machine.Monitor())
    for number in (0, 1):
        system.login(number)
    run_where_they_belong(system, {0: [0], 1: [1]})
    assert system.pings(1, "192.168.1.1") and system.pings(0, "192.168.1.2")


@conftest.needs_processors(4)
def test_four_vcpus_have_a_core_each(boot):
    """Machines of four vCPUs on several cores are restarted in test_boards.py."""
    system = boot("smp_cores", monitor=machine.Monitor())
    for number in (0, 1):
        system.login(number)
    run_where_they_belong(system, {0: [0, 1, 2, 3], 1: [1]})
    assert system.pings(0, "192.168.1.2") and system.pings(1, "192.168.1.1")


@pytest.mark.skipif(not conftest.on_bundled_sdk(),
                    reason="seL4 puts a vCPU that is answered from another core behind its equals")
def test_vcpus_that_share_cores_meet(boot):
    """To take a vCPU off, Linux has all others spin with interrupts masked until the last one does."""
    system = boot(conftest.HERE / "eight_on_two.yaml")
    system.login(0)
    online = "/sys/devices/system/cpu/cpu7/online"
    for _ in range(5):
        counts = system.output(0, f"echo 0 >{online} && nproc && echo 1 >{online} && nproc", 120)
        assert counts.split() == ["7", "8"]


# ---- A system of two cores with something of everything ----

def begin_two_cores(booter):
    conftest.make_disktool(PLACE / "programs")
    shutil.copy(conftest.HERE / "two_cores.yaml", PLACE)
    conftest.build_with_new_disk(PLACE / "two_cores.yaml")
    system = booter(PLACE / "two_cores.yaml", monitor=machine.Monitor())
    for number in (0, 1, 2):
        system.login(number)
    for number in (0, 1):
        mount(system, number)
    return system


@pytest.fixture(scope="module")
def shared(request):
    system = conftest.Shared(request, begin_two_cores)
    yield system
    system.drop()


@pytest.fixture
def two_cores(shared, pytestconfig):
    return shared.system(pytestconfig)


def mount(system, number):
    system.output(number, "mount -o ro /dev/vdb /mnt")


def restart(system, number, command):
    """Have a machine reset itself; it is another one then."""
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = system.output(number, f"{boot_id}; echo trace >/root/trace")
    system.start(number, command)
    system.expect("restarting")
    system.expect(f"vm{number} is ready")
    system.focused = None
    system.login(number)
    after = system.output(number, f"{boot_id}; ls /root")
    assert before.strip() not in after and "trace" not in after, "it is not a fresh machine"


def test_vcpus_run_where_the_file_says(two_cores):
    run_where_they_belong(two_cores, {0: [0, 1], 1: [1], 2: [0]})


def test_all_reach_each_other(two_cores):
    for sender in (0, 1, 2):
        for receiver in (0, 1, 2):
            if sender != receiver:
                assert two_cores.pings(sender, f"192.168.1.{receiver + 1}")


@pytest.mark.parametrize("sender, receiver", [(0, 1), (1, 0), (2, 1), (0, 2)])
def test_tcp_changes_nothing(two_cores, sender, receiver):
    """Between rings and guests' memory, on one core and across."""
    assert two_cores.transfer(sender, receiver, f"192.168.1.{receiver + 1}", 2 << 10)


def test_offloads_off_and_on(two_cores):
    two_cores.output(2, "ethtool -K eth0 rx off tso off gso off gro off tx off")
    assert two_cores.transfer(1, 2, "192.168.1.3", 1 << 10)
    assert two_cores.transfer(2, 1, "192.168.1.2", 1 << 10)
    two_cores.output(2, "ethtool -K eth0 rx on tx on tso on gso on gro on")


def test_disks_keep_what_is_written(two_cores):
    for number in (0, 1):
        two_cores.start_verifying(number, 5)
    for number in (0, 1):
        two_cores.finish_verifying(number)


def test_restart_while_the_others_talk_and_write(two_cores):
    # Not from one machine: all of its ICMP goes through busybox's small receive buffer, too.
    two_cores.keep_pinging(2, "192.168.1.2")
    two_cores.output(1, "ping -q -i 0.002 -s 1400 192.168.1.1 >/dev/null 2>&1 & flood=$!")
    two_cores.start_verifying(1, 10)
    restart(two_cores, 0, "dd if=/dev/zero of=/dev/vda bs=1M oflag=direct & sleep 1; reboot -f")
    assert two_cores.output(0, "nproc").strip() == "2"
    two_cores.output(1, "kill $flood")
    sent, received = two_cores.stop_pinging(2)
    assert sent > 20 and received == sent, f"the neighbours have noticed: {received} of {sent}"
    two_cores.finish_verifying(1)
    mount(two_cores, 0)
    two_cores.start_verifying(0, 1)
    two_cores.finish_verifying(0)
    assert two_cores.pings(0, "192.168.1.2") and two_cores.pings(2, "192.168.1.1")


def test_power_off_and_start_again(two_cores):
    two_cores.keep_pinging(0, "192.168.1.3")
    two_cores.focus(1)
    two_cores.send("poweroff\r")
    two_cores.expect("powered off")
    status, output = two_cores.run(2, "ping -c 2 -W 1 192.168.1.2")
    assert status != 0 and machine.ping_statistics(output)[1] == 0
    two_cores.focus(1)
    two_cores.send("\r")
    two_cores.expect("vm1 is ready")
    two_cores.login(1)
    sent, received = two_cores.stop_pinging(0)
    assert sent > 20 and received == sent, f"the neighbours have noticed: {received} of {sent}"
    assert two_cores.pings(0, "192.168.1.2")


def test_hotplug_ten_times(two_cores):
    """The vCPU that comes and goes is not on its monitor's core."""
    two_cores.keep_pinging(1, "192.168.1.1")
    two_cores.output(0, "(online=/sys/devices/system/cpu/cpu1/online; for i in $(seq 10); do "
                        "echo 0 >$online && [ $(nproc) = 1 ] && echo 1 >$online && [ $(nproc) = 2 ] && "
                        "taskset 2 seq 1000 >/dev/null || exit 1; done)")
    sent, received = two_cores.stop_pinging(1)
    assert sent > 2 and received == sent
