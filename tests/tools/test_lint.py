# SPDX-License-Identifier: BSD-2-Clause
"""`make lint`: what each linter is there to find, it finds, and what it finds makes make fail."""

import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT

GOOD = {
    "lib/good.c": "int good(int value)\n{\n    return value + 1;\n}\n",
    "tools/good.sh": "#!/bin/sh\necho \"$1\"\n",
    "tools/good.py": "VALUE = 1\n",
}
# Linter: (file, what is wrong in it, the line and the name of the finding)
BAD = {
    "clang-format": ("switch/bad.h", "int  bad;\n", r"1:\d+: .*clang-format"),
    "clang-tidy": ("vmm/bad.c", "int bad(int n)\n{\n    return n > 0 ? bad(n - 1) : 0;\n}\n",
                   r"1:\d+: .*\[misc-no-recursion\]"),
    "cppcheck": ("tools/bad.c", "int bad(void)\n{\n    int list[2] = {1, 2};\n    int i = 2;\n"
                 "    return list[i];\n}\n", r"5:\d+: .*\[arrayIndexOutOfBounds\]"),
    "shellcheck": (".ci/bad", "#!/bin/sh\necho $1\n", r"2:\d+: .*\[SC2086\]"),
    "pyflakes": ("guest/bad.py", "import os\n", r"1:\d+: 'os' imported but unused"),
    "pycodestyle": ("bench/bad", "#!/usr/bin/env python3\nx=1\n", r"2:\d+: E225"),
}


@pytest.fixture
def tree(tmp_path):
    """A function that makes a small tree of this project with some files more, and lints it."""
    def lint(files):
        for name in ("Makefile", "tools/setup.sh", "tests/lint.py", ".clang-format", ".clang-tidy"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        (tmp_path / "tools/setup.sh").chmod(0o755)
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        done = subprocess.run(["make", "lint", f"PYTHON={sys.executable}"],
                              cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False,
                              env={key: value for key, value in os.environ.items()
                                   if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")})
        return done.returncode, done.stdout
    lint.directory = tmp_path
    return lint


def verdicts(output):
    return dict(reversed(pair) for pair in re.findall(r"^  (ok|FAILED) +([\w-]+): ", output, re.M))


def test_clean_tree(tree):
    status, output = tree(GOOD)
    assert status == 0, output
    assert verdicts(output) == {name: "ok" for name in BAD}
    assert output.endswith("6 passed, 0 failed\n")


def test_each_linter_finds_its_own(tree):
    bad = {file: text for file, text, _ in BAD.values()}
    status, output = tree({**GOOD, **bad})
    assert status != 0
    assert verdicts(output) == {name: "FAILED" for name in BAD}
    for file, _, finding in BAD.values():
        assert re.search(rf"^{re.escape(file)}:{finding}", output, re.M), f"{file}:\n{output}"
    assert not re.search(r"^[^ ]*good", output, re.M), output


def test_what_git_ignores_is_not_looked_at(tree):
    """And what it has not been told of is: a new file is linted before it is committed."""
    subprocess.run(["git", "init", "-q", tree.directory], check=True)
    status, output = tree({**GOOD, ".gitignore": "/build/\n", "build/bad.sh": "#!/bin/sh\necho $1\n"})
    assert status == 0, output
    status, output = tree({"new.sh": "#!/bin/sh\necho $1\n"})
    assert status != 0
    assert re.findall(r"^\S+(?=:\d+:\d+:)", output, re.M) == ["new.sh"]


def test_linter_that_does_not_run_has_not_passed(tree):
    assert tree(GOOD)[0] == 0
    program = tree.directory / "tests/lint.py"
    program.write_text(program.read_text().replace('"--dry-run"', '"--no-such-option"'))
    done = subprocess.run([sys.executable, program, "clang-format"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 1
    assert verdicts(done.stdout) == {"clang-format": "FAILED"} and "no-such-option" in done.stdout


def test_kernel_for_several_cores_is_looked_at(tree):
    """And the one for one core."""
    recursion = "int {0}(int n)\n{{\n    return n > 0 ? {0}(n - 1) : 0;\n}}\n"
    config = "sdk/libmicrokit/config/{}/kernel/gen_build.h"
    status, output = tree({
        config.format("release"): "",
        config.format("benchmark"): "",
        config.format("smp-debug"): "#define CONFIG_ENABLE_SMP_SUPPORT 1\n",
        "sdk/kernel/bad.c": "#include <kernel/gen_build.h>\n#ifdef CONFIG_ENABLE_SMP_SUPPORT\n"
                            + recursion.format("many") + "#else\n" + recursion.format("one") + "#endif\n"})
    assert status != 0
    found = re.findall(r"^sdk/kernel/bad.c:\d+:\d+: .*'(\w+)' is within a recursive", output, re.M)
    assert found == ["many", "one"], output
