# SPDX-License-Identifier: BSD-2-Clause
"""Which program executes which instructions, from QEMU's log of translations and executions.

All PDs have the same addresses, and what tells them apart, the tables of stage 2, is in no log. But QEMU
translates each physical page by itself, and a line of the log names the translation that it executes.
Translations that are executed one after the other with nothing of the kernel's in between are one program's.
A program's name is that of the ELF file whose bytes are at its addresses.
"""

import bisect
import collections
import re
import struct
import subprocess
import time

# For QEMU's monitor. With `nochain` each execution of a translation has its line.
LOG = "log in_asm,exec,nochain"
TRANSLATED = re.compile(r"0x([0-9a-f]{8,16}):  ([0-9a-f]{8})  ")
EXECUTED = "Trace 0: "  # by the first core; behind it are the translation, and [base/address/...
NOT_EXECUTED = re.compile(r"Stopped execution of TB chain before (0x[0-9a-f]+)")

PROGRAMS = range(0x200000, 0x10000000)  # the addresses of all PDs' instructions

Block = collections.namedtuple("Block", "address words")


def log(qemu, path, size):
    """Have a monitor (monitor.Monitor) write a log of about so many bytes to QEMU's log file."""
    qemu.command(LOG)
    while path.stat().st_size < size:
        time.sleep(0.02)
    qemu.command("log none")


class Executions:
    """How often each translation was executed, and which of them are one program's."""

    def __init__(self, lines):
        self.blocks = {}
        self.counts = collections.Counter()
        self.leader = {}
        words, address, before = [], None, None
        for line in lines:
            if line.startswith(EXECUTED):
                key, place = line[len(EXECUTED):].split(" ", 2)[:2]
                if words:  # it is what was translated last, or has been interrupted
                    at = int(place.split("/")[1], 16)
                    if address == at:
                        self.blocks[key], words = Block(at, words), []
                if key not in self.blocks:
                    before = None  # it was translated before the log began
                    continue
                self.counts[key] += 1
                before = self.join(before, key) if self.blocks[key].address in PROGRAMS else None
            elif match := TRANSLATED.match(line):
                at = int(match[1], 16)
                if not words or at != address + 4 * len(words):
                    words, address = [], at
                words.append(int(match[2], 16))
            elif match := NOT_EXECUTED.match(line):
                self.counts[match[1]] -= 1

    def find(self, key):
        while self.leader.setdefault(key, key) != key:
            key = self.leader[key]
        return key

    def join(self, before, key):
        if before is not None and before != key:
            self.leader[self.find(before)] = self.find(key)
        return key

    def programs(self):
        """A list of the keys of each program's blocks."""
        found = collections.defaultdict(list)
        for key, block in self.blocks.items():
            if block.address in PROGRAMS:
                found[self.find(key)].append(key)
        return list(found.values())

    def instructions(self, keys):
        return sum(self.counts[key] * len(self.blocks[key].words) for key in keys)


class Program:
    """An ELF file: its instructions and its functions."""

    def __init__(self, path):
        self.data = path.read_bytes()
        offset, = struct.unpack_from("<Q", self.data, 32)
        size, count = struct.unpack_from("<HH", self.data, 54)
        self.segments = []
        for i in range(count):
            kind, _, at, address, _, length = struct.unpack_from("<IIQQQQ", self.data, offset + i * size)
            if kind == 1:  # PT_LOAD
                self.segments.append((address, at, length))
        names = subprocess.run(["aarch64-linux-gnu-nm", "-n", path], check=True, stdout=subprocess.PIPE,
                               text=True).stdout
        self.functions = [(int(address, 16), name.split(".")[0]) for address, name in
                          re.findall(r"^([0-9a-f]+) [tTwW] (?!\$)(\S+)$", names, re.M)]

    def has(self, block):
        """Whether these instructions are at that address."""
        length = 4 * len(block.words)
        for address, at, size in self.segments:
            if address <= block.address and block.address + length <= address + size:
                at += block.address - address
                return self.data[at:at + length] == struct.pack(f"<{len(block.words)}I", *block.words)
        return False

    def function(self, address):
        at = bisect.bisect(self.functions, (address, "\x7f"))
        return self.functions[at - 1][1] if at else "?"

    def address(self, name):
        """Of all functions of that name."""
        return {address for address, found in self.functions if found == name}


def of_program(executions, path):
    """
    (instructions, {function: instructions}, {function: calls}) of the program in an ELF file. What the
    compiler has put into another function counts there.
    """
    program = Program(path)
    keys = [key for keys in executions.programs() if all(program.has(executions.blocks[k]) for k in keys)
            for key in keys]
    inside, calls = collections.Counter(), collections.Counter()
    begins = {address: name for address, name in program.functions}
    for key in keys:
        block = executions.blocks[key]
        inside[program.function(block.address)] += executions.counts[key] * len(block.words)
        if block.address in begins:
            calls[begins[block.address]] += executions.counts[key]
    return executions.instructions(keys), inside, calls
