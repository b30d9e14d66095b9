# SPDX-License-Identifier: BSD-2-Clause
"""Memory that machines share, and their doorbells (docs/shared.md)."""

import os
import subprocess

import pytest

import conftest

VIRTUAL = ("-icount", "shift=1,sleep=off")
GOAL_NS = 30000  # 64 bytes there and back


@pytest.fixture(params=["qemu_virt_aarch64", "qemu_virt_aarch64_gicv3"])
def bare(boot, request):
    if not (conftest.SDK / "board" / request.param).is_dir():
        pytest.skip(f"the SDK is not for {request.param}")
    place = conftest.BUILD_DIR / "check" / "bare"
    conftest.make_bare(place)
    return boot(place / "sharer.yaml", VIRTUAL, MICROKIT_BOARD=request.param)


def test_bare_metal_shares_memory(bare):
    """Messages and answers; one that may only read; a restart, which the others see and the memory not."""
    bare.expect(r"sharer: machine 2 of 3, 64 KiB of memory, may not write")
    bare.focus(0)
    bare.send("m")
    mean = int(bare.expect(r"sharer: 1000 answers, mean (\d+) ns")[1])
    # seL4's way between two machines is several times as long.
    assert 0 < mean <= GOAL_NS * (1 if conftest.on_bundled_sdk() else 5)
    bare.focus(2)
    bare.send("w")
    bare.expect("sharer: ABORT")
    bare.expect("sharer: written")
    bare.focus(1)
    for word in ("p", 0), ("p", 1), ("w", None), ("p", 1):
        bare.send(word[0])
        bare.expect("sharer: written" if word[1] is None else f"sharer: the word is {word[1]}\r")
    bare.send("r")
    bare.expect(r"sharer: machine 1 of 3, 64 KiB of memory, may write")
    bare.send("p")
    bare.expect("sharer: the word is 2\r")
    bare.focus(2)
    bare.expect("sharer: machine 1 is in state 0, 1 resets")
    bare.expect("sharer: machine 1 is in state 1, 1 resets")


@conftest.needs_cores
@conftest.needs_processors(2)
def test_bare_metal_on_several_cores(boot):
    place = conftest.BUILD_DIR / "check" / "bare"
    conftest.make_bare(place)
    conftest.put("cores: 2\n" + (conftest.HERE / "sharer.yaml").read_text(), place / "sharer_cores.yaml")
    system = boot(place / "sharer_cores.yaml")
    system.expect(r"sharer: machine 2 of 3, 64 KiB of memory, may not write")
    system.focus(0)
    system.send("m")
    system.expect(r"sharer: 1000 answers, mean \d+ ns")


@pytest.mark.skipif(bool(os.environ.get("LINUX")), reason="our module is for the distribution's kernels")
def test_linux_shares_memory(boot):
    """By UIO, with another Linux and with a bare-metal guest; by the files for shells; read-only."""
    place = conftest.BUILD_DIR / "check" / "bare"
    conftest.make_bare(place)
    (place / "uio").mkdir(exist_ok=True)
    subprocess.run(["aarch64-linux-gnu-gcc", "-static", "-O2", "-s", "-Wall", "-Wextra", "-Werror",
                    "-o", place / "uio" / "uio", conftest.HERE / "uio.c"], check=True)
    system = boot.start(conftest.build_with_new_disk(place / "sharer_linux.yaml"))
    device = "/sys/class/uio/uio0/device"
    for number in (0, 1):
        system.login(number)
        system.output(number, "mount /dev/vda /mnt")
    assert system.output(0, "cat /sys/class/uio/uio0/name").strip() == "frames"

    said = system.output(0, "/mnt/uio request 1 500")
    assert said.startswith("500 answers, mean ")
    system.output(0, f"printf hello | dd of={device}/memory bs=1 seek=8192 2>/dev/null")
    assert "hello" in system.output(1, f"tail -c +8193 {device}/memory | head -c 5")

    # Take what has rung before. Linux may keep one more.
    system.output(1, "for i in 1 2; do : </dev/uio0; sleep 0.5; done")
    system.output(1, "dd if=/dev/uio0 of=/tmp/rung bs=4 count=1 2>/dev/null &")
    system.output(1, "sleep 1; [ ! -s /tmp/rung ]")
    system.output(0, f"echo 2 >{device}/doorbell")
    system.output(1, "wait; [ $(wc -c </tmp/rung) = 4 ]")

    # Masked now, until a program opens the device, or writes 1.
    def doorbells():
        return int(system.output(1, "cat /sys/class/uio/uio0/event"))
    ring = f"for i in 1 2 3 4 5; do echo 2 >{device}/doorbell; sleep 0.1; done"
    before = doorbells()
    system.output(0, ring)
    assert doorbells() == before
    system.output(1, ": </dev/uio0; sleep 1")
    assert doorbells() == before + 1
    system.output(1, r"exec 3<>/dev/uio0; sleep 1; printf '\0\0\0\0' >&3")
    before = doorbells()
    system.output(0, ring)
    assert doorbells() == before
    system.output(1, r"printf '\1\0\0\0' >&3; exec 3>&-; sleep 1")
    assert doorbells() == before + 1

    status, said = system.run(1, "/mnt/uio write")
    assert status == 1 and "Permission denied" in said
    status, said = system.run(1, "/mnt/uio mprotect")
    assert status == 1 and "mprotect: Permission denied" in said
    system.run(1, f"printf x >{device}/memory")
    assert system.output(0, f"head -c 4 {device}/memory | hexdump -e '1/4 \"%u\"'") == "500"
    assert system.run(0, f"echo 99 >{device}/doorbell && echo x >{device}/doorbell")[0] == 1

    system.start(1, "reboot")
    system.expect("vmm watch: restarting")
    system.focus(2)
    system.send("p")
    system.expect("machine 0 is in state 7, 0 resets")
    system.expect("machine 2 is in state 0, 1 resets")
    system.login(1)
    assert "hello" in system.output(1, f"tail -c +8193 {device}/memory | head -c 5")
