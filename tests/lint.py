#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the linters over the whole tree, beside each other, and say what they have found.

A finding is a line `FILE:LINE:COLUMN: ...`, relative to the root of the tree. For each linter there is
a line at its end that says how it went, and one at the very end for all, in the form that check.py
reads. Nothing has to be built first: what generated headers say is in the tree as well.

    lint.py [NAME...]       only these linters
"""

import argparse
import concurrent.futures
import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FINDING = re.compile(r"^[^\s:]+:\d+:(\d+:)? ")
EXPLANATION = re.compile(r": note: .*[^\]]$")  # of the finding before it, without the name of a check
COLUMNS = 110  # of Python; C has 100, kept by clang-format
CHUNK = 10  # files for one clang-tidy, so that all processors have something to do till the end

CROSS = os.environ.get("CROSS", "aarch64-linux-gnu-")
PICOLIBC = os.environ.get("PICOLIBC", f"/usr/lib/picolibc/{CROSS.rstrip('-')}")
# Cppcheck does not parse `register ... __asm__("x0")`, so it is told to read nothing there. What it must
# not say: that assembly which it has not read has set nothing (the compilers look for that better); that
# an index is out of bounds which a condition has ruled out, such as the number of no vCPU; that a
# test dies where malloc() fails; and how thorough it is.
CPPCHECK_OPTIONS = ["-D__asm__(x)=", "--force", "--suppress=uninitvar",
                    "--suppress=arrayIndexOutOfBoundsCond", "--suppress=nullPointerOutOfMemory:tests/*",
                    "--suppress=nullPointerArithmeticOutOfMemory:tests/*",
                    "--suppress=normalCheckLevelMaxBranches"]

# The SDK's configs that files of a kind are looked at in: of the kernel, both sides of its #ifs.
CONFIGS = {"kernel": ("release", "smp-debug", "benchmark"), "benchmark": ("benchmark",)}
# And boards, which have the other sides of more of them.
BOARD = ("IN_QEMU=1", "MEMORY_BASE=0x40000000", "MEMORY_SIZE=0x80000000", "LOAD_ADDRESS=0x70000000",
         "CORE_IDS=0,1,2,3", "GIC_INTIDS=288", "GICD=0x8000000", "UART=0x9000000")
BOARDS = {"release": (*BOARD, "GIC_VERSION=2", "GICC=0x8010000", "GICH=0x8030000", "UART_CHIP=UART_PL011"),
          "smp-debug": (*BOARD, "GIC_VERSION=3", "GICR=0x80a0000", "UART_CHIP=UART_CADENCE",
                        "RELEASE_ADDRESSES=0xd8,0xe0,0xe8,0xf0")}
BOARDS["benchmark"] = BOARDS["release"]
CONFIGS_OF_OTHERS = ("release",)


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


# ---- Which files there are -------------------------------------------------------------------------

def tree():
    """All files of the project, by their paths from its root: what git knows or would not ignore, or,
    where the tree is no clone, all but what is hidden and what is in build/."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        names = output("git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others",
                       "--exclude-standard").split("\0")
        return sorted({name for name in names if name and (ROOT / name).is_file()})
    found = []
    for directory, below, files in os.walk(ROOT):
        below[:] = [name for name in below if name not in ("build", "__pycache__", ".git")]
        found += [os.path.relpath(os.path.join(directory, name), ROOT) for name in files]
    return sorted(found)


def interpreter(name):
    """What the first line says that runs a file, or nothing."""
    with open(ROOT / name, "rb") as file:
        first = file.readline(100)
    return first[2:].decode(errors="replace").strip() if first.startswith(b"#!") else ""


def is_shell(name):
    return name.endswith(".sh") or re.search(r"\b(da|ba|a)?sh$", interpreter(name)) is not None


def is_python(name):
    return name.endswith(".py") or "python" in interpreter(name)


# ---- How C is compiled, as far as a parser has to know ----------------------------------------------

def flags(kind, config):
    """Clang's, for files of a kind."""
    common = ["-std=gnu11", "-Wall", "-Wextra", "-I."]
    headers = ("sdk/libmicrokit/include", f"sdk/libmicrokit/config/{config}")
    sdk = [word for path in headers for word in ("-isystem", path)]
    target = [f"--target={CROSS.rstrip('-')}", "-ffreestanding", *common]
    if kind == "unit":
        return ["-Itests/unit/fake", *sdk, *common]
    if kind == "model":
        board = (f"-DBOARD_{constant}" for constant in BOARDS[config])
        return ["-Itests/kernel_model", *sdk, *common, *board]
    if kind == "host":
        libraries = output("pkg-config", "--cflags-only-I", "libxml-2.0", "libelf").split()
        return [*common, *(flag.replace("-I", "-isystem", 1) for flag in libraries)]
    if kind == "linux":  # programs for guests
        return [f"--target={CROSS.rstrip('-')}", *common,
                "-isystem", f"/usr/{CROSS.rstrip('-')}/include"]
    if kind == "sdk":
        return [*target, *(f"-I{path}" for path in headers)]
    if kind == "kernel":
        return [*target, *sdk, *(f"-DBOARD_{constant}" for constant in BOARDS[config])]
    own = output("clang", "-print-resource-dir").strip()
    return [*target, *sdk, "-nostdinc", "-isystem", f"{own}/include",
            "-isystem", f"{PICOLIBC}/include", "-idirafter", f"/usr/{CROSS.rstrip('-')}/include"]


KINDS = (("unit", ("tests/unit/*", "tests/fuzz/*", "tests/prove/*")),
         ("model", ("tests/kernel_model/*",)),
         ("pd", ("tests/system/hostile/*", "tests/system/bare/*")),
         ("benchmark", ("tests/kernel/benchmark/*",)),
         ("linux", ("bench/guest/*", "tests/soak/*", "tests/system/*")),
         ("host", ("tools/*", "sdk/tool/*", "tests/tools/*")),
         ("kernel", ("sdk/kernel/*",)),
         ("sdk", ("sdk/*",)),
         ("pd", ("*",)))


def kind_of(name):
    return next(kind for kind, patterns in KINDS
                if any(fnmatch.fnmatch(name, pattern) for pattern in patterns))


def tidy_commands(files):
    by_kind = {}
    for name in files:
        by_kind.setdefault(kind_of(name), []).append(name)
    commands = []
    for kind, names in by_kind.items():
        names.sort(key=lambda name: -(ROOT / name).stat().st_size)
        chunks = (len(names) + CHUNK - 1) // CHUNK
        commands += [["clang-tidy", "--quiet", *names[first::chunks], "--", *flags(kind, config)]
                     for config in CONFIGS.get(kind, CONFIGS_OF_OTHERS) for first in range(chunks)]
    return commands


# ---- The linters -----------------------------------------------------------------------------------

class Linter:
    """`commands` look at `files`, in any order and at any time."""

    def __init__(self, name, files, commands):
        self.name = name
        self.files = files
        self.commands = commands


def linters():
    files = tree()
    c_files = [name for name in files if name.endswith(".c")]
    # Linux's headers, which modules need, are not here. Its own build warns of what is wrong.
    own = [name for name in c_files if not name.startswith("guest/module/")]
    headers = [name for name in files if name.endswith(".h")]
    shell = [name for name in files if is_shell(name)]
    python = [name for name in files if is_python(name)]
    return [
        Linter("clang-tidy", own, tidy_commands(own)),
        Linter("cppcheck", own, [[
            "cppcheck", "-q", "--std=c11", "--enable=warning,performance,portability",
            "--inline-suppr", "--error-exitcode=1", *CPPCHECK_OPTIONS,
            "--template={file}:{line}:{column}: {severity}: {message} [{id}]", "-I.", *own]]),
        Linter("clang-format", c_files + headers,
               [["clang-format", "--dry-run", "-Werror", *c_files, *headers]]),
        Linter("shellcheck", shell, [["shellcheck", "-f", "gcc", *shell]]),
        Linter("pyflakes", python, [[sys.executable, "-m", "pyflakes", *python]]),
        Linter("pycodestyle", python, [[sys.executable, "-m", "pycodestyle",
                                        f"--max-line-length={COLUMNS}", *python]]),
    ]


def run(command):
    """(findings, what it has said otherwise where it failed without any)."""
    try:
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, text=True, errors="replace")
    except OSError as error:
        return [], f"{command[0]}: {error.strerror}"
    lines = [line.removeprefix(f"{ROOT}/").removeprefix("./") for line in done.stdout.splitlines()]
    findings = [line for line in lines if FINDING.match(line) and not EXPLANATION.search(line)]
    if done.returncode != 0 and not findings:
        return [], done.stdout or f"{command[0]}: ended with status {done.returncode}"
    return findings, ""


def main():
    everything = linters()
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=", ".join(linter.name for linter in everything))
    wanted = parser.parse_args().names
    failed = 0
    chosen = [linter for linter in everything if not wanted or linter.name in wanted]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        results = [(linter, [pool.submit(run, command) for command in linter.commands])
                   for linter in chosen]
        for linter, futures in results:
            findings, errors = set(), ""
            for future in futures:
                more, error = future.result()
                findings.update(more)
                errors += error
            for line in sorted(findings):
                print(line)
            sys.stdout.write(errors)
            good = not findings and not errors
            print(f"  {'ok     ' if good else 'FAILED '} {linter.name}: {len(linter.files)} files"
                  f"{f', {len(findings)} findings' if findings else ''}", flush=True)
            failed += not good
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
