# SPDX-License-Identifier: BSD-2-Clause
"""
Systems' files, boards' files, kernels and disk images that are damaged at random. The generator may take
them or not: no sanitizer says anything, what is refused is refused with a message and writes nothing.
MUTATION_SEED and MUTATION_COUNT in the environment choose others.
"""

import os
import pathlib
import random
import re
import shutil

import pytest

from conftest import elf, image, partitioned, segment, zboot, zstd

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("MUTATION_SEED", "1"))
COUNT = int(os.environ.get("MUTATION_COUNT", "15"))

VALUES = ("0", "1", "-1", "64", "65536", "4294967295", "4294967296", "18446744073709551616", "0x", "1e9",
          "''", "~", "[]", "{}", "[" * 40 + "]" * 40, "{a: b}", "yes", "64M", "99999G", "1 Gbit/s", "0.0",
          "vm0", "a" * 300, "&a 1", "*a", "!!int x", "|", "52:54:00:00:00:01", "\t", "é", "\0", "'", "%")


def mutate(text, dice):
    """One change of a YAML file: a value, a key, a line, an indent, or some bytes."""
    lines = text.split("\n")
    filled = [number for number, line in enumerate(lines) if re.match(r"\s*[^\s#]", line)]
    if not filled:
        return text
    at = dice.choice(filled)
    line = lines[at]
    kind = dice.randrange(8)
    if kind <= 2:
        words = list(re.finditer(r"[^\s:,\[\]{}]+(?=\s*($|[,\]}]))", line))
        if words:
            word = dice.choice(words)
            lines[at] = line[:word.start()] + dice.choice(VALUES) + line[word.end():]
    elif kind == 3:
        key = dice.choice(("x:", "name:", "count:", "memory:", "", ":"))
        lines[at] = re.sub(r"[a-z_]+:", key, line, count=1)
    elif kind == 4:
        del lines[at]
    elif kind == 5:
        lines.insert(dice.randrange(len(lines)), line)
    elif kind == 6:
        lines[at] = dice.choice((line[1:], " " + line, "  " + line, line.lstrip()))
    else:
        column = dice.randrange(len(line) + 1)
        lines[at] = line[:column] + dice.choice(VALUES) + line[column:]
    return "\n".join(lines)


def mutate_times(text, dice):
    for _ in range(dice.choice((1, 1, 1, 2, 6))):
        text = mutate(text, dice)
    return text


def mutate_bytes(data, dice):
    """Some bytes at the front, where the headers are, or anywhere; or the end is missing."""
    if dice.randrange(5) == 0:
        return data[:dice.randrange(1, len(data))]
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randrange(dice.choice((64, min(256, len(out)), min(2048, len(out)), len(out))))
        if dice.randrange(2):
            at &= ~7
            value = dice.choice((0, 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1, len(out), 4096))
            out[at:at + 8] = value.to_bytes(8, "little")
        else:
            out[at] = dice.randrange(256)
    return bytes(out)


def check(result):
    """What it said is in order, and it has written all or nothing."""
    if result.status == 0:
        assert (result.output / "system.mk").exists()
    else:
        assert result.errors and all(line.strip() for line in result.errors)
        assert not result.output.exists()
    shutil.rmtree(result.output, ignore_errors=True)
    return result.status


@pytest.mark.parametrize("path", sorted((ROOT / "systems").glob("*.yaml")), ids=lambda path: path.stem)
def test_systems(generate, path):
    dice = random.Random(f"{SEED} {path.stem}")
    partitioned(generate.directory, "vm0", "vm1", "data")
    text = path.read_text()
    for _ in range(COUNT):
        changed = mutate_times(text, dice)
        check(generate(changed.encode(errors="surrogateescape")))


@pytest.mark.parametrize("path", sorted((ROOT / "boards").glob("*.yaml")), ids=lambda path: path.stem)
def test_boards(generate, path):
    dice = random.Random(f"{SEED} {path.stem}")
    text = path.read_text()
    generate.board = generate.directory / "board.yaml"
    for _ in range(COUNT):
        generate.board.write_bytes(mutate_times(text, dice).encode(errors="surrogateescape"))
        check(generate.path(ROOT / "systems" / "virtio_demo.yaml"))


def test_kernels(generate):
    dice = random.Random(SEED)
    kernels = (image(4096), zboot(zstd(image(4096))), elf(segment(0x40200000), segment(0x40300000)))
    for _ in range(5 * COUNT):
        (generate.directory / "Image").write_bytes(mutate_bytes(dice.choice(kernels), dice))
        check(generate.path(ROOT / "systems" / "virtio_demo.yaml"))


def test_disks(generate):
    dice = random.Random(SEED)
    partitioned(generate.directory, "data", "logs")
    whole = (generate.directory / "disk.img").read_bytes()
    front = 34 * 512
    text = "disk: {file: disk.img}\nvms:\n  a: {disks: [{partition: data}]}\n  b: {disks: [{partition: 2}]}\n"
    assert check(generate(text)) == 0
    for _ in range(5 * COUNT):
        (generate.directory / "disk.img").write_bytes(mutate_bytes(whole[:front], dice) + whole[front:])
        check(generate(text))
