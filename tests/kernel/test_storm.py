# SPDX-License-Identifier: BSD-2-Clause
"""A storm of what crosses cores, on two and four of them: see storm/storm.h.

By the host's clock, with a host's thread for each core. The seed is printed, though the hosts' threads
decide as well. Environment: STORM_SECONDS, how long each runs at least; STORM_SEED.
"""

import os
import random
import re

import pytest

import test_kernel as kernel

SECONDS = int(os.environ.get("STORM_SECONDS") or 15)
LIMIT = 180  # how many more until each kind has happened often, where the host is busy
SEED = int(os.environ.get("STORM_SEED") or random.randrange(1 << 32))


def cores_of_kernel():
    """How many cores the SDK is built for; an official one starts them all. 0: it has no such config."""
    headers = (kernel.SDK / "board" / kernel.BOARD / "smp-release" / "include" / "kernel").glob("gen_*.h")
    found = [int(n) for header in headers
             for n in re.findall(r"^#define CONFIG_MAX_NUM_NODES +(\d+)", header.read_text(), re.M)]
    return max(found, default=0)


QEMU_CORES = cores_of_kernel()
# docs/performance.md, "Several cores"
SLOW = not kernel.BUNDLED and "thread=single" not in kernel.QEMU and len(os.sched_getaffinity(0)) < QEMU_CORES

PROGRAM = """
    <protection_domain name="{name}" priority="{priority}" cpu="{cpu}"{slice}>
        <program_image path="{program}.elf" />
        <map mr="shared" vaddr="0x31000000" perms="rw" setvar_vaddr="shared" />{more}
    </protection_domain>
"""

NODE = """
        <map mr="uart" vaddr="0x30000000" perms="rw" cached="false" />
        <map mr="ram{n}" vaddr="0x40000000" perms="rw" />
        <protection_domain name="child{n}" id="1" priority="10" cpu="{child}" budget="100" period="100">
            <program_image path="child.elf" />
            <map mr="shared" vaddr="0x31000000" perms="rw" setvar_vaddr="shared" />
        </protection_domain>
        <virtual_machine name="guest{n}" priority="10" budget="100" period="100">
            <vcpu id="0" cpu="{vcpu}" />
            <map mr="ram{n}" vaddr="0x40000000" perms="rwx" />
            <map mr="gicv" vaddr="0x8010000" perms="rw" cached="false" />
        </virtual_machine>"""

CHANNEL = """
    <channel>
        <end pd="{a}" id="{a_id}"{pp} />
        <end pd="{b}" id="{b_id}" />
    </channel>"""


def channel(a, a_id, b, b_id, pp=""):
    return CHANNEL.format(a=a, a_id=a_id, b=b, b_id=b_id, pp=pp)


def system(cores):
    slices = ' budget="100" period="100"'
    text = ['<?xml version="1.0" encoding="UTF-8"?>\n<system>\n'
            '    <memory_region name="uart" size="0x1000" phys_addr="0x9000000" />\n'
            '    <memory_region name="gicv" size="0x1000" phys_addr="0x8040000" />\n'
            '    <memory_region name="shared" size="0x1000" />\n']
    for n in range(cores):
        text.append(f'    <memory_region name="ram{n}" size="0x10000" />')
        text.append(PROGRAM.format(
            name=f"node{n}", priority=100, cpu=n, slice="", program="node",
            more=NODE.format(n=n, child=(n + 1) % cores, vcpu=(n + 2) % cores)))
        text.append(PROGRAM.format(name=f"server{n}", priority=150, cpu=n, slice="",
                                   program="server", more=""))
        text.append(PROGRAM.format(name=f"pump{n}", priority=10, cpu=n, slice=slices,
                                   program="pump", more=""))
        text.append(channel(f"node{n}", 20, f"pump{n}", 0))
    for a in range(cores):
        text += [channel(f"node{a}", b, f"node{b}", a) for b in range(a + 1, cores)]
        text += [channel(f"node{a}", 10 + b, f"server{b}", a, ' pp="true"') for b in range(cores)]
    return "\n".join(text) + "\n</system>\n"


@kernel.once
def storm(cores, config):
    image = kernel.build("storm", config, system(cores), (
        f"-DSTORM_NODES={cores}", f"-DSTORM_SEED={SEED}ul",
        f"-DSTORM_MILLISECONDS={SECONDS * 1000}ul", f"-DSTORM_LIMIT={LIMIT * 1000}ul"),
        f"storm{cores}")
    lines = kernel.boot(image, clock=["-accel", "tcg,thread=multi"], more=["-smp", str(QEMU_CORES)],
                        timeout=SECONDS + LIMIT + 240)
    print(*lines, sep="\n")
    return lines


@pytest.mark.skipif(SLOW, reason="seL4 needs a processor of the host for each core")
@pytest.mark.parametrize("row", kernel.rows_of("storm"))
@pytest.mark.parametrize("config", ["smp-debug", "smp-release"])
@pytest.mark.parametrize("cores", [pytest.param(n, marks=pytest.mark.skipif(
    QEMU_CORES < n, reason=f"the SDK has no config for {n} cores")) for n in (2, 4)])
def test_storm(cores, config, row):
    kernel.check_row(storm(cores, config), row)
