# SPDX-License-Identifier: BSD-2-Clause
"""The board's disk and network card: a guest in Braid, and the same guest directly on QEMU's devices.

The disk is QEMU's null-co, for both: it answers in the access that asks it, and moves no data. So
nothing waits for the host, the figures repeat, and all that is compared are instructions. A disk that
takes time of its own hides what Braid adds. For the card, waiting for the host takes as long as the
host does.
"""

import contextlib
import re
import socket
import threading

import machine
import wall

DISK_BYTES = 128 << 20  # a slice of 64 MiB, and what lies around it

# Whatever drive a command names, its image becomes this.
NO_IMAGE = ["-set", "drive.disk.file=null-co://", "-set", f"drive.disk.file.size={DISK_BYTES}"]
TESTS = {  # block, count
    "sequential": (1 << 20, 64),
    "random": (4096, 2000),
}
DEPTHS = (1, 16)  # requests in flight
STREAM_MIB = 16


def rates(text):
    match = re.search(r"(\d+) bytes/s(?:, (\d+) per second)?", text)
    return [float(number) for number in match.groups() if number]


def disk(system, device):
    results = {}
    for depth in DEPTHS:
        for order, (block, count) in TESTS.items():
            for way in ("write", "read"):
                rate, operations = rates(system.output(
                    0, f"meter disk {device} {way} {block} {count} {order} {depth}", 600))
                results[f"{order}_{way}_{depth}"] = {"mbyte_s": rate / 1e6, "per_s": operations}
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


def direct(name, options, virtual, say):
    """The guest's disk or uplink, by name, on QEMU's own device."""
    say(f"{name} without a hypervisor")
    devices = {"disk": ["-drive", "file=none,format=raw,if=none,id=disk", *NO_IMAGE,
                        "-device", "virtio-blk-device,drive=disk"],
               "uplink": ["-netdev", "user,id=n0", "-device", "virtio-net-device,netdev=n0"]}
    command, *arguments = wall.direct_command(options, devices[name])
    with machine.Machine(command, [*arguments, *virtual]) as system:
        system.expect(wall.READY)
        login_direct(system)
        return measure(name, system)


def through_braid(name, run, virtual, say):
    """The same guest's disk or uplink, by name, in one of the benchmark's systems."""
    say(f"{name} through Braid")
    with machine.Machine(run, [*virtual, *(NO_IMAGE if name == "disk" else [])]) as system:
        system.login(0)
        return measure(name, system)


def measure(name, system):
    return disk(system, "/dev/vda") if name == "disk" else uplink(system)


def login_direct(system):
    """Its console is no multiplexer's: there is nothing to ask for machine 0."""
    system.focus = lambda number: setattr(system, "focused", number)
    system.login(0)
