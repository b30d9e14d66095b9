# SPDX-License-Identifier: BSD-2-Clause
"""A Debian that was installed on a disk, with systemd, runs in a machine with firmware as anywhere else.

This fetches some hundred packages and takes half an hour: `make distribution`, not `make check`.
"""

import os
import shutil
import socket
import subprocess

import pexpect
import pytest

import conftest
import image
import machine

PLACE = conftest.BUILD_DIR / "check" / "distribution"
PROMPT = r"root@debian:[^\r\n]*# "
BOOTED = r"booted at ([\d.]+) s"
VIRTUAL = ("-icount", "shift=1,sleep=off", "-rtc", "base=2026-01-01,clock=vm")

SYSTEM = """\
description: a Debian that boots from its disk
switches: {{net0: {{uplink: {{forward: [tcp:{port}->debian:22]}}}}}}
vms:
  debian: {{firmware: u-boot, memory: 512 MiB, ip: 10.0.2.15/24, disks: [{{image: debian.raw}}]}}
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Debian:
    """The machine at its console, and at its port for ssh."""

    def __init__(self, running, port):
        self.running = running
        self.port = port

    def login(self):
        """As a person at hvc0 does it."""
        self.running.focus(0)
        self.running.expect(BOOTED)
        # There is a login at the PL011 as well, and both say so at once. Keys reach the one at hvc0,
        # which asks again after an empty line.
        for last in (False, False, True):
            self.running.send("\r")
            try:
                self.running.expect(r"debian login: $", timeout=60)
                break
            except pexpect.TIMEOUT:
                assert not last, "nobody asks for a login"
        self.running.send("root\r")
        self.running.expect("Password: ")
        self.running.send("braid\r")
        self.running.expect(PROMPT)

    def run(self, command):
        """The output of a command at the console; it must succeed."""
        self.running.send(f'{command}; echo "<"end $?">"\r')
        self.running.expect(r"<end (\d+)>")
        status, output = int(self.running.child.match[1]), self.running.child.before
        self.running.expect(PROMPT)
        output = machine.CONTROL.sub("", output).replace("\r", "")
        assert status == 0, output
        return output.split("\n", 1)[-1]

    def ssh(self, command):
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=120",
                   "IdentitiesOnly=yes", f"IdentityFile={PLACE / 'key'}", f"Port={self.port}"]
        arguments = [f"-o{option}" for option in options]
        done = subprocess.run(["ssh", "-q", *arguments, "root@127.0.0.1", command],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout.strip()


@pytest.fixture(scope="module")
def system():
    """The system's file, and the port of the host that leads to the machine. The image is made once."""
    if not (PLACE / "debian.raw").exists():
        image.make(PLACE, conftest.BUILD_DIR)
    port = free_port()
    path = PLACE / "debian.yaml"
    path.write_text(SYSTEM.format(port=port))
    return path, port


def test_as_installed(boot, system):
    """Login, services, ssh, APT, and a new kernel that the next start takes."""
    path, port = system
    debian = Debian(boot.start(conftest.build_with_new_disk(path)), port)
    debian.login()
    assert debian.run("systemctl is-system-running --wait").strip() == "running"
    assert debian.run("systemd-detect-virt --vm").strip() not in ("", "none")
    assert debian.ssh("uname -n") == "debian"
    debian.run("apt-get -q update")
    before = debian.ssh("uname -r")
    # The kernel alone: an emulated processor takes minutes for what else there may be to upgrade.
    install = "apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 install"
    debian.run(f"{install} linux-image-cloud-arm64")
    if len(debian.ssh("ls /boot/vmlinuz-*").split()) == 1:
        debian.run(f"{install} linux-image-arm64")  # there is no newer one: another flavour is new as well
    # The newest one is GRUB's choice; where the older one has the higher number, it has to go.
    newest = debian.ssh("linux-version list | linux-version sort | tail -n 1")
    if newest == before:
        [newest] = set(debian.ssh("linux-version list").split()) - {before}
        debian.run(f"rm /boot/vmlinuz-{before} && update-grub")
    debian.running.send("reboot\r")
    debian.login()
    assert debian.ssh("uname -r") == newest != before
    assert debian.run("systemctl is-system-running --wait").strip() == "running"
    debian.running.send("poweroff\r")
    debian.running.expect("powered off")


def test_boots_as_quickly_as_without_a_hypervisor(boot, system):
    """By virtual time, from the first instruction of the firmware to the last service."""
    path, _ = system
    running = boot.start(conftest.build_with_new_disk(path), VIRTUAL)
    running.focus(0)
    braid = float(running.expect(BOOTED)[1])
    running.stop()
    disk = PLACE / "plain.raw"
    shutil.copyfile(PLACE / "debian.raw", disk)
    firmware = conftest.BUILD_DIR / "guest" / "packages" / "u-boot-qemu" / "u-boot.bin"
    plain = boot.start(os.environ.get("QEMU") or "qemu-system-aarch64", [
        "-machine", "virt", "-cpu", "cortex-a53", "-m", "512M", "-display", "none", "-monitor", "none",
        "-bios", firmware, "-serial", f"file:{PLACE / 'plain.log'}", *VIRTUAL,
        "-global", "virtio-mmio.force-legacy=false",
        "-drive", f"if=none,id=disk,format=raw,file={disk}", "-device", "virtio-blk-device,drive=disk",
        "-netdev", "user,id=net", "-device", "virtio-net-device,netdev=net",
        "-device", "virtio-serial-device", "-chardev", "stdio,id=hvc", "-device", "virtconsole,chardev=hvc"])
    without = float(plain.expect(BOOTED)[1])
    plain.stop()
    print(f"booted in {braid:.2f} s, without a hypervisor in {without:.2f} s: {braid / without:.2f}")
    assert braid <= 1.15 * without
