#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make the image of an SD card that a board boots a system from.

    sdcard.py --firmware NAME --address N --partition MIB [--disk FILE] [--files DIRECTORY] IMAGE CARD

The first partition is a FAT file system with the boot image IMAGE, what makes the firmware load it to
the address N, and the files of DIRECTORY. If the system's machines have parts of the card, FILE is the
image of their disk, which disk.py makes. It has nothing where the first partition is, and becomes the
second one.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SECTOR = 512
MIB = 1 << 20
MARGIN = MIB  # in front of the first partition and behind the last one

# U-Boot has the caches on. The boot image is entered with the MMU off, and would not see what they hold.
U_BOOT_SCRIPT = """\
echo Braid: loading loader.img
if load ${{devtype}} ${{devnum}}:${{distro_bootpart}} {address:#x} loader.img; then
    dcache off
    icache off
    go {address:#x}
fi
echo Braid: loader.img was not started
"""

RASPBERRY_PI_CONFIG = """\
arm_64bit=1
kernel=loader.img
kernel_address={address:#x}
enable_uart=1
dtoverlay=disable-bt
"""


OURS = ("loader.img", "boot.scr", "config.txt")


class CardError(Exception):
    """Something that the user can mend."""


def run(*command, **more):
    environment = dict(os.environ, MTOOLS_SKIP_CHECK="1", LC_ALL="C", SOURCE_DATE_EPOCH="315532800")
    environment["PATH"] += os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"
    more.setdefault("input", "")  # mtools ask at the terminal
    process = subprocess.run([str(word) for word in command], env=environment, capture_output=True,
                             text=True, check=False, **more)
    if process.returncode != 0:
        raise CardError(f"{command[0]}: {process.stderr.strip() or process.stdout.strip()}")


def boot_files(firmware, address, scratch):
    """What makes the firmware load and enter the boot image."""
    if firmware == "raspberry-pi":
        config = scratch / "config.txt"
        config.write_text(RASPBERRY_PI_CONFIG.format(address=address), encoding="ascii")
        return [config]
    text = scratch / "boot.cmd"
    text.write_text(U_BOOT_SCRIPT.format(address=address), encoding="ascii")
    script = scratch / "boot.scr"
    run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-n", "Braid", "-d", text, script)
    return [script]


def user_files(directory):
    if directory is None:
        return []
    if not directory.is_dir():
        raise CardError(f"FIRMWARE={directory}: there is no such directory; it should hold the files that "
                        "the board's firmware needs on the card")
    files = sorted(directory.iterdir())
    for path in files:
        if path.name.casefold() in OURS:  # FAT knows no case
            raise CardError(f"FIRMWARE={directory}: its {path.name} would take the place of the one that is "
                            "made here: leave it out")
    return files


def make_card(arguments, card):
    partition = arguments.partition * MIB
    files = [arguments.image, *boot_files(arguments.firmware, arguments.address, card.parent),
             *user_files(arguments.files)]
    needed = sum(path.stat().st_size for top in files
                 for path in ([top] if top.is_file() else top.rglob("*")))
    if needed > partition - partition // 16:
        raise CardError(f"{needed // MIB + 1} MiB are to go into the firmware's partition of "
                        f"{arguments.partition} MiB: give it more (boot: {{partition: SIZE}}) in the "
                        "board's file")
    table = f"label: dos\nlabel-id: 0x42524149\nstart={MARGIN // SECTOR}, size={partition // SECTOR}, " \
            "type=c, bootable\n"
    behind = MARGIN + partition
    if arguments.disk is None:
        with card.open("wb") as file:
            file.truncate(behind + MARGIN)
    else:
        run("cp", "--sparse=always", "--reflink=auto", arguments.disk, card)
        size = card.stat().st_size - behind - MARGIN
        table += f"start={behind // SECTOR}, size={size // SECTOR}, type=da\n"
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", card, input=table)
    place = f"{card}@@{MARGIN}"
    run("mformat", "-i", place, "-F", "-T", partition // SECTOR, "-h", 64, "-s", 32, "-v", "BRAID",
        "-N", "42524149", "::")
    run("mcopy", "-i", place, "-s", "-Q", *files, "::")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--firmware", choices=("u-boot", "raspberry-pi"), required=True)
    parser.add_argument("--address", type=lambda text: int(text, 0), required=True)
    parser.add_argument("--partition", type=int, required=True, help="its size, MiB")
    parser.add_argument("--disk", type=pathlib.Path, help="image of the machines' disk")
    parser.add_argument("--files", type=pathlib.Path, help="a directory of further files")
    parser.add_argument("image", type=pathlib.Path)
    parser.add_argument("card", type=pathlib.Path)
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix=".sdcard-", dir=arguments.card.parent) as scratch:
            card = pathlib.Path(scratch) / "card"
            make_card(arguments, card)
            shutil.move(card, arguments.card)
    except (CardError, OSError) as error:
        sys.exit(f"sdcard: {error}")


if __name__ == "__main__":
    main()
