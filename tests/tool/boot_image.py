# SPDX-License-Identifier: BSD-2-Clause
"""A reader of boot images (sdk/kernel/system.h) that shares nothing with the tool that makes them."""

import struct

LOAD_ADDRESS = 0x70000000  # of QEMU's boards
MAGIC = 0x3130644961724200
VERSION = 4
NONE = 0xFFFF
PAGE = 0x1000
BLOCK = 0x200000
ROOT = 0x2000  # bytes of a root: two level-1 tables

HEADER = struct.Struct("<QIIIIQQQQQII")
THREAD = struct.Struct("<64sBBBBHHQQQQQQQ64H64H" + "BBBBHH" * 62 + "128B" + "II")
RANGE = struct.Struct("<QQ")
TURN = struct.Struct("<QII")
BOARD = struct.Struct("<QQII4I" + "64sQQ" * 8)

# Descriptors: Arm ARM D8.3.
TABLE = 3
PAGE_OR_TABLE = 2
ADDRESS = 0xFFFFFFFFF000
MEMATTR = 0xF << 2
NORMAL = 0xF << 2  # write-back; 0: device-nGnRnE
READ = 1 << 6
WRITE = 1 << 7
INNER = 3 << 8
AF = 1 << 10
XN = 1 << 54


class BadImage(AssertionError):
    """An image that is not even of the form that one has."""


def demand(condition, text):
    if not condition:
        raise BadImage(text)


class Board:
    """struct system_board."""

    def __init__(self, data):
        fields = BOARD.unpack(data)
        self.memory, size, self.interrupts, self.in_qemu = fields[:4]
        self.memory_end = self.memory + size
        self.kept_interrupts = {intid for intid in fields[4:8] if intid}
        self.devices = [(fields[at].rstrip(b"\0").decode(), fields[at + 1], fields[at + 2])
                        for at in range(8, len(fields), 3) if fields[at + 2]]


class Thread:
    """One entry of the thread table."""

    def __init__(self, fields):
        (
            self.name_bytes,
            self.kind,
            self.flags,
            self.priority,
            self.child_id,
            self.parent,
            self.vmid,
            self.budget,
            self.period,
            self.root,
            self.entry,
            self.stack_top,
            self.ipc_buffer,
            self.ipc_buffer_vaddr,
        ) = fields[:14]
        self.core, self.domain = fields[-2:]
        # All slots, ids and words, whether in use or not.
        caps = fields[142 + 6 * 62:-2]
        self.cap_slots = list(zip(caps[::2], caps[1::2]))
        self.child_pd_ids = fields[14:78]
        self.child_vcpu_ids = fields[78:142]
        self.channel_ids = [fields[142 + 6 * i:148 + 6 * i] for i in range(62)]
        # Those in use.
        self.name = self.name_bytes.rstrip(b"\0").decode(errors="replace")
        self.caps = {slot: cap for slot, cap in enumerate(self.cap_slots) if cap[0]}
        self.child_pds = {i: n for i, n in enumerate(self.child_pd_ids) if n != NONE}
        self.child_vcpus = {i: n for i, n in enumerate(self.child_vcpu_ids) if n != NONE}
        self.channels = {i: (kind, flags, peer, peer_channel)
                         for i, (kind, flags, peer_channel, _, peer, _) in enumerate(self.channel_ids)
                         if kind}


class Page:
    """Where an input page goes, and how."""

    def __init__(self, address, descriptor):
        self.address = address
        self.block = not descriptor & PAGE_OR_TABLE
        self.perms = rights(descriptor)
        demand(descriptor & MEMATTR in (0, NORMAL), "memory attributes")
        self.cached = descriptor & MEMATTR == NORMAL
        demand(descriptor & INNER == INNER, "inner shareable")
        demand(descriptor & AF, "access flag")
        demand(descriptor & ~(ADDRESS | XN | 0x7FF) == 0, "reserved bits")


def rights(descriptor):
    """What a leaf allows, as `perms` says it."""
    return ("r" if descriptor & READ else "") + ("w" if descriptor & WRITE else "") + (
        "" if descriptor & XN else "x")


class BootImage:
    """The image's bytes at physical addresses, and its tables.

    `header` is the physical address of struct system_header, `load` that of the image's first byte.
    """

    def __init__(self, data, header, load=LOAD_ADDRESS):
        self.data = data
        self.load = load
        demand(len(data) % PAGE == 0, "the image ends within a page")
        fields = HEADER.unpack(self.at(header, HEADER.size))
        (
            magic,
            version,
            threads,
            zeros,
            self.core_count,
            self.window_end,
            self.image_end,
            threads_at,
            zeros_at,
            turns_at,
            turns,
            self.reserved,
        ) = fields
        demand(magic == MAGIC, f"the header's magic is {magic:#x}, should be {MAGIC:#x}")
        demand(version == VERSION, f"the header's version is {version}, should be {VERSION}")
        demand(self.reserved == 0, f"the header's reserved word is {self.reserved:#x}")
        demand(self.image_end == load + len(data),
               f"the header's image_end is {self.image_end:#x}, but the image ends at {load + len(data):#x}")
        self.window = header
        # The tables are one behind the other, and IPC buffers begin with the next page.
        self.tables_end = header + HEADER.size
        self.threads = [Thread(fields) for fields in self._table_of("threads", THREAD, threads_at, threads)]
        self.zeros = self._table_of("zero", RANGE, zeros_at, zeros)
        self.turns = self._table_of("turns", TURN, turns_at, turns)
        demand(self.tables_end <= self.window_end, "the header's tables end beyond the kernel window")
        cores = max((thread.core for thread in self.threads), default=0) + 1
        demand(self.core_count == cores,
               f"the header's core_count is {self.core_count}, but the highest core is {cores - 1}")

    def _table_of(self, name, row, address, count):
        demand(address == self.tables_end,
               f"the header's {name} is {address:#x}, but what is before it ends at {self.tables_end:#x}")
        self.tables_end += count * row.size
        return list(row.iter_unpack(self.at(address, count * row.size)))

    def at(self, address, size):
        """Bytes of the image at a physical address."""
        offset = address - self.load
        demand(0 <= offset and offset + size <= len(self.data),
               f"{size:#x} bytes at {address:#x} are not in the image")
        return self.data[offset:offset + size]

    def thread(self, name):
        found = [t for t in self.threads if t.name == name]
        assert len(found) == 1, name
        return found[0]

    def _table(self, address):
        demand(address >= self.window_end, f"a translation table at {address:#x}, before the tables' place")
        return struct.unpack("<512Q", self.at(address, PAGE))

    def walk(self, root, seen=None):
        """All leaves of an address space, ascending: (input address, size, descriptor).

        `seen` is a list that gets the addresses of its tables, one for each way to them.
        """
        demand(root % ROOT == 0, f"its root at {root:#x} is not aligned")
        seen = [] if seen is None else seen
        seen += [root, root + PAGE]
        for i, entry1 in enumerate(self._table(root) + self._table(root + PAGE)):
            if not entry1:
                continue
            demand(entry1 & ~ADDRESS == TABLE,
                   f"at {i << 30:#x} there is {entry1:#x} in its level 1, which is no descriptor of a table")
            seen.append(entry1 & ADDRESS)
            for j, entry2 in enumerate(self._table(entry1 & ADDRESS)):
                at = i << 30 | j << 21
                if entry2 & TABLE == TABLE:
                    seen.append(entry2 & ADDRESS)
                    yield from self._pages(at, entry2)
                elif entry2:
                    demand(entry2 & 1, f"at {at:#x} there is {entry2:#x} in its level 2, which is not valid")
                    yield at, BLOCK, entry2

    def _pages(self, at, table):
        demand(table & ~ADDRESS == TABLE,
               f"at {at:#x} there is {table:#x} in its level 2, which is no descriptor of a table")
        for k, entry in enumerate(self._table(table & ADDRESS)):
            if entry:
                page = at | k << 12
                demand(entry & TABLE == TABLE,
                       f"at {page:#x} there is {entry:#x} in its level 3, which is no descriptor of a page")
                yield page, PAGE, entry

    def pages(self, root):
        """All that an address space maps: input page -> Page."""
        result = {}
        for at, size, descriptor in self.walk(root):
            address = descriptor & ADDRESS
            demand(address % size == 0, "a block is aligned")
            for offset in range(0, size, PAGE):
                result[at + offset] = Page(address + offset, descriptor)
        return result

    def is_zeroed(self, address):
        """Whether this page of RAM is zero when the first PD runs."""
        if any(base <= address < base + size for base, size in self.zeros):
            return True
        return self.load <= address < self.image_end and self.at(address, PAGE) == bytes(PAGE)

    def memory(self, pages, vaddr, size):
        """`size` bytes as an address space sees them."""
        result = b""
        for page in range(vaddr & ~(PAGE - 1), vaddr + size, PAGE):
            address = pages[page].address
            result += bytes(PAGE) if self.is_zeroed(address) else self.at(address, PAGE)
        return result[vaddr % PAGE:vaddr % PAGE + size]
