# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's gdb server, as much of it as it takes to bring about what no program here can.

GDB Remote Serial Protocol: a packet is "$DATA#SUM", and is acknowledged with "+".
"""

import re
import socket
import time

PC = 32
SP = 31


class Gdb:
    """A stopped machine whose server listens at the Unix socket `path`."""

    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        for _ in range(100):
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                time.sleep(0.1)
        self.received = b""
        self.ask("qSupported:xmlRegisters=aarch64")
        self.numbers = self.register_numbers()

    def close(self):
        self.socket.close()

    def receive(self):
        while True:
            packet = re.search(rb"\$([^#]*)#..", self.received)
            if packet:
                self.received = self.received[packet.end():]
                self.socket.sendall(b"+")
                return packet[1]
            data = self.socket.recv(65536)
            assert data, "QEMU has closed the connection"
            self.received += data

    def ask(self, text):
        data = text.encode()
        self.socket.sendall(b"$" + data + b"#%02x" % (sum(data) % 256))
        return self.receive().decode(errors="replace")

    def file(self, name):
        text = ""
        while True:
            part = self.ask(f"qXfer:features:read:{name}:{len(text):x},800")
            text += part[1:]
            if part[0] == "l":
                return text

    def register_numbers(self):
        """By name, those of the system registers."""
        numbers, following = {}, None
        for name in re.findall(r'href="([^"]+)"', self.file("target.xml")):
            for register in re.findall(r"<reg [^>]*>", self.file(name)):
                number = re.search(r'regnum="(\d+)"', register)
                following = int(number[1]) if number else (following or 0)
                numbers.setdefault(re.search(r'name="([^"]+)"', register)[1], following)
                following += 1
        return numbers

    def register(self, number):
        value = self.ask(f"p{number:x}")
        return int.from_bytes(bytes.fromhex(value), "little")

    def set_register(self, number, value):
        assert self.ask(f"P{number:x}={value.to_bytes(8, 'little').hex()}") == "OK"

    def read(self, address, size=8):
        """The bytes as a number, or None: nothing is mapped there."""
        answer = self.ask(f"m{address:x},{size:x}")
        return None if answer.startswith("E") else int.from_bytes(bytes.fromhex(answer), "little")

    def write(self, address, value, size=8):
        assert self.ask(f"M{address:x},{size:x}:{value.to_bytes(size, 'little').hex()}") == "OK"

    def run_to(self, address):
        """Go on until the next instruction is the one at that address, or is again."""
        self.ask("s")
        assert self.ask(f"Z1,{address:x},4") == "OK"
        answer = self.ask("c")
        assert answer.startswith("T05") or answer.startswith("S05"), answer
        assert self.ask(f"z1,{address:x},4") == "OK"
        assert self.register(PC) == address

    def go(self):
        self.socket.sendall(b"$c#63")
