# SPDX-License-Identifier: BSD-2-Clause
"""The guests' kernel, initramfs and root file system, from made-up packages."""

import gzip
import io
import lzma
import shutil
import struct
import subprocess
import sys
import tarfile

import pytest

import pack
from conftest import ROOT

IMAGE = b"MZ" + bytes(54) + b"ARM\x64" + b"the kernel"


def zstd(data):
    if not shutil.which("zstd"):
        pytest.skip("there is no program zstd")
    return subprocess.run(["zstd", "-qc"], input=data, check=True, stdout=subprocess.PIPE).stdout


COMPRESSIONS = {"": lambda data: data, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstd}


def module(name, depends=()):
    return b"\x7fELF\0name=" + name.encode() + b"\0depends=" + ",".join(depends).encode() + b"\0"


def packages(tree, suffix="", usr="usr/"):
    """All that pack.py wants, as a distribution packs it."""
    compress = COMPRESSIONS[suffix]
    place = f"{usr}lib/modules/6.12.0-arm64"
    tree.file("boot/vmlinuz-6.12.0-arm64", IMAGE)
    for path, depends in {"drivers/virtio/virtio_mmio": ["virtio-ring"],
                          "drivers/virtio/virtio-ring": [],
                          "drivers/net/virtio_net": ["net_failover", "virtio-ring"],
                          "net/core/net_failover": ["failover"], "net/core/failover": [],
                          "net/llc/llc": [], "net/802/stp": ["llc"],
                          "net/bridge/bridge": ["llc", "stp"],
                          "drivers/input/evdev": [], "drivers/virtio/virtio_input": ["virtio-ring"],
                          "drivers/block/unwanted": []}.items():
        data = module(path.rsplit("/", 1)[1], depends)
        tree.file(f"{place}/kernel/{path}.ko{suffix}", compress(data))
    libc = tree.c_library()
    tree.file(f"{usr}bin/busybox", b"busybox")
    for name in pack.PROGRAMS + list(pack.DISK_PROGRAMS):
        tree.program(name, [libc], directory=f"{usr}bin")
    tree.file("etc/mke2fs.conf", b"[defaults]\n")
    return tree


def run(root, out, *more):
    """Run pack.py as make does."""
    out.mkdir(exist_ok=True)
    return subprocess.run([sys.executable, ROOT / "guest/pack.py", root, ROOT / "guest/files",
                           out / "Image", out / "initramfs.img", out / "rootfs.tar", *more],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def cpio(data):
    """{name: contents} of a "newc" archive (early-userspace/buffer-format.rst of Linux)."""
    files, at = {}, 0
    while True:
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        size, length = fields[6], fields[11]
        name = data[at + 110:at + 110 + length - 1].decode()
        at = (at + 110 + length + 3) & ~3
        if name == "TRAILER!!!":
            return files
        files[name] = data[at:at + size]
        at = (at + size + 3) & ~3


@pytest.mark.parametrize("usr", ["usr/", ""])
@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_packages_of_any_distribution(tree, tmp_path, suffix, usr):
    """Modules compressed or not, all in /usr or not: the guests' files are the same."""
    done = run(packages(tree(), suffix, usr).root, tmp_path / "out")
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "out/Image").read_bytes() == IMAGE
    files = cpio((tmp_path / "out/initramfs.img").read_bytes())
    place = "lib/modules/6.12.0-arm64"
    assert files["bin/busybox"] == b"busybox" and files["bin/sh"] == b"busybox"
    assert {"usr/bin/iperf3", "lib/libc.so.6", "lib/ld-linux-aarch64.so.1"} <= set(files)
    assert files[f"{place}/virtio_net.ko"] == module("virtio_net", ["net_failover", "virtio-ring"])
    assert f"{place}/unwanted.ko" not in files
    assert files["etc/modules"] == b"virtio_mmio virtio_net\n"
    lines = files[f"{place}/modules.dep"].decode().splitlines()
    assert "virtio_net.ko: net_failover.ko failover.ko virtio-ring.ko" in lines
    assert "virtio_mmio.ko: virtio-ring.ko" in lines
    assert files["etc/acpi/PWRF/00000080"] == b"../power_button"  # a link to what starts those two:
    assert b"modprobe -a -q evdev virtio_input\n" in files["etc/acpi/power_button"]
    assert {"evdev.ko:", "virtio_input.ko: virtio-ring.ko"} <= set(lines)
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "out/rootfs.tar").read_bytes())) as archive:
        assert archive.extractfile("sbin/mke2fs").read()[:4] == b"\x7fELF"
        assert archive.getmember("sbin/mkfs.ext4").linkname == "mke2fs"


@pytest.mark.parametrize("named", [["llc", "stp"], ["stp", "llc"]], ids="_first_".join)
def test_modprobe_loads_what_others_need_first(tree, tmp_path, named):
    """busybox loads a line of modules.dep from its end, whichever way round a module names what it needs."""
    root = packages(tree()).root
    next(root.rglob("bridge.ko")).write_bytes(module("bridge", named))
    assert run(root, tmp_path / "out").returncode == 0
    files = cpio((tmp_path / "out/initramfs.img").read_bytes())
    lines = files["lib/modules/6.12.0-arm64/modules.dep"].decode().splitlines()
    assert "bridge.ko: stp.ko llc.ko" in lines
    assert "stp.ko: llc.ko" in lines
    for line in lines:
        module_file, *needs = line.replace(":", "").split()
        for at, need in enumerate(needs):
            own = next(other for other in lines if other.startswith(need + ":")).split()[1:]
            assert set(own) <= set(needs[at + 1:]), (module_file, need)


def test_a_module_of_ours(tree, tmp_path):
    """It is there with what it needs, for the asking: init loads it where the machine has a device for it."""
    root = packages(tree())
    root.file("usr/lib/modules/6.12.0-arm64/kernel/drivers/uio/uio.ko", module("uio"))
    ours = tmp_path / "braid_shared.ko"
    ours.write_bytes(module("braid_shared", ["uio"]))
    assert run(root.root, tmp_path / "out", ours).returncode == 0
    files = cpio((tmp_path / "out/initramfs.img").read_bytes())
    assert files["lib/modules/6.12.0-arm64/braid_shared.ko"] == ours.read_bytes()
    assert "braid_shared.ko: uio.ko" in files["lib/modules/6.12.0-arm64/modules.dep"].decode().splitlines()
    assert files["etc/modules"] == b"virtio_mmio virtio_net\n"


def test_modules_that_not_every_kernel_or_machine_has(tree, tmp_path):
    """A driver of pvpanic is loaded wherever there is one, that of the watchdog when it is asked for."""
    root = packages(tree())
    for path, depends in {"misc/pvpanic/pvpanic-mmio": ["pvpanic"], "misc/pvpanic/pvpanic": [],
                          "watchdog/sp805_wdt": ["watchdog"], "watchdog/watchdog": []}.items():
        root.file(f"usr/lib/modules/6.12.0-arm64/kernel/drivers/{path}.ko",
                  module(path.rsplit("/", 1)[1], depends))
    assert run(root.root, tmp_path / "out").returncode == 0
    files = cpio((tmp_path / "out/initramfs.img").read_bytes())
    lines = files["lib/modules/6.12.0-arm64/modules.dep"].decode().splitlines()
    assert {"sp805_wdt.ko: watchdog.ko", "pvpanic-mmio.ko: pvpanic.ko"} <= set(lines)
    assert files["etc/modules"] == b"virtio_mmio virtio_net pvpanic_mmio\n"


def test_same_input_same_bytes(tree, tmp_path):
    root = packages(tree()).root
    run(root, tmp_path / "a")
    run(root, tmp_path / "b")
    for name in ("Image", "initramfs.img", "rootfs.tar"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def zboot(payload):
    """An Image that unpacks itself under UEFI."""
    header = struct.pack("<4s4sII", b"MZ\0\0", b"zimg", 128, len(payload))
    return header + bytes(112) + payload + b"tail"


@pytest.mark.parametrize("make", [gzip.compress, lambda data: zboot(gzip.compress(data)),
                                  lambda data: zboot(zstd(data))],
                         ids=["gzip", "zboot", "zboot_zstd"])
def test_compressed_kernel(tree, make):
    root = tree()
    root.file("boot/vmlinuz-6.1", make(IMAGE))
    assert pack.kernel(root.root) == IMAGE


@pytest.mark.parametrize("spoil, message", [
    (lambda root: (root / "boot/vmlinuz-6.12.0-arm64").unlink(), "hold no boot/vmlinuz"),
    (lambda root: (root / "boot/vmlinuz-6.12.0-arm64").write_bytes(b"MZ"), "is no arm64 Image"),
    (lambda root: (root / "boot/vmlinuz-6.12.0-arm64").write_bytes(gzip.compress(IMAGE)[:30]),
     "vmlinuz-6.12.0-arm64: "),
    (lambda root: (root / "usr/bin/busybox").unlink(), "hold no busybox"),
    (lambda root: (root / "usr/lib/aarch64-linux-gnu/libc.so.6").unlink(),
     "hold no libc.so.6, which ethtool needs"),
    (lambda root: shutil.rmtree(root / "usr/lib/modules"), "hold no lib/modules"),
    (lambda root: next(root.rglob("virtio_net.ko")).write_bytes(b"\xfd7zXZ\0" + bytes(9)),
     "virtio_net.ko: "),
], ids=["no_kernel", "no_image", "cut_short", "no_busybox", "no_library", "no_modules",
        "bad_module"])
def test_packages_that_lack_something(tree, tmp_path, spoil, message):
    """A word on what is wrong, and nothing that is half made is left."""
    root = packages(tree()).root
    assert run(root, tmp_path / "out").returncode == 0
    spoil(root)
    done = run(root, tmp_path / "out")
    assert done.returncode != 0 and message in done.stdout, done.stdout
    assert "Traceback" not in done.stdout
    assert list((tmp_path / "out").iterdir()) == []


def test_zstd_without_its_program(monkeypatch):
    """It says what to install."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setitem(sys.modules, "compression", None)
    with pytest.raises(pack.PackError, match="a.ko: .*install the package zstd"):
        pack.decompress(b"\x28\xb5\x2f\xfd....", "a.ko")
