#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Which shared libraries programs need, and where they are in a tree of unpacked packages.

    libraries.py ROOT

prints a line `PATH LIBRARY` for each library that a program in ROOT needs and ROOT lacks. PATH is the
file, relative to ROOT, that names the library, or that loads it at run time.
"""

import os
import pathlib
import re
import subprocess
import sys

PROGRAM_DIRECTORIES = ("bin", "sbin", "usr/bin", "usr/sbin")
LIBRARY_DIRECTORIES = ("lib", "usr/lib", "lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu")

C_LIBRARY = "libc.so.6"
# What the C library loads only when one of these is called, and does without at a price: it aborts.
LOADED_LATER = {"libgcc_s.so.1": {"pthread_cancel", "pthread_exit", "backtrace"}}

LINKS_MAX = 40  # as many as Linux follows (path_resolution(7))


def resolve(root, path):
    """Where a path of ROOT leads if ROOT is `/`, whatever links are on the way."""
    here = root
    rest = list(reversed(pathlib.PurePosixPath(path).parts))
    links = 0
    while rest:
        part = rest.pop()
        if part == "/":
            here = root
        elif part == "..":
            here = here.parent if here != root else root
        elif not (here / part).is_symlink():
            here = here / part
        elif links == LINKS_MAX:
            raise OSError(f"{path} leads in circles")
        else:
            links += 1
            rest += reversed(pathlib.PurePosixPath(os.readlink(here / part)).parts)
    return here


def find(root, name):
    """A program or library, wherever its package has put it; None if there is none."""
    for directory in PROGRAM_DIRECTORIES + LIBRARY_DIRECTORIES:
        path = resolve(root, f"{directory}/{name}")
        if path.is_file():
            return path
    return None


def is_elf(path):
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def needed(path):
    """The shared libraries that an ELF file names, its loader, and what will be loaded later.

    Returns pairs: the library, and whether it is loaded later.
    """
    text = subprocess.run(["aarch64-linux-gnu-readelf", "-dlW", "--dyn-syms", path], check=True,
                          capture_output=True, text=True).stdout
    names = re.findall(r"\(NEEDED\).*\[(.+)\]", text)
    names += [pathlib.PurePath(name).name for name in re.findall(r"interpreter: (.+)\]", text)]
    called = set(re.findall(r" UND (\w+)", text))
    return ([(name, False) for name in names]
            + [(name, True) for name, callers in LOADED_LATER.items() if called & callers])


def closure(root, paths):
    """All libraries that these files need, directly or through others.

    Returns ({library: path}, [(path, library that ROOT lacks)]), sorted.
    """
    found, lacking = {}, []
    waiting = sorted(paths, reverse=True)
    while waiting:
        path = waiting.pop()
        for name, later in needed(path):
            if name in found:
                continue
            library = find(root, name)
            if library is not None:
                found[name] = library
                waiting.append(library)
            else:
                loader = find(root, C_LIBRARY) if later else path
                lacking.append((loader or path, name))
    return dict(sorted(found.items())), sorted(set(lacking))


def programs(root):
    """All programs in ROOT."""
    paths = set()
    for directory in PROGRAM_DIRECTORIES:
        for path in sorted((root / directory).glob("*")):
            path = resolve(root, path.relative_to(root))
            if path.is_file() and is_elf(path):
                paths.add(path)
    return paths


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: libraries.py ROOT")
    root = pathlib.Path(sys.argv[1])
    for path, name in closure(root, programs(root))[1]:
        print(path.relative_to(root), name)


if __name__ == "__main__":
    main()
