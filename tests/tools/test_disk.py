# SPDX-License-Identifier: BSD-2-Clause
"""tools/disk.py: the file system that a tar archive or a directory becomes."""

import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIB = 1 << 20
PATH = os.environ["PATH"] + os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"


def make(directory, content, size=4 * MIB, offset=0, key="content", **environment):
    """Run disk.py for one machine with one disk; returns the image, the status, and what was said."""
    part = {"vm": "vm0", "index": 0, "offset": offset, "size": size, key: str(content)}
    system = directory / "system.json"
    system.write_text(json.dumps({"name": "sys", "disk": {"size": size + 2 * offset, "slices": [part]}}))
    image = directory / "disk.img"
    done = subprocess.run([sys.executable, ROOT / "tools" / "disk.py", system, image],
                          capture_output=True, text=True, check=False, env={**os.environ, **environment})
    assert "Traceback" not in done.stderr
    return image, done.returncode, done.stderr


def stat(image, path):
    """What debugfs says of a file, in words."""
    done = subprocess.run(["debugfs", "-R", f"stat {path}", image], capture_output=True, text=True,
                          check=True, env={**os.environ, "PATH": PATH})
    return done.stdout.split()


def after(words, label):
    return words[words.index(label) + 1]


def entry(name, kind=tarfile.REGTYPE, mode=0o644, uid=0, target="", data=b""):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid, info.linkname = kind, mode, uid, uid, target
    info.size = len(data)
    return info, data


def archive(path, *entries):
    with tarfile.open(path, "w") as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return path


def test_archive_of_a_directory_s_all(tmp_path):
    """As `tar -C root -cf root.tar .` makes it, and with it mmdebstrap, Buildroot and Alpine."""
    root = tmp_path / "root"
    (root / "sbin").mkdir(parents=True)
    (root / "sbin" / "init").write_text("#!/bin/sh\n")
    subprocess.run(["tar", "-C", root, "-cf", tmp_path / "root.tar", "."], check=True)
    image, status, said = make(tmp_path, tmp_path / "root.tar")
    assert status == 0, said
    assert after(stat(image, "/sbin/init"), "Type:") == "regular"


@pytest.mark.parametrize("name", [".", "./", "/", "./."])
def test_the_root_s_own_entry_says_whose_it_is(tmp_path, name):
    tar = archive(tmp_path / "root.tar", entry(name, tarfile.DIRTYPE, 0o750, 7),
                  entry("./sbin/init", data=b"x"), entry("./init", tarfile.LNKTYPE, target="./sbin/init"))
    image, status, said = make(tmp_path, tar)
    assert status == 0, said
    root = stat(image, "/")
    assert (after(root, "Mode:"), after(root, "User:"), after(root, "Group:")) == ("0750", "7", "7")
    assert after(stat(image, "/sbin/init"), "Links:") == "2"


@pytest.mark.parametrize("entries, message", [
    ([entry("./../escaped")], "'./../escaped': leads out of the file system"),
    ([entry("./out", tarfile.SYMTYPE, target="/etc"), entry("./out/escaped")],
     "'./out/escaped': lies behind a link that leads out of the file system"),
    ([entry("./out", tarfile.SYMTYPE, target=".."), entry("./out/escaped")],
     "'./out/escaped': lies behind a link that leads out of the file system"),
    ([entry(".", tarfile.SYMTYPE, target="/etc")], "'.': the root of a file system is a directory"),
    ([entry("/")], "'/': the root of a file system is a directory"),
    ([entry("./x", tarfile.LNKTYPE, target=".")], "'.': a link cannot lead to the root of the file system"),
], ids=["up", "absolute_link", "link_up", "link_as_root", "file_as_root", "link_to_root"])
def test_nothing_lies_outside(tmp_path, entries, message):
    _, status, said = make(tmp_path, archive(tmp_path / "root.tar", *entries))
    assert status != 0 and message in said, said
    assert not (tmp_path / "disk.img").exists()


def test_whole_disk_s_image(tmp_path):
    """It is copied to where the machine's disk begins; what is zero in it is a hole."""
    raw = tmp_path / "raw"
    with raw.open("wb") as file:
        file.write(b"begin")
        file.truncate(3 * MIB)
        file.seek(3 * MIB + 100)
        file.write(b"end")
    image, status, said = make(tmp_path, raw, offset=MIB, key="image")
    assert (status, said) == (0, "")
    assert image.read_bytes() == bytes(MIB) + raw.read_bytes().ljust(4 * MIB, b"\0") + bytes(MIB)
    assert image.stat().st_blocks * 512 < 3 * MIB
    raw.write_bytes(bytes(4 * MIB + 1))
    _, status, said = make(tmp_path, raw, key="image")
    assert status == 1 and f"{raw} has changed, and is larger than the disk now" in said


def test_qcow2_image(tmp_path):
    """qemu-img makes a raw one of it, which is what it is asked for by the name that PATH finds."""
    tool = tmp_path / "bin" / "qemu-img"
    tool.parent.mkdir()
    tool.write_text(f"""#!/bin/sh
[ "$*" = "convert -f qcow2 -O raw {tmp_path}/disk.qcow2 $7" ] && printf "QFI\\373unpacked" >"$7"
""")
    tool.chmod(0o755)
    image = tmp_path / "disk.qcow2"
    image.write_bytes(b"QFI\xfb" + bytes(100))
    # What it unpacks to is a disk's bytes, whatever they look like.
    disk, status, said = make(tmp_path, image, key="image", PATH=f"{tool.parent}:{os.environ['PATH']}")
    assert (status, said) == (0, "")
    assert disk.read_bytes().startswith(b"QFI\xfbunpacked\0")
    tool.write_text("#!/bin/sh\necho bad >&2\nexit 1\n")
    _, status, said = make(tmp_path, image, key="image", PATH=f"{tool.parent}:{os.environ['PATH']}")
    assert (status, said) == (1, f"disk: vm0 disk0: {image}: bad\n")
    image.write_bytes(b"QFI\xfb" + bytes(11) + b"\x70" + bytes(80))
    _, status, said = make(tmp_path, image, key="image", PATH=f"{tool.parent}:{os.environ['PATH']}")
    assert status == 1 and f"{image} refers to another file" in said
