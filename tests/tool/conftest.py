# SPDX-License-Identifier: BSD-2-Clause
"""The tool, built with AddressSanitizer and UBSan, in an SDK whose kernel is made here."""

import os
import pathlib
import shutil
import subprocess

import pytest

import boot_image
import elf_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOARD = "qemu_virt_aarch64"
CORES = {"debug": 1, "release": 1, "smp-debug": 4, "smp-release": 4}
CRASH = 99  # what a program ends with when a sanitizer finds something


class Tool:
    """Runs the tool in a directory of its own."""

    def __init__(self, sdk, directory, config="debug"):
        self.sdk = sdk
        self.config = config
        self.directory = directory
        self.image = directory / "loader.img"
        self.report = directory / "report.txt"
        self.write("test.elf", elf_file.program())

    def write(self, name, data):
        path = self.directory / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def run(self, *arguments, program=None, environment=None):
        """Runs the tool with exactly these arguments; the current directory is this one's."""
        result = subprocess.run(
            [program or self.sdk / "bin/microkit", *map(str, arguments)],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env={
                **os.environ,
                "ASAN_OPTIONS": f"exitcode={CRASH}",
                "UBSAN_OPTIONS": f"exitcode={CRASH}:halt_on_error=1",
                **(environment or {}),
            },
        )
        assert result.returncode in (0, 1), result.stderr
        return result

    def build(self, text, *arguments):
        """Builds a system of this text."""
        self.write("test.system", text)
        return self.run("test.system", "--board", BOARD, "--config", self.config, *arguments)

    def good(self, text, *arguments):
        """Builds a system that must be accepted, and returns its image."""
        result = self.build(text, *arguments)
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        return self.load()

    def load(self):
        """The image as it is."""
        data = self.image.read_bytes()
        kernel = elf_file.LOAD_ADDRESS + 0x1000 - boot_image.LOAD_ADDRESS
        header = int.from_bytes(data[kernel:kernel + 8], "little")
        return boot_image.BootImage(data, header)

    def bad(self, text, *arguments):
        """Builds a system that must be refused; returns the one message. Nothing may be left behind,
        and an older image and report must have gone."""
        self.image.write_bytes(b"older")
        self.report.write_bytes(b"older")
        before = {path.name for path in self.directory.iterdir()} | {"test.system"}
        result = self.build(text, *arguments)
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1 and result.stderr.endswith("\n"), result.stderr
        assert result.stderr.startswith("microkit: ")
        after = {path.name for path in self.directory.iterdir()}
        assert after == before - {"loader.img", "report.txt"}
        return result.stderr[len("microkit: "):-1]


@pytest.fixture(scope="session")
def sdk(tmp_path_factory):
    """An SDK with the sanitized tool and the configurations of the bundled one."""
    build = os.environ.get("BUILD_DIR")
    build = pathlib.Path(build) / "check/tool" if build else tmp_path_factory.mktemp("build")
    subprocess.run(
        [
            "make",
            "-s",
            "-j2",
            "-C",
            str(ROOT / "sdk/tool"),
            f"BUILD={build.resolve()}",
            "SANITIZE=1",
        ],
        check=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")},
    )
    directory = tmp_path_factory.mktemp("sdk")
    (directory / "bin").mkdir()
    shutil.copy(build / "microkit", directory / "bin/microkit")
    for config, cores in CORES.items():
        write_config(directory, config, f"/* cores */\n#define CONFIG_MAX_NUM_NODES  {cores}\n")
        (directory / "board" / BOARD / config / "elf").mkdir(parents=True)
        (directory / "board" / BOARD / config / "elf/kernel.elf").write_bytes(elf_file.kernel())
    return directory


def write_config(sdk, config, text):
    """Gives a configuration of an SDK this gen_config.h."""
    path = sdk / "board" / BOARD / config / "include/kernel/gen_config.h"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def tool(sdk, tmp_path, monkeypatch):
    monkeypatch.delenv("MICROKIT_SDK", raising=False)
    return Tool(sdk, tmp_path)


@pytest.fixture
def smp_tool(sdk, tmp_path, monkeypatch):
    """The same, for a kernel of four cores."""
    monkeypatch.delenv("MICROKIT_SDK", raising=False)
    return Tool(sdk, tmp_path, "smp-debug")
