# SPDX-License-Identifier: BSD-2-Clause
"""setup.sh: what it misses, by whose names, and what it has APT install."""

import os
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT

TOOLS = ("sh", "cat", "sed", "tee", "tail", "grep", "mktemp", "rm", "id", "env")


@pytest.fixture
def machine(tmp_path):
    """A function that runs setup.sh where `programs` are all that there are."""
    def run(*purposes, programs=(), scripts=None, **settings):
        place = tmp_path / "bin"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name in TOOLS:
            (place / name).symlink_to(shutil.which(name))
        for name in programs:
            (place / name).write_text("#!/bin/sh\nexit 1\n")
        for name, text in (scripts or {}).items():
            (place / name).write_text(f"#!/bin/sh\n{text}\n")
        for path in place.iterdir():
            if not path.is_symlink():
                path.chmod(0o755)
        script = (ROOT / "tools/setup.sh").read_text()
        changed = script.replace("PATH=$PATH:/usr/sbin:/sbin", "")
        assert changed != script
        (tmp_path / "setup.sh").write_text(changed)
        environment = {"PATH": str(place), "CROSS": "aarch64-nowhere-", "PICOLIBC": "/nonexistent",
                       "PYTHON": sys.executable, "TMPDIR": str(tmp_path), **settings}
        return subprocess.run([place / "sh", tmp_path / "setup.sh", *purposes],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=environment, check=False)
    return run


def row(done, thing):
    """The packages that are named for a thing."""
    found = [line.split()[1:] for line in done.stdout.splitlines() if line.split()[:1] == [thing]]
    assert len(found) < 2
    return found[0] if found else None


def test_other_distributions_are_told_by_their_names(machine):
    done = machine("build", programs=["gcc", "pkg-config"])
    assert done.returncode == 1
    assert row(done, "gcc") is None and row(done, "pkg-config") is None, "these are there"
    assert row(done, "qemu-system-aarch64") == ["qemu-system-arm", "qemu-system-aarch64",
                                                "qemu-system-aarch64"]
    assert row(done, "aarch64-nowhere-gcc") == ["gcc-aarch64-linux-gnu", "gcc-aarch64-linux-gnu",
                                                "aarch64-linux-gnu-gcc"]
    assert row(done, "picolibc.h")[0] == "picolibc-aarch64-linux-gnu"
    assert "PICOLIBC=" in done.stdout
    assert row(done, "dtc") is None, "that is for the tests"
    assert row(machine("check"), "dtc") == ["device-tree-compiler", "dtc", "dtc"]
    assert row(machine("check"), "spin") == ["spin", "-", "-"]
    assert "where spin is no package" in machine("check").stdout


def test_ones_own_emulator_is_ones_own_business(machine):
    done = machine("build", QEMU="/opt/qemu/bin/qemu-system-aarch64")
    assert row(done, "qemu-system-aarch64") is None


def test_modules_are_looked_for_where_python_does(machine, tmp_path):
    """A Python of one's own may have them elsewhere, or lack what the system's has."""
    own = tmp_path / "own-python"
    own.write_text('#!/bin/sh\n[ "$2" = "import pytest" ]\n')
    own.chmod(0o755)
    assert row(machine("check", PYTHON=str(own)), "pytest") is None
    assert row(machine("build", PYTHON=str(own)), "pexpect") == [
        "python3-pexpect", "python3-pexpect", "python-pexpect"]


APT = {"dpkg-query": "exit 0", "id": "echo 0", "apt-cache": "exit 0",
       "apt-get": 'for word; do case $word in -*) ;; *) echo "$word" >>"$TMPDIR/asked";; esac; done\n'
                  'case " $* " in *" install "*) $AND_THEN;; esac'}


def test_apt_is_asked_for_what_is_missing_and_no_more(machine, tmp_path):
    done = machine("picture", "zstd", scripts=APT, programs=["zstd"],
                   AND_THEN=f"{shutil.which('cp')} {tmp_path}/bin/zstd {tmp_path}/bin/dot")
    assert done.returncode == 0, done.stdout
    asked = (tmp_path / "asked").read_text().split()
    assert [word for word in asked if "=" not in word] == ["update", "install", "graphviz"]


def test_package_without_what_it_was_to_have(machine):
    """It says so, rather than install it anew each time."""
    done = machine("picture", scripts=APT, AND_THEN=":")
    assert done.returncode == 1
    assert "still missing" in done.stdout and "dot (graphviz)" in done.stdout


def test_apt_that_fails(machine):
    done = machine("picture", scripts=APT, AND_THEN="exit 100")
    assert done.returncode == 1 and "APT could not install: graphviz" in done.stdout


def test_distribution_without_the_package(machine, tmp_path):
    """A status of its own, so that `make check` can do without."""
    done = machine("prove", programs=["why3"], AND_THEN=":",
                   scripts={**APT, "apt-cache": '[ "$2" != frama-c-base ]'})
    assert done.returncode == 3
    assert done.stdout.endswith("no package of this name: frama-c-base\n")
    assert (tmp_path / "asked").read_text().split()[-1] == "update", "nothing is installed"


def test_silent_where_all_is_there(machine):
    done = machine("picture", "zstd", programs=["dot", "zstd"])
    assert (done.returncode, done.stdout) == (0, "")


def test_here_nothing_is_missing():
    """The names of things are right: what the tests are run with is found."""
    done = subprocess.run([ROOT / "tools/setup.sh", "build", "check", "lint"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, "PYTHON": sys.executable})
    assert (done.returncode, done.stdout) == (0, "")


def test_unknown_purpose(machine):
    done = machine("toast")
    assert done.returncode == 2 and "'toast'" in done.stdout
