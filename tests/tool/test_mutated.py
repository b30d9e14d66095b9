# SPDX-License-Identifier: BSD-2-Clause
"""
Descriptions and programs that are damaged at random. The tool may take them or not: no sanitizer says
anything, what is refused is refused with a message and leaves nothing behind, and what is taken without a
warning is as its description says. MUTATION_SEED and MUTATION_COUNT in the environment choose others.
"""

import os
import random
import re

import pytest

import elf_file
from random_system import RandomSystem, programs

SEED = int(os.environ.get("MUTATION_SEED", "1"))
COUNT = int(os.environ.get("MUTATION_COUNT", "40"))

NUMBERS = ("0", "1", "-1", "62", "63", "64", "255", "256", "0xfff", "0x1000", "0x200000", "0x7fffffff",
           "0xffffffff", "0x8000000000", "0xfffffffffffff000", "18446744073709551615",
           "18446744073709551616", "0x", "", " 1", "1_000")


def mutate_text(text, dice):
    """One change: of a number, an attribute, an element, or of bytes."""
    kind = dice.randrange(8)
    numbers = list(re.finditer(r'"((?:0x)?[0-9a-f_]+)"', text))
    attributes = list(re.finditer(r' [a-z_]+="[^"]*"', text))
    lines = text.split("\n")
    if kind <= 2 and numbers:
        at = dice.choice(numbers)
        return text[:at.start(1)] + dice.choice(NUMBERS) + text[at.end(1):]
    if kind == 3 and attributes:
        at = dice.choice(attributes)
        return text[:at.start()] + dice.choice(("", 2 * at.group())) + text[at.end():]
    if kind == 4 and len(attributes) > 1:  # another's value
        at, other = dice.choice(attributes), dice.choice(attributes)
        value = other.group().split("=", 1)[1]
        return text[:at.start()] + at.group().split("=", 1)[0] + "=" + value + text[at.end():]
    at = dice.randrange(len(lines))
    if kind == 5:
        del lines[at]
    elif kind == 6:
        lines.insert(dice.randrange(len(lines)), lines[at])
    else:
        column = dice.randrange(len(lines[at]) + 1)
        odd = dice.choice(("<", ">", '"', "&", "&#0;", "<!--", "]]>", "\0", "é", "/", "<a>" * 200))
        lines[at] = lines[at][:column] + odd + lines[at][column:]
    return "\n".join(lines)


def mutate_bytes(data, dice):
    """Some bytes of an ELF file's headers or symbols, or of any; or its end is missing."""
    if dice.randrange(5) == 0:
        return data[:dice.randrange(1, len(data))]
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        kind = dice.randrange(4)
        places = (64, min(400, len(out)), len(out))
        at = dice.randrange(dice.choice(places))
        if kind == 0:
            out[at] = dice.randrange(256)
        elif kind == 1:
            out[at] ^= 1 << dice.randrange(8)
        elif kind == 2:
            at &= ~7
            out[at:at + 8] = dice.choice((0, 1, 0xFFFF, 1 << 31, (1 << 63) - 1, (1 << 64) - 1,
                                          len(out))).to_bytes(8, "little")
        else:
            at = max(at, 64) & ~7
            out[at:at + 8] = bytes(8)
    return bytes(out)


def build(tool, text):
    """What is said of a description that may be good, or bad."""
    for left in (tool.image, tool.report):
        left.unlink(missing_ok=True)
    result = tool.build(text)
    assert all(line.startswith("microkit: ") for line in result.stderr.splitlines()), result.stderr
    if result.returncode == 0:
        if result.stderr == "":
            tool.load()
        return result
    assert result.stderr.endswith("\n") and len(result.stderr) > len("microkit: \n")
    assert not tool.image.exists() and not tool.report.exists()
    return result


def begin(tool, seed):
    system = RandomSystem(seed, 1)
    for name, data in {**programs(), **system.files}.items():
        tool.write(name, data)
    return random.Random(seed), system.text


@pytest.mark.parametrize("seed", range(SEED, SEED + 4))
def test_descriptions(tool, seed):
    dice, text = begin(tool, seed)
    refused = 0
    for _ in range(COUNT):
        changed = text
        for _ in range(dice.choice((1, 1, 1, 2, 5))):
            changed = mutate_text(changed, dice)
        refused += build(tool, changed.encode(errors="surrogateescape")).returncode
    assert 0 < refused <= COUNT


@pytest.mark.parametrize("seed", range(SEED, SEED + 4))
def test_programs(tool, seed):
    dice, text = begin(tool, seed)
    names = sorted(name for name in programs() if name in text)
    for _ in range(COUNT):
        name = dice.choice(names)
        whole = (tool.directory / name).read_bytes()
        tool.write(name, mutate_bytes(whole, dice))
        build(tool, text)
        tool.write(name, whole)


def test_kernels(tool):
    dice, text = begin(tool, SEED)
    kernel = elf_file.kernel()
    for _ in range(COUNT):
        tool.write("other.elf", mutate_bytes(kernel, dice))
        tool.write("test.system", text)
        result = tool.run("test.system", "--board", tool.board, "--config", tool.config,
                          "--override-kernel", "other.elf")
        assert result.returncode == 0 or result.stderr.startswith("microkit: ")
