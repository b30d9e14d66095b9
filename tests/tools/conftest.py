# SPDX-License-Identifier: BSD-2-Clause
"""The generator, built with AddressSanitizer and UBSan, and images that it takes for real ones."""

import os
import pathlib
import struct
import subprocess
import zlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def image(size=1 << 20, image_size=32 << 20, text_offset=0, magic=0x644D5241, flags=0xA):
    """The bytes of an arm64 Image with nothing in it."""
    head = struct.pack("<IIQQQ", 0x14000000, 0, text_offset, image_size, flags)
    return (head + bytes(24) + struct.pack("<II", magic, 0)).ljust(size, b"\0")


def zstd(data):
    """What its own program makes of it, with a checksum at the end."""
    return subprocess.run(["zstd", "-1cq"], input=data, stdout=subprocess.PIPE, check=True).stdout


def zboot(packed):
    """An Image that unpacks itself under UEFI (Linux, drivers/firmware/efi/libstub/zboot-header.S)."""
    return struct.pack("<8sII", b"MZ\0\0zimg", 128, len(packed)).ljust(128, b"\0") + packed + b"the rest"


def segment(address, content=b"code" * 256, memory=None, virtual=None, kind=1, length=None):
    """(kind, virtual address, physical address, bytes, bytes that the file claims, bytes in memory)"""
    length = len(content) if length is None else length
    return (kind, address if virtual is None else virtual, address, content, length,
            length if memory is None else memory)


def elf(*segments, entry=None, machine=183, bits=2, order="<", kind=2):
    """An ELF file (System V ABI, chapter 4)."""
    entry = segments[0][1] if entry is None else entry
    out = b"\x7fELF" + bytes([bits, 1 if order == "<" else 2, 1]) + bytes(9)
    out += struct.pack(order + "HHIQQQIHHHHHH", kind, machine, 1, entry, 64, 0, 0, 64, 56, len(segments), 64,
                       0, 0)
    at, body = 64 + 56 * len(segments), b""
    for what, virtual, physical, content, length, memory in segments:
        out += struct.pack(order + "IIQQQQQQ", what, 7, at + len(body), virtual, physical, length, memory,
                           4096)
        body += content
    return out + body


def partitioned(directory, *names, damaged=False):
    """A disk image of 16 MiB with partitions of 1 MiB each (UEFI 2.10, 5.3), without the copy."""
    blocks, first = 32768, 2048
    entries = b"".join(
        struct.pack("<16s16sQQQ72s", b"type" * 4, bytes([number + 1]) * 16, first + 2048 * number,
                    first + 2048 * number + 2047, 0, name.encode("utf-16-le"))
        for number, name in enumerate(names)).ljust(128 * 128, b"\0")
    header = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, 1, blocks - 1, 34,
                         blocks - 34, b"disk" * 4, 2, 128, 128, zlib.crc32(entries))
    header = header[:16] + struct.pack("<I", zlib.crc32(header)) + header[20:]
    if damaged:
        header = header[:40] + b"damage" + header[46:]
    image = bytes(512) + header.ljust(512, b"\0") + entries
    (directory / "disk.img").write_bytes(image.ljust(blocks * 512, b"\0"))


@pytest.fixture(scope="session")
def program():
    build = pathlib.Path(os.environ.get("BUILD_DIR", ROOT / "build")).resolve() / "check" / "tools"
    subprocess.run(["make", "-s", f"-j{os.cpu_count()}", "-C", ROOT / "tools", f"BUILD={build}",
                    "SANITIZE=1"], check=True)
    return build / "braid-gen"


class Result:
    def __init__(self, process, output):
        self.status = process.returncode
        self.stdout = process.stdout
        self.errors = process.stderr.splitlines()
        self.output = output

    def read(self, name):
        return (self.output / name).read_text()


class Generator:
    """Runs the program in a directory of its own."""

    def __init__(self, program, directory):
        self.program = program
        self.directory = directory
        self.board = ROOT / "boards" / "qemu_virt_aarch64.yaml"
        (directory / "Image").write_bytes(image())
        (directory / "initrd").write_bytes(b"070701" + bytes(1000000))
        (directory / "rootfs.tar").write_bytes(bytes(10240))

    def run(self, *arguments):
        process = subprocess.run([self.program, *arguments], cwd=self.directory, text=True,
                                 errors="replace", capture_output=True, timeout=600,
                                 env={**os.environ, "ASAN_OPTIONS": "exitcode=99",
                                      "UBSAN_OPTIONS": "exitcode=99"})
        assert process.returncode in (0, 1, 2), process.stderr
        return Result(process, self.directory / "out")

    def path(self, path, *arguments, images=("--kernel", "Image", "--initrd", "initrd")):
        """Generate from a file, into out/."""
        return self.run(path, "--board", self.board, "--output", "out", "--search", ".", *images,
                        *arguments)

    def __call__(self, text, *arguments, **keywords):
        """Generate from a system file that says `text`."""
        mode = "wb" if isinstance(text, bytes) else "w"
        with open(self.directory / "sys.yaml", mode) as file:
            file.write(text)
        return self.path("sys.yaml", *arguments, **keywords)

    def errors(self, text, *arguments, **keywords):
        """The errors of a system file that has some; nothing may have been written."""
        result = self(text, *arguments, **keywords)
        assert result.status == 1
        assert not result.output.exists()
        assert result.stdout == ""
        return result.errors


@pytest.fixture
def generate(program, tmp_path):
    return Generator(program, tmp_path)
