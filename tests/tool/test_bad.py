# SPDX-License-Identifier: BSD-2-Clause
"""What the tool refuses: the systems in bad/, and bad programs, files and command lines."""

import os
import pathlib
import random
import resource
import struct

import elf_file
import pytest
from conftest import BOARD, write_config
from test_image import pd, system

BAD = pathlib.Path(__file__).parent / "bad"
EXPECTED = dict(line.split(": ", 1) for line in (BAD / "expected.txt").read_text().splitlines())


def test_all_bad_systems_have_a_message():
    assert set(EXPECTED) == {path.stem for path in BAD.glob("*.system")}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_system(tool, name):
    tool.write("empty.bin", b"")
    tool.write("page_and_a_byte.bin", b"x" * 4097)
    assert tool.bad((BAD / f"{name}.system").read_text()) == f"test.system:{EXPECTED[name]}"


def test_entity_bomb_is_not_expanded(tool):
    entities = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 100}">' for i in range(20))
    message = tool.bad(f'<!DOCTYPE system [<!ENTITY e0 "x">{entities}]><system>&e20;</system>')
    assert "document type declarations and entities are not accepted" in message


def test_deep_nesting(tool):
    message = tool.bad("<system>" + "<protection_domain>" * 50000)
    assert message.startswith("test.system:1: no well-formed XML")


def test_what_a_description_costs_is_bounded(tool):
    """Counts by which libxml2's work, or the tool's, grows with their square."""
    attributes = " ".join(f'a{i}=""' for i in range(90000))
    spaces = " ".join(f'xmlns:a{i}="b"' for i in range(50000))
    regions = [f'<memory_region name="a{i}" size="0x1000"/>' for i in range(14000)]
    symbols = "".join(f'<setvar symbol="x{i}" region_paddr="a1"/>' for i in range(20000))
    comment = f"<!--{'x' * 400000}-->"
    for text, expected in (
        (f"<system {attributes}/>", "1: a tag, or what is between two, of more than 16 KiB"),
        (f"<system>\n<x {spaces}/></system>", "2: a tag, or what is between two, of more than 16 KiB"),
        (f"<system>{' ' * 20000}</system>", "1: a tag, or what is between two, of more than 16 KiB"),
        (system(comment + "".join(regions), "<x/>"), "<x>: unknown element"),
        (system(regions[1], pd("a", symbols)), "has no symbol 'x0'"),
    ):
        begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        message = tool.bad(text)
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin < 10, expected
        assert expected in message


def test_long_lines(tool):
    """All in one line, or each attribute in its own, and comments of any size."""
    tool.good(system(f"<!--{'<a ' * 100000}-->", pd("a")))
    tool.good(system(pd("a")).replace("\n", " ").replace(" ", "\n" * 50))


def test_too_many_pds(tool):
    message = tool.bad(system(*(pd(f"p{i}") for i in range(64))))
    assert message.endswith(
        "<protection_domain name='p63'>: too many protection domains: at most 63"
    )


def test_too_many_threads(tool):
    parts = []
    for i in range(5):
        vcpus = "".join(f'<vcpu id="{j}"/>' for j in range(50))
        parts.append(pd(f"p{i}", f'\n<virtual_machine name="v{i}">{vcpus}</virtual_machine>'))
    message = tool.bad(system(*parts, pd("x")))
    assert message.endswith(
        "<virtual_machine name='v4'>: too many threads: protection domains and vCPUs "
        "together may be at most 255"
    )


def test_image_too_large(tool):
    tool.write("fill", b"f" * (3 << 20))
    message = tool.bad(
        system(
            '<memory_region name="high" size="0x4fe00000" phys_addr="0x70200000"/>',
            '<memory_region name="file" prefill_path="fill"/>',
            pd("a", '<map mr="high" vaddr="0x40000000"/><map mr="file" vaddr="0x1000000"/>'),
        )
    )
    assert message.endswith(
        "<memory_region name='file'>: image too large: no room for the 3 MiB of "
        "memory region 'file' in RAM from 0x70000000 on"
    )


def test_description_too_large(tool):
    assert "at most 1 MiB" in tool.bad("<system>" + " " * (1 << 20) + "</system>")


def test_message_is_one_line(tool):
    """Whatever the description holds, it cannot draw on the terminal."""
    message = tool.bad(
        '<system><protection_domain name="a"><program_image path="x&#10;y"/>'
        "</protection_domain></system>"
    )
    assert "x?y" in message


# Programs

PROGRAM = "test.system:3: <program_image path='test.elf'>: attribute 'path': './test.elf'"


def bad_program(tool, data):
    tool.write("test.elf", data)
    message = tool.bad(system(pd("a")))
    assert message.startswith(PROGRAM), message
    return message[len(PROGRAM):].lstrip()


def test_program_is_no_elf(tool):
    for data in (b"", b"\x7f", b"\x7fELF", b"#!/bin/sh\n", bytes(100000)):
        message = bad_program(tool, data)
        assert "ELF file" in message, message


def test_program_of_another_machine(tool):
    assert bad_program(tool, elf_file.program(machine=62)) == (
        "is for machine 62, not AArch64 (183): link it for AArch64 with the SDK's microkit.ld"
    )


def test_program_is_no_executable(tool):
    for kind in (1, 3, 4):
        assert "is no executable" in bad_program(tool, elf_file.program(kind=kind))


def test_program_of_32_bits(tool):
    assert "ELF file" in bad_program(tool, elf_file.program(elf_class=1))


def test_program_without_segments(tool):
    assert "has no loadable segment" in bad_program(tool, elf_file.elf([], {}, 0x200000))


def test_program_without_libmicrokit(tool):
    assert "has no symbol 'microkit_name'" in bad_program(
        tool, elf_file.program(symbols={"x": (0x201000, 8)})
    )


def test_program_with_overlapping_segments(tool):
    data = elf_file.elf(
        [(0x200000, 5, b"x" * 0x20, 0x20), (0x200010, 6, b"y", 1)], elf_file.VARIABLES, 0x200000
    )
    assert bad_program(tool, data) == (
        "has overlapping segments at 0x200000 and 0x200010: link it with the SDK's microkit.ld and "
        "-Wl,--build-id=none"
    )


def test_program_with_segments_on_one_page(tool):
    data = elf_file.elf(
        [(0x200000, 5, b"x" * 0x20, 0x20), (0x200800, 6, b"y", 0x3000)],
        elf_file.VARIABLES,
        0x200000,
    )
    tool.write("test.elf", data)
    assert "overlaps the program of 'a' at 0x200000..0x201000" in tool.bad(system(pd("a")))


def test_program_in_the_stack(tool):
    data = elf_file.elf(
        [(0xFFFFFFC000, 6, b"y", 64)], {"microkit_name": (0xFFFFFFC000, 64)}, 0xFFFFFFC000
    )
    tool.write("test.elf", data)
    assert "stack of 'a'" in tool.bad(system(pd("a")))


def test_program_beyond_the_address_space(tool):
    for vaddr in (1 << 40, (1 << 40) - 0x1000, 0xFFFFFFFFFFFFF000):
        data = elf_file.elf([(vaddr, 6, b"y" * 0x1001, 0x1001)], {}, 0x200000)
        assert "addresses must be below 0x10000000000" in bad_program(tool, data)


def test_program_that_is_huge(tool):
    for size in (1 << 31, (1 << 64) - 1):
        data = elf_file.elf([(0x200000, 6, b"y", size)], {}, 0x200000)
        assert "at most 0x40000000 are possible" in bad_program(tool, data)


def test_program_with_more_in_file_than_in_memory(tool):
    data = elf_file.elf([(0x200000, 6, b"yyyy", 3)], {}, 0x200000)
    assert "more bytes in the file (0x4) than in memory (0x3)" in bad_program(tool, data)


def test_program_with_ipc_buffer_inside(tool):
    for address, text in (
        (0x201000, "overlaps the"),
        (0x202010, "which is no page"),
        (1 << 41, "which is no page"),
    ):
        symbols = {**elf_file.VARIABLES, "__sel4_ipc_buffer_obj": (address, 8)}
        tool.write("test.elf", elf_file.program(symbols=symbols))
        assert text in tool.bad(system(pd("a")))


def test_program_with_variable_outside(tool):
    symbols = {**elf_file.VARIABLES, "microkit_name": (0x300000, 64)}
    assert "is no variable of 2 bytes" in bad_program(tool, elf_file.program(symbols=symbols))
    symbols = {**elf_file.VARIABLES, "first": (0x300000, 8)}
    tool.write("test.elf", elf_file.program(symbols=symbols))
    message = tool.bad(system(pd("a", '<irq irq="33" id="1" setvar_id="first"/>')))
    assert message.endswith("symbol 'first' of 'a' at 0x300000 lies in no segment of the program")


def test_truncated_program(tool):
    """Cut anywhere, a program is refused or complete, and never read beyond its end."""
    data = elf_file.program()
    for length in [*range(0, 180, 7), *range(180, len(data), 41), len(data) - 1]:
        tool.write("test.elf", data[:length])
        message = tool.bad(system(pd("a", '<irq irq="33" id="1" setvar_id="first"/>')))
        assert "test.elf" in message, length


def test_flipped_bits_in_program(tool):
    data = elf_file.program()
    generator = random.Random(7)
    for _ in range(150):
        flipped = bytearray(data)
        for _ in range(generator.choice((1, 1, 2, 8))):
            # Mostly where the structure is: headers at both ends.
            at = generator.choice(
                (
                    generator.randrange(176),
                    generator.randrange(len(data)),
                    len(data) - 1 - generator.randrange(700),
                )
            )
            flipped[at] ^= 1 << generator.randrange(8)
        tool.write("test.elf", bytes(flipped))
        result = tool.build(system(pd("a", '<irq irq="33" id="1" setvar_id="first"/>')))
        assert result.stderr.count("\n") == (1 if result.returncode else 0), result.stderr
        assert (tool.image.exists(), tool.report.exists()) == (not result.returncode,) * 2


def test_hostile_header_fields(tool):
    """Each field of the ELF, program and section headers at its extremes."""
    data = elf_file.program()
    sections = struct.unpack_from("<Q", data, 40)[0]
    fields = [
        (offset, size)
        for offset, size in (
            (16, 2),
            (18, 2),
            (20, 4),
            (24, 8),
            (32, 8),
            (40, 8),
            (52, 2),
            (54, 2),
            (56, 2),
            (58, 2),
            (60, 2),
            (62, 2),
        )
    ]
    for base in (64, 120):
        fields += [
            (base + o, s) for o, s in ((0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8))
        ]
    for base in (sections + 64, sections + 128):
        fields += [
            (base + o, s) for o, s in ((0, 4), (4, 4), (16, 8), (24, 8), (32, 8), (40, 4), (56, 8))
        ]
    for offset, size in fields:
        for value in (0, 1, (1 << 8 * size) - 1, 1 << 8 * size - 1):
            hostile = bytearray(data)
            hostile[offset:offset + size] = value.to_bytes(size, "little")
            tool.write("test.elf", bytes(hostile))
            result = tool.build(system(pd("a", '<irq irq="33" id="1" setvar_id="first"/>')))
            assert result.stderr.count("\n") == (1 if result.returncode else 0), result.stderr


def test_flipped_bits_in_description(tool):
    text = system(
        '<memory_region name="m" size="0x2000" page_size="0x1000"/>',
        pd(
            "a",
            '<map mr="m" vaddr="0x1000000" perms="rw" setvar_vaddr="first"/>'
            '<irq irq="33" id="1"/><virtual_machine name="v"><vcpu id="0"/>'
            "</virtual_machine>",
            priority=3,
        ),
        pd("b", priority=4),
        '<channel><end pd="a" id="2" pp="true"/><end pd="b" id="0"/></channel>',
    ).encode()
    generator = random.Random(8)
    accepted = 0
    for _ in range(150):
        flipped = bytearray(text)
        for _ in range(generator.choice((1, 1, 3))):
            flipped[generator.randrange(len(text))] ^= 1 << generator.randrange(8)
        result = tool.build(bytes(flipped))
        accepted += not result.returncode
        assert result.returncode == 0 or result.stderr.startswith("microkit: test.system:")
        assert tool.image.exists() == (not result.returncode)
    assert 0 < accepted < 150


# The kernel


def bad_kernel(tool, data):
    tool.write("kernel.elf", data)
    message = tool.bad(system(pd("a")), "--override-kernel", "kernel.elf")
    assert message.startswith("'kernel.elf' "), message
    return message


def test_kernels(tool):
    assert "no 8-byte variable system_header_pa" in bad_kernel(tool, elf_file.kernel(symbols={}))
    assert "entered at 0x70000004" in bad_kernel(tool, elf_file.kernel(entry=0x70000004))
    assert "it begins at 0x60000000" in bad_kernel(
        tool, elf_file.kernel(at=0x60000000, entry=0x70000000))
    assert "segment at 0x71000000" in bad_kernel(tool, elf_file.kernel(data_at=0x71000000))
    assert "lies in no segment" in bad_kernel(
        tool, elf_file.kernel(symbols={"system_header_pa": (0x1000, 8),
                                       "system_board": (0x70001010, 680)})
    )
    assert "ELF file" in bad_kernel(tool, elf_file.kernel()[:50])


def test_kernels_board(tool):
    """What a kernel says of its board is not believed."""
    header = {"system_header_pa": (0x70001000, 8)}
    for symbols in (header, header | {"system_board": (0x70001010, 679)},
                    header | {"system_board": (0x1000, 680)},
                    header | {"system_board": (0x70002700, 680)},
                    header | {"system_board": (0xfffffffffffffff0, 680)}):
        assert "no description of its board" in bad_kernel(tool, elf_file.kernel(symbols=symbols))
    for base, size in ((0x40000000, 0x1000), (0x70001000, 0x1000), (0x40000000, 0),
                       (0x40000000, 0x80000800), (0x40000001, 0x80000000),
                       (0x40000000, 0xfffffffffffff000)):
        assert "outside of its board's memory" in bad_kernel(
            tool, elf_file.kernel(description=elf_file.board(base, size)))


def test_kernel_elsewhere(tool):
    """The image begins where its kernel does."""
    tool.write("kernel.elf", elf_file.kernel(at=0x40000000, description=elf_file.board(0)))
    result = tool.build(system(pd("a")), "--override-kernel", "kernel.elf", "--image-type", "elf")
    assert result.returncode == 0, result.stderr
    assert tool.image.read_bytes()[24:32] == (0x40000000).to_bytes(8, "little")


def test_kernel_missing(tool):
    message = tool.bad(system(pd("a")), "--override-kernel", "none.elf")
    assert message == "'none.elf' cannot be read: No such file or directory"


# The command line and the files around it


def refused(tool, *arguments, **options):
    result = tool.run(*arguments, **options)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("microkit: ") and result.stderr.count("\n") == 1
    return result.stderr[len("microkit: "):-1]


def test_command_lines(tool):
    tool.write("test.system", system(pd("a")))
    assert refused(tool) == "the following arguments are required: --board --config system"
    assert (
        refused(tool, "test.system", "--config", "debug")
        == "the following arguments are required: --board"
    )
    assert refused(
        tool, "--board", BOARD, "--config", "debug", "--search-path", "x", "test.system"
    ) == ("the following arguments are required: system")
    assert refused(tool, "test.system", "--board", "zcu102", "--config", "debug") == (
        f"argument --board: unknown board 'zcu102': this SDK has {BOARD}"
    )
    assert refused(tool, "test.system", "--board", BOARD, "--config", "benchmark") == (
        f"argument --config: unknown configuration 'benchmark': board '{BOARD}' has debug, release, "
        "smp-debug, smp-release"
    )
    assert refused(tool, "test.system", "--board", "..", "--config", "debug").startswith(
        "argument --board"
    )
    assert refused(
        tool, "test.system", "--board", BOARD, "--config", "../" + BOARD + "/debug"
    ).startswith("argument --config")
    assert refused(tool, "test.system", "--board") == "argument --board: expected one parameter"
    assert refused(tool, "a", "b") == "unrecognized argument 'b': the system is already 'a'"
    assert (
        refused(tool, "--frobnicate")
        == "unrecognized argument '--frobnicate': microkit --help lists them"
    )
    assert "may be binary or elf" in refused(tool, "--image-type", "uimage")
    for option in ("--capdl-json", "--viper-output"):
        assert refused(tool, option) == f"argument {option}: expected one parameter"


def test_system_missing(tool):
    message = refused(tool, "none.system", "--board", BOARD, "--config", "debug")
    assert message == "system description 'none.system' cannot be read: No such file or directory"
    assert "no regular file" in refused(tool, ".", "--board", BOARD, "--config", "debug")


def test_sdk_without_kernel(tool):
    (tool.directory / "sdk/board" / BOARD / "debug/elf").mkdir(parents=True)
    write_config(tool.directory / "sdk", "debug", "#define CONFIG_MAX_NUM_NODES  1\n")
    tool.write("test.system", system(pd("a")))
    message = refused(
        tool,
        *("test.system", "--board", BOARD, "--config", "debug"),
        environment={"MICROKIT_SDK": "sdk"},
    )
    assert message == (
        f"'sdk/board/{BOARD}/debug/elf/kernel.elf' is missing: 'sdk' is no SDK of this tool, "
        "or not complete"
    )


def test_error_and_no_warning(tool):
    """An error is the only message, even if there is something to warn of."""
    message = tool.bad(
        system('<memory_region name="unused" size="0x1000"/>', pd("a").replace("test.elf", "none"))
    )
    assert "'none' is in none of the search paths" in message


def test_not_in_an_sdk(tool):
    message = refused(tool, "-h", environment={"MICROKIT_SDK": "/nowhere"})
    assert message == "MICROKIT_SDK='/nowhere' is no directory: name an SDK, or unset it"
    assert "is no SDK" in refused(tool, "-h", environment={"MICROKIT_SDK": str(tool.directory)})


def test_output_that_cannot_be_written(tool):
    for option, what in (("-o", "image"), ("-r", "report")):
        result = tool.build(system(pd("a")), option, "nowhere/file")
        assert result.returncode == 1
        assert (
            result.stderr
            == f"microkit: {what} 'nowhere/file': cannot be written: No such file or directory\n"
        )
        assert not tool.image.exists() and not tool.report.exists()
        result = tool.build(system(pd("a")), option, ".")
        assert result.stderr == f"microkit: {what} '.': it is a directory: name a file\n"


def test_full_device(tool):
    for option in ("-o", "-r"):
        result = tool.build(system(pd("a")), option, "/dev/full")
        assert result.returncode == 1 and "No space left on device" in result.stderr
        assert not tool.image.exists()
    assert pathlib.Path("/dev/full").is_char_device()


def test_output_is_an_input(tool):
    """A slip in the command line must not cost the user a file."""
    tool.write("fill", b"fill")
    text = system(
        '<memory_region name="m" prefill_path="fill"/>', pd("a", '<map mr="m" vaddr="0x1000"/>')
    )
    for name in ("test.system", "test.elf", "fill"):
        for option in ("-o", "-r"):
            tool.write("test.system", text)
            before = (tool.directory / name).read_bytes()
            result = tool.build(text, option, name)
            assert result.returncode == 1
            assert "give the output another name" in result.stderr
            assert (tool.directory / name).read_bytes() == before
    os.symlink("test.elf", tool.directory / "link.img")
    result = tool.build(text, "-o", "link.img")
    assert "give the output another name" in result.stderr
    assert (tool.directory / "test.elf").read_bytes() == elf_file.program()


def test_image_is_the_report(tool):
    for image, report in (("one", "one"), ("one", "./one"), ("loader.img", "link")):
        if report == "link":
            tool.write("loader.img", b"older")
            os.symlink("loader.img", tool.directory / "link")
        result = tool.build(system(pd("a")), "-o", image, "-r", report)
        assert result.returncode == 1
        assert "image and report are the same file" in result.stderr
