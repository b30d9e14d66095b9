# SPDX-License-Identifier: BSD-2-Clause
"""The models of protocols: Spin looks at all that can happen, and finds nothing. In each variant of a
model that is broken on purpose (-D BROKEN_...) it finds something, or the model could not show it.

    lock.pml        the kernel's lock, and calls from core to core
    sleep.pml       how a core sleeps and is woken
    stop.pml        how a thread on another core is stopped, and its registers are read and written
    inject.pml      what a monitor does to a vCPU that is loaded on another core: interrupts, registers
    ring.pml        how the ends of a ring between two PDs sleep and wake each other
    kick.pml        how a device learns of frames to send: kicks, polling, vCPUs that go idle
    interrupt.pml   how a guest learns of used buffers: interrupts, coalescing, vCPUs that go idle

memory.pml is no model. It has the store buffers of the last three.
"""

import pathlib
import re
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
# Each model, and what it is searched with. Broken variants are searched with the last of these.
KERNEL = (("CORES=3",), ("CORES=2",))
PATHS = (("ISOLATED",), ("VHOST",))
MODELS = {"lock": KERNEL, "sleep": KERNEL, "stop": KERNEL, "inject": ((),), "ring": ((),), "kick": PATHS,
          "interrupt": PATHS}
TIMEOUT = 300
DEPTH = 200000  # steps of one run at most; the verifier says if that was too few
# In the models that say themselves what has to hold when nothing moves any more, that is no error.
ENDS_ITSELF = tuple(model for model in MODELS if model != "lock")


def variants(model):
    text = (HERE / f"{model}.pml").read_text()
    return sorted(set(re.findall(r"\bBROKEN_\w+", text)))


def verify(directory, model, *definitions):
    """What the verifier says. It stops at the first error."""
    def run(*command):
        return subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=True, timeout=TIMEOUT).stdout

    run("spin", *(f"-D{name}" for name in definitions), "-a", str(HERE / f"{model}.pml"))
    run("gcc", "-O0", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
    said = run("./pan", f"-m{DEPTH}", "-w20", *(["-E"] if model in ENDS_ITSELF else []))
    print(said)
    assert "max search depth too small" not in said
    return said


def errors(said):
    return int(re.search(r"errors: (\d+)$", said, re.M)[1])


@pytest.mark.parametrize("model, definitions", [(model, definitions) for model in MODELS
                                                for definitions in MODELS[model]],
                         ids=lambda value: value if isinstance(value, str) else "-".join(value))
def test_model_is_right(tmp_path, model, definitions):
    assert errors(verify(tmp_path, model, *definitions)) == 0


@pytest.mark.parametrize("model, variant", [(model, variant) for model in MODELS
                                            for variant in variants(model)])
def test_broken_variant_is_found(tmp_path, model, variant):
    said = verify(tmp_path, model, *MODELS[model][-1], variant)
    assert errors(said) == 1
    assert re.search(r"^pan:\d+: (assertion violated|invalid end state)", said, re.M)
