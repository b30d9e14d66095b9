# SPDX-License-Identifier: BSD-2-Clause
"""What a user may get wrong when building: a message that says what, and what to do."""

import os
import pathlib

import pytest

import conftest


def fails(expected, **variables):
    """Building fails, with all of `expected` in what it says, and leaves no image behind."""
    process = conftest.make("image", **variables)
    assert process.returncode != 0, process.stdout
    for text in expected:
        assert text in process.stdout, process.stdout
    assert "Traceback" not in process.stdout and "Segmentation" not in process.stdout
    assert not (conftest.directory_of(variables.pop("SYSTEM"), **variables) / "loader.img").exists()
    return process.stdout


@pytest.fixture
def mine(tmp_path):
    """A function that writes a system file of this test's own and returns its path."""
    def write(text, name="mine"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        return path
    yield write
    # Its directory under BUILD_DIR must not make another test's image look like this one's.
    conftest.subprocess.run(["rm", "-rf", conftest.BUILD_DIR / "systems" / "mine"], check=True)


def test_another_date_of_the_build_is_taken_over(mine):
    system = mine("vms:\n  a:\n")
    for date in (14288 * 86400, 14289 * 86400):
        process = conftest.make("image", SYSTEM=system, SOURCE_DATE_EPOCH=date)
        assert process.returncode == 0, process.stdout
        config = conftest.directory_of(system) / "config" / "vmm_a.c"
        assert f".build_date = {date}," in config.read_text()
    process = conftest.make("image", SYSTEM=system, SOURCE_DATE_EPOCH=date)
    assert "  GEN " not in process.stdout, "nothing has changed"


def test_kernel_that_is_no_image(mine, tmp_path):
    system = mine("vms:\n  a: {ip: 10.0.0.1/24}\n")
    for content, wrong in ((b"", "Image"), (b"MZ", "Image"), (b"\x7fELF" + bytes(200), "ELF file"),
                           (b"not a kernel at all" * 1000, "Image")):
        kernel = tmp_path / "vmlinux"
        kernel.write_bytes(content)
        fails([str(kernel), wrong], SYSTEM=system, LINUX=kernel)


def test_kernel_that_is_not_there(mine, tmp_path):
    system = mine("vms:\n  a:\n")
    fails([str(tmp_path / "nowhere")], SYSTEM=system, LINUX=tmp_path / "nowhere")


def test_initramfs_too_big_for_its_machine(mine, tmp_path):
    big = tmp_path / "big.img"
    with big.open("wb") as file:
        file.truncate(300 << 20)
    fails(["vm 'a'", "memory"], SYSTEM=mine("vms:\n  a: {memory: 256 MiB}\n"), INITRD=big)


def test_machine_too_small_for_its_kernel(mine):
    fails(["vm 'a'", "memory"], SYSTEM=mine("vms:\n  a: {memory: 16 MiB}\n"))


def test_machine_too_big_for_the_board(mine):
    out = fails(["vm 'a'", "memory"], SYSTEM=mine("vms:\n  a: {memory: 100 GiB}\n"))
    assert "mine.yaml:2:" in out


def test_description_with_errors(mine):
    out = fails(["mine.yaml:2:"], SYSTEM=mine("vms:\n  a: {memry: 256 MiB}\n"))
    assert "memory" in out, "it does not say what would be right"
    assert "No such file" not in out, "make goes on about what the generator has not made"
    fails(["mine.yaml"], SYSTEM=mine("vms: [\n"))
    fails(["mine.yaml"], SYSTEM=mine(""))


def test_system_that_is_not_there():
    for target in ("image", "directory"):
        process = conftest.make(target, SYSTEM="nothing_like_it")
        assert process.returncode != 0 and "SYSTEM=nothing_like_it" in process.stdout
        assert "virtio_demo" in process.stdout, "it does not say which there are"


def test_sdk_that_is_none(tmp_path):
    (tmp_path / "VERSION").write_text("2.0.1\n")
    for path in (tmp_path, tmp_path / "nowhere", "/etc/passwd"):
        process = conftest.make("image", MICROKIT_SDK=path)
        assert process.returncode != 0
        assert f"MICROKIT_SDK={path}" in process.stdout and "Unpack" in process.stdout
        process = conftest.make("image", SEL4CP_SDK=path, MICROKIT_SDK="")
        assert process.returncode != 0 and "Microkit SDK" in process.stdout


def test_demo_of_another_system():
    process = conftest.make("demo", SYSTEM="cores")
    assert process.returncode != 0 and "make SYSTEM=cores run" in process.stdout


def test_board_and_config_that_the_sdk_does_not_have():
    process = conftest.make("image", MICROKIT_BOARD="toaster")
    assert process.returncode != 0 and "toaster" in process.stdout
    assert "qemu_virt_aarch64" in process.stdout
    process = conftest.make("image", MICROKIT_CONFIG="fastest")
    assert process.returncode != 0 and "fastest" in process.stdout
    assert "release" in process.stdout


def test_emulator_that_is_not_there():
    process = conftest.make("run", QEMU="qemu-of-nowhere")
    assert process.returncode != 0
    assert "no program qemu-of-nowhere" in process.stdout and "QEMU=" in process.stdout


def sdk_of_another_name(directory, version):
    """The bundled SDK, said to be an official one of that version."""
    directory.mkdir()
    for name in ("bin", "board"):
        (directory / name).symlink_to(conftest.BUNDLED_SDK / name)
    (directory / "VERSION").write_text(f"{version}\n")
    return directory


def forget_objects_of(sdk):
    conftest.subprocess.run(["rm", "-rf", *(conftest.BUILD_DIR / "obj").glob(f"{sdk.name}.*")], check=True)


def test_host_of_fewer_processors_than_qemu_has_cores(mine, tmp_path, monkeypatch):
    """An official SDK starts all cores that it was built for, here four, and QEMU has a thread for each."""
    official = sdk_of_another_name(tmp_path / "sdk-of-four-cores", "2.3.0")
    system = mine("cores: 2\nvms:\n  a: {ip: 10.0.0.1/24}\n  b: {ip: 10.0.0.2/24}\n")
    nproc = tmp_path / "programs" / "nproc"
    nproc.parent.mkdir()
    monkeypatch.setenv("PATH", str(nproc.parent), prepend=":")
    for sdk, processors, slow in ((official, 3, True), (official, 4, False),
                                  (conftest.BUNDLED_SDK, 1, False)):
        nproc.write_text(f"#!/bin/sh\necho {processors}\n")
        nproc.chmod(0o755)
        process = conftest.make("run", SYSTEM=system, MICROKIT_SDK=sdk, QEMU="true")
        assert process.returncode == 0, process.stdout[-4000:]
        said = f"QEMU emulates 4 cores, and this host has only {processors} for that" in process.stdout
        assert said == slow, process.stdout[-4000:]
    forget_objects_of(official)


def test_names_of_a_system():
    """NAME, NAME.system, NAME.yaml and a path; and sel4cp's words for SDK, config and board."""
    plain = conftest.build("virtio_demo")
    for name in ("virtio_demo.system", "virtio_demo.yaml",
                 conftest.ROOT / "systems" / "virtio_demo.yaml"):
        assert conftest.build(name) == plain
    process = conftest.make("image", MICROKIT_SDK="", SEL4CP_SDK=conftest.SDK, MICROKIT_CONFIG="",
                            SEL4CP_CONFIG="debug", SEL4CP_BOARD="qemu_arm_virt_hyp",
                            SYSTEM="virtio_demo.system")
    assert process.returncode == 0, process.stdout
    assert (conftest.directory_of("virtio_demo", MICROKIT_CONFIG="debug") / "loader.img").exists()


def test_help():
    process = conftest.make("help")
    assert process.returncode == 0
    for word in ("make demo", "make run", "make check", "SYSTEM=", "MICROKIT_SDK="):
        assert word in process.stdout


def test_own_files_in_a_machine(mine, tmp_path):
    """A kernel and initramfs beside the description that names them."""
    kernel = pathlib.Path(os.environ.get("LINUX") or conftest.BUILD_DIR / "guest" / "Image")
    initrd = pathlib.Path(os.environ.get("INITRD") or conftest.BUILD_DIR / "guest/initramfs.img")
    (tmp_path / "my-kernel").write_bytes(kernel.read_bytes())
    (tmp_path / "my-initramfs").write_bytes(initrd.read_bytes())
    system = mine("vms:\n  a: {kernel: my-kernel, initramfs: my-initramfs}\n")
    assert conftest.build(system).exists()


# Code to make, once or in an eval, and to shells, within quotes or without.
CODE = ("$(shell touch ran)", "$$(shell touch ran)", "$(touch${IFS}ran)", "`touch${IFS}ran`", "; touch ran;",
        "'; touch ran; '", '"; touch ran; "', "&& touch ran #")


def nothing_ran(tmp_path, *directories):
    for directory in (conftest.ROOT, tmp_path, *directories):
        assert not (directory / "ran").exists(), directory
    return True


def yaml(text):
    return "'" + text.replace("'", "''") + "'"


@pytest.mark.parametrize("code", CODE)
def test_name_of_a_disk_is_no_code(mine, tmp_path, code):
    name = code + "disk"
    with (tmp_path / name).open("wb") as file:
        file.truncate(4 << 20)
    system = mine(f"disk: {{file: {yaml(name)}}}\nvms: {{a: {{disks: [1 MiB]}}}}\n")
    process = conftest.make("disk", SYSTEM=system)
    assert nothing_ran(tmp_path, conftest.directory_of(system))
    assert process.returncode != 0
    assert f"there is no disk to make: mine uses {tmp_path / name}" in process.stdout


def files_by_code(directory, mine):
    """A system of which each file is called by code."""
    kernel = pathlib.Path(os.environ.get("LINUX") or conftest.BUILD_DIR / "guest" / "Image")
    name = "".join(CODE)
    (directory / (name + "kernel")).write_bytes(kernel.read_bytes())
    initrds = [code + "initrd" for code in CODE]
    for initrd in initrds:
        (directory / initrd).write_bytes(b"070701" + bytes(4090))
    with (directory / (name + "disk,readonly=on")).open("wb") as file:
        file.truncate(4 << 20)
    machines = "".join(f"  m{i}: {{kernel: {yaml(name + 'kernel')}, initramfs: {yaml(initrd)}}}\n"
                       for i, initrd in enumerate(initrds[1:]))
    return mine(f"description: {yaml(name)}\ndisk: {{file: {yaml(name + 'disk,readonly=on')}}}\n"
                f"defaults: {{memory: 96 MiB}}\nvms:\n"
                f"  a: {{kernel: {yaml(name + 'kernel')}, initramfs: {yaml(initrds[0])}, disks: [1 MiB], "
                f"cmdline: {yaml(name)}}}\n{machines}")


@pytest.mark.parametrize("prefill", [True, False], ids=["filled by the tool", "in the programs"])
def test_names_of_files_are_no_code(mine, tmp_path, prefill):
    """From the description to QEMU, which opens them all; each file is found, and nothing else happens."""
    if not prefill and not conftest.on_bundled_sdk():
        pytest.skip("the SDK is what it is")
    system = files_by_code(tmp_path, mine)
    variables = {"QEMU": os.environ.get("QEMU") or "qemu-system-aarch64"}
    if not prefill:
        # Its tool fills no regions from files.
        variables["MICROKIT_SDK"] = sdk_of_another_name(tmp_path / "microkit-sdk-2.0.1", "2.0.1")
    directory = conftest.directory_of(system, **variables)
    for _ in range(2):  # the second time make reads what the first has made
        process = conftest.make("image", SYSTEM=system, **variables)
        assert process.returncode == 0, process.stdout[-4000:]
        assert nothing_ran(tmp_path, directory)
    process = conftest.subprocess.run([directory / "run", "-machine", f"dumpdtb={tmp_path}/board.dtb"],
                                      capture_output=True, text=True, check=False)
    assert process.returncode == 0 and (tmp_path / "board.dtb").exists(), process.stderr
    assert nothing_ran(tmp_path, directory)
    if not prefill:
        forget_objects_of(variables["MICROKIT_SDK"])


def test_paths_that_make_would_read_are_refused(tmp_path):
    for name in ("SYSTEM", "MICROKIT_SDK", "BUILD_DIR", "LINUX", "INITRD", "MICROKIT_BOARD"):
        for code in (*CODE, "a b", "a*", "a%", "a:b", "a=b", "a\nb", "a\\b", "a|b", "<a", "(", "{a,b}", "#"):
            process = conftest.make("help", **{name: tmp_path / code})
            assert process.returncode != 0 and f"{name}: no blank and none of" in process.stdout
    assert nothing_ran(tmp_path)
