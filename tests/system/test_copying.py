# SPDX-License-Identifier: BSD-2-Clause
"""lib/memory.S, which all that PDs copy goes through, on the processor that it is written for."""

import os
import subprocess

import conftest
import machine

PICOLIBC = os.environ.get("PICOLIBC") or "/usr/lib/picolibc/aarch64-linux-gnu"
CROSS = os.environ.get("CROSS") or "aarch64-linux-gnu-"
QEMU = os.environ.get("QEMU") or "qemu-system-aarch64"


def test_copies_and_fills():
    out = conftest.BUILD_DIR / "check"
    out.mkdir(parents=True, exist_ok=True)
    program = out / "copying.elf"
    subprocess.run(
        [f"{CROSS}gcc", f"-specs={PICOLIBC}/picolibc.specs", "--oslib=semihost", "--crt0=hosted",
         "-O1", "-Wall", "-Wextra", "-Werror", "-fno-builtin", "-fno-stack-protector",
         "-Wl,--defsym=__flash=0x40000000,--defsym=__flash_size=0x200000",
         "-Wl,--defsym=__ram=0x40200000,--defsym=__ram_size=0x400000",
         str(conftest.HERE / "copying.c"), str(conftest.ROOT / "lib" / "memory.S"),
         "-o", str(program)],
        check=True)
    process = subprocess.run(
        [QEMU, "-machine", "virt", "-cpu", "cortex-a53", "-m", "64M", "-nic", "none",
         "-nographic", "-semihosting", "-kernel", str(program)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=machine.FAR, check=False)
    assert process.stdout.splitlines()[-2:] == ["0 wrong", "done"], process.stdout
    assert process.returncode == 0
