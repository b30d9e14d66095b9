# SPDX-License-Identifier: BSD-2-Clause
"""Small ELF files for tests: a program with libmicrokit's variables, and a kernel; and a reader of any."""

import struct

AARCH64 = 183
EXECUTABLE = 2
R, W, X = 4, 2, 1

CODE = 0x200000
DATA = 0x201000
LOAD_ADDRESS = 0x70000000

# Where a program made here has its variables, and their sizes.
VARIABLES = {
    "microkit_name": (DATA + 0x100, 64),
    "microkit_passive": (DATA + 0x140, 1),
    "microkit_irqs": (DATA + 0x148, 8),
    "microkit_notifications": (DATA + 0x150, 8),
    "microkit_pps": (DATA + 0x158, 8),
    "first": (DATA + 0x160, 8),
    "second": (DATA + 0x168, 8),
    "third": (DATA + 0x170, 8),
    "narrow": (DATA + 0x178, 4),
}


def elf(segments, symbols, entry, machine=AARCH64, kind=EXECUTABLE, elf_class=2):
    """The bytes of an ELF file.

    `segments`: (vaddr, flags, bytes, size in memory); `symbols`: name -> (value, size).
    """
    headers_end = 64 + 56 * len(segments)
    body = b""
    program_headers = b""
    for vaddr, flags, content, size in segments:
        program_headers += struct.pack(
            "<IIQQQQQQ", 1, flags, headers_end + len(body), vaddr, vaddr, len(content), size, 0x1000
        )
        body += content
    strings = b"\0"
    table = struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0)
    for name, (value, size) in symbols.items():
        table += struct.pack("<IBBHQQ", len(strings), 0x11, 0, 1, value, size)
        strings += name.encode() + b"\0"
    section_names = b"\0.symtab\0.strtab\0.shstrtab\0"
    table_at = headers_end + len(body)
    strings_at = table_at + len(table)
    names_at = strings_at + len(strings)
    sections_at = (names_at + len(section_names) + 7) & ~7

    def section(name, kind_, offset, size, link, info, entry_size):
        return struct.pack(
            "<IIQQQQIIQQ", name, kind_, 0, 0, offset, size, link, info, 1, entry_size
        )

    sections = (
        section(0, 0, 0, 0, 0, 0, 0)
        + section(1, 2, table_at, len(table), 2, 1, 24)
        + section(9, 3, strings_at, len(strings), 0, 0, 0)
        + section(17, 3, names_at, len(section_names), 0, 0, 0)
    )
    header = b"\x7fELF" + bytes([elf_class, 1, 1]) + bytes(9)
    header += struct.pack(
        "<HHIQQQIHHHHHH",
        kind,
        machine,
        1,
        entry,
        64,
        sections_at,
        0,
        64,
        56,
        len(segments),
        64,
        4,
        3,
    )
    padding = bytes(sections_at - names_at - len(section_names))
    return header + program_headers + body + table + strings + section_names + padding + sections


class ElfFile:
    """What an ELF file says: `entry`, `segments` as (vaddr, flags, bytes, size in memory), and symbols."""

    def __init__(self, data):
        assert data[:6] == b"\x7fELF\2\1", "a 64-bit little-endian ELF file"
        self.data = data
        self.entry, headers_at, sections_at = struct.unpack_from("<QQQ", data, 24)
        _, count, _, self.section_count = struct.unpack_from("<HHHH", data, 54)
        self.sections_at = sections_at
        self.segments = []
        for i in range(count):
            kind, flags, offset, vaddr, _, stored, size, _ = struct.unpack_from(
                "<IIQQQQQQ", data, headers_at + 56 * i)
            if kind == 1 and size:
                self.segments.append((vaddr, flags, data[offset:offset + stored], size))
        self.segments.sort()
        self._symbols = None

    def symbol(self, name):
        """(value, size) of a symbol, of a global one if there are others of this name, or None."""
        if self._symbols is None:
            self._symbols = self._read_symbols()
        return self._symbols.get(name)

    def _section(self, index):
        return struct.unpack_from("<IIQQQQIIQQ", self.data, self.sections_at + 64 * index)

    def _read_symbols(self):
        table = next((s for s in map(self._section, range(self.section_count)) if s[1] == 2), None)
        if table is None:
            return {}
        strings = self._section(table[6])
        names = self.data[strings[4]:strings[4] + strings[5]]
        local, others = {}, {}
        for name, info, _, section, value, size in struct.iter_unpack(
                "<IBBHQQ", self.data[table[4]:table[4] + table[5]]):
            if section and info & 15 != 4:  # not undefined, and not the name of a file
                text = names[name:names.index(b"\0", name)].decode(errors="replace")
                (others if info >> 4 else local).setdefault(text, (value, size))
        return {**local, **others}


def program(code=b"CODE" * 16, bss=0, symbols=None, **options):
    """A program of two segments; `bss` bytes follow the data."""
    data = b"DATA" * 64
    segments = [(CODE, R | X, code, len(code)), (DATA, R | W, data, 0x200 + bss)]
    return elf(segments, VARIABLES if symbols is None else symbols, CODE, **options)


DEVICES = (
    ("the interrupt distributor (GICD)", 0x08000000, 0x10000),
    ("the CPU interface of the interrupt controller (GICC)", 0x08010000, 0x2000),
    ("the hypervisor's view of the interrupt controller (GICH)", 0x08030000, 0x10000),
)


def board(memory_base=0x40000000, memory_size=0x80000000, devices=DEVICES, interrupts=288):
    """What a kernel says of its board: struct system_board of sdk/kernel/system.h."""
    kept = b"".join(struct.pack("<64sQQ", name.encode(), base, size)
                    for name, base, size in devices)
    return struct.pack("<QQII4I640s", memory_base, memory_size, interrupts, 1, 25, 26, 27, 0, kept)


def kernel(symbols=None, entry=None, at=LOAD_ADDRESS, description=board(), data_at=None):
    """A kernel of two segments, the second with its variables and a page of .bss."""
    data_at = at + 0x1000 if data_at is None else data_at
    segments = [(at, R | X, b"KERN" * 1000, 4000),
                (data_at, R | W, bytes(8) + b"data" + bytes(4) + description, 0x1800)]
    variables = {"system_header_pa": (data_at, 8),
                 "system_board": (data_at + 16, len(description))}
    return elf(segments, variables if symbols is None else symbols, at if entry is None else entry)
