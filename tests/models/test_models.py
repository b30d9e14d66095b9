# SPDX-License-Identifier: BSD-2-Clause
"""The models of protocols: Spin looks at all that can happen, and finds nothing. In each variant of a
model that is broken on purpose (-D BROKEN_...) it finds something, or the model could not show it.

    lock.pml    the kernel's lock, and calls from core to core
    sleep.pml   how a core sleeps and is woken
    stop.pml    how a thread on another core is stopped, and its registers are read and written
"""

import pathlib
import re
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
CORES = (2, 3)
MODELS = ("lock", "sleep", "stop")
TIMEOUT = 300
DEPTH = 200000  # steps of one run at most; the verifier says if that was too few
# In the models that say themselves what has to hold when nothing moves any more, that is no error.
ENDS_ITSELF = ("sleep", "stop")


def variants(model):
    text = (HERE / f"{model}.pml").read_text()
    return sorted(set(re.findall(r"\bBROKEN_\w+", text)))


def verify(directory, model, cores, *definitions):
    """What the verifier says. It stops at the first error."""
    def run(*command):
        return subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=True, timeout=TIMEOUT).stdout

    run("spin", f"-DCORES={cores}", *(f"-D{name}" for name in definitions), "-a",
        str(HERE / f"{model}.pml"))
    run("gcc", "-O0", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
    said = run("./pan", f"-m{DEPTH}", "-w20", *(["-E"] if model in ENDS_ITSELF else []))
    print(said)
    assert "max search depth too small" not in said
    return said


def errors(said):
    return int(re.search(r"errors: (\d+)$", said, re.M)[1])


@pytest.mark.parametrize("cores", CORES)
@pytest.mark.parametrize("model", MODELS)
def test_model_is_right(tmp_path, model, cores):
    assert errors(verify(tmp_path, model, cores)) == 0


@pytest.mark.parametrize("model, variant", [(model, variant) for model in MODELS
                                            for variant in variants(model)])
def test_broken_variant_is_found(tmp_path, model, variant):
    said = verify(tmp_path, model, 2, variant)
    assert errors(said) == 1
    assert re.search(r"^pan:\d+: (assertion violated|invalid end state)", said, re.M)
