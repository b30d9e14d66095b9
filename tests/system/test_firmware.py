# SPDX-License-Identifier: BSD-2-Clause
"""A machine that begins with firmware boots what its disk says, and so does each restart."""

import shutil

import pytest

import conftest
import disk_image

PLACE = conftest.BUILD_DIR / "check" / "firmware"
GUEST = conftest.BUILD_DIR / "guest"
GRUB = conftest.BUILD_DIR / "guest" / "packages" / "grub-efi-arm64-bin"
ARGUMENTS = "console=hvc0 quiet"

SYSTEM = """\
description: a machine that boots as its disk says, one from the other kind of disk, and one without firmware
defaults: {memory: 192 MiB}
vms:
  vm0: {firmware: u-boot, disks: [{image: extlinux.raw}]}
  vm1: {firmware: u-boot, disks: [{image: efi.raw}]}
  vm2: {ip: 10.0.0.3/24}
"""

# What a distribution's tool writes when a kernel is installed.
EXTLINUX = """\
TIMEOUT 1
DEFAULT first
LABEL first
    LINUX /boot/vmlinuz
    INITRD /boot/initrd.img
    APPEND {arguments} braid.hostname=extlinux braid.net0=10.0.0.1/24 kernel=old
LABEL second
    LINUX /boot/vmlinuz.new
    INITRD /boot/initrd.img
    APPEND {arguments} braid.hostname=extlinux braid.net0=10.0.0.1/24 kernel=new
"""

# On the EFI system partition there is only what finds the rest, as grub-install makes it.
GRUB_STUB = """\
search --file --set=root /boot/grub/grub.cfg
configfile /boot/grub/grub.cfg
"""
GRUB_CFG = """\
set timeout=0
menuentry "Linux" {{
    linux /boot/vmlinuz {arguments} braid.hostname=efi braid.net0=10.0.0.2/24 kernel=old
    initrd /boot/initrd.img
}}
"""


def root_of(place):
    """A root partition's files: the guests' kernel and initramfs where a distribution has them."""
    boot = place / "boot"
    boot.mkdir(parents=True)
    shutil.copy(GUEST / "Image", boot / "vmlinuz")
    shutil.copy(GUEST / "initramfs.img", boot / "initrd.img")
    return place


def make_extlinux(image, scratch):
    root = root_of(scratch / "extlinux")
    (root / "boot" / "extlinux").mkdir()
    (root / "boot" / "extlinux" / "extlinux.conf").write_text(EXTLINUX.format(arguments=ARGUMENTS))
    [start] = disk_image.partition(image, [(disk_image.LINUX, 128, "root")])
    disk_image.put_ext4(image, start, 128, root)


def make_efi(image, scratch):
    root = root_of(scratch / "efi-root")
    esp = scratch / "esp"
    (esp / "EFI" / "BOOT").mkdir(parents=True)
    (esp / "EFI" / "debian").mkdir()
    shutil.copy(GRUB / "root/usr/lib/grub/arm64-efi/monolithic/grubaa64.efi", esp / "EFI/BOOT/BOOTAA64.EFI")
    (esp / "EFI/debian/grub.cfg").write_text(GRUB_STUB)
    (root / "boot" / "grub").mkdir()
    (root / "boot/grub/grub.cfg").write_text(GRUB_CFG.format(arguments=ARGUMENTS))
    system, linux = disk_image.partition(image, [(disk_image.ESP, 40, "esp"),
                                                 (disk_image.LINUX, 128, "root")])
    disk_image.put_fat(image, system, 40, esp)
    disk_image.put_ext4(image, linux, 128, root)


@pytest.fixture(scope="module")
def system():
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    conftest.fetch(GRUB, "grub-efi-arm64-bin")
    make_extlinux(PLACE / "extlinux.raw", PLACE)
    make_efi(PLACE / "efi.raw", PLACE)
    path = PLACE / "firmware.yaml"
    path.write_text(SYSTEM)
    return path


def kernel_of(running, number):
    [word] = [w for w in running.output(number, "cat /proc/cmdline").split() if w.startswith("kernel=")]
    return word.removeprefix("kernel=")


def booted(running, *names):
    """Wait until the guests of these names have booted. A key before that would stop U-Boot."""
    running.show_all()
    waited = set(names)
    while waited:
        waited.remove(running.expect(f"({'|'.join(waited)}) is ready")[1])


def test_firmware(boot, system):
    """extlinux and GRUB from GPT disks, beside a machine without firmware; then another kernel each."""
    running = boot.start(conftest.build_with_new_disk(system))
    booted(running, "extlinux", "efi", "vm2")
    for number in (0, 1, 2):
        running.login(number)
    assert [kernel_of(running, number) for number in (0, 1)] == ["old", "old"]
    for number in (0, 1):
        assert running.pings(number, "10.0.0.3")
        # U-Boot and GRUB have passed on what the monitor says of the machine.
        assert running.output(number, "cat /proc/device-tree/hypervisor/compatible") != ""
        assert "vda1" in running.output(number, "ls /dev")
        # Firmware is in read-only memory, which ignores what is written to it.
        first = running.output(number, "devmem 0")
        assert int(first, 16) != 0
        running.output(number, "devmem 0 32 0x12345678")
        assert running.output(number, "devmem 0") == first

    # As packages do it: the kernel's file is a new one, and the boot loader's file names it.
    running.output(0, "mount /dev/vda1 /mnt && cp /mnt/boot/vmlinuz /mnt/boot/vmlinuz.new && "
                      "sed -i 's/DEFAULT first/DEFAULT second/' /mnt/boot/extlinux/extlinux.conf && "
                      "rm /mnt/boot/vmlinuz && umount /mnt")
    running.output(1, "mount /dev/vda2 /mnt && "
                      "sed -i s/kernel=old/kernel=new/ /mnt/boot/grub/grub.cfg && umount /mnt")
    for number in (0, 1):
        running.start(number, "reboot -f")
    booted(running, "extlinux", "efi")
    for number in (0, 1):
        running.login(number)
        assert kernel_of(running, number) == "new"
        assert running.pings(number, "10.0.0.3")
