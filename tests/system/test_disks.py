# SPDX-License-Identifier: BSD-2-Clause
"""The board's disk and the machines' parts of it: what is synced stays, errors go to the one who
asked, and nobody reaches what is not his."""

import os
import re
import signal
import struct
import subprocess
import tarfile
import uuid
import zlib

import pytest

import conftest
import machine

PLACE = conftest.BUILD_DIR / "check" / "disks"

# MICROKIT_BOARD=zcu102 tries what is below on an SD card. There QEMU keeps its file's errors to itself.
BOARD = os.environ.get("MICROKIT_BOARD") or conftest.BOARD

# The boards whose disks are killed, and how often: a virtio disk, and an SD card past the caches. What
# is above them is the same; KILLS=20 is for who changes it, or a driver.
BOARDS = [pytest.param(board, int(os.environ.get("KILLS") or kills), marks=marks)
          for board, kills, marks in ((conftest.BOARD, 8, ()),
                                      ("zcu102", 3, conftest.marks_of("zcu102")))]


@pytest.fixture(scope="module")
def place():
    """A directory with the systems of this file and what they need besides."""
    conftest.make_guests(PLACE, "disk_*.yaml")
    conftest.make_disktool(PLACE / "programs")
    return PLACE


class Power:
    """Boots one system again and again, on one disk."""

    def __init__(self, booter, system, board):
        self.command = conftest.build_with_new_disk(system, MICROKIT_BOARD=board)
        self.booter = booter

    def on(self):
        return self.booter.start(self.command)


def kill(running):
    """As if the plug was pulled: QEMU has no time to write anything."""
    running.child.kill(signal.SIGKILL)
    running.child.close(force=True)


def parts_of(command):
    """Where on the disk's image which part is: {(vm, index): (offset, size)}."""
    text = (command.parent / "disk.img.parts").read_text()
    return {(m[1], int(m[2])): (int(m[3]), int(m[4]))
            for m in re.finditer(r"^(\S+) disk(\d+): (\d+) (\d+)$", text, re.M)}


# ---- What is written -----------------------------------------------------------------------------

@pytest.mark.parametrize("board, kills", BOARDS)
def test_what_was_synced_survives(boot, place, board, kills):
    """Pull the plug in the midst of writing, often; what was synced is there, and fsck is clean."""
    power = Power(boot, place / "disk_crash.yaml", board)
    running = power.on()
    running.login(0)
    assert "/dev/vda on / type ext4" in running.output(0, "mount")
    running.output(0, "mkfs.ext4 -q /dev/vdb && mount /dev/vdb /mnt")
    for turn in range(kills):
        # Into both file systems; the shell's own words make each turn's file another one.
        running.output(0, f"(for d in /mnt /root; do dd if=/bin/busybox bs=1000 skip={turn} "
                          f"count=1500 of=$d/file{turn} && md5sum $d/file{turn} "
                          f">$d/file{turn}.sum || exit 1; done; sync)")
        running.start(0, "while :; do cp /bin/busybox /mnt/unsynced; cp /mnt/unsynced /root/; "
                         "rm /mnt/unsynced; done")
        running.expect("<begin>")
        # The moment of the kill falls differently into the journal's rhythm each time.
        try:
            running.expect("this never comes", timeout=0.2 + 2.5 * turn / kills)
        except machine.pexpect.TIMEOUT:
            pass
        kill(running)

        running = power.on()
        running.login(0)
        status, said = running.run(0, "fsck.ext4 -p /dev/vdb")
        assert status in (0, 1), f"turn {turn}: {said}"
        running.output(0, "fsck.ext4 -f -n /dev/vdb")
        running.output(0, "mount /dev/vdb /mnt")
        checked = running.output(0, "(for d in /mnt /root; do for i in $(seq 0 "
                                    f"{turn}); do md5sum -c $d/file$i.sum || exit 1; done; done)")
        assert checked.count(": OK") == 2 * (turn + 1)
        running.output(0, "rm -f /mnt/unsynced /root/unsynced")
    running.output(0, "sync; umount /mnt")
    running.start(0, "poweroff")
    running.expect("powered off")
    running.stop()
    # The root file system was left in order, and the machine kept to its part of the disk.
    for offset, _ in parts_of(power.command).values():
        subprocess.run(["/sbin/e2fsck", "-f", "-n", f"disk.img?offset={offset}"], check=True,
                       cwd=power.command.parent, stdin=subprocess.DEVNULL)


# ---- Several machines on one disk ------------------------------------------------------------------

def prepare(running):
    """The machines' shells, with the test's program under /mnt."""
    for number in (0, 1):
        running.login(number)
        running.output(number, "mount -o ro /dev/vdb /mnt")
    return running


def test_two_writers_and_one_who_asks_too_much(boot, place):
    """A guest of our own asks its disk for what is not there, is answered by errors, and then floods
    the disk. The others write and verify meanwhile, and one of them is reset while it does."""
    conftest.build_with_new_disk(place / "disk_pair.yaml")
    running = boot(place / "disk_pair.yaml")
    prepare(running)
    running.focus(2)
    running.send("\r")
    match = running.expect(r"(?s)^(.*)disk: done, (\d+) bad")
    assert match[2] == "0", re.findall(r"disk: BAD.*", match[1])
    assert match[1].count("disk: ok") > 40
    if BOARD == conftest.BOARD:
        assert "disk: it flushes" in match[1] and "disk: it discards" in match[1]
    assert "device is stopped until its driver resets it" in match[1]

    for number in (0, 1):
        running.start_verifying(number, 15)
    for number in (0, 1):
        running.finish_verifying(number)

    running.start_verifying(1, 12)
    running.start(0, "dd if=/dev/zero of=/dev/vda bs=1M oflag=direct & sleep 1; reboot -f")
    running.expect("vm0 is ready")
    running.focused = None
    running.login(0)
    running.output(0, "mount -o ro /dev/vdb /mnt")
    running.finish_verifying(1)
    running.start_verifying(0, 2 if BOARD == conftest.BOARD else 30)  # QEMU's SD card is slow
    running.finish_verifying(0)
    status, said = running.run(0, "dd if=/dev/zero of=/dev/vdb bs=512 count=1 conv=fsync")
    assert status != 0, said  # the machine's read-only disk


def boot_with(booter, command, old, new):
    """Boot with another word in QEMU's arguments."""
    directory = command.parent
    arguments = (directory / "qemu.args").read_text().split("\n")
    arguments = [re.sub(r"(^|file=)(loader\.|disk-)", rf"\1{directory}/\2", word.replace(old, new))
                 for word in arguments if word]
    assert any(new in word for word in arguments)
    return booter.start(os.environ.get("QEMU") or "qemu-system-aarch64", arguments, 120)


@pytest.mark.skipif(BOARD != conftest.BOARD, reason="QEMU's SD card tells of no errors of its file")
def test_errors_of_the_disk_are_for_the_one_who_asked(boot, place):
    """QEMU's blkdebug fails one sector for reading and one for writing, both of vm0's disk."""
    command = conftest.build_with_new_disk(place / "disk_pair.yaml")
    first = parts_of(command)["vm0", 0][0] // 512
    rules = "".join(f'[inject-error]\nevent = "none"\niotype = "{kind}"\nerrno = "5"\n'
                    f'sector = "{first + sector}"\nonce = "off"\n'
                    for kind, sector in (("read", 8000), ("write", 16000)))
    (command.parent / "blkdebug.conf").write_text(rules)
    running = boot_with(boot, command, "file=disk.img",
                        f"file=blkdebug:{command.parent}/blkdebug.conf:{command.parent}/disk.img")
    prepare(running)
    running.start_verifying(1, 10)
    for what, expected in (("if=/dev/vda of=/dev/null skip=1000 iflag=direct", "error"),
                           ("if=/dev/vda of=/dev/null skip=999 iflag=direct", "records"),
                           ("if=/dev/vda of=/dev/null skip=1001 iflag=direct", "records"),
                           ("if=/dev/zero of=/dev/vda seek=2000 oflag=direct", "error"),
                           ("if=/dev/zero of=/dev/vda seek=2001 oflag=direct", "records"),
                           ("if=/dev/zero of=/dev/vda seek=1000 oflag=direct", "records"),
                           ("if=/dev/vda of=/dev/null skip=2000 iflag=direct", "records")):
        status, said = running.run(0, f"dd {what} bs=4096 count=1")
        if expected == "error":
            assert status != 0 and "Input/output error" in said, f"{what}: {said}"
        else:
            assert status == 0, f"{what}: {said}"
    running.finish_verifying(1)
    assert running.output(0, "dmesg | grep -c 'I/O error, dev vda' || true").strip() == "2"
    assert running.output(1, "dmesg | grep -c 'I/O error' || true").strip() == "0"


# ---- Partitions ------------------------------------------------------------------------------------

SECTOR = 512
PARTITIONS = {"boot": (2048, 16), "data": (34816, 32)}  # first sector, MiB


def partition_table(number, disk_sectors, partitions):
    """(header, entries) of a GPT (UEFI 2.10, 5.3) whose header is sector `number`."""
    entries = b""
    for name, (first, mebibytes) in partitions.items():
        last = first + mebibytes * 2048 - 1
        entries += (uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le
                    + uuid.uuid5(uuid.NAMESPACE_OID, name).bytes_le
                    + struct.pack("<QQQ", first, last, 0) + name.encode("utf-16-le").ljust(72, b"\0"))
    entries = entries.ljust(128 * 128, b"\0")
    backup = number != 1

    def header(checksum):
        return (b"EFI PART" + struct.pack("<IIII", 0x10000, 92, checksum, 0)
                + struct.pack("<QQQQ", number, 1 if backup else disk_sectors - 1, 34,
                              disk_sectors - 34)
                + uuid.uuid5(uuid.NAMESPACE_OID, "disk").bytes_le
                + struct.pack("<QIII", number - 32 if backup else 2, 128, 128,
                              zlib.crc32(entries)))

    return header(zlib.crc32(header(0))).ljust(SECTOR, b"\0"), entries


def write_table(image, partitions, primary=True):
    """A disk of 64 MiB with both tables, or with a primary that is damaged."""
    sectors = 64 * 2048
    with image.open("r+b" if image.exists() else "w+b") as file:
        file.truncate(sectors * SECTOR)
        for number, place in ((1, 2), (sectors - 1, sectors - 33)):
            header, entries = partition_table(number, sectors, partitions)
            if number == 1 and not primary:
                header = header[:40] + b"\xff" + header[41:]
            for sector, data in ((number, header), (place, entries)):
                file.seek(sector * SECTOR)
                file.write(data)


def test_partitions(boot, place):
    image = place / "partitions.img"
    image.unlink(missing_ok=True)
    write_table(image, PARTITIONS)
    process = conftest.make("image", SYSTEM=place / "disk_partitions.yaml")
    assert process.returncode != 0
    assert re.search(r"vm1.*partition gone.*no partition has this name", process.stdout), \
        process.stdout
    system = place / "partitions.yaml"
    system.write_text((place / "disk_partitions.yaml").read_text().replace(", {partition: gone}", ""))

    running = boot(system)
    running.login(0)
    assert running.output(0, "cat /sys/block/vda/size /sys/block/vdb/size /sys/block/vdb/ro").split() \
        == ["65536", "32768", "1"]
    running.output(0, "dd if=/dev/zero bs=1M count=32 | tr '\\0' 'v' | "
                      "dd of=/dev/vda bs=1M iflag=fullblock oflag=direct")
    status, said = running.run(0, "dd if=/dev/zero of=/dev/vdb count=1 conv=fsync")
    assert status != 0, said
    running.stop()
    data = image.read_bytes()
    first, mebibytes = PARTITIONS["data"]
    begin, end = first * SECTOR, (first + mebibytes * 2048) * SECTOR
    assert data[begin:end] == b"v" * (end - begin)
    assert b"vvvv" not in data[:begin] and b"vvvv" not in data[end:]

    # The primary is damaged: the backup serves. One partition is gone: the others go on.
    write_table(image, {"boot": PARTITIONS["boot"]}, primary=False)
    running = boot_with(boot, conftest.directory_of(system) / "run", "loader.img", "loader.img")
    running.expect("block: the primary partition table is of no use")
    running.expect("block: vm0 disk0 has no medium: .*no partition has this name")
    running.login(0)
    assert running.output(0, "cat /sys/block/vda/size /sys/block/vdb/size").split() == ["0", "32768"]
    running.login(1)
    assert running.output(1, "dd if=/dev/vda bs=1M count=16 | md5sum").strip()


# ---- make disk -------------------------------------------------------------------------------------

def test_a_disk_is_kept_until_it_is_made_anew(place):
    system = place / "kept.yaml"
    system.write_text("vms: {vm0: {disks: [4 MiB]}}\n")
    image = conftest.build_with_new_disk(system).parent / "disk.img"
    with image.open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"precious")
    conftest.build(system)
    assert b"precious" in image.read_bytes()
    system.write_text("vms: {vm0: {disks: [8 MiB]}}\n")
    process = conftest.make("image", SYSTEM=system)
    assert process.returncode != 0 and "'make disk' makes it anew" in process.stdout
    assert b"precious" in image.read_bytes()
    conftest.build_with_new_disk(system)
    assert b"precious" not in image.read_bytes()


def test_contents_that_cannot_be_put_on_a_disk(place):
    system = place / "content.yaml"
    content = place / "content.tar"
    system.write_text("vms: {vm0: {disks: [{size: 1 MiB, content: content.tar}]}}\n")
    with tarfile.open(content, "w") as tar:
        tar.add(conftest.HERE / "disktool.c", "../escaped")
    process = conftest.make("disk", SYSTEM=system)
    assert process.returncode != 0 and "leads out of the file system" in process.stdout
    # debugfs is told of the names in lines, and takes what is behind one's end for another command.
    for name in ("a\ndump <2> ran", "a\rb"):
        with tarfile.open(content, "w") as tar:
            tar.add(conftest.HERE / "disktool.c", name)
        process = conftest.make("disk", SYSTEM=system)
        assert process.returncode != 0 and "a name with a line break" in process.stdout
    content.write_bytes(b"no archive" * 100)
    process = conftest.make("disk", SYSTEM=system)
    assert process.returncode != 0 and f"disk: {content}" in process.stdout
    with tarfile.open(content, "w") as tar:
        tar.add(place / "programs" / "disktool", "disktool")
        for i in range(4):
            tar.add(place / "programs" / "disktool", f"disktool{i}")
    process = conftest.make("disk", SYSTEM=system)
    assert process.returncode != 0 and "vm0 disk0" in process.stdout  # too much for 1 MiB
    assert not (conftest.directory_of(system) / "disk.img").exists()
