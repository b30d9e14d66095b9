# SPDX-License-Identifier: BSD-2-Clause
"""Memory that machines share: what braid-gen says of wrong files, and what it makes of others."""

import re

import pytest

from conftest import ROOT
from test_output import check_system, dts_of, number, summary_of, system_of

NINE = ", ".join(f"s{i}: {{size: 4 KiB, vms: [a, {'bc'[i % 2]}]}}" for i in range(9))
ERRORS = {
    "unknown": ("shared: {s: {size: 4 KiB, vms: [a, bb]}}",
                "shared 's': vms: there is no vm 'bb': did you mean 'b'?"),
    "unknown far": ("shared: {s: {size: 4 KiB, vms: [a, quantum]}}",
                    "shared 's': vms: there is no vm 'quantum': name one of 'vms'"),
    "twice": ("shared: {s: {size: 4 KiB, vms: [a, a]}}",
              "shared 's': vms: 'a' given twice: once is enough"),
    "one": ("shared: {s: {size: 4 KiB, vms: [a]}}",
            "shared 's': vms: one machine: memory is shared by two or more: name another"),
    "none": ("shared: {s: {size: 4 KiB, vms: []}}",
             "shared 's': vms: an empty list: memory is shared by two or more: name another"),
    "no list": ("shared: {s: {size: 4 KiB, vms: a}}",
                "shared 's': vms: a value: a list of machines belongs here, like [a, b]"),
    "a list in it": ("shared: {s: {size: 4 KiB, vms: [a, [b]]}}",
                     "shared 's': vms: a list: a vm's name belongs here"),
    "no writer": ("shared: {s: {size: 4 KiB, vms: [a, b], read_only: [b, a]}}",
                  "shared 's': read_only: all of its machines: then nobody writes: leave one out"),
    "a stranger reads": ("shared: {s: {size: 4 KiB, vms: [a, b], read_only: [c]}}",
                         "shared 's': read_only: 'c' is not among its 'vms': name it there as well"),
    "no size": ("shared: {s: {vms: [a, b]}}", "shared 's': 'size' is missing: "),
    "no machines": ("shared: {s: {size: 4 KiB}}", "shared 's': 'vms' is missing: "),
    "no settings": ("shared: [s]", "shared 's': no settings: 'size' and 'vms' belong there"),
    "odd size": ("shared: {s: {size: 5 KiB, vms: [a, b]}}",
                 "shared 's': size '5 KiB': not a multiple of 4 KiB: 8 KiB would be"),
    "too small": ("shared: {s: {size: 0 KiB, vms: [a, b]}}",
                  "shared 's': size '0 KiB': out of range: 4 KiB to 512 MiB"),
    "too large": ("shared: {s: {size: 1 GiB, vms: [a, b]}}", "out of range: 4 KiB to 512 MiB"),
    "bad name": ("shared: {9s: {size: 4 KiB, vms: [a, b]}}", "shared: name '9s': not a name: "),
    "name twice": ("shared: [{name: s, size: 4 KiB, vms: [a, b]}, {name: s, size: 4 KiB, vms: [a, c]}]",
                   "shared 's': the name is taken on line 2 already: names are unique"),
    "unknown key": ("shared: {s: {size: 4 KiB, vms: [a, b], readonly: [b]}}",
                    "shared 's': unknown key 'readonly': did you mean 'read_only'?"),
    "empty": ("shared: {}", "shared: empty: name at least one"),
    "nine": (f"shared: {{{NINE}}}",
             "shared 's8': vms: 'a' shares 8 others already: put both into one"),
    "no room": ("shared: {s: {size: 512 MiB, vms: [a, b]}, t: {size: 512 MiB, vms: [b, c]}}",
                "shared 't': size 512 MiB: no room for it from 0x10000000 to 0x40000000 in the guests"),
    "the board's memory": ("defaults: {memory: 512 MiB}\nshared: {s: {size: 512 MiB, vms: [a, b]}}",
                           "their images, queues and shared memory take "),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(generate, name):
    text, error = ERRORS[name]
    errors = generate.errors("vms: [a, b, c]\n" + text + "\n")
    assert len(errors) == 1, errors
    assert errors[0].startswith(("sys.yaml:2: ", "sys.yaml:1: vms: the machines' memory"))
    assert error in errors[0]


@pytest.mark.parametrize("machines, regions, error", [
    (40, 1, "shared 's0': vms: 'm32': 32 machines at most"),
    (12, 3, "shared 's2': vms: 'm0' can ring 33 others then, counted for each memory apart: 31 at most"),
])
def test_too_many(generate, machines, regions, error):
    text = f"vms: {{m: {{count: {machines}, memory: 32 MiB, interfaces: none}}}}\nshared:\n" + "".join(
        f"  s{i}: {{size: 4 KiB, vms: [m]}}\n" for i in range(regions))
    errors = generate.errors(text)
    assert [line for line in errors if "at most" in line] == [f"sys.yaml:{regions + 2}: {error}"]


THREE = """
shared:
  frames: {size: 6 MiB, vms: [c, a, b], read_only: [b]}
  words: {size: 12 KiB, vms: [a, b]}
vms: [a, b, c]
"""


def shared_of(summary, name):
    return {region["name"]: region
            for vm in summary["vms"] if vm["name"] == name for region in vm.get("shared", [])}


def test_what_each_machine_has(generate):
    result = generate(THREE)
    assert result.status == 0, result.errors
    summary = summary_of(result)
    a, b, c = (shared_of(summary, name) for name in "abc")
    assert (a["frames"]["number"], b["frames"]["number"], c["frames"]["number"]) == (1, 2, 0)
    assert (a["words"]["number"], b["words"]["number"]) == (0, 1) and list(c) == ["frames"]
    for name in ("frames", "words"):
        assert a[name]["gpa"] == b[name]["gpa"]
    assert c["frames"]["gpa"] == a["frames"]["gpa"]
    assert a["frames"]["gpa"] + (6 << 20) <= a["words"]["gpa"] < 0x40000000
    assert [r["frames"]["writable"] for r in (a, b, c)] == [True, False, True]
    assert (a["frames"]["registers"], a["words"]["registers"]) == (0x0b000000, 0x0b001000)
    assert (a["frames"]["intid"], a["words"]["intid"]) == (80, 81)


def maps_of(element):
    return {m.get("mr"): m for m in element.findall("map")}


def test_who_maps_what(generate):
    """The memory is the guests' alone. Registers are written by their own monitor, and by nobody else."""
    result = generate(THREE)
    system = system_of(result)
    check_system(system)
    for pd in system.iter("protection_domain"):
        maps, vm = maps_of(pd), pd.find("virtual_machine")
        assert not any("_memory" in name for name in maps)
        shared = {name: m.get("perms") for name, m in maps.items() if "_shared" in name}
        if vm is None:
            assert not shared
            continue
        own = vm.get("name")
        for name, perms in shared.items():
            assert perms == ("rw" if name.startswith(f"{own}_") else "r")
            assert maps[name].get("cached") == "false"
        guest = maps_of(vm)
        assert guest["shared_frames_memory0"].get("perms") == ("r" if own == "b" else "rw")
        assert guest["shared_frames_memory0"].get("cached") is None
        assert ("shared_words_memory0" in guest) == (own != "c")
        registers = {name: m for name, m in guest.items() if re.search("_shared.*_registers", name)}
        assert set(registers) == {f"{own}_shared{i}_registers" for i in range(1 if own == "c" else 2)}
        assert all(m.get("perms") == "r" and m.get("cached") == "false" for m in registers.values())


def test_channels_lead_to_who_shares(generate):
    """What a monitor's configuration says of a machine's number is the channel to that machine's monitor."""
    result = generate(THREE)
    ends = {}
    for channel in system_of(result).iter("channel"):
        a, b = ((end.get("pd"), int(end.get("id"))) for end in channel.findall("end"))
        ends[a], ends[b] = b[0], a[0]
    members = {"frames": "cab", "words": "ab"}
    for own in "abc":
        config = result.read(f"config/vmm_{own}.c")
        for text in re.findall(r"\.name = \"(frames|words)\"(.*?)\n        }", config, re.S):
            name, fields = text
            for index, channel in re.findall(r"\.channels\[(\d+)\] = (\d+)", fields):
                assert ends[f"vmm_{own}", int(channel)] == f"vmm_{members[name][int(index)]}"
            others = len(members[name]) - 1
            assert len(re.findall(r"\.channels\[", fields)) == len(re.findall(r"\.pages\[", fields)) == others


def test_large_memory_is_in_pieces(generate):
    """As RAM is: the SDK's tool finds no room for a large one. Large pages where they fit."""
    result = generate("vms: [a, b]\nshared: {s: {size: 65 MiB, vms: [a, b]}}\n")
    regions = {r.get("name"): r for r in system_of(result).iter("memory_region")}
    first, second = regions["shared_s_memory0"], regions["shared_s_memory1"]
    assert (number(first.get("size")), number(first.get("page_size"))) == (64 << 20, 2 << 20)
    assert (number(second.get("size")), number(second.get("page_size"))) == (1 << 20, 4096)
    vm = next(system_of(result).iter("virtual_machine"))
    maps = maps_of(vm)
    assert number(maps["shared_s_memory1"].get("vaddr")) == number(maps["shared_s_memory0"].get("vaddr")) + \
        (64 << 20)


def test_node(generate):
    text = dts_of(generate(THREE), "b")
    node = re.search(r"shared-memory@b000000 {(.*?)};", text, re.S)[1]
    assert 'compatible = "braid,shared-memory", "generic-uio"' in node.replace('\\0', '", "')
    assert 'label = "frames"' in node and "read-only;" in node
    assert re.search(r"reg = <0x00 0xb000000 0x00 0x1000 0x00 0x10000000 0x00 0x600000>", node)
    assert re.search(r"interrupts = <0x00 0x30 0x01>", node)
    assert "read-only" not in re.search(r"shared-memory@b001000 {(.*?)};", text, re.S)[1]
    assert "shared-memory@b001000" not in dts_of(generate(THREE), "c")


def test_machines_alike(generate):
    """A group's name stands for all of its machines."""
    summary = summary_of(generate("vms: {m: {count: 3}}\n"
                                  "shared: {s: {size: 4 KiB, vms: [m], read_only: [m1]}}\n"))
    regions = [vm["shared"][0] for vm in summary["vms"]]
    assert [r["number"] for r in regions] == [0, 1, 2]
    assert [r["writable"] for r in regions] == [True, False, True]


def test_beside_the_memory_of_a_bus_master(generate):
    """On the Zynq boards its RAM is where shared memory would begin, and so is no machine's of the region."""
    generate.board = ROOT / "boards" / "zcu102.yaml"
    text = generate.board.read_text().replace("bus_master: no", "bus_master: yes")
    generate.board = generate.directory / "zcu102.yaml"
    generate.board.write_text(text)
    summary = summary_of(generate("vms: {a: {devices: [uart1], dma: trusted}, b: }\n"
                                  "shared: {s: {size: 1 MiB, vms: [b, a]}}\n"))
    a = summary["vms"][0]
    assert a["ram_gpa"] == 0x10000000
    gpas = {vm["shared"][0]["gpa"] for vm in summary["vms"]}
    assert gpas == {0x10000000 + a["memory"]}


def test_beside_a_device(generate):
    board = (ROOT / "boards/qemu_virt_aarch64.yaml").read_text()
    at = board.index("\nqemu:\n") + 1
    generate.board = generate.directory / "board.yaml"
    generate.board.write_text(board[:at] + "  d: {address: 0x10001000, bus_master: no, node: {}}\n"
                              "  e: {address: 0x0b000000, bus_master: no, node: {}}\n" + board[at:])
    summary = summary_of(generate("vms: {a: {devices: [d, e]}, b: }\n"
                                  "shared: {s: {size: 8 KiB, vms: [a, b]}}\n"))
    assert [vm["shared"][0]["gpa"] for vm in summary["vms"]] == [0x10200000, 0x10200000]
    assert [d["gpa"] for d in summary["vms"][0]["devices"]] == [0x10001000, 0x0c000000]


def test_picture(generate):
    dot = generate(THREE).read("picture.dot")
    assert "shared_0 -> vmm_1 [dir=forward" in dot and "frames" in dot
    assert dot.count("shared_0 -> ") == 3 and dot.count("shared_1 -> ") == 2


@pytest.mark.parametrize("text, needed", [
    ("vms: [a, b]\nshared: {s: {size: 4 KiB, vms: [a, b]}}", True),
    ("vms: {a: , b: {kernel: x.elf}}\nshared: {s: {size: 4 KiB, vms: [a, b]}}", True),
    ("vms: {a: {kernel: package:linux-image-arm64}}\ndefaults: {kernel: x}\nshared: {}", True),
    ("vms: {a: {kernel: x}, b: {kernel: y}}\nshared: {s: {}}", False),
    ("defaults: {kernel: x}\nvms: [a, b]\nshared: {s: {}}", False),
    ("vms: {a: {firmware: u-boot}, b: {firmware: x}}\nshared: {s: {}}", False),
    ("defaults: {firmware: u-boot}\nvms: {a: , b: {kernel: x}}\nshared: {s: {}}", False),
    ("vms: [a, b]", False), ("shared: {s: }", False), ("vms: a\nshared: b", False), ("- a", False),
])
def test_who_needs_the_module(generate, text, needed):
    """It is asked before anything is checked."""
    (generate.directory / "sys.yaml").write_text(text + "\n")
    result = generate.run("--shared", "sys.yaml")
    assert result.stdout == ("shared\n" if needed else "")
