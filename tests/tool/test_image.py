# SPDX-License-Identifier: BSD-2-Clause
"""Images of good systems, read back: every table entry, every byte, every thread."""

import elf_file
import pytest
from boot_image import LOAD_ADDRESS, NONE, PAGE

IPC_BUFFER = 0xFFFFFFF000
STACK_TOP = 0xFFFFFFE000
RAM = range(0x40000000, 0xC0000000)
MIB = 1 << 20


def pd(name, inside="", **attributes):
    text = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return (
        f'<protection_domain name="{name}"{text}><program_image path="test.elf"/>{inside}'
        f"</protection_domain>\n"
    )


def system(*parts):
    return '<?xml version="1.0" encoding="UTF-8"?>\n<system>\n' + "\n".join(parts) + "</system>\n"


class Space:
    """What a test knows of an address space, to be compared with its tables page by page."""

    def __init__(self, image, thread):
        self.image = image
        self.pages = image.pages(thread.root)
        self.seen = set()

    def expect(self, vaddr, size, perms, cached=True, blocks=None, address=None):
        """This range is mapped so; returns the physical addresses of its pages."""
        result = []
        for at in range(vaddr, vaddr + size, PAGE):
            assert at in self.pages, hex(at)
            page = self.pages[at]
            assert page.perms == perms and page.cached == cached, hex(at)
            assert blocks is None or page.block == blocks, hex(at)
            assert address is None or page.address == address + at - vaddr
            result.append(page.address)
            self.seen.add(at)
        return result

    def expect_pd(self, thread, stack=0x2000, bss=0):
        """Program, stack and IPC buffer of a protection domain."""
        assert thread.entry == elf_file.CODE
        assert thread.stack_top == STACK_TOP
        assert thread.ipc_buffer_vaddr == IPC_BUFFER
        code = self.expect(elf_file.CODE, PAGE, "rx")
        data = self.expect(elf_file.DATA, PAGE + bss, "rw")
        stack = self.expect(STACK_TOP - stack, stack, "rw")
        ipc = self.expect(IPC_BUFFER, PAGE, "rw")
        assert ipc == [thread.ipc_buffer]
        assert self.image.window <= ipc[0] < self.image.window_end
        for address in stack + data[1:]:
            assert self.image.is_zeroed(address)
        return code + data + stack + ipc

    def expect_no_more(self):
        assert self.seen == set(self.pages)


def check_memory(image, *groups):
    """No two of these lists of pages share memory; what is zeroed is not in the image."""
    pages = [address for group in groups for address in group]
    assert len(pages) == len(set(pages))
    for base, size in image.zeros:
        assert base % PAGE == 0 and size % PAGE == 0 and size > 0
        assert base >= image.image_end or base + size <= LOAD_ADDRESS
        assert base in RAM and base + size - 1 in RAM
    for before, after in zip(image.zeros, image.zeros[1:]):
        assert before[0] + before[1] < after[0], "merged and ascending"


def test_smallest(tool):
    image = tool.good(system(pd("one")))
    (thread,) = image.threads
    assert (thread.name, thread.kind, thread.flags, thread.priority) == ("one", 0, 0, 0)
    assert (thread.budget, thread.period) == (1000, 1000)
    assert (thread.parent, thread.vmid, thread.child_id) == (NONE, 1, 0)
    assert not thread.child_pds and not thread.child_vcpus and not thread.channels
    space = Space(image, thread)
    check_memory(image, space.expect_pd(thread))
    space.expect_no_more()
    assert image.at(LOAD_ADDRESS, 4000) == b"KERN" * 1000
    assert image.at(LOAD_ADDRESS + 0x1008, 4) == b"data"
    assert image.window >= LOAD_ADDRESS + 0x3000, "the kernel's .bss is not overlaid"
    assert image.memory(space.pages, elf_file.CODE, 64) == b"CODE" * 16
    assert image.memory(space.pages, elf_file.DATA, 256) == b"DATA" * 64
    assert len(tool.image.read_bytes()) < 0x20000


def test_threads(tool):
    image = tool.good(
        system(
            pd(
                "parent",
                pd("child", pd("grandchild", id=3), id=61, priority=254, budget=20, period=300)
                + '<virtual_machine name="guest" priority="5" budget="50" period="60">'
                '<vcpu id="0"/><vcpu id="7" cpu="0"/></virtual_machine>',
                priority="0x10",
                passive="true",
            ),
            pd(
                "other",
                '<virtual_machine name="single"><vcpu id="9"/></virtual_machine>',
                smc="true",
                fpu="false",
                cpu="0",
                budget="1_000",
            ),
        )
    )
    assert [t.name for t in image.threads] == [
        "parent",
        "child",
        "grandchild",
        "other",
        "guest:0",
        "guest:7",
        "single",
    ]
    parent, child, grandchild, other, guest0, guest7, single = image.threads
    assert (parent.priority, parent.flags, parent.parent) == (16, 1, NONE)
    assert parent.child_pds == {61: 1} and parent.child_vcpus == {0: 4, 7: 5}
    assert (child.parent, child.child_id, child.priority) == (0, 61, 254)
    assert (child.budget, child.period) == (20, 300)
    assert child.child_pds == {3: 2} and (grandchild.parent, grandchild.child_id) == (1, 3)
    assert other.flags == 2 | 4 and other.budget == 1000 and other.child_vcpus == {9: 6}
    assert [(t.kind, t.parent, t.child_id) for t in (guest0, guest7, single)] == [
        (1, 0, 0),
        (1, 0, 7),
        (1, 3, 9),
    ]
    assert (guest7.priority, guest7.budget, guest7.period) == (5, 50, 60)
    assert guest0.root == guest7.root and guest0.vmid == guest7.vmid
    roots = {t.root for t in image.threads}
    assert len(roots) == len({t.vmid for t in image.threads}) == 6
    assert 0 not in {t.vmid for t in image.threads}
    assert image.pages(single.root) == {}


def test_channels(tool):
    image = tool.good(
        system(
            pd("low", '<irq irq="33" id="1"/><irq irq="100" id="61" trigger="edge"/>', priority=1),
            pd("high", priority=2),
            '<channel><end pd="low" id="0" pp="true"/>'
            '<end pd="high" id="60" notify="false"/></channel>',
            '<channel><end pd="high" id="5"/><end pd="low" id="6" notify="false"/></channel>',
        )
    )
    low, high = image.thread("low"), image.thread("high")
    # kind (1: PD, 2: interrupt), flags (1: notify, 2: call, 4: edge), peer, its channel
    assert low.channels == {
        0: (1, 1 | 2, 1, 60),
        1: (2, 0, 33, 0),
        6: (1, 0, 1, 5),
        61: (2, 4, 100, 0),
    }
    assert high.channels == {60: (1, 0, 0, 0), 5: (1, 1, 0, 6)}


def variable(image, thread, name):
    address, size = elf_file.VARIABLES[name]
    return int.from_bytes(image.memory(image.pages(thread.root), address, size), "little")


def test_capabilities(tool):
    """<cspace>: of PDs before and behind it, of children, of itself; any slot."""
    image = tool.good(system(
        pd("a", """<cspace>
            <cap_tcb slot="1" pd="c"/> <cap_sc slot="0x3f" pd="a"/> <cap_vspace pd="b" slot="+2"/>
            <!-- The same twice. --> <cap_tcb slot="5" pd="c"/>
            </cspace>""", priority=3),
        pd("b", "<cspace/>" + pd("c", '<cspace><cap_sc slot="7" pd="a"/></cspace>', id=1)),
        pd("d"),
    ))
    names = [thread.name for thread in image.threads]
    tcb, sc, vspace = 1, 2, 3
    assert [{slot: (kind, names[index]) for slot, (kind, index) in thread.caps.items()}
            for thread in image.threads] == [
        {1: (tcb, "c"), 2: (vspace, "b"), 5: (tcb, "c"), 63: (sc, "a")}, {}, {7: (sc, "a")}, {}]
    report = tool.report.read_text()
    for line in ("  slot  1: the thread of 'c'\n", "  slot  2: the address space of 'b'\n",
                 "  slot 63: the scheduling context of 'a'\n"):
        assert report.count(line) == 1, line


def test_variables(tool):
    image = tool.good(
        system(
            pd("low", '<irq irq="33" id="1"/><irq irq="34" id="61"/>', priority=1),
            pd("high", priority=2, passive="true"),
            '<channel><end pd="low" id="2" pp="true" notify="false"/>'
            '<end pd="high" id="60"/></channel>',
            '<channel><end pd="low" id="3"/><end pd="high" id="0" notify="false"/></channel>',
        )
    )
    low, high = image.thread("low"), image.thread("high")
    assert variable(image, low, "microkit_name").to_bytes(64, "little") == b"low".ljust(64, b"\0")
    assert variable(image, low, "microkit_passive") == 0
    assert variable(image, high, "microkit_passive") == 1
    assert variable(image, low, "microkit_irqs") == 1 << 1 | 1 << 61
    assert variable(image, low, "microkit_notifications") == 1 << 3
    assert variable(image, low, "microkit_pps") == 1 << 2
    assert variable(image, high, "microkit_irqs") == 0
    assert variable(image, high, "microkit_notifications") == 1 << 60
    assert variable(image, high, "microkit_pps") == 0


def test_setvar_of_maps(tool):
    tool.write("fill", b"x" * 4097)
    image = tool.good(
        system(
            '<memory_region name="m" prefill_path="fill" size="0x5_000"/>',
            pd(
                "a",
                '<map mr="m" vaddr="0x10000000" setvar_vaddr="first" setvar_size="second" '
                'setvar_prefill_size="third"/>',
            ),
        )
    )
    (thread,) = image.threads
    assert [variable(image, thread, n) for n in ("first", "second", "third")] == [
        0x10000000,
        0x5000,
        4097,
    ]


def test_setvar_of_ids(tool):
    image = tool.good(
        system(
            pd(
                "a",
                '<irq irq="40" id="9" setvar_id="first"/>' + pd("child", id=4, setvar_id="second"),
            ),
            pd("b", '<virtual_machine name="v"><vcpu id="8" setvar_id="third"/></virtual_machine>'),
            '<channel><end pd="a" id="33" setvar_id="third"/>'
            '<end pd="b" id="44" setvar_id="first"/></channel>',
        )
    )
    a, b = image.thread("a"), image.thread("b")
    assert [variable(image, a, n) for n in ("first", "second", "third")] == [9, 4, 33]
    assert [variable(image, b, n) for n in ("first", "third")] == [44, 8]


def test_setvar_of_physical_addresses(tool):
    image = tool.good(
        system(
            '<memory_region name="dma" size="0x3000"/>',
            '<memory_region name="uart" size="0x1000" phys_addr="0x9000000"/>',
            '<memory_region name="alone" size="0x1000"/>',
            pd(
                "a",
                '<setvar symbol="first" region_paddr="dma"/>'
                '<setvar symbol="second" region_paddr="uart"/>'
                '<setvar symbol="third" region_paddr="alone"/>'
                '<map mr="alone" vaddr="0x50000000"/>'
                '<map mr="uart" vaddr="0x51000000" cached="false"/>',
            ),
            pd("b", '<map mr="dma" vaddr="0x10000000"/>'),
        )
    )
    a, b = image.thread("a"), image.thread("b")
    dma = variable(image, a, "first")
    assert variable(image, a, "second") == 0x9000000
    pages = image.pages(b.root)
    assert [pages[0x10000000 + i * PAGE].address for i in range(3)] == [
        dma,
        dma + PAGE,
        dma + 2 * PAGE,
    ]
    assert image.pages(a.root)[0x50000000].address == variable(image, a, "third")


def test_symbols_of_another_file(tool):
    tool.write("stripped.elf", elf_file.program(symbols={}))
    image = tool.good(
        system(
            '<protection_domain name="a">'
            '<program_image path="stripped.elf" path_for_symbols="test.elf"/>'
            '<irq irq="40" id="9" setvar_id="first"/></protection_domain>'
        )
    )
    assert variable(image, image.threads[0], "first") == 9


def test_maps(tool):
    tool.write("fill", bytes(range(256)) * 64)
    image = tool.good(
        system(
            '<memory_region name="small" size="0x3000"/>',
            '<memory_region name="large" size="0x400000"/>',
            '<memory_region name="explicit" size="0x200000" page_size="0x200000"/>',
            '<memory_region name="paged" size="0x200000" page_size="0x1000"/>',
            '<memory_region name="file" prefill_path="fill"/>',
            '<memory_region name="device" size="0x2000" phys_addr="0x0a000000"/>',
            '<memory_region name="there" size="0x200000" phys_addr="0x60000000"/>',
            pd(
                "a",
                '<map mr="small" vaddr="0x10000000"/>'
                '<map mr="large" vaddr="0x10200000" perms="r"/>'
                '<map mr="explicit" vaddr="0x20000000" perms="rwx"/>'
                '<map mr="paged" vaddr="0x20200000" perms="rx"/>'
                '<map mr="file" vaddr="0x20400000" perms="r"/>'
                '<map mr="device" vaddr="0x20404000" cached="false"/>'
                '<map mr="there" vaddr="0x30000000" perms="x"/>',
                stack_size="0x1000000",
            ),
            pd(
                "b",
                '<map mr="large" vaddr="0xfffe800000"/>'
                '<map mr="small" vaddr="0x1000" cached="false"/>'
                '<map mr="file" vaddr="0x4000" perms="rw"/>'
                '<virtual_machine name="v"><vcpu id="0"/><map mr="large" vaddr="0x40001000"/>'
                '<map mr="explicit" vaddr="0xffffe00000"/><map mr="device" vaddr="0" perms="rw" '
                'cached="false"/></virtual_machine>',
            ),
        )
    )
    a, b, v = image.threads
    in_a = Space(image, a)
    small = in_a.expect(0x10000000, 0x3000, "rw", blocks=False)
    large = in_a.expect(0x10200000, 0x400000, "r", blocks=True)
    explicit = in_a.expect(0x20000000, 0x200000, "rwx", blocks=True)
    paged = in_a.expect(0x20200000, 0x200000, "rx", blocks=False)
    file = in_a.expect(0x20400000, 0x4000, "r", blocks=False)
    in_a.expect(0x20404000, 0x2000, "rw", cached=False, address=0x0A000000)
    there = in_a.expect(0x30000000, 0x200000, "x", blocks=True, address=0x60000000)
    own_a = in_a.expect_pd(a, stack=16 * MIB)
    in_a.expect_no_more()

    in_b = Space(image, b)
    assert in_b.expect(0xFFFE800000, 0x400000, "rw", blocks=True) == large
    assert in_b.expect(0x1000, 0x3000, "rw", cached=False) == small
    assert in_b.expect(0x4000, 0x4000, "rw") == file
    own_b = in_b.expect_pd(b)
    in_b.expect_no_more()

    in_v = Space(image, v)
    assert in_v.expect(0x40001000, 0x400000, "rw", blocks=False) == large
    assert in_v.expect(0xFFFFE00000, 0x200000, "rw", blocks=True) == explicit
    in_v.expect(0, 0x2000, "rw", cached=False, address=0x0A000000)
    in_v.expect_no_more()

    check_memory(image, small, large, explicit, paged, file, there, own_a, own_b)
    for address in small + large + explicit + paged + there:
        assert image.is_zeroed(address)
    assert image.memory(in_b.pages, 0x4000, 0x4000) == bytes(range(256)) * 64
    assert not any(base <= 0x0A000000 < base + size for base, size in image.zeros)


def test_prefilled_once(tool):
    tool.write("fill", b"once" * (MIB // 4))
    parts = [pd(f"p{i}", '<map mr="file" vaddr="0x20000000" perms="r"/>') for i in range(8)]
    image = tool.good(system('<memory_region name="file" prefill_path="fill"/>', *parts))
    assert len(image.data) < 2 * MIB
    addresses = {image.pages(t.root)[0x20000000].address for t in image.threads}
    assert len(addresses) == 1


@pytest.mark.parametrize("contiguous", [False, True])
def test_prefilled_head_of_large_region(tool, contiguous):
    tool.write("fill", b"head" * 0x90000)  # 2.25 MiB
    tool.write("other", b"other" * 1000)
    setvar = '<setvar symbol="first" region_paddr="ram"/>' if contiguous else ""
    image = tool.good(
        system(
            '<memory_region name="ram" size="0x10000000" prefill_path="fill"/>',
            '<memory_region name="o" prefill_path="other"/>',
            pd("a", f'<map mr="ram" vaddr="0x40000000"/><map mr="o" vaddr="0x1000000"/>{setvar}'),
        )
    )
    assert len(image.data) < 5 * MIB
    (thread,) = image.threads
    space = Space(image, thread)
    ram = space.expect(0x40000000, 0x10000000, "rw")
    other = space.expect(0x1000000, 0x2000, "rw")
    check_memory(image, ram, other, space.expect_pd(thread))
    space.expect_no_more()
    assert space.pages[0x40000000].block and space.pages[0x4FFFF000].block
    assert image.memory(space.pages, 0x40000000, 0x240000) == b"head" * 0x90000
    assert all(image.is_zeroed(address) for address in ram[0x240:])
    if contiguous:
        assert ram == list(range(ram[0], ram[0] + 0x10000000, PAGE))
        assert variable(image, thread, "first") == ram[0]


def test_prefilled_at_fixed_address(tool):
    tool.write("fill", b"fixed" * 1000)
    image = tool.good(
        system(
            '<memory_region name="m" size="0x4000" prefill_path="fill" phys_addr="0x70100000"/>',
            pd("a", '<map mr="m" vaddr="0x1000000"/>'),
        )
    )
    pages = image.pages(image.threads[0].root)
    assert pages[0x1000000].address == 0x70100000
    assert image.memory(pages, 0x1000000, 5000) == b"fixed" * 1000
    assert image.is_zeroed(0x70102000) and image.is_zeroed(0x70103000)


def test_fixed_region_amid_the_image(tool):
    """The image goes around RAM that a region asks for."""
    tool.write("fill", b"fill" * (MIB // 4))
    image = tool.good(
        system(
            '<memory_region name="there" size="0x1000" phys_addr="0x70080000"/>',
            '<memory_region name="file" prefill_path="fill"/>',
            pd("a", '<map mr="there" vaddr="0x1000000"/><map mr="file" vaddr="0x2000000"/>'),
        )
    )
    (thread,) = image.threads
    space = Space(image, thread)
    there = space.expect(0x1000000, PAGE, "rw", address=0x70080000)
    file = space.expect(0x2000000, MIB, "rw")
    check_memory(image, there, file, space.expect_pd(thread))
    assert image.is_zeroed(0x70080000)
    assert image.memory(space.pages, 0x2000000, MIB) == b"fill" * (MIB // 4)


def test_bss_is_not_stored(tool):
    tool.write("test.elf", elf_file.program(bss=32 * MIB - 0x200))
    image = tool.good(system(pd("a"), pd("b")))
    assert len(image.data) < MIB
    own = []
    for thread in image.threads:
        space = Space(image, thread)
        own.append(space.expect_pd(thread, bss=32 * MIB - PAGE))
        space.expect_no_more()
        assert space.pages[0x400000].block
    check_memory(image, *own)


def test_two_large_guests_in_one_gib(tool):
    parts = []
    for i in range(2):
        parts.append(f'<memory_region name="ram{i}" size="0x10000000"/>')
        parts.append(
            pd(
                f"vmm{i}",
                f'<map mr="ram{i}" vaddr="0x40000000"/><virtual_machine name="vm{i}">'
                f'<vcpu id="0"/><map mr="ram{i}" vaddr="0x40000000" perms="rwx"/>'
                "</virtual_machine>",
            )
        )
    image = tool.good(system(*parts))
    assert len(image.data) < MIB
    highest = image.image_end
    groups = []
    for i in range(2):
        inside = Space(image, image.thread(f"vm{i}"))
        ram = inside.expect(0x40000000, 256 * MIB, "rwx", blocks=True)
        inside.expect_no_more()
        outside = Space(image, image.thread(f"vmm{i}"))
        assert outside.expect(0x40000000, 256 * MIB, "rw", blocks=True) == ram
        groups += [ram, outside.expect_pd(image.thread(f"vmm{i}"))]
        highest = max(highest, max(ram) + PAGE)
    check_memory(image, *groups)
    assert highest <= 0x40000000 + 1024 * MIB
    assert all(image.is_zeroed(address) for address in groups[0])
    report = tool.report.read_text()
    assert f"memory needed: {(highest - 0x40000000 + MIB - 1) // MIB} MiB" in report


def test_a_gib_of_regions(tool):
    """What does not fit below the image goes above it."""
    image = tool.good(
        system(
            '<memory_region name="x" size="0x28000000"/>',
            '<memory_region name="y" size="0x40000000"/>',
            pd("a", '<map mr="x" vaddr="0x40000000"/><map mr="y" vaddr="0x80000000"/>'),
        )
    )
    space = Space(image, image.threads[0])
    check_memory(
        image,
        space.expect(0x40000000, 0x28000000, "rw"),
        space.expect(0x80000000, 0x40000000, "rw"),
        space.expect_pd(image.threads[0]),
    )


def test_many(tool):
    """As much of everything as there may be."""
    parts = [f'<memory_region name="m{i}" size="0x{1 + i % 5:x}000"/>' for i in range(100)]
    for i in range(62):
        maps = "".join(
            f'<map mr="m{j}" vaddr="0x{0x1000000 + (i * 7 + j) * 0x10000:x}"/>' for j in range(100)
        )
        parts.append(pd(f"p{i}", maps, priority=i))
    parts.append(pd("hub", priority=100))
    for i in range(62):
        parts.append(
            f'<channel><end pd="hub" id="{i}"/><end pd="p{i}" id="{61 - i}" pp="true"/></channel>'
        )
    image = tool.good(system(*parts))
    assert len(image.threads) == 63
    assert len(image.thread("hub").channels) == 62
    regions = None
    for i in range(62):
        space = Space(image, image.thread(f"p{i}"))
        found = [
            space.expect(0x1000000 + (i * 7 + j) * 0x10000, PAGE * (1 + j % 5), "rw")
            for j in range(100)
        ]
        assert regions in (None, found)
        regions = found
        space.expect_pd(image.thread(f"p{i}"))
        space.expect_no_more()
    check_memory(image, *regions)


def test_255_threads(tool):
    parts = []
    for i in range(4):
        vcpus = "".join(f'<vcpu id="{j}"/>' for j in range(62))
        parts.append(pd(f"p{i}", f'<virtual_machine name="v{i}">{vcpus}</virtual_machine>'))
    image = tool.good(system(*parts, pd("x"), pd("y"), pd("z")))
    assert len(image.threads) == 255
    assert len({t.vmid for t in image.threads}) == 11


def test_ipc_buffer_behind_the_program(tool):
    symbols = {**elf_file.VARIABLES, "__sel4_ipc_buffer_obj": (elf_file.DATA + PAGE, 0)}
    tool.write("test.elf", elf_file.program(symbols=symbols))
    image = tool.good(system(pd("a")))
    (thread,) = image.threads
    assert thread.ipc_buffer_vaddr == elf_file.DATA + PAGE
    assert image.pages(thread.root)[elf_file.DATA + PAGE].address == thread.ipc_buffer
    assert IPC_BUFFER not in image.pages(thread.root)


def test_segment_off_a_page_boundary(tool):
    segments = [(0x200000, 5, b"CODE", 4), (0x201F80, 6, b"DATA" * 4, 0x200)]
    symbols = {"microkit_name": (0x202000, 64)}
    tool.write("test.elf", elf_file.elf(segments, symbols, 0x200000))
    image = tool.good(system(pd("name")))
    pages = image.pages(image.threads[0].root)
    assert image.memory(pages, 0x201F80, 16) == b"DATA" * 4
    assert image.memory(pages, 0x201000, 0xF80) == bytes(0xF80)
    assert image.memory(pages, 0x202000, 8) == b"name\0\0\0\0"


def test_same_input_same_bytes(tool):
    text = system(
        '<memory_region name="m" size="0x1000"/>', pd("a", '<map mr="m" vaddr="0x1000"/>'), pd("b")
    )
    first = tool.good(text).data
    report = tool.report.read_bytes()
    assert tool.good(text).data == first
    assert tool.report.read_bytes() == report


def test_elf_image(tool):
    flat = tool.good(system(pd("a"))).data
    result = tool.build(system(pd("a")), "--image-type", "elf", "-o", "image.elf")
    assert result.returncode == 0
    data = (tool.directory / "image.elf").read_bytes()
    assert data[:4] == b"\x7fELF"
    assert int.from_bytes(data[24:32], "little") == LOAD_ADDRESS
    assert data[0x1000:] == flat


def test_report(tool):
    tool.good(
        system(
            '<memory_region name="uart" size="0x1000" phys_addr="0x9000000"/>',
            pd(
                "driver",
                '<map mr="uart" vaddr="0x1000000" cached="false"/><irq irq="33" id="7"/>',
                priority=3,
                passive="true",
            ),
            pd(
                "client",
                '<virtual_machine name="guest"><vcpu id="5"/></virtual_machine>',
                priority=2,
            ),
            '<channel><end pd="driver" id="0"/><end pd="client" id="1" pp="true"/></channel>',
        )
    )
    report = tool.report.read_text()
    for text in (
        "# test.system on qemu_virt_aarch64, debug",
        "memory needed: 769 MiB",
        "-m 769M",
        "# Protection domain 'driver'",
        "channel  7: interrupt 33, level",
        "passive",
        "priority 3, budget 1000 us of every 1000 us",
        "memory region 'uart' (device, fixed)",
        "0x0001000000..0x0001001000        4 KiB  rw- uncached -> 0x0009000000  "
        "memory region 'uart'",
        "channel  1: to 'driver' (its channel 0), may notify, may call",
        "# Virtual machine 'guest' of 'client'",
        "vCPU 5",
        "stage-2 tables of 3 address spaces",
    ):
        assert text in report, text


def test_unused_region_is_a_warning(tool):
    result = tool.build(system('<memory_region name="m" size="0x1000"/>', pd("a")))
    assert result.returncode == 0
    assert result.stderr == (
        "microkit: test.system:3: <memory_region name='m'>: warning: "
        "nothing maps this memory region\n"
    )
    assert "'m'" not in tool.report.read_text()
