# SPDX-License-Identifier: BSD-2-Clause
"""Domains: <domains>, the attribute `domain`, and what comes of both."""

import pytest
from test_image import pd, system

MOST_US = 10**12
MOST_TICKS = (1 << 56) - 1


def text_of(attributes):
    return "".join(f' {key}="{value}"' for key, value in attributes.items())


def domain(name, **attributes):
    return f'<domain name="{name}"{text_of(attributes)}/>\n'


def turn(name, duration="1000 us"):
    return f'<schedule_entry domain="{name}" duration="{duration}"/>\n'


END = "<schedule_end_marker/>\n"


def schedule(*entries, **attributes):
    return f'<domain_schedule{text_of(attributes)}>\n{"".join(entries)}</domain_schedule>\n'


def domains(*parts):
    return f'<domains>\n{"".join(parts)}</domains>\n'


def one(*entries, **attributes):
    """A system with the domain `a` and this schedule."""
    return system(domains(domain("a"), schedule(*entries, **attributes)), pd("p", domain="a"))


def turns(image):
    return [(number, length, bool(ticks)) for length, ticks, number in image.turns]


def test_none(tool):
    image = tool.good(system(pd("p")))
    assert not image.turns and [thread.domain for thread in image.threads] == [0]
    assert "omain '" not in tool.report.read_text().replace("Protection domain '", "")


def test_domains(tool):
    """A PD is in its own domain, whatever its parent's; a vCPU in its PD's."""
    vm = '<virtual_machine name="v"><vcpu id="0"/><vcpu id="3"/></virtual_machine>'
    image = tool.good(
        system(
            domains(
                domain("low", id="0"),
                domain("high", id="0xf"),
                domain("free"),
                schedule(turn("high", "2_000 us"), turn("low", "0x10 ticks"), turn("free"), turn("low")),
            ),
            pd("p", pd("c", id=1, domain="low") + vm, domain="high"),
            pd("q", domain="free"),
        )
    )
    assert {t.name: t.domain for t in image.threads} == {
        "p": 15, "c": 0, "q": 1, "v:0": 15, "v:3": 15
    }
    assert turns(image) == [(15, 2000, False), (0, 16, True), (1, 1000, False), (0, 1000, False)]


def test_ids_are_the_lowest_that_are_free(tool):
    names = "abcdefghijklmnop"
    image = tool.good(
        system(
            domains(
                *(domain(n, **({"id": 15 - i} if i % 3 == 0 else {})) for i, n in enumerate(names)),
                schedule(*map(turn, names)),
            ),
            *(pd(n, domain=n) for n in names),
        )
    )
    given = {n: 15 - i for i, n in enumerate(names) if i % 3 == 0}
    free = [i for i in range(16) if i not in given.values()]
    expected = [given[n] if n in given else free.pop(0) for n in names]
    assert [t.domain for t in image.threads] == expected
    assert [number for number, _, _ in turns(image)] == expected


def test_turns_are_from_the_start_to_an_end(tool):
    for entries, attributes, expected in (
        ([turn("a", "30 us"), END], {}, [30]),
        ([turn("a", "30 us"), turn("a", "40 us")], {"start_index": 1}, [40]),
        ([turn("a", "30 us"), END, turn("a", "40 us"), turn("a", "50 us")], {}, [30]),
        ([turn("a", "30 us"), END, turn("a", "40 us"), turn("a", "50 us")], {"start_index": "2"},
         [40, 50]),
        ([turn("a", "30 us"), turn("a", "40 us"), END, END, turn("a", "50 us")],
         {"start_index": "0x1"}, [40]),
        ([END, turn("a", "30 us")], {"start_index": 1, "index_shift": 1}, [30]),
        ([turn("a", "30 us")], {"index_shift": 98}, [30]),
        ([turn("a", "30 us")] * 99, {"index_shift": 0, "start_index": 0}, [30] * 99),
    ):
        assert [length for _, length, _ in turns(tool.good(one(*entries, **attributes)))] == expected


def test_durations(tool):
    for text, length, ticks in (
        ("1000 us", 1000, False),
        ("20 us", 20, False),
        ("0x_ff us", 255, False),
        ("+1_0_0 us", 100, False),
        (f"{MOST_US} us", MOST_US, False),
        ("1 ticks", 1, True),
        (f"{MOST_TICKS} ticks", MOST_TICKS, True),
    ):
        assert turns(tool.good(one(turn("a", text)))) == [(0, length, ticks)]


def bad_duration(tool, text):
    message = tool.bad(one(turn("a", text)))
    start = "test.system:6: <schedule_entry>: attribute 'duration': "
    assert message.startswith(start), message
    return message[len(start):]


@pytest.mark.parametrize(
    "text",
    ["1000", "1000us", "1000 ms", "1000  us", " 1000 us", "1000 us ", "us", "1&#9;us", "5 US", "1 tick"],
)
def test_durations_that_are_none(tool, text):
    assert bad_duration(tool, text).endswith("as in '1000 us'")


def test_durations_that_are_no_numbers(tool):
    for number in ("-1", "1.5", "0x", "_", "ten", "1e3", "0b1"):
        assert f"'{number}' is no number" in bad_duration(tool, f"{number} us")


def test_durations_out_of_range(tool):
    for number in ("0", "0x0", str(MOST_US + 1), str(1 << 64), "9" * 1000, hex(1 << 64)):
        assert "is out of range: it may be" in bad_duration(tool, f"{number} us")
    for number in ("0", str(MOST_TICKS + 1), str((1 << 64) + 1)):
        assert "is out of range: it may be" in bad_duration(tool, f"{number} ticks")


def test_schedules_that_are_none(tool):
    entry = turn("a")
    for entries, attributes, message in (
        ([], {}, "5: <domain_schedule>: it is empty"),
        ([entry], {"start_index": 1}, "attribute 'start_index': 1 is out of range: it may be 0 to 0"),
        ([entry], {"start_index": "-1"}, "attribute 'start_index': '-1' is no number"),
        ([entry], {"start_index": str(1 << 64)}, "is out of range: it may be 0 to 0"),
        ([entry], {"index_shift": 99}, "attribute 'index_shift': 99 is out of range: it may be 0 to 98"),
        ([entry], {"index_shift": str((1 << 64) - 1)}, "is out of range: it may be 0 to 98"),
        ([entry], {"start": 0}, "attribute 'start': unknown"),
        ([entry, END], {"start_index": 1},
         "attribute 'start_index': the schedule would start with the end marker on line 7"),
        ([END], {}, "the schedule would start with the end marker on line 6"),
        ([END, entry], {"start_index": 1}, "6: <schedule_end_marker>: seL4 has no end marker in the first"),
        ([entry] * 100, {}, "105: <schedule_entry>: too many entries in the schedule: at most 99"),
        ([turn("b")], {}, "6: <schedule_entry>: attribute 'domain': there is no domain 'b': name one of"),
        ([entry, END, turn("b")], {}, "8: <schedule_entry>: attribute 'domain': there is no domain 'b'"),
        (['<schedule_entry domain="a"/>'], {}, "attribute 'duration': missing"),
        (['<schedule_entry duration="1 us"/>'], {}, "attribute 'domain': missing"),
        (['<schedule_end_marker domain="a"/>'], {}, "attribute 'domain': unknown"),
        (["<domain/>"], {}, "<domain>: unknown element here: a domain_schedule contains"),
    ):
        assert message in tool.bad(one(*entries, **attributes))


def test_domains_that_are_none(tool):
    good = schedule(turn("a"))
    for parts, message in (
        ([good], "<domains>: it has no domain"),
        ([domain("a")], "<domains>: it has no schedule: add a <domain_schedule>"),
        ([domain("a"), good, good], "8: <domain_schedule>: a second schedule, the first being on line 5"),
        ([domain("a"), domain("a"), good], "5: <domain name='a'>: attribute 'name': 'a' is already the name"),
        ([domain("a", id=3), domain("b", id="0x3"), good],
         "5: <domain name='b'>: attribute 'id': 3 is already the id of domain 'a' on line 4"),
        ([domain("a", id=16), good], "attribute 'id': 16 is out of range: it may be 0 to 15"),
        ([domain("a", id=str(1 << 64)), good], "is out of range: it may be 0 to 15"),
        ([domain("a", id="x"), good], "attribute 'id': 'x' is no number"),
        ([domain(""), good], "attribute 'name': empty"),
        ([domain("a&#10;b"), good], "attribute 'name': a control character in it"),
        (["<domain/>", good], "attribute 'name': missing"),
        (["<turn/>"], "<turn>: unknown element here: domains contains domain and domain_schedule"),
        ([*(domain(i) for i in range(17)), schedule(turn(0))], "20: <domain name='16'>: too many domains"),
    ):
        assert message in tool.bad(system(domains(*parts), pd("p", domain="a")))


def test_place(tool):
    good = domains(domain("a"), schedule(turn("a")))
    assert "there are already domains, from line 4 on" in tool.bad(system(good, good))
    assert "<domains>: behind the protection domain on line 3" in tool.bad(system(pd("p"), good))
    assert "unknown element" in tool.bad(system(pd("p", good)))


def test_pds(tool):
    good = domains(domain("a"), schedule(turn("a")))
    for part, message in (
        (pd("p"), "<protection_domain name='p'>: attribute 'domain': missing: there are domains"),
        (pd("p", domain="b"), "attribute 'domain': there is no domain 'b': name one of <domains>"),
        (pd("p", domain=""), "attribute 'domain': there is no domain ''"),
        (pd("p", pd("c", id=0), domain="a"), "<protection_domain name='c'>: attribute 'domain': missing"),
    ):
        assert message in tool.bad(system(good, part))
    assert "attribute 'domain': there are no domains" in tool.bad(system(pd("p", domain="a")))
    assert "attribute 'domain': unknown" in tool.bad(
        system(good, pd("p", '<virtual_machine name="v" domain="a"/>', domain="a"))
    )


def test_several_cores(smp_tool):
    assert smp_tool.bad(one(turn("a"))).startswith(
        "test.system:3: <domains>: not on several cores: seL4's domain scheduler"
    )


def test_warnings(tool):
    result = tool.build(one(turn("a", "19 us")))
    assert result.returncode == 0
    assert "warning: a turn of 19 us: on seL4 a domain gets nothing of less than 20 us" in result.stderr
    result = tool.build(
        system(domains(domain("a"), domain("b"), schedule(turn("b"), END, turn("a"))), pd("p", domain="a"))
    )
    assert result.returncode == 0
    assert "<protection_domain name='p'>: warning: its domain 'a' has no turn" in result.stderr


def test_report(tool):
    tool.good(
        system(
            domains(domain("a", id=7), domain("b"), schedule(turn("b", "500 us"), turn("a", "9 ticks"))),
            pd("p", domain="a"),
            pd("q", domain="b"),
        )
    )
    report = tool.report.read_text()
    assert "# Turns of domains\n\n  500 us of domain 0 'b'\n  9 ticks of domain 7 'a'\n" in report
    assert "  domain 'a'\n" in report.split("# Protection domain 'p'")[1].split("#")[0]
