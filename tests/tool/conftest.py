# SPDX-License-Identifier: BSD-2-Clause
"""The tool, built with AddressSanitizer and UBSan, in an SDK whose kernel is made here."""

import os
import pathlib
import shutil
import subprocess

import pytest

import elf_file
from image_check import ImageCheck, flat

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOARD = "qemu_virt_aarch64"
CORES = {"debug": 1, "release": 1, "smp-debug": 4, "smp-release": 4}
CRASH = 99  # what a program ends with when a sanitizer finds something


class Tool:
    """Runs the tool in a directory of its own."""

    def __init__(self, sdk, directory, config="debug", board=BOARD):
        self.sdk = sdk
        self.config = config
        self.board = board
        self.directory = directory
        self.arguments = []  # of the last build
        self.image = directory / "loader.img"
        self.report = directory / "report.txt"
        self.write("test.elf", elf_file.program())

    def write(self, name, data):
        path = self.directory / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def run(self, *arguments, program=None, environment=None):
        """
        Runs the tool with exactly these arguments; the current directory is this one's. The SDK is its own,
        whatever the environment of the tests names.
        """
        around = {name: value for name, value in os.environ.items() if name != "MICROKIT_SDK"}
        result = subprocess.run(
            [program or self.sdk / "bin/microkit", *map(str, arguments)],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env={
                **around,
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
        self.arguments = [str(argument) for argument in arguments]
        return self.run("test.system", "--board", self.board, "--config", self.config, *arguments)

    def good(self, text, *arguments):
        """Builds a system that must be accepted, and returns its image."""
        result = self.build(text, *arguments)
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        return self.load()

    def checker(self):
        """What looks over images of the description that was built last."""
        kernel = self.sdk / "board" / self.board / self.config / "elf/kernel.elf"
        search = [self.directory]
        if "--override-kernel" in self.arguments:
            kernel = self.directory / self.arguments[self.arguments.index("--override-kernel") + 1]
        if "--search-path" in self.arguments:
            words = self.arguments[self.arguments.index("--search-path") + 1:]
            search = [self.directory / word for word in words] + search
        return ImageCheck(self.directory / "test.system", kernel, search)

    def load(self):
        """The image as it is: it is what its description says."""
        checker = self.checker()
        assert checker.check(flat(self.image.read_bytes())) == []
        return checker.image

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


def write_config(sdk, config, text, board=BOARD):
    """Gives a configuration of an SDK this gen_config.h."""
    path = sdk / "board" / board / config / "include/kernel/gen_config.h"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def tool(sdk, tmp_path):
    return Tool(sdk, tmp_path)


@pytest.fixture
def smp_tool(sdk, tmp_path):
    """The same, for a kernel of four cores."""
    return Tool(sdk, tmp_path, "smp-debug")
