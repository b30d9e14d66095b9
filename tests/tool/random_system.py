# SPDX-License-Identifier: BSD-2-Clause
"""Random system descriptions that the tool must accept, of everything that a description can say."""

import random

import elf_file
from system_file import PAGE

BLOCK = 0x200000
KEPT = (25, 26, 27)  # interrupts of the kernel's own
IRQS = 288
RAM_PLACES = range(0x40000000, 0x60000000, 0x4000000)  # for what has a fixed address: 64 MiB each
IMAGE_PLACES = (0x70600000,)  # for a prefilled region, in the image
DEVICE_PLACES = (0x9000000, 0x9210000, 0xA000000, 0x10000000, 0x20000000, 0x3F000000, 0xC0000000)
VARIABLES = ("first", "second", "third")
SIZES = (PAGE, 2 * PAGE, 3 * PAGE, 17 * PAGE, BLOCK - PAGE, BLOCK, BLOCK + PAGE, 2 * BLOCK)


def programs():
    """Files that all descriptions have in common: name -> bytes."""
    data = bytes(elf_file.VARIABLES["narrow"][0] + 8 - elf_file.DATA)
    ipc = {**elf_file.VARIABLES, "__sel4_ipc_buffer_obj": (elf_file.DATA + 4 * PAGE, 0)}
    rwx = elf_file.R | elf_file.W | elf_file.X
    return {
        "plain.elf": elf_file.program(),
        "bss.elf": elf_file.program(bss=5 * PAGE + 123),
        "large_bss.elf": elf_file.program(bss=2 * BLOCK + 7 * PAGE),
        "ipc.elf": elf_file.program(symbols=ipc),
        "stripped.elf": elf_file.program(symbols={}),
        "odd.elf": elf_file.elf([(elf_file.CODE + 0x124, elf_file.X, b"code" * 3000, 12000),
                                 (elf_file.DATA + 0x3040, rwx, b"data" * 20, 0x9000)],
                                {"microkit_name": (elf_file.DATA + 0x3080, 64),
                                 **{name: (elf_file.DATA + 0x4000 + 8 * i, 8)
                                    for i, name in enumerate(VARIABLES)}}, elf_file.CODE + 0x124),
        "zeros.elf": elf_file.elf([(elf_file.CODE, elf_file.R | elf_file.X, b"c", 1),
                                   (elf_file.DATA, elf_file.R | elf_file.W, data, 0x1800)],
                                  elf_file.VARIABLES, elf_file.CODE),
    }


class Pd:
    """What others have to know of a PD."""

    def __init__(self, name, priority, core, passive):
        self.name = name
        self.priority = priority
        self.core = core
        self.passive = passive
        self.channel_ids = list(range(62))
        self.symbols = list(VARIABLES)
        self.has_vm = False


class RandomSystem:
    """`text` is the description, `files` what it names beyond programs(). The same for the same seed."""

    def __init__(self, seed, cores):
        self.random = random.Random(seed)
        self.cores = cores
        self.files = {}
        self.regions = []  # (name, size, alignment)
        self.pds = []
        self.places = {kind: self._shuffled(places) for kind, places in
                       (("ram", RAM_PLACES), ("image", IMAGE_PLACES), ("device", DEVICE_PLACES))}
        self.irqs = self._shuffled(set(range(16, IRQS)) - set(KEPT))
        self.domains = self._domains() if cores == 1 and self._chance(0.3) else []
        self.text = self._system()

    def _shuffled(self, things):
        things = sorted(things)
        self.random.shuffle(things)
        return things

    def _chance(self, probability):
        return self.random.random() < probability

    def _number(self, value):
        return self.random.choice((str(value), hex(value), f"{value:#_x}", f"+{value}", f"0{value}"))

    def _element(self, tag, inside="", **attributes):
        pairs = [(key, self._number(value) if isinstance(value, int) else value)
                 for key, value in attributes.items() if value is not None]
        self.random.shuffle(pairs)
        words = "".join(f' {key}="{value}"' for key, value in pairs)
        return f"<{tag}{words}>{inside}</{tag}>\n" if inside else f"<{tag}{words}/>\n"

    def _system(self):
        parts = [self._region(f"region{i}") for i in range(self.random.randrange(12))]
        top = "".join(self._pd(None) for _ in range(self.random.randrange(1, 6)))
        channels = "".join(self._channel() for _ in range(self.random.randrange(2 * len(self.pds) + 1)))
        caps = self.random.choice(self.pds).name
        return (f"<system>{self._domains_element()}{''.join(parts)}{top}{channels}</system>"
                .replace("SOMEBODY", caps))

    # ---- Regions ----

    def _region(self, name):
        page_size = self.random.choice((None, None, PAGE, BLOCK))
        unit = page_size or PAGE
        size = -(-self.random.choice(SIZES) // unit) * unit
        attributes = {"name": name, "page_size": page_size, "size": size}
        kind = self.random.choice(("free", "free", "prefill", "prefill", "ram", "image", "device"))
        if kind in ("prefill", "image"):
            self.files[f"{name}.bin"] = self._contents(size)
            attributes["prefill_path"] = f"{name}.bin"
            if self._chance(0.3):
                size = -(-len(self.files[f"{name}.bin"]) // unit) * unit
                del attributes["size"]
        if kind in self.places and self.places[kind] and not (kind == "device" and size > BLOCK):
            place = self.places[kind].pop()
            slack = 0 if kind == "device" or page_size == BLOCK else self.random.randrange(3) * PAGE
            attributes["phys_addr"] = place + slack
            if place % unit:
                del attributes["phys_addr"]
        self.regions.append((name, size, unit, kind in ("prefill", "image")))
        return self._element("memory_region", **attributes)

    def _contents(self, size):
        length = self.random.choice((1, PAGE - 1, PAGE, min(size, 2 * PAGE + 5), size // 2 + 1, size))
        return self.random.randbytes(64).ljust(length, self.random.choice((b"\0", b"x")))[:min(length, size)]

    def _maps(self, at, pd):
        """Maps of some regions, in any order, a few of them twice, from the address `at` on."""
        parts = []
        regions = self.regions + self.random.sample(self.regions, len(self.regions) // 4)
        for name, size, unit, prefilled in self._shuffled(regions):
            if self._chance(0.5):
                continue
            align = BLOCK if self._chance(0.3) else unit
            at = -(-at // align) * align + self.random.choice((0, 0, 1, 5, 512)) * unit
            attributes = {"mr": name, "vaddr": at, "cached": self.random.choice((None, "true", "false")),
                          "perms": self.random.choice((None, "r", "rw", "wr", "rx", "rwx", "xwr", "x", ""))}
            kinds = ["setvar_vaddr", "setvar_size"] + ["setvar_prefill_size"] * prefilled
            if pd and pd.symbols and self._chance(0.2):
                attributes[self.random.choice(kinds)] = pd.symbols.pop()
            parts.append(self._element("map", **attributes))
            at += size
        return "".join(parts)

    # ---- Protection domains and machines ----

    def _schedule(self, priority):
        period = self.random.choice((None, 1000, 5000, 10 ** 12))
        budget = self.random.choice((None, 20, 999, 1000))
        return {"priority": priority if self._chance(0.9) or priority else None, "budget": budget,
                "period": period}

    def _pd(self, parent):
        priority = self.random.choice((0, 1, 100, 253, 254, self.random.randrange(255)))
        pd = Pd(self.random.choice(("pd", "domain", "name" * 15)) + str(len(self.pds)), priority,
                self.random.randrange(self.cores), self._chance(0.2))
        self.pds.append(pd)
        number = len(self.pds)
        attributes = {
            "name": pd.name, "id": None if parent is None else 63 - number % 64, **self._schedule(priority),
            "passive": "true" if pd.passive else self.random.choice((None, "false")),
            "cpu": pd.core if pd.core or self._chance(0.3) else None,
            "stack_size": self.random.choice((None, PAGE, 5 * PAGE, BLOCK + PAGE)),
            "smc": self.random.choice((None, "true", "false")),
            "fpu": self.random.choice((None, "true", "false")),
            "domain": self.random.choice(self.domains) if self.domains else None,
        }
        if parent and parent.symbols and self._chance(0.2):
            attributes["setvar_id"] = parent.symbols.pop()
        return self._element("protection_domain", self._inside(pd), **attributes)

    def _inside(self, pd):
        program = self.random.choice(sorted(set(programs()) - {"stripped.elf"}))
        symbols = None
        if program == "plain.elf" and self._chance(0.5):
            program, symbols = "stripped.elf", "plain.elf"
        parts = [self._element("program_image", path=program, path_for_symbols=symbols),
                 self._maps(self.random.choice((0x1000000, 0x40000000, 0x3FFFC00000, 0xC000000000)), pd)]
        for _ in range(self.random.randrange(3)):
            parts.append(self._irq(pd))
        if self.regions and pd.symbols and self._chance(0.2):
            parts.append(self._element("setvar", symbol=pd.symbols.pop(),
                                       region_paddr=self.random.choice(self.regions)[0]))
        if self._chance(0.2):
            parts.append(self._cspace(pd))
        if self._chance(0.4):
            parts.append(self._machine(pd))
        while len(self.pds) < 40 and self._chance(0.3):
            parts.append(self._pd(pd))
        return "".join(self._shuffled(parts))

    def _irq(self, pd):
        trigger = self.random.choice((None, "level", "edge"))
        symbol = pd.symbols.pop() if pd.symbols and self._chance(0.2) else None
        return self._element("irq", irq=self.irqs.pop(), id=self._channel_id(pd), trigger=trigger,
                             setvar_id=symbol)

    def _channel_id(self, pd):
        return pd.channel_ids.pop(self.random.randrange(len(pd.channel_ids)))

    def _cspace(self, pd):
        slots = self.random.sample(range(1, 64), self.random.randrange(1, 5))
        return self._element("cspace", "".join(
            self._element(self.random.choice(("cap_tcb", "cap_sc", "cap_vspace")), slot=slot,
                          pd=self.random.choice((pd.name, "SOMEBODY"))) for slot in slots))

    def _machine(self, pd):
        ids = self.random.sample(range(8), self.random.choice((1, 1, 2, 4)))  # children have others
        vcpus = "".join(self._element("vcpu", id=i, cpu=self.random.choice(
            (None, self.random.randrange(self.cores)))) for i in ids)
        return self._element("virtual_machine", vcpus + self._maps(self.random.choice((0, 0x40000000)), None),
                             name=self.random.choice(("vm", "machine" * 9)) + pd.name,
                             **self._schedule(self.random.randrange(255)))

    # ---- What joins them ----

    def _channel(self):
        ends = [self.random.choice(self.pds) for _ in range(2)]
        if ends[0] is ends[1] and self._chance(0.7) or not all(len(pd.channel_ids) > 1 for pd in ends):
            return ""
        caller, callee = ends
        may_call = caller.priority < callee.priority and not (callee.passive and caller.core != callee.core)
        words = ((None, "true", "false"), (None, "true", "false") if may_call else (None, "false"))
        parts = [self._element("end", pd=pd.name, id=self._channel_id(pd), notify=self.random.choice(notify),
                               pp=self.random.choice(call))
                 for pd, notify, call in ((caller, words[0], words[1]), (callee, words[0], (None, "false")))]
        return self._element("channel", "".join(self._shuffled(parts)))

    def _domains(self):
        return [f"domain{i}" for i in range(self.random.randrange(1, 17))]

    def _domains_element(self):
        if not self.domains:
            return ""
        ids = self.random.sample(range(16), len(self.domains))
        parts = [self._element("domain", name=name, id=identity if self._chance(0.7) else None)
                 for name, identity in zip(self.domains, ids)]
        entries = []
        for _ in range(self.random.randrange(1, 20)):
            duration = self.random.choice(("1000 us", "0x20 us", f"{10 ** 12} us", f"{2 ** 56 - 1} ticks"))
            entries.append(self._element("schedule_entry", domain=self.random.choice(self.domains),
                                         duration=duration))
        start = self.random.randrange(len(entries))
        if self._chance(0.5):
            entries.insert(self.random.randrange(start + 1, len(entries) + 1), "<schedule_end_marker/>")
        if start and self._chance(0.5):
            entries.insert(self.random.randrange(1, start + 1), "<schedule_end_marker/>")
            start += 1
        return self._element("domains", "".join(parts) + self._element(
            "domain_schedule", "".join(entries), start_index=start if start or self._chance(0.5) else None,
            index_shift=self.random.choice((None, 0, 7))))
