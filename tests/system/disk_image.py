# SPDX-License-Identifier: BSD-2-Clause
"""Images of whole disks as distributions make them: a GPT, an EFI system partition, a root file system."""

import json
import os
import pathlib
import subprocess

MIB = 1 << 20
SECTOR = 512
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def run(*command, **more):
    more.setdefault("input", "")
    subprocess.run([str(word) for word in command], check=True, text=True, capture_output=True,
                   env=dict(os.environ, PATH=PATH, MTOOLS_SKIP_CHECK="1", LC_ALL="C"), **more)


def partition(image, parts):
    """A new file with a GPT of these parts, [(type, MiB, name)]; returns where each begins, in bytes."""
    size = sum(mib for _, mib, _ in parts) + 2
    pathlib.Path(image).unlink(missing_ok=True)
    with open(image, "wb") as file:
        file.truncate(size * MIB)
    begin = 1
    lines = ["label: gpt"]
    starts = []
    for kind, mib, name in parts:
        # The attribute says to firmware without EFI: boot from here.
        bootable = ", attrs=LegacyBIOSBootable" if kind == LINUX else ""
        lines.append(f"start={begin * MIB // SECTOR}, size={mib * MIB // SECTOR}, type={kind}, "
                     f'name="{name}"{bootable}')
        starts.append(begin * MIB)
        begin += mib
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", image, input="\n".join(lines) + "\n")
    return starts


def put_fat(image, start, mib, tree):
    """A FAT file system of a directory, in a part of an image."""
    place = f"{image}@@{start}"
    run("mformat", "-i", place, "-T", mib * MIB // SECTOR, "-F", "::")
    files = sorted(pathlib.Path(tree).iterdir())
    if files:
        run("mcopy", "-i", place, "-s", "-Q", *files, "::")


def put_ext4(image, start, mib, tree, under=()):
    """An ext4 file system of a directory, in a part of an image; `under` fakeroot all of it is root's."""
    run(*under, "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-d", tree,
        "-E", f"offset={start},root_owner=0:0", image, f"{mib * 1024}k")


def parts_of(image):
    """[(start, size)] of an image's partitions, in bytes."""
    said = subprocess.run(["sfdisk", "--json", str(image)], check=True, text=True, capture_output=True,
                          env=dict(os.environ, PATH=PATH)).stdout
    table = json.loads(said)["partitiontable"]
    return [(part["start"] * SECTOR, part["size"] * SECTOR) for part in table["partitions"]]
