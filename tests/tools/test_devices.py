# SPDX-License-Identifier: BSD-2-Clause
"""Devices that are handed to machines: what braid-gen says of wrong ones, and what it makes of others."""

import json
import random
import re

import pytest

from conftest import ROOT
from test_mutations import damage
from test_output import check_system, dts_of, number, summary_of, system_of

BOARD = (ROOT / "boards/qemu_virt_aarch64.yaml").read_text()
GICV3 = ROOT / "boards/qemu_virt_aarch64_gicv3.yaml"

# Devices that are like those of our own drivers, or like each other.
OTHERS = """
  same_page: {address: 0x09000800, size: 0x100, bus_master: no, node: {}}
  same_line: {address: 0x0b000000, interrupts: [33], bus_master: no, node: {}}
  slot1: {address: 0x0a000200, size: 0x200, interrupts: [49], bus_master: no, node: {}}
  disk_line: {address: 0x0b001000, interrupts: [70, 48], bus_master: no, node: {}}
  slot30: {address: 0x0a003c00, size: 0x200, interrupts: [78], bus_master: no, node: {}}
  slot9: {address: 0x0a001200, size: 0x200, interrupts: [57], bus_master: no, node: {}}
  rtc_line: {address: 0x0b002000, interrupts: [34], bus_master: no, node: {}}
  timer_like: {address: 0x0b003000, interrupts: [71], bus_master: no, node: {}}
  dma_ids: {address: 0x0b100000, size: 0x2008, bus_master: no, node: {}}
  dma: {address: 0x0b100000, size: 0x2004, interrupts: [72, 73], trigger: edge, bus_master: yes, node: {}}
  dma_end: {address: 0x0b100000, size: 0x3000, bus_master: no, node: {}}
"""


def board_with(generate, devices, text=BOARD):
    """A board's file with these devices besides its own; returns the line of the first."""
    generate.board = generate.directory / "board.yaml"
    at = text.index("\nqemu:\n")
    generate.board.write_text(text[:at + 1] + devices.strip("\n") + "\n" + text[at + 1:])
    return text[:at + 1].count("\n") + 1


ERRORS = {
    "unknown": ("vms: {a: {devices: [pl32]}}",
                "vm 'a': devices: 'pl32': the board 'board' has no such device: did you mean 'pl031'?"),
    "unknown far": ("vms: {a: {devices: [quantum]}}",
                    "vm 'a': devices: 'quantum': the board 'board' has no such device: it has pl031, pl061, "
                    "virtio_disk, same_page, same_line, slot1, disk_line, slot30, slot9, rtc_line, "
                    "timer_like, dma_ids, dma, dma_end"),
    "empty": ("vms: {a: {devices: ['']}}", "devices: '': the board 'board' has no such device"),
    "twice": ("vms: {a: {devices: [pl031, pl031]}}", "vm 'a': devices: 'pl031' given twice: once is enough"),
    "two owners": ("vms: {b: {devices: [pl031]}, a: {devices: [pl031]}}",
                   "vm 'a': devices: 'pl031': vm 'b' has it already: a device has one owner"),
    "count": ("vms: {a: {count: 2, devices: [pl031]}}",
              "vm 'a1': devices: 'pl031': vm 'a0' has it already: a device has one owner"),
    "the uart's page": ("vms: {a: {devices: [same_page]}}",
                        "vm 'a': devices: 'same_page': its registers are in a page of the board's uart, "
                        "which this system uses: take another device"),
    "the uart's interrupt": ("vms: {a: {devices: [same_line]}}",
                             "vm 'a': devices: 'same_line': its interrupt 33 is that of the board's uart, "
                             "which this system uses: take another device"),
    "the disk's page": ("vms: {a: {devices: [slot1], disks: [1 MiB]}}",
                        "devices: 'slot1': its registers are in a page of the board's disk"),
    "the disk's page, another's": ("vms: {b: {disks: [1 MiB]}, a: {devices: [slot1]}}",
                                   "devices: 'slot1': its registers are in a page of the board's disk"),
    "the disk's interrupt": ("vms: {a: {devices: [disk_line], disks: [1 MiB]}}",
                             "devices: 'disk_line': its interrupt 48 is that of the board's disk"),
    "the card's page": ("switches: {n: {uplink: yes}}\nvms: {a: {devices: [slot30]}}",
                        "devices: 'slot30': its registers are in a page of the board's network"),
    "bus master": ("vms: {a: {devices: [virtio_disk]}}",
                   "vm 'a': devices: 'virtio_disk' masters the bus: its guest can have it read and write all "
                   "of the board's memory. If the guest is trusted with that, say 'dma: trusted'"),
    "dma none": ("vms: {a: {devices: [virtio_disk], dma: none}}", "'virtio_disk' masters the bus"),
    "a bus master's page": ("vms: {a: {devices: [slot9]}}",
                            "vm 'a': devices: 'slot9': in a page with 'virtio_disk', which masters the bus: "
                            "its guest can have that read and write all of the board's memory. If the guest "
                            "is trusted with that, say 'dma: trusted'"),
    "a bus master's page, named before it": (
        "vms: {a: {devices: [dma_ids]}}", "'dma_ids': in a page with 'dma', which masters the bus"),
    "a bus master's page, named behind it": (
        "vms: {a: {devices: [dma_end]}}", "'dma_end': in a page with 'dma', which masters the bus"),
    "an idle disk's page": ("vms: {a: {devices: [slot1]}}",
                            "'slot1': in a page with the board's disk, which masters the bus"),
    "an idle card's page": ("vms: {a: {devices: [slot30]}}",
                            "'slot30': in a page with the board's network, which masters the bus"),
    "the disk's page, with trust": ("vms: {a: {devices: [slot1], dma: trusted, disks: [1 MiB]}}",
                                    "devices: 'slot1': its registers are in a page of the board's disk"),
    "trust for nothing": ("vms: {a: {devices: [pl031], dma: trusted}}",
                          "vm 'a': dma trusted: none of its devices masters the bus: leave it out"),
    "no trust": ("vms: {a: {dma: maybe}}", "vm 'a': dma 'maybe'"),
    "a shared page": ("vms: {b: {devices: [virtio_disk], dma: trusted}, a: {devices: [slot9]}}",
                      "vm 'a': devices: 'slot9': in a page with 'virtio_disk', which vm 'b' has, and who has "
                      "a page has all that is in it: hand both to one machine"),
    "a shared interrupt": ("vms: {a: {devices: [pl031, rtc_line]}}",
                           "vm 'a': devices: 'rtc_line': it shares an interrupt with 'pl031', which vm 'a' "
                           "has: take one of them"),
    "no list": ("vms: {a: {devices: pl031}}",
                "vm 'a': devices: a list of up to 16 names belongs here, like [uart1]"),
    "a list of lists": ("vms: {a: {devices: [[pl031]]}}", "vm 'a': devices: a list: a name belongs here"),
    "too many": (f"vms: {{a: {{devices: [{', '.join(40 * ['pl031'])}]}}}}", "a list of up to 16 names"),
    "for all": ("defaults: {devices: [pl031]}\nvms: [a]",
                "defaults: 'devices' cannot be the same for all: give it to a vm"),
    "trust for all": ("defaults: {dma: trusted}\nvms: [a]",
                      "defaults: 'dma' cannot be the same for all: give it to a vm"),
    "memory": ("vms: {b: {devices: [dma], memory: 256 MiB, dma: trusted}, "
               "a: {devices: [virtio_disk], memory: 258 MiB, dma: trusted}}",
               "vm 'a': memory 258 MiB: a device masters the bus, so it lies in the board's guest_memory, "
               "which is 512 MiB: take less"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(generate, name):
    text, error = ERRORS[name]
    board_with(generate, OTHERS)
    errors = generate.errors(text + "\n")
    assert len(errors) == 1, errors
    assert errors[0].startswith(f"sys.yaml:{text.count(chr(10)) + 1 if 'defaults' not in text else 1}: ")
    assert error in errors[0]


def test_board_without_devices(generate):
    board_with(generate, "", re.sub("\ndevices:(?s:.*)\nqemu:\n", "\nqemu:\n", BOARD))
    (error,) = generate.errors("vms: {a: {devices: [pl031]}}\n")
    assert "devices: 'pl031': the board 'board' has none to hand out: name it under 'devices' in " in error


def device(address="0x0b000000", interrupts="[80]", more="", node="{}"):
    return f"  d: {{address: {address}, interrupts: {interrupts}, bus_master: no, {more} node: {node}}}"


BOARD_ERRORS = {
    "no bus_master": ("  d: {address: 0x0b000000, node: {}}", "device 'd': 'bus_master' is missing: "),
    "no node": ("  d: {address: 0x0b000000, bus_master: no}", "device 'd': 'node' is missing: "),
    "no address": ("  d: {bus_master: no, node: {}}", "device 'd': 'address' is missing: "),
    "memory": (device("0x40001000"), "address 0x40001000: the board's memory is there"),
    "around memory": (device("0x3ffff000", more="size: 0x2000,"), "the board's memory is there"),
    "distributor": (device("0x08000ffc"), "address 0x08000ffc: the interrupt controller is there, and no "
                                          "machine can have that"),
    "virtual interface": (device("0x08041000"), "the interrupt controller is there"),
    "odd": (device(more="size: 0x6,"), "size '0x6': not a multiple of"),
    "large": (device(more="size: 0x2000000,"), "size '0x2000000': out of range"),
    "empty": (device(more="size: 0x0,"), "size '0x0': out of range"),
    "beyond": (device("0xfffffffffffff000"), "address 0xfffffffffffff000: too large"),
    "PPI": (device(interrupts="[31]"), "interrupts '31': out of range: 32 to 287"),
    "beyond the GIC": (device(interrupts="[288]"), "interrupts '288': out of range: 32 to 287"),
    "no interrupts": (device(interrupts="34"), "interrupts: a list of up to 8 numbers belongs here"),
    "many interrupts": (device(interrupts=str(list(range(80, 89)))), "interrupts: a list of up to 8"),
    "trigger": (device(more="trigger: both,"), "trigger 'both'"),
    "partly the same pages": (device("0x09010ffc", more="size: 8,".replace("8", "0x8")),
                              "its pages are partly those of 'pl031'"),
    "twice": ("  pl031: {address: 0x0b000000, bus_master: no, node: {}}",
              "device 'pl031': it is on line"),
    "name": ("  9d: {address: 0x0b000000, bus_master: no, node: {}}", "devices '9d': not a name"),
    "node": (device(node="[]"), "d: a mapping of properties belongs here"),
    "reg": (device(node="{reg: [1, 2]}"), "node: 'reg' comes from 'address' and 'interrupts': leave it out"),
    "interrupts": (device(node="{interrupts: 1}"), "node: 'interrupts' comes from"),
    "label": (device(node="{clocks: '&clock'}"), "clocks: '&clock': no such node: it is the device's name or "
                                                 "one under 'nodes'"),
    "label deep": (device(node="{a: {b: {c: [1, '&e']}}}"), "c: '&e': no such node"),
    "mixed": (device(node="{a: [1, b]}"), "a: text, numbers of 32 bits, nothing, a list of either, or a "
                                          "mapping belongs here"),
    "mixed otherwise": (device(node="{a: [b, 1]}"), "a: text, numbers"),
    "too large a number": (device(node="{a: 0x100000000}"), "a: text, numbers of 32 bits"),
    "negative": (device(node="{a: [1, -1]}"), "a: text, numbers"),
    "list in a list": (device(node="{a: [[1]]}"), "a: text, numbers"),
    "control character": (device(node='{a: "x\\x07y"}'), "a: text, numbers"),
    "property": (device(node="{'a b': 1}"), "'a b': no name in a device tree: 1 to 31 letters"),
    "long property": (device(node=f"{{{32 * 'a'}: 1}}"), "no name in a device tree"),
    "property twice": (device(node="{a: 1, a: 2}"), "'a' given twice in one node"),
    "node and property": (device(node="{a: 1, a: {}}"), "'a' given twice in one node"),
    "large tree": (device(node=f"{{a: [{', '.join(600 * ['1'])}]}}"),
                   "node: more than 2048 bytes in a device tree, with 'nodes': leave some out"),
    "many nodes": (device(more=f"nodes: {{{', '.join(f'n{i}: {{}}' for i in range(9))}}},"),
                   "nodes: a mapping of up to 8 names belongs here"),
    "node's name": (device(more="nodes: {d: {}},"), "nodes: 'd' is a node's name already: choose another"),
    "node's odd name": (device(more="nodes: {'a/b': {}},"), "nodes 'a/b': not a name"),
}


@pytest.mark.parametrize("name", BOARD_ERRORS)
def test_error_in_a_board(generate, name):
    text, error = BOARD_ERRORS[name]
    line = board_with(generate, text)
    errors = generate.errors("vms: [a]\n")
    assert len(errors) == 1, errors
    assert errors[0].startswith(f"{generate.board}:{line}: ") and error in errors[0]


@pytest.mark.parametrize("devices", ["devices: [a]", "devices: a", "devices: {a: 1}"])
def test_devices_are_a_mapping(generate, devices):
    board_with(generate, "", re.sub("\ndevices:(?s:.*)\nqemu:\n", f"\n{devices}\nqemu:\n", BOARD))
    errors = generate.errors("vms: [a]\n")
    assert "devices: a mapping of up to 256 names belongs here" in errors[0] or \
        "device 'a': " in errors[0]


def irqs_of(pd):
    return [(int(i.get("irq")), int(i.get("id")), i.get("trigger", "level")) for i in pd.findall("irq")]


def forwards_of(result, vm):
    found = re.findall(r"\{\.channel = (\d+), \.edge = (\w+), \.intid = (\d+)\}",
                       result.read(f"config/vmm_{vm}.c"))
    return [(int(channel), edge == "true", int(intid)) for channel, edge, intid in found]


def handed(system, vm):
    """(physical address, where the guest has it, permissions, cached) of each device of a machine's."""
    regions = {r.get("name"): r for r in system.iter("memory_region")}
    return [(number(regions[m.get("mr")].get("phys_addr")), number(m.get("vaddr")), m.get("perms"),
             m.get("cached")) for m in system.findall(f".//virtual_machine[@name='{vm}']/map")
            if m.get("mr").startswith(f"{vm}_device_")]


@pytest.mark.parametrize("board", [None, GICV3])
def test_shipped_example(generate, board):
    """Each device is where it is on the board, unless the machine has something of its own there."""
    generate.board = board or generate.board
    result = generate.path(ROOT / "systems/devices.yaml")
    system = system_of(result)
    check_system(system)
    assert handed(system, "vm1") == [(0x09010000, 0x09010000, "rw", "false"),
                                     (0x09030000, 0x09030000, "rw", "false"),
                                     (0x0a001000, 0x0c000000, "rw", "false")]
    assert handed(system, "vm0") == []
    pds = {p.get("name"): p for p in system.iter("protection_domain")}
    assert irqs_of(pds["vmm_vm0"]) == []
    irqs = irqs_of(pds["vmm_vm1"])
    assert [(irq, trigger) for irq, _, trigger in irqs] == [(34, "level"), (39, "level"), (56, "edge")]
    forwards = forwards_of(result, "vm1")
    assert [(i, t == "edge") for _, i, t in irqs] == [(c, e) for c, e, _ in forwards]
    assert forwards_of(result, "vm0") == [] and ".forward" not in result.read("config/vmm_vm0.c")
    (_, vm1) = summary_of(result)["vms"]
    assert [i["intid"] for d in vm1["devices"] for i in d["interrupts"]] == [i for _, _, i in forwards]
    tree = dts_of(result, "vm1")
    for (_, edge, intid), node in zip(forwards, ("pl031@9010000", "pl061@9030000", "virtio_disk@c000000")):
        assert re.search(rf"{node} {{[^}}]*interrupts = <0x00 {intid - 32:#x} 0x0{1 if edge else 4}>;", tree)
    assert "virtio_disk.img:134217728" in result.read("system.mk")
    assert "-device\nvirtio-blk-device,drive=virtio_disk,bus=virtio-mmio-bus.8\n" in result.read("qemu.args")


def test_tree(generate):
    """Each kind of value, nodes below nodes, and phandles."""
    board_with(generate, """
  first: {address: 0x0b000000, bus_master: no, node: {x: '&first'}}
  second:
    address: 0x0b001100
    size: 0x40
    bus_master: no
    node:
      text: word
      texts: [a word, "7"]
      cells: [1, 0xffffffff, '&clock', '&second']
      cell: 010
      flag:
      below: {"#size-cells": 0, deeper: {back: ['&second', 4]}}
    nodes:
      clock: {compatible: fixed-clock}
      other: {clock: '&clock'}
""")
    result = generate("vms: {a: {devices: [first, second]}}\n")
    tree = dts_of(result, "a")
    phandles = {name: int(value, 16) for name, value in
                re.findall(r"(\S+) {[^{}]*phandle = <(0x\w+)>;", tree)}
    first, second, clock, other = (phandles[n] for n in ("first@b000000", "second@b001100", "second-clock",
                                                         "second-other"))
    assert len(set(phandles.values())) == len(phandles)
    assert "reg = <0x00 0xb001100 0x00 0x40>;" in tree
    for line in ('text = "word";', r'texts = "a word\07";', "flag;", "cell = <0x0a>;",
                 "#size-cells = <0x00>;",
                 f"cells = <0x01 0xffffffff {clock:#04x} {second:#04x}>;", f"x = <{first:#04x}>;",
                 f"back = <{second:#04x} 0x04>;", f"clock = <{clock:#04x}>;"):
        assert line in tree, (line, tree)
    assert other not in (first, second, clock)


def test_pages_of_one_machine(generate):
    """Two devices in one page are one mapping; a driver's page is free if the driver is not there."""
    board_with(generate, OTHERS)
    system = system_of(generate("vms: {a: {devices: [slot9, virtio_disk, slot1, slot30], dma: trusted}}\n"))
    check_system(system)
    assert [physical for physical, *_ in handed(system, "a")] == [0x0a001000, 0x0a000000, 0x0a003000]
    gpas = [gpa for _, gpa, *_ in handed(system, "a")]
    assert gpas == [0x0c000000, 0x0c001000, 0x0c002000]


def rams(system, vm):
    regions = {r.get("name"): r for r in system.iter("memory_region")}
    return [(number(m.get("vaddr")), number(regions[m.get("mr")].get("phys_addr", "0")),
             number(regions[m.get("mr")].get("size")))
            for m in system.findall(f".//virtual_machine[@name='{vm}']/map")
            if m.get("mr").startswith(f"{vm}_ram")]


def test_memory_is_where_the_device_sees_it(generate):
    """Of each machine with a bus master, whatever comes before; with the device tree, and the switch."""
    board_with(generate, OTHERS)
    result = generate("vms:\n  z: {memory: 128 MiB, path: vhost}\n"
                      "  a: {memory: 96 MiB, devices: [dma], dma: trusted, path: vhost}\n"
                      "  b: {memory: 160 MiB, devices: [virtio_disk, pl031], dma: trusted, path: vhost}\n")
    system = system_of(result)
    check_system(system)
    at = 0x40000000
    for vm, mebibytes in (("a", 96), ("b", 160)):
        covered = 0
        for gpa, physical, size in rams(system, vm):
            assert gpa == physical == at + covered
            covered += size
        assert covered == mebibytes << 20
        assert f"memory@{at:x} {{" in dts_of(result, vm)
        assert f".ram_gpa = {at:#x}," in result.read(f"config/vmm_{vm}.c")
        assert f".ram_gpa = {at:#x}," in result.read("config/switch_net0.c")
        kernel = int(re.search(r"\.kernel = .*\.gpa = (0x\w+)", result.read(f"config/vmm_{vm}.c"))[1], 16)
        assert at < kernel < at + covered
        at += covered
    assert [gpa for gpa, *_ in rams(system, "z")] == [0x40000000, 0x44000000]
    assert [physical for _, physical, _ in rams(system, "z")] == [at, at + (64 << 20)]
    # The switch has the RAM of all and none of the devices.
    (switch,) = (p for p in system.iter("protection_domain") if p.get("name") == "switch_net0")
    assert not [m for m in switch.findall("map") if "_device_" in m.get("mr")]
    assert len([m for m in switch.findall("map") if "_ram" in m.get("mr")]) == 7


@pytest.mark.parametrize("device", ["slot9", "slot1", "slot30", "dma_ids"])
def test_memory_is_where_a_bus_master_in_its_page_sees_it(generate, device):
    """Whoever has a page has the bus master in it, whatever name it was asked for by."""
    board_with(generate, OTHERS)
    system = system_of(generate(f"vms: {{z: , a: {{devices: [{device}], dma: trusted}}}}\n"))
    assert {gpa - physical for gpa, physical, _ in rams(system, "a")} == {0}
    assert {gpa - physical for gpa, physical, _ in rams(system, "z")} != {0}


def test_bus_master_where_the_machine_has_its_devices(generate):
    text = BOARD.replace("memory_base: 0x40000000\nmemory:", "memory_base: 0x0\nmemory:").replace(
        "guest_memory_base: 0x40000000", "guest_memory_base: 0x08000000").replace(
        "image_address: 0x70000000", "image_address: 0x60000000")
    text = re.sub("\ndevices:(?s:.*)\nqemu:\n", "\ndevices:\n  dma: {address: 0x90000000, bus_master: yes, "
                  "node: {}}\nqemu:\n", text)
    for wrong, right in (("0x09000000", "0x90010000"), ("0x08000000\n  cpu", "0x91000000\n  cpu"),
                         ("0x08010000", "0x91010000"), ("0x08030000", "0x91030000"),
                         ("0x08040000", "0x91040000"), ("0x0a000000", "0x92000000"),
                         ("0x0a003e00", "0x92003e00")):
        text = text.replace(wrong, right)
    board_with(generate, "", text)
    (error,) = generate.errors("vms: {a: {devices: [dma], dma: trusted}}\n")
    assert "vm 'a': memory 256 MiB: a device masters the bus, so it lies at 0x8000000, where the machine " \
        "has its virtual devices: the board's file has to name another guest_memory_base" in error


def test_what_serves_no_device_is_as_before(generate):
    """A machine without one has nothing that says so, and `devices: []` is the same."""
    text = "vms: {a: , b: {devices: DEVICES}}\n"
    for devices in ("[]", "~"):
        result = generate(text.replace("DEVICES", devices))
        assert result.errors == []
        made = {p.name: p.read_bytes() for p in result.output.rglob("*") if p.is_file()}
        plain = generate("vms: {a: , b: }\n")
        assert made == {p.name: p.read_bytes() for p in plain.output.rglob("*") if p.is_file()}
        assert b"forward" not in b"".join(made.values())
    assert "devices" not in json.dumps(summary_of(plain))


def test_damaged_boards(generate):
    generate.board = generate.directory / "board.yaml"
    devices = BOARD[BOARD.index("\ndevices:"):BOARD.index("\nqemu:\n")]
    for seed in range(60):
        text = BOARD.replace(devices, "\n" + damage(devices[1:], random.Random(seed)))
        generate.board.write_bytes(text.encode("utf-8", "surrogatepass"))
        result = generate("vms: {a: {devices: [pl031, pl061, virtio_disk], dma: trusted}}\n")
        assert (result.status == 0) == (result.errors == []), (seed, text)
