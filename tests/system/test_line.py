# SPDX-License-Identifier: BSD-2-Clause
"""A board whose serial line is bad, and a machine that wants the line for itself."""

import concurrent.futures
import contextlib
import hashlib
import os
import pty
import random
import select
import subprocess
import threading
import time
import tty

import pytest

import conftest
from braid_command import Braid, until

QEMU_ESCAPE = b"\x01"  # for the monitor that shares the line's port; twice, it is the byte
SIZE = 100 << 10
NOISE = int(os.environ.get("NOISE") or 300_000)  # bytes
KEYS = bytes(byte for byte in range(256) if byte != 0x0F)
READY = b"<ready>\n"


class Line:
    """
    A board in QEMU, and its serial line as a terminal device, which `port` names: of 1000 bytes, `bad`
    are damaged or lost on their way, and `pace` pass in a second (0: as fast as they come), in each
    direction.
    """

    def __init__(self, command):
        self.bad = self.pace = 0
        self.random = random.Random(1)
        self.host, self.device = pty.openpty()
        tty.setraw(self.device)
        self.port = os.ttyname(self.device)
        self.board = subprocess.Popen([str(command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      bufsize=0)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.to_board, self.to_host)]
        for thread in self.threads:
            thread.start()

    def worn(self, data):
        if self.pace != 0:
            time.sleep(len(data) / self.pace)
        if self.bad == 0:
            return data
        out = bytearray()
        for byte in data:
            fate = self.random.randrange(2000)
            if fate < self.bad:
                out.append(self.random.randrange(256))
            elif fate >= 2 * self.bad:
                out.append(byte)
        return bytes(out)

    def to_board(self):
        with contextlib.suppress(OSError):  # one of the two has ended
            while data := os.read(self.host, 64):
                self.board.stdin.write(self.worn(data).replace(QEMU_ESCAPE, 2 * QEMU_ESCAPE))

    def to_host(self):
        with contextlib.suppress(OSError):
            while data := os.read(self.board.stdout.fileno(), 64):
                os.write(self.host, self.worn(data))

    def stop(self):
        self.board.kill()
        self.board.wait()
        os.close(self.device)
        for thread in self.threads:
            thread.join()
        os.close(self.host)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(braid, line): both machines run, and their shells have been there."""
    directory = tmp_path_factory.mktemp("line")
    directory.chmod(0o700)
    braid = Braid(directory)
    line = Line(conftest.build("virtio_demo"))
    try:
        braid("up", "--port", line.port, "virtio_demo")
        for name in ("vm0", "vm1"):
            until(lambda name=name: "built-in commands" in braid("logs", name), 180)
        yield braid, line
    finally:
        line.bad = line.pace = 0
        braid.close()
        if (directory / "braid" / "virtio_demo" / "pid").exists():
            braid("down")
        line.stop()


def random_keys(seed):
    """100 KiB of all bytes but the one that is SysRq to Linux on a console (Ctrl-O)."""
    source = random.Random(seed)
    return bytes(source.choice(KEYS) for _ in range(SIZE))


def read_until(terminal, is_enough, seconds=300):
    """What a console says until that is enough."""
    said, end = bytearray(), time.monotonic() + seconds
    while not is_enough(said):
        ready, _, _ = select.select([terminal.stdout], [], [], max(0, end - time.monotonic()))
        part = os.read(terminal.stdout.fileno(), 65536) if ready else b""
        assert part, bytes(said[-2000:])
        said += part
    return bytes(said)


def carry(braid, name):
    """100 KiB to a machine and back, through a terminal that changes no byte; their hashes."""
    sent = random_keys(name)
    terminal = braid.terminal(name)
    terminal.stdin.write(b"stty raw -echo; echo '<'ready'>'; head -c %d; stty sane; echo '<'over'>'\n" % SIZE)
    terminal.stdin.flush()
    said = read_until(terminal, lambda said: READY in said)
    rest = said[said.index(READY) + len(READY):]
    feeder = threading.Thread(target=lambda: (terminal.stdin.write(sent), terminal.stdin.flush()))
    feeder.start()
    got = rest + read_until(terminal, lambda said: b"<over>" in (rest + said)[SIZE:])
    feeder.join()
    return hashlib.sha256(sent).hexdigest(), hashlib.sha256(got[:SIZE]).hexdigest()


def carry_on_both(braid):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for sent, got in pool.map(lambda name: carry(braid, name), ("vm0", "vm1")):
            assert got == sent


def test_a_bad_line_loses_nothing(place):
    """115,200 baud, 1 % of its bytes damaged or lost; 100 KiB both ways, on two consoles at once."""
    braid, line = place
    line.bad, line.pace = 10, 11520
    carry_on_both(braid)
    line.bad = line.pace = 0
    assert braid.states()["vm0"] == "running"


# What would have the host, or a terminal, take the machine's words for the console's: the handshake,
# the beginning of a frame and its end, and what clears a terminal or has it answer.
FAKES = (rb"\035\002braid10123456789abcdef00000000\000\001\001\001\000\377\000"
         rb"\033c\033[2J\033[6n\033]0;x\007")


def test_a_machine_that_wants_the_line(place):
    """It prints the handshake, frames and escape sequences, and noise."""
    braid, _ = place
    vm1 = braid.terminal("vm1")
    vm1.stdin.write(b"i=0; while [ $i -lt %d ]; do printf '%s'; head -c 100000 /dev/urandom; "
                    b"i=$((i+1)); done; echo; echo '<'done'>'\n" % (NOISE // 100_000, FAKES))
    vm1.stdin.flush()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        noise = pool.submit(read_until, vm1, lambda said: b"<done>" in said[-100:], 300 + NOISE / 5000)
        times = 0
        while not noise.done():
            sent, got = carry(braid, "vm0")
            assert got == sent
            times += 1
            states = braid.states()
            assert states["vm0"] == states["vm1"] == "running"
    assert times > 0 and len(noise.result()) > NOISE
    assert "<vm1>" in braid.run("vm1", "echo '<'$(uname -n)'>'")
