# SPDX-License-Identifier: BSD-2-Clause
"""What udhcpc calls in a guest: which addresses and routes come and go with a lease."""

import os
import subprocess

import pytest

from conftest import ROOT

LEASE = {"ip": "10.0.2.15", "mask": "24", "router": "10.0.2.2", "dns": "10.0.2.3 10.0.2.4"}


@pytest.fixture
def udhcpc(tmp_path):
    """A function that calls the script, and returns what it has told `ip`."""
    script = (ROOT / "guest/files/dhcp.script").read_text()
    for place in ("/var/run/", "/etc/"):
        assert place in script
        script = script.replace(place, f"{tmp_path}/")
    (tmp_path / "ip").write_text(f'#!/bin/sh\necho "$@" >>"{tmp_path}/said"\n')
    (tmp_path / "ip").chmod(0o755)

    def call(word, **lease):
        (tmp_path / "said").write_text("")
        subprocess.run(["sh", "-eu", "-c", script, "dhcp.script", word], check=True,
                       env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "interface": "eth0", "dns": "",
                            "router": "", **lease})
        return (tmp_path / "said").read_text().splitlines()
    call.place = tmp_path
    return call


def test_a_lease_comes_and_goes_alone(udhcpc):
    """An interface's IPv6 address and those that somebody typed stay."""
    assert udhcpc("deconfig") == ["link set eth0 up"]
    assert udhcpc("bound", **LEASE) == ["addr add 10.0.2.15/24 dev eth0",
                                        "route add default via 10.0.2.2 dev eth0"]
    assert (udhcpc.place / "resolv.conf").read_text() == "nameserver 10.0.2.3\nnameserver 10.0.2.4\n"
    assert udhcpc("deconfig") == ["route del default via 10.0.2.2 dev eth0",
                                  "addr del 10.0.2.15/24 dev eth0", "link set eth0 up"]
    assert udhcpc("deconfig") == ["link set eth0 up"]


def test_a_lease_that_is_renewed_stays(udhcpc):
    """Connections go on: their address is not taken away and set again."""
    udhcpc("bound", **LEASE)
    assert udhcpc("renew", **LEASE) == []
    assert udhcpc("renew", **dict(LEASE, ip="10.0.2.16", router="10.0.2.1 10.0.2.2")) == [
        "route del default via 10.0.2.2 dev eth0", "addr del 10.0.2.15/24 dev eth0",
        "addr add 10.0.2.16/24 dev eth0", "route add default via 10.0.2.1 dev eth0",
        "route add default via 10.0.2.2 dev eth0"]


def test_a_lease_without_gateway(udhcpc):
    lease = {"ip": "192.168.1.7"}
    assert udhcpc("bound", **lease) == ["addr add 192.168.1.7/24 dev eth0"]
    assert udhcpc("renew", **lease) == []
    assert udhcpc("deconfig") == ["addr del 192.168.1.7/24 dev eth0", "link set eth0 up"]
