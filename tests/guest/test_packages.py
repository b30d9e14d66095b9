# SPDX-License-Identifier: BSD-2-Clause
"""Kernels that systems name by their packages: `make` fetches and packs each, with its own modules."""

import os
import shutil
import subprocess
import sys

import pytest

import pack
from conftest import ROOT
from test_fetch import Repository
from test_pack import IMAGE, cpio, module

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="it is what unpacks packages")


class Distribution(Repository):
    """Two kernels, one of them behind an empty package, and the guests' programs."""

    def __init__(self, place, tree):
        super().__init__(place, tree)
        self.build = place / "build"
        self.publish(self.kernel("6.1.0-9-rt-arm64"), self.kernel("6.12.0-arm64"), self.programs(),
                     self.package("linux-image-rt-arm64", ["linux-image-6.1.0-9-rt-arm64"]))

    def kernel(self, version):
        package = self.package(f"linux-image-{version}")
        package.file(f"boot/vmlinuz-{version}", IMAGE + version.encode())
        package.file(f"usr/lib/modules/{version}/kernel/drivers/net/virtio_net.ko", module("virtio_net"))
        return package

    def programs(self):
        package = self.package("programs")
        libc = package.c_library()
        package.file("usr/bin/busybox", b"busybox")
        for name in pack.PROGRAMS + list(pack.DISK_PROGRAMS):
            package.program(name, [libc])
        package.file("etc/mke2fs.conf", b"[defaults]\n")
        return package

    def headers(self, version):
        """With a Makefile that makes something in the place of each module, which says for which kernel."""
        common = self.package(f"linux-headers-{version}-common")
        common.file(f"usr/src/linux-headers-{version}-common/Makefile",
                    b"modules:\n\techo 'const char kernel[] = \"$(notdir $(CURDIR))\";' >$(M)/x.c\n"
                    b"\t$(CC) -c -o $(M)/braid_shared.ko $(M)/x.c\n")
        headers = self.package(f"linux-headers-{version}",
                               [f"linux-headers-{version}-common", "linux-kbuild-1"])
        headers.file(f"usr/src/linux-headers-{version}/Module.symvers")
        self.publish(common, headers)
        native = subprocess.run(["dpkg", "--print-architecture"], check=True, stdout=subprocess.PIPE,
                                text=True)
        tools = self.package(f"linux-kbuild-1:{native.stdout.strip()}")
        (tools.root / "DEBIAN/control").write_text((tools.root / "DEBIAN/control").read_text().replace(
            tools.root.name, "linux-kbuild-1"))
        self.publish(tools)

    def image(self, package, place="packages"):
        return self.build / "guest" / place / package / "Image"

    def make(self, *packages, place="packages"):
        environment = {**os.environ, "PATH": f"{self.place}/bin:{os.environ['PATH']}",
                       "REPOSITORY": str(self.place / "repository"), "FETCHED": str(self.fetched)}
        return subprocess.run(["env", "--unset=MAKEFLAGS", "--unset=MAKELEVEL", "make", "-s", "-C", ROOT,
                               f"BUILD_DIR={self.build}", f"PYTHON={sys.executable}",
                               "GUEST_PACKAGES=linux-image-cloud-arm64 programs",
                               *(str(self.image(package, place)) for package in packages)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=environment, check=False)


@pytest.fixture
def distribution(tmp_path, tree):
    return Distribution(tmp_path, tree)


def test_each_has_its_modules(distribution):
    """Side by side; a package that only names another is followed; the default kernel is not among them."""
    done = distribution.make("linux-image-rt-arm64", "linux-image-6.12.0-arm64")
    assert done.returncode == 0, done.stdout
    fetched = distribution.fetched.read_text().split()
    assert sorted(fetched) == ["linux-image-6.1.0-9-rt-arm64", "linux-image-6.12.0-arm64",
                               "programs", "programs"]
    for package, version in (("linux-image-rt-arm64", "6.1.0-9-rt-arm64"),
                             ("linux-image-6.12.0-arm64", "6.12.0-arm64")):
        image = distribution.image(package)
        assert image.read_bytes() == IMAGE + version.encode()
        files = cpio((image.parent / "initramfs.img").read_bytes())
        assert [name.split("/")[2] for name in files if name.endswith("virtio_net.ko")] == [version]
        assert files["bin/busybox"] == b"busybox"


def test_once(distribution):
    assert distribution.make("linux-image-rt-arm64").returncode == 0
    distribution.fetched.unlink()
    assert distribution.make("linux-image-rt-arm64").returncode == 0
    assert not distribution.fetched.exists()


@pytest.mark.parametrize("package, wrong", [
    ("linux-image-nobody-arm64", "have no linux-image-nobody-arm64 for arm64"),
    ("programs", "the packages hold no"),
])
def test_no_such_kernel(distribution, package, wrong):
    done = distribution.make(package)
    assert done.returncode != 0 and wrong in done.stdout
    assert not distribution.image(package).exists()


SHARED = "shared/packages"


def test_module_for_shared_memory(distribution):
    """For systems whose machines share memory: built for that kernel, and packed with its other modules."""
    version = "6.1.0-9-rt-arm64"
    distribution.headers(version)
    done = distribution.make("linux-image-rt-arm64", place=SHARED)
    assert done.returncode == 0, done.stdout
    image = distribution.image("linux-image-rt-arm64", SHARED)
    assert image.read_bytes() == IMAGE + version.encode()
    files = cpio((image.parent / "initramfs.img").read_bytes())
    built = files[f"lib/modules/{version}/braid_shared.ko"]
    assert built[:4] == b"\x7fELF" and f"linux-headers-{version}".encode() in built
    assert f"lib/modules/{version}/virtio_net.ko" in files
    assert not distribution.image("linux-image-rt-arm64").exists()
    distribution.fetched.unlink()
    assert distribution.make("linux-image-rt-arm64", place=SHARED).returncode == 0
    assert not distribution.fetched.exists()


def test_no_headers(distribution):
    done = distribution.make("linux-image-rt-arm64", place=SHARED)
    assert done.returncode != 0
    assert "the headers of the kernel 6.1.0-9-rt-arm64 could not be fetched" in done.stdout
    assert not distribution.image("linux-image-rt-arm64", SHARED).exists()
