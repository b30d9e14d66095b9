# SPDX-License-Identifier: BSD-2-Clause
"""The boot image and the memory it needs."""

import os
import pathlib
import re
import shutil

import pytest

import conftest
import machine


def guest_kernel():
    return pathlib.Path(os.environ.get("LINUX") or conftest.BUILD_DIR / "guest" / "Image")


@pytest.fixture
def another(tmp_path):
    """A function that copies virtio_demo's description for a test that has it built differently."""
    def write(name):
        return shutil.copy(conftest.ROOT / "systems" / "virtio_demo.yaml", tmp_path / f"{name}.yaml")
    return write


def test_two_machines_of_256_mib_fit_into_the_board(boot, another):
    """1 GiB on the bundled SDK, 2 GiB on others; and it is really there, in both at once."""
    system = boot(another("small_board"), MEMORY="1G" if conftest.on_bundled_sdk() else "2G")
    for number in (0, 1):
        system.login(number)
    for number in (0, 1):
        total = int(system.output(number, "grep MemTotal /proc/meminfo").split()[1])
        assert total > 200 * 1024
        system.output(number, "mkdir /m; mount -t tmpfs -o size=150m t /m; "
                              "dd if=/dev/urandom of=/m/f bs=64k count=2000; "
                              "md5sum /m/f >/sum")
    for number in (0, 1):
        system.output(number, "md5sum -c /sum")
    system.output(1, "ifconfig eth0 192.168.1.2")
    output = system.output(1, "ping -c 5 -i 0.1 192.168.1.1")
    assert machine.ping_statistics(output)[:2] == (5, 5)


def test_image_is_what_its_description_says():
    process = conftest.make("image-check", SYSTEM="virtio_demo")
    if not conftest.on_bundled_sdk():
        assert process.returncode != 0 and "bundled SDK only" in process.stdout
        return
    assert process.returncode == 0, process.stdout
    assert re.search(r"loader.img: 9 address spaces, \d+ mappings, .*: as .*system.system says$",
                     process.stdout), process.stdout


def test_image_that_is_another_is_not_booted(tmp_path):
    """What builds images for tests looks at them: here the UART's driver is a byte of another one."""
    if not conftest.on_bundled_sdk():
        pytest.skip("the checker reads images of the bundled SDK")
    made = conftest.build("virtio_demo").parent
    directory = shutil.copytree(made, tmp_path / made.name)
    image = directory / "loader.img"
    data = bytearray(image.read_bytes())
    row = data.index(b"uart".ljust(64, b"\0") + b"\0\0\xf0")  # name, kind, flags, priority
    data[row + 66] = 241
    image.write_bytes(data)
    with pytest.raises(AssertionError, match="PD 'uart': priority: expected 240, found 241"):
        conftest.check_image(directory)


def test_one_kernel_image_is_stored_once():
    """However many machines; an SDK that cannot prefill regions needs a copy in each monitor."""
    if not conftest.on_bundled_sdk():
        pytest.skip("a matter of the SDK's version")
    kernel = guest_kernel().read_bytes()
    # Any page will do that is not like another.
    piece = kernel[0x10000:0x11000]
    assert kernel.count(piece) == 1
    sizes = {}
    for system, machines in (("virtio_demo", 2), ("eight_vms", 8)):
        image = conftest.build(system).parent / "loader.img"
        assert image.read_bytes().count(piece) == 1, system
        sizes[machines] = image.stat().st_size
    assert sizes[8] - sizes[2] < 6 * len(kernel) // 4


def test_the_same_input_gives_the_same_bytes(tmp_path):
    """Guests and image, made a second time elsewhere."""
    packed = conftest.ROOT / "guest" / "pack.py"
    guest = conftest.BUILD_DIR / "guest"
    if not (guest / "root").exists():
        pytest.skip("LINUX and INITRD were given")
    conftest.subprocess.run([packed, guest / "root", packed.parent / "files", tmp_path / "Image",
                             tmp_path / "initramfs.img", tmp_path / "rootfs.tar"], check=True)
    for name in ("Image", "initramfs.img", "rootfs.tar"):
        assert (tmp_path / name).read_bytes() == (guest / name).read_bytes()


def test_each_machine_has_a_secret_of_its_own(another):
    """Drawn by the build, known to that machine's monitor alone: see vmm/entropy.h."""
    system = another("secrets")
    made = conftest.build(system).parent
    secrets = [(made / f"{vm}.secret").read_bytes() for vm in ("vm0", "vm1")]
    programs = {path.name: path.read_bytes() for path in made.glob("*.elf")}
    assert len(set(secrets)) == 2
    for vm, secret in zip(("vm0", "vm1"), secrets):
        assert len(secret) == 32 and len(set(secret)) > 8
        assert [name for name, program in programs.items() if secret in program] == [f"vmm_{vm}.elf"]
    for secret in made.glob("*.secret"):
        secret.unlink()
    conftest.build(system)
    assert not set(secrets) & {path.read_bytes() for path in made.glob("*.secret")}


def test_a_second_make_does_nothing():
    run = conftest.build("virtio_demo")
    files = sorted(p for p in run.parent.rglob("*") if p.is_file())
    before = [(p, p.stat().st_mtime_ns) for p in files]
    process = conftest.make("image", SYSTEM="virtio_demo")
    assert process.returncode == 0
    assert [(p, p.stat().st_mtime_ns) for p in files] == before
    assert "  CC " not in process.stdout and "  LD " not in process.stdout


@pytest.mark.parametrize("system", sorted(path.stem for path in
                                          (conftest.ROOT / "systems").glob("*.yaml")))
def test_all_systems_build(system):
    if conftest.HAS_CORES or not conftest.uses_cores(system):
        conftest.build(system)
        return
    process = conftest.make("image", SYSTEM=system)
    assert process.returncode != 0
    assert re.search(rf"systems/{system}\.yaml:\d+: cores \d: this SDK has no 'smp-' config for the board "
                     f"'{conftest.BOARD}': .*'cores: 1'", process.stdout), process.stdout
    assert not (conftest.directory_of(system) / "loader.img").exists()
