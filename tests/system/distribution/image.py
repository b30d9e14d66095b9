#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make the disk image of a Debian as an installation leaves it: GRUB on an EFI system partition, a kernel of
the distribution, systemd, OpenSSH.

    image.py DIRECTORY

debootstrap fetches and unpacks the packages. A machine of QEMU's own, without Braid, sets them up: so no
foreign program runs on the host, and nobody needs privileges. DIRECTORY gets:

    debian.raw      the image
    key, key.pub    for `ssh root@...`; root's password is `braid`
    build.log       what was said
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path[:0] = [str(HERE.parent)]

import disk_image  # noqa: E402  (found by the line above)

PACKAGES = ["systemd-sysv", "dbus", "udev", "openssh-server", "linux-image-cloud-arm64", "grub-efi-arm64",
            "initramfs-tools", "iproute2", "iputils-ping", "ca-certificates", "netbase"]
MODULES = ["nls_cp437", "nls_ascii", "nls_utf8", "fat", "vfat"]
ESP_MIB = 64
ROOT_MIB = 2000
MEMORY = "1G"

FSTAB = """\
/dev/vda2 / ext4 errors=remount-ro 0 1
/dev/vda1 /boot/efi vfat umask=0077 0 1
"""

NETWORK = """\
[Match]
Type=ether
[Network]
DHCP=yes
"""

# Printed where the login is, when all that the machine starts has started.
BOOTED = """\
[Unit]
Description=Say when the machine has booted
After=getty.target ssh.service systemd-networkd-wait-online.service
Wants=systemd-networkd-wait-online.service
[Service]
Type=oneshot
ExecStart=/usr/local/bin/counter
StandardOutput=tty
TTYPath=/dev/hvc0
[Install]
WantedBy=multi-user.target
"""


class ImageError(Exception):
    """Something that the user can mend."""


def run(log, *command, **more):
    try:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log,
                              stderr=subprocess.STDOUT, check=False,
                              env=dict(os.environ, PATH=disk_image.PATH), **more)
    except FileNotFoundError as error:
        raise ImageError(f"there is no {command[0]}: install the package {command[0]}") from error
    if done.returncode != 0:
        raise ImageError(f"{command[0]} failed: {log.name} says why")


def sources():
    """The host's sources of Debian's packages, [(address, release, components)]; first the release's own."""
    said = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                           "Created-By: Packages", "Origin: Debian"], check=True, capture_output=True,
                          text=True).stdout
    found = {}
    # `bookworm` comes before `bookworm-updates`.
    for address, release, component in sorted({tuple(line.split()) for line in said.splitlines()},
                                              key=lambda line: len(line[1])):
        found.setdefault((address, release), []).append(component)
    if not found:
        raise ImageError("APT knows no sources of Debian's packages here")
    return [(address, release, " ".join(components)) for (address, release), components in found.items()]


def unpack(place, log):
    """The packages' files, not set up."""
    address, release, _ = sources()[0]
    shutil.rmtree(place, ignore_errors=True)
    run(log, "fakeroot", "debootstrap", "--foreign", "--arch=arm64", f"--include={','.join(PACKAGES)}",
        release, place, address)


def prepare(place, directory, log):
    """What is not in the packages."""
    for name in ("proc", "sys", "dev"):  # debootstrap may have made links to the host's
        if (place / name).is_symlink():
            (place / name).unlink()
            (place / name).mkdir()
    setup = place / "setup"
    setup.mkdir()
    for name in ("key", "key.pub"):
        (directory / name).unlink(missing_ok=True)
    run(log, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", directory / "key")
    shutil.copy(directory / "key.pub", setup)
    (setup / "fstab").write_text(FSTAB, encoding="utf-8")
    (setup / "dhcp.network").write_text(NETWORK, encoding="utf-8")
    (setup / "booted.service").write_text(BOOTED, encoding="utf-8")
    # An initramfs with the modules of this machine alone, as Debian's installer offers it: with all of them
    # it takes an emulated processor minutes to pack.
    policy = place / "etc/initramfs-tools/conf.d/driver-policy"
    policy.parent.mkdir(parents=True, exist_ok=True)
    policy.write_text("MODULES=dep\n", encoding="utf-8")
    lines = [f"deb {address} {release} {components}\n" for address, release, components in sources()]
    (setup / "sources.list").write_text("".join(lines), encoding="utf-8")
    run(log, "aarch64-linux-gnu-gcc", "-O2", "-static", "-Wall", "-Wextra", "-Werror", "-o",
        setup / "counter", HERE / "counter.c")
    (place / "usr/sbin/init").unlink(missing_ok=True)
    shutil.copy(HERE / "second_stage", place / "usr/sbin/init")


def add_modules(setup, build):
    """What the guests' kernel needs to mount an EFI system partition; numbered by the order of loading."""
    found = {path.name.split(".")[0]: path for path in (build / "guest/root/lib/modules").rglob("*.ko*")}
    for number, name in enumerate(name for name in MODULES if name in found):  # others may be built in
        shutil.copy(found[name], setup / f"{number}-{found[name].name}")


def set_up(image, build, log):
    """Run the packages' scripts, in a machine of QEMU's own."""
    run(log, "qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72", "-m", MEMORY, "-nographic",
        "-kernel", build / "guest" / "Image", "-initrd", build / "guest" / "initramfs.img",
        "-append", "console=ttyAMA0 mitigations=off panic=-1 root=/dev/vda2 rw", "-no-reboot", "-nic", "none",
        "-drive", f"if=none,id=disk,format=raw,cache=unsafe,file={image}",
        "-device", "virtio-blk-device,drive=disk", timeout=7200)
    log.flush()
    said = pathlib.Path(log.name).read_text(encoding="utf-8", errors="replace")
    if not re.search(r"^second stage: done", said, re.M):
        raise ImageError(f"the packages could not be set up: {log.name} says why")


def make(directory, build):
    """Make it all; the image appears whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    root = directory / "root"
    new = directory / "debian.new"
    with (directory / "build.log").open("w", encoding="utf-8") as log:
        print("  APT     Debian, for a disk image", flush=True)
        unpack(root, log)
        prepare(root, directory, log)
        add_modules(root / "setup", build)
        print("  IMAGE   sets up its packages in QEMU: some minutes", flush=True)
        system, linux = disk_image.partition(new, [(disk_image.ESP, ESP_MIB, "esp"),
                                                   (disk_image.LINUX, ROOT_MIB, "root")])
        empty = directory / "empty"
        empty.mkdir(exist_ok=True)
        disk_image.put_fat(new, system, ESP_MIB, empty)
        disk_image.put_ext4(new, linux, ROOT_MIB, root, ["fakeroot"])
        set_up(new, build, log)
    new.rename(directory / "debian.raw")
    shutil.rmtree(root)


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} DIRECTORY")
    try:
        build = pathlib.Path(os.environ.get("BUILD_DIR") or ROOT / "build").resolve()
        make(pathlib.Path(sys.argv[1]).resolve(), build)
    except (ImageError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"image: {error}")


if __name__ == "__main__":
    main()
