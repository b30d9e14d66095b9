# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of machines that crash: restarted, given up or stopped, as the system's file says."""

import re

import pytest

import conftest

# The guests of these are to be restarted after seconds, of which the host need not wait for each.
VIRTUAL = ("-icount", "shift=1,sleep=off")


def place():
    directory = conftest.BUILD_DIR / "check" / "hostile"
    conftest.make_guests(directory, "crash*.yaml")
    return directory


def begin(booter):
    system = booter(place() / "crash.yaml", VIRTUAL)
    for number in (0, 1):
        system.login(number)
    return system


@pytest.fixture(scope="module")
def shared(request):
    system = conftest.Shared(request, begin)
    yield system
    system.drop()


@pytest.fixture
def crashes(shared, pytestconfig):
    return shared.system(pytestconfig)


def start(system, number):
    system.focus(number)
    system.send("\r")
    system.expect("starting")


def restarts(system, name, cause):
    """It is restarted five times, and then held."""
    for times in range(5):
        system.expect(f"vmm {name}: stopped: {cause}; restarts in {2 ** times} s, or at Enter")
        system.expect(f"vmm {name}: restarting, {times + 1} of 5")
    system.expect(f"vmm {name}: stopped: {cause}; held: it has been restarted 5 times in a row; "
                  "press Enter to start it")


def uptime(system, number):
    return float(system.output(number, "cat /proc/uptime").split()[0])


def test_a_kernel_that_panics_is_restarted_five_times(crashes):
    """Its neighbours do not lose a packet by that."""
    crashes.keep_pinging(0, "192.168.1.2")
    begun = uptime(crashes, 1)
    start(crashes, 2)
    restarts(crashes, "panics", "its kernel has panicked")
    # The delays are 31 s, and each of six panics is known when nothing is printed for a second.
    assert 37 <= uptime(crashes, 1) - begun
    sent, received = crashes.stop_pinging(0)
    assert sent == received > 100


def test_a_guest_without_vectors_is_restarted_five_times(crashes):
    begun = uptime(crashes, 1)
    start(crashes, 3)
    restarts(crashes, "falls", r"vCPU 0 at 0x\w+: a fault that the guest has no working vectors for")
    assert 31 <= uptime(crashes, 1) - begun
    crashes.focus(3)
    crashes.send("\r")
    crashes.expect("starting")
    crashes.expect("restarts in 1 s")  # a person forgives what has been


def test_a_panic_that_is_told(crashes):
    """At once, by pvpanic."""
    start(crashes, 4)
    restarts(crashes, "tells", "its kernel has panicked")
    start(crashes, 5)
    crashes.expect("vmm stops: stopped: its kernel has panicked; press Enter to start it")
    crashes.command("l")
    crashes.expect(r"5 +stops +alone, stopped, has the keys")


def lives_on(system, number, seconds):
    """The guest goes on for so many seconds of its own."""
    begun = uptime(system, number)
    system.output(number, f"sleep {seconds}")
    assert uptime(system, number) >= begun + seconds


def test_a_silent_linux_is_restarted(crashes):
    """When nobody feeds its watchdog any more, and after no more than the time that the file says."""
    system = crashes
    assert system.output(0, "cat /sys/class/watchdog/watchdog0/timeout").strip() == "10"
    lives_on(system, 0, 25)  # it is off
    system.output(0, "watchdog -T 10 -t 3 /dev/watchdog")
    lives_on(system, 0, 25)  # it is fed
    system.start(0, "killall -9 watchdog; while usleep 100000; do read -r up idle </proc/uptime; "
                    'echo "<up $up>"; done')
    system.expect("vmm vm0: stopped: its watchdog has expired; restarts in 1 s, or at Enter")
    ups = [float(up) for up in re.findall(r"<up ([\d.]+)>", system.child.before)]
    assert 9 < ups[-1] - ups[0] < 11
    system.expect("vmm vm0: restarting, 1 of 5")
    system.expect("vm0 is ready")
    system.login(0)
    assert uptime(system, 0) < 9


def test_a_restart_switches_the_watchdog_off(crashes):
    system = crashes
    system.output(0, "watchdog -T 10 -t 3 /dev/watchdog")
    lives_on(system, 0, 5)
    system.send("echo b >/proc/sysrq-trigger\r")  # the driver does not hear of it
    system.expect("vmm vm0: restarting")
    system.expect("vm0 is ready")
    system.login(0)
    lives_on(system, 0, 25)
    system.output(0, "watchdog -T 10 -t 3 /dev/watchdog")
    lives_on(system, 0, 25)


def hangs(system, number):
    start(system, number)
    for delay in (1, 2):
        system.expect("crasher: begins")
        system.expect(f"vmm hangs: stopped: its watchdog has expired; restarts in {delay} s, or at Enter")
        system.expect("vmm hangs: restarting")


def test_a_guest_that_loops_with_interrupts_masked_is_restarted(crashes):
    begun = uptime(crashes, 1)
    hangs(crashes, 6)
    assert uptime(crashes, 1) - begun >= 2 + 1 + 2 + 2


def test_a_person_restarts_a_guest_that_loops_with_interrupts_masked(crashes):
    """By keys. It has no watchdog, and whether it hears of the restart does not matter."""
    system = crashes
    system.keep_pinging(0, "192.168.1.2")
    start(system, 7)
    for _ in range(3):
        system.expect("crasher: begins")
        lives_on(system, 1, 2)
        system.focus(7)
        system.command("r")
        system.expect(r"\[loops: restart\]")
    system.expect("crasher: begins")
    system.command("k")
    system.expect("vmm loops: stopped; press Enter to start it")
    sent, received = system.stop_pinging(0)
    assert sent == received > 10


@conftest.needs_cores
@conftest.needs_processors(2)
def test_a_guest_that_loops_on_two_cores_is_restarted(boot):
    system = boot(place() / "crash_cores.yaml")
    system.login(0)
    hangs(system, 1)
    assert "vm0" in system.output(0, "hostname")
