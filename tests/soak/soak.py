# SPDX-License-Identifier: BSD-2-Clause
"""`make soak`: machines that live for a day, in virtual time.

Three machines ping each other, send to each other by TCP, write their disks and read them again, at random
and with checksums. Meanwhile they are rebooted, restarted, killed and started, paused, and their links flap.
One sector of each machine's third disk is bad. The machine `steady` is spared: nothing that the others
undergo may be seen in it. At the end a monitor faults, and then the disk's driver: their neighbours go on.

Idle time costs little: QEMU passes over it. What is done, and when, follows from the seed, which is printed.
"""

import collections
import pathlib
import random
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

import broken_program  # noqa: E402  (found by the line above)
import machine  # noqa: E402

VIRTUAL = ["-icount", "shift=1,sleep=off", "-rtc", "base=2026-01-01,clock=vm"]
NAMES = ("steady", "mapped", "copied")
STEADY, OTHERS = 0, (1, 2)
MIB = 1 << 20
REGION = 512 << 10  # of a disk: what is written and read at a time, bytes
REGIONS = (64 * MIB) // REGION
BAD_AT = 64 << 10  # of each machine's third disk: a sector that cannot be read
DRIFT_NS = 1_000_000
LEAK_KIB = 4096  # that MemAvailable of `steady` may be less at the end

# What no program may have said: somebody has broken a ring, a queue or a rule, or has faulted.
ALARM = re.compile(r"ring .*broken|makes no sense|what (?:was|it was) not|stopped until its driver|"
                   r"is given up|MON\|ERROR|a fault of an unknown kind|queue holds what cannot be")
# Why a frame may have been dropped here: its receiver was being restarted, or did not keep up.
MAY_DROP = {"filtered", "receiver down", "receiver full"}


class Soak:
    """A running system, and what is known of its machines."""

    def __init__(self, system, breaker, seed, log, say):
        self.system = system
        self.breaker = breaker
        self.log = log
        self.random = random.Random(seed)
        self.say = say
        self.sums = [{} for _ in NAMES]  # of the regions that were written, by number
        self.done = collections.Counter()

    # ---- What is done ----

    def address(self, number):
        return f"192.168.1.{number + 1}"

    def pair(self):
        return self.random.sample(range(len(NAMES)), 2)

    def ping(self):
        sender, receiver = self.pair()
        assert self.system.pings(sender, self.address(receiver)), f"{NAMES[sender]} to {NAMES[receiver]}"

    def send(self):
        sender, receiver = self.pair()
        kib = self.random.choice((1, 100, 4096))
        assert self.system.transfer(sender, receiver, self.address(receiver), kib), "damaged on its way"

    def write(self, number=None):
        """A region of a disk with noise; its sum is remembered."""
        number = self.random.randrange(len(NAMES)) if number is None else number
        region = self.random.randrange(REGIONS)
        said = self.system.output(
            number, f"dd if=/dev/urandom of=/tmp/noise bs={REGION} count=1 2>/dev/null; "
                    f"dd if=/tmp/noise of=/dev/vda bs={REGION} seek={region} oflag=direct 2>/dev/null && "
                    "sync && sha256sum </tmp/noise; rm /tmp/noise")
        self.sums[number][region] = said.split()[0]

    def read(self, number=None, region=None):
        """A region that was written, before whatever happened since."""
        number = self.random.randrange(len(NAMES)) if number is None else number
        if not self.sums[number]:
            return
        region = self.random.choice(sorted(self.sums[number])) if region is None else region
        said = self.system.output(number, f"dd if=/dev/vda bs={REGION} count=1 skip={region} iflag=direct "
                                          "2>/dev/null | sha256sum")
        assert said.split()[0] == self.sums[number][region], f"{NAMES[number]}'s disk, region {region}"

    def fail(self):
        """The bad sector: an error for who reads it, and none for the others."""
        number = self.random.randrange(len(NAMES))
        _, said = self.system.run(number, f"dd if=/dev/vdc of=/dev/null bs=4096 count=1 iflag=direct "
                                          f"skip={BAD_AT // 4096}")
        assert "I/O error" in said or "Input/output error" in said, said
        self.read(self.random.choice([n for n in range(len(NAMES)) if n != number]))

    def verify(self):
        """Two machines write and read at once at random. It overwrites what was there."""
        for number in OTHERS:
            self.sums[number].clear()
            self.system.start_verifying(number, 1)
        for number in OTHERS:
            self.system.finish_verifying(number)
            self.write(number)

    def flap(self):
        number = self.random.randrange(len(NAMES))
        self.system.output(number, f"ip link set eth0 down; sleep {self.random.randrange(3)}; "
                                   "ip link set eth0 up")
        assert self.system.pings(number, self.address((number + 1) % len(NAMES))), "after its link came back"

    def rest(self):
        """All idle for some minutes, or an hour."""
        self.system.output(STEADY, f"sleep {self.random.choice((60, 600, 3600))}")

    def pause(self):
        number, seconds = self.random.choice(OTHERS), self.random.choice((1, 10, 100))
        before = self.uptime(number)
        begin = self.uptime(STEADY)
        self.system.focus(number)
        self.system.command("p")
        self.system.expect(f"vmm {NAMES[number]}: paused")
        self.system.output(STEADY, f"sleep {seconds}")
        self.system.focus(number)
        self.system.command("g")
        self.system.expect(f"vmm {NAMES[number]}: goes on")
        passed = self.uptime(number) - before
        assert passed <= self.uptime(STEADY) - begin - seconds, f"its clock has gone on: {passed} s"

    def reboot(self):
        number = self.random.choice(OTHERS)
        self.beside(lambda: self.reboot_one(number))

    def reboot_one(self, number):
        self.system.focus(number)
        self.system.send(self.random.choice(("reboot\r", "reboot -f\r")))
        self.start(number)

    def restart(self):
        number = self.random.choice(OTHERS)

        def restart():
            self.system.focus(number)
            self.system.command("r")
            self.start(number)
        self.beside(restart)

    def kill(self):
        number = self.random.choice(OTHERS)

        def kill():
            self.system.focus(number)
            self.system.command("k")
            self.system.expect(f"vmm {NAMES[number]}: stopped; press Enter to start it")
            self.system.output(STEADY, f"sleep {self.random.randrange(100)}")
            self.system.focus(number)
            self.system.command("u")
            self.start(number)
        self.beside(kill)

    # ---- How ----

    def start(self, number):
        self.system.expect(f"{NAMES[number]} is ready")
        self.prepare(number)

    def prepare(self, number):
        self.system.login(number)
        self.system.output(number, "mount -o ro /dev/vdb /mnt")

    def beside(self, work):
        """While something happens to one machine, the steady one loses no ping to the other."""
        before = self.system.output(STEADY, "cat /proc/sys/kernel/random/boot_id")
        work()
        assert self.system.output(STEADY, "cat /proc/sys/kernel/random/boot_id") == before

    def uptime(self, number):
        return float(self.system.output(number, "cat /proc/uptime").split()[0])

    def clocks(self):
        """(seconds of the real-time clock, nanoseconds of CLOCK_MONOTONIC) of the steady machine."""
        seconds, nanoseconds = self.system.output(STEADY, "/mnt/soaktool").split()
        return int(seconds), int(nanoseconds)

    def available(self):
        self.system.output(STEADY, "sync; echo 3 >/proc/sys/vm/drop_caches")
        return int(re.search(r"MemAvailable: +(\d+)", self.system.output(STEADY, "cat /proc/meminfo"))[1])

    # ---- At the end ----

    def drops(self):
        """What the switch has dropped, it has dropped for a reason that there was."""
        self.system.command("s")
        said = ""
        for name in NAMES:
            self.system.expect(rf"port {name}[^\r\n]*: in [^\r\n]*")
            said += self.system.child.before
        self.system.start(STEADY, "sleep 1")
        self.system.expect("<begin>")
        said += self.system.child.before
        self.system.expect("<end 0>")
        causes = {cause.strip() for line in re.findall(r"port \w+: dropped(.*)", said)
                  for cause in re.findall(r"([a-z' ]+) \d+", line)}
        assert causes <= MAY_DROP, causes

    def no_alarm(self):
        found = ALARM.search(self.log.read_text(encoding="utf-8"))
        assert found is None, f"{self.log}: {found[0]}"

    def break_programs(self):
        """A monitor faults, and then the disk's driver. The rest of the network is as it was."""
        self.breaker.fault_in(f"vmm_{NAMES[-1]}")
        self.system.output(0, f"ping -c 1 -W 1 {self.address(len(NAMES) - 1)} || true")
        assert self.system.pings(0, self.address(1)) and self.system.pings(1, self.address(0))
        self.read(self.random.randrange(len(NAMES) - 1))
        self.breaker.fault_in("block_driver")
        self.system.output(0, "(dd if=/dev/vda of=/dev/null count=1 iflag=direct &) 2>/dev/null; sleep 1")
        assert self.system.pings(0, self.address(1)) and self.system.pings(1, self.address(0))

    # ---- All of it ----

    ACTIONS = {ping: 6, send: 6, write: 6, read: 6, fail: 1, verify: 1, flap: 2, rest: 4, pause: 2, reboot: 2,
               restart: 2, kill: 1}

    def act(self, action):
        self.done[action.__name__] += 1
        action(self)

    def run(self, hours):
        """
        Each action once, and then for so many hours of the steady machine's. Raises AssertionError if
        something is not as it should be.
        """
        for number in range(len(NAMES)):
            self.prepare(number)
            self.write(number)
        memory, (rtc, monotonic) = self.available(), self.clocks()
        begin = now = self.uptime(STEADY)
        shown = 0
        for action in self.random.sample(list(self.ACTIONS), len(self.ACTIONS)):
            self.act(action)
        while now < begin + 3600 * hours:
            self.act(*self.random.choices(list(self.ACTIONS), list(self.ACTIONS.values())))
            now = self.uptime(STEADY)
            if int((now - begin) / 3600) > shown:
                shown = int((now - begin) / 3600)
                self.say(f"{shown} of {hours} hours, {sum(self.done.values())} actions")
        now = self.uptime(STEADY)
        for number, sums in enumerate(self.sums):
            for region in sums:
                self.read(number, region)
        rtc_end, monotonic_end = self.clocks()
        drift = (monotonic_end - monotonic) - (rtc_end - rtc) * 1_000_000_000
        lost = memory - self.available()
        assert abs(drift) < DRIFT_NS, f"the clocks have drifted apart by {drift} ns"
        assert lost < LEAK_KIB, f"{lost} KiB of memory are gone"
        for number in range(len(NAMES)):
            assert self.system.pings(number, self.address((number + 1) % len(NAMES)))
        self.drops()
        self.no_alarm()
        self.break_programs()
        self.say(f"{(now - begin) / 3600:.1f} hours: "
                 + ", ".join(f"{count} {name}" for name, count in sorted(self.done.items()))
                 + f"; clocks apart by {drift / 1000:.0f} us, memory by {lost} KiB, "
                   f"{sum(map(len, self.sums))} regions as they were written")


def make_guests(directory):
    """What the machines have on their second disks; returns the directory for the system's file beside it."""
    programs = directory / "programs"
    programs.mkdir(parents=True, exist_ok=True)
    for source in (HERE / "soaktool.c", HERE.parent / "system" / "disktool.c"):
        subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-O2", "-s", "-Wall", "-Wextra", "-Werror",
                        "-o", programs / source.stem, source], check=True, stdin=subprocess.DEVNULL)
    return directory


def with_bad_sectors(command):
    """Arguments for QEMU: of each machine's third disk, one sector cannot be read."""
    parts = (command.parent / "disk.img.parts").read_text()
    rules = ""
    for name in NAMES:
        offset = int(re.search(rf"^{name} disk2: (\d+) ", parts, re.M)[1])
        rules += ('[inject-error]\nevent = "none"\niotype = "read"\nerrno = "5"\n'
                  f'sector = "{(offset + BAD_AT) // 512}"\n')
    (command.parent / "blkdebug.conf").write_text(rules)
    return ["-set", f"drive.disk.file=blkdebug:{command.parent}/blkdebug.conf:{command.parent}/disk.img"]


def soak(command, hours, seed, log, say):
    """
    Boot the system and let it live. `command`, an absolute path, runs it; `log` is the file for what its
    consoles say.
    """
    breaker = broken_program.Breaker(command.parent)
    arguments = [*VIRTUAL, *with_bad_sectors(command), *breaker.arguments]
    try:
        with log.open("w", encoding="utf-8") as file, machine.Machine(command, arguments, file) as system:
            Soak(system, breaker, seed, log, say).run(hours)
    finally:
        breaker.close()
