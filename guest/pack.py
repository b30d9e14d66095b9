#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make the guests' kernel image, initramfs and root file system from unpacked packages.

    pack.py ROOT FILES IMAGE INITRAMFS ROOTFS [MODULE]

ROOT is where fetch.sh unpacked the packages, FILES the directory of our own files. MODULE is one that was
built for the kernel, to be there besides those of ROOT (module/build.sh). The same input
gives the same bytes: entries are sorted, numbered in that order, owned by root and dated 1970.

The initramfs is not compressed, so to unpack it is to copy it. A guest boots some 40 ms earlier than
with the fastest compression, and the system image is 5 MB larger.

The root file system is for machines whose root is on a disk. It is a tar archive of the same files and
of the programs that a machine with disks wants.
"""

import gzip
import io
import lzma
import pathlib
import re
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import zlib

import libraries

# With what they depend on; in the order in which they are to be loaded. Not every kernel has a driver of
# pvpanic.
MODULES = ["virtio_mmio", "virtio_console", "virtio_net", "virtio_blk", "virtio_rng", "pvpanic_mmio"]
# There for the asking (`modprobe 8021q`). The init of a machine that has a watchdog asks for its driver.
MORE_MODULES = ["8021q", "bridge", "tun", "veth", "sp805_wdt"]
# For machines with a power button, once they are up.
BUTTON_MODULES = ["evdev", "virtio_input"]

PROGRAMS = ["iperf3", "ethtool"]
# Only in the root file system, with the names that they also go by.
DISK_PROGRAMS = {"mke2fs": ["mkfs.ext4"], "e2fsck": ["fsck.ext4"]}

FILES = {  # where in the archive: (which file of FILES, mode)
    "init": ("init", 0o755),
    "etc/profile": ("profile", 0o644),
    "etc/fstab": ("fstab", 0o644),
    "etc/hosts": ("hosts", 0o644),
    "etc/dhcp.script": ("dhcp.script", 0o755),
    "etc/acpi/power_button": ("power_button", 0o755),
    "usr/bin/resize": ("resize", 0o755),
}

DIRECTORIES = ["bin", "dev", "etc", "lib", "mnt", "proc", "root", "sbin", "sys", "tmp", "usr",
               "usr/bin", "usr/lib", "usr/sbin", "var", "var/run"]

ARM64_IMAGE_MAGIC = b"ARM\x64"  # at 56; Documentation/arch/arm64/booting.rst
# An Image that unpacks itself under UEFI: where in it, and how long, the packed one is
# (drivers/firmware/efi/libstub/zboot-header.S).
ZBOOT_HEADER = struct.Struct("<4s4sII")
ZBOOT_MAGIC = (b"MZ\0\0", b"zimg")


class PackError(Exception):
    """Something in ROOT is not as expected."""


class Archive:
    """A cpio archive of the kernel's "newc" format."""

    def __init__(self):
        self.entries = {}

    def add(self, path, mode, data=b"", device=(0, 0)):
        for parent in reversed(pathlib.PurePosixPath(path).parents):
            if str(parent) != "." and str(parent) not in self.entries:
                self.entries[str(parent)] = (stat.S_IFDIR | 0o755, b"", (0, 0))
        self.entries[path] = (mode, data, device)

    def file(self, path, data, mode=0o644):
        self.add(path, stat.S_IFREG | mode, data)

    def directory(self, path, mode=0o755):
        self.add(path, stat.S_IFDIR | mode)

    def link(self, path, target):
        self.add(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path, major, minor, mode=0o600):
        self.add(path, stat.S_IFCHR | mode, device=(major, minor))

    @staticmethod
    def entry(number, path, mode, data, device):
        name = path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = [number, mode, 0, 0, links, 0, len(data), 0, 0, device[0], device[1], len(name), 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        out = header + name
        out += bytes(-len(out) % 4) + data
        return out + bytes(-len(data) % 4)

    def bytes(self):
        out = [self.entry(number, path, *self.entries[path])
               for number, path in enumerate(sorted(self.entries), 1)]
        out.append(self.entry(0, "TRAILER!!!", 0, b"", (0, 0)))
        packed = b"".join(out)
        return packed + bytes(-len(packed) % 512)

    def tar(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for path in sorted(self.entries):
                mode, data, device = self.entries[path]
                info = tarfile.TarInfo(path)
                info.mode = stat.S_IMODE(mode)
                if stat.S_ISDIR(mode):
                    info.type = tarfile.DIRTYPE
                elif stat.S_ISLNK(mode):
                    info.type, info.linkname = tarfile.SYMTYPE, data.decode()
                elif stat.S_ISCHR(mode):
                    info.type, (info.devmajor, info.devminor) = tarfile.CHRTYPE, device
                else:
                    info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return out.getvalue()


def only(paths, what):
    paths = sorted(paths)
    if not paths:
        raise PackError(f"the packages hold no {what}")
    return paths[-1]


def unzstd(data):
    """What zstd has compressed. Python's own library has it from 3.14 on."""
    try:
        from compression import zstd  # pylint: disable=import-outside-toplevel
        return zstd.decompress(data)
    except ImportError:
        pass
    if not shutil.which("zstd"):
        raise PackError("this is compressed with zstd: install the package zstd")
    return subprocess.run(["zstd", "-dcq"], input=data, check=True, stdout=subprocess.PIPE).stdout


COMPRESSIONS = {b"\x1f\x8b": gzip.decompress, b"\xfd7zXZ\0": lzma.decompress,
                b"\x28\xb5\x2f\xfd": unzstd}


def decompress(data, name):
    """The bytes that were compressed, or, if they were not, the same."""
    for magic, function in COMPRESSIONS.items():
        if data.startswith(magic):
            try:
                return function(data)
            except (PackError, OSError, EOFError, lzma.LZMAError, zlib.error,
                    subprocess.CalledProcessError) as error:
                raise PackError(f"{name}: {error}") from error
    return data


def kernel(root):
    """The kernel as a raw Image; some distributions compress it, in one way or the other."""
    path = only(root.glob("boot/vmlinuz-*"), "boot/vmlinuz")
    data = decompress(path.read_bytes(), path.name)
    if len(data) >= ZBOOT_HEADER.size:
        *magic, offset, size = ZBOOT_HEADER.unpack_from(data)
        if tuple(magic) == ZBOOT_MAGIC:
            data = decompress(data[offset:offset + size], path.name)
    if data[56:60] != ARM64_IMAGE_MAGIC:
        raise PackError("boot/vmlinuz is no arm64 Image")
    return data


def find(root, name):
    """A program or library, wherever the package has put it."""
    path = libraries.find(root, name)
    if path is None:
        raise PackError(f"the packages hold no {name}")
    return path


def add_programs(archive, root, names, directory):
    """Programs of ROOT, and in /lib all libraries that they need."""
    paths = {name: find(root, name) for name in names}
    for name, path in paths.items():
        archive.file(f"{directory}/{name}", path.read_bytes(), 0o755)
    found, lacking = libraries.closure(root, paths.values())
    if lacking:
        raise PackError(f"the packages hold no {lacking[0][1]}, which {lacking[0][0].name} needs")
    for name, path in found.items():
        archive.file(f"lib/{name}", path.read_bytes(), 0o755)


class Modules:
    """The kernel's modules in ROOT, of one version, and `more`. Their names are as modprobe says them."""

    def __init__(self, root, more=()):
        directory = only([path for place in ("lib/modules", "usr/lib/modules")
                          for path in (root / place).glob("*") if path.is_dir()], "lib/modules")
        self.version = directory.name
        self.paths = {self.name(path): path for path in [*sorted(directory.rglob("*.ko*")), *more]}

    @staticmethod
    def name(path):
        return path.name.split(".ko")[0].replace("-", "_")

    def load(self, names):
        """Modules and all that they depend on: {name: (file name, bytes, what it depends on)}.

        Each comes after those that it depends on. The files are without the compression, which
        busybox cannot undo. What ROOT does not have is taken to be built in.
        """
        loaded = {}

        def visit(name):
            if name in loaded or name not in self.paths:
                return
            path = self.paths[name]
            data = decompress(path.read_bytes(), path.name)
            listed = re.search(rb"\0depends=([^\0]*)\0", b"\0" + data)
            dependencies = [word.replace("-", "_") for word in
                            (listed.group(1).decode().split(",") if listed else [])]
            dependencies = [d for d in dependencies if d in self.paths]
            for dependency in dependencies:
                visit(dependency)
            loaded[name] = path.name.split(".ko")[0] + ".ko", data, dependencies

        for name in names:
            visit(name)
        return loaded


def add_modules(archive, root, more):
    """The modules and the modules.dep that modprobe reads. All go into one directory: this is the
    order of a hundred entries less for the guest to create."""
    modules = Modules(root, more)
    loaded = modules.load(MODULES + MORE_MODULES + BUTTON_MODULES + [modules.name(path) for path in more])

    def closure(name):
        needed = set(loaded[name][2])
        for dependency in loaded[name][2]:
            needed.update(closure(dependency))
        return needed

    # A module's line lists what it needs, to be loaded from the last to the first. `loaded` has that
    # order from the front. The order in which a module names its dependencies says nothing.
    lines = []
    for name, (file, data, _) in loaded.items():
        archive.file(f"lib/modules/{modules.version}/{file}", data)
        needed = closure(name)
        lines.append(" ".join([file + ":"] + [loaded[d][0] for d in reversed(loaded) if d in needed]) + "\n")
    archive.file(f"lib/modules/{modules.version}/modules.dep", "".join(lines).encode())
    archive.file("etc/modules", " ".join(m for m in MODULES if m in loaded).encode() + b"\n")


def add_disk_programs(archive, root):
    """What turns an initramfs into a root file system on a disk."""
    archive.link("sbin/init", "../init")
    add_programs(archive, root, DISK_PROGRAMS, "sbin")
    for name, others in DISK_PROGRAMS.items():
        for other in others:
            archive.link(f"sbin/{other}", name)
    archive.file("etc/mke2fs.conf", (root / "etc/mke2fs.conf").read_bytes())


def main():
    if len(sys.argv) not in (6, 7):
        sys.exit("usage: pack.py ROOT FILES IMAGE INITRAMFS ROOTFS [MODULE]")
    root, files, image, initramfs, rootfs, *more = map(pathlib.Path, sys.argv[1:])
    archive = Archive()
    for path in DIRECTORIES:
        archive.directory(path)
    archive.device("dev/console", 5, 1)  # what the kernel opens for /init
    archive.link("etc/acpi/PWRF/00000080", "../power_button")  # busybox's acpid runs this
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\n")
    for path, (name, mode) in FILES.items():
        archive.file(path, (files / name).read_bytes(), mode)
    try:
        archive.file("bin/busybox", find(root, "busybox").read_bytes(), 0o755)
        archive.link("bin/sh", "busybox")
        add_programs(archive, root, PROGRAMS, "usr/bin")
        add_modules(archive, root, more)
        image.write_bytes(kernel(root))
        initramfs.write_bytes(archive.bytes())
        add_disk_programs(archive, root)
        rootfs.write_bytes(archive.tar())
    except (PackError, OSError, subprocess.CalledProcessError) as error:
        for path in (image, initramfs, rootfs):
            path.unlink(missing_ok=True)
        sys.exit(f"guest: {error}")


if __name__ == "__main__":
    main()
