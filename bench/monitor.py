# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's own monitor, at the end of a socket."""

import socket


def arguments(path):
    """QEMU's, so that its monitor listens at this path."""
    return ["-monitor", f"unix:{path},server=on,wait=off"]


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.wait()

    def wait(self):
        text = b""
        while not text.endswith(b"(qemu) "):
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("QEMU has ended")
            text += more

    def command(self, text):
        self.socket.sendall(text.encode() + b"\n")
        self.wait()
