# SPDX-License-Identifier: BSD-2-Clause
"""A reader of boot images (sdk/kernel/system.h) that shares nothing with the tool that makes them."""

import struct

LOAD_ADDRESS = 0x70000000
MAGIC = 0x3130644961724200
NONE = 0xFFFF
PAGE = 0x1000

HEADER = struct.Struct("<QIIIIQQQQ")
THREAD = struct.Struct("<64sBBBBHHQQQQQQQ64H64H" + "BBBBHH" * 62 + "II")
RANGE = struct.Struct("<QQ")


class Thread:
    """One entry of the thread table."""

    def __init__(self, fields):
        (
            name,
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
        self.core, reserved = fields[-2:]
        assert name[63] == 0 and reserved == 0
        self.name = name.rstrip(b"\0").decode()
        self.child_pds = {i: n for i, n in enumerate(fields[14:78]) if n != NONE}
        self.child_vcpus = {i: n for i, n in enumerate(fields[78:142]) if n != NONE}
        self.channels = {}
        for i in range(62):
            kind, flags, peer_channel, _, peer, _ = fields[142 + 6 * i:148 + 6 * i]
            if kind:
                self.channels[i] = (kind, flags, peer, peer_channel)


class Page:
    """Where an input page goes, and how."""

    def __init__(self, address, descriptor, block):
        self.address = address
        self.block = block
        self.read = bool(descriptor & 1 << 6)
        self.write = bool(descriptor & 1 << 7)
        self.execute = not descriptor & 1 << 54
        attributes = descriptor >> 2 & 15
        assert attributes in (0, 15)
        self.cached = attributes == 15
        assert descriptor >> 8 & 3 == 3, "inner shareable"
        assert descriptor & 1 << 10, "access flag"
        assert descriptor & ~(0xFFFFFFFFF000 | 1 << 54 | 0x7FF) == 0, "reserved bits"

    @property
    def perms(self):
        return "r" * self.read + "w" * self.write + "x" * self.execute


class BootImage:
    """The image's bytes at physical addresses, and its tables."""

    def __init__(self, data, header):
        self.data = data
        assert len(data) % PAGE == 0
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
        ) = fields
        assert (magic, version) == (MAGIC, 2)
        assert self.image_end == LOAD_ADDRESS + len(data)
        self.window = header
        self.threads = [
            Thread(THREAD.unpack(self.at(threads_at + i * THREAD.size, THREAD.size)))
            for i in range(threads)
        ]
        assert self.core_count == max(thread.core for thread in self.threads) + 1
        self.zeros = [
            RANGE.unpack(self.at(zeros_at + i * RANGE.size, RANGE.size)) for i in range(zeros)
        ]
        for start, end in (
            (header, header + HEADER.size),
            (threads_at, threads_at + threads * THREAD.size),
            (zeros_at, zeros_at + zeros * RANGE.size),
        ):
            assert header <= start <= end <= self.window_end

    def at(self, address, size):
        """Bytes of the image at a physical address."""
        offset = address - LOAD_ADDRESS
        assert 0 <= offset and offset + size <= len(self.data), hex(address)
        return self.data[offset:offset + size]

    def thread(self, name):
        found = [t for t in self.threads if t.name == name]
        assert len(found) == 1, name
        return found[0]

    def _table(self, address):
        assert address % PAGE == 0 and address >= self.window_end
        return struct.unpack("<512Q", self.at(address, PAGE))

    def pages(self, root):
        """All that an address space maps: input page -> Page."""
        assert root % 0x2000 == 0
        result = {}
        level1 = self._table(root) + self._table(root + PAGE)
        for i, entry1 in enumerate(level1):
            if not entry1 & 1:
                continue
            assert entry1 & 0xFFF == 3, "level 1 holds tables only"
            for j, entry2 in enumerate(self._table(entry1 & ~0xFFF)):
                base = i << 30 | j << 21
                if not entry2 & 1:
                    assert entry2 == 0
                elif entry2 & 2:
                    self._leaves(entry2, base, result)
                else:
                    output = entry2 & 0xFFFFFFFFF000
                    assert output % 0x200000 == 0
                    for k in range(512):
                        result[base + k * PAGE] = Page(output + k * PAGE, entry2, True)
        return result

    def _leaves(self, table, base, result):
        assert table & 0xFFF == 3
        for k, entry in enumerate(self._table(table & ~0xFFF)):
            if not entry & 1:
                assert entry == 0
                continue
            assert entry & 2
            result[base + k * PAGE] = Page(entry & 0xFFFFFFFFF000, entry, False)

    def is_zeroed(self, address):
        """Whether this page of RAM is zero when the first PD runs."""
        if any(base <= address < base + size for base, size in self.zeros):
            return True
        return LOAD_ADDRESS <= address < self.image_end and self.at(address, PAGE) == bytes(PAGE)

    def memory(self, pages, vaddr, size):
        """`size` bytes as an address space sees them."""
        result = b""
        for page in range(vaddr & ~(PAGE - 1), vaddr + size, PAGE):
            address = pages[page].address
            result += bytes(PAGE) if self.is_zeroed(address) else self.at(address, PAGE)
        return result[vaddr % PAGE:vaddr % PAGE + size]
