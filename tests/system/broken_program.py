# SPDX-License-Identifier: BSD-2-Clause
"""Break a protection domain's program while its system runs, as a defect of its own would."""

import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "kernel"))

import gdb  # noqa: E402  (found by the line above)

UNDEFINED = 0  # UDF #0: an instruction that is none


class Breaker:
    """Of one QEMU, whose arguments are `arguments`: physical memory, and where in it each program is."""

    def __init__(self, directory):
        """`directory`: that of the system's image, built for the bundled SDK."""
        self.directory = pathlib.Path(directory)
        self.socket = tempfile.TemporaryDirectory()
        self.path = f"{self.socket.name}/gdb"
        self.arguments = ("-gdb", f"unix:{self.path},server=on,wait=off")

    def close(self):
        self.socket.cleanup()

    def address(self, program, symbol):
        """Physical, of a function of that program, or of one of its variables."""
        said = subprocess.run(["aarch64-linux-gnu-nm", self.directory / f"{program}.elf"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        virtual = int(re.search(rf"^(\w+) [bdtBDT] {symbol}$", said, re.M)[1], 16)
        report = (self.directory / "report.txt").read_text()
        for begin, end, physical in re.findall(
                rf"^ +0x(\w+)\.\.0x(\w+) .* r[w-][x-] .* -> 0x(\w+) +program of '{program}'$", report, re.M):
            if int(begin, 16) <= virtual < int(end, 16):
                return virtual - int(begin, 16) + int(physical, 16)
        raise AssertionError(f"{program} has no program at 0x{virtual:x}")

    def fault_in(self, program, symbol="notified"):
        """From now on that function faults as soon as it is called. Returns what was there, for `mend`."""
        return self.write(self.address(program, symbol), UNDEFINED)

    def mend(self, program, was, symbol="notified"):
        self.write(self.address(program, symbol), was)

    def lose(self, program, pointer):
        """Make a null pointer of a variable of that program, or of a structure's first member."""
        self.write(self.address(program, pointer), 0, 8)

    def write(self, address, value, size=4):
        """Returns what was there."""
        server = gdb.Gdb(self.path)
        try:
            # That it has stopped the machine, QEMU says unasked.
            answer = server.ask("qqemu.PhyMemMode")
            while answer != "0":
                answer = server.receive().decode()
            assert server.ask("Qqemu.PhyMemMode:1") == "OK"
            was = server.read(address, size)
            server.write(address, value, size)
            assert server.read(address, size) == value
            assert server.ask("Qqemu.PhyMemMode:0") == "OK"
            assert server.ask("D") == "OK"
        finally:
            server.close()
        return was
