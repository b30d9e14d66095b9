# SPDX-License-Identifier: BSD-2-Clause
"""fetch.sh with an APT that knows only made-up packages: what it fetches, and what it leaves."""

import os
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT
from test_libraries import CANCELS

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="it is what unpacks packages")

# The packages are files of one directory, $REPOSITORY. Only what fetch.sh asks may be asked.
APT = {
    "apt-config": "exit 0",
    "apt-get": 'shift; case $1 in download) shift\n'
               'for name; do cp "$REPOSITORY/$name.deb" . || exit 100\n'
               'echo "$name" >>"$FETCHED"; done;; esac',
    "apt-cache": 'for name; do :; done\ndeb=$REPOSITORY/$name.deb\n[ -e "$deb" ] || exit 100\n'
                 '[ "$1" = show ] || { echo "$name"\n'
                 'dpkg-deb -f "$deb" Depends | tr -s ", " "\\n\\n" |\n'
                 'sed "s/.*/  Depends: &/"; }',
}


class Repository:
    def __init__(self, place, tree):
        self.place = place
        self.tree = tree
        self.fetched = place / "fetched"
        (place / "repository").mkdir()
        (place / "bin").mkdir()
        for name, script in APT.items():
            path = place / "bin" / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    def package(self, name, depends=()):
        """A package to put files into; `publish` when they are."""
        package = self.tree(name)
        package.file("DEBIAN/control", f"Package: {name}\nVersion: 1\nArchitecture: arm64\n"
                     f"Maintainer: nobody\nDescription: none\nDepends: {', '.join(depends)}\n"
                     .replace("Depends: \n", "").encode())
        return package

    def publish(self, *packages):
        for package in packages:
            subprocess.run(["dpkg-deb", "--root-owner-group", "-b", package.root,
                            self.place / "repository" / f"{package.root.name}.deb"], check=True,
                           stdout=subprocess.DEVNULL)

    def fetch(self, *packages):
        """Returns the finished process, and the names of what was fetched, in order."""
        environment = {**os.environ, "PATH": f"{self.place}/bin:{os.environ['PATH']}",
                       "REPOSITORY": str(self.place / "repository"), "FETCHED": str(self.fetched),
                       "PYTHON": sys.executable}
        done = subprocess.run([ROOT / "guest/fetch.sh", self.place / "out", *packages],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=environment, check=False)
        return done, self.fetched.read_text().split() if self.fetched.exists() else []


@pytest.fixture
def repository(tmp_path, tree):
    return Repository(tmp_path, tree)


def test_libraries_are_followed_by_need(repository, tmp_path):
    """Not by the names of their packages; and what only configures is left where it is."""
    c = repository.package("libc6", ["unwinder"])
    libc = c.c_library()
    unwinder = repository.package("unwinder")
    unwinder.library("libgcc_s.so.1", [libc])
    z = repository.package("zlib1g", ["libc6"])
    ssl = repository.package("libssl3", ["libc6", "zlib1g", "openssl-data"])
    library = ssl.library("libssl.so.3", [z.library("libz.so.1", [libc], version=".3"), libc])
    data = repository.package("openssl-data")
    server = repository.package("iperf3", ["debconf", "libssl3", "libc6"])
    server.program("iperf3", [library, libc], CANCELS)
    debconf = repository.package("debconf")
    repository.publish(c, unwinder, z, ssl, data, server, debconf)

    done, fetched = repository.fetch("iperf3")
    assert done.returncode == 0, done.stdout
    assert fetched[0] == "iperf3"
    assert sorted(fetched) == ["iperf3", "libc6", "libssl3", "unwinder", "zlib1g"]
    root = tmp_path / "out/root/usr/lib/aarch64-linux-gnu"
    assert (root / "libz.so.1").exists() and (root / "libgcc_s.so.1").exists()
    assert (tmp_path / "out/packages.txt").read_text().splitlines() == [
        "iperf3 1", "libc6 1", "libssl3 1", "unwinder 1", "zlib1g 1"]


def test_kernel_of_a_package_that_only_names_it(repository, tmp_path):
    kernel = repository.package("linux-image-6.12.0-cloud-arm64", ["libunwanted"])
    kernel.file("boot/vmlinuz-6.12.0-cloud-arm64", b"kernel")
    repository.publish(kernel, repository.package(
        "linux-image-cloud-arm64", ["linux-image-6.12.0-cloud-arm64"]))
    done, fetched = repository.fetch("linux-image-cloud-arm64")
    assert done.returncode == 0, done.stdout
    assert fetched == ["linux-image-6.12.0-cloud-arm64"]
    assert (tmp_path / "out/root/boot/vmlinuz-6.12.0-cloud-arm64").exists()


def test_library_that_nobody_has(repository, tree, tmp_path):
    """It may be one of a program that no guest gets, so this is no error yet."""
    c = repository.package("libc6")
    libc = c.c_library()
    program = repository.package("tool", ["libc6"])
    program.program("tool", [tree("elsewhere").library("libx.so.1"), libc])
    repository.publish(c, program)
    done, fetched = repository.fetch("tool")
    assert done.returncode == 0, done.stdout
    assert fetched == ["tool", "libc6"]


def test_package_that_is_not_there(repository, tmp_path):
    done, fetched = repository.fetch("toaster")
    assert done.returncode != 0 and not fetched
    assert "have no toaster for arm64" in done.stdout and "LINUX=" in done.stdout
    assert not (tmp_path / "out/root").exists()
