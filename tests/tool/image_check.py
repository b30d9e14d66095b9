#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whether a boot image of the bundled SDK is what its system description says, and nothing else.

The kernel believes the image: its translation tables, and the rows that say who has which interrupt, channel
and share of time. The tool writes it. This reads the image back, shares no code with the tool, and demands
that each byte of it follows from the description, the programs and the kernel:

 - Each address space has the mappings that are described for it, with their rights, attributes and pages, and
   no other. A region is at one place for all who map it.
 - All that is described lies apart: two regions, programs, stacks or IPC buffers share no memory. None is in
   the kernel, its window, the translation tables, or registers that the kernel keeps.
 - So nobody can write what another one maps, unless both map one region. That is looked at once more, by the
   tables alone.
 - A row of the thread table says what the description says of its PD or vCPU.
 - Memory holds what it should when the first PD runs: programs with their variables, prefilled regions,
   zeros. What is neither in the image nor somebody's is not zeroed.

Run as a program it says what it has found:

  python3 tests/tool/image_check.py loader.img system.system --kernel SDK/board/BOARD/CONFIG/elf/kernel.elf
      [--search-path DIR...]
"""

import argparse
import bisect
import dataclasses
import pathlib
import sys

import boot_image
from boot_image import ADDRESS, BLOCK, NONE, PAGE, BadImage, BootImage
from elf_file import ElfFile
from system_file import Region, SystemFile, round_up, short_name

IPC_BUFFER = 0xFFFFFFF000
STACK_TOP = 0xFFFFFFE000
PD, VCPU = 0, 1
PASSIVE, SMC, NO_FPU = 1, 2, 4
CHANNEL_PD, CHANNEL_IRQ = 1, 2
NOTIFY, CALL, EDGE = 1, 2, 4


def demand_window(kernel, header):
    boot_image.demand(kernel.end <= header and header % PAGE == 0,
                      f"system_header_pa is {header:#x}, but the kernel ends at {kernel.end:#x}")


# ---- Text ----

def shown(value):
    if isinstance(value, bytes):
        return repr(value.rstrip(b"\0"))
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(map(shown, value)) + ")"
    return f"{value:#x}" if isinstance(value, int) and value > 0xFFFF else str(value)


def attributes(descriptor):
    """A leaf but for its address, in words; the descriptor tells the rest."""
    kinds = {0: "device", boot_image.NORMAL: "cached"}
    cached = kinds.get(descriptor & boot_image.MEMATTR, "of no attribute")
    return f"'{boot_image.rights(descriptor)}' {cached} ({descriptor:#x})"


# ---- Ranges ----

def joined(ranges):
    """Ascending ranges, those that touch as one."""
    result = []
    for start, end in ranges:
        if result and result[-1][1] == start:
            result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return result


def without(start, end, cut_start, cut_end):
    """What is left of a range."""
    parts = [(start, min(end, cut_start)), (max(start, cut_end), end)]
    return [(a, b) for a, b in parts if a < b]


def place_of(pieces, offset):
    """The address of an offset, or None."""
    return next((address + offset - at for at, size, address in pieces if at <= offset < at + size), None)


@dataclasses.dataclass
class Run:
    """Leaves of one kind, one behind the other on both sides."""
    vaddr: int
    size: int
    address: int
    descriptor: int  # but for the address
    leaves: int = 1

    @property
    def block(self):
        return not self.descriptor & boot_image.PAGE_OR_TABLE

    @property
    def text(self):
        return attributes(self.descriptor)


def merged(leaves):
    run = None
    for vaddr, size, descriptor in leaves:
        if (run and run.vaddr + run.size == vaddr and run.descriptor == descriptor & ~ADDRESS
                and run.address + run.size == descriptor & ADDRESS):
            run.size += size
            run.leaves += 1
            continue
        if run:
            yield run
        run = Run(vaddr, size, descriptor & ADDRESS, descriptor & ~ADDRESS)
    if run:
        yield run


class Memory:
    """Something that has memory of its own: a region, or a part of a PD. Its address is found in the tables.

    `contents` is at `lead`; all else is zero.
    """

    def __init__(self, name, size, contents=b"", lead=0, address=None):
        self.name = name
        self.size = size
        self.contents = contents
        self.lead = lead
        self.fixed = address  # physical, if the description says so
        self.begin()

    def begin(self):
        """Forget what the last image said of it."""
        self.pieces = [] if self.fixed is None else [(0, self.size, self.fixed)]  # (offset, size, address)
        self.by = None if self.fixed is None else "by its phys_addr"

    def part(self, offset, size):
        """Bytes that it holds at first."""
        start = max(offset, self.lead)
        inside = self.contents[start - self.lead:max(offset + size - self.lead, 0)]
        return (bytes(start - offset)[:size] + inside).ljust(size, b"\0")

    def is_zero(self, offset, size):
        inside = self.contents[max(offset - self.lead, 0):max(offset + size - self.lead, 0)]
        return inside.count(0) == len(inside)


@dataclasses.dataclass
class Mapping:
    """What an address space should have at vaddr."""
    vaddr: int
    memory: Memory
    rights: str
    cached: bool = True
    pages: bool = False  # of 4 KiB each, whatever the alignment
    blocks: bool = False  # of 2 MiB each

    @property
    def end(self):
        return self.vaddr + self.memory.size


class Space:
    """An address space of the description."""

    def __init__(self, name, mappings):
        self.name = name
        self.mappings = sorted(mappings, key=lambda mapping: mapping.vaddr)
        self.starts = [mapping.vaddr for mapping in self.mappings]
        self.regions = {id(mapping.memory) for mapping in mappings}

    def at(self, vaddr):
        """The mapping there, or None; and where the next one begins."""
        index = bisect.bisect_right(self.starts, vaddr)
        following = self.starts[index] if index < len(self.starts) else 1 << 40
        found = self.mappings[index - 1] if index else None
        return (found if found and vaddr < found.end else None), following


class Program:
    """A PD's program, with its variables set."""

    def __init__(self, pd):
        elf = ElfFile(pd.program.read_bytes())
        symbols = elf if pd.symbols == pd.program else ElfFile(pd.symbols.read_bytes())
        self.name = pd.name
        self.entry = elf.entry
        self.segments = [(vaddr, flags, bytearray(content), size)
                         for vaddr, flags, content, size in elf.segments]
        self.ipc_buffer = (symbols.symbol("__sel4_ipc_buffer_obj") or (IPC_BUFFER,))[0]
        self.addresses = []  # (virtual address, region whose physical address is there)
        for name, value in self._microkit_variables(pd).items():
            if symbols.symbol(name):
                self._write(symbols.symbol(name)[0], value)
        for name, value in pd.variables.items():
            vaddr = symbols.symbol(name)[0]
            if isinstance(value, Region):
                self.addresses.append((vaddr, value))
            else:
                self._write(vaddr, value.to_bytes(8, "little"))

    @staticmethod
    def _microkit_variables(pd):
        def mask(ids):
            return sum(1 << identity for identity in ids).to_bytes(8, "little")

        return {
            "microkit_name": short_name(pd.name) + b"\0",
            "microkit_passive": bytes([pd.passive]),
            "microkit_irqs": mask(pd.irqs),
            "microkit_notifications": mask(i for i, end in pd.ends.items() if end.notify),
            "microkit_pps": mask(i for i, end in pd.ends.items() if end.call),
        }

    def _write(self, vaddr, value):
        for start, _, content, size in self.segments:
            if start <= vaddr and vaddr + len(value) <= start + size:
                offset = vaddr - start
                if len(content) < offset + len(value):
                    content.extend(bytes(offset + len(value) - len(content)))
                content[offset:offset + len(value)] = value
                return
        raise ValueError(f"{self.name}: {vaddr:#x} is in no segment")


class Kernel:
    """kernel.elf: where it lies, and what it says of its board."""

    def __init__(self, path):
        elf = ElfFile(path.read_bytes())
        self.load = elf.entry
        self.parts = [(vaddr, content) for vaddr, _, content, _ in elf.segments]
        self.end = round_up(max(vaddr + size for vaddr, _, _, size in elf.segments), PAGE)
        self.header_at, _ = elf.symbol("system_header_pa")
        self.board = boot_image.Board(self.bytes_at(*elf.symbol("system_board")))

    def bytes_at(self, address, size):
        return next(content[address - start:address - start + size] for start, content in self.parts
                    if start <= address and address + size <= start + len(content))


class ImageCheck:
    """Checks images that are made of one description, its programs, and one kernel."""

    def __init__(self, description, kernel, search):
        self.system = SystemFile(description, search)
        self.kernel = Kernel(pathlib.Path(kernel))
        self.board = self.kernel.board
        self.memories = {}
        self.programs = [Program(pd) for pd in self.system.pds]
        self.ipc_buffers = []
        self.spaces = [Space(f"PD '{pd.name}'", self._mappings_of_pd(pd)) for pd in self.system.pds]
        self.spaces += [Space(f"VM '{vm.name}'", self._mappings(vm.maps)) for vm in self.system.vms]
        self.findings = []
        self.mappings = self.leaves = 0

    # ---- What should be ----

    def _memory(self, key, *arguments, **keywords):
        if key not in self.memories:
            self.memories[key] = Memory(*arguments, **keywords)
        return self.memories[key]

    def _memory_of_region(self, region):
        return self._memory(("region", region.name), f"region '{region.name}'", region.size,
                            region.prefill or b"", address=region.address)

    def _mappings(self, maps):
        # Where a file ends in the midst of a region, the rest may lie elsewhere.
        return [Mapping(m.vaddr, self._memory_of_region(m.region), m.rights, m.cached,
                        m.region.page_size == PAGE,
                        m.region.page_size == BLOCK and m.region.prefill is None)
                for m in maps]

    def _mappings_of_pd(self, pd):
        result = self._mappings(pd.maps)
        program = self.programs[pd.index]
        for vaddr, flags, content, size in program.segments:
            start = vaddr & -PAGE
            rights = ("r" if flags & 6 else "") + ("w" if flags & 2 else "") + ("x" if flags & 1 else "")
            memory = self._memory((pd.index, start), f"the program of '{pd.name}' at {start:#x}",
                                  round_up(vaddr + size, PAGE) - start, content, vaddr - start)
            result.append(Mapping(start, memory, rights))
        stack = self._memory((pd.index, "stack"), f"the stack of '{pd.name}'", pd.stack_size)
        ipc_buffer = self._memory((pd.index, "ipc"), f"the IPC buffer of '{pd.name}'", PAGE)
        self.ipc_buffers.append(ipc_buffer)
        return result + [Mapping(STACK_TOP - pd.stack_size, stack, "rw"),
                         Mapping(program.ipc_buffer, ipc_buffer, "rw")]

    # ---- Looking ----

    def check(self, data):
        """What is wrong with an image, as lines of text; none if it is good.

        `data` is its bytes, as the tool writes them in the form `binary`.
        """
        self.findings = []
        self.mappings = self.leaves = 0
        for memory in self.memories.values():
            memory.begin()
        try:
            header = int.from_bytes(data[self.kernel.header_at - self.kernel.load:][:8], "little")
            demand_window(self.kernel, header)
            self.image = BootImage(data, header, self.kernel.load)
        except BadImage as error:
            return [f"the image: {error}"]
        self._check_description()
        self._check_threads()
        self._check_spaces()
        if not self.findings:  # else the rest would be guesses
            self._check_addresses()
            self._check_apart()
            self._check_zeros()
            self._check_contents()
        return self.findings

    def _say(self, text):
        self.findings.append(text)

    def _compare(self, who, what, expected, found):
        if expected != found:
            self._say(f"{who}: {what}: expected {shown(expected)}, found {shown(found)}")

    # ---- The description's own rules, as far as others' safety hangs on them ----

    def _check_description(self):
        owners = {}
        for pd in self.system.pds:
            for irq in pd.irqs.values():
                if irq.intid in owners or irq.intid in self.board.kept_interrupts or not (
                        16 <= irq.intid < self.board.interrupts):
                    owner = owners.get(irq.intid)
                    has = f"'{owner.name}' has it" if owner else "it is none for PDs"
                    self._say(f"PD '{pd.name}': interrupt {irq.intid}: expected to be free for it, "
                              f"found that {has}")
                owners[irq.intid] = pd
            for identity, end in pd.ends.items():
                if end.call and pd.schedule.priority >= end.peer.schedule.priority:
                    self._say(f"PD '{pd.name}': channel {identity}: expected a call to a higher priority, "
                              f"found {end.peer.schedule.priority} of '{end.peer.name}'")
                if end.call and end.peer.passive and pd.core != end.peer.core:
                    self._say(f"PD '{pd.name}': channel {identity}: expected '{end.peer.name}', which is "
                              f"passive, on core {pd.core}, found {end.peer.core}")

    # ---- The thread table ----

    def _check_threads(self):
        vcpus = [(vm, identity, core) for vm in self.system.vms for identity, core in vm.vcpus]
        self._compare("the thread table", "rows", len(self.system.pds) + len(vcpus), len(self.image.threads))
        self._compare("the table of turns", "rows", self.system.turns, self.image.turns)
        numbers = {}  # of vCPUs, by PD and id
        for index, (vm, identity, _) in enumerate(vcpus, len(self.system.pds)):
            numbers[vm.pd.index, identity] = index
        for pd, thread in zip(self.system.pds, self.image.threads):
            self._check_pd(pd, thread, numbers)
        vms = {vm.pd.index: len(self.system.pds) + number for number, vm in enumerate(self.system.vms)}
        for (vm, identity, core), thread in zip(vcpus, self.image.threads[len(self.system.pds):]):
            self._check_vcpu(vm, identity, core, thread, vms[vm.pd.index])

    def _check_row(self, who, thread, expected):
        for what, value in expected.items():
            self._compare(who, what, value, getattr(thread, what))

    def _check_pd(self, pd, thread, numbers):
        who = f"PD '{pd.name}'"
        program = self.programs[pd.index]
        vcpus = [numbers.get((pd.index, identity), NONE) for identity in range(64)]
        children = [NONE] * 64
        for child in self.system.pds:
            if child.parent is pd:
                children[child.child_id] = child.index
        self._check_row(who, thread, {
            "name_bytes": short_name(pd.name).ljust(64, b"\0"), "kind": PD,
            "flags": PASSIVE * pd.passive | SMC * pd.smc | NO_FPU * (not pd.fpu),
            "priority": pd.schedule.priority, "budget": pd.schedule.budget, "period": pd.schedule.period,
            "parent": pd.parent.index if pd.parent else NONE, "child_id": pd.child_id,
            "vmid": pd.index + 1, "core": pd.core, "domain": pd.domain,
            "entry": program.entry, "stack_top": STACK_TOP, "ipc_buffer_vaddr": program.ipc_buffer,
        })
        self._check_slots(who, thread, children, vcpus, self._channels(pd), pd.caps)

    @staticmethod
    def _channels(pd):
        """kind, flags, id at the other end, 0, number of the other end, 0."""
        result = {}
        for identity, irq in pd.irqs.items():
            result[identity] = (CHANNEL_IRQ, EDGE * irq.edge, 0, 0, irq.intid, 0)
        for identity, end in pd.ends.items():
            result[identity] = (CHANNEL_PD, NOTIFY * end.notify | CALL * end.call, end.peer_id, 0,
                                end.peer.index, 0)
        return result

    def _check_slots(self, who, thread, children, vcpus, channels, caps):
        for identity in range(64):
            self._compare(who, f"child {identity}", children[identity], thread.child_pd_ids[identity])
            self._compare(who, f"vCPU {identity}", vcpus[identity], thread.child_vcpu_ids[identity])
            kind, name = caps.get(identity, (0, None))
            self._compare(who, f"cspace slot {identity}", (kind, self.system.pd(name).index if name else 0),
                          thread.cap_slots[identity])
        for identity in range(62):
            expected, found = channels.get(identity, (0,) * 6), thread.channel_ids[identity]
            if expected != found:
                self._say(f"{who}: channel {identity}: expected {self._channel_text(expected)}, "
                          f"found {self._channel_text(found)}")

    def _channel_text(self, channel):
        kind, flags, peer_id, _, peer, _ = channel
        if channel == (CHANNEL_IRQ, flags & EDGE, 0, 0, peer, 0):
            return f"interrupt {peer}, {'edge' if flags else 'level'}"
        if kind == CHANNEL_PD and peer < len(self.image.threads) and not flags & ~3:
            may = " and ".join(["notify"] * (flags & NOTIFY) + ["call"] * (flags // CALL))
            return f"channel {peer_id} of '{self.image.threads[peer].name}' ({may or 'neither'}; {channel})"
        return str(channel) if any(channel) else "nothing"

    def _check_vcpu(self, vm, identity, core, thread, space):
        suffix = f":{identity}" if len(vm.vcpus) > 1 else ""
        name = short_name(vm.name, 60).decode() + suffix if suffix else vm.name
        who = f"VM '{vm.name}': vCPU {identity}"
        self._check_row(who, thread, {
            "name_bytes": short_name(name).ljust(64, b"\0"), "kind": VCPU, "flags": 0,
            "priority": vm.schedule.priority, "budget": vm.schedule.budget, "period": vm.schedule.period,
            "parent": vm.pd.index, "child_id": identity, "vmid": space + 1, "core": core,
            "domain": vm.pd.domain, "entry": 0, "stack_top": 0, "ipc_buffer": 0, "ipc_buffer_vaddr": 0,
        })
        self._check_slots(who, thread, [NONE] * 64, [NONE] * 64, {}, {})

    # ---- Address spaces ----

    def _check_spaces(self):
        """All tables; fills in where everything is."""
        tables, self.runs = [], []
        self.tables = round_up(self.image.window_end, boot_image.ROOT)
        roots = {}
        for thread in self.image.threads:
            roots.setdefault(thread.vmid - 1, set()).add(thread.root)
        for number, space in enumerate(self.spaces):
            found = roots.get(number, set())
            if len(found) != 1:
                self._say(f"{space.name}: expected one root for all of its threads, found "
                          f"{sorted(map(hex, found))}")
                continue
            try:
                self._check_space(space, list(merged(self.image.walk(*found, tables))))
            except BadImage as error:
                self._say(f"{space.name}: {error}")
        if self.findings:
            return
        self.tables_end = self.tables + len(tables) * PAGE
        for table, should in zip(sorted(tables), range(self.tables, self.tables_end, PAGE)):
            if table != should:
                self._say(f"translation tables: expected {should:#x}, each used once, found {table:#x}")
                return

    def _check_space(self, space, runs):
        covered = {}
        for run in runs:
            self.leaves += run.leaves
            at, end = run.vaddr, run.vaddr + run.size
            while at < end:
                mapping, following = space.at(at)
                part = min(end, mapping.end if mapping else following)
                address = run.address + at - run.vaddr
                if mapping:
                    self._check_leaf(space, mapping, run, at, part, address)
                    covered.setdefault(id(mapping), []).append((at, part, address))
                else:
                    self._say(f"{space.name}: {at:#x}..{part:#x}: expected nothing, found {address:#x}, "
                              f"{run.text}")
                at = part
            self.runs.append((run.address, run.address + run.size, "w" in boot_image.rights(run.descriptor),
                              space))
        for mapping in space.mappings:
            self.mappings += 1
            self._check_covered(space, mapping, covered.get(id(mapping), []))

    def _check_leaf(self, space, mapping, run, at, end, address):
        kind = 1 if run.block else boot_image.TABLE
        expected = boot_image.AF | boot_image.INNER | kind
        expected |= boot_image.NORMAL if mapping.cached else 0
        expected |= boot_image.READ if "r" in mapping.rights else 0
        expected |= boot_image.WRITE if "w" in mapping.rights else 0
        expected |= 0 if "x" in mapping.rights else boot_image.XN
        if run.descriptor != expected:
            self._say(f"{space.name}: {at:#x}..{end:#x} ({mapping.memory.name}): expected "
                      f"{attributes(expected)}, found {run.text}, at {address:#x}")
        elif (mapping.pages and run.block) or (mapping.blocks and not run.block):
            self._say(f"{space.name}: {at:#x}..{end:#x} ({mapping.memory.name}): expected "
                      f"{'pages' if mapping.pages else 'blocks'}, found the others, at {address:#x}")
        if run.block and address % BLOCK != at % BLOCK:
            self._say(f"{space.name}: {at:#x}: expected a block to be aligned, found {address:#x}")

    def _check_covered(self, space, mapping, parts):
        """No hole; and the memory is where others see it."""
        at = mapping.vaddr
        pieces = []
        for start, end, address in [*parts, (mapping.end, mapping.end, None)]:
            if start != at:
                self._say(f"{space.name}: {at:#x}..{start:#x}: expected {mapping.memory.name}, found nothing")
            offset = start - mapping.vaddr
            if pieces and address == sum(pieces[-1][1:]) and offset == sum(pieces[-1][:2]):
                pieces[-1] = (pieces[-1][0], pieces[-1][1] + end - start, pieces[-1][2])
            elif address is not None:
                pieces.append((offset, end - start, address))
            at = end
        memory = mapping.memory
        if not memory.pieces:
            memory.pieces, memory.by = pieces, f"as {space.name} has it"
        for offset in sorted({piece[0] for piece in pieces + memory.pieces}):
            found, expected = place_of(pieces, offset), place_of(memory.pieces, offset)
            if found != expected and found is not None and expected is not None:
                self._say(f"{space.name}: {mapping.vaddr + offset:#x}: expected {memory.name} at "
                          f"{expected:#x}, {memory.by}, found {found:#x}")
                return

    # ---- Physical memory ----

    def _check_addresses(self):
        """What programs have been told; for regions that nobody maps, that is where they are."""
        for number, program in enumerate(self.programs):
            for vaddr, region in program.addresses:
                memory = self._memory_of_region(region)
                start, _, content, _ = next(s for s in program.segments if s[0] <= vaddr < s[0] + s[3])
                holder = self.memories[number, start & -PAGE]
                value = int.from_bytes(self._memory_at(holder, vaddr - (start & -PAGE), 8), "little")
                if not memory.pieces:
                    memory.pieces, memory.by = [(0, memory.size, value)], f"as '{program.name}' is told"
                if memory.pieces != [(0, memory.size, value)]:
                    self._say(f"PD '{program.name}': variable at {vaddr:#x}: expected {memory.name}, which "
                              f"is {shown(memory.pieces)} (offset, size, address), found {value:#x}")
                offset = vaddr - start
                if len(content) < offset + 8:
                    content.extend(bytes(offset + 8 - len(content)))
                content[offset:offset + 8] = value.to_bytes(8, "little")

    def _memory_at(self, memory, offset, size):
        """Bytes of the image that are at an offset of something; zeros where it is not in the image."""
        result = b""
        for at in range(offset, offset + size):
            address = place_of(memory.pieces, at)
            inside = self.image.load <= address < self.image.image_end
            result += self.image.at(address, 1) if inside else b"\0"
        return result

    def _check_apart(self):
        """No memory is two things."""
        taken = [(base, base + size, name) for name, base, size in self.board.devices]
        window = self.image.window
        for pd, buffer, thread in zip(self.system.pds, self.ipc_buffers, self.image.threads):
            ((_, _, address),) = buffer.pieces
            self._compare(f"PD '{pd.name}'", "ipc_buffer", address, thread.ipc_buffer)
            if not round_up(self.image.tables_end, PAGE) <= address < self.image.window_end:
                self._say(f"{buffer.name}: expected in the kernel window, {window:#x}.."
                          f"{self.image.window_end:#x}, behind its tables, found {address:#x}")
        ends = [memory.pieces[0][2] + PAGE for memory in self.ipc_buffers]
        self._compare("the header", "window_end", hex(max(ends)), hex(self.image.window_end))
        taken.append((self.kernel.load, window, "the kernel"))
        taken.append((window, round_up(self.image.tables_end, PAGE), "the kernel's tables"))
        taken.append((self.image.window_end, self.tables_end, "translation tables"))
        for memory in self.memories.values():
            for _, size, address in memory.pieces:
                taken.append((address, address + size, memory.name))
                self._check_place(memory, address, address + size)
        taken.sort(key=lambda entry: entry[:2])
        for before, after in zip(taken, taken[1:]):
            if before[1] > after[0]:
                self._say(f"{after[2]}: expected memory of its own, found {after[0]:#x}..{after[1]:#x}, in "
                          f"which is {before[2]}, {before[0]:#x}..{before[1]:#x}")
        self._check_writers()

    def _is_ram(self, start, end):
        return self.board.memory <= start and end <= self.board.memory_end

    def _check_place(self, memory, start, end):
        outside = end <= self.board.memory or start >= self.board.memory_end
        if not self._is_ram(start, end) and not (outside and memory.fixed is not None):
            self._say(f"{memory.name}: expected in RAM, {self.board.memory:#x}..{self.board.memory_end:#x}, "
                      f"found {start:#x}..{end:#x}")

    def _check_writers(self):
        """By the tables alone: nobody writes what another one maps, if no region is of both."""
        active = []
        for start, end, writes, space in sorted(self.runs, key=lambda run: run[0]):
            active = [run for run in active if run[1] > start]
            for _, other_end, other_writes, other in active:
                if other is not space and (writes or other_writes) and not space.regions & other.regions:
                    self._say(f"{space.name}: {start:#x}..{min(end, other_end):#x} (physical): expected not "
                              f"to be shared with {other.name}, found that one of them writes it")
            active.append((start, end, writes, space))

    # ---- Contents ----

    def _check_zeros(self):
        """The kernel zeroes what is somebody's RAM and not in the image, and nothing else."""
        wanted = []
        for memory in self.memories.values():
            for _, size, address in memory.pieces:
                if self._is_ram(address, address + size):
                    wanted += without(address, address + size, self.image.load, self.image.image_end)
        wanted = joined(sorted(wanted))
        found = [(base, base + size) for base, size in self.image.zeros]
        for index in range(max(len(wanted), len(found))):
            expected, there = (shown(ranges[index:index + 1]) for ranges in (wanted, found))
            self._compare("the ranges to zero", f"row {index}", expected, there)

    def _check_contents(self):
        """Each byte of the image."""
        kernel = [(start, content, "the kernel") for start, content in self.kernel.parts]
        at = self.kernel.header_at
        explained = []
        for start, content, name in kernel:
            content = bytearray(content)
            if start <= at < start + len(content):
                content[at - start:at - start + 8] = self.image.window.to_bytes(8, "little")
            self._check_bytes(start, bytes(content), name)
            explained.append((start, start + len(content)))
        explained.append((self.image.window, self.image.tables_end))
        explained.append((self.tables, self.tables_end))
        for memory in self.memories.values():
            for offset, size, address in memory.pieces:
                inside = 0
                if self.image.load <= address < self.image.image_end:
                    inside = min(size, self.image.image_end - address)
                    self._check_bytes(address, memory.part(offset, inside), memory.name)
                    explained.append((address, address + inside))
                if not memory.is_zero(offset + inside, size - inside):
                    self._say(f"{memory.name}: expected what it holds in the image, which ends at "
                              f"{self.image.image_end:#x}, found it at {address:#x}")
        at = self.image.load
        for start, end in [*sorted(explained), (self.image.image_end, self.image.image_end)]:
            if at < start:
                self._check_bytes(at, bytes(start - at), "nobody's memory")
            at = max(at, end)

    def _check_bytes(self, address, expected, name):
        found = self.image.at(address, len(expected))
        if found != expected:
            offset = next(i for i, (a, b) in enumerate(zip(expected, found)) if a != b)
            self._say(f"{name}: byte at {address + offset:#x}: expected {expected[offset]:#x}, "
                      f"found {found[offset]:#x}")


def demand_good(image, description, kernel, search):
    """For tests: the image in this file is what its description says. Paths; `search` as the tool's."""
    findings = ImageCheck(description, kernel, search).check(flat(pathlib.Path(image).read_bytes()))
    assert not findings, "\n".join([f"{image} is not what {description} says:", *findings[:50]])


def flat(data):
    """The bytes of an image that may be in the form `elf`."""
    return ElfFile(data).segments[0][2] if data[:4] == b"\x7fELF" else data


def main(words):
    parser = argparse.ArgumentParser(description="Is a boot image what its system description says?")
    parser.add_argument("image", type=pathlib.Path)
    parser.add_argument("system", type=pathlib.Path, help="the description")
    parser.add_argument("--kernel", type=pathlib.Path, required=True, help="kernel.elf of the image")
    parser.add_argument("--search-path", nargs="*", default=[], metavar="DIR",
                        help="where programs and prefill files are")
    options = parser.parse_args(words)
    check = ImageCheck(options.system, options.kernel, options.search_path)
    findings = check.check(flat(options.image.read_bytes()))
    for finding in findings:
        print(f"{options.image}: {finding}")
    if not findings:
        print(f"{options.image}: {len(check.spaces)} address spaces, {check.mappings} mappings, "
              f"{check.leaves} translations, {len(check.image.threads)} threads: as {options.system} says")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
