# SPDX-License-Identifier: BSD-2-Clause
"""Traffic between two machines: ping, iperf3, requests. It is the same for every system and the peer.

A pair is any object with output(number, command, timeout): a running system, or the peer's two guests.
The first machine is the server, at 192.168.1.1; the second one is the client.
"""

import json
import re

SERVER = "192.168.1.1"
RR_PORT = 7000
START_PORT = 7001
LONG = 1800  # seconds of the host's, for what takes seconds of virtual time


class Guests:
    """The peer's two guests as one pair."""

    def __init__(self, guests):
        self.guests = guests

    def output(self, number, command, timeout=60):
        return self.guests[number].output(0, command, timeout)


def ping(pair, count, pause, number=1, to=SERVER):
    """Round-trip times in ms. The lines stay in the machine until it has sent the last packet."""
    pair.output(number, f"ping -c {count} -i {pause} {to} >/tmp/ping", LONG)
    end = pair.output(number, "tail -n 3 /tmp/ping")
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) packets r", end).groups())
    low, average, high = map(float, re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+) ms", end).groups())
    ranks = [max(1, -(-received * part // 1000)) for part in (990, 999)]
    text = pair.output(number, "sed -n 's/.* time=\\([0-9.]*\\) ms.*/\\1/p' /tmp/ping | sort -n >/tmp/times; "
                               + "; ".join(f"sed -n {rank}p /tmp/times" for rank in ranks))
    p99, p999 = map(float, text.split()[-2:])
    return {"sent": sent, "received": received, "min_ms": low, "avg_ms": average,
            "p99_ms": p99, "p999_ms": p999, "max_ms": high}


def iperf(pair, how, amount=None, number=1, to=SERVER, server=0):
    """The end of iperf3's JSON, the client's, when so much has gone over, or after the time that `how`
    says; the server ends with it."""
    much = f"-n {amount}" if amount else ""
    pair.output(server, "iperf3 -s -D -1; sleep 1")
    pair.output(number, f"iperf3 -J -c {to} {much} {how} >/tmp/iperf", LONG)
    # Without the intervals, which are long.
    text = pair.output(number, "sed -n '/^.\"end\"/,$p' /tmp/iperf", LONG)
    return ending(text)


def ending(text):
    """The last object of iperf3's JSON, `end`, which the object around it closes."""
    return json.loads("{" + text[text.index('"end"'):text.rindex("}") + 1])["end"]


def tcp(end):
    return end["sum_received"]["bits_per_second"] / 1e6


def udp(end):
    total = end["sum"]
    lost = total["lost_percent"]
    return {"received_mbit_s": total["bits_per_second"] * (1 - lost / 100) / 1e6,
            "lost_percent": lost}


def requests(pair, seconds, number=1, to=SERVER, server=0):
    """One byte there and one back over one connection, as netperf's TCP_RR."""
    pair.output(server, f"(meter serve {RR_PORT} >/dev/null 2>&1 &); sleep 1")
    text = pair.output(number, f"meter request {to} {RR_PORT} {seconds}", LONG)
    pair.output(server, "killall meter")
    return float(re.search(r"(\d+) per second", text)[1])


def between(pair, options, say):
    results = {}
    pair.output(1, f"ping -c 3 -i 0.1 {SERVER}", LONG)
    say(f"ping, {options.pings} packets")
    results["ping"] = ping(pair, options.pings, 0.01)
    say("requests")
    results["requests_per_s"] = requests(pair, options.request_seconds)
    for name, how in (("tcp", ""), ("tcp_reverse", "-R"), ("tcp_4_streams", "-P 4")):
        say(f"iperf3 {how}")
        results[name + "_mbit_s"] = tcp(iperf(pair, how, options.tcp))
    say("iperf3 --bidir")
    end = iperf(pair, "--bidir", options.tcp)
    results["tcp_both_ways_mbit_s"] = [
        tcp(end), end["sum_received_bidir_reverse"]["bits_per_second"] / 1e6]
    for size in (64, 1400):
        say(f"iperf3, UDP, {size} bytes")
        results[f"udp_{size}"] = udp(iperf(pair, f"-u -b 0 -l {size}", options.udp[size]))
    return results


def loopback(pair, options, say):
    """The limit: the same inside one machine, which no hypervisor has a part in."""
    say("loopback in one guest")
    at = {"number": 1, "to": "127.0.0.1"}
    return {"ping": ping(pair, options.pings, 0.01, **at),
            "requests_per_s": requests(pair, options.request_seconds, server=1, **at),
            "tcp_mbit_s": tcp(iperf(pair, "", options.tcp, server=1, **at)),
            "udp_64": udp(iperf(pair, "-u -b 0 -l 64", options.udp[64], server=1, **at)),
            "udp_1400": udp(iperf(pair, "-u -b 0 -l 1400", options.udp[1400], server=1, **at))}


def scaling(system, count, options):
    """TCP in so many machines at once, in pairs: what each pair gets, in Mbit/s. Clients wait at a
    port; the first machine calls them one after another, within a few milliseconds."""
    for server in range(0, count, 2):
        system.output(server, "iperf3 -s -D -1; sleep 1", LONG)
    for client in range(1, count, 2):
        system.output(client, f"ping -c 3 -i 0.1 192.168.1.{client}", LONG)
        system.output(client, f"(nc -l -p {START_PORT} </dev/null >/dev/null;"
                              f" iperf3 -J -c 192.168.1.{client} -n {options.tcp} >/tmp/iperf;"
                              " touch /tmp/done) >/dev/null 2>&1 & sleep 1", LONG)
    clients = " ".join(f"192.168.1.{client + 1}" for client in range(1, count, 2))
    system.output(0, f"for to in {clients}; do nc $to {START_PORT} </dev/null; done", LONG)
    rates = []
    for client in range(1, count, 2):
        system.output(client, "until [ -e /tmp/done ]; do sleep 1; done", LONG)
        text = system.output(client, "sed -n '/^.\"end\"/,$p' /tmp/iperf", LONG)
        rates.append(tcp(ending(text)))
    return rates
