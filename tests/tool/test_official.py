# SPDX-License-Identifier: BSD-2-Clause
"""Descriptions that the official tool accepts: ours reads the same in them, and warns of what both ignore."""

import elf_file
import pytest
from boot_image import PAGE
from test_image import Space, pd, system, variable

REGION = '<memory_region name="m" size="0x1000"/>'
MAP = '<map mr="m" vaddr="0x1000000"/>'


def warned(tool, text):
    """Builds a system that must be accepted; returns its image and the warnings."""
    result = tool.build(text)
    assert result.returncode == 0, result.stderr
    start = "microkit: test.system:"
    lines = result.stderr.splitlines()
    assert all(line.startswith(start) for line in lines), result.stderr
    return tool.load(), [line[len(start):] for line in lines]


@pytest.mark.parametrize("text, number", [
    ("+17", 17), ("0x+11", 17), ("_0x11", 17), ("0_x_1_1", 17), ("1_7_", 17), ("+0", 0),
    ("0000000000000000000000000000000000017", 17),
])
def test_numbers(tool, text, number):
    image = tool.good(system(pd("a", priority=text)))
    assert image.threads[0].priority == number


def test_ids_with_a_sign(tool):
    image = tool.good(system(pd("a", '<irq irq="+33" id="+1"/>')))
    assert image.threads[0].channels == {1: (2, 0, 33, 0)}


@pytest.mark.parametrize("length", [63, 64, 65, 300, 5000])
def test_long_names(tool, length):
    """The whole name is the name. The kernel, programs and messages know what they have room for."""
    name = "n" * (length - 1)
    text = system(
        f'<memory_region name="{name}" size="0x1000"/>',
        pd(name + "a", f'<map mr="{name}" vaddr="0x1000000"/>'
           f'<virtual_machine name="{name}a"><vcpu id="0"/><vcpu id="61"/></virtual_machine>'),
        pd(name + "b", f'<virtual_machine name="{name}b"><vcpu id="0"/></virtual_machine>'),
        f'<channel><end pd="{name}a" id="1"/><end pd="{name}b" id="2"/></channel>',
    )
    image, warnings = warned(tool, text)
    assert [thread.name for thread in image.threads] == [
        (name + "a")[:63], (name + "b")[:63], (name + "a")[:60] + ":0", (name + "a")[:60] + ":61",
        (name + "b")[:63],
    ]
    first, second = image.threads[:2]
    written = image.memory(image.pages(first.root), *elf_file.VARIABLES["microkit_name"])
    assert written.rstrip(b"\0").decode() == first.name and written[-1] == 0
    assert first.channels[1][2:] == (1, 2) and second.channels[2][2:] == (0, 1)
    tail = f": warning: a name of {length} bytes: the kernel and programs know the first 63 of them"
    assert len(warnings) == (0 if length == 63 else 4)
    assert all(warning.endswith(tail) for warning in warnings)


def test_long_names_are_cut_between_characters(tool):
    image, warnings = warned(tool, system(pd("x" * 62 + "é" * 2)))
    assert image.threads[0].name == "x" * 62 and len(warnings) == 1
    image, warnings = warned(tool, system(pd("x" * 61 + "é" * 2)))
    assert image.threads[0].name == "x" * 61 + "é" and len(warnings) == 1


def test_long_names_are_told_apart(tool):
    assert "is already the name" in tool.bad(system(pd("n" * 100), pd("n" * 100)))


def test_maps_that_allow_nothing(tool):
    image = tool.good(system(
        REGION,
        pd("a", '<map mr="m" vaddr="0x1000000" perms=""/><virtual_machine name="v">'
           '<vcpu id="0"/><map mr="m" vaddr="0" perms=""/></virtual_machine>'),
    ))
    thread, vcpu = image.threads
    address = Space(image, thread).expect(0x1000000, PAGE, "")
    assert Space(image, vcpu).expect(0, PAGE, "") == address


def test_child_ids(tool):
    image = tool.good(system(pd("a", pd("b", id=62) + pd("c", id=63, setvar_id="first"))))
    parent, second, third = image.threads
    assert parent.child_pds == {62: 1, 63: 2}
    assert (second.child_id, third.child_id) == (62, 63)
    assert variable(image, parent, "first") == 63


def test_channel_to_itself(tool):
    image = tool.good(system(
        pd("a"), '<channel><end pd="a" id="3"/><end pd="a" id="61" notify="false"/></channel>'))
    (thread,) = image.threads
    assert thread.channels == {3: (1, 1, 0, 61), 61: (1, 0, 0, 3)}
    assert variable(image, thread, "microkit_notifications") == 1 << 3


@pytest.mark.parametrize("part, tag", [
    ('<map mr="m" vaddr="0x1000000">{}</map>', "map"),
    ('<irq irq="33" id="1">{}</irq>', "irq"),
    ('<setvar symbol="first" region_paddr="m">{}</setvar>', "setvar"),
    ('<virtual_machine name="v"><vcpu id="0">{}</vcpu></virtual_machine>', "vcpu"),
    ('<virtual_machine name="v"><vcpu id="0"/><map mr="m" vaddr="0">{}</map></virtual_machine>',
     "map"),
])
def test_elements_in_elements_that_contain_none(tool, part, tag):
    """A slash is missing somewhere, mostly: nobody shall look for long."""
    text = "\n".join((REGION, "{}" if tag == "map" and "virtual" not in part else MAP + "{}"))
    region, maps = text.split("\n")
    inside = '<map mr="m" vaddr="0x5000000"/>\n<x name="y"><z/></x>'
    plain = tool.good(system(region, pd("a", maps.format(part.format("")))))
    image, warnings = warned(tool, system(region, pd("a", maps.format(part.format(inside)))))
    assert warnings == [
        f"4: <map mr='m'>: warning: it is ignored: <{tag}> contains no elements",
        f"5: <x name='y'>: warning: it is ignored: <{tag}> contains no elements",
    ]
    assert image.data == plain.data


def test_elements_in_other_elements_that_contain_none(tool):
    plain = system(REGION, pd("a", MAP), pd("b"),
                   '<channel><end pd="a" id="1"/><end pd="b" id="1"/></channel>')
    same = tool.good(plain)
    for before, after, tag in (
        ('size="0x1000"/>', 'size="0x1000"><x/></memory_region>', "memory_region"),
        ('path="test.elf"/><map', 'path="test.elf"><x/></program_image><map', "program_image"),
        ('<end pd="b" id="1"/>', '<end pd="b" id="1"><x/></end>', "end"),
    ):
        assert plain.count(before) == 1
        image, (warning,) = warned(tool, plain.replace(before, after))
        assert warning.endswith(f": <x>: warning: it is ignored: <{tag}> contains no elements")
        assert image.data == same.data


def test_text_in_elements(tool):
    plain = tool.good(system(pd("a")))
    for text in ("text", "<![CDATA[text]]>", "&lt;", "<!-- c -->text<!-- c -->"):
        image, warnings = warned(tool, system(pd("a", text)))
        assert warnings == ["3: <protection_domain name='a'>: warning: text in it is ignored"]
        assert image.data == plain.data
    _, warnings = warned(tool, system(
        pd("a"), pd("b"), '<channel>x<end pd="a" id="1">y</end><end pd="b" id="1"/>z</channel>'))
    assert warnings == ["7: <channel>: warning: text in it is ignored",
                        "7: <end pd='a'>: warning: text in it is ignored",
                        "7: <channel>: warning: text in it is ignored"]


def test_what_no_description_needs(tool):
    """Processing instructions and namespaces mean nothing to it."""
    plain = tool.good(system(pd("a")))
    for text in (
        system("<?x y?>", pd("a", "<?x y?>")),
        system(pd("a")).replace("<system>", '<system xmlns="urn:x" xmlns:y="urn:y">'),
        system(pd("a")).replace("<system>", '<s:system xmlns:s="urn:x">').replace(
            "</system>", "</s:system>"),
    ):
        assert tool.good(text).data == plain.data
    assert "xmlns" not in tool.bad(system("<y:system/>", pd("a")))


def test_attributes_of_the_system(tool):
    plain = tool.good(system(pd("a")))
    image, warnings = warned(tool, system(pd("a")).replace("<system>", '<system name="x" v="1">'))
    tail = "is ignored: this element takes no attributes"
    assert warnings == [f"2: <system name='x'>: warning: attribute '{name}' {tail}"
                        for name in ("name", "v")]
    assert image.data == plain.data


def test_error_and_no_warning(tool):
    """An error is the only message, however much was ignored before it."""
    message = tool.bad(system(pd("n" * 100, "text<irq irq='33' id='1'><x/></irq>"), "<memory/>"))
    assert "<memory>: unknown element here" in message


@pytest.mark.parametrize("size", [1, 4095, 4097, 0x4001])
def test_prefill_file_of_fewer_pages_than_its_region(tool, size):
    """The rest is zeros. (Microkit 2.3.0's tool does not survive this.)"""
    data = bytes(i % 251 + 1 for i in range(size))
    tool.write("fill", data)
    for page in ("", ' page_size="0x1000"'):
        image = tool.good(system(
            f'<memory_region name="m" size="0x9000" prefill_path="fill"{page}/>',
            pd("a", '<map mr="m" vaddr="0x1000000" setvar_size="first" '
               'setvar_prefill_size="second"/>'),
        ))
        (thread,) = image.threads
        space = Space(image, thread)
        space.expect(0x1000000, 0x9000, "rw")
        assert image.memory(space.pages, 0x1000000, 0x9000) == data + bytes(0x9000 - size)
        assert [variable(image, thread, name) for name in ("first", "second")] == [0x9000, size]
