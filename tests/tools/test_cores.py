# SPDX-License-Identifier: BSD-2-Clause
"""Systems of several cores: what runs where, what says so, and which config of the SDK they take."""

import json
import re
import subprocess

import pytest

from conftest import ROOT, image
from test_output import SYSTEMS, check_system, config_values, summary_of, system_of


def programs_of(result):
    """The core of each program."""
    return {pd.get("name"): pd.get("cpu") for pd in system_of(result).iter("protection_domain")}


def vcpus_of(result):
    """The cores of each machine's vCPUs."""
    return {vm.get("name"): [vcpu.get("cpu") for vcpu in vm.findall("vcpu")]
            for vm in system_of(result).iter("virtual_machine")}


def contents(result):
    return {path.relative_to(result.output): path.read_bytes()
            for path in result.output.rglob("*") if path.is_file()}


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_one_core_is_as_if_there_were_no_cores(generate, path, monkeypatch):
    """With `cores: 1` or without, nothing that is made speaks of cores."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")  # the file is written twice
    text = path.read_text()
    if re.search("^cores:", text, re.M):
        pytest.skip("it has several")
    for other in path.parent.glob("*.yaml"):
        (generate.directory / other.name).write_bytes(other.read_bytes())
    without = generate(text)
    assert without.errors == []
    before = contents(without)
    subprocess.run(["rm", "-r", without.output], check=True)
    assert contents(generate("cores: 1\n" + text)) == before
    assert " cpu=" not in without.read("system.system")
    assert '"core' not in without.read("system.json")
    assert ", core" not in without.read("picture.dot")
    assert "-smp" not in without.read("qemu.args").splitlines()


def test_cpus_of_one_core(generate):
    """`cores: 1` is for comparing: what else is said of core 0 may stay, and changes nothing."""
    before = contents(generate("vms: {a: {vcpus: 2}, b: }\n"))
    after = contents(generate("cores: 1\nconsole: {cpu: 0}\nswitches: {net0: {cpu: 0}}\n"
                              "vms: {a: {vcpus: 2, cpu: [0, 0]}, b: {cpu: 0}}\n"))
    assert before == after


def test_what_nobody_places(generate):
    """The rule in docs/systems.md."""
    result = generate("cores: 3\ndefaults: {memory: 64 MiB}\nswitches: {x: {uplink: yes}, y: }\nvms:\n"
                      "  a: {disks: [1 MiB]}\n  b: {switch: y, vcpus: 2}\n  c: \n  d:\n  e:\n")
    assert result.errors == []
    check_system(system_of(result))
    assert vcpus_of(result) == {"a": ["0"], "b": ["1", "1"], "c": ["2"], "d": ["0"], "e": ["2"]}
    programs = programs_of(result)
    assert [programs[f"vmm_{vm}"] for vm in "abcde"] == ["0", "1", "2", "0", "2"]
    assert programs["switch_x"] == programs["switch_y"] == "2"
    for name in ("timer", "uart", "console", "block", "block_driver", "net_driver"):
        assert programs[name] == "0"


def test_machines_with_cpu_count_first(generate):
    """They have their cores before the others are dealt, wherever they stand in the file."""
    result = generate("cores: 3\ndefaults: {memory: 64 MiB}\nvms:\n"
                      "  a:\n  b:\n  c: {count: 2, cpu: 0}\n  d: {vcpus: 2, cpu: [2, 1]}\n  e: \n")
    assert vcpus_of(result) == {"a": ["1"], "b": ["2"], "c0": ["0"], "c1": ["0"], "d": ["2", "1"],
                                "e": ["0"]}
    assert programs_of(result)["vmm_d"] == "2"


def test_cpu(generate):
    result = generate("cores: 4\ndefaults: {memory: 64 MiB, cpu: 3}\nconsole: {cpu: 1}\ndisk: {cpu: 2}\n"
                      "switches: {x: {cpu: 1, uplink: {cpu: 3}}, y: {cpu: 0}}\nvms:\n"
                      "  a: {vcpus: 3, cpu: [1, 3, 0], disks: [1 MiB]}\n  b: {switch: y, vcpus: 2}\n"
                      "  c: {cpu: 0, vcpus: 2}\n  d: {cpu: [2]}\n")
    assert result.errors == []
    check_system(system_of(result))
    assert vcpus_of(result) == {"a": ["1", "3", "0"], "b": ["3", "3"], "c": ["0", "0"], "d": ["2"]}
    programs = {name: core for name, core in programs_of(result).items() if "turn" not in name}
    assert programs == {
        "timer": "0", "uart": "1", "console": "1", "block": "2", "block_driver": "2", "net_driver": "3",
        "switch_x": "1", "switch_y": "0", "vmm_a": "1", "vmm_b": "3", "vmm_c": "0", "vmm_d": "2"}


def test_cpu_of_all_is_a_list(generate):
    result = generate("cores: 2\ndefaults: {vcpus: 2, cpu: [1, 0]}\nvms: [a, b]\n")
    assert vcpus_of(result) == {"a": ["1", "0"], "b": ["1", "0"]}


def test_cores_in_the_summary(generate):
    summary = summary_of(generate("cores: 2\nvms: {a: {vcpus: 2, cpu: [1, 0]}, b: }\n"))
    assert summary["cores"] == 2
    assert [vm["cores"] for vm in summary["vms"]] == [[1, 0], [0]]
    assert {pd["name"]: pd["core"] for pd in summary["pds"]} == {
        "timer": 0, "uart": 0, "console": 0, "switch_net0": 1, "vmm_a": 1, "vmm_b": 0, "turn_0_50": 0}


def test_cores_in_the_picture(generate):
    result = generate("cores: 2\nvms: {a: {vcpus: 2, cpu: [1, 0]}, b: {vcpus: 2}}\n")
    picture = result.read("picture.dot")
    for text in ("2 vCPUs, cores 1, 0<", "2 vCPUs, core 0<", "switch_net0<br/><font point-size=\"9\">"
                 "priority 150, core 1<", ">vmm_a<br/><font point-size=\"9\">priority 51, core 1<",
                 "timer<br/><font point-size=\"9\">priority 250, core 0<"):
        assert text in picture, text
    subprocess.run(["dot", "-Tsvg", "-o", "/dev/null", result.output / "picture.dot"], check=True)


def turns_of(result):
    """Of each PD that passes turns on: its core, its priority, and its clients in channels' order."""
    text = result.read("system.system")
    turns = {}
    for name, priority, core in re.findall(
            r'<protection_domain name="(turn\w*)" priority="(\d+)"[^>]* cpu="(\d+)"', text):
        ends = re.findall(rf'<end pd="vmm_(\w+)" id="\d+" />\s*<end pd="{name}" id="(\d+)" />', text)
        assert [int(channel) for _, channel in ends] == list(range(len(ends)))
        assert config_values(result, name)["client_count"] == str(len(ends))
        turns[name] = (int(core), int(priority), [vm for vm, _ in ends])
    return turns


def neighbours_of(result, name):
    values = config_values(result, f"vmm_{name}")
    return values["has_others"] == "true", values["has_equals"] == "true"


def test_turns_are_of_a_core(generate):
    """Machines of one priority are equals where they share a core, and there each has its own turn."""
    result = generate("cores: 2\ndefaults: {memory: 64 MiB}\nvms:\n"
                      "  a: {cpu: 0}\n  b: {cpu: 1}\n  c: {cpu: 0}\n  d: {cpu: 1, priority: 60}\n"
                      "  e: {cpu: 1}\n  f: {cpu: 1, priority: 70}\n")
    check_system(system_of(result))
    assert turns_of(result) == {"turn_0_50": (0, 50, ["a", "c"]), "turn_1_50": (1, 50, ["b", "e"])}
    assert neighbours_of(result, "a") == neighbours_of(result, "b") == (True, True)
    assert neighbours_of(result, "d") == neighbours_of(result, "f") == (True, False)


def test_machines_on_cores_of_their_own_have_no_equals(generate):
    result = generate("cores: 2\nvms: [a, b]\n")
    assert turns_of(result) == {}
    assert neighbours_of(result, "a") == neighbours_of(result, "b") == (False, False)


def test_a_monitor_owes_those_on_its_own_core(generate):
    """b's second vCPU is where a's monitor works; where b's works nobody else is."""
    result = generate("cores: 3\ndefaults: {memory: 64 MiB}\nvms:\n  a: {cpu: 0}\n"
                      "  b: {vcpus: 2, cpu: [1, 0]}\n  c: {cpu: 2, priority: 60}\n"
                      "  d: {vcpus: 2, cpu: [0, 2]}\n")
    assert turns_of(result) == {"turn_0_50": (0, 50, ["a", "d"])}
    assert neighbours_of(result, "a") == (True, True)
    assert neighbours_of(result, "b") == (False, False)
    assert neighbours_of(result, "c") == (True, False)
    assert neighbours_of(result, "d") == (True, True)


def test_many_turns(generate):
    """Three priorities on each core, and as many turns in all as there are programs left."""
    text = "cores: 4\ndefaults: {memory: 36 MiB, initramfs: none}\nvms:\n" + "".join(
        f"  m{core}{priority}: {{count: 3, cpu: {core}, priority: {priority}, interfaces: none}}\n"
        for core in range(4) for priority in (10, 20, 30))
    result = generate(text)
    assert result.errors == []
    check_system(system_of(result))
    assert len(turns_of(result)) == 12
    text += "  n: {count: 8, cpu: 0, priority: 10}\n"
    assert generate(text).errors == []
    assert generate(text.replace("count: 8", "count: 9")).errors == [
        "sys.yaml:3: vms: 46 machines and switches, and 12 priorities that machines of one core share: "
        "57 in all: use fewer of either"]


def test_cores_of_a_board(generate):
    """A board that does not say has one."""
    generate.board = generate.directory / "board.yaml"
    text = (ROOT / "boards/qemu_virt_aarch64.yaml").read_text()
    generate.board.write_text(re.sub("^cores: .*\n", "", text, flags=re.M))
    assert generate("vms: [a]\n").errors == []
    assert generate("cores: 2\nvms: [a]\n").errors == [
        "sys.yaml:1: cores 2: the board 'board' has 1: take that at most"]
    generate.board.write_text(re.sub("^cores: .*$", "cores: 16", text, flags=re.M))
    result = generate("cores: 16\nvms: {a: {vcpus: 2, cpu: [15, 9]}}\n")
    assert result.errors == [] and vcpus_of(result) == {"a": ["15", "9"]}


def smp_of(result):
    arguments = result.read("qemu.args").splitlines()
    assert arguments.count("-smp") <= 1
    return arguments[arguments.index("-smp") + 1] if "-smp" in arguments else None


def test_cores_of_the_sdk(generate):
    """What its loader waits for is in QEMU's line, however few a system uses."""
    one, two = "vms: [a]\n", "cores: 2\nvms: [a]\n"
    assert smp_of(generate(one)) is None
    assert smp_of(generate(two)) == "2"
    assert smp_of(generate(one, "--sdk-cores", "1")) is None
    assert smp_of(generate(one, "--sdk-cores", "4")) == "4"
    assert smp_of(generate(two, "--sdk-cores", "4")) == "4"
    assert smp_of(generate(one, "--sdk-cores", "4", "--sdk-bundled")) is None
    assert smp_of(generate(two, "--sdk-cores", "4", "--sdk-bundled")) == "2"
    assert "cpu=" not in generate(one, "--sdk-cores", "4").read("system.system")
    assert generate("cores: 3\nvms: [a]\n", "--sdk-cores", "2").errors == [
        "sys.yaml:1: cores 3: this SDK's config is for 2: take that at most"]
    assert generate("\n" + two, "--sdk-cores", "0").errors == [
        "sys.yaml:2: cores 2: this SDK has no 'smp-' config for the board 'qemu_virt_aarch64': it is "
        "older than 2.1, or was built without: take another, or 'cores: 1'"]
    wrong = generate.run("sys.yaml", "--board", generate.board, "--output", "out", "--sdk-cores", "x")
    assert wrong.status == 2 and wrong.errors[0] == "braid-gen: --sdk-cores wants a number"


def test_how_many_cores(generate):
    """Known before anything else is: files that are wrong in other ways have a number as well."""
    texts = {"one": "vms: [a]\n", "two": "cores: 2\nvms: [a]\n", "three": "cores: 3\nbogus: 1\n",
             "none": "cores: none\n"}
    for name, text in texts.items():
        (generate.directory / f"{name}.yaml").write_text(text)
    result = generate.run("--cores", "one.yaml", "two.yaml")
    assert (result.status, result.stdout) == (0, "1\n2\n")
    result = generate.run("--cores", "three.yaml", "none.yaml", "absent.yaml")
    assert (result.status, result.stdout) == (1, "3\n1\n")


# ---- build.mk, with an SDK that has its directories and nothing in them ----


class Builder:
    """Runs build.mk as far as the generator."""

    def __init__(self, generate, *configs, nodes=None):
        self.generate = generate
        self.sdk = generate.directory / "sdk"
        self.sdk.mkdir()
        (self.sdk / "VERSION").write_text("2.3.0\n")
        for config in configs:
            board = self.sdk / "board/qemu_virt_aarch64" / config
            (board / "lib").mkdir(parents=True)
            (board / "lib/libmicrokit.a").touch()
            kernel = board / "include/kernel"
            kernel.mkdir(parents=True)
            (kernel / "gen_config.h").write_text(
                "#define CONFIG_ARCH_ARM  1\n" if nodes is None or "smp" not in config else
                f"#define CONFIG_MAX_NUM_NODES  {nodes}\n#define CONFIG_MAX_NUM_NODES_X  9\n")

    def __call__(self, system, config="release", goal="system.mk"):
        """What make says, and the output directories that were made."""
        directory = self.generate.directory
        for made in directory.glob("build/systems/*/*/system.mk"):
            made.unlink()
        (directory / "go.mk").write_text(f"include {ROOT}/build.mk\ngo: $(OUT)/{goal}\n\t@:\n")
        process = subprocess.run(
            ["make", "-s", "-f", "go.mk", f"ROOT={ROOT}", f"BUILD={directory}/build", f"SDK={self.sdk}",
             f"BUNDLED_SDK={directory}/none", "BOARD=qemu_virt_aarch64", f"CONFIG={config}",
             f"SYSTEM={directory}/{system}.yaml", f"KERNEL={directory}/Image",
             f"INITRD={directory}/initrd", f"GEN={self.generate.program}", "PYTHON=python3", "go"],
            cwd=directory, capture_output=True, text=True, check=False)
        made = directory.glob(f"build/systems/{system}/*/system.mk")
        return process, [path.parent for path in made if path.stat().st_size != 0]

    def output(self, text, config="release"):
        (self.generate.directory / "sys.yaml").write_text(text)
        process, made = self(system="sys", config=config)
        assert process.returncode == 0, process.stderr
        (output,) = made
        summary = json.loads((output / "system.json").read_text())
        arguments = (output / "qemu.args").read_text().split("\n")
        smp = arguments[arguments.index("-smp") + 1] if "-smp" in arguments else None
        return output.name, summary.get("cores"), smp


@pytest.fixture
def configs():
    return "release", "debug", "smp-release", "smp-debug"


def test_build_takes_the_smp_config_by_itself(generate, configs):
    build = Builder(generate, *configs, nodes=4)
    name = "sdk.qemu_virt_aarch64."
    one, two = "vms: [a]\n", "cores: 2\nvms: [a]\n"
    assert build.output(one) == (name + "release", None, None)
    assert build.output(two) == (name + "smp-release", 2, "4")
    assert build.output(two, "debug") == (name + "smp-debug", 2, "4")
    assert build.output(two, "smp-debug") == (name + "smp-debug", 2, "4")
    assert build.output("cores: 1\nvms: [a]\n", "debug") == (name + "debug", None, None)
    assert build.output(one, "smp-release") == (name + "smp-release", None, "4")


def test_build_with_an_sdk_that_is_silent_on_its_cores(generate, configs):
    build = Builder(generate, *configs)
    assert build.output("cores: 3\nvms: [a]\n") == ("sdk.qemu_virt_aarch64.smp-release", 3, "3")


def test_build_with_an_sdk_for_one_core(generate):
    build = Builder(generate, "release", "debug")
    (generate.directory / "sys.yaml").write_text("vms: [a]\ncores: 2\n")
    process, made = build("sys")
    assert process.returncode != 0 and made == []
    assert "sys.yaml:2: cores 2: this SDK has no 'smp-' config for the board 'qemu_virt_aarch64'" in \
        process.stderr


def test_two_boards_of_which_one_has_several_cores(generate, configs):
    """Each board is built with its own config, and finds the other's directory."""
    build = Builder(generate, *configs, nodes=4)
    for name, other, cores in (("left", "right", 2), ("right", "left", 1)):
        (generate.directory / f"{name}.yaml").write_text(
            f"cores: {cores}\nswitches: {{x: {{uplink: {{to: {other}}}}}}}\nvms: [a]\n")
    for name, config, other, others in (("left", "smp-release", "right", "release"),
                                        ("right", "release", "left", "smp-release")):
        process, (made,) = build(name, goal="peer")
        assert process.returncode == 0, process.stderr
        assert made.name.endswith("." + config)
        assert (made / "peer").readlink().parts[-2:] == (other, f"sdk.qemu_virt_aarch64.{others}")


def test_a_kernel_of_its_own_is_placed_too(generate):
    (generate.directory / "k").write_bytes(image())
    result = generate("cores: 2\nvms: {a: , b: {kernel: k}}\n")
    assert vcpus_of(result) == {"a": ["0"], "b": ["1"]}
