# SPDX-License-Identifier: BSD-2-Clause
"""Command lines that the tool accepts, as the official one does."""

import os
import shutil
import subprocess

import elf_file
import pytest
from conftest import BOARD
from test_image import pd, system

BASE = ("--board", BOARD, "--config", "debug")


def test_any_order(tool):
    tool.write("test.system", system(pd("a")))
    for line in (
        ("test.system", *BASE),
        (*BASE, "test.system"),
        ("--config", "release", "test.system", "--board", BOARD),
        ("--search-path", "x", "y", "--config=debug", "test.system", f"--board={BOARD}"),
        ("test.system", "--search-path", *BASE),
        ("test.system", "--search-path", "x", "y", *BASE, "--search-path", "z"),
    ):
        tool.image.unlink(missing_ok=True)
        result = tool.run(*line)
        assert result.returncode == 0, result.stderr
        assert result.stdout == "loader.img: 56 KiB; needs 769 MiB of RAM\n", "one line"
        assert tool.image.exists() and tool.report.exists()


def test_named_outputs(tool):
    tool.write("test.system", system(pd("a")))
    for output, report in (("-o", "-r"), ("--output", "--report")):
        result = tool.run("test.system", *BASE, output, "x.img", report, "x.txt")
        assert result.returncode == 0
        assert (tool.directory / "x.img").stat().st_size and (
            tool.directory / "x.txt"
        ).stat().st_size
        assert not tool.image.exists() and not tool.report.exists()


def test_output_through_a_link(tool):
    os.symlink("real.img", tool.directory / "link.img")
    tool.write("real.img", b"older")
    result = tool.build(system(pd("a")), "-o", "link.img")
    assert result.returncode == 0
    assert (tool.directory / "link.img").is_symlink()
    assert (tool.directory / "real.img").stat().st_size > 5


def test_output_to_a_device(tool):
    result = tool.build(system(pd("a")), "-o", "/dev/null", "-r", "/dev/null")
    assert result.returncode == 0
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")


def test_search_path(tool):
    (tool.directory / "first").mkdir()
    (tool.directory / "second").mkdir()
    (tool.directory / "first/other.elf").mkdir()
    tool.write("second/other.elf", elf_file.program(code=b"2nd!"))
    tool.write("other.elf", elf_file.program(code=b"here"))
    text = system(pd("a").replace("test.elf", "other.elf"))
    image = tool.good(text, "--search-path", "first", "second")
    assert image.memory(image.pages(image.threads[0].root), elf_file.CODE, 4) == b"2nd!"
    image = tool.good(text, "--search-path", "first")
    assert image.memory(image.pages(image.threads[0].root), elf_file.CODE, 4) == b"here"
    tool.good(system(pd("a").replace("test.elf", str(tool.directory / "second/other.elf"))))


def test_help(tool):
    for option in ("-h", "--help"):
        result = tool.run("nonsense", option)
        assert result.returncode == 0 and result.stderr == ""
        assert result.stdout.startswith("usage: microkit ")
        assert BOARD in result.stdout and "--search-path" in result.stdout


def test_sdk_of_the_environment(tool):
    other = tool.directory / "sdk"
    shutil.copytree(tool.sdk / "board", other / "board")
    (other / "board" / BOARD / "debug").rename(other / "board" / BOARD / "other")
    tool.write("test.system", system(pd("a")))
    line = ("test.system", "--board", BOARD, "--config", "other")
    assert tool.run(*line).returncode == 1
    assert tool.run(*line, environment={"MICROKIT_SDK": str(other)}).returncode == 0
    line = ("test.system", "--board", BOARD, "--config", "debug")
    assert tool.run(*line, environment={"MICROKIT_SDK": ""}).returncode == 0


def test_override_kernel(tool):
    data = bytearray(elf_file.kernel())
    data[176:180] = b"mine"
    tool.write("mine.elf", bytes(data))
    assert tool.good(system(pd("a")), "--override-kernel", "mine.elf").data[:4] == b"mine"


@pytest.mark.parametrize("option", ["--capdl-json", "--viper-output"])
@pytest.mark.parametrize("joined", [False, True])
def test_outputs_without_contents(tool, option, joined):
    """The build goes on. What the option names is neither made nor touched: it would lie."""
    line = (f"{option}=out",) if joined else (option, "out")
    warning = (f"microkit: warning: argument {option}: 'out' is not written: this kernel has no "
               "capabilities to describe\n")
    result = tool.build(system(pd("a")), *line)
    assert (result.returncode, result.stderr) == (0, warning)
    assert tool.image.exists() and not (tool.directory / "out").exists()
    tool.write("out", "older")
    assert tool.build(system(pd("a")), *line).returncode == 0
    assert (tool.directory / "out").read_text() == "older"
    assert "'none'" in tool.bad(system(pd("a").replace("test.elf", "none")), *line)


def test_make_with_a_target_that_is_not_written(tool):
    """A Makefile whose rule names the file as a target builds the image; what reads the file ends."""
    tool.write("test.system", system(pd("a")))
    tool.write("Makefile", f"""
all: loader.img
loader.img spec.json &: test.system
\t{tool.sdk}/bin/microkit $< {" ".join(BASE)} -o loader.img --capdl-json spec.json
proof: spec.json
\tcat spec.json
""")
    result = tool.run("-s", program="/usr/bin/make")
    assert result.returncode == 0 and tool.image.exists(), result.stderr
    tool.image.unlink()
    result = subprocess.run(["/usr/bin/make", "-s", "proof"], cwd=tool.directory, check=False,
                            capture_output=True, text=True, timeout=600)
    assert result.returncode == 2 and "cat: spec.json: No such file" in result.stderr


def test_nobody_can_guess_a_temporary_name(tool):
    """A directory may be everybody's: nothing is written through a link that waits there."""
    tool.write("test.system", system(pd("a")))
    victim = tool.write("victim", b"mine")
    links = "".join(
        f'ln -s "$PWD/victim" {name}.$$.tmp; ' for name in ("loader.img", "report.txt")
    )
    # The shell becomes the tool, which has its process id.
    script = f'{links} exec {tool.sdk}/bin/microkit "$@"'
    result = tool.run("-c", script, "sh", "test.system", *BASE, program="/bin/sh")
    assert result.returncode == 0, result.stderr
    assert victim.read_bytes() == b"mine"
    assert tool.image.stat().st_size > 4 and not tool.image.is_symlink()
    left = [path for path in tool.directory.iterdir() if path.suffix == ".tmp"]
    assert len(left) == 2 and all(path.is_symlink() for path in left)


def test_output_through_a_link_that_leads_nowhere(tool):
    os.symlink("loop.img", tool.directory / "loop.img")
    result = tool.build(system(pd("a")), "-o", "loop.img")
    assert result.returncode == 1
    assert "image 'loop.img': cannot be written: Too many levels of symbolic links" in result.stderr
    assert (tool.directory / "loop.img").is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_output_through_a_link_of_another_user(tool):
    """Where everybody may make links the kernel follows only one's own; nor does the tool go behind it."""
    with open("/proc/sys/fs/protected_symlinks", encoding="ascii") as setting:
        if setting.read().strip() != "1":
            pytest.skip("this kernel follows all links")
    shared = tool.directory / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    victim = tool.write("victim.img", b"mine")
    os.symlink(victim, shared / "link.img")
    os.chown(shared / "link.img", 65534, 65534, follow_symlinks=False)
    result = tool.build(system(pd("a")), "-o", "shared/link.img")
    assert result.returncode == 1
    assert "image 'shared/link.img': cannot be written: Permission denied" in result.stderr
    assert victim.read_bytes() == b"mine"
