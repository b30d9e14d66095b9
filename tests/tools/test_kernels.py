# SPDX-License-Identifier: BSD-2-Clause
"""Kernels that are no arm64 Images: ELF files and flat binaries, where they go, and which are refused."""

import gzip
import json
import re

import pytest

from conftest import elf, image, segment, zstd

RAM = 0x40000000
DYN, X86_64, NOTE = 3, 62, 4


def places(result, name="a"):
    """Where the machine's files go: {field: (bytes, address)}, and its entry and memory."""
    text = result.read(f"config/vmm_{name}.c")
    found = {field: (int(size), int(at, 16)) for field, size, at in
             re.findall(r"\.(kernel|initrd|dtb) = {\.data = [^,]*, \.size = (\d+), \.gpa = (\w+)}", text)}
    values = {key: int(value, 16) for key, value in re.findall(r"\.(entry|kernel_memory) = (\w+),", text)}
    return found, values.get("entry"), values.get("kernel_memory")


def made(result):
    """What takes the kernel's place in the board's image."""
    return next(result.output.glob("kernel-*")).read_bytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("prefill", [(), ("--prefill",)], ids=["embedded", "prefill"])
def test_elf(generate, pack, prefill):
    """Segments at their physical addresses, in whatever order; .bss behind them is not in the image."""
    data = elf(segment(RAM + 0x2000, b"data" * 4, 0x5000, virtual=0x9000),
               segment(0, b"a note", kind=NOTE),
               segment(RAM + 0x1000, b"text" * 8, virtual=0x8000),
               segment(RAM + 0x8000, b"", 0x1000), entry=0x8004)
    (generate.directory / "k").write_bytes(pack(data))
    result = generate("vms:\n  a: {kernel: k}\n  b: {kernel: k, vcpus: 2}\n", *prefill)
    assert result.errors == []
    plain = (b"text" * 8).ljust(0x1000, b"\0") + b"data" * 4
    assert made(result) == plain
    for name in "ab":
        found, entry, memory = places(result, name)
        assert found["kernel"] == (len(plain), RAM + 0x1000)
        assert entry == RAM + 0x1004
        assert memory == 0x8000
        assert "initrd" not in found, "it is no Linux"
        assert found["dtb"][1] == RAM + (254 << 20)


def test_vmlinux(generate):
    """Its addresses are virtual. What it holds is an Image, and goes where an Image goes."""
    base = 0xFFFF800008000000
    data = elf(segment(base, image(size=0x10000, image_size=8 << 20, text_offset=0x80000)),
               segment(base + 0x20000, b"data", 0x10000), kind=DYN)
    (generate.directory / "k").write_bytes(data)
    result = generate("vms: {a: {kernel: k}}\n")
    assert result.errors == []
    found, entry, _ = places(result)
    assert found["kernel"] == (0x20004, RAM + 0x280000) and entry is None
    assert made(result)[0x20000:] == b"data"


def test_flat_binary(generate):
    (generate.directory / "k").write_bytes(b"code" * 1000)
    result = generate("vms:\n  a: {kernel: k, load: 0x40080000}\n  b: {kernel: k, load: 0x40080000}\n"
                      "  c: {kernel: k, load: 0x40000000, initramfs: initrd}\n")
    assert result.errors == []
    for name, at in (("a", 0x40080000), ("b", 0x40080000), ("c", 0x40000000)):
        found, entry, memory = places(result, name)
        assert found["kernel"] == (4000, at) and entry == at and memory == 4000
    assert found["initrd"] == (1000006, found["dtb"][1] - 1003520)
    assert len(list(result.output.glob("kernel-*"))) == 2, "one file, in two places"


def test_flat_binary_with_the_header_of_an_image(generate):
    """As U-Boot and Zephyr have it. The machine's file says where it belongs; the header, how long it is."""
    (generate.directory / "k").write_bytes(gzip.compress(image(size=4096, image_size=1 << 20)))
    result = generate("vms: {a: {kernel: k, load: 0x40000000}}\n")
    assert result.errors == []
    found, entry, memory = places(result)
    assert (found["kernel"], entry, memory) == ((4096, RAM), RAM, 1 << 20)


@pytest.mark.parametrize("at, size, dtb", [
    (0, 1 << 20, 14 << 20), (13 << 20, 1 << 20, 14 << 20), (15 << 20, 1 << 20, 12 << 20),
    (14 << 20, 2 << 20, 12 << 20), (3 << 20, 13 << 20, 0), (2 << 20, 14 << 20, 0),
])
def test_device_tree_is_beside_the_kernel(generate, at, size, dtb):
    (generate.directory / "k").write_bytes(elf(segment(RAM + at, memory=size)))
    result = generate("vms: {a: {kernel: k, memory: 16 MiB}}\n")
    assert result.errors == []
    assert places(result)[0]["dtb"][1] == RAM + dtb


def test_initramfs_is_beside_the_kernel(generate):
    (generate.directory / "k").write_bytes(elf(segment(RAM + (12 << 20), memory=2 << 20)))
    result = generate("vms: {a: {kernel: k, initramfs: initrd, memory: 16 MiB}}\n")
    assert result.errors == []
    found = places(result)[0]
    assert found["dtb"][1] == RAM + (14 << 20)
    assert found["initrd"][1] == RAM + (12 << 20) - 1003520


def test_default_initramfs_is_for_linux(generate):
    (generate.directory / "k").write_bytes(elf(segment(RAM)))
    result = generate("vms: [a]\n", images=("--kernel", "k", "--initrd", "initrd"))
    assert result.errors == []
    assert "initrd" not in places(result)[0]


IMPOSSIBLE = "a damaged ELF file (the sizes of its segments are impossible)"
FOREIGN = ("an ELF file that is not for AArch64: compile it with aarch64-linux-gnu-gcc or "
           "aarch64-none-elf-gcc")
ENTRY = "an ELF file whose entry point, {}, is no instruction in its segments: link it with ENTRY(SYMBOL)"
OVERLAP = ("an ELF file whose segments overlap at {} (their physical addresses): link it so that they do "
           "not")
NO_IMAGE = ("not an arm64 Image (no 'ARM\\x64' at byte 56): name one, or an ELF file, or say where it "
            "belongs (load: ADDRESS) if it is a flat binary")
VIRTUAL = ("an ELF file whose physical addresses, from 0xffff800008000000 on, are virtual ones, and which is "
           "no Linux: link it for the machine's memory (AT in its linker script)")
KERNELS = {
    "nothing behind": (b"\x7fELF" + bytes(100), "a damaged ELF file"),
    "only magic": (b"\x7fELF", "a damaged ELF file"),
    "machine": (elf(segment(RAM), machine=X86_64), FOREIGN),
    "32 bits": (elf(segment(RAM), bits=1), FOREIGN),
    "big endian": (elf(segment(RAM), order=">"), "a big-endian ELF file: use a little-endian one"),
    "object": (elf(segment(RAM), kind=1), "an ELF file that is not linked: link it, with an entry point"),
    "no segment": (elf(segment(RAM, kind=NOTE)), "an ELF file with nothing to load: link it as a program"),
    "cut": (elf(segment(RAM))[:-1], "an ELF file that is cut short"),
    "cut headers": (elf(segment(RAM), segment(RAM + 4096))[:130], "a damaged ELF file"),
    "beyond the file": (elf(segment(RAM, length=1 << 63)), "an ELF file that is cut short"),
    "longer in the file": (elf(segment(RAM, memory=4)), IMPOSSIBLE),
    "endless": (elf(segment(RAM, memory=1 << 63)), IMPOSSIBLE),
    "around": (elf(segment((1 << 64) - 8, memory=4096)), IMPOSSIBLE),
    "overlap": (elf(segment(RAM + 0x1000), segment(RAM, memory=0x1001)),
                OVERLAP.format("0x40001000")),
    "twice": (elf(segment(RAM), segment(RAM)),
              OVERLAP.format("0x40000000")),
    "apart": (elf(segment(RAM), segment(RAM + (1 << 40))),
              "an ELF file whose segments lie far apart (from 0x40000000 to 0x10040000400): link it within "
              "256 MiB"),
    "entry": (elf(segment(RAM), entry=RAM + 1024), ENTRY.format("0x40000400")),
    "entry, odd": (elf(segment(RAM), entry=RAM + 2), ENTRY.format("0x40000002")),
    "entry, none": (elf(segment(RAM), entry=0), ENTRY.format("0x0")),
    "no ELF": (b"text" * 100, NO_IMAGE),
    "vmlinux, damaged": (elf(segment(0xFFFF800008000000)), VIRTUAL),
    "unplaced": (elf(segment(0xFFFF800008000000, memory=1 << 20)), VIRTUAL),
}


@pytest.mark.parametrize("name", KERNELS)
def test_hostile_elf(generate, name):
    content, wrong = KERNELS[name]
    (generate.directory / "k").write_bytes(content)
    assert generate.errors("vms:\n  a: {kernel: k}\n  b: {kernel: k}\n") == [
        f"sys.yaml:2: vm 'a': kernel './k': {wrong}"]


def test_an_error_of_a_file_is_the_only_one(generate):
    """What is half known of it is not compared with the machine."""
    (generate.directory / "k").write_bytes(elf(segment(0x80000), segment(0x80000)))
    assert generate.errors("vms:\n  a: {kernel: k}\n") == [
        f"sys.yaml:2: vm 'a': kernel './k': {OVERLAP.format('0x80000')}"]


OUTSIDE = ("kernel 'k': belongs at {} to {}, and the machine's memory is at 0x40000000 to 0x40800000: {} "
           "there, or give the machine more")


@pytest.mark.parametrize("content, settings, line, wrong", [
    (elf(segment(RAM - 4)), "", 3, OUTSIDE.format("0x3ffffffc", "0x400003fc", "link it for")),
    (elf(segment(0x80000)), "", 3, OUTSIDE.format("0x80000", "0x80400", "link it for")),
    (elf(segment(RAM + (8 << 20) - 512)), "", 3, OUTSIDE.format("0x407ffe00", "0x40800200", "link it for")),
    (elf(segment(RAM, memory=9 << 20)), "", 3, OUTSIDE.format("0x40000000", "0x40900000", "link it for")),
    (b"code" * 256, ", load: 0x3ffffffc", 3, OUTSIDE.format("0x3ffffffc", "0x400003fc", "load it")),
    (b"code" * 256, ", load: 0xfffffffffffffffc", 3,
     OUTSIDE.format("0xfffffffffffffffc", "0x3fc", "load it")),
    (image(image_size=1 << 63), ", load: 0x40000000", 3,
     OUTSIDE.format("0x40000000", "0x8000000040000000", "load it")),
    (elf(segment(RAM + 4096, memory=(8 << 20) - 4096)), "", 3,
     "memory 8 MiB: too little for its kernel (8 MiB), and beside it the device tree (2 MiB) and the "
     "initramfs (0 bytes)"),
    (elf(segment(RAM)), ", load: 0x40000000", 3,
     "kernel './k': an ELF file, which says itself where it belongs: leave out 'load'"),
    (b"code", ", load: 0x40000002", 3, "load '0x40000002': not a multiple of 0x4: 0x40000004 would be"),
    (b"code", ", load: nowhere", 3, "load 'nowhere': not an address: write it like 0x9000000"),
], ids=["before", "far before", "across the end", "too long", "flat before", "flat around", "header",
        "no room", "load of ELF", "odd", "no address"])
def test_places_that_are_none(generate, content, settings, line, wrong):
    (generate.directory / "k").write_bytes(content)
    assert generate.errors(f"vms:\n  a:\n    {{memory: 8 MiB, kernel: k{settings}}}\n") == [
        f"sys.yaml:{line}: vm 'a': {wrong}"]


def test_load_without_a_kernel(generate):
    assert generate.errors("vms:\n  a: {load: 0x40000000}\n") == [
        "sys.yaml:2: vm 'a': load: the distribution's kernel has its own place: name the file that belongs "
        "there with 'kernel: FILE'"]


# ---- Kernels that are named by their packages ----

def fetch(generate, package, text="6.1.0-rt"):
    """What the Makefile does before it calls the generator."""
    place = generate.directory / "guest" / "packages" / package
    place.mkdir(parents=True)
    (place / "Image").write_bytes(image() + b"Linux version %s (" % text.encode())
    (place / "initramfs.img").write_bytes(b"070701" + text.encode() + bytes(4096))


def test_packages(generate):
    """Each with its own initramfs; the default kernel is beside them."""
    fetch(generate, "linux-image-rt-arm64")
    fetch(generate, "linux-image-6.1.0-39-arm64")
    result = generate("vms:\n  a: {kernel: package:linux-image-rt-arm64}\n  b:\n"
                      "  c: {kernel: package:linux-image-6.1.0-39-arm64}\n"
                      "  d: {kernel: package:linux-image-rt-arm64, initramfs: none}\n"
                      "  e: {kernel: package:linux-image-rt-arm64, initramfs: initrd}\n", "--search", "guest")
    assert result.errors == []
    machines = {vm["name"]: vm for vm in json.loads(result.read("system.json"))["vms"]}
    place = generate.directory / "guest" / "packages"
    own = place / "linux-image-rt-arm64"
    assert machines["a"]["kernel"] == str(own / "Image")
    assert machines["a"]["initramfs"] == str(own / "initramfs.img")
    assert machines["b"]["kernel"] == str(generate.directory / "Image")
    assert machines["c"]["initramfs"] == str(place / "linux-image-6.1.0-39-arm64" / "initramfs.img")
    assert "initramfs" not in machines["d"]
    assert machines["e"]["initramfs"] == str(generate.directory / "initrd")


NO_NAME = "not the name of a package: write it like package:linux-image-arm64"


@pytest.mark.parametrize("name, wrong", [
    ("linux-image-rt-arm64",
     "not fetched: `make image` and `make run` fetch it with APT, and then call braid-gen"),
    ("", NO_NAME), ("Linux", NO_NAME), ("../../etc", NO_NAME), ("a$(reboot)", NO_NAME), ("a b", NO_NAME),
    ("-x", NO_NAME), ("linux/image", NO_NAME),
])
def test_package_that_is_not_there(generate, name, wrong):
    assert generate.errors(f"vms:\n  a: {{kernel: 'package:{name}'}}\n", "--search", "guest") == [
        f"sys.yaml:2: vm 'a': kernel 'package:{name}': {wrong}"]
    listed = generate.run("--packages", "sys.yaml")
    assert (listed.status, listed.stdout) == (0, f"{name}/Image\n" if wrong != NO_NAME else "")


def test_package_without_its_initramfs(generate):
    fetch(generate, "linux-image-a")
    (generate.directory / "guest" / "packages" / "linux-image-a" / "initramfs.img").unlink()
    assert generate.errors("vms:\n  a: {kernel: package:linux-image-a}\n", "--search", "guest") == [
        "sys.yaml:2: vm 'a': kernel 'package:linux-image-a': its initramfs is missing: remove the directory "
        "packages/linux-image-a, and `make image` packs it anew, or name another one (initramfs: FILE)"]


def test_packages_of_a_system(generate):
    """Wherever they are said; a file that is wrong is for the generator to report."""
    (generate.directory / "a.yaml").write_text(
        "defaults: {kernel: package:linux-image-b}\nvms:\n- {name: x, kernel: package:linux-image-a}\n"
        "- {name: y, kernel: file, hostname: package:no}\n- z\n")
    (generate.directory / "b.yaml").write_text("vms: [a\n")
    assert generate.run("--packages", "a.yaml").stdout.splitlines() == [
        "linux-image-b/Image", "linux-image-a/Image"]
    assert generate.run("--packages", "b.yaml").status == 1


def test_load_of_a_package(generate):
    fetch(generate, "linux-image-a")
    assert generate.errors("vms:\n  a: {kernel: package:linux-image-a, load: 0x40000000}\n", "--search",
                           "guest") == [
        "sys.yaml:2: vm 'a': load: the distribution's kernel has its own place: name the file that belongs "
        "there with 'kernel: FILE'"]
