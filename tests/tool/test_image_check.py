# SPDX-License-Identifier: BSD-2-Clause
"""Images of the shipped systems and of random ones are what their descriptions say; and the checker that says
so (image_check.py) finds each thing that is otherwise.

IMAGE_SEED=N begins with another random system, and IMAGE_COUNT=N makes so many; likewise of flipped bits.
"""

import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import xml.etree.ElementTree

import pytest

import boot_image
import elf_file
import random_system
from boot_image import AF, INNER, NORMAL, PAGE, READ, WRITE, XN
from conftest import BOARD, ROOT, Tool, write_config
from image_check import ImageCheck, main
from test_image import pd, system

SEED = int(os.environ.get("IMAGE_SEED") or 1)
SYSTEMS = 200
FLIPS = 1500


def count_of(default):
    return int(os.environ.get("IMAGE_COUNT") or default)


def built(*arguments):
    """make, in this build directory or a new one of the test's."""
    subprocess.run(["make", "-s", "-j2", *map(str, arguments)], check=True,
                   env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    given = os.environ.get("BUILD_DIR")
    return pathlib.Path(given).resolve() if given else tmp_path_factory.mktemp("build")


@pytest.fixture(scope="module")
def plain_sdk(sdk, build, tmp_path_factory):
    """The SDK with the tool as users have it, which is quicker than the sanitized one."""
    built("-C", ROOT / "sdk/tool", f"BUILD={build / 'sdk/tool'}")
    copy = tmp_path_factory.mktemp("plain") / "sdk"
    shutil.copytree(sdk, copy)
    shutil.copy(build / "sdk/tool/microkit", copy / "bin/microkit")
    return copy


# ---- The shipped systems, on all boards ----

BOARDS = sorted(path.stem for path in (ROOT / "boards").glob("*.yaml"))
# What a board has not.
REFUSED = {
    "kria_k26": {"devices", "two_boards", "two_boards_b", "uplink"},
    "rpi4b_4gb": {"devices", "disks", "two_boards", "two_boards_b", "uplink"},
    "ultra96v2": {"devices", "two_boards", "two_boards_b", "uplink"},
    "zcu102": {"devices"},
}


def kernel_of(header):
    """A kernel for the board that `braid-gen --kernel-header` tells of."""
    said = {name: int(value, 0)
            for name, value in re.findall(r"^#define BOARD_(\w+) (0x\w+)$", header, re.M)}
    devices = [(name, said[name], size)
               for name, size in (("GICD", PAGE), ("GICC", 2 * PAGE), ("GICH", 2 * PAGE), ("GICR", 0x80000))
               if name in said]
    board = elf_file.board(said["MEMORY_BASE"], said["MEMORY_SIZE"], devices, said["GIC_INTIDS"])
    return elf_file.kernel(at=said["LOAD_ADDRESS"], description=board)


@pytest.fixture(scope="module")
def generator(build):
    built("-C", ROOT / "tools", f"BUILD={build / 'tools'}")
    return build / "tools/braid-gen"


def write_programs(directory):
    """A stand-in for each program that a description names. It has the variables that are set in it."""
    for number, element in enumerate(
            xml.etree.ElementTree.parse(directory / "test.system").iter("protection_domain")):
        names = {value for child in element.iter() for key, value in child.attrib.items()
                 if key.startswith("setvar_")} | {child.get("symbol") for child in element.iter("setvar")}
        symbols = dict(elf_file.VARIABLES)
        for at, name in enumerate(sorted(names)):
            symbols[name] = (elf_file.DATA + 0x180 + 8 * at, 8)
        (directory / element.find("program_image").get("path")).write_bytes(
            elf_file.program(code=bytes([number + 1]) * 3000, bss=number * 0x12345, symbols=symbols))


def generate(generator, name, board, directory, *arguments):
    """What braid-gen makes of a shipped system, and stand-ins for programs; what it says if it refuses."""
    head = struct.pack("<IIQQQ24xII", 0x14000000, 0, 0, 32 << 20, 10, 0x644D5241, 0)  # of an arm64 Image
    (directory / "Image").write_bytes(head + b"kernel" * 200000)
    (directory / "initrd").write_bytes(b"070701" + b"initramfs" * 100000)
    (directory / "rootfs.tar").write_bytes(bytes(10240))
    process = subprocess.run(
        [generator, ROOT / f"systems/{name}.yaml", "--board", ROOT / f"boards/{board}.yaml", "--prefill",
         "--sdk-bundled", "--kernel", "Image", "--initrd", "initrd", "--search", ".", "--output", ".",
         *arguments],
        cwd=directory, capture_output=True, text=True, check=False)
    if process.returncode == 0:
        (directory / "system.system").rename(directory / "test.system")
        write_programs(directory)
    return process.stderr


@pytest.mark.parametrize("board", BOARDS)
def test_shipped_systems(plain_sdk, generator, tmp_path, board):
    header = subprocess.run([generator, "--kernel-header", ROOT / f"boards/{board}.yaml"],
                            capture_output=True, text=True, check=True).stdout
    for config, cores in (("release", 1), ("smp-release", 4)):
        write_config(plain_sdk, config, f"#define CONFIG_MAX_NUM_NODES  {cores}\n", board)
        kernel = plain_sdk / "board" / board / config / "elf/kernel.elf"
        kernel.parent.mkdir(exist_ok=True)
        kernel.write_bytes(kernel_of(header))
    refused = set()
    for path in sorted((ROOT / "systems").glob("*.yaml")):
        several = subprocess.run([generator, "--cores", path], capture_output=True, text=True,
                                 check=True).stdout.strip() != "1"
        directory = tmp_path / path.stem
        directory.mkdir()
        said = generate(generator, path.stem, board, directory, *(["--sdk-cores", "4"] if several else []))
        if said:
            assert f"the board '{board}' has n" in said, said
            refused.add(path.stem)
            continue
        # What is for one core also is for a kernel of several, but for domains.
        configs = ["smp-release"] if several else ["release"]
        if not several and path.stem != "domains":
            configs.append("smp-release")
        for config in configs:
            tool = Tool(plain_sdk, directory, config, board)
            tool.good((directory / "test.system").read_text())
        shutil.rmtree(directory)
    assert refused == REFUSED.get(board, set())


# ---- Random systems ----

def test_random_systems(plain_sdk, tmp_path):
    """The tool accepts each of them, and its image is what it says."""
    tools = [Tool(plain_sdk, tmp_path, config) for config in ("debug", "smp-debug")]
    for name, data in random_system.programs().items():
        tools[0].write(name, data)
    for seed in range(SEED, SEED + count_of(SYSTEMS)):
        tool = tools[seed % 2]
        made = random_system.RandomSystem(seed, 1 + 3 * (seed % 2))
        for name, data in made.files.items():
            tool.write(name, data)
        result = tool.build(made.text)
        assert result.returncode == 0, f"IMAGE_SEED={seed}: {result.stderr}"
        findings = tool.checker().check(tool.image.read_bytes())
        assert not findings, "\n".join([f"IMAGE_SEED={seed}", *findings[:20]])
        for name in made.files:
            (tmp_path / name).unlink()


# ---- Images that are not what their description says ----

# Some of everything that there is a check for. The image of it is changed below.
EXAMPLE = system(
    '<domains><domain name="x" id="3"/><domain name="y" id="5"/><domain_schedule>'
    '<schedule_entry domain="x" duration="1000 us"/><schedule_entry domain="y" duration="77 ticks"/>'
    "</domain_schedule></domains>",
    '<memory_region name="ring" size="0x3000" page_size="0x1000"/>',
    '<memory_region name="dma" size="0x2000"/>',
    '<memory_region name="uart" size="0x1000" phys_addr="0x9000000"/>',
    '<memory_region name="gicv" size="0x2000" phys_addr="0x8040000"/>',
    '<memory_region name="ram" size="0x400000" phys_addr="0x40000000" page_size="0x200000"/>',
    '<memory_region name="file" size="0x4000" prefill_path="fill"/>',
    pd("driver", """<map mr="ring" vaddr="0x1000000"/>
        <map mr="uart" vaddr="0x2000000" cached="false"/>
        <map mr="dma" vaddr="0x1200000" setvar_vaddr="second"/>
        <setvar symbol="first" region_paddr="dma"/><irq irq="33" id="1"/><irq irq="40" id="2" trigger="edge"/>
        """, priority=200, passive="true", domain="x"),
    pd("monitor0", """<map mr="ring" vaddr="0x3000000" perms="r"/><map mr="ram" vaddr="0x4000000"/>
        <map mr="file" vaddr="0x5000000" perms="r"/>
        <virtual_machine name="guest" priority="20" budget="700" period="900"><vcpu id="0"/><vcpu id="4"/>
        <map mr="ram" vaddr="0x40000000" perms="rwx"/><map mr="gicv" vaddr="0x8010000" cached="false"/>
        </virtual_machine>""" + pd("child", "", id=9, domain="y"),
       priority=100, budget=300, period=1000, domain="y", smc="true"),
    pd("other", '<map mr="file" vaddr="0x1000000" perms="rw"/><cspace><cap_sc slot="2" pd="child"/></cspace>',
       priority=50, fpu="false", domain="x", stack_size="0x3000"),
    '<channel><end pd="driver" id="10"/><end pd="monitor0" id="11" pp="true"/></channel>',
    '<channel><end pd="driver" id="20" notify="false"/><end pd="other" id="21"/></channel>',
)


class Example:
    """The image of EXAMPLE, and ways to change it."""

    def __init__(self, tool):
        tool.write("fill", bytes(range(1, 251)) * 20)
        tool.good(EXAMPLE)
        self.tool = tool
        self.checker = tool.checker()
        self.data = tool.image.read_bytes()
        assert self.checker.check(self.data) == []
        self.image = self.checker.image
        self.load = self.image.load
        self.new = bytearray(self.data)

    def reset(self):
        self.new = bytearray(self.data)

    def findings(self):
        return self.checker.check(bytes(self.new))

    def put(self, address, form, *values):
        struct.pack_into(form, self.new, address - self.load, *values)

    def get(self, address, form="<Q"):
        return struct.unpack_from(form, self.new, address - self.load)[0]

    def change(self, address, form, function):
        self.put(address, form, function(self.get(address, form)))

    # Where things are.

    def row(self, name):
        """The address of a thread's row."""
        index = [thread.name for thread in self.image.threads].index(name)
        return self.image.window + boot_image.HEADER.size + index * boot_image.THREAD.size

    def root(self, name):
        return self.image.thread(name).root

    def level1(self, name, vaddr):
        return self.root(name) + 8 * (vaddr >> 30)

    def level2(self, name, vaddr):
        return (self.get(self.level1(name, vaddr)) & boot_image.ADDRESS) + 8 * (vaddr >> 21 & 511)

    def level3(self, name, vaddr):
        return (self.get(self.level2(name, vaddr)) & boot_image.ADDRESS) + 8 * (vaddr >> 12 & 511)

    def place(self, name, vaddr):
        """The physical address of a page."""
        return self.image.pages(self.root(name))[vaddr].address


@pytest.fixture(scope="module")
def example(plain_sdk, tmp_path_factory):
    return Example(Tool(plain_sdk, tmp_path_factory.mktemp("example")))


MUTATIONS = {}


def mutation(*expected):
    """A change of the image, and what a finding has to name."""
    def register(function):
        MUTATIONS[function.__name__] = (function, expected)
        return function
    return register


def set_bits(bits):
    return lambda value: value | bits


def clear_bits(bits):
    return lambda value: value & ~bits


def row_field(offset, form, value, name="monitor0"):
    """A change of a field of a thread's row."""
    def change(e):
        assert e.get(e.row(name) + offset, form) != value
        e.put(e.row(name) + offset, form, value)
    return change


THREAD_COUNT, ZERO_COUNT, CORE_COUNT, WINDOW_END, IMAGE_END, THREADS, ZERO, TURNS, TURN_COUNT = (
    12, 16, 20, 24, 32, 40, 48, 56, 64)
LEAF = AF | INNER | NORMAL | READ | WRITE | XN | 3

# Of each row: what the field is called, where it is, and something else.
for field, where, form_, other_value, row in (
    ("name_bytes", 0, "<B", 88, "monitor0"), ("kind", 64, "<B", 1, "monitor0"),
    ("flags", 65, "<B", 3, "monitor0"), ("flags", 65, "<B", 2 | 4, "monitor0"),
    ("flags", 65, "<B", 0, "driver"), ("flags", 65, "<B", 0, "monitor0"), ("flags", 65, "<B", 0, "other"),
    ("flags", 65, "<B", 2, "guest:4"),
    ("priority", 66, "<B", 101, "monitor0"), ("priority", 66, "<B", 254, "guest:4"),
    ("child_id", 67, "<B", 8, "child"), ("child_id", 67, "<B", 0, "guest:4"),
    ("parent", 68, "<H", 0, "child"), ("parent", 68, "<H", 0, "guest:0"), ("parent", 68, "<H", 0, "driver"),
    ("budget", 72, "<Q", 301, "monitor0"), ("budget", 72, "<Q", 900, "guest:0"),
    ("period", 80, "<Q", 999, "monitor0"), ("period", 80, "<Q", 701, "guest:4"),
    ("entry", 96, "<Q", 0x200004, "monitor0"), ("stack_top", 104, "<Q", 0xFFFFFFD000, "monitor0"),
    ("ipc_buffer_vaddr", 120, "<Q", 0x200000, "monitor0"),
    ("child 9", 128 + 18, "<H", 3, "monitor0"), ("child 5", 128 + 10, "<H", 0, "monitor0"),
    ("child 9", 128 + 18, "<H", 0xFFFF, "monitor0"), ("child 0", 128, "<H", 0, "guest:0"),
    ("vCPU 4", 256 + 8, "<H", 4, "monitor0"), ("vCPU 0", 256, "<H", 5, "other"),
    ("channel 2", 384 + 16 + 1, "<B", 0, "driver"), ("channel 1", 384 + 8 + 1, "<B", 4, "driver"),
    ("channel 1", 384 + 8 + 4, "<H", 34, "driver"), ("channel 1", 384 + 8, "<B", 0, "driver"),
    ("channel 10", 384 + 80 + 1, "<B", 3, "driver"), ("channel 20", 384 + 160 + 1, "<B", 1, "driver"),
    ("channel 11", 384 + 88 + 1, "<B", 1, "monitor0"), ("channel 11", 384 + 88 + 4, "<H", 3, "monitor0"),
    ("channel 11", 384 + 88 + 2, "<B", 20, "monitor0"), ("channel 11", 384 + 88, "<B", 0, "monitor0"),
    ("channel 11", 384 + 88 + 3, "<B", 1, "monitor0"), ("channel 11", 384 + 88 + 6, "<H", 1, "monitor0"),
    ("cspace slot 2", 880 + 4, "<B", 1, "other"), ("cspace slot 2", 880 + 5, "<B", 0, "other"),
    ("cspace slot 2", 880 + 4, "<B", 0, "other"), ("cspace slot 3", 880 + 6, "<B", 3, "monitor0"),
    ("domain", 1012, "<I", 3, "monitor0"), ("domain", 1012, "<I", 0, "guest:4"),
):
    MUTATIONS[f"{row} {field} {other_value:#x}"] = (row_field(where, form_, other_value, row), (
        "VM 'guest': vCPU " + row[6:] if row.startswith("guest") else f"PD '{row}'", f"{field}:", "expected",
        "found"))


@mutation("PD 'driver'", "0x1001000..0x1002000", "region 'ring'", "'r'")
def right_is_missing(e):
    e.change(e.level3("driver", 0x1001000), "<Q", clear_bits(WRITE))


@mutation("PD 'monitor0'", "0x3002000", "region 'ring'", "expected 'r' cached", "found 'rw'")
def right_to_write(e):
    e.change(e.level3("monitor0", 0x3002000), "<Q", set_bits(WRITE))


@mutation("PD 'monitor0'", "0x3000000", "region 'ring'", "found 'rx'")
def right_to_execute(e):
    e.change(e.level3("monitor0", 0x3000000), "<Q", clear_bits(XN))


@mutation("PD 'other'", "0x200000", "the program of 'other'", "expected 'rx'", "found 'rwx'")
def program_that_is_writable(e):
    e.change(e.level3("other", elf_file.CODE), "<Q", set_bits(WRITE))


@mutation("PD 'driver'", "0x2000000", "region 'uart'", "device", "found 'rw' cached")
def device_that_is_cached(e):
    e.change(e.level3("driver", 0x2000000), "<Q", set_bits(NORMAL))


@mutation("PD 'monitor0'", "0x4000000", "region 'ram'", "cached", "device")
def block_that_is_device_memory(e):
    e.change(e.level2("monitor0", 0x4000000), "<Q", clear_bits(NORMAL))


@mutation("PD 'driver'", "0x1000000", "of no attribute")
def memory_that_is_not_cached(e):
    e.change(e.level3("driver", 0x1000000), "<Q", lambda value: value & ~NORMAL | 5 << 2)


@mutation("PD 'driver'", "0x1000000", "'rw'")
def memory_that_is_not_shareable(e):
    e.change(e.level3("driver", 0x1000000), "<Q", clear_bits(INNER))


@mutation("PD 'driver'", "0x1000000", "'rw'")
def page_without_access_flag(e):
    e.change(e.level3("driver", 0x1000000), "<Q", clear_bits(AF))


@mutation("PD 'monitor0'", "0x3001000", "region 'ring' at", "as PD 'driver' has it", "found")
def page_of_one_that_shares_is_elsewhere(e):
    e.change(e.level3("monitor0", 0x3001000), "<Q", lambda value: value + 0x100000)


@mutation("region 'ring'", "expected memory of its own", "the stack of 'other'")
def shared_page_is_anothers_stack_for_both(e):
    stack = e.place("other", 0xFFFFFFD000)
    for name, vaddr in (("driver", 0x1001000), ("monitor0", 0x3001000)):
        e.change(e.level3(name, vaddr), "<Q", lambda value: value & ~boot_image.ADDRESS | stack)


@mutation("PD 'driver'", "0x2000000", "region 'uart' at 0x9000000", "phys_addr", "found 0x9010000")
def device_is_another(e):
    e.change(e.level3("driver", 0x2000000), "<Q", lambda value: value + 0x10000)


@mutation("VM 'guest'", "0x8010000", "region 'gicv' at 0x8040000", "found 0x8000000")
def guest_has_the_distributor(e):
    e.change(e.level3("guest:0", 0x8010000), "<Q", clear_bits(0x40000))


@mutation("VM 'guest'", "0x40200000", "region 'ram' at 0x40200000", "found 0x70000000")
def guest_has_the_kernel(e):
    e.change(e.level2("guest:0", 0x40200000), "<Q", lambda value: value & ~boot_image.ADDRESS | e.load)


@mutation("the stack of 'other'", "expected memory of its own", "which is translation tables")
def stack_in_the_tables(e):
    e.change(e.level3("other", 0xFFFFFFB000), "<Q",
             lambda value: value & ~boot_image.ADDRESS | e.root("guest:0"))


@mutation("the stack of 'other'", "expected memory of its own", "the kernel", "0x70000000..")
def stack_in_the_kernel(e):
    e.change(e.level3("other", 0xFFFFFFB000), "<Q", lambda value: value & ~boot_image.ADDRESS | e.load)


@mutation("the stack of 'other'", "the kernel's tables", "memory of its own")
def stack_in_the_thread_table(e):
    e.change(e.level3("other", 0xFFFFFFB000), "<Q",
             lambda value: value & ~boot_image.ADDRESS | e.image.window)


@mutation("the IPC buffer of 'other'", "the IPC buffer of 'driver'")
def buffer_of_another(e):
    e.change(e.level3("other", 0xFFFFFFF000), "<Q",
             lambda value: value & ~boot_image.ADDRESS | e.image.thread("driver").ipc_buffer)


@mutation("PD 'other'", "expected not to be shared with PD 'driver'", "one of them writes it")
def buffer_of_another_by_the_tables_alone(e):
    buffer_of_another(e)


@mutation("the stack of 'driver'", "expected in RAM", "found 0xc0000000")
def stack_beyond_ram(e):
    e.change(e.level3("driver", 0xFFFFFFC000), "<Q", lambda value: value & ~boot_image.ADDRESS | 0xC0000000)


@mutation("the ranges to zero", "row")
def stack_in_memory_that_is_not_zeroed(e):
    e.change(e.level3("driver", 0xFFFFFFC000), "<Q", lambda value: value & ~boot_image.ADDRESS | 0x50000000)


@mutation("PD 'driver'", "0x1000000..0x1001000", "expected region 'ring'", "found nothing")
def page_is_missing(e):
    e.put(e.level3("driver", 0x1000000), "<Q", 0)


@mutation("VM 'guest'", "0x40200000..0x40400000", "expected region 'ram'", "found nothing")
def block_is_missing(e):
    e.put(e.level2("guest:0", 0x40200000), "<Q", 0)


@mutation("PD 'driver'", "0x1003000..0x1004000", "expected nothing", "found 0x40001000", "'rw' cached")
def page_too_many(e):
    e.put(e.level3("driver", 0x1003000), "<Q", 0x40001000 | LEAF)


@mutation("VM 'guest'", "0x40400000..0x40600000", "expected nothing", "found 0x44000000")
def block_too_many(e):
    e.put(e.level2("guest:0", 0x40400000), "<Q", 0x44000000 | LEAF & ~2)


@mutation("PD 'driver'", "0xff7ffff000", "expected nothing")
def pages_a_gib_further_down(e):
    e.put(e.level1("driver", 0xFF40000000), "<Q", e.get(e.level1("driver", 0xFFC0000000)))
    e.put(e.level1("driver", 0xFFC0000000), "<Q", 0)


@mutation("PD 'driver'", "0x1000000", "level 3", "no descriptor")
def page_that_is_not_valid(e):
    e.change(e.level3("driver", 0x1000000), "<Q", clear_bits(1))


@mutation("PD 'driver'", "0x1", "level 2")
def table_with_attributes(e):
    e.change(e.level2("driver", 0x1000000), "<Q", set_bits(1 << 61))  # APTable


@mutation("translation tables", "each used once")
def empty_table_of_another(e):
    e.put(e.level2("other", 0x8000000), "<Q", e.root("guest:0") + PAGE | 3)


@mutation("PD 'other'", "0x1000000..0x1001000", "found 'rx'")
def table_of_another(e):
    e.put(e.level2("other", 0x1000000), "<Q", e.get(e.level2("other", 0x200000)))


@mutation("PD 'other'", "expected", "found")
def root_of_another(e):
    e.put(e.row("other") + 88, "<Q", e.root("driver"))


@mutation("VM 'guest'", "one root")
def vcpu_with_another_root(e):
    e.put(e.row("guest:4") + 88, "<Q", e.root("driver"))


@mutation("PD 'child'", "vmid", "expected 3", "found 1")
def vmid_of_another(e):
    e.put(e.row("child") + 70, "<H", 1)


@mutation("PD 'monitor0'", "ipc_buffer")
def kernel_has_another_buffer(e):
    e.put(e.row("monitor0") + 112, "<Q", e.image.thread("driver").ipc_buffer)


@mutation("PD 'other'", "channel 7", "expected nothing", "interrupt 33, level")
def interrupt_of_two(e):
    e.put(e.row("other") + 384 + 56, "<BBBBHH", 2, 0, 0, 0, 33, 0)


@mutation("PD 'other'", "channel 7", "expected nothing", "interrupt 27")
def interrupt_of_the_kernel(e):
    e.put(e.row("other") + 384 + 56, "<BBBBHH", 2, 0, 0, 0, 27, 0)


@mutation("PD 'other'", "channel 7", "expected nothing", "channel 10 of 'driver' (notify")
def channel_too_many(e):
    e.put(e.row("other") + 384 + 56, "<BBBBHH", 1, 1, 10, 0, 0, 0)


@mutation("the image", "core_count is 1", "highest core is 1")
def core_of_a_pd(e):
    e.put(e.row("child") + 1008, "<I", 1)


@mutation("PD 'child'", "core", "expected 0", "found 1")
def core_of_a_pd_and_the_count(e):
    e.put(e.row("child") + 1008, "<I", 1)
    e.put(e.image.window + CORE_COUNT, "<I", 2)


def turn(e):
    return e.image.tables_end - 2 * boot_image.TURN.size


@mutation("the table of turns", "((1001, 0, 3), (77, 1, 5))")
def turn_is_longer(e):
    e.put(turn(e), "<Q", 1001)


@mutation("the table of turns", "(77, 0, 5)")
def turn_in_microseconds(e):
    e.put(turn(e) + 24, "<I", 0)


@mutation("the table of turns", "(77, 1, 3)")
def turn_of_another_domain(e):
    e.put(turn(e) + 28, "<I", 3)


@mutation("the table of turns", "expected ((1000, 0, 3), (77, 1, 5))", "found ((1000, 0, 3))")
def one_turn_less(e):
    e.put(e.image.window + TURN_COUNT, "<I", 1)


@mutation("the thread table", "rows", "expected 6", "found 5")
def one_thread_less(e):
    # What is behind the table moves up with it, as in a table that has a row less.
    end = e.image.tables_end - e.load
    start = e.row("guest:4") - e.load
    size = boot_image.THREAD.size
    e.new[start:end] = e.new[start + size:end] + bytes(size)
    e.put(e.image.window + THREAD_COUNT, "<I", 5)
    for field in (ZERO, TURNS):
        e.change(e.image.window + field, "<Q", lambda value: value - size)


def zero_row(e, index):
    return e.get(e.image.window + ZERO) + index * boot_image.RANGE.size


@mutation("the ranges to zero", "row 0: expected ((0x40000000, 0x40410000))", "((0x40000000, 0x4040f000))")
def memory_that_is_not_zeroed(e):
    e.change(zero_row(e, 0) + 8, "<Q", lambda value: value - PAGE)


@mutation("the ranges to zero", "row 0")
def zeroing_of_nobodys_memory(e):
    e.change(zero_row(e, 0) + 8, "<Q", lambda value: value + PAGE)


@mutation("the ranges to zero", "row 0")
def zeroing_of_a_device(e):
    e.put(zero_row(e, 0), "<Q", 0x9000000)


@mutation("the program of 'child'", "expected 0x43", "found 0x58")
def code_is_another(e):
    e.put(e.place("child", elf_file.CODE), "<B", 88)


@mutation("the program of 'driver'", "expected 0x6", "found 0x7")
def program_believes_in_another_interrupt(e):
    e.put(e.place("driver", elf_file.DATA) + elf_file.VARIABLES["microkit_irqs"][0] % PAGE, "<B", 7)


@mutation("the program of 'monitor0'", "byte at")
def program_may_call_on_another_channel(e):
    at = e.place("monitor0", elf_file.DATA) + elf_file.VARIABLES["microkit_pps"][0] % PAGE
    e.change(at, "<Q", set_bits(1))


@mutation("PD 'driver'", "variable at 0x201160", "region 'dma'")
def address_for_a_device_is_another(e):
    e.change(e.place("driver", elf_file.DATA) + elf_file.VARIABLES["first"][0] % PAGE, "<Q",
             lambda value: value + PAGE)


@mutation("region 'file'", "expected", "found 0x0")
def file_is_another(e):
    e.put(e.place("monitor0", 0x5001000) + 3, "<B", 0)


@mutation("the kernel", "byte at 0x70000010")
def kernel_is_another(e):
    e.change(e.load + 16, "<B", lambda value: value ^ 1)


@mutation("nobody's memory", "found 0x5")
def memory_of_the_kernels_bss_is_not_zero(e):
    e.put(e.load + 0x2000, "<B", 5)


@mutation("the IPC buffer of 'child'", "found 0x6")
def buffer_is_not_zero(e):
    e.put(e.image.thread("child").ipc_buffer + 8, "<B", 6)


@mutation("the header", "window_end")
def window_is_larger(e):
    e.change(e.image.window + WINDOW_END, "<Q", lambda value: value + PAGE)


@mutation("the image", "magic")
def header_is_elsewhere(e):
    e.change(e.load + PAGE, "<Q", lambda value: value + PAGE)


@mutation("the image", "system_header_pa is 0x70000000")
def header_is_in_the_kernel(e):
    e.put(e.load + PAGE, "<Q", e.load)


@mutation("the image", "image_end is")
def image_is_longer(e):
    e.change(e.image.window + IMAGE_END, "<Q", lambda value: value + PAGE)


@pytest.mark.parametrize("name", MUTATIONS)
def test_changed_image(example, name):
    change, expected = MUTATIONS[name]
    example.reset()
    change(example)
    assert example.new != example.data
    findings = example.findings()
    assert any(all(text in finding for text in expected) for finding in findings), findings


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_image_that_is_cut_off(tool, pages):
    """A file's last pages are not in the image, and all else is as if they had no contents."""
    tool.write("fill", b"fill" * (3 * PAGE // 4))
    image = tool.good(system('<memory_region name="file" prefill_path="fill" phys_addr="0x70100000"/>',
                             pd("a", '<map mr="file" vaddr="0x1000000"/>')))
    assert image.image_end == 0x70103000 and len(image.zeros) == 1 and not image.turns
    end = image.image_end - pages * PAGE
    data = bytearray(tool.image.read_bytes()[:-pages * PAGE])
    struct.pack_into("<QQ", data, image.tables_end - image.load, end, pages * PAGE)
    for at, form, value in ((ZERO_COUNT, "<I", 2), (IMAGE_END, "<Q", end),
                            (TURNS, "<Q", image.tables_end + boot_image.RANGE.size)):
        struct.pack_into(form, data, image.window - image.load + at, value)
    (finding,) = tool.checker().check(bytes(data))
    assert finding == ("region 'file': expected what it holds in the image, which ends at "
                       f"{end:#x}, found it at 0x70100000")


# ---- Bits that are flipped ----

def tables_of(example):
    """Addresses of the 64-bit words that the kernel and the processor read, and of those that are not 0."""
    tables = []
    for root in {thread.root for thread in example.image.threads}:
        list(example.image.walk(root, tables))
    window = range(example.image.window, example.image.window_end, 8)
    words = [*window, *(at for table in tables for at in range(table, table + PAGE, 8))]
    return words, [at for at in words if example.get(at)]


def test_flipped_bits(example):
    """Each is found. There is none that may be as it likes."""
    example.reset()
    words, used = tables_of(example)
    assert len(words) > 20000 and len(used) > 300
    everything = range(example.load, example.image.image_end, 8)
    for seed in range(SEED, SEED + count_of(FLIPS)):
        chance = random.Random(seed)
        at = chance.choice(chance.choices((used, words, everything), (5, 4, 1))[0])
        bit = chance.randrange(64)
        example.change(at, "<Q", lambda value: value ^ 1 << bit)
        assert example.findings(), f"IMAGE_SEED={seed}: bit {bit} of the word at {at:#x}"
        example.change(at, "<Q", lambda value: value ^ 1 << bit)
    assert example.findings() == []


# ---- Descriptions that are not what the image says ----

@pytest.mark.parametrize("before, after, expected", [
    ('vaddr="0x3000000" perms="r"', 'vaddr="0x3000000" perms="rw"', "PD 'monitor0': 0x3000000"),
    ('<map mr="ring" vaddr="0x1000000"/>', "", "PD 'driver': 0x1000000..0x1003000: expected nothing"),
    ('irq="33" id="1"', 'irq="34" id="1"', "PD 'driver': channel 1: expected interrupt 34, level"),
    ('phys_addr="0x9000000"', 'phys_addr="0x9001000"', "found 0x9000000"),
    ('phys_addr="0x9000000"', 'phys_addr="0x8010000"', "found 0x9000000"),
    ('id="21"/>', 'id="21" notify="false"/>', "PD 'other': channel 21"),
    ('page_size="0x200000"', 'page_size="0x1000"', "expected pages, found the others"),
    ('name="ring" size="0x3000"', 'name="ring" size="0x2000"', "0x1002000..0x1003000: expected nothing"),
    ('budget="700"', 'budget="701"', "VM 'guest': vCPU 0: budget: expected 701, found 700"),
    ('size="0x4000" prefill_path', 'size="0x5000" prefill_path', "expected region 'file', found nothing"),
    # These are mistakes that the tool refuses.
    ('irq="33" id="1"', 'irq="27" id="1"', "interrupt 27: expected to be free for it, found that it is none"),
    ('irq="33" id="1"', 'irq="40" id="1"', "interrupt 40: expected to be free for it, found that 'driver'"),
    ('priority="100" budget', 'priority="200" budget', "channel 11: expected a call to a higher priority"),
    ('priority="100" budget', 'cpu="1" priority="100" budget', "'driver', which is passive, on core 1"),
])
def test_another_description(example, before, after, expected):
    assert EXAMPLE.count(before) == 1, before
    path = example.tool.write("another.system", EXAMPLE.replace(before, after))
    other = ImageCheck(path, example.tool.sdk / "board" / BOARD / "debug/elf/kernel.elf",
                       [example.tool.directory])
    findings = other.check(example.data)
    assert any(expected in finding for finding in findings), findings


def test_large_pages_must_be_blocks(tool):
    """A region of large pages that is mapped by small ones, and the other way round."""
    text = system('<memory_region name="m" size="0x400000" page_size="{}"/>',
                  pd("a", '<map mr="m" vaddr="0x40000000"/>'))
    for has, says in (("0x1000", "0x200000"), ("0x200000", "0x1000")):
        tool.good(text.replace("{}", has))
        data = tool.image.read_bytes()
        tool.write("test.system", text.replace("{}", says))
        (finding,) = tool.checker().check(data)
        assert f"expected {'blocks' if says == '0x200000' else 'pages'}, found the others" in finding


# ---- The program ----

def test_command(example, capsys):
    words = [str(example.tool.image), str(example.tool.directory / "test.system"), "--kernel",
             str(example.tool.sdk / "board" / BOARD / "debug/elf/kernel.elf"), "--search-path",
             str(example.tool.directory)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "5 address spaces, 25 mappings" in said and said.count("\n") == 1
    example.reset()
    example.put(example.row("child") + 66, "<B", 7)
    bad = example.tool.write("bad.img", bytes(example.new))
    assert main([str(bad), *words[1:]]) == 1
    assert capsys.readouterr().out == f"{bad}: PD 'child': priority: expected 0, found 7\n"


def test_command_reads_elf_images(tool):
    text = system(pd("a"))
    assert tool.build(text, "--image-type", "elf", "-o", "loader.img").returncode == 0
    tool.load()
    assert tool.image.read_bytes()[:4] == b"\x7fELF"
