# SPDX-License-Identifier: BSD-2-Clause
"""A reader of system descriptions that shares nothing with the tool: what a good one promises.

It takes what Microkit 2.3.0's manual says, with its defaults, and what docs/microkit.md says beyond. It is
not for finding mistakes in a description.
"""

import dataclasses
import pathlib
import xml.etree.ElementTree

PAGE = 0x1000
NAME_BYTES = 63  # of a thread's name that the kernel has room for


def number(text):
    text = text.replace("_", "")
    base = 10
    if text.startswith("0x"):
        text, base = text[2:], 16
    return int(text.removeprefix("+"), base)


def short_name(name, size=NAME_BYTES):
    """The first bytes of a name, whole characters of it."""
    return name.encode()[:size].decode(errors="ignore").encode()


def round_up(value, unit):
    return -(-value // unit) * unit


@dataclasses.dataclass
class Region:
    name: str
    size: int
    page_size: int  # or None: the tool chooses
    address: int  # physical, or None: anywhere
    prefill: bytes  # or None


@dataclasses.dataclass
class Map:
    region: Region
    vaddr: int
    rights: str  # of "rwx"
    cached: bool


@dataclasses.dataclass
class Schedule:
    priority: int
    budget: int
    period: int


@dataclasses.dataclass
class Irq:
    intid: int
    edge: bool


@dataclasses.dataclass
class End:
    """What a channel's id is to one end."""
    peer: "Pd"
    peer_id: int
    notify: bool
    call: bool


@dataclasses.dataclass
class Vm:
    name: str
    pd: "Pd"
    schedule: Schedule
    vcpus: list  # (id, core)
    maps: list


@dataclasses.dataclass
class Pd:
    index: int
    name: str
    parent: "Pd"
    child_id: int
    schedule: Schedule
    core: int
    domain: int
    stack_size: int
    passive: bool
    smc: bool
    fpu: bool
    program: pathlib.Path = None
    symbols: pathlib.Path = None
    maps: list = dataclasses.field(default_factory=list)
    irqs: dict = dataclasses.field(default_factory=dict)  # id -> Irq
    ends: dict = dataclasses.field(default_factory=dict)  # id -> End
    caps: dict = dataclasses.field(default_factory=dict)  # slot -> (kind, name of a PD)
    variables: dict = dataclasses.field(default_factory=dict)  # symbol -> number, or the Region's address
    vm: Vm = None


CAPS = {"cap_tcb": 1, "cap_sc": 2, "cap_vspace": 3}


def tag(element):
    return element.tag.rpartition("}")[2]


def children(element, *tags):
    return [child for child in element if tag(child) in tags]


def flag(element, name, default):
    return element.get(name, "true" if default else "false") == "true"


class SystemFile:
    """A description. `search` is where its files are, the first directory first."""

    def __init__(self, path, search):
        self.search = [pathlib.Path(directory) for directory in search]
        root = xml.etree.ElementTree.parse(path).getroot()
        self.domains, self.turns = {}, []
        self.pds = []  # a parent before its children
        for element in children(root, "domains"):
            self._read_domains(element)
        self.regions = {element.get("name"): self._region(element)
                        for element in children(root, "memory_region")}
        for element in children(root, "protection_domain"):
            self._read_pd(element, None)
        for element in children(root, "channel"):
            self._read_channel(children(element, "end"))

    def pd(self, name):
        return next(pd for pd in self.pds if pd.name == name)

    @property
    def vms(self):
        return [pd.vm for pd in self.pds if pd.vm]

    def find(self, name):
        """The path of a file that the description names."""
        for directory in [*self.search, pathlib.Path(".")]:
            if (directory / name).is_file():
                return directory / name
        raise FileNotFoundError(f"{name} is in none of {[str(path) for path in self.search]}")

    # ---- Elements ----

    def _read_domains(self, element):
        given = [(child.get("name"), child.get("id")) for child in children(element, "domain")]
        free = sorted(set(range(16)) - {number(text) for _, text in given if text})
        for name, text in given:
            self.domains[name] = number(text) if text else free.pop(0)
        (schedule,) = children(element, "domain_schedule")
        entries = children(schedule, "schedule_entry", "schedule_end_marker")
        for entry in entries[number(schedule.get("start_index", "0")):]:
            if tag(entry) == "schedule_end_marker":
                break
            duration, unit = entry.get("duration").split(" ")
            self.turns.append((number(duration), int(unit == "ticks"), self.domains[entry.get("domain")]))

    def _region(self, element):
        def attribute(name):
            return number(element.get(name)) if element.get(name) is not None else None

        file = element.get("prefill_path")
        prefill = self.find(file).read_bytes() if file else None
        page_size = attribute("page_size")
        size = attribute("size")
        if size is None:
            size = round_up(len(prefill), page_size or PAGE)
        return Region(element.get("name"), size, page_size, attribute("phys_addr"), prefill)

    def _map(self, element):
        return Map(self.regions[element.get("mr")], number(element.get("vaddr")),
                   "".join(right for right in "rwx" if right in element.get("perms", "rw")),
                   flag(element, "cached", True))

    @staticmethod
    def _schedule(element):
        budget = number(element.get("budget", "1000"))
        return Schedule(number(element.get("priority", "0")), budget,
                        number(element.get("period", str(budget))))

    def _read_pd(self, element, parent):
        pd = Pd(len(self.pds), element.get("name"), parent,
                number(element.get("id")) if parent else 0, self._schedule(element),
                number(element.get("cpu", "0")), self.domains.get(element.get("domain"), 0),
                number(element.get("stack_size", "0x2000")), flag(element, "passive", False),
                flag(element, "smc", False), flag(element, "fpu", True))
        self.pds.append(pd)
        if parent:
            self._set(parent, element, "setvar_id", pd.child_id)
        for child in element:
            self._read_part(pd, child)

    def _read_part(self, pd, child):
        kind = tag(child)
        if kind == "program_image":
            pd.program = self.find(child.get("path"))
            pd.symbols = self.find(child.get("path_for_symbols", child.get("path")))
        elif kind == "map":
            self._read_pd_map(pd, child)
        elif kind == "irq":
            identity = number(child.get("id"))
            pd.irqs[identity] = Irq(number(child.get("irq")), child.get("trigger") == "edge")
            self._set(pd, child, "setvar_id", identity)
        elif kind == "setvar":
            self._set(pd, child, "symbol", self.regions[child.get("region_paddr")])
        elif kind == "protection_domain":
            self._read_pd(child, pd)
        elif kind == "virtual_machine":
            self._read_vm(pd, child)
        elif kind == "cspace":
            pd.caps = {number(cap.get("slot")): (CAPS[tag(cap)], cap.get("pd")) for cap in child}

    @staticmethod
    def _set(pd, element, attribute, value):
        if element.get(attribute) is not None:
            pd.variables[element.get(attribute)] = value

    def _read_pd_map(self, pd, element):
        mapping = self._map(element)
        pd.maps.append(mapping)
        self._set(pd, element, "setvar_vaddr", mapping.vaddr)
        self._set(pd, element, "setvar_size", mapping.region.size)
        if element.get("setvar_prefill_size") is not None:
            pd.variables[element.get("setvar_prefill_size")] = len(mapping.region.prefill)

    def _read_vm(self, pd, element):
        vcpus = []
        for vcpu in children(element, "vcpu"):
            identity = number(vcpu.get("id"))
            vcpus.append((identity, number(vcpu.get("cpu", str(pd.core)))))
            self._set(pd, vcpu, "setvar_id", identity)
        pd.vm = Vm(element.get("name"), pd, self._schedule(element), vcpus,
                   [self._map(child) for child in children(element, "map")])

    def _read_channel(self, ends):
        for end, other in (ends, ends[::-1]):
            pd, identity = self.pd(end.get("pd")), number(end.get("id"))
            pd.ends[identity] = End(self.pd(other.get("pd")), number(other.get("id")),
                                    flag(end, "notify", True), flag(end, "pp", False))
            self._set(pd, end, "setvar_id", identity)
