# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the guests' files share: made-up packages. No network, nothing is booted."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CROSS = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-")
LIBRARIES = "usr/lib/aarch64-linux-gnu"
sys.path.insert(0, str(ROOT / "guest"))


def gcc(output, *arguments, source):
    subprocess.run([f"{CROSS}gcc", "-nostdlib", "-Wl,--no-as-needed,--allow-shlib-undefined",
                    *map(str, arguments), "-x", "c", "-", "-o", output],
                   input=source, text=True, check=True)
    return output


class Tree:
    """A directory like the one that packages are unpacked to."""

    def __init__(self, root):
        self.root = root
        root.mkdir(parents=True)

    def path(self, name):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def file(self, name, data=b""):
        self.path(name).write_bytes(data)

    def link(self, name, target):
        self.path(name).symlink_to(target)

    def library(self, name, needs=(), source="", directory=LIBRARIES, version=""):
        """An arm64 library; `needs` are others. With a `version` NAME is a link to it."""
        path = gcc(self.path(f"{directory}/{name}{version}"), "-shared", "-fPIC",
                   f"-Wl,-soname,{name}", *needs, source=source)
        if version:
            self.link(f"{directory}/{name}", path.name)
        return path

    def program(self, name, needs=(), source="", directory="usr/bin"):
        return gcc(self.path(f"{directory}/{name}"), "-pie", "-fPIE", "-Wl,-e,0",
                   "-Wl,--unresolved-symbols=ignore-all",
                   "-Wl,--dynamic-linker=/lib/ld-linux-aarch64.so.1", *needs, source=source)

    def c_library(self):
        """As much of it as anybody looks at here."""
        loader = self.library("ld-linux-aarch64.so.1")
        self.link("usr/lib/ld-linux-aarch64.so.1", f"aarch64-linux-gnu/{loader.name}")
        return self.library("libc.so.6", [loader], "void pthread_cancel(void) {}")


@pytest.fixture
def tree(tmp_path):
    """A function that makes a tree of that name."""
    return lambda name="root": Tree(tmp_path / name)
