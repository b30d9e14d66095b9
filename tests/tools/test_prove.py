# SPDX-License-Identifier: BSD-2-Clause
"""make prove: it says so if a check is missing, if something is not reached, and if a reason is missing."""

import os
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT

# Drivers that take a while: `make mutations` sets PROVE_MUTATIONS. Whether their sources are as these
# changes have them is looked at always.
SLOW = ("ring", "ring_stream", "net_filter", "block_client", "block_rings", "fault", "control_link",
        "control_link_transmit", "gpt_name", "net_buffers", "offload", "offload_segments",
        "tcp_checksum")
pytestmark = pytest.mark.skipif(not shutil.which("frama-c"), reason="the distribution has no Frama-C")


@pytest.fixture
def changed(tmp_path):
    """A function that runs a driver on sources of which one is changed."""
    def run(driver, source, old, new):
        for name in ("lib", "block", "console", "switch", "vmm", "tests/prove", "tests/unit/fake",
                     "sdk/libmicrokit"):
            shutil.copytree(ROOT / name, tmp_path / name)
        text = (tmp_path / source).read_text()
        assert old in text
        (tmp_path / source).write_text(text.replace(old, new))
        return subprocess.run([sys.executable, tmp_path / "tests/prove/prove.py", "--build",
                               tmp_path / "build", driver], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              # What cannot be proved is tried for so long.
                              env={**os.environ, "PROOF_SECONDS": "10"})
    return run


@pytest.mark.parametrize("driver, source, old, new", [
    ("escape", "console/escape.c", "escape->length > ESCAPE_PARAMETERS_MAX", "escape->length > 26"),
    ("escape", "console/escape.c", "escape->partial < length ? 0", "escape->partial != length ? 0"),
    ("block_client", "block/client.c", "segment->region >= block_config.region_count", "false"),
    ("block_client", "lib/stats.h", "class < STATS_LATENCIES ? class : STATS_LATENCIES - 1", "class"),
    ("block_rings", "block/rings.h",
     "request->head.segment_count > (count - head) / sizeof(request->segments[0])", "false"),
    ("block_rings", "block/rings.h", "request->head.segment_count > BLOCK_SEGMENTS_MAX", "false"),
    ("block_rings", "block/rings.h", "count < sizeof(*reply) ? count : ", ""),
    ("classify", "switch/forward.c", "(uint16_t)tag & VID_MASK", "(uint16_t)tag"),
    ("control_link", "lib/control_link.c", "taken <= sent && ", ""),
    ("control_link", "lib/control_link.c", "behind < LINK_WINDOW && ", ""),
    ("control_link", "lib/control_link.c", " || count > OVERHEAD + LINK_MESSAGE_MAX", ""),
    ("control_link", "lib/control_link.c", "} else if (link->partial_length < LINK_FRAME_MAX) {", "} else {"),
    ("control_link", "lib/control_link.c", " || length > LINK_MESSAGE_MAX", ""),
    ("control_link_transmit", "lib/control_link.c", "left < room - filled ? left : room - filled", "left"),
    ("fault", "vmm/mmio.c", "device_count == MMIO_MAX_DEVICES", "false"),
    ("fault", "vmm/mmio.c", "if (!found) {\n        return false;\n    }", ""),
    ("fault", "vmm/mmio.h", "if (access->fetch) {", "if (access->write) {"),
    ("gpt", "block/gpt.c", " || size > block_size", ""),
    ("gpt", "block/gpt.c", "number == 0 || number > header->entry_count ||", ""),
    ("gpt_name", "block/gpt.c", "i < NAME_UNITS; i++", "i <= NAME_UNITS; i++"),
    ("net_buffers", "lib/net_buffers.c", "min(to->length - filled, length)", "length"),
    ("net_buffers", "lib/net_buffers.c", "NET_SEGMENTS_MAX - used", "NET_SEGMENTS_MAX"),
    ("net_buffers", "lib/net_buffers.c", "min(limit, NET_CHAINS_MAX)", "limit"),
    ("net_filter", "lib/net_filter.c", "vlan >= NET_FILTER_VLANS", "false"),
    ("net_filter", "lib/net_filter.c", "length - *offset < 4", "false"),
    ("net_filter", "lib/net_filter.c", "count > (length - *offset - 4) / ETH_ALEN", "false"),
    ("net_filter", "lib/net_filter.c", "command >= sizeof(mode) / sizeof(mode[0])", "false"),
    ("net_header", "lib/offload.c", "header->gso_size == 0", "false"),
    ("big_endian", "lib/big_endian.h", "from + 2)", "from + 3)"),
    ("offload", "lib/offload.c", "offset + IPV6_EXTENSION_MIN > available", "offset > available"),
    ("offload", "lib/offload.c", "plan->transport + UDP_HEADER > available", "false"),
    ("offload_segments", "lib/offload.c", "length - start) & 0xffffu", "length) & 0xffffu"),
    ("offload_segments", "lib/offload.c", "if (size > plan->segment_size)", "if (false)"),
    ("ring", "lib/ring.c", "uint32_t offset = ring->own & (size - 1);\n    uint32_t total",
     "uint32_t offset = ring->own;\n    uint32_t total"),
    ("ring", "lib/ring.c", "uint32_t offset = ring->own & (size - 1);\n    uint32_t length",
     "uint32_t offset = ring->own;\n    uint32_t length"),
    ("ring_stream", "lib/ring.c", "min(count, ring->size - offset)", "count"),
    ("tcp_checksum", "lib/tcp_checksum.c", "length <= available &&", "true &&"),
    ("virtqueue_copy", "lib/virtqueue.c", "length - skip < count - copied ? length - skip : ", ""),
    ("virtqueue_read", "lib/virtqueue.c", "memcpy(words, from, sizeof(words))",
     "memcpy(words, from, sizeof(words) + 1)"),
])
def test_without_a_check_there_is_an_alarm(changed, driver, source, old, new):
    assert old in (ROOT / source).read_text(), "the source is another one now"
    if driver in SLOW and not os.environ.get("PROVE_MUTATIONS"):
        pytest.skip("a slow one: make mutations")
    done = changed(driver, source, old, new)
    assert done.returncode == 1, done.stdout
    assert "Unknown" in done.stdout or "Invalid" in done.stdout, done.stdout


def test_what_is_not_reached(changed):
    done = changed("escape", "console/escape.c", "static bool parameters_are(", """static int idle(void)
{
    return 0;
}

static bool parameters_are(""")
    assert done.returncode == 1 and "0 alarms" in done.stdout


def test_assumption_without_a_reason(changed):
    done = changed("classify", "tests/prove/classify.c", "Assumption: the log", "The log")
    assert done.returncode == 1 and "log_limited(): an assumption without a reason" in done.stdout
