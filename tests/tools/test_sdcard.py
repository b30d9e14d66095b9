# SPDX-License-Identifier: BSD-2-Clause
"""tools/sdcard.py: the image of an SD card, and whether U-Boot boots from it."""

import os
import pathlib
import random
import struct
import subprocess
import sys

import pexpect
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
QEMU = os.environ.get("QEMU", "qemu-system-aarch64")
U_BOOT = pathlib.Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
MIB = 1 << 20
SECTOR = 512
ADDRESS = 0x70000000


@pytest.fixture(name="image")
def fixture_image(tmp_path):
    """What is taken for a boot image: no two sectors of it are the same."""
    image = tmp_path / "loader.img"
    image.write_bytes(random.Random(1).randbytes(3 * MIB + 1234))
    return image


def sdcard(image, *more, firmware="u-boot", partition=64):
    card = image.with_name("card.img")
    process = subprocess.run(
        [sys.executable, ROOT / "tools" / "sdcard.py", "--firmware", firmware, "--address", hex(ADDRESS),
         "--partition", str(partition), *map(str, more), image, card],
        capture_output=True, text=True, check=False)
    assert "Traceback" not in process.stderr
    return card, process.returncode, process.stderr


def made(*arguments, **more):
    card, status, errors = sdcard(*arguments, **more)
    assert (status, errors) == (0, "")
    return card


def partitions(card):
    """(type, first byte, bytes) of each, from the MBR."""
    with card.open("rb") as file:
        sector = file.read(SECTOR)
    assert sector[510:] == b"\x55\xaa"
    entries = [struct.unpack_from("<BxxxBxxxII", sector, 446 + 16 * i) for i in range(4)]
    return [(kind, first * SECTOR, count * SECTOR) for _, kind, first, count in entries if kind != 0]


def on_card(card, name):
    return subprocess.run(["mtype", "-i", f"{card}@@{MIB}", f"::{name}"], stdout=subprocess.PIPE,
                          check=True).stdout


def test_boot_image_and_script(image):
    card = made(image)
    assert partitions(card) == [(0x0C, MIB, 64 * MIB)]
    assert card.stat().st_size == 66 * MIB
    assert on_card(card, "loader.img") == image.read_bytes()
    assert f"go {ADDRESS:#x}".encode() in on_card(card, "boot.scr")


def test_raspberry_pi(image):
    card = made(image, firmware="raspberry-pi")
    lines = on_card(card, "config.txt").decode().splitlines()
    assert f"kernel_address={ADDRESS:#x}" in lines and "kernel=loader.img" in lines


def test_the_firmware_s_own_files(image, tmp_path):
    files = tmp_path / "firmware"
    (files / "overlays").mkdir(parents=True)
    (files / "BOOT.BIN").write_bytes(b"first stage")
    (files / "overlays" / "one.dtbo").write_bytes(b"overlay")
    card = made(image, "--files", files)
    assert on_card(card, "BOOT.BIN") == b"first stage"
    assert on_card(card, "overlays/one.dtbo") == b"overlay"


def test_the_machines_disk_is_the_second_partition(image, tmp_path):
    disk = tmp_path / "disk.img"
    behind = 65 * MIB
    content = random.Random(2).randbytes(MIB)
    with disk.open("wb") as file:
        file.seek(behind)
        file.write(content)
        file.truncate(behind + 5 * MIB)
    card = made(image, "--disk", disk)
    assert partitions(card) == [(0x0C, MIB, 64 * MIB), (0xDA, behind, 4 * MIB)]
    assert card.stat().st_size == disk.stat().st_size
    with card.open("rb") as file:
        file.seek(behind)
        assert file.read(MIB) == content
    assert on_card(card, "loader.img") == image.read_bytes()


def test_no_directory_of_firmware(image, tmp_path):
    card, status, errors = sdcard(image, "--files", tmp_path / "nothing")
    assert status == 1 and "there is no such directory" in errors and not card.exists()


@pytest.mark.parametrize("name", ["boot.scr", "LOADER.IMG", "Config.txt"])
def test_firmware_s_file_in_the_place_of_ours(image, tmp_path, name):
    files = tmp_path / "firmware"
    files.mkdir()
    (files / name).write_bytes(b"theirs")
    card, status, errors = sdcard(image, "--files", files)
    assert status == 1 and f"its {name} would take the place" in errors and not card.exists()


def test_too_much_for_the_partition(image):
    with image.open("r+b") as file:
        file.truncate(63 * MIB)
    card, status, errors = sdcard(image)
    assert status == 1 and "give it more (boot: {partition: SIZE})" in errors and not card.exists()


def test_u_boot_loads_it(image, tmp_path):
    """
    On QEMU's virt machine U-Boot gets as far as to enter the image: this U-Boot waits for ever for that
    machine's PL011 before it does. What it has loaded is read from QEMU.
    """
    card = made(image)
    loaded = tmp_path / "loaded"
    child = pexpect.spawn(QEMU, [
        "-machine", "virt,virtualization=on", "-cpu", "cortex-a53", "-m", "2048", "-nographic",
        "-nic", "none", "-bios", str(U_BOOT), "-drive", f"if=none,id=card,format=raw,file={card}",
        "-device", "virtio-blk-device,drive=card"], timeout=120, encoding="utf-8", codec_errors="replace")
    try:
        child.expect_exact("Braid: loading loader.img")
        child.expect_exact(f"{image.stat().st_size} bytes read")
        child.expect_exact(f"## Starting application at {ADDRESS:#x}")
        child.send("\x01c")
        child.expect_exact("(qemu) ")
        child.sendline(f"pmemsave {ADDRESS:#x} {image.stat().st_size} \"{loaded}\"")
        child.sendline("quit")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert loaded.read_bytes() == image.read_bytes()
