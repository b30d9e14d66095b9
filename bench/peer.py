# SPDX-License-Identifier: BSD-2-Clause
"""The peer, which a user would choose otherwise: KVM with vhost-net, in the same emulated machine.

The distribution's arm64 kernel runs as the host at EL2. On it the distribution's arm64 QEMU with
`-accel kvm` runs two guests like Braid's, from the same kernel and initramfs. A bridge with vhost-net
joins them. All of it comes from packages. Two sockets lead to the guests' consoles.
"""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

from pexpect import fdpexpect

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))
sys.path.insert(0, str(ROOT / "guest"))

import machine  # noqa: E402  (found by the lines above)
import pack  # noqa: E402

PACKAGES = ["qemu-system-arm", "linux-image-cloud-arm64", "busybox-static", "iproute2"]
# With what they depend on; in the order in which they are to be loaded.
MODULES = ["virtio_mmio", "virtio_console", "tun", "tap", "vhost_net", "bridge"]
MEMORY = "2G"


def host_archive(root, kernel, initramfs):
    archive = pack.Archive()
    for name in ("proc", "sys", "dev", "tmp"):
        archive.directory(name)
    archive.device("dev/console", 5, 1)
    archive.file("init", (ROOT / "bench" / "peer" / "init").read_bytes(), 0o755)
    pack.add_programs(archive, root, ["qemu-system-aarch64", "busybox"], "bin")
    pack.add_programs(archive, root, ["ip"], "opt")
    modules = pack.Modules(root).load(MODULES)
    for name, (_, data, _) in modules.items():
        archive.file(f"modules/{name}.ko", data)
    archive.file("modules/order", "\n".join(modules).encode() + b"\n")
    archive.file("guest/Image", pathlib.Path(kernel).read_bytes())
    archive.file("guest/initramfs.img", pathlib.Path(initramfs).read_bytes())
    return archive


def prepare(directory, kernel, initramfs):
    """Make the host's initramfs in `directory`, unless it is there and newer than the guests' files.

    The first time this fetches some 70 arm64 packages.
    """
    directory = pathlib.Path(directory)
    image = directory / "host.cpio"
    sources = [kernel, initramfs, __file__, ROOT / "bench" / "peer" / "init"]
    newest = max(pathlib.Path(source).stat().st_mtime for source in sources)
    if image.exists() and image.stat().st_mtime > newest:
        return image
    if not (directory / "packages.txt").exists():
        subprocess.run(["sh", str(ROOT / "guest" / "fetch.sh"), str(directory), *PACKAGES],
                       check=True, stdin=subprocess.DEVNULL)
    archive = host_archive(directory / "root", kernel, initramfs)
    temporary = image.with_suffix(".new")
    temporary.write_bytes(archive.bytes())
    temporary.rename(image)
    return image


class Guest(machine.Machine):
    """One of the peer's guests, at the end of its socket; there is no multiplexer to ask."""

    def __init__(self, path, log=None, timeout=machine.FAR):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.child = fdpexpect.fdspawn(self.socket.fileno(), encoding="utf-8",
                                       codec_errors="replace", timeout=timeout)
        self.child.logfile_read = log
        self.child.delaybeforesend = None
        self.begin = time.monotonic()
        self.focused = None

    def focus(self, number):
        self.focused = number


class Peer:
    """The emulated machine with KVM in it; `guests` are its two machines."""

    def __init__(self, qemu, kernel, host, arguments=(), log=None, timeout=machine.FAR):
        self.directory = tempfile.TemporaryDirectory()
        command = ["-machine", "virt,virtualization=on,gic-version=2", "-cpu", "cortex-a53",
                   "-m", MEMORY, "-nic", "none", "-kernel", str(kernel), "-initrd", str(host),
                   "-append", "console=ttyAMA0 quiet cryptomgr.notests rdinit=/init", "-display", "none",
                   "-monitor", "none", "-serial", "stdio",
                   "-global", "virtio-mmio.force-legacy=false",
                   "-device", "virtio-serial-device,max_ports=4"]
        sockets = [os.path.join(self.directory.name, f"hvc{i}") for i in range(2)]
        for number, path in enumerate(sockets):
            command += ["-chardev", f"socket,id=h{number},path={path},server=on,wait=off",
                        "-device", f"virtconsole,chardev=h{number}"]
        self.host = machine.Machine(qemu, command + list(arguments), log=log, timeout=timeout)
        try:
            self.host.expect("peer started", timeout=timeout)
            self.guests = [Guest(path, timeout=timeout) for path in sockets]
            for guest in self.guests:
                guest.login(0, timeout=timeout)
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.host.stop()
        self.directory.cleanup()
