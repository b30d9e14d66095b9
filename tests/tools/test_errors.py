# SPDX-License-Identifier: BSD-2-Clause
"""What a user may get wrong: each is named with file, line, whose it is, and what would be right."""

import gzip
import lzma
import os
import re
import resource
import struct
import subprocess

import pytest

from conftest import ROOT, image, partitioned, zboot, zstd

CASES = {
    "not YAML": ("vms: [a, b\n", ["sys.yaml:2: not YAML: did not find expected ',' or ']' while "
                                  "parsing a flow sequence (from line 1)"]),
    "a tab": ("vms:\n\ta:\n", ["sys.yaml:2: not YAML: found character that cannot start any token "
                               "while scanning for the next token (from line 2)"]),
    "empty": ("", ["sys.yaml: the file is empty"]),
    "only a comment": ("# nothing\n", ["sys.yaml: the file is empty"]),
    "a word": ("hello\n", ["sys.yaml:1: a value, where settings belong: 'key: value'"]),
    "a list": ("- a\n", ["sys.yaml:1: a list, where settings belong: 'key: value'"]),
    "two documents": ("vms: [a]\n---\nvms: [b]\n",
                      ["sys.yaml:3: a second YAML document: one file says all"]),
    "unknown key": ("vms:\n  a:\n    memroy: 1 GiB\n",
                    ["sys.yaml:3: vm 'a': unknown key 'memroy': did you mean 'memory'?"]),
    "unknown key, top": ("vm: [a]\nvms: [a]\n",
                         ["sys.yaml:1: unknown key 'vm': did you mean 'vms'?"]),
    "unknown key, none near": (
        "switches: {x: {colour: red}}\nvms: [a]\n",
        ["sys.yaml:1: switch 'x': unknown key 'colour': known are name, allow, deny, mirror, "
         "uplink, ageing, queue, mtu, cpu, budget, period"]),
    "merge key": ("vms:\n  a: {<<: {memory: 1 GiB}}\n",
                  ["sys.yaml:2: vm 'a': unknown key '<<': known are name, count, memory, vcpus, cpu, "
                   "firmware, kernel, load, initramfs, cmdline, bootargs, hostname, router, kaslr, "
                   "console, power_button, start, on_crash, watchdog, priority, budget, "
                   "period, domain, monitor, disks, devices, dma, interfaces, switch, ip, gateway, "
                   "mac, any_mac, vlan, trunk, path, rate"]),
    "list as key": ("vms:\n  ? [a, b]\n  : {}\n",
                    ["sys.yaml:2: vm: name: a list: one value belongs here"]),
    "key twice": ("vms:\n  a:\n    vcpus: 1\n    vcpus: 2\n",
                  ["sys.yaml:4: vm 'a': 'vcpus' given twice: it is on line 3 already"]),
    "wrong type": ("vms:\n  a: {vcpus: [1]}\n",
                   ["sys.yaml:2: vm 'a': vcpus: a list: one value belongs here"]),
    "wrong type, mapping": ("vms:\n  a: {memory: {size: 1}}\n",
                            ["sys.yaml:2: vm 'a': memory: a mapping: one value belongs here"]),
    "wrong type, vms": ("vms: a\n",
                        ["sys.yaml:1: vms: a value: a mapping of names belongs here"]),
    "no unit": ("vms:\n  a: {memory: 256}\n",
                ["sys.yaml:2: vm 'a': memory '256': not a size: write a whole number with its "
                 "unit, like 256 MiB or 1 GiB"]),
    "missing name": ("vms:\n  '': {}\n", ["sys.yaml:2: vm without a name: write 'NAME: ...'"]),
    "missing name, list": ("vms:\n  - {memory: 64 MiB}\n",
                           ["sys.yaml:2: vm without a name: give it one with 'name: ...'"]),
    "bad name": ("vms: [9x]\n",
                 ["sys.yaml:1: vm: name '9x': not a name: a letter, then letters, digits, '-' or "
                  "'_', 31 at most"]),
    "long name": ("vms: [" + "n" * 32 + "]\n",
                  ["sys.yaml:1: vm: name '" + "n" * 32 + "': not a name: a letter, then letters, "
                   "digits, '-' or '_', 31 at most"]),
    "reserved name": ("vms: [a, console]\n",
                      ["sys.yaml:1: vm 'console': the name is taken by the system: choose "
                       "another"]),
    "duplicate name": ("vms:\n  a:\n  b:\n  a:\n",
                       ["sys.yaml:4: vm 'a': the name is taken on line 2 already: names are "
                        "unique"]),
    "duplicate by count": ("vms:\n  a1:\n  a: {count: 2}\n",
                           ["sys.yaml:3: vm 'a1': the name is taken on line 2 already: names are "
                            "unique"]),
    "name of a switch": ("switches:\n  x:\nvms:\n  x:\n",
                         ["sys.yaml:4: vm 'x': the name is taken on line 2 already: names are "
                          "unique", "sys.yaml:2: switch 'x': no machine is on it: name it as some "
                          "vm's 'switch', or remove it"]),
    "no such switch": ("vms:\n  a: {switch: net1}\n",
                       ["sys.yaml:2: vm 'a': no switch 'net1': did you mean 'net0'?"]),
    "no such kernel": ("vms:\n  a: {kernel: vmlinux}\n",
                       ["sys.yaml:2: vm 'a': kernel 'vmlinux': no such file: paths start at the "
                        "system file's directory"]),
    "no such mirror": ("switches:\n  x: {mirror: vm2}\nvms: [vm0, vm1]\n",
                       ["sys.yaml:2: switch 'x': mirror: no vm 'vm2' on this switch: did you mean "
                        "'vm0'?"]),
    "mirror of many": ("switches:\n  x: {mirror: vm}\nvms: {vm: {count: 2}}\n",
                       ["sys.yaml:2: switch 'x': mirror vm: has several ports here: name a machine "
                        "with one"]),
    "MAC twice": ("vms:\n  a: {mac: 02:00:00:00:00:01}\n  b: {mac: 02:00:00:00:00:01}\n",
                  ["sys.yaml:3: vm 'b': mac 02:00:00:00:00:01: vm 'a' has it already: each "
                   "interface needs its own"]),
    "MAC multicast": ("vms:\n  a: {mac: 01:00:5e:00:00:01}\n",
                      ["sys.yaml:2: vm 'a': mac 01:00:5e:00:00:01: a multicast address: the first "
                       "byte must be even"]),
    "MAC zero": ("vms:\n  a: {mac: 00:00:00:00:00:00}\n",
                 ["sys.yaml:2: vm 'a': mac 00:00:00:00:00:00: nobody's address: take one like "
                  "02:00:00:00:00:01"]),
    "no MAC": ("vms:\n  a: {mac: 2:0:0:0:0:1}\n",
               ["sys.yaml:2: vm 'a': mac '2:0:0:0:0:1': not a MAC address: write six bytes like "
                "02:00:00:00:00:01"]),
    "address twice": ("vms:\n  a: {ip: 10.0.0.1/24}\n  b: {ip: 10.0.0.1/8}\n",
                      ["sys.yaml:3: vm 'b': ip 10.0.0.1: vm 'a' has it already: each interface "
                       "needs its own"]),
    "address twice in one": (
        "switches: [x, y]\nvms:\n  a:\n    interfaces:\n      - {switch: x, ip: 10.0.0.1/24}\n"
        "      - {switch: y, ip: 10.0.0.1/24}\n",
        ["sys.yaml:6: vm 'a': interface 1: ip 10.0.0.1: vm 'a': interface 0 has it already: each "
         "interface needs its own"]),
    "no address": ("vms:\n  a: {ip: 10.0.0.256/24}\n",
                   ["sys.yaml:2: vm 'a': ip '10.0.0.256/24': not an IPv4 address with its prefix: "
                    "write it like 192.168.1.1/24, or dhcp"]),
    "no prefix": ("vms:\n  a: {ip: 10.0.0.1}\n",
                  ["sys.yaml:2: vm 'a': ip '10.0.0.1': not an IPv4 address with its prefix: write "
                   "it like 192.168.1.1/24, or dhcp"]),
    "network address": ("vms:\n  a: {ip: 10.0.0.0/24}\n",
                        ["sys.yaml:2: vm 'a': ip 10.0.0.0/24: the first address of its network: "
                         "take one between"]),
    "broadcast address": ("vms:\n  a: {ip: 10.0.0.255/24}\n",
                          ["sys.yaml:2: vm 'a': ip 10.0.0.255/24: the broadcast address of its "
                           "network: take one between"]),
    "multicast address": ("vms:\n  a: {ip: 224.0.0.1/24}\n",
                          ["sys.yaml:2: vm 'a': ip 224.0.0.1/24: not an address that a machine can "
                           "have"]),
    "network too small": ("vms:\n  a: {count: 3, ip: 10.0.0.1/30}\n",
                          ["sys.yaml:2: vm 'a2': ip 10.0.0.1/30: the network ends before this "
                           "machine's address: take a shorter prefix"]),
    "gateway elsewhere": ("vms:\n  a: {ip: 10.0.0.1/24, gateway: 10.0.1.1}\n",
                          ["sys.yaml:2: vm 'a': gateway 10.0.1.1: not in the network of "
                           "10.0.0.1/24"]),
    "gateway alone": ("vms:\n  a: {gateway: 10.0.1.1}\n",
                      ["sys.yaml:2: vm 'a': gateway 10.0.1.1: the interface has no address: give "
                       "it an 'ip'"]),
    "gateway itself": ("vms:\n  a: {ip: 10.0.0.1/24, gateway: 10.0.0.1}\n",
                       ["sys.yaml:2: vm 'a': gateway 10.0.0.1: the interface's own address"]),
    "memory odd": ("vms:\n  a: {memory: 65 MiB}\n",
                   ["sys.yaml:2: vm 'a': memory '65 MiB': not a multiple of 2 MiB: 66 MiB would "
                    "be"]),
    "memory for the kernel": ("vms:\n  a: {memory: 32 MiB}\n",
                              ["sys.yaml:2: vm 'a': memory 32 MiB: too little for its kernel (32 "
                               "MiB) and initramfs (1 MiB): 38 MiB or more"]),
    "memory of the board": ("vms:\n  a: {memory: 100G}\n",
                            ["sys.yaml:2: vm 'a': memory 100 GiB: the board has 2 GiB"]),
    "memory beyond 64 bits": ("vms:\n  a: {memory: 99999999999999999999 GiB}\n",
                              ["sys.yaml:2: vm 'a': memory '99999999999999999999 GiB': not a size: "
                               "write a whole number with its unit, like 256 MiB or 1 GiB"]),
    "memory in all": ("vms:\n  a: {memory: 1 GiB}\n  b: {memory: 1 GiB}\n",
                      ["sys.yaml:1: vms: the machines' memory is 2 GiB in all, their images and "
                       "queues take 10 MiB: the board has 2 GiB, of which 32 MiB are reserved: take "
                       "42 MiB away"]),
    "vCPUs": ("vms:\n  a: {vcpus: 17}\n", ["sys.yaml:2: vm 'a': vcpus '17': out of range: 1 to 16"]),
    "vCPUs on a GICv2": (
        "vms:\n  a: {vcpus: 8}\n  b: {count: 3, vcpus: 9}\n",
        ["sys.yaml:3: vm 'b0': vcpus 9: the board 'qemu_virt_aarch64' has a GICv2, which serves 8: "
         "take that at most, or a board with a GICv3"]),
    "no vCPU": ("vms:\n  a: {vcpus: 0}\n",
                ["sys.yaml:2: vm 'a': vcpus '0': out of range: 1 to 16"]),
    "vCPUs in all": ("switches: [x, y]\ndefaults: {memory: 40 MiB, vcpus: 8}\nvms:\n"
                     "  a: {count: 20}\n  b: {count: 20, switch: y}\n",
                     ["sys.yaml:3: vms: 320 vCPUs in all: 204 at most beside 51 programs"]),
    "priorities that are shared": (
        "vms:\n" + "".join(f"  {name}{i}: {{memory: 80 MiB, priority: {i + 1}}}\n"
                           for i in range(4) for name in "ab"),
        ["sys.yaml:8: vm 'a3': priority 4: 3 priorities at most are several machines': give these "
         "one of the others"]),
    "cores of the board": ("vms: [a]\ncores: 5\n",
                           ["sys.yaml:2: cores 5: the board 'qemu_virt_aarch64' has 4: take that at "
                            "most"]),
    "no cores": ("cores: 0\nvms: {a: {cpu: 1}}\n",
                 ["sys.yaml:1: cores '0': out of range: 1 to 256"]),
    "cores in words": ("core: 2\nvms: {a: {cpu: 1}}\n",
                       ["sys.yaml:1: unknown key 'core': did you mean 'cores'?"]),
    "cpu without cores": (
        "console: {cpu: 0}\ndisk: {cpu: 0}\nswitches:\n  x: {cpu: 0,\n      uplink: {cpu: 0}}\n"
        "vms:\n  a: {cpu: 0, vcpus: 2}\n  b: {count: 2, cpu: [0]}\n",
        [f"sys.yaml:{line}: {where}: cpu: how many cores there are is not said: write 'cores: N' at "
         "the left margin" for line, where in (
             (1, "console"), (2, "disk"), (4, "switch 'x'"), (5, "switch 'x': uplink"), (7, "vm 'a'"),
             (8, "vm 'b0'"))]),
    "cpu without cores, defaults": (
        "defaults:\n  cpu: 0\nvms: [a, b]\n",
        ["sys.yaml:2: defaults: cpu: how many cores there are is not said: write 'cores: N' at the "
         "left margin"]),
    "cpu out of range": (
        "cores: 2\nconsole: {cpu: 2}\ndisk: {cpu: 3}\nswitches:\n  x: {cpu: 4,\n      "
        "uplink: {cpu: 5}}\nvms:\n  a: {cpu: 6}\n  b: {vcpus: 3, cpu: [0,\n      7,\n      8]}\n"
        "  c: {count: 3, cpu: 9}\n",
        [f"sys.yaml:{line}: {where}: cpu {core}: there is no such core: with 'cores: 2' the last is 1"
         for line, where, core in (
             (2, "console", 2), (3, "disk", 3), (5, "switch 'x'", 4), (6, "switch 'x': uplink", 5),
             (8, "vm 'a'", 6), (10, "vm 'b'", 7), (11, "vm 'b'", 8), (12, "vm 'c0'", 9))]),
    "cpu out of range, defaults": (
        "cores: 2\ndefaults: {cpu: 2}\nvms: {a: , b: {cpu: 1}, c: }\n",
        ["sys.yaml:2: defaults: cpu 2: there is no such core: with 'cores: 2' the last is 1"]),
    "cpu of one core": ("cores: 1\nvms: {a: {cpu: 1}}\n",
                        ["sys.yaml:2: vm 'a': cpu 1: there is no such core: with 'cores: 1' there is "
                         "0 only"]),
    "cpu of a kind": (
        "cores: 2\nconsole: {cpu: one}\nvms:\n  a: {cpu: x}\n  b: {cpu: {0: 1}}\n  c: {cpu: }\n"
        "  d: {cpu: [1, -1], vcpus: 2}\n  e: {cpu: [[1]]}\n",
        ["sys.yaml:2: console: cpu 'one': not a whole number",
         "sys.yaml:4: vm 'a': cpu 'x': not a whole number",
         "sys.yaml:5: vm 'b': cpu: a mapping: one value belongs here",
         "sys.yaml:6: vm 'c': cpu '': not a whole number",
         "sys.yaml:7: vm 'd': cpu '-1': not a whole number",
         "sys.yaml:8: vm 'e': cpu: a list: one value belongs here"]),
    "cpu lists": (
        "cores: 2\ndefaults: {cpu: [0, 1]}\nvms:\n  a: {vcpus: 2}\n  b:\n"
        "  c: {count: 2, vcpus: 3, cpu: [0, 1]}\n  d: {cpu: []}\n"
        "  e: {cpu: [" + 16 * "0, " + "1]}\n",
        ["sys.yaml:2: vm 'b': cpu: a list of 2 for 1 vCPU: name a core for each, or one for all",
         "sys.yaml:6: vm 'c0': cpu: a list of 2 for 3 vCPUs: name a core for each, or one for all",
         "sys.yaml:7: vm 'd': cpu: a list of 0 for 1 vCPU: name a core for each, or one for all",
         "sys.yaml:8: vm 'e': cpu: 17 cores: a machine has 16 vCPUs at most"]),
    "cpu of a monitor": ("cores: 2\nvms:\n  a: {monitor: {cpu: 1}}\n",
                         ["sys.yaml:3: vm 'a': monitor: unknown key 'cpu': known are budget, "
                          "period"]),
    "priorities that are shared on a core": (
        "cores: 2\ndefaults: {memory: 64 MiB}\nvms:\n"
        + "".join(f"  {name}{i}: {{cpu: {i % 2}, priority: {i + 1}}}\n"
                  for i in range(8) for name in "ab"),
        ["sys.yaml:16: vm 'a6': priority 7: 3 priorities at most are several machines' on core 0: give "
         "these one of the others"]),
    "turns in all": (
        "cores: 4\ndefaults: {memory: 36 MiB, initramfs: none}\nvms:\n"
        + "".join(f"  a{i}: {{count: {13 if i % 2 else 12}, priority: {i % 2 + 1}, cpu: {i // 2}, "
                  "interfaces: none}\n" for i in range(4)) + "  b: {cpu: 2, count: 2}\n",
        ["sys.yaml:3: vms: 53 machines and switches, and 5 priorities that machines of one core share: "
         "57 in all: use fewer of either"]),
    "interfaces": ("vms:\n  a: {interfaces: [" + ", ".join(["{}"] * 9) + "]}\n",
                   ["sys.yaml:2: vm 'a': interfaces: 9 of them: 8 at most"]),
    "interfaces and ip": ("vms:\n  a:\n    ip: 10.0.0.1/24\n    interfaces: [{}]\n",
                          ["sys.yaml:3: vm 'a': 'ip' beside 'interfaces': put it into the list"]),
    "interfaces no list": ("vms:\n  a: {interfaces: {ip: 10.0.0.1/24}}\n",
                           ["sys.yaml:2: vm 'a': interfaces: a mapping: a list belongs here, or "
                            "'none'"]),
    "VLAN": ("vms:\n  a: {vlan: 4095}\n",
             ["sys.yaml:2: vm 'a': vlan '4095': out of range: 1 to 4094"]),
    "VLAN 0": ("vms:\n  a: {vlan: 0}\n",
               ["sys.yaml:2: vm 'a': vlan '0': out of range: 1 to 4094"]),
    "trunk": ("vms:\n  a:\n    trunk: [1, 0, 1]\n",
              ["sys.yaml:3: vm 'a': trunk: VLAN '0': out of range: 1 to 4094",
               "sys.yaml:3: vm 'a': trunk: VLAN 1 given twice"]),
    "trunk empty": ("vms:\n  a: {trunk: []}\n",
                    ["sys.yaml:2: vm 'a': trunk: a list of VLANs belongs here, like [10, 20]"]),
    "VLAN and trunk": ("vms:\n  a: {vlan: 1, trunk: [2]}\n",
                       ["sys.yaml:2: vm 'a': both 'vlan' and 'trunk': a port is of one VLAN or a "
                        "trunk of several"]),
    "allow and deny": ("switches: {x: {allow: [[a, b]], deny: []}}\nvms: [a, b]\n",
                       ["sys.yaml:1: switch 'x': both 'allow' and 'deny': say who may, or who may "
                        "not"]),
    "allow nobody known": ("switches: {x: {allow: [[a, zed], b, 'a -> a']}}\nvms: [a, b]\n",
                           ["sys.yaml:1: switch 'x': allow: no vm 'zed' on this switch: name one "
                            "that is",
                            "sys.yaml:1: switch 'x': allow: write [a, b] for a and b with one "
                            "another, or 'a -> b' for one way",
                            "sys.yaml:1: switch 'x': allow 'a -> a': the same machine twice"]),
    "queue": ("switches: {x: {queue: 300 KiB}}\nvms: [a]\n",
              ["sys.yaml:1: switch 'x': queue 300 KiB: not a power of two: 512 KiB would be"]),
    "queue too small": ("switches: {x: {queue: 64 KiB}}\nvms: [a]\n",
                        ["sys.yaml:1: switch 'x': queue '64 KiB': out of range: 256 KiB to 16 "
                         "MiB"]),
    "ageing": ("switches: {x: {ageing: 1500 ms}}\nvms: [a]\n",
               ["sys.yaml:1: switch 'x': ageing '1500 ms': not a multiple of 1 s: 2 s would be"]),
    "MTU": (
        "switches:\n  w: {mtu: 1279}\n  x: {mtu: 9001}\n  y: {mtu: 1.5k}\n  z: {mtu: 1280}\n"
        "vms:\n  a: {interfaces: [{switch: w}, {switch: x}, {switch: y}, {switch: z}]}\n",
        ["sys.yaml:2: switch 'w': mtu '1279': out of range: 1280 to 9000",
         "sys.yaml:3: switch 'x': mtu '9001': out of range: 1280 to 9000",
         "sys.yaml:4: switch 'y': mtu '1.5k': not a whole number"]),
    "MTU beside an uplink": (
        "switches:\n  x:\n    uplink: yes\n    mtu: 1501\nvms: [a]\n",
        ["sys.yaml:4: switch 'x': mtu 1501: frames outside hold 1500 bytes: take that at most beside an "
         "'uplink', or another switch for the machines that need more"]),
    "empty list": ("vms: []\n", ["sys.yaml:1: vms: empty: name at least one"]),
    "empty mapping": ("vms: {}\n", ["sys.yaml:1: vms: empty: name at least one"]),
    "nothing": ("vms:\n", ["sys.yaml:1: vms: empty: name at least one"]),
    "no switches": ("switches: []\nvms: [a]\n", ["sys.yaml:1: switches: empty: name at least one"]),
    "no vms": ("description: x\n", ["sys.yaml:1: 'vms' is missing: The machines: a mapping from "
                                    "names to settings, or a list of names."]),
    "budget": ("vms:\n  a: {period: 1 ms, budget: 2 ms}\n",
               ["sys.yaml:2: vm 'a': budget 2 ms: more than the period of 1 ms: take that at most, or "
                "a longer 'period'"]),
    "monitor's budget": (
        "defaults:\n  monitor:\n    budget: 3 ms\n    period: 4 ms\n"
        "vms:\n  a: {monitor: {budget: 5 ms}}\n  b:\n    monitor:\n      period: 1 ms\n",
        ["sys.yaml:6: vm 'a': monitor: budget 5 ms: more than the period of 4 ms: take that at most, "
         "or a longer 'period'",
         "sys.yaml:3: vm 'b': monitor: budget 3 ms: more than the period of 1 ms: take that at most, "
         "or a longer 'period'"]),
    "monitor's period alone": ("vms:\n  a: {monitor: {period: 5 ms}}\n",
                               ["sys.yaml:2: vm 'a': monitor: period 5 ms: without a 'budget': say how "
                                "much of it"]),
    "monitor's budget, too little": (
        "vms:\n  a: {monitor: {budget: 19 us}}\n",
        ["sys.yaml:2: vm 'a': monitor: budget '19 us': out of range: 50 us to 1 s"]),
    "monitor's budget, too much": (
        "vms:\n  a: {monitor: {budget: 2 s, period: 2 s}}\n",
        ["sys.yaml:2: vm 'a': monitor: budget '2 s': out of range: 50 us to 1 s",
         "sys.yaml:2: vm 'a': monitor: period '2 s': out of range: 50 us to 1 s"]),
    "monitor, unknown key": ("vms:\n  a: {monitor: {priority: 99}}\n",
                             ["sys.yaml:2: vm 'a': monitor: unknown key 'priority': known are budget, "
                              "period"]),
    "monitor, a value": ("defaults: {monitor: 4 ms}\nvms: [a]\n",
                         ["sys.yaml:1: defaults: monitor: a value, where settings belong: 'key: "
                          "value'"]),
    "switch's budget": (
        "switches:\n  x: {budget: 5 ms}\n  y: {period: 3 ms}\n"
        "vms: {a: {switch: x}, b: {switch: y}}\n",
        ["sys.yaml:2: switch 'x': budget 5 ms: more than the period of 4 ms: take that at most, or a "
         "longer 'period'",
         "sys.yaml:3: switch 'y': period 3 ms: without a 'budget': say how much of it"]),
    "uplink's budget": ("switches: {x: {uplink: {budget: 2 ms}}}\nvms: [a]\n",
                        ["sys.yaml:1: switch 'x': uplink: budget 2 ms: more than the period of 1 ms: "
                         "take that at most, or a longer 'period'"]),
    "budgets of console and disk": (
        "console: {budget: 2 s}\ndisk: {budget: 5 ms}\nvms: [a]\n",
        ["sys.yaml:1: console: budget '2 s': out of range: 50 us to 1 s",
         "sys.yaml:2: disk: budget 5 ms: more than the period of 4 ms: take that at most, or a longer "
         "'period'"]),
    "priority": ("vms:\n  a: {priority: 100}\n",
                 ["sys.yaml:2: vm 'a': priority '100': out of range: 1 to 99"]),
    "choice": ("vms:\n  a: {start: later}\n",
               ["sys.yaml:2: vm 'a': start 'later': unknown: write 'boot' or 'held'"]),
    "on_crash": ("vms: {a: {on_crash: reboot}}\n",
                 ["sys.yaml:1: vm 'a': on_crash 'reboot': unknown: write 'hold' or 'stop' or 'restart'"]),
    "watchdog": ("vms: {a: {watchdog: 1500 ms}, b: {watchdog: 301 s}, c: {watchdog: yes}}\n",
                 ["sys.yaml:1: vm 'a': watchdog '1500 ms': not a multiple of 1 s: 2 s would be",
                  "sys.yaml:1: vm 'b': watchdog '301 s': out of range: 0 to 300 s",
                  "sys.yaml:1: vm 'c': watchdog 'yes': not a time: write a whole number with its unit, "
                  "like 500 us, 2 ms or 300 s"]),
    "yes or no": ("vms:\n  a: {console: maybe}\n",
                  ["sys.yaml:2: vm 'a': console 'maybe': neither yes nor no"]),
    "defaults": ("defaults: {ip: 10.0.0.1/8}\nvms: [a]\n",
                 ["sys.yaml:1: defaults: 'ip' cannot be the same for all: give it to a vm"]),
    "command line": ("vms:\n  a: {cmdline: " + "x" * 2000 + "}\n",
                     ["sys.yaml:2: vm 'a': cmdline: makes 2098 bytes with ours: the kernel takes "
                      "2047"]),
    "all arguments": ("vms:\n  a: {bootargs: " + "x" * 2000 + " ...}\n",
                      ["sys.yaml:2: vm 'a': bootargs: makes 2098 bytes with ours: the kernel takes "
                       "2047"]),
    "arguments twice": ("defaults: {cmdline: debug}\nvms:\n  a: {count: 3, bootargs: quiet ...}\n",
                        ["sys.yaml:3: vm 'a0': bootargs: together with a 'cmdline': that is '... debug' "
                         "in 'bootargs'"]),
    "line break": ('vms:\n  a: {cmdline: "a\\nb"}\n',
                   ["sys.yaml:2: vm 'a': cmdline 'a?b': holds a control character: write one line "
                    "of text"]),
    "NUL": ('vms:\n  a: {cmdline: "a\\0b"}\n',
            ["sys.yaml:2: vm 'a': cmdline: a value: one value belongs here"]),
    "itself": ("vms: &all {a: *all}\n",
               ["sys.yaml:1: vm 'a': unknown key 'a': known are name, count, memory, vcpus, cpu, "
                "firmware, kernel, "
                "load, initramfs, cmdline, bootargs, hostname, router, kaslr, console, power_button, "
                "start, on_crash, watchdog, priority, budget, "
                "period, domain, monitor, disks, devices, dma, interfaces, switch, ip, gateway, mac, "
                "any_mac, vlan, trunk, path, rate"]),
    "disk beyond": ("disk: {size: 100 MiB}\nvms:\n  a: {disks: [64 MiB]}\n  b: {disks: [64 MiB]}\n",
                    ["sys.yaml:4: vm 'b': disk 0: size 64 MiB: beyond the end of the disk, which "
                     "has 100 MiB: 34 MiB are left"]),
    "disk of no size": ("vms:\n  a: {disks: [{}, 0 MiB, 1500 KiB, [1]]}\n",
                        ["sys.yaml:2: vm 'a': disk 0: neither 'size' nor 'partition' nor 'image': "
                         "say which part of the disk it is",
                         "sys.yaml:2: vm 'a': disk 1: size '0 MiB': too little: 1 MiB or more",
                         "sys.yaml:2: vm 'a': disk 2: size '1500 KiB': not a multiple of 1 MiB: 2 "
                         "MiB would be",
                         "sys.yaml:2: vm 'a': disk 3: a list, where settings belong: 'key: "
                         "value'"]),
    "disks no list": ("vms:\n  a: {disks: 64 MiB}\n",
                      ["sys.yaml:2: vm 'a': disks: a value: a list belongs here, like [256 MiB, "
                       "{partition: data}]"]),
    "disks too many": ("vms:\n  a: {disks: [1 MiB, 1 MiB, 1 MiB, 1 MiB, 1 MiB]}\n",
                       ["sys.yaml:2: vm 'a': disks: 5 of them: 4 at most"]),
    "disks too many in all": ("defaults: {memory: 64 MiB}\nvms:\n  a: {count: 17, disks: [1 MiB, 1 "
                              "MiB]}\n", ["sys.yaml:2: vms: 34 disks in all: 32 at most"]),
    "partition of no disk": ("vms:\n  a: {disks: [{partition: x}, {size: 1 MiB, partition: y}]}\n",
                             ["sys.yaml:2: vm 'a': disk 1: both 'size' and 'partition': a partition "
                              "has its size",
                              "sys.yaml:2: vm 'a': disk 0: partition x: of which disk? Name its "
                              "image with 'disk: {file: ...}'",
                              "sys.yaml:2: vm 'a': disk 1: partition y: of which disk? Name its "
                              "image with 'disk: {file: ...}'"]),
    "no such disk": ("disk: {file: absent.img}\nvms: {a: {disks: [1 MiB]}}\n",
                     ["sys.yaml:1: disk: file 'absent.img': no such file: paths start at the system "
                      "file's directory"]),
    "no such content": ("vms: {a: {disks: [{size: 1 MiB, content: absent}]}}\n",
                        ["sys.yaml:1: vm 'a': disk 0: content 'absent': no such directory or "
                         "archive: paths start at the system file's directory"]),
    "ports": ("defaults: {memory: 64 MiB}\nvms:\n  a: {count: 6, interfaces: ["
              + ", ".join(["{}"] * 8) + "]}\n  b:\n",
              ["sys.yaml:4: vm 'b': switch 'net0' is full: it has 48 ports"]),
    "second uplink": (
        "switches:\n  x: {uplink: yes}\n  y: {uplink: {flood: 0}}\n"
        "vms: {a: {switch: x}, b: {switch: y}}\n",
        ["sys.yaml:3: switch 'y': uplink: switch 'x' has the board's network card already: there is "
         "one"]),
    "uplink of a kind": ("switches: {x: {uplink: eth0}}\nvms: [a]\n",
                         ["sys.yaml:1: switch 'x': uplink 'eth0': neither yes nor no"]),
    "uplink, unknown key": ("switches: {x: {uplink: {vlan: 1}}}\nvms: [a]\n",
                            ["sys.yaml:1: switch 'x': uplink: unknown key 'vlan': did you mean "
                             "'vlans'?"]),
    "uplink's VLANs": (
        "switches: {x: {uplink: {vlans: [10, 10, 30, 4095]}}}\nvms: {a: {vlan: 10}}\n",
        ["sys.yaml:1: switch 'x': uplink: vlans: VLAN 10 given twice",
         "sys.yaml:1: switch 'x': uplink: vlans: VLAN 30: no machine on the switch is on it",
         "sys.yaml:1: switch 'x': uplink: vlans: VLAN '4095': out of range: 1 to 4094"]),
    "uplink's VLANs, none": ("switches: {x: {uplink: {vlans: []}}}\nvms: {a: {vlan: 10}}\n",
                             ["sys.yaml:1: switch 'x': uplink: vlans: a list of VLANs belongs here, "
                              "like [10, 20]"]),
    "uplink's native VLAN": ("switches: {x: {uplink: {native: 20}}}\nvms: {a: {vlan: 10}}\n",
                             ["sys.yaml:1: switch 'x': uplink: native 20: no machine on the switch "
                              "is on that VLAN"]),
    "uplink to nowhere": ("switches: {x: {uplink: {to: other}}}\nvms: [a]\n",
                          ["sys.yaml:1: switch 'x': uplink: to other: no such system: there is no "
                           "other.yaml beside this file"]),
    "uplink to itself": (
        "switches: {x: {uplink: {to: sys, forward: ['tcp:1->a:1']}}}\nvms: {a: {ip: dhcp}}\n",
        ["sys.yaml:1: switch 'x': uplink: to sys: that is this system",
         "sys.yaml:1: switch 'x': uplink: forward beside 'to': QEMU's user network forwards ports, "
         "a cable does not"]),
    "uplink as a mirror": ("switches: {x: {uplink: yes, mirror: uplink}}\nvms: [a]\n",
                           ["sys.yaml:1: switch 'x': mirror uplink: what passes inside is not for "
                            "the world: name a machine"]),
    "forward": (
        "switches:\n  x:\n    uplink:\n      forward:\n"
        "        - tcp:2222->vm9:22\n        - tcp:70000->vm0:22\n        - tcp:22->vm0:0\n"
        "        - sctp:22->vm0:22\n        - tcp:22=>vm0:22\n        - tcp:22->vm0\n"
        "        - [1]\n        - tcp:1->vm1:22\n        - udp:53->vm0:53\n"
        "        - udp:53 -> vm0:54\n        - tcp:53->vm0:53x\n        - tcp:2->vm2:22\n"
        "vms: {vm0: {ip: dhcp}, vm1: , vm2: {vlan: 5, ip: 10.0.2.20/24}}\n",
        ["sys.yaml:5: switch 'x': uplink: forward 'tcp:2222->vm9:22': no vm 'vm9': did you mean "
         "'vm0'?",
         "sys.yaml:6: switch 'x': uplink: forward 'tcp:70000->vm0:22': port 70000: 1 to 65535 belong "
         "there",
         "sys.yaml:7: switch 'x': uplink: forward 'tcp:22->vm0:0': port 0: 1 to 65535 belong there",
         "sys.yaml:8: switch 'x': uplink: forward 'sctp:22->vm0:22': not understood: write it like "
         "'tcp:2222->vm0:22'",
         "sys.yaml:9: switch 'x': uplink: forward 'tcp:22=>vm0:22': not understood: write it like "
         "'tcp:2222->vm0:22'",
         "sys.yaml:10: switch 'x': uplink: forward 'tcp:22->vm0': not understood: write it like "
         "'tcp:2222->vm0:22'",
         "sys.yaml:11: switch 'x': uplink: forward: a list: write it like 'tcp:2222->vm0:22'",
         "sys.yaml:12: switch 'x': uplink: forward 'tcp:1->vm1:22': vm 'vm1': has no address in "
         "QEMU's network: give it 'ip: dhcp'",
         "sys.yaml:14: switch 'x': uplink: forward 'udp:53 -> vm0:54': the host's port 53 is "
         "forwarded already",
         "sys.yaml:15: switch 'x': uplink: forward 'tcp:53->vm0:53x': 'x' behind its end",
         "sys.yaml:16: switch 'x': uplink: forward 'tcp:2->vm2:22': vm 'vm2': is not on this switch "
         "where frames have no tags"]),
    "forward, no list": ("switches: {x: {uplink: {forward: 'tcp:1->a:1'}}}\nvms: [a]\n",
                         ["sys.yaml:1: switch 'x': uplink: forward: a value: a list belongs here, "
                          "like ['tcp:2222->vm0:22']"]),
    "leases": ("switches: {x: {uplink: yes}}\ndefaults: {memory: 64 MiB}\n"
               "vms: {a: {count: 17, ip: dhcp}}\n",
               ["sys.yaml:3: vm 'a16': ip dhcp: QEMU's user network has 16 addresses, and they are "
                "taken"]),
    "gateway beside dhcp": ("vms: {a: {ip: dhcp, gateway: 10.0.2.2}}\n",
                            ["sys.yaml:1: vm 'a': gateway 10.0.2.2: the interface gets one by 'ip: "
                             "dhcp': leave it out"]),
    "rate, no unit": ("vms:\n  a: {rate: 100}\n",
                      ["sys.yaml:2: vm 'a': rate '100': not a rate: write a whole number with its unit, "
                       "like 100 Mbit/s or 20 MiB/s"]),
    "rate, units that are none": (
        "vms:\n  a: {rate: 100 Mbit}\n  b: {rate: 10 MB/s}\n  c: {rate: 100 mbit/s}\n  d: {rate: 0}\n"
        "  e: {rate: 1.5 Gbit/s}\n  f: {rate: -1 Mbit/s}\n  g: {rate: 0 Mbit/s}\n",
        [f"sys.yaml:{line}: vm '{vm}': rate '{rate}': not a rate: write a whole number with its unit, "
         "like 100 Mbit/s or 20 MiB/s"
         for line, vm, rate in ((2, "a", "100 Mbit"), (3, "b", "10 MB/s"), (4, "c", "100 mbit/s"),
                                (5, "d", "0"), (6, "e", "1.5 Gbit/s"), (7, "f", "-1 Mbit/s"),
                                (8, "g", "0 Mbit/s"))]),
    "rate, absurd": (
        "vms:\n  a: {rate: 999 kbit/s}\n  b: {rate: 11 Gbit/s}\n"
        "  c: {rate: 18446744073709551615 Gbit/s}\n  d: {rate: {send: 147573952589676412 kbit/s}}\n",
        ["sys.yaml:2: vm 'a': rate '999 kbit/s': out of range: 1 Mbit/s to 10 Gbit/s",
         "sys.yaml:3: vm 'b': rate '11 Gbit/s': out of range: 1 Mbit/s to 10 Gbit/s",
         "sys.yaml:4: vm 'c': rate '18446744073709551615 Gbit/s': not a rate: write a whole number with "
         "its unit, like 100 Mbit/s or 20 MiB/s",
         "sys.yaml:5: vm 'd': rate: send '147573952589676412 kbit/s': out of range: 1 Mbit/s to "
         "10 Gbit/s"]),
    "rate of nothing": (
        "vms:\n  a: {rate: }\n  b: {rate: {}}\n  c: {disks: [{size: 1 MiB, rate: }]}\n",
        [f"sys.yaml:{line}: vm '{vm}: rate: nothing is said: write one, like 100 Mbit/s or 20 MiB/s, or "
         "settings" for line, vm in ((2, "a'"), (3, "b'"), (4, "c': disk 0"))]),
    "rate, a list": ("vms:\n  a: {rate: [1 Mbit/s, 2 Mbit/s]}\n",
                     ["sys.yaml:2: vm 'a': rate: a list, where settings belong: 'key: value'"]),
    "rate, unknown key": (
        "vms:\n  a: {rate: {sent: 1 Mbit/s}}\n  b: {disks: [{size: 1 MiB, rate: {iops: 100}}]}\n",
        ["sys.yaml:2: vm 'a': rate: unknown key 'sent': did you mean 'send'?",
         "sys.yaml:3: vm 'b': disk 0: rate: unknown key 'iops': known are bytes, operations, burst"]),
    "burst": (
        "vms:\n  a: {rate: {send: 1 Mbit/s, burst: 256 KiB}}\n  b: {rate: {send: 1 Mbit/s, burst: 4 ms}}\n"
        "  c: {rate: {send: 1 Mbit/s, burst: 2 s}}\n",
        ["sys.yaml:2: vm 'a': rate: burst '256 KiB': not a time: write a whole number with its unit, like "
         "500 us, 2 ms or 300 s",
         "sys.yaml:3: vm 'b': rate: burst '4 ms': out of range: 5 ms to 1 s",
         "sys.yaml:4: vm 'c': rate: burst '2 s': out of range: 5 ms to 1 s"]),
    "burst alone": (
        "defaults: {rate: {burst: 30 ms}}\nvms:\n  a: {rate: {send: none, burst: 10 ms}}\n"
        "  b: {disks: [{size: 1 MiB, rate: {burst: 10 ms}}]}\n",
        ["sys.yaml:1: defaults: rate: burst 30 ms: without a rate: say 'send', 'receive' or both",
         "sys.yaml:3: vm 'a': rate: burst 10 ms: without a rate: say 'send', 'receive' or both",
         "sys.yaml:4: vm 'b': disk 0: rate: burst 10 ms: without a rate: say 'bytes', 'operations' or "
         "both"]),
    "rate beside interfaces": (
        "vms:\n  a: {rate: 10 Mbit/s, interfaces: [{ip: 10.0.0.1/24}]}\n",
        ["sys.yaml:2: vm 'a': 'rate' beside 'interfaces': put it into the list"]),
    "rate of a disk": (
        "vms:\n  a: {disks: [{size: 1 MiB, rate: 1 KiB/s}]}\n"
        "  b: {disks: [{size: 1 MiB, rate: {operations: 9}}]}\n"
        "  c: {disks: [{size: 1 MiB, rate: {operations: 1000 /s}}]}\n"
        "  d: {disks: [{size: 1 MiB, rate: {bytes: 1 TiB/s, operations: 99999999999999999999}}]}\n",
        ["sys.yaml:2: vm 'a': disk 0: rate '1 KiB/s': out of range: 1 MiB/s to 4 GiB/s",
         "sys.yaml:3: vm 'b': disk 0: rate: operations '9': out of range: 10 to 1000000",
         "sys.yaml:4: vm 'c': disk 0: rate: operations '1000 /s': not a whole number",
         "sys.yaml:5: vm 'd': disk 0: rate: bytes '1 TiB/s': not a rate: write a whole number with its "
         "unit, like 100 Mbit/s or 20 MiB/s",
         "sys.yaml:5: vm 'd': disk 0: rate: operations '99999999999999999999': not a whole number"]),
    "domains, no list": ("domains: {a: 1 ms}\nvms: {a: {domain: a}}\n",
                         ["sys.yaml:1: domains: a list of turns belongs here: '- services: 1 ms', and so "
                          "on"]),
    "domains, empty": ("domains: []\nvms: [a]\n",
                       ["sys.yaml:1: domains: a list of turns belongs here: '- services: 1 ms', and so on"]),
    "domains, no turns": (
        "domains:\n  - a\n  - {a: 1 ms, b: 1 ms}\n  - [a]\n  - 9: 1 ms\n  - b: 1\n  - c: 99 us\n"
        "  - d: 11 s\n  - e: {}\nvms: [a]\n",
        [*(f"sys.yaml:{line}: domains: not a turn: write each as '- NAME: DURATION', like "
           "'- services: 1 ms'" for line in (2, 3, 4)),
         "sys.yaml:5: domains: name '9': not a name: a letter, then letters, digits, '-' or '_', 31 at most",
         "sys.yaml:6: domains: b '1': not a time: write a whole number with its unit, like 500 us, 2 ms or "
         "300 s",
         "sys.yaml:7: domains: c '99 us': out of range: 100 us to 10 s",
         "sys.yaml:8: domains: d '11 s': out of range: 100 us to 10 s",
         "sys.yaml:9: domains: e: a mapping: one value belongs here"]),
    "domains, no services": (
        "domains: [a: 1 ms]\nvms: {a: {domain: a}}\n",
        ["sys.yaml:1: domains: no turn of 'services', in whose turns timer, console, switches and disk run: "
         "add '- services: 1 ms'"]),
    "domains, too many": (
        "domains: [services: 1 ms, " + ", ".join(f"d{i}: 1 ms" for i in range(16)) + "]\n"
        "vms: {a: {domain: d0}}\n",
        ["sys.yaml:1: domains: 'd15': more than 16 domains: let machines share some"]),
    "domains, too many turns": (
        "domains: [" + ", ".join(["services: 1 ms"] * 99) + "]\nvms: {a: {domain: services}}\n",
        ["sys.yaml:1: domains: 99 turns: 98 at most"]),
    "domains of machines": (
        "domains: [services: 1 ms, a: 1 ms]\nvms:\n  a: {domain: b}\n  b: {}\n  c: {count: 2, domain: c}\n"
        "  d: {domain: a b}\n",
        ["sys.yaml:3: vm 'a': domain 'b': it has no turn in 'domains': name one that has",
         "sys.yaml:4: vm 'b': in no domain: say in whose turns it runs, by 'domain: NAME'",
         "sys.yaml:5: vm 'c0': domain 'c': it has no turn in 'domains': name one that has",
         "sys.yaml:6: vm 'd': domain 'a b': not a name: a letter, then letters, digits, '-' or '_', 31 at "
         "most"]),
    "domain without domains": (
        "vms:\n  a: {domain: b}\n",
        ["sys.yaml:2: vm 'a': domain 'b': there are no domains: write 'domains:' at the left margin"]),
    "domains on several cores": (
        "cores: 2\ndomains: [services: 1 ms]\nvms: {a: {domain: services}}\n",
        ["sys.yaml:2: domains: not with several cores: this kernel, like seL4, has them on one: 'cores: 1', "
         "or no domains"]),
    "count": ("vms:\n  a: {count: 100000}\n",
              ["sys.yaml:2: vm 'a': count '100000': out of range: 1 to 52"]),
}


@pytest.mark.parametrize("name", CASES)
def test_error(generate, name):
    text, expected = CASES[name]
    errors = generate.errors(text)
    assert sorted("\n".join(errors).split("\n")) == sorted("\n".join(expected).split("\n"))


def test_all_errors_in_one_go_in_the_order_of_lines(generate):
    errors = generate.errors("vms:\n  a: {switch: nowhere}\n  b: {vcpus: 99}\n  c: {vlan: 0}\n"
                             "  d: {ip: 1.1.1.1/33}\n  e: {bogus: 1}\n")
    assert [int(e.split(":")[1]) for e in errors] == [2, 3, 4, 5, 6]


def test_100000_vms(generate):
    text = "vms:\n" + "".join(f"  vm{i}:\n" for i in range(100000))
    assert generate.errors(text) == ["sys.yaml:1: vms: 100000 of them: 52 at most"]


def test_100000_keys(generate):
    errors = generate.errors("vms:\n  a:\n" + "".join(f"    k{i}: 1\n" for i in range(100000)))
    assert len(errors) == 101
    assert errors[-1] == "and 99900 more errors"


def test_many_groups(generate):
    errors = generate.errors("vms:\n" + "".join(f"  a{i}x: {{count: 50}}\n" for i in range(50)))
    assert "sys.yaml:1: vms: more than 52 machines: the console serves 53 machines and switches" \
        in errors


DEEP = "more than 32 lists and mappings within each other"
ANCHORS = "more than 100 anchors ('&name')"
VALUES = "more than 500000 values, with what aliases ('*name') stand for"
BOMB = "x: &a0 [1, 1, 1, 1]\n" + "".join(
    f"x{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, 20))

# Files that are no mistake: text, and what is said of it. Each hung the generator, or could.
LARGE = {
    "lists in lists": ("[" * 100000, "1: " + DEEP),
    "lists in lists, a line each": ("[\n" * 100000, "33: " + DEEP),
    "mappings in mappings": ("{" * 100000, "1: " + DEEP),
    "both": ("[{" * 100000, "1: " + DEEP),
    "block lists": ("- " * 100000, "1: " + DEEP),
    "mappings as keys": ("? " * 100000, "1: " + DEEP),
    "33 deep": ("vms: " + "[" * 32 + "]" * 32 + "\n", "1: " + DEEP),
    "anchors": ("vms:\n" + "".join(f"  a{i}: &a{i} 1\n" for i in range(100000)), "102: " + ANCHORS),
    "aliases of aliases": (BOMB, "10: " + VALUES),
    "aliases of a long list": (
        "switches: {x: {allow: [&l [" + "a, " * 100000 + "b],\n" + "*l, " * 100000 + "[b, a]]}}\n"
        "vms: [a, b]\n", "2: " + VALUES),
    "aliases in defaults": ("defaults: {trunk: &t [" + "1, " * 5000 + "1]}\nvms:\n"
                            + "".join(f"  a{i}: {{trunk: *t}}\n" for i in range(300)), "101: " + VALUES),
    "values": ("vms: [" + "a," * 1000000 + "]\n", "1: " + VALUES),
    "tag directives": ("".join(f"%TAG !a{i}! !\n" for i in range(100000)) + "---\nvms: [a]\n",
                       "17: more than 16 tag directives ('%TAG')"),
    "UTF-16": ("\ufeff" + "".join(f"%TAG !a{i}! !\n" for i in range(50000)) + "---\nvms: [a]\n",
               " not YAML: byte 0: invalid leading UTF-8 octet: save it as UTF-8 text"),
    "a trunk": ("vms: {a: {trunk: [" + "1, " * 5000 + "1]}}\n",
                "1: vm 'a': trunk: 5001 of them: 4094 at most"),
    "forwarded ports": (
        "switches: {x: {uplink: {forward: [" + ", ".join(f"'tcp:{i}->a:22'" for i in range(1, 65536))
        + "]}}}\nvms: {a: {ip: dhcp}}\n",
        "1: switch 'x': uplink: forward: 65535 of them: 1000 at most"),
    "a scalar": ("vms: {" + "x" * (5 << 20) + ": }\n", " more than 4 MiB: not a system file"),
}


def processor_time():
    """Of the programs that have been run, in seconds: clocks on walls know what else runs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("name", LARGE)
def test_what_a_file_costs_is_bounded(generate, name):
    text, expected = LARGE[name]
    begin = processor_time()
    errors = generate.errors(text.encode("utf-16-le") if name == "UTF-16" else text)
    assert processor_time() - begin < 10  # with sanitizers
    assert errors == ["sys.yaml:" + expected]


def test_files_within_the_bounds(generate):
    """32 deep; 100 anchors; an alias of a list that is read; each VLAN on each of many trunks."""
    assert generate.errors("vms: " + "[" * 31 + "]" * 31 + "\n") == [
        "sys.yaml:1: vm: a list, where settings belong: 'key: value'",
        "sys.yaml:1: vm without a name: give it one with 'name: ...'"]
    anchors = "".join(f"  a{i}: &a{i} {{memory: 40 MiB}}\n" for i in range(40))
    assert generate("vms:\n" + anchors + "  b: *a0\n").errors == []
    every = ", ".join(map(str, range(1, 4095)))
    begin = processor_time()
    result = generate(f"switches: {{net0: {{uplink: yes}}}}\ndefaults: {{memory: 40 MiB, trunk: [{every}]}}\n"
                      "vms: {a: {count: 40}}\n")
    assert result.errors == [] and processor_time() - begin < 10
    assert result.read("config/switch_net0.c").count(", 4094, 0}") == 41


def test_a_pipe_without_end(generate):
    process = subprocess.run(["sh", "-c", 'yes "# x" | "$@"', "sh", generate.program, "/dev/stdin",
                              "--board", generate.board, "--output", "out", "--kernel", "Image"],
                             cwd=generate.directory, capture_output=True, text=True, timeout=60,
                             check=False)
    assert process.returncode == 1
    assert "/dev/stdin: more than 4 MiB: not a system file\n" in process.stderr


def test_not_utf8(generate):
    errors = generate.errors(b"vms: [a\xff]\n")
    assert errors == ["sys.yaml: not YAML: byte 7: invalid leading UTF-8 octet: save it as UTF-8 "
                      "text"]


def test_no_file(generate):
    result = generate.path("absent.yaml")
    assert (result.status, result.errors) == (1, ["absent.yaml: No such file or directory"])


def test_a_directory(generate):
    result = generate.path(".")
    assert (result.status, result.errors) == (1, [".: not a file"])


KERNELS = {
    "text": (b"hello", "too short for an arm64 Image"),
    "empty": (b"", "an empty file, not an arm64 Image"),
    "magic": (image(magic=0), "not an arm64 Image (no 'ARM\\x64' at byte 56): name one, or an ELF "
              "file, or say where it belongs (load: ADDRESS) if it is a flat binary"),
    "cut gzip": (gzip.compress(image())[:-9], "compressed with gzip, and damaged or cut short"),
    "bad gzip": (gzip.compress(image())[:-8] + bytes(8), "compressed with gzip, and damaged or cut short"),
    "no gzip": (b"\x1f\x8b\x08" + bytes(100), "compressed with gzip, and damaged or cut short"),
    "cut xz": (lzma.compress(image())[:-9], "compressed with xz, and damaged or cut short"),
    "cut lzma": (lzma.compress(image(), lzma.FORMAT_ALONE)[:-9],
                 "compressed with lzma, and damaged or cut short"),
    "lz4": (b"\x02\x21\x4c\x18" + bytes(100), "compressed with lz4: unpack it to an arm64 Image"),
    "no zstd": (b"\x28\xb5\x2f\xfd" + bytes(100), "compressed with zstd, and damaged or cut short"),
    "cut zstd": (zstd(image())[:-9], "compressed with zstd, and damaged or cut short"),
    "bad zstd": (zstd(image())[:-4] + bytes(4), "compressed with zstd, and damaged or cut short"),
    "second zstd": (zstd(image()) + zstd(image())[:-9], "compressed with zstd, and damaged or cut short"),
    "zstd bomb": (zstd(bytes(300 << 20)), "unpacked more than 256 MiB: no kernel is so large"),
    "text in gzip": (gzip.compress(b"hello"), "too short for an arm64 Image"),
    "bomb": (gzip.compress(bytes(300 << 20), 1), "unpacked more than 256 MiB: no kernel is so large"),
    "cut EFI": (zboot(gzip.compress(image()))[:100], "a compressed EFI image that is cut short"),
    "bad EFI": (zboot(b"hello" + bytes(100)), "a compressed EFI image, compressed in a way that is not "
                "known: unpack it to the arm64 Image inside"),
    "EFI beyond": (b"MZ\0\0zimg" + b"\xff" * 8 + bytes(100), "a compressed EFI image that is cut short"),
    "EFI damaged": (zboot(gzip.compress(image())[:-8] + bytes(8)),
                    "compressed with gzip, and damaged or cut short"),
    "big endian": (image(flags=1), "a big-endian kernel: use a little-endian one"),
    "size": (image(image_size=1 << 63), "not an arm64 Image (its header's sizes are impossible)"),
    "offset": (image(text_offset=1 << 40), "not an arm64 Image (its header's sizes are "
               "impossible)"),
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_of_a_vm(generate, name):
    content, wrong = KERNELS[name]
    (generate.directory / "k").write_bytes(content)
    assert generate.errors("vms:\n  a: {kernel: k}\n  b: {kernel: k}\n") == [
        f"sys.yaml:2: vm 'a': kernel './k': {wrong}"]


def test_kernel_of_the_command_line(generate):
    (generate.directory / "k").write_bytes(b"hello")
    assert generate.errors("vms: [a]\n", images=("--kernel", "k")) == [
        "k: kernel: too short for an arm64 Image"]
    assert generate.errors("vms: [a]\n", images=("--kernel", "absent")) == [
        "absent: kernel: No such file or directory"]
    assert generate.errors("vms: [a]\n", images=("--kernel", ".")) == [".: kernel: not a file"]
    assert generate.errors("vms: [a]\n", images=()) == [
        "sys.yaml:1: vm 'a': no kernel: name one with 'kernel: FILE', or give braid-gen --kernel"]


def test_initramfs(generate):
    (generate.directory / "i").write_bytes(b"hello")
    assert generate.errors("vms:\n  a: {initramfs: i}\n") == [
        "sys.yaml:2: vm 'a': initramfs './i': not an initramfs: a cpio archive (find | cpio -o -H "
        "newc), maybe compressed"]


def test_initramfs_too_big(generate):
    with open(generate.directory / "i", "wb") as file:
        file.write(b"070701")
        file.truncate(300 << 20)
    assert generate.errors("vms:\n  a: {initramfs: i}\n") == [
        "sys.yaml:2: vm 'a': memory 256 MiB: too little for its kernel (32 MiB) and initramfs (300 "
        "MiB): 336 MiB or more"]


LINUX = b"Linux version 6.12.1-arm64 (somebody@somewhere) #1 SMP"


def kernel(**header):
    """An Image that says that it is Linux."""
    data = image(**header)
    return data[:4096] + b"Linux version %s\n\0" + LINUX + data[4096 + 18 + len(LINUX):]


def cpio(*entries):
    """An archive of (name, bytes)."""
    out = b""
    for name, data in (*entries, ("TRAILER!!!", b"")):
        fields = [1, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return out


FILES = cpio(("lib/modules/6.1.0/virtio_net.ko", bytes(8 << 20)), ("init", b"#!/bin/sh\n"))


def lzma_alone(data):
    return b"\x5d\x00\x00\x80\x00" + struct.pack("<Q", len(data)) + bytes(100)


def zstd_frame(data, flags=0x80, window=b"\x58", length=4):
    return b"\x28\xb5\x2f\xfd" + bytes([flags]) + window + len(data).to_bytes(length, "little") + bytes(100)


@pytest.mark.parametrize("pack, unpacked, least", [
    (bytes, 9, 64), (gzip.compress, 9, 56), (lzma.compress, 9, 56), (lzma_alone, 9, 56), (zstd_frame, 9, 56),
    (lambda data: zstd_frame(data, 0xA0, b"", 4), 9, 56),
    (lambda data: cpio(("kernel/x", bytes(100))) + bytes(512) + gzip.compress(data), 9, 56),
    (lambda data: b"BZh" + bytes(100), 1, 48), (lambda data: b"\x1f\x8b", 1, 48),
    (lambda data: data[:4 << 20], 4, 56),
    (lambda data: b"\xfd7zXZ\0" + bytes(60) + b"\xff" * 10 + b"YZ", 1, 48),
    (lambda data: b"\x28\xb5\x2f\xfd\xff", 1, 48), (lambda data: b"\x5d\x00\x00" + b"\xff" * 10, 1, 48),
], ids=["cpio", "gzip", "xz", "lzma", "zstd", "zstd_single", "two", "bzip2", "cut", "cut_cpio", "bad_xz",
        "cut_zstd", "lzma_stream"])
def test_memory_for_linux(generate, pack, unpacked, least):
    """What is accepted boots: the kernel unpacks the initramfs beside what it has been given."""
    (generate.directory / "k").write_bytes(kernel(image_size=26 << 20))
    (generate.directory / "i").write_bytes(pack(FILES))
    text = "vms:\n  a: {count: 40, kernel: k, initramfs: i, memory: %d MiB}\n"
    size = -(-(generate.directory / "i").stat().st_size >> 20)
    short = [error for error in generate.errors(text % 40) if "too little" in error]
    assert short == [f"sys.yaml:2: vm 'a0': memory 40 MiB: too little for its kernel (26 MiB) and initramfs "
                     f"({size} MiB, unpacked {unpacked} MiB): {least} MiB or more"]
    assert not [error for error in generate(text.replace("40", "1") % least).errors if "little" in error]


def test_memory_for_what_is_no_linux(generate):
    """Another program needs what its header says."""
    (generate.directory / "k").write_bytes(image(image_size=2 << 20))
    assert generate("vms: {a: {kernel: k, memory: 8 MiB}}\n").errors == []


def test_memory_of_machines_alike_is_one_error(generate):
    for memory in ("20 MiB", "3 GiB"):
        errors = generate.errors(f"vms:\n  a: {{count: 40, memory: {memory}}}\n")
        assert len([error for error in errors if error.startswith("sys.yaml:2: vm 'a")]) == 1, errors


def test_memory_beyond_the_sdk_s(generate):
    assert generate.errors("vms: [a]\n", "--memory", "4G") == [
        "braid-gen: --memory '4G': more than the SDK's kernel was made to use, which is 'memory' in "
        f"{generate.board}: take 2 GiB at most"]


def test_modules_of_another_kernel(generate):
    (generate.directory / "k").write_bytes(kernel())
    text = "vms:\n  a: {kernel: k, initramfs: i, count: 2}\n"
    for names, others in (
            (["lib/modules/6.1.0/a.ko"], "6.1.0"), (["./usr/lib/modules/6.12.1/a.ko"], "6.12.1"),
            (["lib/modules/6.1.0/a.ko", "lib/modules/6.12.1-arm64/modules.dep"], None), (["init"], None),
            (["lib/modules/README", "lib/modules//x"], None)):
        (generate.directory / "i").write_bytes(cpio(*((name, b"x") for name in names)))
        result = generate(text)
        assert result.status == 0
        assert all("take an initramfs with its modules, or a kernel that brings them (kernel: package:NAME;"
                   in error for error in result.errors)
        assert [error.split(": what")[0] for error in result.errors] == ([] if others is None else [
            "sys.yaml:2: warning: vm 'a0': its kernel is Linux 6.12.1-arm64, and the modules in its "
            f"initramfs are those of {others}"])


def test_pages_that_the_processor_has_not(generate):
    wrong = ("its pages are of 16 KiB, and the processor of 'qemu_virt_aarch64' (arm,cortex-a53) has no "
             "such: use a kernel whose pages are of 4 KiB or 64 KiB")
    refused = [f"sys.yaml:1: vm 'a': kernel './k': {wrong}"]
    for flags, errors in ((0x8, []), (0xA, []), (0xE, []), (0xC, refused)):
        (generate.directory / "k").write_bytes(image(flags=flags))
        assert generate("vms: {a: {kernel: k}}\n").errors == errors


@pytest.mark.parametrize("granules, error", [
    ("4 KiB", "must be a list of 1 to 3 sizes"), ("[]", "must be a list of 1 to 3 sizes"),
    ("[8 KiB]", "granules 8 KiB: there are 4 KiB, 16 KiB and 64 KiB"), ("[x]", "granules 'x': not a size"),
])
def test_granules(generate, granules, error):
    errors = board_errors(generate, ("granules: [4 KiB, 64 KiB]\n", f"granules: {granules}\n"))
    assert len(errors) == 1 and error in errors[0]


DISK = "disk: {file: disk.img}\n"


def test_partitions(generate):
    partitioned(generate.directory, "data", "logs")
    result = generate(DISK + "vms:\n  a: {disks: [{partition: data}]}\n"
                      "  b: {disks: [{partition: 2, read_only: yes}]}\n"
                      "  c: {disks: [{partition: 2, read_only: yes}]}\n")
    assert result.errors == []
    config = result.read("config/block.c")
    assert '.partition = "data"' in config and ".number = 2" in config


def test_partition_errors(generate):
    partitioned(generate.directory, "data", "logs")
    errors = generate.errors(DISK + "vms:\n  a: {disks: [{partition: dada}, {partition: 3}]}\n"
                             "  b: {disks: [{partition: logs}]}\n"
                             "  c: {disks: [{partition: logs, read_only: yes}]}\n"
                             "  d: {disks: [{partition: 0}, 1 MiB]}\n")
    starts = ["sys.yaml:3: vm 'a': disk 0: partition dada of ./disk.img: ",
              "sys.yaml:3: vm 'a': disk 1: partition 3 of ./disk.img: ",
              "sys.yaml:5: vm 'c': disk 0: partition logs: vm 'b': disk 0 has it too and not both "
              "only read: say 'read_only: yes' in both",
              "sys.yaml:6: vm 'd': disk 0: partition 0: they are counted from 1",
              "sys.yaml:6: vm 'd': disk 1: a size, while vm 'a': disk 0 is a partition: the board's "
              "disk is one or the other"]
    for start in starts:
        assert any(error.startswith(start) for error in errors), (start, errors)


def test_damaged_partition_table(generate):
    partitioned(generate.directory, "data", damaged=True)
    errors = generate.errors(DISK + "vms: {a: {disks: [{partition: data}]}}\n")
    assert len(errors) == 1 and "partition data of ./disk.img: " in errors[0]


def test_no_partition_table(generate):
    (generate.directory / "disk.img").write_bytes(bytes(100))
    errors = generate.errors(DISK + "vms: {a: {disks: [{partition: data}]}}\n")
    assert len(errors) == 1 and "partition data of ./disk.img: " in errors[0]


def test_board(generate):
    generate.board = generate.directory / "board.yaml"
    generate.board.write_text("memory: 3 MiB\nmemory_base: 40000000\nimage_address: 0x1001\n"
                              "uart: {address: 0x9000001, interrupt: 2}\ntimer:\n  gic: 1\n")
    errors = generate.errors("vms: [a]\n")
    name = str(generate.board)
    for line in (":1: memory '3 MiB': not a multiple of 2 MiB: 4 MiB would be",
                 ":2: memory_base '40000000': not an address: write it like 0x9000000",
                 ":3: image_address 0x1001: not a multiple of 0x1000",
                 ":4: uart: address 0x9000001: not a multiple of 0x1000",
                 ":4: uart: interrupt '2': out of range: 16 to 1019",
                 ":6: timer: unknown key 'gic': known are driver, address, interrupt"):
        assert name + line in errors


def board_errors(generate, *changes):
    """The errors of the board's file with each (text, other text) of `changes`."""
    text = (ROOT / "boards/qemu_virt_aarch64.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    generate.board = generate.directory / "board.yaml"
    generate.board.write_text(text)
    errors = generate.errors("vms: [a]\n")
    assert all(error.startswith(f"{generate.board}:") for error in errors)
    return [error.removeprefix(f"{generate.board}:") for error in errors]


def chips(room):
    files = (ROOT / "drivers" / room).glob("*.c")
    return ", ".join(sorted(file.stem for file in files if file.stem != room))


@pytest.mark.parametrize("key, room, chip", [
    ("uart", "uart", "pl011"), ("timer", "timer", "cntp"), ("disk", "block", "virtio_blk"),
    ("network", "net", "virtio_net")])
def test_chips(generate, key, room, chip):
    """A board's file names chips. The class's name is what it once had there."""
    old, near, far = (board_errors(generate, (f"driver: {chip}", f"driver: {name}"))
                      for name in (room, chip + "x", "quantum"))
    line = old[0].split(":")[0]
    assert old[0] == (f"{line}: {key}: driver '{room}': that is the class, and here belongs a chip: "
                      f"'{chip}' is what '{room}' meant (drivers/{room}/ has {chips(room)})")
    assert near[0] == (f"{line}: {key}: driver '{chip}x': no such chip: did you mean '{chip}'? "
                       f"(drivers/{room}/ has {chips(room)})")
    assert far[0] == (f"{line}: {key}: driver 'quantum': no such chip: drivers/{room}/ has "
                      f"{chips(room)}; docs/porting.md says how to add one")
    assert len(old) == len(near) == len(far) == 1


def test_timer_registers(generate):
    assert board_errors(generate, ("interrupt: 30}", "interrupt: 30, address: 0xff110000}")) == [
        "14: timer: address 0xff110000: 'cntp' is the processor's own timer and has none: leave it out"]
    assert board_errors(generate, ("driver: cntp", "driver: ttc")) == [
        "14: timer: 'address' is missing: where 'ttc' has its registers"]
    assert "14: timer: address 0xff110004: not a multiple of 0x1000" in board_errors(
        generate, ("interrupt: 30}", "interrupt: 30, address: 0xff110004}"))


def test_core_ids(generate):
    wrong = "10: core_ids: must be a list of one number for each core"
    assert board_errors(generate, ("cores: 4\n", "cores: 4\ncore_ids: 0\n")) == ["11" + wrong[2:]]
    assert board_errors(generate, ("cores: 4\n", "core_ids: [0, 1]\ncores: 4\n")) == [wrong]
    assert board_errors(generate, ("cores: 4\n", "core_ids: [0, 1, 256, x]\ncores: 4\n")) == [
        "10: core_ids 'x': not a whole number"]
    assert "must be a list" in board_errors(generate, ("cores: 4\n", "core_ids: {0: 1}\ncores: 4\n"))[0]


def test_release_addresses(generate):
    assert board_errors(generate, ("cores: 4\n", "cores: 4\nrelease_addresses: [0xd8, 0xe0]\n")) == [
        "11: release_addresses: must be a list of one number for each core"]
    assert board_errors(generate, ("cores: 4\n", "cores: 4\nrelease_addresses: [0x0, 0x8, 0xc, 0x10]\n")) == [
        "11: release_addresses: 0xc is not a multiple of 8"]
    assert board_errors(generate, ("cores: 4\n", "cores: 4\nrelease_addresses: [0x0, 0x8, x, 0x10]\n")) == [
        "11: release_addresses 'x': not an address: write it like 0x9000000"]


def test_official_timer(generate):
    """It is looked at whichever SDK is used."""
    for line, error in (("{interrupt: 30, address: 0x9100000}",
                         "address 0x9100000: 'cntp' is the processor's own timer and has none: leave it out"),
                        ("{driver: bcm2835, interrupt: 97}",
                         "'address' is missing: where 'bcm2835' has its registers"),
                        ("{driver: bcm2835, interrupt: 97, address: 0x9100010}",
                         "address 0x9100010: not a multiple of 0x1000")):
        assert board_errors(generate, ("uart:", f"official_timer: {line}\nuart:")) == [
            f"13: official_timer: {error}"]
    assert board_errors(generate, (
        "uart:", "official_timer: {driver: ttc, interrupt: 97, address: 0x9000000}\nuart:"))[0].endswith(
            "two drivers cannot share a page: take another device, or another slot of its bus")


def test_kernel_header_wants_the_gic(generate):
    """Official SDKs know the boards they are for; the bundled one knows only what the file says."""
    text = (ROOT / "boards/qemu_virt_aarch64.yaml").read_text()
    board = generate.directory / "board.yaml"
    board.write_text(text.replace("  distributor: 0x08000000\n", ""))
    result = generate.run("--kernel-header", board)
    assert result.status == 1 and result.stdout == ""
    assert result.errors[0] == f"{board}: gic: distributor: not given: the bundled SDK wants it"
    board.write_text(text.replace("distributor: 0x08000000", "distributor: 0x08000004"))
    result = generate.run("--kernel-header", board)
    assert result.status == 1 and "not a multiple of 0x1000" in result.errors[0]


@pytest.mark.parametrize("arguments", [(), ("a.yaml", "b.yaml")])
def test_kernel_header_usage(generate, arguments):
    result = generate.run("--kernel-header", *arguments)
    assert result.status == 2 and result.errors[0] == "braid-gen: name one board file"


def test_drivers_share_no_page(generate):
    assert board_errors(generate, ("0x0a003e00", "0x0a000200")) == [
        "28: network: address 0x0a000200: in the same 4 KiB page as the disk's, but two drivers cannot "
        "share a page: take another device, or another slot of its bus"]
    assert board_errors(generate, ("0x0a000000", "0x09000200")) == [
        "23: disk: address 0x09000200: in the same 4 KiB page as the uart's, but two drivers cannot "
        "share a page: take another device, or another slot of its bus"]


@pytest.mark.parametrize("gic, error", [
    ("{}", "gic: 'vcpu_interface' is missing: a GICv2 has its virtual CPU interface (GICV) at a physical "
           "address: say which, or 'version: 3'"),
    ("{version: 2}", "gic: 'vcpu_interface' is missing: a GICv2 has its virtual CPU interface (GICV) at a "
                     "physical address: say which, or 'version: 3'"),
    ("{version: 3, vcpu_interface: 0x8040000}",
     "gic: vcpu_interface 0x8040000: a GICv3 has none: leave it out"),
    ("{version: 3, hypervisor_interface: 0x8030000}",
     "gic: hypervisor_interface 0x8030000: a GICv3 has none: leave it out"),
    ("{version: 3, cpu_interface: 0x8010000}",
     "gic: cpu_interface 0x8010000: a GICv3 has none: leave it out"),
    ("{vcpu_interface: 0x8040000, redistributors: 0x80a0000}",
     "gic: redistributors 0x80a0000: a GICv2 has none: leave it out"),
    ("{version: 4}", "gic: version '4': out of range: 2 to 3"),
    ("{version: 1, vcpu_interface: 0x8040000}", "gic: version '1': out of range: 2 to 3"),
    ("{version: v3, vcpu_interface: 0x8040000}", "gic: version 'v3': not a whole number"),
    ("{vcpu_interface: 0x8040800}", "gic: vcpu_interface 0x8040800: not a multiple of 0x1000")])
def test_gic_of_a_board(generate, gic, error):
    text = generate.board.read_text()
    line = 1 + text[:text.index("\ngic:") + 1].count("\n")
    generate.board = generate.directory / "board.yaml"
    generate.board.write_text(re.sub("^gic:\n(  .*\n)+", f"gic: {gic}\n", text, flags=re.M))
    errors = generate.errors("vms: [a]\n")
    assert len(errors) >= 1 and errors[0].startswith(f"{generate.board}:{line}: {error}")


def test_memory_option(generate):
    assert generate.errors("vms: [a]\n", "--memory", "much") == [
        "braid-gen: --memory 'much': not a size: write a whole number with its unit, like 256 MiB "
        "or 1 GiB"]
    errors = generate.errors("vms:\n  a: {count: 4}\n", "--memory", "1G")
    assert len(errors) == 1 and "the board has 1 GiB" in errors[0]


@pytest.mark.parametrize("arguments", [(), ("a.yaml",), ("a", "b"), ("--bogus",), ("--board",)])
def test_usage(generate, arguments):
    result = generate.run(*arguments)
    assert result.status == 2
    assert any(line.startswith("usage: braid-gen") for line in result.errors)


def test_nothing_is_lost_on_errors(generate):
    generate("vms: [a]\n")
    before = {path: path.read_bytes() for path in (generate.directory / "out").rglob("*.*")
              if path.is_file()}
    assert generate("vms: [a, a]\n").status == 1
    after = {path: path.read_bytes() for path in (generate.directory / "out").rglob("*.*")
             if path.is_file()}
    assert before == after


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_output_cannot_be_written(generate):
    (generate.directory / "out").write_text("in the way")
    result = generate("vms: [a]\n")
    assert result.status == 1
    assert result.errors and "out" in result.errors[0]
