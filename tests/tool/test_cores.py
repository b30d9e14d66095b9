# SPDX-License-Identifier: BSD-2-Clause
"""Cores: the attribute `cpu`, how many cores a configuration has, and what comes of both."""

import os
import shutil
import subprocess

import pytest
from conftest import BOARD, CORES, ROOT, Tool, write_config
from test_image import pd, system


def vm(*vcpus, name="v"):
    """A virtual machine with these vCPUs: id, or (id, cpu)."""
    text = "".join(
        f'<vcpu id="{v[0]}" cpu="{v[1]}"/>' if isinstance(v, tuple) else f'<vcpu id="{v}"/>'
        for v in vcpus
    )
    return f'\n<virtual_machine name="{name}">\n{text}</virtual_machine>'


def cores(image):
    return {thread.name: thread.core for thread in image.threads}


def test_defaults(smp_tool):
    """A PD is on core 0, wherever its parent is; a vCPU is on its PD's."""
    image = smp_tool.good(
        system(
            pd("plain", vm(0, name="x")),
            pd("parent", pd("child", id=9) + vm(0, (1, 1), (2, "0x2"), name="y"), cpu="3"),
            pd("zero", vm((5, "0_1"), name="z"), cpu="0"),
        )
    )
    assert cores(image) == {
        "plain": 0,
        "parent": 3,
        "child": 0,
        "zero": 0,
        "x": 0,
        "y:0": 3,
        "y:1": 1,
        "y:2": 2,
        "z": 1,
    }
    assert image.core_count == 4


def test_count_is_of_the_highest_core(smp_tool):
    for parts, expected in (
        ([pd("a")], 1),
        ([pd("a", cpu="1"), pd("b")], 2),
        ([pd("a", cpu="2")], 3),
        ([pd("a", vm(0, (1, 3)))], 4),
        ([pd("a", pd("b", pd("c", id=0, cpu="1"), id=0))], 2),
    ):
        assert smp_tool.good(system(*parts)).core_count == expected


def test_one_core(tool):
    """What may be said where there is only one."""
    image = tool.good(system(pd("a", vm((0, "0x0"), (1, "0_0")), cpu="0"), pd("b")))
    assert set(cores(image).values()) == {0} and image.core_count == 1
    assert "core" not in tool.report.read_text()


def test_configs_differ_in_nothing_else(tool, smp_tool):
    """Without `cpu` an image does not depend on the configuration but for its kernel."""
    text = system(pd("a", vm(0, 1), priority=3), pd("b", priority=4))
    assert tool.good(text).data == smp_tool.good(text).data


def test_cores_that_there_are_not(smp_tool):
    for value in ("4", "255", "256", "0x104", "4294967296", str(1 << 64), "9" * 1000):
        cure = f"{value}: this kernel runs on 4 cores: it may be 0 to 3"
        assert smp_tool.bad(system(pd("a", cpu=value))) == (
            f"test.system:3: <protection_domain name='a'>: attribute 'cpu': {cure}"
        )
        assert smp_tool.bad(system(pd("a", vm((7, value)), cpu="1"))) == (
            f"test.system:5: <vcpu id='7'>: attribute 'cpu': {cure}"
        )


def test_values_that_are_no_cores(smp_tool):
    for value in ("", "-0", "+", "1+", "++1", "one", "0x", "_", "1.0", " 1", "1,2", "0b1"):
        cure = f"'{value}' is no number: it takes a decimal or 0x hexadecimal one without a sign"
        assert f"attribute 'cpu': {cure}" in smp_tool.bad(system(pd("a", cpu=value)))
        assert f"attribute 'cpu': {cure}" in smp_tool.bad(system(pd("a", vm((0, value)))))
    assert "unknown: this element takes name" in smp_tool.bad(
        system(pd("a", vm(0).replace('name="v"', 'name="v" cpu="1"')))
    )


# Passive PDs


def calling(caller, callee, at=(1, 0)):
    """A channel by which one may call the other, with these ids."""
    return (
        f'<channel>\n<end pd="{caller}" id="{at[0]}" pp="true"/>\n'
        f'<end pd="{callee}" id="{at[1]}"/></channel>'
    )


def test_call_across_cores(smp_tool):
    """A PD that is not passive may be called from anywhere."""
    image = smp_tool.good(
        system(pd("a", cpu="1"), pd("s", priority=2, cpu="2"), calling("a", "s"))
    )
    assert cores(image) == {"a": 1, "s": 2}


def test_passive_pd_on_its_callers_core(smp_tool):
    smp_tool.good(
        system(
            pd("a", cpu="2"),
            pd("s", priority=2, passive="true", cpu="2"),
            pd("t", priority=3, passive="true", cpu="2"),
            pd("b", cpu="1"),
            calling("a", "s"),
            calling("s", "t"),
            '<channel><end pd="s" id="2"/><end pd="b" id="0"/></channel>',
        )
    )


def test_passive_pd_on_another_core_than_a_caller(smp_tool):
    for mine, its in (("0", "1"), ("3", "0")):
        message = smp_tool.bad(
            system(
                pd("s", priority=2, passive="true", cpu=its),
                pd("a", cpu=mine),
                calling("a", "s"),
            )
        )
        assert message == (
            f"test.system:8: <end pd='a'>: attribute 'pp': 'a' (core {mine}) would call 's' (core {its}), "
            "which is passive, and so runs on its caller's scheduling context and core: put both on "
            "one core, or make 's' not passive"
        )


def test_passive_pd_with_one_caller_of_several_elsewhere(smp_tool):
    message = smp_tool.bad(
        system(
            pd("s", priority=2, passive="true"),
            pd("a"),
            pd("b", cpu="1"),
            calling("a", "s"),
            calling("b", "s", at=(0, 1)),
        )
    )
    assert "'b' (core 1) would call 's' (core 0)" in message


def test_passive_pd_that_is_notified_and_handles_faults_from_other_cores(smp_tool):
    """For both it has its own scheduling context. A passive PD may call others, too."""
    image = smp_tool.good(
        system(
            pd("s", pd("c", id=0, cpu="1") + vm((1, 3)), priority=2, passive="true"),
            pd("a", cpu="2"),
            pd("t", priority=3, cpu="3"),
            '<channel><end pd="a" id="0"/><end pd="s" id="0"/></channel>',
            '<channel><end pd="s" id="1" pp="true"/><end pd="t" id="0"/></channel>',
        )
    )
    assert cores(image) == {"s": 0, "c": 1, "a": 2, "t": 3, "v": 3}


# The report


def test_report(smp_tool):
    smp_tool.good(system(pd("a", vm(4, (6, 2)), cpu="1"), pd("b")))
    report = smp_tool.report.read_text()
    assert "  cores needed: 3 of 4 (QEMU: -smp 3 or more)\n" in report
    for title, lines in (
        ("Protection domain 'a'", ["  core 1"]),
        ("Protection domain 'b'", ["  core 0"]),
        ("Virtual machine 'v' of 'a'", ["  vCPU 4, core 1", "  vCPU 6, core 2"]),
    ):
        part = report.split(f"# {title}\n")[1].split("\n#")[0].splitlines()
        assert [line for line in part if "core" in line] == lines


# Where the tool learns how many cores there are


def sdk_with(tool, text):
    """The tool with an SDK of its own, whose configuration has this gen_config.h."""
    sdk = tool.directory / "sdk"
    shutil.copytree(tool.sdk / "board" / BOARD / "debug", sdk / "board" / BOARD / "mine")
    (sdk / "bin").mkdir()
    shutil.copy(tool.sdk / "bin/microkit", sdk / "bin/microkit")
    write_config(sdk, "mine", text)
    return Tool(sdk, tool.directory, "mine")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("#define CONFIG_MAX_NUM_NODES  2\n", 2),
        ("#define CONFIG_MAX_NUM_NODES 2", 2),
        ("\n\n#define\tCONFIG_MAX_NUM_NODES\t2 /* cores */\r\n", 2),
        ("/* disabled: CONFIG_MAX_NUM_NODES  7 */\n#define CONFIG_MAX_NUM_NODES  2\n", 2),
        ("#define CONFIG_MAX_NUM_NODES_  7\n#define CONFIG_MAX_NUM_NODES  2\n", 2),
        ("#define CONFIG_MAX_NUM_NODES  255\n", 255),
    ],
)
def test_number_of_cores(tool, text, expected):
    mine = sdk_with(tool, text)
    assert mine.good(system(pd("a", cpu=str(expected - 1)))).core_count == expected
    assert f"this kernel runs on {expected} cores" in mine.bad(system(pd("a", cpu=str(expected))))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "#define",
        "#define CONFIG_MAX_NUM_NODES",
        "#define CONFIG_MAX_NUM_NODES\n4\n",
        "#define CONFIG_MAX_NUM_NODES  0\n",
        "#define CONFIG_MAX_NUM_NODES  256\n",
        "#define CONFIG_MAX_NUM_NODES  -1\n",
        "#define CONFIG_MAX_NUM_NODES  0x4\n",
        "#define CONFIG_MAX_NUM_NODES  4x\n",
        f"#define CONFIG_MAX_NUM_NODES  {(1 << 64) + 4}\n",
        "#define CONFIG_MAX_NUM_NODES4  4\n",
        "#define CONFIG_MAX_NUM_NODES4\n",
        "#defineCONFIG_MAX_NUM_NODES  4\n",
        b"\0\n#define CONFIG_MAX_NUM_NODES  4\n",
        bytes(range(256)) * 100,
    ],
)
def test_number_of_cores_that_is_none(tool, text):
    mine = sdk_with(tool, text)
    path = f"{mine.sdk}/board/{BOARD}/mine/include/kernel/gen_config.h"
    assert mine.bad(system(pd("a"))) == (
        f"'{path}' has no CONFIG_MAX_NUM_NODES of 1 to 255, the number of cores: '{mine.sdk}' is no "
        "SDK of this tool, or not complete"
    )


def test_number_of_cores_that_is_nowhere(tool):
    mine = sdk_with(tool, "")
    path = mine.sdk / "board" / BOARD / "mine/include/kernel/gen_config.h"
    path.unlink()
    assert mine.bad(system(pd("a"))) == (
        f"'{path}' cannot be read: No such file or directory: '{mine.sdk}' is no SDK of this tool, "
        "or not complete"
    )


@pytest.mark.parametrize("config", CORES)
def test_configs_of_the_bundled_sdk(tool, config):
    """Its Makefile makes of each what the tool and programs' Makefiles read."""
    made = tool.directory / "made"
    header = made / "board" / BOARD / config / "include/kernel/gen_config.h"
    subprocess.run(
        ["make", "-s", "-C", ROOT / "sdk", f"INSTALL_DIR={made}", header],
        check=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")},
    )
    text = header.read_text()
    assert "#include" not in text
    lines = [line for line in text.splitlines() if line.startswith("#define ")]
    defined = dict(line[len("#define "):].split("  ", 1) for line in lines)
    assert len(defined) == len(lines), "each once"
    assert defined["CONFIG_MAX_NUM_NODES"] == str(CORES[config])
    assert ("CONFIG_ENABLE_SMP_SUPPORT" in defined) == config.startswith("smp-")
    assert ("CONFIG_DEBUG_BUILD" in defined) == config.endswith("debug")
    assert ("CONFIG_PRINTING" in defined) == config.endswith("debug")
    assert defined["CONFIG_SEL4_ARCH"] == "aarch64"
    last = (ROOT / "sdk/libmicrokit/include/kernel/gen_config.h").read_text().splitlines()[-1]
    assert lines[-1] == last, "whole"

    mine = sdk_with(tool, text)
    assert mine.good(system(pd("a", cpu=str(CORES[config] - 1)))).core_count == CORES[config]
    mine.bad(system(pd("a", cpu=str(CORES[config]))))
