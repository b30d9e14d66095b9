# SPDX-License-Identifier: BSD-2-Clause
"""Files that nobody would write: the shipped ones with damage. Each is taken or told what is wrong."""

import random

import pytest

from conftest import ROOT

SYSTEMS = sorted((ROOT / "systems").glob("*.yaml"))
WORDS = ["", "null", "~", "[]", "{}", "[a, [b]]", "{a: {b: c}}", "0", "-1", "18446744073709551616",
         "1 MiB", "99999999 TiB", "0 us", "yes", "none", "*x", "&x", "<<", "!!binary AA==", "? a", "|",
         ">", "'", '"', "\\", "#", "%", "a -> b", "->", "255.255.255.255/32", "ff:ff:ff:ff:ff:ff",
         "\u00e9", "\u202e", "x" * 5000]


def damage(text, generator):
    lines = text.splitlines(keepends=True)
    for _ in range(generator.randint(1, 4)):
        place = generator.randrange(len(text) + 1)
        kind = generator.randrange(6)
        if kind == 0:
            text = text[:place] + generator.choice(WORDS) + text[place:]
        elif kind == 1:
            text = text[:place] + text[place + generator.randint(1, 20):]
        elif kind == 2:
            text = text[:place] + chr(generator.randrange(1, 0x250)) + text[place + 1:]
        elif kind == 3:
            text += generator.choice(lines)
        elif kind == 4:
            end = text.find("\n", place)
            colon = text.rfind(":", 0, end)
            text = text[:colon + 1] + " " + generator.choice(WORDS) + text[end:]
        else:
            generator.shuffle(lines)
            text = "".join(lines)
    return text


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_damaged_files(generate, path):
    for seed in range(40):
        text = damage(path.read_text(), random.Random(f"{path.stem} {seed}"))
        result = generate(text.encode("utf-8", "surrogatepass"), "--prefill")
        errors = [line for line in result.errors if ": warning: " not in line]
        assert (result.status == 0) == (errors == []), (seed, text)
