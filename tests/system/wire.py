# SPDX-License-Identifier: BSD-2-Clause
"""The world outside as a program has it: the other end of an uplink's cable, frame by frame."""

import os
import select
import socket
import struct
import threading
import time

import machine

BROADCAST = b"\xff" * 6


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def frame(destination, source, length, kind=0x88B5):
    """A frame of so many bytes of an experimental protocol (IEEE 802, local experiments)."""
    whole = destination + source + struct.pack(">H", kind) + bytes(i & 255 for i in range(length))
    return whole[:length]


def arp(sender_mac, sender, target, operation=1, target_mac=bytes(6)):
    """An ARP packet for Ethernet and IPv4, with its Ethernet header (RFC 826)."""
    addresses = (sender_mac + socket.inet_aton(sender) + target_mac + socket.inet_aton(target))
    packet = struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + addresses
    return (BROADCAST + sender_mac + struct.pack(">H", 0x0806) + packet).ljust(60, b"\0")


def tagged(whole, vlan):
    return whole[:12] + struct.pack(">HH", 0x8100, vlan) + whole[12:]


class Wire:
    """The end of the cable of the board whose files are in `directory`, in the other board's place."""

    def __init__(self, directory):
        peer = (directory / "peer").resolve()
        peer.mkdir(parents=True, exist_ok=True)
        (peer / "uplink.sock").unlink(missing_ok=True)
        # Short names, wherever the files are: a socket's has 107 characters at most.
        self.here = os.open(peer, os.O_DIRECTORY)
        self.there = os.open(directory, os.O_DIRECTORY)
        self.address = f"/proc/self/fd/{self.there}/uplink.sock"
        self.path = peer / "uplink.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(machine.FAR)
        self.socket.bind(f"/proc/self/fd/{self.here}/uplink.sock")

    def close(self):
        self.socket.close()
        self.path.unlink(missing_ok=True)
        os.close(self.here)
        os.close(self.there)

    def send(self, data):
        self.socket.sendto(data, self.address)

    def receive(self, timeout=0.0):
        """The next frame from the board, or None."""
        ready, _, _ = select.select([self.socket], [], [], timeout)
        return self.socket.recv(1 << 17) if ready else None

    def wait_for(self, wanted, timeout=machine.FAR):
        """The first frame for which `wanted` is true, or None."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            data = self.receive(end - time.monotonic())
            if data is not None and wanted(data):
                return data
        return None

    def drain(self):
        while self.receive() is not None:
            pass


class Reader:
    """Takes what the board sends, until the block ends.

    QEMU tries again at once, and for ever, when the socket at the other end is full. The board then
    hardly runs. So somebody has to read.
    """

    def __init__(self, wire):
        self.wire = wire
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopping.is_set():
            self.step()

    def step(self):
        self.wire.receive(0.1)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


class Storm(Reader):
    """Sends a frame as often as the board takes it as well; `sent` says how often."""

    def __init__(self, wire, data):
        super().__init__(wire)
        self.data = data
        self.sent = 0

    def step(self):
        self.wire.drain()
        try:
            self.wire.socket.sendto(self.data, socket.MSG_DONTWAIT, self.wire.address)
            self.sent += 1
        except BlockingIOError:
            self.wire.receive(0.001)  # the board's queue is full
