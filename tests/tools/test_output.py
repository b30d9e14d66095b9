# SPDX-License-Identifier: BSD-2-Clause
"""What comes out: the .system file, configurations, device trees, the rest; and when it changes."""

import gzip
import json
import lzma
import os
import re
import subprocess
import time
import xml.etree.ElementTree

import pytest

from conftest import ROOT, elf, image, partitioned, segment, zboot, zstd

DEMO = ROOT / "systems" / "virtio_demo.yaml"
SYSTEMS = sorted((ROOT / "systems").glob("*.yaml"))
WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}"]


def number(text):
    return int(text, 0)


def system_of(result):
    return xml.etree.ElementTree.fromstring(result.read("system.system"))


def summary_of(result):
    return json.loads(result.read("system.json"))


def dts_of(result, name):
    return subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", result.output / f"{name}.dtb"],
                          check=True, capture_output=True, text=True).stdout


def check_ranges(regions, maps, bound):
    """Mappings of one address space: aligned to their pages, apart from each other."""
    ranges = []
    for each in maps:
        region = regions[each.get("mr")]
        start = number(each.get("vaddr"))
        assert start % number(region.get("page_size")) == 0
        ranges.append((start, start + number(region.get("size"))))
    ranges.sort()
    for (_, end), (start, _) in zip(ranges, ranges[1:]):
        assert end <= start
    assert ranges[-1][1] < bound if ranges else True


def check_system(system):
    """The rules of Microkit's tool for a system description."""
    regions = {r.get("name"): r for r in system.iter("memory_region")}
    assert len(regions) == len(list(system.iter("memory_region")))
    pds = {p.get("name"): p for p in system.iter("protection_domain")}
    assert len(pds) <= 63
    ids = {name: [] for name in pds}
    used = set()
    for region in regions.values():
        page = number(region.get("page_size"))
        assert page in (0x1000, 0x200000)
        assert number(region.get("size")) % page == 0
        assert number(region.get("size")) <= 64 << 20 or region.get("prefill_path")
        assert number(region.get("phys_addr", "0")) % page == 0
    for name, pd in pds.items():
        assert 20 <= number(pd.get("budget", "1000")) <= number(pd.get("period", "1000"))
        check_ranges(regions, pd.findall("map"), 1 << 39)
        used |= {m.get("mr") for m in pd.iter("map")}
        ids[name] += [number(i.get("id")) for i in pd.findall("irq")]
        assert 0 <= number(pd.get("priority")) <= 254
        assert 0 <= number(pd.get("cpu", "0")) < 4
        for vm in pd.findall("virtual_machine"):
            check_ranges(regions, vm.findall("map"), 1 << 39)
            assert number(vm.get("priority")) < number(pd.get("priority"))
            assert number(vm.get("budget")) <= number(vm.get("period"))
    assert used == set(regions)
    for channel in system.findall("channel"):
        ends = channel.findall("end")
        assert len(ends) == 2
        for end, other in (ends, ends[::-1]):
            ids[end.get("pd")].append(number(end.get("id")))
            if end.get("pp"):
                assert number(pds[end.get("pd")].get("priority")) < \
                    number(pds[other.get("pd")].get("priority"))
    for each in ids.values():
        assert len(each) == len(set(each))
        assert all(0 <= i <= 61 for i in each)


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
@pytest.mark.parametrize("prefill", [(), ("--prefill",)], ids=["embed", "prefill"])
def test_shipped_systems(generate, path, prefill):
    result = generate.path(path, *prefill)
    assert (result.status, result.errors) == (0, [])
    check_system(system_of(result))
    for config in sorted((result.output / "config").glob("*.c")):
        subprocess.run(["gcc", *WARNINGS, "-c", config, "-o", "/dev/null"], check=True)
    summary = summary_of(result)
    for vm in summary["vms"]:
        dts_of(result, vm["name"])
    assert len({i["mac"] for vm in summary["vms"] for i in vm["interfaces"]}) == \
        sum(len(vm["interfaces"]) for vm in summary["vms"])
    subprocess.run(["dot", "-Tsvg", "-o", "/dev/null", result.output / "picture.dot"], check=True)


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_shipped_systems_run_in_1_gib(generate, path):
    if path.stem in ("three_vms",):
        pytest.skip("three machines of 256 MiB need more")
    (generate.directory / "Image").write_bytes(image(size=30 << 20))
    (generate.directory / "initrd").write_bytes(b"070701" + bytes(8 << 20))
    assert generate.path(path, "--memory", "1G", "--prefill").errors == []


def test_the_demo_is_short(generate):
    lines = [line for line in DEMO.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) <= 4
    third = generate(DEMO.read_text() + "  vm2:\n")
    assert third.status == 0
    assert [vm["name"] for vm in summary_of(third)["vms"]] == ["vm0", "vm1", "vm2"]


def test_adding_a_vm_changes_no_other(generate):
    generate(DEMO.read_text())
    kept = ["vm0.dtb", "vm1.dtb", "config/vmm_vm0.c", "config/vmm_vm1.c", "config/uart.c",
            "config/vmm_vm0_images.S"]
    out = generate.directory / "out"
    before = {name: ((out / name).read_bytes(), (out / name).stat().st_mtime_ns) for name in kept}
    generate(DEMO.read_text() + "  vm2:\n")
    assert {name: ((out / name).read_bytes(), (out / name).stat().st_mtime_ns)
            for name in kept} == before


def test_nothing_changes_when_nothing_changed(generate):
    out = generate(DEMO.read_text()).output
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    time.sleep(0.02)
    generate(DEMO.read_text())
    for path, before in times.items():
        assert (path.stat().st_mtime_ns == before) == (path.name != "system.mk"), path
    assert {path for path in out.rglob("*") if path.is_file()} == set(times)


def test_the_same_file_gives_the_same_bytes(generate, tmp_path):
    def contents(result):
        return {path.name: path.read_bytes() for path in result.output.rglob("*")
                if path.is_file()}
    text = (ROOT / "systems" / "islands.yaml").read_text()
    first = contents(generate(text))
    subprocess.run(["rm", "-r", tmp_path / "out"], check=True)
    assert contents(generate(text)) == first


def test_macs_depend_on_names_only(generate):
    def macs(text):
        return {vm["name"]: [i["mac"] for i in vm["interfaces"]]
                for vm in summary_of(generate(text))["vms"]}
    two = macs("vms: [a, b]\n")
    turned = macs("vms: {c: , b: {memory: 64 MiB}, a: }\n")
    assert turned["a"] == two["a"] and turned["b"] == two["b"]
    for (mac,) in turned.values():
        assert mac.startswith("02:")


def test_macs_of_another_system_differ(generate):
    first = summary_of(generate("vms: [a]\n"))["vms"][0]["interfaces"][0]["mac"]
    (generate.directory / "other.yaml").write_text("vms: [a]\n")
    second = summary_of(generate.path("other.yaml"))["vms"][0]["interfaces"][0]["mac"]
    assert first != second


def test_alike_machines(generate):
    summary = summary_of(generate(
        "vms:\n  n: {count: 3, ip: 10.0.0.9/24, mac: 02:00:00:00:00:ff, memory: 64 MiB}\n"))
    assert [vm["name"] for vm in summary["vms"]] == ["n0", "n1", "n2"]
    assert [vm["hostname"] for vm in summary["vms"]] == ["n0", "n1", "n2"]
    ports = [vm["interfaces"][0] for vm in summary["vms"]]
    assert [p["ip"] for p in ports] == ["10.0.0.9/24", "10.0.0.10/24", "10.0.0.11/24"]
    assert [p["mac"] for p in ports] == ["02:00:00:00:00:ff", "02:00:00:00:01:00",
                                         "02:00:00:00:01:01"]


def test_a_list_of_names(generate):
    summary = summary_of(generate("switches: [x]\nvms: [a, {name: b, vcpus: 2}]\n"))
    assert [(vm["name"], vm["vcpus"]) for vm in summary["vms"]] == [("a", 1), ("b", 2)]


def test_defaults(generate):
    summary = summary_of(generate(
        "defaults: {memory: 64 MiB, vcpus: 2, period: 500 us}\nvms: {a: , b: {vcpus: 1}}\n"))
    a, b = summary["vms"]
    assert (a["memory"], a["vcpus"], a["period_us"], a["budget_us"]) == (64 << 20, 2, 500, 500)
    assert (b["memory"], b["vcpus"]) == (64 << 20, 1)


def test_bootargs(generate):
    summary = summary_of(generate(
        "vms:\n"
        "  a: {ip: 10.0.0.1/24, gateway: 10.0.0.2, hostname: alpha, cmdline: 'debug x=\"y z\"'}\n"
        "  b_c: {console: no, router: yes}\n"))
    assert summary["vms"][0]["bootargs"] == (
        "console=tty0 console=hvc0 quiet earlycon=pl011,0x9000000 cma=0 cryptomgr.notests "
        'braid.hostname=alpha braid.net0=10.0.0.1/24 braid.gw0=10.0.0.2 debug x="y z"')
    assert summary["vms"][1]["bootargs"] == (
        "quiet cma=0 cryptomgr.notests braid.hostname=b-c sysctl.net.ipv4.ip_forward=1")


def test_kaslr(generate):
    """A seed for the kernel's addresses, which the monitor fills in at each start."""
    result = generate("vms: {a: {kaslr: yes}, b: }\n")
    a, b = (dts_of(result, vm) for vm in "ab")
    assert "kaslr-seed = <0x00 0x00>;" in a and "kaslr" not in b
    offset = {vm: int(re.search(r"kaslr_seed_offset = (0x\w+)", result.read(f"config/vmm_{vm}.c"))[1], 16)
              for vm in "ab"}
    assert offset["a"] > 0 and offset["a"] % 4 == 0 and offset["b"] == 0


OURS = "quiet cma=0 cryptomgr.notests braid.hostname=a"


@pytest.mark.parametrize("words, bootargs", [
    ("console=ttyAMA0 root=/dev/vda", "console=ttyAMA0 root=/dev/vda"),
    ("... debug", f"{OURS} debug"), ("debug  ...", f"debug {OURS}"), ("a ... b", f"a {OURS} b"),
    ("a... ....", "a... ...."), ("''", ""), ("...", None),
])
def test_bootargs_are_the_user_s(generate, words, bootargs):
    """All of them, in the user's order, and ours where the file says so."""
    result = generate(f"vms: {{a: {{console: no, bootargs: {words}}}, b: {{console: no, hostname: a}}}}\n")
    a, b = summary_of(result)["vms"]
    assert a["bootargs"] == (b["bootargs"] if bootargs is None else bootargs)


def test_device_tree(generate):
    result = generate("vms:\n  a: {vcpus: 3, memory: 128 MiB, interfaces: [{}, {}]}\n"
                      "  b: {console: no, interfaces: none, initramfs: none}\n")
    a, b = dts_of(result, "a"), dts_of(result, "b")
    assert 'method = "smc"' in a
    assert re.findall(r"cpu@(\d)", a) == ["0", "1", "2"]
    assert "reg = <0x00 0x40000000 0x00 0x8000000>" in a
    assert re.findall(r"virtio_mmio@(\w+)", a) == [
        "a000000", "a001000", "a002000", "a014000", "a015000"]
    assert re.findall(r"interrupts = <0x00 (\w+) 0x04>", a) == [
        "0x02", "0x01", "0x10", "0x11", "0x12", "0x24", "0x25"]
    assert "0x01 0x0b 0x704" in a
    assert 'stdout-path = "/pl011@9000000"' in a
    assert re.findall(r"virtio_mmio@(\w+)", b) == ["a014000", "a015000"]  # random bytes, a power button
    for absent in ("pl011", "stdout-path", "initrd"):
        assert absent not in b


def test_power_button(generate):
    """Each machine has one unless the file says that it has none."""
    result = generate("defaults: {power_button: no}\nvms: {a: , b: {power_button: yes}}\n")
    assert "virtio_mmio@a015000" not in dts_of(result, "a") and "virtio_mmio@a015000" in dts_of(result, "b")
    a, b = (result.read(f"config/vmm_{vm}.c") for vm in "ab")
    assert ".button" not in a
    assert re.search(r"\.button = \{\.registers = \(void \*\)0x\w+, \.gpa = 0xa015000, \.intid = 69\}", b)
    regions = {region.get("name") for region in system_of(result).iter("memory_region")}
    assert "b_button_registers" in regions and "a_button_registers" not in regions


def clock_maps(result):
    """Who maps the page of the board's clock, and how: the monitors that read it."""
    return {pd.get("name"): m.get("perms") for pd in system_of(result).iter("protection_domain")
            for m in pd.iter("map") if m.get("mr") == "clock_registers"}


def test_clock(generate):
    """Each machine has a clock of its own, which monitors set by the board's. They cannot set that one."""
    result = generate("vms: {a: , b: {console: no}}\n")
    for vm in "ab":
        tree = dts_of(result, vm)
        assert 'compatible = "arm,pl031\\0arm,primecell"' in tree and "pl031@9010000" in tree
        assert "apb-pclk" in tree
        assert config_values(result, f"vmm_{vm}")["intid"]
        # The day of the build, before which that clock is not believed.
        date = int(re.search(r"build_date = (\d+)", result.read(f"config/vmm_{vm}.c"))[1])
        assert date % 86400 == 0 and 0 <= time.time() - date < 2 * 86400
    assert clock_maps(result) == {"vmm_a": "r", "vmm_b": "r"}
    check_system(system_of(result))


def test_clock_of_one_machine(generate):
    """Who is handed the board's clock has no other one, and can set it: nobody else goes by it."""
    result = generate("vms: {a: {devices: [pl031]}, b: }\n")
    assert clock_maps(result) == {}
    assert ".clock = {" not in result.read("config/vmm_a.c")
    assert ".build_date = " in result.read("config/vmm_b.c")
    assert dts_of(result, "a").count("arm,pl031") == dts_of(result, "b").count("arm,pl031") == 1
    check_system(system_of(result))


def test_counters_are_written_by_one(generate):
    """The console has all regions of counters, read-only, and finds in them what belongs to whom."""
    result = generate("switches: {lan: {uplink: yes}, dmz: }\n"
                      "vms: {a: {interfaces: [{switch: lan}, {switch: dmz}],\n"
                      "          disks: [{size: 64 MiB}, {size: 64 MiB}]},\n"
                      "      b: {interfaces: [{switch: lan}], disks: [{size: 64 MiB}]}}\n")
    system = system_of(result)
    check_system(system)
    maps = {}
    for pd in system.iter("protection_domain"):
        for entry in pd.iter("map"):
            if entry.get("mr").endswith("_stats"):
                maps.setdefault(entry.get("mr"), []).append((pd.get("name"), entry.get("perms")))
    writers = ("vmm_a", "vmm_b", "switch_lan", "switch_dmz", "block")
    assert {name: sorted(those) for name, those in maps.items()} == {
        f"{writer}_stats": sorted([(writer, "rw"), ("console", "r")]) for writer in writers}

    text = result.read("config/console.c")
    sets = re.findall(r"{STATS_(\w+), (\d+), (\d+), (\d+), \(void \*\)(0x\w+)}", text)
    assert int(re.search(r"set_count = (\d+)", text)[1]) == len(sets)
    names = re.findall(r'\.name = "(\w+)"', text)
    found = [(kind, names[int(client)], int(number), names[int(of)] if kind == "PORT" else int(of))
             for kind, client, number, of, _ in sets]
    assert found == [("MACHINE", "a", 0, 255), ("PORT", "a", 0, "lan"), ("PORT", "a", 1, "dmz"),
                     ("DISK", "a", 0, 255), ("DISK", "a", 1, 255),
                     ("MACHINE", "b", 0, 255), ("PORT", "b", 0, "lan"), ("DISK", "b", 0, 255),
                     ("PORT", "uplink", 0, "lan")]
    addresses = [int(address, 16) for *_, address in sets]
    assert len(set(addresses)) == len(sets) and all(address % 8 == 0 for address in addresses)


def test_crashes(generate):
    """A watchdog is only where the file says so, and means that the machine is restarted."""
    result = generate("defaults: {watchdog: 10 s}\n"
                      "vms: {a: , b: {watchdog: 300 s, on_crash: stop}, c: {watchdog: 0},\n"
                      "      d: {watchdog: 0, on_crash: restart}}\n")
    for vm, seconds, policy in (("a", 10, "RESTART"), ("b", 300, "STOP"), ("c", 0, "HOLD"),
                                ("d", 0, "RESTART")):
        values, tree = config_values(result, f"vmm_{vm}"), dts_of(result, vm)
        assert values["on_crash"] == f"VMM_ON_CRASH_{policy}"
        assert number(values["pvpanic_gpa"]) == 0x9060000
        assert 'pvpanic@9060000 {\n\t\tcompatible = "qemu,pvpanic-mmio"' in tree
        assert ("watchdog@9020000" in tree) == (seconds != 0)
        found = re.search(r"\.watchdog = {\.gpa = 0x9020000, \.intid = 35, \.seconds = (\d+)}",
                          result.read(f"config/vmm_{vm}.c"))
        assert (int(found[1]) if found else 0) == seconds
    tree = dts_of(result, "b")
    assert 'compatible = "arm,sp805\\0arm,primecell"' in tree and "timeout-sec = <0x12c>" in tree
    check_system(system_of(result))


def test_date_of_the_build(generate, monkeypatch):
    """Where the board has no clock: what was changed last, or what the environment says."""
    generate.board = generate.directory / "board.yaml"
    board = (ROOT / "boards" / "qemu_virt_aarch64.yaml").read_text()
    generate.board.write_text(re.sub("^clock: .*\n", "", board, flags=re.M))
    for wrong in ("-1", "today", "4294967296", "1 ", "99999999999999999999"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", wrong)
        (error,) = generate.errors("vms: [a]\n")
        assert f"SOURCE_DATE_EPOCH '{wrong}': seconds since 1970 belong there" in error
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    first = generate("vms: [a]\n")
    assert clock_maps(first) == {}
    date = int(re.search(r"build_date = (\d+)", first.read("config/vmm_a.c"))[1])
    assert abs(date - time.time()) < 3600
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1234567890")
    assert ".build_date = 1234567890," in generate("vms: [a]\n").read("config/vmm_a.c")


def test_clock_of_the_board(generate):
    """What a board's file may say of it."""
    generate.board = generate.directory / "board.yaml"
    board = (ROOT / "boards" / "qemu_virt_aarch64.yaml").read_text()
    for text, wrong in (("{driver: rtc, address: 0x09010000}", "driver 'rtc'"),
                        ("{address: 0x09010004}", "0x09010004"),
                        ("{driver: pl031}", "'address' is missing"),
                        ("{address: 0x09000000}", "in the same 4 KiB page as the uart's")):
        generate.board.write_text(re.sub("^clock: .*$", f"clock: {text}", board, flags=re.M))
        (error,) = generate.errors("vms: [a]\n")
        assert wrong in error


def test_hypervisor_and_caches(generate):
    """What systemd-detect-virt and Linux's cacheinfo look for."""
    tree = dts_of(generate("vms: {a: {vcpus: 2}}\n"), "a")
    assert re.search(r'hypervisor {\s*compatible = "braid,hypervisor";', tree)
    cache = re.search(r"l2-cache {([^}]*)}", tree)[1]
    assert 'compatible = "cache"' in cache and "cache-level = <0x02>" in cache and "cache-unified" in cache
    handle = re.search(r"phandle = <(\w+)>", cache)[1]
    assert re.findall(r"cpu@\w+ {[^}]*next-level-cache = <(\w+)>", tree) == [handle, handle]

    board = generate.board.read_text()
    generate.board = generate.directory / "board.yaml"
    generate.board.write_text(board.replace("arm,cortex-a53", "arm,cortex-a55"))
    assert "cache" not in dts_of(generate("vms: {a: {vcpus: 2}}\n"), "a")  # each core has an L2 there


def test_gicv3(generate):
    """The guest's controller is the board's: redistributors in place of a mapped CPU interface."""
    v2 = generate("vms: {a: {vcpus: 3}}\n")
    text = re.sub("^gic:\n(  .*\n)+", "gic: {version: 3}\n", generate.board.read_text(), flags=re.M)
    generate.board = generate.directory / "board.yaml"
    generate.board.write_text(text)
    assert [number(m.get("vaddr")) for m in system_of(v2).iter("map") if m.get("mr") == "gicv"] == [
        0x8010000]
    assert config_values(v2, "vmm_a")["gic_version"] == "2"
    assert "arm,cortex-a15-gic" in dts_of(v2, "a")

    v3 = generate("vms: {a: {vcpus: 3}, b: {vcpus: 16}}\n")
    assert v3.errors == []
    check_system(system_of(v3))
    assert not any(m.get("mr") == "gicv" for m in system_of(v3).iter("map"))
    values = config_values(v3, "vmm_a")
    assert values["gic_version"] == "3"
    assert (number(values["gicd_gpa"]), number(values["gicr_gpa"])) == (0x8000000, 0x80a0000)
    a, b = dts_of(v3, "a"), dts_of(v3, "b")
    assert 'compatible = "arm,gic-v3"' in a and "#interrupt-cells = <0x03>" in a
    assert "reg = <0x00 0x8000000 0x00 0x10000 0x00 0x80a0000 0x00 0x60000>" in a
    assert "reg = <0x00 0x8000000 0x00 0x10000 0x00 0x80a0000 0x00 0x200000>" in b
    assert "0x01 0x0b 0x04 " in a  # a PPI's flags name no processors
    assert re.findall(r"cpu@\w+ {[^}]*reg = <(\w+)>", b, re.S) == [f"{v:#04x}" for v in range(16)]


def config_values(result, pd):
    return dict(re.findall(r"\.(\w+) = ([^,{}]+),", result.read(f"config/{pd}.c")))


def test_guest_layout(generate):
    (generate.directory / "Image").write_bytes(image(image_size=40 << 20, text_offset=0x80000))
    result = generate("vms:\n  a: {memory: 64 MiB}\n", "--prefill")
    text = result.read("config/vmm_a.c")
    kernel, initrd, dtb = (number(re.search(rf"\.{name} = {{.*\.gpa = (\w+)", text)[1])
                           for name in ("kernel", "initrd", "dtb"))
    assert kernel == 0x40200000 + 0x80000
    assert dtb == 0x44000000 - 0x200000
    assert initrd % 4096 == 0 and kernel + (40 << 20) <= initrd <= dtb - 1000006
    assert "linux,initrd-end = <0x00 0x%x>" % (initrd + 1000006) in dts_of(result, "a")


def test_images_are_stored_once(generate):
    result = generate("vms: {a: , b: , c: {initramfs: none}}\n", "--prefill")
    filled = [r for r in system_of(result).iter("memory_region") if r.get("prefill_path")]
    assert [os.path.realpath(result.output / r.get("prefill_path")) for r in filled] == [
        str(generate.directory / "Image"), str(generate.directory / "initrd")]
    users = [pd.get("name") for pd in system_of(result).iter("protection_domain")
             for m in pd.findall("map") if m.get("mr") == filled[0].get("name")]
    assert users == ["vmm_a", "vmm_b", "vmm_c"]
    assert "incbin \"a.dtb\"" in result.read("config/vmm_a_images.S")
    assert "embedded_kernel" not in result.read("config/vmm_a.c")


def test_images_are_embedded_without_prefill(generate):
    result = generate("vms: [a]\n")
    assert "prefill" not in result.read("system.system")
    assembler = result.read("config/vmm_a_images.S")
    names = re.findall(r'\.incbin "([\w.-]+)"', assembler)
    assert [os.path.realpath(result.output / name) for name in names] == [
        str(path) for path in (result.output / "a.dtb", result.output / "a.secret",
                               generate.directory / "Image", generate.directory / "initrd")]
    (result.output / "a.secret").write_bytes(bytes(32))
    subprocess.run(["gcc", "-c", f"-I{result.output}", result.output / "config/vmm_a_images.S",
                    "-o", generate.directory / "a.o"], check=True)


# Each is code to somebody: to make, once or in an eval, to a shell, in quotes or not, to XML, to C and
# the assembler, to QEMU's options, to Graphviz.
CODE = ["$(shell touch ran)", "$$(shell touch ran)", "`touch${IFS}ran`", "; touch ran;", "'; touch ran; '",
        '"; touch ran; "', '" ><x y="', "\\", "\\\\", "x,if=none", " b", "#", ": b", "%", "b=c", "*", "~",
        "--><x>", "*+ int x; +*", '";.incbin "b', ">];x [label=<b", "{a,b}", "ü"]


def strings_of(code):
    """A name with the code in it, and the name as YAML."""
    name = f"MARK{code}MARK"
    return name, "'" + name.replace("'", "''") + "'"


def files_with(result, text):
    return sorted(path.name for path in result.output.rglob("*")
                  if path.is_file() and not path.is_symlink() and text in path.read_bytes())


@pytest.mark.parametrize("code", CODE)
def test_names_of_files_are_no_code(generate, code):
    """They reach no other program than those that read JSON; all others get a link's name."""
    name, word = strings_of(code)
    (generate.directory / name).write_bytes(image())
    (generate.directory / (name + "i")).write_bytes(b"070701")
    with open(generate.directory / (name + "d"), "wb") as file:
        file.truncate(8 << 20)
    text = (f"disk: {{file: {word[:-1]}d'}}\nvms:\n"
            f"  a: {{kernel: {word}, initramfs: {word[:-1]}i', disks: [1 MiB]}}\n")
    for prefill in ((), ("--prefill",)):
        result = generate(text, *prefill)
        assert result.errors == []
        assert files_with(result, b"MARK") == ["picture.dot", "system.json"][not prefill:]
        vm = summary_of(result)["vms"][0]
        assert (vm["kernel"], vm["initramfs"]) == (str(generate.directory / name),
                                                   str(generate.directory / name) + "i")
        assert os.path.basename(summary_of(result)["disk"]["file"]) == name + "d"
        disk = re.search(r"^if=none,id=disk,format=raw,file=([\w.-]+)$", result.read("qemu.args"), re.M)
        assert os.path.realpath(result.output / disk[1]) == str(generate.directory / name) + "d"
        (result.output / "a.secret").write_bytes(bytes(32))
        makefile = generate.directory / "check.mk"
        makefile.write_text("include out/system.mk\nall: $(addprefix out/,$(IMAGES) $(EMBED_vmm_a) "
                            "$(SYSTEM_INPUTS) $(DISK))\n")
        subprocess.run(["make", "-f", makefile, "all"], cwd=generate.directory, check=True)
        subprocess.run(["gcc", "-c", f"-I{result.output}", result.output / "config/vmm_a_images.S",
                        "-o", generate.directory / "a.o"], check=True)
        picture = subprocess.run(["dot", "-Tplain", result.output / "picture.dot"], check=True,
                                 capture_output=True, text=True).stdout
        assert not any(line.startswith("node x ") for line in picture.splitlines())
        assert not list(generate.directory.rglob("ran"))


@pytest.mark.parametrize("code", CODE)
def test_texts_are_no_code(generate, code):
    """Descriptions and kernel arguments are data wherever they come."""
    name, word = strings_of(code)
    result = generate(f"description: {word}\nvms:\n  a: {{cmdline: {word}}}\n")
    assert result.errors == []
    assert files_with(result, b"MARK") == ["a.dtb", "system.json"]
    assert summary_of(result)["description"] == name


def test_names_of_partitions_are_no_code(generate):
    """Of all strings these alone are C's; a compiler reads them back as they were."""
    for first in range(0, len(CODE), 4):
        part = CODE[first:first + 4]
        partitioned(generate.directory, *part)
        slices = ", ".join("{partition: '%s'}" % name.replace("'", "''") for name in part)
        result = generate(f"disk: {{file: disk.img}}\nvms: {{a: {{disks: [{slices}]}}}}\n")
        assert result.errors == []
        (generate.directory / "show.c").write_text(
            '#include <stdio.h>\n#include "block/config.h"\nint main(void) { for (unsigned i = 0; i < '
            'block_config.client_count; i++) puts(block_config.clients[i].partition); }\n')
        subprocess.run(["gcc", *WARNINGS, generate.directory / "show.c",
                        result.output / "config/block.c", "-o", generate.directory / "show"], check=True)
        shown = subprocess.run([generate.directory / "show"], check=True, capture_output=True, text=True)
        assert shown.stdout.splitlines() == part
        picture = subprocess.run(["dot", "-Tplain", result.output / "picture.dot"], check=True,
                                 capture_output=True, text=True).stdout
        assert not any(line.startswith("node x ") for line in picture.splitlines())


@pytest.mark.parametrize("name", ["a b", "a$(shell touch ran)", "a*", "*", "a;b", "a'b", "x*+ int y; +*",
                                  "-x", "--", "a:b", "a=b", "a%b", "a,b", "ä"])
def test_names_of_systems_and_boards_are_names(generate, name):
    """What is made for them is called so, and make reads it."""
    path = generate.directory / f"{name}.yaml"
    path.write_text("vms: [a]\n")
    result = generate.path(f"./{name}.yaml")
    assert result.status == 1 and not result.output.exists()
    assert len(result.errors) == 1 and f"the file's name '{name}': letters, digits" in result.errors[0]
    described = generate.run("--describe", f"./{name}.yaml")
    assert described.status == 1 and described.stdout == ""
    path.write_bytes(generate.board.read_bytes())
    generate.board = path
    errors = generate.errors("vms: [a]\n")
    assert len(errors) == 1 and f"the file's name '{name}': letters, digits" in errors[0]


@pytest.mark.parametrize("control", [r"\e[2J", r"\x9b2J", r"\x07", r"\u202e", r"\u2066", r"\u2028", r"\x7f",
                                     r"\r", r"\n", r"\t"])
def test_nothing_reaches_the_terminal_but_text(generate, control):
    """Neither by a description in `make systems`, nor by a message that quotes what is wrong."""
    for text in (f'description: "a{control}b"\nvms: [a]\n', f'vms: {{"a{control}b": }}\n',
                 f'vms: {{a: {{"x{control}y": 1}}}}\n', f'vms: {{a: {{ip: "x{control}y"}}}}\n',
                 f'vms: {{a: {{kernel: "x{control}y"}}}}\n'):
        (generate.directory / "sys.yaml").write_text(text)
        process = subprocess.run([generate.program, "sys.yaml", "--board", generate.board, "--output",
                                  "out", "--kernel", "Image"], cwd=generate.directory,
                                 capture_output=True, check=False)
        assert process.returncode == 1
        said = process.stderr.decode()
        assert said.count("\n") == 1 and said.endswith("\n"), said
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", said[:-1])
        assert "?" in said


def test_a_name_that_leads_to_another_file_makes_all_new(generate):
    """Make compares times, and the other file may be older."""
    def link():
        result = generate("vms: {a: {kernel: k}}\n", "--prefill")
        return system_of(result).find("memory_region[@prefill_path]").get("prefill_path")
    for name in ("one", "two"):
        (generate.directory / name).write_bytes(image())
    (generate.directory / "k").symlink_to("one")
    first = link()
    (generate.directory / "k").unlink()
    (generate.directory / "k").symlink_to("two")
    second = link()
    assert first != second
    assert os.path.realpath(generate.directory / "out" / second) == str(generate.directory / "two")


def test_disks(generate):
    result = generate("vms:\n  a: {memory: 150 MiB, disks: [64 MiB, {size: 8 MiB, read_only: yes}]}\n"
                      "  b: {interfaces: none}\n  c: {memory: 64 MiB, disks: [1 MiB]}\n")
    assert result.errors == []
    disk = summary_of(result)["disk"]
    assert disk["size"] == 75 << 20
    assert [(s["vm"], s["offset"] >> 20, s["size"] >> 20, s["read_only"])
            for s in disk["slices"]] == [("a", 1, 64, False), ("a", 65, 8, True), ("c", 73, 1, False)]
    system = system_of(result)
    check_system(system)
    driver = [pd for pd in system.iter("protection_domain") if pd.get("name") == "block_driver"][0]
    setvars = {s.get("symbol"): s.get("region_paddr") for s in driver.findall("setvar")}
    assert setvars == {"dma_paddr": "disk_dma", "data_paddr_0": "block_buffer",
                       "data_paddr_1": "a_ram0", "data_paddr_2": "a_ram1", "data_paddr_3": "a_ram2",
                       "data_paddr_4": "c_ram0"}
    block = result.read("config/block.c")
    assert re.findall(r"first_region = (\d+)", block) == ["1", "1", "4"]
    assert re.findall(r"region_count = (\d+)", block) == ["5", "3", "3", "1"]
    assert "virtio_mmio@a010000" in dts_of(result, "a")
    assert ".ram_region_size = 0x4000000" in result.read("config/vmm_a.c")
    assert ".ram_region_size = 0x0" in result.read("config/vmm_b.c")
    assert "file=disk.img" in result.read("qemu.args")


def test_disk_on_an_sd_card(generate):
    """Monitors maintain the caches, QEMU has another drive, and an image whose size is a power of two."""
    text = "vms:\n  a: {memory: 96 MiB, disks: [64 MiB, 8 MiB]}\n  b: {memory: 64 MiB, disks: [1 MiB]}\n"
    generate.board = ROOT / "boards" / "zcu102.yaml"
    result = generate(text)
    assert result.errors == []
    disk = summary_of(result)["disk"]
    assert disk["size"] == 512 << 20  # behind the firmware's 255 MiB
    assert sum(s["size"] for s in disk["slices"]) == 73 << 20
    check_system(system_of(result))
    assert result.read("config/vmm_a.c").count(".noncoherent = true") == 2
    assert result.read("config/vmm_b.c").count(".noncoherent = true") == 1
    assert "no_protect_switch" not in result.read("config/block_driver.c")
    assert "-drive\nif=sd,index=1,format=raw,file=disk.img\n" in result.read("qemu.args")

    board = (ROOT / "boards" / "zcu102.yaml").read_text()
    generate.board = generate.directory / "zcu102.yaml"
    generate.board.write_text(board.replace("driver: sdhci", "driver: sdhci\n  coherent: yes"))
    assert ".noncoherent" not in generate(text).read("config/vmm_a.c")
    generate.board.write_text(board.replace("driver: sdhci", "driver: virtio_blk\n  coherent: no"))
    assert ".noncoherent" in generate(text).read("config/vmm_a.c")

    for name in ("kria_k26", "ultra96v2"):
        generate.board = ROOT / "boards" / f"{name}.yaml"
        result = generate(text)
        assert result.errors == []
        assert ".no_protect_switch = true" in result.read("config/block_driver.c")
        assert summary_of(result)["disk"]["size"] == (255 + 75) << 20  # which nothing emulates


@pytest.mark.parametrize("pack", [
    gzip.compress, lzma.compress, lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    lambda data: gzip.compress(data) + b"what a loader ignores", lambda data: zboot(gzip.compress(data)),
    lambda data: zboot(lzma.compress(data)), zstd,
    lambda data: zstd(data[:4096]) + zstd(data[4096:]) + b"tail", lambda data: zboot(zstd(data)),
], ids=["gzip", "xz", "lzma", "gzip_tail", "zboot", "zboot_xz", "zstd", "zstd_two", "zboot_zstd"])
@pytest.mark.parametrize("prefill", [(), ("--prefill",)], ids=["embedded", "prefill"])
def test_kernels_are_unpacked(generate, pack, prefill):
    """As distributions have them; what the board's image is made of is the Image in any case."""
    plain = image(image_size=20 << 20)
    (generate.directory / "k").write_bytes(pack(plain))
    result = generate("vms: {a: {kernel: k}, b: {kernel: ./k}}\n", *prefill)
    assert result.errors == []
    kernel = next(result.output.glob("kernel-*"))
    packed = next(result.output.glob("packed-kernel-*"))
    assert not kernel.is_symlink() and kernel.read_bytes() == plain
    assert packed.resolve() == (generate.directory / "k").resolve()
    fragment = result.read("system.mk")
    assert f"SYSTEM_INPUTS := {packed.name}" in fragment
    assert kernel.name in fragment.replace(packed.name, "")


def test_kernel_that_was_compressed(generate):
    """The same name, first for the one and then for the other."""
    for data in (gzip.compress(image()), image(size=2 << 20), gzip.compress(image())):
        (generate.directory / "k").write_bytes(data)
        result = generate("vms: {a: {kernel: k}}\n")
        assert result.errors == []
        plain = data if data[0] != 0x1f else image()
        assert next(result.output.glob("kernel-*")).read_bytes() == plain
        assert (generate.directory / "k").read_bytes() == data, "the user's file stays as it is"


def test_search(generate):
    (generate.directory / "sub").mkdir()
    (generate.directory / "sub" / "own").write_bytes(image())
    assert generate("vms:\n  a: {kernel: own}\n").status == 1
    assert generate("vms:\n  a: {kernel: own}\n", "--search", "sub").status == 0


def test_make_fragment(generate):
    result = generate("vms: [a, b]\n")
    makefile = generate.directory / "show.mk"
    makefile.write_text("IMAGE := loader.img\ninclude out/system.mk\nshow:\n"
                        "\t@echo '$(PDS)|$(foreach p,$(PDS),$(KIND_$(p)))|$(VMS)'\n"
                        "\t@echo '$(EMBED_vmm_b)'\n")
    shown = subprocess.run(["make", "-s", "-f", makefile], cwd=generate.directory, check=True,
                           capture_output=True, text=True).stdout.splitlines()
    assert shown[0] == ("timer uart console switch_net0 vmm_a vmm_b turn|"
                        "drivers/timer/cntp drivers/uart/pl011 console switch vmm vmm turn|a b")
    images = re.findall(r'incbin "((?:kernel|initramfs)-\w+)"', result.read("config/vmm_b_images.S"))
    assert shown[1].split() == ["b.dtb", "b.secret", *images]


def test_turns_are_passed_on_among_equals(generate):
    """A PD for each priority that several machines have, and none for a machine alone."""
    text = generate("vms:\n  a: {priority: 60}\n  b:\n  c: {priority: 60}\n  d:\n"
                    "  e: {priority: 70}\n").read("system.system")
    turns = re.findall(r'<protection_domain name="(turn\w*)" priority="(\d+)"', text)
    assert turns == [("turn", "60"), ("turn_50", "50")]
    for turn, names in (("turn", "ac"), ("turn_50", "bd")):
        ends = re.findall(rf'<end pd="vmm_(\w)" id="\d+" />\s*<end pd="{turn}" id="(\d+)" />', text)
        assert ends == [(name, str(i)) for i, name in enumerate(names)]
    assert "turn" not in generate("vms: [a]\n").read("system.system")


def priorities(result):
    return {pd.get("name"): int(pd.get("priority"))
            for pd in system_of(result).iter("protection_domain")}


def test_services_are_as_urgent_as_the_most_urgent_that_they_serve(generate):
    """They hold up no machine above those."""
    of = priorities(generate("switches: {inside: {uplink: yes}, apart: }\nvms:\n"
                             "  a: {disks: [1 MiB]}\n  b: {priority: 20}\n"
                             "  c: {switch: apart, priority: 10, disks: [1 MiB]}\n"
                             "  flight: {priority: 54, interfaces: none}\n"))
    assert of["vmm_a"] == 51
    assert (of["switch_inside"], of["net_driver"]) == (52, 53)
    assert (of["block"], of["block_driver"]) == (52, 53)
    assert of["switch_apart"] == 12
    assert min(of[name] for name in ("timer", "uart", "console")) > 102  # what machines can have


def test_services_of_the_highest_machine(generate):
    of = priorities(generate("switches: {x: {uplink: yes}}\n"
                             "vms: {a: {priority: 99, disks: [1 MiB]}}\n"))
    assert of["vmm_a"] < of["switch_x"] < of["net_driver"] < of["console"]
    assert of["vmm_a"] < of["block"] < of["block_driver"] < of["console"]


@pytest.mark.parametrize("text", ["cores: 2\nvms:\n  a: {cpu: 0, disks: [1 MiB]}\n"
                                  "  b: {cpu: 1, disks: [1 MiB]}\n",
                                  "domains: [services: 1 ms, x: 1 ms]\n"
                                  "defaults: {domain: x}\nvms: {a: {disks: [1 MiB]}}\n"],
                         ids=["core", "domain"])
def test_services_of_machines_elsewhere_are_above_all(generate, text):
    """What runs on their own core must not cost those of another one their network and disk."""
    of = priorities(generate("switches: {x: {uplink: yes}}\n" + text))
    for name in ("switch_x", "net_driver", "block", "block_driver"):
        assert of[name] > 102, name


def test_a_card_whose_switch_is_on_another_core(generate):
    of = priorities(generate("cores: 2\nswitches: {x: {cpu: 0, uplink: {cpu: 1}}}\n"
                             "vms: {a: {cpu: 0}}\n"))
    assert of["switch_x"] == 52
    assert of["net_driver"] > 102


def reaches(result):
    switch = summary_of(result)["switches"][0]
    names = [port["vm"] for port in switch["ports"]]
    return {port["vm"]: [names[p] for p in port["reaches"]] for port in switch["ports"]}


def test_everybody_reaches_everybody(generate):
    assert reaches(generate("vms: [a, b, c]\n")) == {"a": ["b", "c"], "b": ["a", "c"],
                                                     "c": ["a", "b"]}


def test_allow(generate):
    result = generate("switches: {x: {allow: [[a, b], 'b -> c']}}\nvms: [a, b, c, d]\n")
    assert reaches(result) == {"a": ["b"], "b": ["a", "c"], "c": [], "d": []}
    config = result.read("config/switch_x.c")
    assert re.findall(r"may_reach = (\w+)", config) == ["0x2", "0x5", "0x0", "0x0"]


def test_deny(generate):
    result = generate("switches: {x: {deny: [[a, b], 'c->a']}}\nvms: [a, b, c]\n")
    assert reaches(result) == {"a": ["c"], "b": ["c"], "c": ["b"]}


def test_allow_nobody(generate):
    assert reaches(generate("switches: {x: {allow: []}}\nvms: [a, b]\n")) == {"a": [], "b": []}


def test_groups_in_allow(generate):
    result = generate("defaults: {memory: 64 MiB}\nswitches: {x: {allow: ['n -> m']}}\n"
                      "vms: {n: {count: 2}, m: }\n")
    assert reaches(result) == {"n0": ["m"], "n1": ["m"], "m": []}


def test_switch_settings(generate):
    result = generate("switches: {x: {mirror: c, ageing: 60 s, queue: 1 MiB}}\n"
                      "vms: {a: {vlan: 7}, b: {trunk: [7, 9]}, c: {any_mac: yes}}\n")
    config = result.read("config/switch_x.c")
    for line in (".mirror_port = 2", ".age_seconds = 60", ".ring_size = 0x100000",
                 ".access_vlan = 7", "trunk_1[] = {7, 9, 0}", ".trunk_vlans = trunk_1"):
        assert line in config
    assert re.findall(r"mac_fixed = (\w+)", config) == ["true", "true", "false"]
    assert ["mac_fixed = true" in result.read(f"config/vmm_{vm}.c") for vm in "abc"] == [True, True, False]


def test_mtu_is_a_switchs(generate):
    """All its ports have it, of switch and machines; 1500 where nothing else is said."""
    result = generate("defaults: {memory: 64 MiB}\n"
                      "switches: {x: {mtu: 9000}, y: , z: {mtu: 1280, uplink: yes}}\n"
                      "vms:\n  a:\n  b: {path: vhost}\n  c: {switch: y}\n"
                      "  d: {interfaces: [{switch: z}, {switch: x}, {switch: y, path: vhost}]}\n")
    assert [s["mtu"] for s in summary_of(result)["switches"]] == [9000, 1500, 1280]
    mtus = {name: [int(mtu) for mtu in re.findall(r"\.mtu = (\d+),", result.read(f"config/{name}.c"))]
            for name in ("switch_x", "switch_y", "switch_z", "vmm_a", "vmm_b", "vmm_c", "vmm_d")}
    assert mtus == {"switch_x": [9000], "switch_y": [1500], "switch_z": [1280], "vmm_a": [9000],
                    "vmm_b": [9000], "vmm_c": [1500], "vmm_d": [1280, 9000, 1500]}


def calls_of_timer(result):
    """The PDs that have the timer's driver wake them."""
    return {end["pd"] for ends in summary_of(result)["channels"] for end in ends[:1]
            if ends[1]["pd"] == "timer" and end["calls"]}


def numbers(result, name, key):
    return [int(value) for value in re.findall(rf"\.{key} = (\d+),", result.read(f"config/{name}.c"))]


def test_rates(generate):
    """Of an interface, each direction on its own; `defaults` hold where a machine says nothing else."""
    result = generate("defaults: {memory: 64 MiB, rate: {send: 100 Mbit/s, burst: 50 ms}}\n"
                      "switches: {x: {queue: 1 MiB}, y: }\n"
                      "vms:\n  a:\n  b: {path: vhost, rate: {receive: 10 Mbit/s}}\n"
                      "  c: {rate: none}\n  d: {count: 2, rate: 20 MiB/s}\n"
                      "  e: {interfaces: [{switch: y, rate: none}, {switch: x, rate: 1 Gbit/s}]}\n")
    assert result.errors == []
    assert numbers(result, "switch_x", "send_rate") == [12500000, 12500000, 20 << 20, 20 << 20, 125000000]
    assert numbers(result, "switch_x", "receive_rate") == [0, 1250000, 20 << 20, 20 << 20, 125000000]
    assert numbers(result, "switch_x", "burst_us") == [50000] * 5
    # Who receives with a limit has a queue in the switch, which nobody else sees.
    system = system_of(result)
    queues = [r.get("name") for r in system.iter("memory_region") if "waiting" in r.get("name")]
    assert queues == ["b_net0_waiting", "d0_net0_waiting", "d1_net0_waiting", "e_net1_waiting"]
    for queue in queues:
        assert [pd.get("name") for pd in system.iter("protection_domain")
                for place in pd.iter("map") if place.get("mr") == queue] == ["switch_x"]
    assert result.read("config/switch_x.c").count(".queue_size = 0x100000") == 4
    assert "has_timer = true" in result.read("config/switch_x.c")
    # A switch without limits is what it is without the word. It pauses when it has much to do.
    assert {"switch_x", "switch_y"} <= calls_of_timer(result)
    assert not re.search("rate|burst|queue", result.read("config/switch_y.c"))
    assert "has_timer = true" in result.read("config/switch_y.c")
    rates = {vm["name"]: [port.get("rate") for port in vm["interfaces"]] for vm in summary_of(result)["vms"]}
    assert rates["b"] == [{"send": 12500000, "receive": 1250000, "burst_us": 50000}]
    assert rates["c"] == [None] and rates["e"][0] is None
    check_system(system)


def test_rates_of_disks(generate):
    result = generate("vms:\n  a: {memory: 64 MiB, disks: [1 MiB, {size: 1 MiB, rate: 20 MiB/s},\n"
                      "      {size: 1 MiB, rate: {bytes: 80 Mbit/s, operations: 1000, burst: 1 s}}]}\n")
    assert numbers(result, "block", "bytes_rate") == [20 << 20, 10000000]
    assert numbers(result, "block", "operations_rate") == [0, 1000]
    assert numbers(result, "block", "burst_us") == [20000, 1000000]
    assert "has_timer = true" in result.read("config/block.c")
    assert "block" in calls_of_timer(result)
    assert [part.get("rate") for part in summary_of(result)["disk"]["slices"]] == [
        None, {"bytes": 20 << 20, "operations": 0, "burst_us": 20000},
        {"bytes": 10000000, "operations": 1000, "burst_us": 1000000}]
    check_system(system_of(result))
    result = generate("vms: {a: {memory: 64 MiB, disks: [1 MiB]}}\n")
    assert "block" not in calls_of_timer(result) and "timer" not in result.read("config/block.c")


def test_largest_systems_with_limits(generate):
    """As many clients of the timer as there can be."""
    text = ("switches: [x, y]\ndefaults: {memory: 40 MiB, rate: 1 Gbit/s}\nvms:\n"
            "  a: {count: 27, disks: [{size: 1 MiB, rate: 20 MiB/s}]}\n  b: {count: 20, switch: y}\n")
    result = generate(text, "--prefill")
    assert result.errors == []
    check_system(system_of(result))
    assert len(calls_of_timer(result)) == 47 + 2 + 3  # machines, switches; console, disk, turn


def test_machine_on_two_switches(generate):
    summary = summary_of(generate.path(ROOT / "systems" / "islands.yaml"))
    assert [s["name"] for s in summary["switches"]] == ["west", "east"]
    assert [[p["vm"] for p in s["ports"]] for s in summary["switches"]] == [
        ["cat", "ferry"], ["dog", "ferry"]]


def test_no_network(generate):
    result = generate("vms: {a: {interfaces: none}}\n")
    assert summary_of(result)["switches"] == []
    assert "switch" not in result.read("system.mk").split("PDS :=")[1].splitlines()[0]
    check_system(system_of(result))


def test_largest_systems(generate):
    text = ("switches: [x, y]\ndefaults: {memory: 40 MiB}\nvms:\n  a: {count: 27}\n"
            "  b: {count: 20, switch: y}\n")
    result = generate(text, "--prefill")
    assert result.errors == []
    check_system(system_of(result))


def test_memory_in_pieces(generate):
    result = generate("vms: {a: {memory: 150 MiB}}\n")
    sizes = [number(r.get("size")) >> 20 for r in system_of(result).iter("memory_region")
             if "_ram" in r.get("name")]
    assert sizes == [64, 64, 22]


def test_describe(generate):
    result = generate.run("--describe", DEMO, ROOT / "systems" / "smp.yaml")
    assert result.status == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["virtio_demo", "smp"]


def test_describe_boards(generate):
    result = generate.run("--describe-boards", ROOT / "boards" / "qemu_virt_aarch64.yaml")
    assert result.status == 0
    assert result.stdout == ("qemu_virt_aarch64        QEMU's virt machine with a GICv2 and "
                             "virtualisation\n")


def test_raspberry_pi(generate):
    """Its timer is the SDK's choice, its cores have a spin table, and QEMU wants the head of an Image."""
    board = generate.board = ROOT / "boards" / "rpi4b_4gb.yaml"
    for arguments, chip, interrupt in (((), "bcm2835", "97"), (("--sdk-bundled",), "cntp", "30")):
        result = generate("vms: [a]\n", *arguments)
        assert result.errors == []
        assert f"KIND_timer := drivers/timer/{chip}\n" in result.read("system.mk")
        assert "HEAD_ADDRESS := 0x10000000\n" in result.read("system.mk")
        timer = system_of(result).find("protection_domain[@name='timer']")
        assert [irq.get("irq") for irq in timer.findall("irq")] == [interrupt]
        assert ("0xfe003000" in result.read("system.system").lower()) is (chip == "bcm2835")
        arguments = result.read("qemu.args").splitlines()
        assert arguments[arguments.index("-kernel") + 1] == "loader.Image"
        assert arguments[arguments.index("-smp") + 1] == "4"
    header = generate.run("--kernel-header", board).stdout
    assert "#define BOARD_RELEASE_ADDRESSES 0xd8, 0xe0, 0xe8, 0xf0\n" in header


def test_emulator_for_an_official_sdk(generate):
    """seL4 may want another machine than the bundled kernel, and a QEMU that is not too old."""
    generate.board = ROOT / "boards" / "zcu102.yaml"
    for arguments, machine, lines in (
            ((), "xlnx-zcu102,virtualization=on,secure=on", ["QEMU_VERSION := 10"]),
            (("--sdk-bundled",), "xlnx-zcu102,virtualization=on", [])):
        result = generate("vms: [a]\n", *arguments)
        assert result.errors == []
        assert result.read("qemu.args").splitlines()[:2] == ["-machine", machine]
        assert re.findall("^QEMU_VERSION.*", result.read("system.mk"), re.M) == lines


def test_warning_of_an_old_emulator(generate):
    (generate.directory / "out").mkdir()
    (generate.directory / "out" / "system.mk").touch()
    for version, warned in (("9.2.1", True), ("10.0.0", False), ("11", False)):
        emulator = generate.directory / "emulator"
        emulator.write_text(f"#!/bin/sh\necho QEMU emulator version {version}\n")
        emulator.chmod(0o755)
        said = subprocess.run(
            ["make", "-s", "-f", ROOT / "build.mk", f"ROOT={ROOT}", "BUILD=b", "SDK=sdk", "BUNDLED_SDK=none",
             "BOARD=zcu102", "CONFIG=release", "SYSTEM=virtio_demo", f"OUT={generate.directory}/out",
             f"GEN={generate.program}", "GEN_ARGS=--help", f"QEMU={emulator}", "QEMU_VERSION=10",
             "qemu-new"], cwd=generate.directory, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
        assert ("needs version 10 or later" in said.stderr) is warned


def test_kernel_header(generate):
    """The constants of the bundled kernel are the board's file."""
    text = (ROOT / "boards" / "qemu_virt_aarch64.yaml").read_text()
    board = generate.directory / "mine.yaml"
    board.write_text(text.replace("cores: 4\n", "cores: 3\ncore_ids: [0, 1, 256]\n"))
    result = generate.run("--kernel-header", board)
    assert result.status == 0
    defined = dict(line.split(" ", 2)[1:] for line in result.stdout.splitlines()
                   if line.startswith("#define"))
    assert defined == {
        "BOARD_IN_QEMU": "0x1", "BOARD_MEMORY_BASE": "0x40000000", "BOARD_MEMORY_SIZE": "0x80000000",
        "BOARD_LOAD_ADDRESS": "0x70000000", "BOARD_CORE_IDS": "0x0, 0x1, 0x100",
        "BOARD_GIC_VERSION": "0x2", "BOARD_GIC_INTIDS": "0x120", "BOARD_GICD": "0x8000000",
        "BOARD_GICC": "0x8010000", "BOARD_GICH": "0x8030000", "BOARD_UART": "0x9000000",
        "BOARD_UART_CHIP": "UART_PL011"}


def test_time(program, generate):
    begin = time.monotonic()
    assert generate.path(ROOT / "systems" / "eight_vms.yaml").status == 0
    assert time.monotonic() - begin < 1.0  # with sanitizers on a busy machine; 100 ms without


def test_reference_has_not_drifted(generate):
    reference = generate.run("--reference").stdout
    assert reference.strip() in (ROOT / "docs" / "systems.md").read_text()


def test_examples_of_the_manual(generate):
    examples = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "systems.md").read_text(), re.S)
    assert len(examples) >= 3
    (generate.directory / "IMAGE").write_bytes(image())
    (generate.directory / "ELF").write_bytes(elf(segment(0x40000000)))
    (generate.directory / "BINARY").write_bytes(b"program")
    for package in re.findall(r"package:([\w.-]+)", "".join(examples)):
        place = generate.directory / "packages" / package
        place.mkdir(parents=True)
        (place / "Image").write_bytes(image())
        (place / "initramfs.img").write_bytes(b"070701" + bytes(1000))
    firmware = generate.directory / "packages" / "u-boot-qemu"
    firmware.mkdir()
    (firmware / "u-boot.bin").write_bytes(b"firmware" * 1000)
    for example in examples:
        result = generate(example)
        assert (result.status, result.errors) == (0, []), example


def test_uplink(generate):
    result = generate("switches:\n  x: {uplink: {forward: [tcp:2222->b:22, udp:53->c:5353]}}\n"
                      "vms: {a: {ip: 10.0.2.15/24}, b: {ip: dhcp}, c: {ip: dhcp}}\n")
    assert result.status == 0, result.errors
    summary = summary_of(result)
    bootargs = [vm["bootargs"] for vm in summary["vms"]]
    assert "braid.net0=10.0.2.15/24" in bootargs[0]
    assert "braid.net0=dhcp,10.0.2.16" in bootargs[1]
    assert "braid.net0=dhcp,10.0.2.17" in bootargs[2]
    assert summary["switches"][0]["uplink"]["port"] == 3
    arguments = result.read("qemu.args").splitlines()
    netdev = arguments[arguments.index("-netdev") + 1]
    assert netdev == ("user,id=uplink,hostfwd=tcp:127.0.0.1:2222-10.0.2.16:22,"
                      "hostfwd=udp:127.0.0.1:53-10.0.2.17:5353")
    driver = system_of(result).find("protection_domain[@name='switch_x']/*[@name='net_driver']")
    assert number(driver.get("budget")) < number(driver.get("period"))
    assert driver.find("setvar[@symbol='dma_paddr']").get("region_paddr") == "card_dma"


def test_who_is_served_by_a_driver_handles_its_faults(generate):
    result = generate("switches:\n  x: {}\n  y: {uplink: yes}\n"
                      "vms: {a: {switch: y, disks: [1 MiB]}, b: {switch: x}}\n")
    assert result.status == 0, result.errors
    system = system_of(result)
    parents = {child.get("name"): (parent.get("name"), child.get("id"))
               for parent in system.iter("protection_domain") for child in parent
               if child.tag == "protection_domain"}
    assert parents == {"uart": ("console", "0"), "block_driver": ("block", "0"),
                       "net_driver": ("switch_y", "0")}


def shares_of(result):
    """Budget and period of each PD, in microseconds."""
    return {pd.get("name"): (number(pd.get("budget", "1000")), number(pd.get("period", "1000")))
            for pd in system_of(result).iter("protection_domain")}


def test_programs_have_budgets_by_themselves(generate):
    shares = shares_of(generate("switches: {net0: {uplink: yes}}\nvms:\n  a: {disks: [1 MiB]}\n"))
    assert shares["vmm_a"] == (2200, 4200)
    for name in ("switch_net0", "block", "console"):
        assert shares[name] == (1000, 4000)
    assert shares["net_driver"] == (500, 1000)


def test_programs_have_budgets(generate):
    result = generate("defaults: {monitor: {budget: 4 ms, period: 10 ms}}\n"
                      "switches: {x: {budget: 300 us, period: 2 ms,\n"
                      "               uplink: {budget: 50 us, period: 1 s}}, y: {budget: 200 us}}\n"
                      "disk: {budget: 600 us}\nconsole: {budget: 1 ms, period: 20 ms}\n"
                      "vms:\n  a: {switch: x, disks: [1 MiB], budget: 1 ms}\n"
                      "  b: {switch: y, monitor: {budget: 3 ms}}\n"
                      "  c: {monitor: {budget: 5 ms, period: 5 ms}}\n")
    assert result.errors == []
    check_system(system_of(result))
    shares = shares_of(result)
    assert (shares["vmm_a"], shares["vmm_b"], shares["vmm_c"]) == \
        ((4000, 10000), (3000, 10000), (5000, 5000))
    assert (shares["switch_x"], shares["switch_y"]) == ((300, 2000), (200, 4000))
    assert shares["net_driver"] == (50, 1000000)
    assert (shares["block"], shares["console"]) == ((600, 4000), (1000, 20000))
    summary = {pd["name"]: pd for pd in summary_of(result)["pds"]}
    assert (summary["vmm_a"]["budget_us"], summary["vmm_a"]["period_us"]) == (4000, 10000)
    assert summary_of(result)["vms"][0]["budget_us"] == 1000


def test_budgets_that_nobody_gave_are_the_reference_s(generate):
    """What docs/systems.md says of each program is what it gets."""
    result = generate("switches: {x: {uplink: yes}}\nvms: {a: {disks: [1 MiB]}}\n")
    reference = generate.run("--reference").stdout
    shares = shares_of(result)
    for heading, pd in (("A machine's monitor", "vmm_a"), ("A switch", "switch_x"),
                        ("An uplink", "net_driver"), ("The board's disk", "block"),
                        ("The console", "console")):
        section = reference.split(f"### {heading}\n")[1].split("###")[0]
        given = re.findall(r"`(?:budget|period)` \| time \| [^|]*\| `(\d+) (us|ms)`", section)
        assert tuple(int(n) * {"us": 1, "ms": 1000}[unit] for n, unit in given) == shares[pd]


def test_uplink_carries_the_vlans_of_its_switch(generate):
    vms = "vms: {a: {vlan: 10}, b: {vlan: 20}, c: {trunk: [20, 30]}, d: }\n"
    cases = {"yes": ([10, 20, 30], 0), "{vlans: [30]}": ([30], 0),
             "{native: 10, vlans: [20]}": ([20], 10)}
    for uplink, (vlans, native) in cases.items():
        result = generate(f"switches: {{x: {{uplink: {uplink}}}}}\n{vms}")
        assert result.status == 0, result.errors
        assert summary_of(result)["switches"][0]["uplink"]["vlans"] == vlans
        config = result.read("config/switch_x.c")
        assert f"uplink_vlans[] = {{{', '.join(map(str, vlans))}, 0}}" in config
        assert re.search(rf'"uplink".*?access_vlan = {native},', config, re.DOTALL)


def test_uplink_in_access_lists(generate):
    result = generate("switches: {x: {uplink: yes, allow: [[a, b], 'a -> uplink']}}\nvms: [a, b]\n")
    assert result.status == 0, result.errors
    config = result.read("config/switch_x.c")
    assert re.findall(r"may_reach = (0x\w+)", config) == ["0x6", "0x1", "0x0"]


def test_cable_to_another_board(generate):
    (generate.directory / "other.yaml").write_text("vms: [z]\n")
    result = generate("switches: {x: {uplink: {to: other}}}\nvms: {a: {ip: dhcp}}\n")
    assert result.status == 0, result.errors
    assert "remote.path=peer/uplink.sock" in result.read("qemu.args")
    assert "\nPEER := other\n" in result.read("system.mk")
    assert "braid.net0=dhcp" in summary_of(result)["vms"][0]["bootargs"]
    assert "lease" not in summary_of(result)["vms"][0]["interfaces"][0]


def test_card_and_disk_in_one_page(generate):
    board = generate.board.read_text().replace("0x0a003e00", "0x0a000e00")
    generate.board = generate.directory / "board.yaml"
    generate.board.write_text(board)
    errors = generate.errors("vms: [a]\n")
    assert len(errors) == 1 and "in the same 4 KiB page as the disk's" in errors[0]


def in_the_way(command, names, victim):
    """A shell's script that first puts links to `victim` where a program of its process id may write."""
    links = "".join(f"ln -s {victim} {name}; " for name in names)
    return ["sh", "-c", f'{links} exec "$@"', "sh", *map(str, command)]


def test_nobody_can_guess_a_temporary_name(generate):
    """In a directory of others' too nothing is written through a link that waits there."""
    (generate.directory / "victim").write_text("mine")
    (generate.directory / "out").mkdir()
    generate("vms: [a]\n")
    for path in (generate.directory / "out").rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.write_text("older")
    names = [f"out/{name}.new$$" for name in ("system.mk", "system.system", "system.json")]
    subprocess.run(in_the_way([generate.program, "sys.yaml", "--board", generate.board, "--output", "out",
                               "--kernel", "Image"], names, generate.directory / "victim"),
                   cwd=generate.directory, check=True)
    assert (generate.directory / "victim").read_text() == "mine"
    assert "BOARD" in (generate.directory / "out/system.mk").read_text()
    left = [path.name for path in (generate.directory / "out").iterdir()]
    assert not [name for name in left if re.search(r"\.[0-9a-f]{16}$", name)]


def test_timer_with_registers(generate):
    """Its driver has the page and is told where; the other PDs do not have it."""
    text = generate.board.read_text()
    generate.board = generate.directory / "board.yaml"
    generate.board.write_text(text.replace("driver: cntp, interrupt: 30",
                                           "driver: ttc, address: 0xff110000, interrupt: 68"))
    result = generate("vms: [a]\n")
    assert result.errors == []
    system = system_of(result)
    check_system(system)
    region = system.find("memory_region[@name='timer_registers']")
    assert (region.get("size"), region.get("phys_addr")) == ("0x1000", "0xff110000")
    maps = [(pd.get("name"), place) for pd in system.iter("protection_domain")
            for place in pd.findall("map") if place.get("mr") == "timer_registers"]
    assert [name for name, _ in maps] == ["timer"]
    assert maps[0][1].get("perms") == "rw" and maps[0][1].get("cached") == "false"
    assert f".registers = {maps[0][1].get('vaddr')}," in result.read("config/timer.c")
    timer = system.find("protection_domain[@name='timer']")
    assert [irq.get("irq") for irq in timer.findall("irq")] == ["68"]
    assert "KIND_timer := drivers/timer/ttc" in result.read("system.mk")
