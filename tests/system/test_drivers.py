# SPDX-License-Identifier: BSD-2-Clause
"""
Drivers that fault while machines use their devices. Each is started again by whom it serves: the disk
loses nothing, the network frames, the console what was in the chip. A driver that goes on faulting is
given up, and all else goes on.
"""

import re

import pytest

import broken_program
import conftest

pytestmark = pytest.mark.skipif(not conftest.on_bundled_sdk(),
                                reason="it breaks programs where the bundled SDK's report says that they are")

HOST = "10.0.2.2"  # the host, as QEMU's user network calls it
BOARDS = [pytest.param(board, marks=conftest.marks_of(board)) for board in (conftest.BOARD, "zcu102")]


class Drivers:
    """A running system, and what breaks its programs."""

    def __init__(self, booter, board):
        place = conftest.BUILD_DIR / "check" / "drivers"
        conftest.make_disktool(place / "programs")
        conftest.put((conftest.HERE / "drivers.yaml").read_text(), place / "drivers.yaml")
        command = conftest.build_with_new_disk(place / "drivers.yaml", MICROKIT_BOARD=board)
        self.breaker = broken_program.Breaker(command.parent)
        self.running = booter.start(command, self.breaker.arguments)
        for number in range(2):
            self.running.login(number)
            self.running.output(number, "mount -o ro /dev/vdb /mnt; dmesg -n 1; "
                                        "until ip route | grep -q default; do sleep 1; done")

    def lose(self, program, pointer, who):
        """The driver faults when it uses that pointer next, and is started again."""
        self.running.show_all()
        self.breaker.lose(program, pointer)
        self.running.expect(f"the {who} has faulted: an access to 0x[0-9a-f]+ at 0x2[0-9a-f]+")


@pytest.fixture(scope="module", params=BOARDS)
def drivers(request):
    booter = conftest.Booter(conftest.log_name(request))
    made = Drivers(booter, request.param)
    yield made
    booter.stop()
    made.breaker.close()


def test_disk_loses_nothing(drivers):
    """Two machines write at random and read again, while the driver faults twice."""
    running = drivers.running
    for number in range(2):
        running.start_verifying(number, 30)
    for again in (False, True):
        # What has been sent again goes to the driver alone. A fault then is the request's, which fails.
        for number in range(2 if again else 0):
            running.output(number, "echo 3 >/proc/sys/vm/drop_caches; head -c 4096 /dev/vda >/dev/null")
        drivers.lose("block_driver", "disk", "disk's driver")
        running.expect(r"block: [1-9]\d* requests are sent again")
    for number in range(2):
        running.finish_verifying(number)
        assert "I/O error" not in running.output(number, "dmesg")


def test_card_loses_frames_only(drivers):
    """TCP sends them again. The neighbour's pings within the board lose none."""
    running = drivers.running
    addresses = [re.search(r"inet ([\d.]+)/", running.output(number, "ip addr show eth0"))[1]
                 for number in range(2)]
    running.output(0, f"(while :; do ping -c 1 -W 1 {HOST}; sleep 1; done >/dev/null 2>&1 &)")
    for _ in range(2):
        running.keep_pinging(1, addresses[0])
        drivers.lose("net_driver", "card", "card's driver")
        running.expect("uplink: the link is up")
        sent, received = running.stop_pinging(1)
        assert sent == received > 0
        for number in range(2):
            assert running.pings(number, HOST)


def test_console_goes_on(drivers):
    """What is typed and shown afterwards is whole."""
    running = drivers.running
    for _ in range(2):
        running.output(0, "echo before")
        drivers.breaker.lose("uart", "base")
        running.send("\r")  # which the driver takes, and faults
        running.expect("the UART's driver has faulted, and has been started again")
        running.login(0)
        digits = running.output(0, "seq 1 5000")
        assert digits.split() == [str(number) for number in range(1, 5001)]
    assert running.pings(1, HOST)


def test_drivers_that_always_fault_are_given_up(boot):
    """Requests to such a device fail or wait. The machines, and what is between them, go on."""
    made = Drivers(boot, conftest.BOARD)
    running = made.running
    try:
        inside = re.search(r"inet ([\d.]+)/", running.output(0, "ip addr show eth0"))[1]
        running.output(0, f"(ping {HOST} >/dev/null 2>&1 &)")
        running.show_all()
        made.breaker.fault_in("net_driver")
        running.expect("the card's driver is given up: it has been started again 5 times in 10 minutes")
        running.output(0, "(while :; do dd if=/dev/vda of=/dev/null count=1 iflag=direct; done "
                          ">/dev/null 2>&1 &)")
        running.show_all()
        made.breaker.fault_in("block_driver")
        running.expect("it was at one request alone, which is answered with an error")
        running.expect("the disk's driver is given up: it has been started again 5 times in 10 minutes")
        running.expect(r"the disk is of no more use; \d+ requests stay unanswered")
        assert running.pings(1, inside)
        _, said = running.run(1, "dd if=/dev/vda of=/dev/null count=1 iflag=direct")
        assert "Input/output error" in said or "I/O error" in said
        running.output(0, "echo still here")
    finally:
        made.breaker.close()
