# SPDX-License-Identifier: BSD-2-Clause
"""Machines that begin with a firmware: where it goes, what they get, and what is refused."""

import json
import re

import pytest

MIB = 1 << 20
WITH_FIRMWARE = ("not for a machine with a firmware, which finds its kernel and the kernel's arguments on "
                 "the machine's disk")


def put(generate, size=5000):
    (generate.directory / "f.bin").write_bytes(b"code" * (size // 4))


@pytest.mark.parametrize("prefill", [(), ("--prefill",)], ids=["embedded", "prefill"])
def test_places(generate, prefill):
    """The file at address 0, read-only, with zeros behind it; the device tree begins RAM."""
    put(generate)
    result = generate("vms:\n  a: {firmware: f.bin}\n  b:\n", *prefill)
    assert result.errors == []
    config = result.read("config/vmm_a.c")
    assert re.search(r"\.kernel = {\.data = [^,]*, \.size = 5000, \.gpa = 0x0}", config)
    assert re.search(r"\.dtb = {\.data = embedded_dtb, \.size = \d+, \.gpa = 0x40000000}", config)
    assert ".initrd" not in config and ".entry" not in config
    assert ".flash" not in result.read("config/vmm_b.c")
    system = result.read("system.system")
    machine = system[system.index('name="a"'):]
    assert '<map mr="a_flash" vaddr="0x0" perms="rx" />' in machine
    assert '<map mr="a_variables" vaddr="0x4000000" perms="r" />' in machine
    assert re.search(r'name="a_flash" size="0x200000"', system)
    assert "b_flash" not in system


@pytest.mark.parametrize("key, value", [
    ("kernel", "f.bin"), ("initramfs", "none"), ("cmdline", "quiet"), ("bootargs", "root=/dev/vda1"),
    ("load", "0x40000000")])
def test_not_together(generate, key, value):
    put(generate)
    assert f"sys.yaml:2: vm 'a': {key}: {WITH_FIRMWARE}" in generate.errors(
        f"vms:\n  a: {{firmware: f.bin, {key}: '{value}'}}\n")


def test_defaults_are_for_the_others(generate):
    put(generate)
    result = generate("defaults: {cmdline: quiet}\nvms:\n  a: {firmware: f.bin}\n  b:\n")
    assert result.errors == []
    arguments = [vm["bootargs"] for vm in json.loads(result.read("system.json"))["vms"]]
    assert arguments[0] == "" and "quiet" in arguments[1].split()


def test_own_kernel_in_place_of_the_common_firmware(generate):
    put(generate)
    result = generate("defaults: {firmware: f.bin}\nvms:\n  a: {kernel: Image, initramfs: none}\n  b:\n")
    assert ".flash" not in result.read("config/vmm_a.c") and ".flash" in result.read("config/vmm_b.c")


def test_memory_of_flashes_is_counted(generate):
    """Of a program that all machines have, each has a copy, and as much again that is zero."""
    put(generate, 15 << 20)
    result = generate("vms: {w: {count: 10, firmware: f.bin, memory: 180 MiB}}\n", "--prefill")
    assert result.errors == []
    sizes = [int(size, 16) for size in re.findall(r'<memory_region name="\w+" size="(0x[0-9a-f]+)"',
                                                  result.read("system.system"))]
    assert sum(sizes) <= 2016 * MIB


def test_memory_that_flashes_leave(generate):
    put(generate, 15 << 20)
    errors = generate.errors("vms: {w: {count: 10, firmware: f.bin, memory: 196 MiB}}\n")
    assert len(errors) == 1 and "memory" in errors[0]


def test_defaults_that_nobody_can_have(generate):
    put(generate)
    assert generate.errors("defaults: {cmdline: quiet, firmware: f.bin}\nvms: [a]\n") == [
        f"sys.yaml:1: vm 'a': cmdline: {WITH_FIRMWARE}"]


@pytest.mark.parametrize("file, wrong", [
    ("none.bin", "no such file: paths start at the system file's directory"),
    ("u-boot", "not fetched: `make image` and `make run` fetch it with APT, and then call braid-gen")])
def test_file_that_is_not_there(generate, file, wrong):
    assert generate.errors(f"vms:\n  a: {{firmware: {file}}}\n") == [
        f"sys.yaml:2: vm 'a': firmware '{file}': {wrong}"]


def test_limits(generate):
    put(generate)
    assert generate.errors("vms:\n  a: {firmware: f.bin, memory: 32 MiB}\n") == [
        "sys.yaml:2: vm 'a': memory 32 MiB: too little for a firmware and what it loads: 64 MiB or more"]
    put(generate, (16 << 20) + 4)
    assert any("there is room for 16 MiB at address 0" in error
               for error in generate.errors("vms:\n  a: {firmware: f.bin}\n"))


def test_not_with_a_device_that_masters_the_bus(generate):
    """Where such a device is, RAM is where the device sees it, and firmware knows one place only."""
    put(generate)
    board = generate.board.read_text()
    generate.board = generate.directory / "elsewhere.yaml"
    generate.board.write_text(board.replace("guest_memory_base: 0x40000000", "guest_memory_base: 0x50000000"))
    assert generate.errors("vms:\n  a: {firmware: f.bin, devices: [virtio_disk], dma: trusted}\n") == [
        "sys.yaml:2: vm 'a': firmware: wants RAM at 0x40000000, and the machine has its RAM elsewhere "
        "because of a device that masters the bus: give that to a machine with a kernel"]


def test_files_to_fetch(generate):
    (generate.directory / "a.yaml").write_text("vms:\n  a: {firmware: u-boot}\n  b: {firmware: own.bin}\n")
    assert generate.run("--packages", "a.yaml").stdout == "u-boot-qemu/u-boot.bin\n"


# ---- A whole disk's image ----

OTHER_FILE = "it refers to another file: make one image of both with qemu-img convert"
# Headers of qcow2 files, the one with a backing file, the other one with an external data file.
REFERRING = {
    "backed": b"QFI\xfb" + bytes(3) + b"\2" + bytes(7) + b"\x70" + bytes(10) + b"\1" + bytes(80),
    "split": b"QFI\xfb" + bytes(3) + b"\3" + bytes(18) + b"\1" + bytes(52) + b"\4" + bytes(80)}


def disk(result):
    return json.loads(result.read("system.json"))["disk"]["slices"]


@pytest.mark.parametrize("content, size", [
    (b"x" * (3 * MIB), 3), (b"x" * (3 * MIB + 1), 4),
    (b"QFI\xfb" + bytes(20) + (70 * MIB).to_bytes(8, "big") + bytes(80), 70)],
    ids=["raw", "raw, odd", "qcow2"])
def test_disk_is_as_large_as_its_image(generate, content, size):
    (generate.directory / "i").write_bytes(content)
    result = generate("vms:\n  a: {disks: [{image: i}, {image: i, size: 100 MiB}]}\n")
    assert [part["size"] for part in disk(result)] == [size * MIB, 100 * MIB]
    assert {part["image"] for part in disk(result)} == {"./i"}


@pytest.mark.parametrize("keys, wrong", [
    ("image: absent", "image 'absent': no such file: paths start at the system file's directory"),
    ("image: .", "image '.': no image of a disk"),
    ("image: empty", "image 'empty': no image of a disk"),
    ("image: huge", "image 'huge': no image of a disk"),
    ("image: backed", f"image 'backed': {OTHER_FILE}"), ("image: split", f"image 'split': {OTHER_FILE}"),
    ("image: two, size: 1 MiB",
     "size 1 MiB: the image 'two' is a disk of 2 MiB: that much or more, or no size"),
    ("image: two, content: two", "both 'content' and 'image': the image is the disk's content"),
    ("image: two, partition: 1", "both 'image' and 'partition': say which of them the disk is"),
    ("read_only: yes", "neither 'size' nor 'partition' nor 'image': say which part of the disk it is")])
def test_image_that_is_refused(generate, keys, wrong):
    (generate.directory / "empty").write_bytes(b"")
    (generate.directory / "two").write_bytes(b"x" * (MIB + 1))
    (generate.directory / "huge").write_bytes(b"QFI\xfb" + bytes(20) + b"\xff" * 8 + bytes(80))
    for name, header in REFERRING.items():
        (generate.directory / name).write_bytes(header)
    assert f"sys.yaml:2: vm 'a': disk 0: {wrong}" in generate.errors(f"vms:\n  a: {{disks: [{{{keys}}}]}}\n")
