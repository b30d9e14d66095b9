#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make the image of the board's disk that a system's machines have parts of.

    disk.py [--keep] SYSTEM.JSON IMAGE

SYSTEM.JSON is braid-gen's. A part that has a content, a directory or a tar archive, becomes an ext4
file system of it. One that has an image, of a whole disk, becomes a copy of that. The others are left
empty, and the file has holes there. No privileges are needed:
who owns a file, and what device a node is, is written into the file system. All of a directory
belongs to root; an archive says itself.

With --keep an image that is there already is left as it is, unless it was made for other parts:
then that is an error, since what the machines have written would be lost.
"""

import argparse
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import uuid

# Machines start in 1970, and a file system from the future would trouble their fsck.
TIME = "1"


class DiskError(Exception):
    """Something that the user can mend."""


class Tree:
    """A directory on the host, and what of it the host's file system does not say."""

    def __init__(self, place):
        self.place = place
        self.owners = {}  # path: (mode, uid, gid)
        self.nodes = {}  # path: ("b", "c" or "p", major, minor)

    @classmethod
    def of_directory(cls, place):
        tree = cls(place)
        for top, directories, files in os.walk(place):
            for name in directories + files:
                path = pathlib.Path(top, name)
                mode = path.lstat().st_mode
                if stat.S_ISSOCK(mode):
                    raise DiskError(f"{path}: a socket cannot be put on a disk")
                tree.owners[path.relative_to(place).as_posix()] = (mode, 0, 0)
        return tree

    @classmethod
    def of_archive(cls, archive, place):
        tree = cls(place)
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    tree.unpack(tar, member)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DiskError(f"{archive}: {error}") from error
        return tree

    def inside(self, name):
        """The place of an entry, which neither its name nor a link may lead out of the tree."""
        path = os.path.normpath(name)
        if path.startswith(("/", "..")):
            path = path.lstrip("/")
        if path == ".." or path.startswith("../"):
            raise DiskError(f"'{name}': leads out of the file system")
        if path in (".", ""):  # the root itself: `tar -C root -cf root.tar .` begins with it
            return ".", self.place
        parent = (self.place / path).parent
        if not parent.resolve().is_relative_to(self.place.resolve()):
            raise DiskError(f"'{name}': lies behind a link that leads out of the file system")
        parent.mkdir(parents=True, exist_ok=True)
        return path, self.place / path

    def unpack(self, tar, member):
        path, place = self.inside(member.name)
        if path == "." and not member.isdir():
            raise DiskError(f"'{member.name}': the root of a file system is a directory")
        if not member.isdir() and (place.is_symlink() or place.exists()):
            place.unlink()  # the archive's later entry counts
            self.nodes.pop(path, None)
        kind = stat.S_IFREG
        if member.isdir():
            kind = stat.S_IFDIR
            place.mkdir(exist_ok=True)
        elif member.issym():
            kind = stat.S_IFLNK
            place.symlink_to(member.linkname)
        elif member.islnk():
            target, source = self.inside(member.linkname)
            if target == ".":
                raise DiskError(f"'{member.linkname}': a link cannot lead to the root of the file system")
            os.link(source, place, follow_symlinks=False)
            return
        elif member.isreg():
            with tar.extractfile(member) as source, place.open("wb") as target:
                shutil.copyfileobj(source, target)
        elif member.ischr() or member.isblk() or member.isfifo():
            letter = "c" if member.ischr() else "b" if member.isblk() else "p"
            self.nodes[path] = (letter, member.devmajor, member.devminor)
            kind = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}[letter]
        else:
            raise DiskError(f"'{member.name}': entries of type {member.type!r} are unknown")
        self.owners[path] = (kind | member.mode & 0o7777, member.uid, member.gid)

    def commands(self):
        """What debugfs has to do when mke2fs has copied the tree."""
        lines = []
        for path, (letter, major, minor) in sorted(self.nodes.items()):
            directory, name = os.path.split(path)
            number = "" if letter == "p" else f" {major} {minor}"
            lines += [f"cd {quoted('/' + directory)}", f"mknod {quoted(name)} {letter}{number}"]
        lines.append("cd /")
        for path, (mode, uid, gid) in sorted(self.owners.items()):
            where = quoted("/" + path)
            lines += [f"sif {where} uid {uid}", f"sif {where} gid {gid}"]
            lines += [] if stat.S_ISLNK(mode) else [f"sif {where} mode 0{mode:o}"]
        return "\n".join(lines) + "\n"


def quoted(path):
    if "\n" in path or "\r" in path:
        raise DiskError(f"'{path!r}': a name with a line break cannot be put on a disk")
    return '"' + path.replace('"', '""') + '"'


def run(command, what):
    environment = dict(os.environ, E2FSPROGS_FAKE_TIME=TIME, MKE2FS_CONFIG="/dev/null", LC_ALL="C")
    environment["PATH"] += os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"
    try:
        process = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        package = "qemu-utils" if command[0] == "qemu-img" else "e2fsprogs"
        raise DiskError(f"{what}: there is no {command[0]}: install {package}") from error
    # debugfs says what went wrong, but not by its exit status; its first line is its version.
    said = [line for line in process.stderr.splitlines() if not line.startswith("debugfs 1.")]
    if process.returncode != 0 or (command[0] == "debugfs" and said):
        raise DiskError(f"{what}: " + ("\n".join(said) or f"{command[0]} failed"))


# As Debian's mke2fs.conf has them; a configuration of the host's is not asked.
FEATURES = "has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize"


def make_file_system(image, part, content, scratch):
    """An ext4 file system of `content` in the part of the disk that it is for."""
    label = f"{part['vm']} disk{part['index']}"
    if content.is_dir():
        tree = Tree.of_directory(content)
    else:
        place = scratch / "tree"
        place.mkdir()
        tree = Tree.of_archive(content, place)
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{label} {part['offset']}")
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0",
         "-O", FEATURES + ",sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr",
         "-U", str(identity), "-d", str(tree.place),
         "-E", f"offset={part['offset']},hash_seed={identity},root_owner=0:0,"
               "lazy_itable_init=0,lazy_journal_init=0,nodiscard",
         str(image), f"{part['size'] // 1024}k"], f"{label}: {content}")
    commands = scratch / "commands"
    commands.write_text(tree.commands(), encoding="utf-8", errors="surrogateescape")
    run(["debugfs", "-w", "-f", str(commands), f"{image}?offset={part['offset']}"],
        f"{label}: {content}")
    if tree.place != content:
        shutil.rmtree(tree.place)


def raw_image(source, label, scratch):
    """The file with the bytes of a whole disk's image, which may be a qcow2 file."""
    with source.open("rb") as file:
        header = file.read(80)
    if not header.startswith(b"QFI\xfb"):
        return source
    # braid-gen has looked at this, too. What other files hold would come along.
    if any(header[8:16]) or (header[7] >= 3 and header[79] & 4):
        raise DiskError(f"{label}: {source} refers to another file: "
                        "make one image of both with qemu-img convert")
    raw = scratch / "raw"
    run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(source), str(raw)], f"{label}: {source}")
    return raw


def copy_image(image, part, source, scratch):
    """A whole disk's image, raw or qcow2, into the part of the disk; where it has only zeros, holes."""
    label = f"{part['vm']} disk{part['index']}"
    with raw_image(source, label, scratch).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > part["size"]:
            raise DiskError(f"{label}: {source} has changed, and is larger than the disk now: "
                            "make it again")
        with image.open("r+b") as target:
            file.seek(0)
            target.seek(part["offset"])
            while block := file.read(1 << 20):
                if block.count(0) == len(block):
                    target.seek(len(block), os.SEEK_CUR)
                else:
                    target.write(block)


def make_image(disk, image):
    with tempfile.TemporaryDirectory(prefix=".disk-", dir=image.parent) as scratch:
        scratch = pathlib.Path(scratch)
        new = scratch / "image"
        with new.open("wb") as file:
            file.truncate(disk["size"])
        for part in disk["slices"]:
            if part.get("content"):
                make_file_system(new, part, pathlib.Path(part["content"]), scratch)
            if part.get("image"):
                copy_image(new, part, pathlib.Path(part["image"]), scratch)
        new.rename(image)


def layout(disk):
    """What may not change under machines that have written to the disk."""
    parts = [f"{part['vm']} disk{part['index']}: {part['offset']} {part['size']}"
             for part in disk["slices"]]
    return "\n".join([f"size {disk['size']}", *parts]) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("system", type=pathlib.Path)
    parser.add_argument("image", type=pathlib.Path)
    arguments = parser.parse_args()
    system = json.loads(arguments.system.read_text(encoding="utf-8"))
    disk = system.get("disk")
    made_for = arguments.image.with_name(arguments.image.name + ".parts")
    try:
        if disk is None or "file" in disk:
            raise DiskError("there is no disk to make: " +
                            (f"no machine of {system['name']} has one" if disk is None else
                             f"{system['name']} uses {disk['file']}"))
        if arguments.keep and arguments.image.exists():
            if not made_for.exists() or made_for.read_text(encoding="utf-8") != layout(disk):
                raise DiskError(f"{arguments.image} was made for other parts of the disk; "
                                "'make disk' makes it anew, and what is on it is lost")
            return
        print(f"  DISK    {arguments.image}", flush=True)
        made_for.unlink(missing_ok=True)
        make_image(disk, arguments.image)
        made_for.write_text(layout(disk), encoding="utf-8")
    except (DiskError, OSError) as error:
        sys.exit(f"disk: {error}")


if __name__ == "__main__":
    main()
