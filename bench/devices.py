# SPDX-License-Identifier: BSD-2-Clause
"""The board's disk and network card: a guest in Braid, and the same guest directly on QEMU's devices.

Instructions take virtual time, as elsewhere. Waiting for the host takes as long as the host does. That
is most of a write's figure, because a write ends with an fsync.
"""

import contextlib
import pathlib
import re
import socket
import threading

import machine
import wall

DISK_BYTES = 64 << 20
TESTS = {  # block, count, order
    "sequential": (1 << 20, 32, ""),
    "random": (4096, 1000, "random"),
}
STREAM_MIB = 16


def rates(text):
    match = re.search(r"(\d+) bytes/s(?:, (\d+) per second)?", text)
    return [float(number) for number in match.groups() if number]


def disk(system, device):
    results = {}
    for order, (block, count, word) in TESTS.items():
        for way in ("write", "read"):
            rate, operations = rates(system.output(
                0, f"meter disk {device} {way} {block} {count} {word}", 600))
            results[f"{order}_{way}"] = {"mbyte_s": rate / 1e6, "per_s": operations}
    return results


@contextlib.contextmanager
def host_server():
    """Ports of the host's: one swallows what comes, the other pours."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]

    def swallow(connection):
        while connection.recv(1 << 20):
            pass

    def pour(connection):
        block = bytes(1 << 16)
        for _ in range((STREAM_MIB << 20) // len(block)):
            connection.sendall(block)

    def serve(listener, what):
        with contextlib.suppress(OSError):
            while True:
                with listener.accept()[0] as connection:
                    what(connection)

    for listener, what in zip(listeners, (swallow, pour)):
        threading.Thread(target=serve, args=(listener, what), daemon=True).start()
    try:
        yield [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


def uplink(system):
    results = {}
    with host_server() as (sink, source):
        for way, port in (("send", sink), ("receive", source)):
            rate, = rates(system.output(0, f"meter {way} 10.0.2.2 {port} {STREAM_MIB}", 900))
            results[f"{way}_mbit_s"] = rate * 8 / 1e6
    return results


def direct(options, virtual, say):
    """The guest on QEMU's own devices."""
    say("disk and network card without a hypervisor")
    image = pathlib.Path(options.build) / "bench" / "direct.img"
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    command, *arguments = wall.direct_command(options, [
        "-drive", f"file={image},format=raw,if=none,id=d0",
        "-device", "virtio-blk-device,drive=d0",
        "-netdev", "user,id=n0", "-device", "virtio-net-device,netdev=n0"])
    with machine.Machine(command, [*arguments, *virtual]) as system:
        system.expect(wall.READY)
        login_direct(system)
        results = {"disk": disk(system, "/dev/vda"), "uplink": uplink(system)}
    image.unlink()
    return results


def through_braid(name, run, virtual, say):
    """The same guest's disk or uplink, by name, in one of the benchmark's systems."""
    say(f"{name} through Braid")
    with machine.Machine(run, virtual) as system:
        system.login(0)
        return disk(system, "/dev/vda") if name == "disk" else uplink(system)


def login_direct(system):
    """Its console is no multiplexer's: there is nothing to ask for machine 0."""
    system.focus = lambda number: setattr(system, "focused", number)
    system.login(0)
