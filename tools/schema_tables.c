/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include "lib/net_port.h"
#include "model.h"

/* The language of system and board files. What each key's fields mean: schema.h. */

#define AT(record, field) offsetof(struct record##_settings, field)
#define TABLE(name)       .keys = (name), .count = sizeof(name) / sizeof((name)[0])

/*
 * Processor time of the programs that serve machines, as in a system file: a budget in each period.
 * A budget that equals its period is no limit.
 */
/*
 * A monitor has worked for its machine for a time slice, 2 ms, when it throttles it for another.
 * Its budget is more than the one, and is full again after the other: seL4 adds up what was used in
 * small pieces when they are no longer ago than the budget lasts.
 */
#define MONITOR_BUDGET "2200 us"
#define MONITOR_PERIOD "4200 us"
#define SWITCH_BUDGET  "1 ms"
#define SWITCH_PERIOD  "4 ms"
#define BLOCK_BUDGET   "1 ms"
#define BLOCK_PERIOD   "4 ms"
#define CONSOLE_BUDGET "1 ms"
#define CONSOLE_PERIOD "4 ms"
/* Frames from outside must not take the processor away from the machines. */
#define CARD_BUDGET "500 us"
#define CARD_PERIOD "1 ms"

/* The two keys of such a program. */
#define BUDGET_KEY(record, of_what, its_budget)                                                    \
    .name = "budget", .kind = VALUE_DURATION, .offset = AT(record, budget),                        \
    .fallback = (its_budget), .minimum = SHARE_MIN, .maximum = SHARE_MAX,                          \
    .purpose = "Processor time of " of_what " in each period, at most; equal to the period: no "   \
               "limit."
#define PERIOD_KEY(record, its_period)                                                             \
    .name = "period", .kind = VALUE_DURATION, .offset = AT(record, period),                        \
    .fallback = (its_period), .minimum = SHARE_MIN, .maximum = SHARE_MAX,                          \
    .purpose = "When that budget is full again. Not without `budget`."

/* The core of a program that serves machines. */
#define CPU_KEY(record, of_what, otherwise)                                                        \
    .name = "cpu", .kind = VALUE_COUNT, .offset = AT(record, cpu), .fallback = "0",                \
    .derived = (otherwise),                                                                        \
    .purpose = "The core on which " of_what ", from 0. Not without `cores` at the left margin."

static const char *const path_words[] = {"isolated", "vhost", NULL};
static const char *const trigger_words[] = {"level", "edge", NULL};
static const char *const dma_words[] = {"none", "trusted", NULL};
static const char *const start_words[] = {"boot", "held", NULL};
static const char *const on_crash_words[] = {"hold", "stop", "restart", NULL}; /* vmm_on_crash */

static const struct schema_key system_keys[] = {
    {.name = "description",
     .kind = VALUE_TEXT,
     .offset = AT(system, description),
     .fallback = "",
     .derived = "empty",
     .purpose = "One line on what the system is, for `make systems`."},
    {.name = "cores",
     .kind = VALUE_COUNT,
     .offset = AT(system, cores),
     .fallback = "1",
     .minimum = 1,
     .maximum = CORES_MAX,
     .purpose = "How many of the board's cores the system uses. With several the SDK's config is "
                "the one that begins with `smp-`."},
    {.name = "domains",
     .kind = VALUE_NODE,
     .offset = AT(system, domains),
     .shape = "list of `NAME: DURATION`",
     .derived = "no domains",
     .purpose = "Whose turn it is, again and again, and for how long: see \"Domains\"."},
    {.name = "vms",
     .kind = VALUE_NODE,
     .offset = AT(system, vms),
     .required = true,
     .shape = "mapping or list",
     .purpose = "The machines: a mapping from names to settings, or a list of names."},
    {.name = "defaults",
     .kind = VALUE_NODE,
     .offset = AT(system, defaults),
     .shape = "mapping",
     .purpose = "Settings that every machine starts from; its own win."},
    {.name = "switches",
     .kind = VALUE_NODE,
     .offset = AT(system, switches),
     .shape = "mapping or list",
     .derived = "one, `net0`",
     .purpose = "The switches: a mapping from names to settings, or a list of names."},
    {.name = "disk",
     .kind = VALUE_NODE,
     .offset = AT(system, disk),
     .shape = "mapping",
     .derived = "made as large as the machines' disks",
     .purpose = "The board's disk, of which machines have parts."},
    {.name = "shared",
     .kind = VALUE_NODE,
     .offset = AT(system, shared),
     .shape = "mapping or list",
     .derived = "none",
     .purpose = "Memory that machines share, with doorbells: a mapping from names to settings."},
    {.name = "console",
     .kind = VALUE_NODE,
     .offset = AT(system, console),
     .shape = "mapping",
     .derived = "see below",
     .purpose = "The program that shares the serial line."},
};

const struct schema system_schema = {
    .heading = "The file",
    .purpose = "The keys at the left margin.",
    TABLE(system_keys),
};

static const struct schema_key disk_keys[] = {
    {.name = "file",
     .kind = VALUE_PATH,
     .offset = AT(disk, file),
     .derived = "one is made",
     .purpose = "An image of a disk that is there already; a relative path starts at the system "
                "file's directory."},
    {.name = "size",
     .kind = VALUE_SIZE,
     .offset = AT(disk, size),
     .multiple = MIB,
     .derived = "the file's, or what is needed",
     .purpose = "The disk's size."},
    {CPU_KEY(disk, "the program that shares the disk and the disk's driver run", NULL)},
    {BUDGET_KEY(disk, "the program that shares the disk", BLOCK_BUDGET)},
    {PERIOD_KEY(disk, BLOCK_PERIOD)},
};

const struct schema disk_schema = {
    .heading = "The board's disk",
    .purpose = "Under `disk` at the left margin.",
    TABLE(disk_keys),
};

static const struct schema_key shared_keys[] = {
    {.name = "name",
     .kind = VALUE_NAME,
     .offset = AT(shared, name),
     .derived = "the key in `shared`",
     .purpose = "For memory that is an item of a list."},
    {.name = "size",
     .kind = VALUE_SIZE,
     .offset = AT(shared, size),
     .required = true,
     .minimum = 4 * KIB,
     .maximum = 512 * MIB,
     .multiple = 4 * KIB,
     .purpose = "How much memory; zero when the board starts."},
    {.name = "vms",
     .kind = VALUE_NODE,
     .offset = AT(shared, vms),
     .required = true,
     .shape = "list of names",
     .purpose = "The machines that have it. Each one's number is its place in this list, from 0."},
    {.name = "read_only",
     .kind = VALUE_NODE,
     .offset = AT(shared, read_only),
     .shape = "list of names",
     .derived = "all may write",
     .purpose = "Those of them that may only read. They may ring all the same."},
};

const struct schema shared_schema = {
    .heading = "Shared memory",
    .purpose = "Under a name in `shared` at the left margin. What a guest sees of it: "
               "[shared memory](shared.md).",
    TABLE(shared_keys),
};

static const struct schema_key console_keys[] = {
    {CPU_KEY(console, "the program that shares the serial line and the line's driver run", NULL)},
    {BUDGET_KEY(console, "the program that shares the serial line", CONSOLE_BUDGET)},
    {PERIOD_KEY(console, CONSOLE_PERIOD)},
};

const struct schema console_schema = {
    .heading = "The console",
    .purpose = "Under `console` at the left margin. Whether a machine has a console is said by its "
               "own key.",
    TABLE(console_keys),
};

/* What may pass after a pause. The longest keeps the buckets' arithmetic within 64 bits. */
#define BURST_KEY(record)                                                                          \
    .name = "burst", .kind = VALUE_DURATION, .offset = AT(record, burst), .fallback = "20 ms",     \
    .minimum = 5000, .maximum = 1000000,                                                           \
    .purpose = "What may pass at once after a pause: what the rate allows in this time."

static const struct schema_key disk_rate_keys[] = {
    {.name = "bytes",
     .kind = VALUE_RATE,
     .offset = AT(disk_rate, bytes),
     .fallback = "none",
     .minimum = MIB,
     .maximum = 4096 * MIB,
     .purpose = "What is read and written, both together, at most."},
    {.name = "operations",
     .kind = VALUE_COUNT,
     .offset = AT(disk_rate, operations),
     .minimum = 10,
     .maximum = 1000000,
     .purpose = "Requests per second, at most. Flushes do not count."},
    {BURST_KEY(disk_rate)},
};

const struct schema disk_rate_schema = {
    .heading = "A machine's disk's rate",
    .purpose =
        "Under `rate` in an item of `disks`. A rate alone is that of `bytes`. A request that "
        "may not go yet waits, with those behind it; nothing is refused.",
    TABLE(disk_rate_keys),
};

static const struct schema_key slice_keys[] = {
    {.name = "size",
     .kind = VALUE_SIZE,
     .offset = AT(slice, size),
     .multiple = MIB,
     .minimum = MIB,
     .derived = "with `image`, that file's",
     .purpose = "So much of the board's disk, behind the machines' earlier disks."},
    {.name = "partition",
     .kind = VALUE_TEXT,
     .offset = AT(slice, partition),
     .purpose = "Instead of a size: a partition of the board's disk (GPT), by its name or number."},
    {.name = "read_only",
     .kind = VALUE_SWITCHED,
     .offset = AT(slice, read_only),
     .fallback = "no",
     .purpose = "Whether the machine may only read. A partition may have many readers or one "
                "machine that writes."},
    {.name = "content",
     .kind = VALUE_PATH,
     .offset = AT(slice, content),
     .purpose = "A directory or tar archive: the disk is made with an ext4 file system of it. A "
                "relative path starts at the system file's directory."},
    {.name = "image",
     .kind = VALUE_PATH,
     .offset = AT(slice, image),
     .purpose = "A whole disk's image, raw or qcow2, with which the disk is made: what a "
                "distribution offers for virtual machines, say. The disk is as large as the image, "
                "or larger if `size` says so."},
    {.name = "rate",
     .kind = VALUE_NODE,
     .offset = AT(slice, rate),
     .shape = "rate or mapping",
     .purpose = "How much the machine may read and write per second."},
};

const struct schema slice_schema = {
    .heading = "A machine's disk",
    .purpose = "An item of a machine's `disks`. An item that is only a size means that size.",
    TABLE(slice_keys),
};

static const struct schema_key rate_keys[] = {
    {.name = "send",
     .kind = VALUE_RATE,
     .offset = AT(rate, send),
     .fallback = "none",
     .minimum = 125000,
     .maximum = 1250000000,
     .purpose =
         "What the guest sends, at most. Frames that may not go yet stay in its card's queue."},
    {.name = "receive",
     .kind = VALUE_RATE,
     .offset = AT(rate, receive),
     .fallback = "none",
     .minimum = 125000,
     .maximum = 1250000000,
     .purpose = "What the guest receives, at most. What comes too soon waits in the switch, for a "
                "tenth of a second's worth; what comes beyond that is dropped."},
    {BURST_KEY(rate)},
};

const struct schema rate_schema = {
    .heading = "An interface's rate",
    .purpose =
        "Under `rate` in an interface. A rate alone is that of `send` and of `receive`, each "
        "on its own.",
    TABLE(rate_keys),
};

static const struct schema_key interface_keys[] = {
    {.name = "switch",
     .kind = VALUE_NAME,
     .offset = AT(interface, on_switch),
     .derived = "the first switch",
     .purpose = "The switch that the interface is plugged into."},
    {.name = "ip",
     .kind = VALUE_IPV4_NET,
     .offset = AT(interface, ip),
     .own = true,
     .purpose = "Address and prefix length, set in the guest at boot. With `count`, of the first "
                "machine; the others follow. `dhcp`: the guest asks for one."},
    {.name = "gateway",
     .kind = VALUE_IPV4,
     .offset = AT(interface, gateway),
     .purpose = "Default route; an address in the network of `ip`."},
    {.name = "mac",
     .kind = VALUE_MAC,
     .offset = AT(interface, mac),
     .own = true,
     .derived = "computed",
     .purpose =
         "Hardware address. The computed one depends on the names of the system, the machine "
         "and the interface's place only."},
    {.name = "any_mac",
     .kind = VALUE_SWITCHED,
     .offset = AT(interface, any_mac),
     .fallback = "no",
     .purpose = "Whether the guest may send from other hardware addresses, as a bridge does. "
                "Otherwise the switch drops such frames, and the card refuses another address."},
    {.name = "vlan",
     .kind = VALUE_COUNT,
     .offset = AT(interface, vlan),
     .minimum = 1,
     .maximum = 4094,
     .purpose = "Access port: the guest sends and gets untagged frames of this VLAN."},
    {.name = "trunk",
     .kind = VALUE_NODE,
     .offset = AT(interface, trunk),
     .shape = "list of numbers",
     .purpose = "Trunk port: the guest sends and gets tagged frames of these VLANs (1 to 4094)."},
    {.name = "path",
     .kind = VALUE_CHOICE,
     .offset = AT(interface, path),
     .fallback = "isolated",
     .choices = path_words,
     .purpose = "Data path. `isolated`: the switch sees the frames, not the machine's memory. "
                "`vhost`: it has the memory, and copies each frame once instead of three times."},
    {.name = "rate",
     .kind = VALUE_NODE,
     .offset = AT(interface, rate),
     .shape = "rate or mapping",
     .purpose = "How much the guest may send and receive per second."},
};

const struct schema interface_schema = {
    .heading = "An interface",
    .purpose = "A machine with one interface has these keys among its own; one with several lists "
               "them under `interfaces`.",
    TABLE(interface_keys),
};

static const struct schema_key vm_keys[] = {
    {.name = "name",
     .kind = VALUE_NAME,
     .offset = AT(vm, name),
     .own = true,
     .derived = "the key in `vms`",
     .purpose = "For machines that are items of a list."},
    {.name = "count",
     .kind = VALUE_COUNT,
     .offset = AT(vm, count),
     .own = true,
     .minimum = 1,
     .maximum = MEMBERS_MAX - 1,
     .derived = "one machine of that name",
     .purpose = "So many machines alike, named `name0`, `name1`, ..."},
    {.name = "memory",
     .kind = VALUE_SIZE,
     .offset = AT(vm, memory),
     .fallback = "256 MiB",
     .minimum = 8 * MIB,
     .multiple = 2 * MIB,
     .purpose = "The machine's RAM."},
    {.name = "vcpus",
     .kind = VALUE_COUNT,
     .offset = AT(vm, vcpus),
     .fallback = "1",
     .minimum = 1,
     .maximum = VMM_MAX_VCPUS,
     .purpose = "Virtual processors: up to 8 on a board with a GICv2, 16 with a GICv3."},
    {.name = "cpu",
     .kind = VALUE_NODE,
     .offset = AT(vm, cpu),
     .shape = "number or list of numbers",
     .derived = "the core with the fewest vCPUs",
     .purpose =
         "The core on which its vCPUs run, from 0, or a list with the core of each vCPU. The "
         "monitor runs on the first vCPU's. Not without `cores` at the left margin."},
    {.name = "firmware",
     .kind = VALUE_PATH,
     .offset = AT(vm, firmware),
     .derived = "none",
     .purpose = "What starts in place of a kernel, and finds one on the machine's disk: `u-boot`, "
                "which is the distribution's, or a file with a flat program for the address 0. It "
                "is read-only, and its device tree lies at the beginning of RAM."},
    {.name = "kernel",
     .kind = VALUE_PATH,
     .offset = AT(vm, kernel),
     .derived = "the distribution's",
     .purpose = "An arm64 `Image` or an ELF file, maybe compressed (gzip, xz, lzma, zstd, EFI "
                "zboot); with `load`, any program. A relative path starts at the system file's "
                "directory. `package:NAME`: that of one of the distribution's packages, with an "
                "initramfs that has its modules."},
    {.name = "load",
     .kind = VALUE_HEX,
     .offset = AT(vm, load),
     .minimum = 4,
     .multiple = 4,
     .derived = "what the kernel's file says",
     .purpose = "The guest-physical address where the bytes of `kernel` belong, and where it is "
                "entered: for a flat binary. The machine's RAM begins at 0x40000000."},
    {.name = "initramfs",
     .kind = VALUE_PATH,
     .offset = AT(vm, initramfs),
     .derived = "ours, with the distribution's kernels; else none",
     .purpose = "A cpio archive, compressed as the kernel likes; or `none`."},
    {.name = "cmdline",
     .kind = VALUE_TEXT,
     .offset = AT(vm, cmdline),
     .fallback = "",
     .derived = "empty",
     .purpose = "Further kernel arguments, put behind ours."},
    {.name = "bootargs",
     .kind = VALUE_TEXT,
     .offset = AT(vm, bootargs),
     .fallback = "",
     .derived = "ours, and then `cmdline`",
     .purpose = "All of the kernel's arguments. The word `...` among them stands for ours. Not "
                "together with `cmdline`."},
    {.name = "hostname",
     .kind = VALUE_HOSTNAME,
     .offset = AT(vm, hostname),
     .own = true,
     .derived = "the machine's name",
     .purpose = "The guest's host name."},
    {.name = "router",
     .kind = VALUE_SWITCHED,
     .offset = AT(vm, router),
     .fallback = "no",
     .purpose = "Whether the guest forwards IP packets between its interfaces."},
    {.name = "kaslr",
     .kind = VALUE_SWITCHED,
     .offset = AT(vm, kaslr),
     .fallback = "no",
     .purpose =
         "Whether its Linux may put itself at random addresses, other ones at each start. It "
         "then isolates its page tables (KPTI) on processors that would not need it, which "
         "costs up to 4 % of the network's throughput."},
    {.name = "console",
     .kind = VALUE_SWITCHED,
     .offset = AT(vm, console),
     .fallback = "yes",
     .purpose = "Whether the machine has a console (`hvc0`)."},
    {.name = "power_button",
     .kind = VALUE_SWITCHED,
     .offset = AT(vm, power_button),
     .fallback = "yes",
     .purpose = "Whether the machine has a power button, by which its guest can be asked to shut "
                "down."},
    {.name = "start",
     .kind = VALUE_CHOICE,
     .offset = AT(vm, start),
     .fallback = "boot",
     .choices = start_words,
     .purpose = "`held`: it waits to be started from the console."},
    {.name = "on_crash",
     .kind = VALUE_CHOICE,
     .offset = AT(vm, on_crash),
     .fallback = "hold",
     .derived = "`hold`; `restart` with a `watchdog`",
     .choices = on_crash_words,
     .purpose = "What becomes of it when it crashes. `hold`: it stays as it is until somebody "
                "presses Enter at its console. `stop`: the same, and if its kernel has panicked, "
                "that does not run on. `restart`: it is restarted after 1 s, and after twice as "
                "long each time that it crashes again before it has run for a minute; after five "
                "times it is held."},
    {.name = "watchdog",
     .kind = VALUE_DURATION,
     .offset = AT(vm, watchdog),
     .fallback = "0 s",
     .derived = "none",
     .maximum = VMM_WATCHDOG_MAX * 1000000ULL,
     .multiple = 1000000,
     .purpose = "It has a watchdog (an SP805). Once the guest has started it, the guest may be "
                "silent for so long; then it counts as crashed. 0: none."},
    {.name = "priority",
     .kind = VALUE_COUNT,
     .offset = AT(vm, priority),
     .fallback = "50",
     .minimum = 1,
     .maximum = 99,
     .purpose = "A higher machine runs whenever it can; equal ones take turns."},
    {.name = "budget",
     .kind = VALUE_DURATION,
     .offset = AT(vm, budget),
     .derived = "the period",
     .minimum = SHARE_MIN,
     .maximum = SHARE_MAX,
     .purpose = "Processor time in each period, at most."},
    {.name = "period",
     .kind = VALUE_DURATION,
     .offset = AT(vm, period),
     .fallback = "2 ms",
     .minimum = SHARE_MIN,
     .maximum = SHARE_MAX,
     .purpose = "When the budget is full again; the time slice among equals."},
    {.name = "domain",
     .kind = VALUE_NAME,
     .offset = AT(vm, domain),
     .derived = "must be given where there are `domains`",
     .purpose = "In whose turns the machine and its monitor run: a name in `domains`."},
    {.name = "monitor",
     .kind = VALUE_NODE,
     .offset = AT(vm, monitor),
     .shape = "mapping",
     .derived = "see below",
     .purpose = "The program that runs the machine: its virtual devices and interrupts."},
    {.name = "disks",
     .kind = VALUE_NODE,
     .offset = AT(vm, disks),
     .shape = "list of sizes and mappings",
     .derived = "no disk",
     .purpose = "The machine's disks, in the guest's order: `vda`, `vdb`, ..."},
    {.name = "devices",
     .kind = VALUE_NODE,
     .offset = AT(vm, devices),
     .own = true,
     .shape = "list of names",
     .derived = "no device",
     .purpose = "Devices of the board that are the machine's alone: names under `devices` in the "
                "board's file."},
    {.name = "dma",
     .kind = VALUE_CHOICE,
     .offset = AT(vm, dma),
     .own = true,
     .fallback = "none",
     .choices = dma_words,
     .purpose = "`trusted`: one of its devices, or one in the same page, masters the bus, and can "
                "read and write all of the board's memory as the guest tells it to. The guest is "
                "trusted not to."},
    {.name = "interfaces",
     .kind = VALUE_NODE,
     .offset = AT(vm, interfaces),
     .own = true,
     .shape = "list of mappings, or `none`",
     .derived = "one interface",
     .purpose = "The interfaces of a machine with several, or with none."},
};

const struct schema vm_schema = {
    .heading = "A machine",
    .purpose =
        "Under a name in `vms`; most also under `defaults`. `vm0:` with nothing behind it is "
        "a complete machine.",
    TABLE(vm_keys),
    .also = &interface_schema,
    .also_offset = AT(vm, interface),
};

static const struct schema_key monitor_keys[] = {
    {BUDGET_KEY(monitor, "the monitor", MONITOR_BUDGET)},
    {PERIOD_KEY(monitor, MONITOR_PERIOD)},
};

const struct schema monitor_schema = {
    .heading = "A machine's monitor",
    .purpose = "Under `monitor` in a machine, or in `defaults`.",
    TABLE(monitor_keys),
};

static const struct schema_key uplink_keys[] = {
    {.name = "to",
     .kind = VALUE_NAME,
     .offset = AT(uplink, to),
     .derived = "QEMU's user network",
     .purpose = "Another system, whose file lies beside this one, for a board of its own: a cable "
                "joins both. It names this one in its `to`; `make run` starts both."},
    {.name = "vlans",
     .kind = VALUE_NODE,
     .offset = AT(uplink, vlans),
     .shape = "list of numbers",
     .derived = "all of the switch's",
     .purpose =
         "The VLANs (1 to 4094) whose frames go out and come in, with tags. Frames without a "
         "tag are those of the ports on no VLAN."},
    {.name = "native",
     .kind = VALUE_COUNT,
     .offset = AT(uplink, native),
     .minimum = 1,
     .maximum = 4094,
     .purpose =
         "The VLAN that frames without a tag are on; then the ports on no VLAN are not joined "
         "to the outside."},
    {.name = "forward",
     .kind = VALUE_NODE,
     .offset = AT(uplink, forward),
     .shape = "list",
     .purpose =
         "Ports of the host that lead to a machine's, with QEMU's user network: each item is "
         "like `tcp:2222->vm0:22`. They listen on 127.0.0.1."},
    {.name = "flood",
     .kind = VALUE_COUNT,
     .offset = AT(uplink, flood),
     .fallback = "1000",
     .maximum = 1000000,
     .purpose =
         "Broadcasts and multicasts that are let in from outside per second; 0: any number."},
    {CPU_KEY(uplink, "the card's driver runs", NULL)},
    {BUDGET_KEY(uplink, "the card's driver", CARD_BUDGET)},
    {PERIOD_KEY(uplink, CARD_PERIOD)},
};

const struct schema uplink_schema = {
    .heading = "An uplink",
    .purpose = "Under `uplink` in a switch; `uplink: yes` is one with nothing else said.",
    TABLE(uplink_keys),
};

static const struct schema_key switch_keys[] = {
    {.name = "name",
     .kind = VALUE_NAME,
     .offset = AT(switch, name),
     .derived = "the key in `switches`",
     .purpose = "For switches that are items of a list."},
    {.name = "allow",
     .kind = VALUE_NODE,
     .offset = AT(switch, allow),
     .shape = "list",
     .derived = "all may talk to all",
     .purpose = "Who may talk: each item is a list of machines that reach one another, or "
                "`a -> b` for frames from a to b only. Nobody else reaches anybody."},
    {.name = "deny",
     .kind = VALUE_NODE,
     .offset = AT(switch, deny),
     .shape = "list",
     .purpose = "Who may not, written likewise; all others may. Not together with `allow`."},
    {.name = "mirror",
     .kind = VALUE_NAME,
     .offset = AT(switch, mirror),
     .purpose = "A machine whose port gets a copy of every frame."},
    {.name = "uplink",
     .kind = VALUE_NODE,
     .offset = AT(switch, uplink),
     .shape = "yes, no or mapping",
     .derived = "no",
     .purpose =
         "Whether the board's network card is a port of this switch; `allow` and `deny` know "
         "it as `uplink`."},
    {.name = "ageing",
     .kind = VALUE_DURATION,
     .offset = AT(switch, ageing),
     .fallback = "300 s",
     .multiple = 1000000,
     .maximum = 86400ULL * 1000000,
     .purpose = "A learnt address is forgotten after this time; 0: never."},
    {.name = "queue",
     .kind = VALUE_SIZE,
     .offset = AT(switch, queue),
     .fallback = "256 KiB",
     .minimum = 256 << 10,
     .maximum = 16 * MIB,
     .purpose = "Each port's queue, in each direction; a power of two."},
    {.name = "mtu",
     .kind = VALUE_COUNT,
     .offset = AT(switch, mtu),
     .fallback = "1500",
     .minimum = NET_MTU_MIN,
     .maximum = NET_MTU_MAX,
     .purpose = "How many bytes of payload an Ethernet frame has at most. The guests' cards say "
                "so, and Linux heeds it. With an `uplink` 1500 at most."},
    {CPU_KEY(switch, "the switch runs", "the last core")},
    {BUDGET_KEY(switch, "the switch", SWITCH_BUDGET)},
    {PERIOD_KEY(switch, SWITCH_PERIOD)},
};

const struct schema switch_schema = {
    .heading = "A switch",
    .purpose = "Under a name in `switches`.",
    TABLE(switch_keys),
};

static const struct schema_key board_keys[] = {
    {.name = "description",
     .kind = VALUE_TEXT,
     .offset = AT(board, description),
     .fallback = "",
     .derived = "empty",
     .purpose = "One line on what the board is."},
    {.name = "memory_base",
     .kind = VALUE_HEX,
     .offset = AT(board, memory_base),
     .required = true,
     .purpose = "Physical address of the RAM."},
    {.name = "memory",
     .kind = VALUE_SIZE,
     .offset = AT(board, memory_size),
     .required = true,
     .multiple = 2 * MIB,
     .purpose = "The RAM's size, at most."},
    {.name = "reserved",
     .kind = VALUE_SIZE,
     .offset = AT(board, memory_reserved),
     .fallback = "32 MiB",
     .multiple = 2 * MIB,
     .purpose = "Of it, what the microkernel, the loader and our own programs take."},
    {.name = "region_max",
     .kind = VALUE_SIZE,
     .offset = AT(board, region_max),
     .fallback = "64 MiB",
     .minimum = 2 * MIB,
     .multiple = 2 * MIB,
     .purpose = "The largest piece in which a guest's RAM is asked of the microkernel."},
    {.name = "guest_memory_base",
     .kind = VALUE_HEX,
     .offset = AT(board, guest_memory_base),
     .purpose = "Physical address of RAM that the microkernels leave to guests."},
    {.name = "guest_memory",
     .kind = VALUE_SIZE,
     .offset = AT(board, guest_memory),
     .fallback = "0 MiB",
     .multiple = 2 * MIB,
     .purpose = "Its size. Guests' RAM goes there first, by fixed addresses, and then wherever the "
                "SDK's tool finds room."},
    {.name = "image_address",
     .kind = VALUE_HEX,
     .offset = AT(board, image_address),
     .required = true,
     .purpose = "Where the boot image is loaded and entered."},
    {.name = "cores",
     .kind = VALUE_COUNT,
     .offset = AT(board, cores),
     .fallback = "1",
     .minimum = 1,
     .maximum = CORES_MAX,
     .purpose = "How many cores it has."},
    {.name = "core_ids",
     .kind = VALUE_NODE,
     .offset = AT(board, core_ids),
     .shape = "list of numbers",
     .derived = "`[0, 1, ...]`",
     .purpose = "What PSCI knows each core by: the affinity fields of its MPIDR_EL1."},
    {.name = "release_addresses",
     .kind = VALUE_NODE,
     .offset = AT(board, release_addresses),
     .shape = "list of addresses",
     .derived = "none: cores start by PSCI",
     .purpose = "Where the bundled kernel writes to start each core, on a board without PSCI. The "
                "cores wait for that in firmware's code (a spin table)."},
    {.name = "cpu",
     .kind = VALUE_TEXT,
     .offset = AT(board, cpu),
     .required = true,
     .purpose = "The processor as a device tree names it, like `arm,cortex-a53`."},
    {.name = "granules",
     .kind = VALUE_NODE,
     .offset = AT(board, granules),
     .shape = "list of sizes",
     .derived = "not known",
     .purpose = "The sizes of pages that it can do (ID_AA64MMFR0_EL1), like `[4 KiB, 64 KiB]`. A "
                "guest's kernel with others is refused."},
    {.name = "uart",
     .kind = VALUE_NODE,
     .offset = AT(board, uart),
     .required = true,
     .shape = "mapping",
     .purpose = "The serial line that all consoles share."},
    {.name = "timer",
     .kind = VALUE_NODE,
     .offset = AT(board, timer),
     .required = true,
     .shape = "mapping",
     .purpose = "The clock that wakes sleeping machines."},
    {.name = "official_timer",
     .kind = VALUE_NODE,
     .offset = AT(board, official_timer),
     .shape = "mapping",
     .derived = "`timer`",
     .purpose = "The one on official SDKs, with the keys of `timer`, where seL4 keeps that one to "
                "itself."},
    {.name = "gic",
     .kind = VALUE_NODE,
     .offset = AT(board, gic),
     .required = true,
     .shape = "mapping",
     .purpose = "The interrupt controller."},
    {.name = "disk",
     .kind = VALUE_NODE,
     .offset = AT(board, disk),
     .shape = "mapping",
     .purpose = "The disk that machines share."},
    {.name = "network",
     .kind = VALUE_NODE,
     .offset = AT(board, network),
     .shape = "mapping",
     .purpose = "The network card."},
    {.name = "clock",
     .kind = VALUE_NODE,
     .offset = AT(board, clock),
     .shape = "mapping",
     .purpose = "What knows the time of day. Monitors read it once, for the machines' clocks, and "
                "cannot set it. If a machine is handed its page, nobody else reads it."},
    {.name = "boot",
     .kind = VALUE_NODE,
     .offset = AT(board, boot),
     .shape = "mapping",
     .purpose = "What its firmware needs on an SD card, to boot from it: for `make sdcard`."},
    {.name = "devices",
     .kind = VALUE_NODE,
     .offset = AT(board, devices),
     .shape = "mapping",
     .purpose = "Devices that may be handed to a machine: a mapping from names to settings."},
    {.name = "qemu",
     .kind = VALUE_NODE,
     .offset = AT(board, qemu),
     .shape = "mapping",
     .purpose = "How QEMU emulates the board, if it does."},
};

const struct schema board_schema = {
    .heading = "The board file",
    .purpose = "`boards/BOARD.yaml`, where BOARD is the Microkit SDK's name of the board.",
    TABLE(board_keys),
};

static const struct schema_key uart_keys[] = {
    {.name = "driver",
     .kind = VALUE_NAME,
     .offset = AT(uart, driver),
     .fallback = "pl011",
     .purpose = "The chip: what its file in `drivers/uart/` is called."},
    {.name = "address",
     .kind = VALUE_HEX,
     .offset = AT(uart, address),
     .required = true,
     .purpose = "Physical address of its registers (one 4 KiB page)."},
    {.name = "interrupt",
     .kind = VALUE_COUNT,
     .offset = AT(uart, interrupt),
     .required = true,
     .minimum = 16,
     .maximum = 1019,
     .purpose = "The GIC's number (INTID) of its interrupt."},
};

const struct schema uart_schema = {
    .heading = "A board's uart",
    .purpose = "Under `uart` in the board file.",
    TABLE(uart_keys),
};

static const struct schema_key timer_keys[] = {
    {.name = "driver",
     .kind = VALUE_NAME,
     .offset = AT(timer, driver),
     .fallback = "cntp",
     .purpose = "The chip: what its file in `drivers/timer/` is called."},
    {.name = "address",
     .kind = VALUE_HEX,
     .offset = AT(timer, address),
     .derived = "none, for `cntp`",
     .purpose = "Physical address of its registers (one 4 KiB page). `cntp`, the processor's own "
                "physical timer, has none; every other chip has."},
    {.name = "interrupt",
     .kind = VALUE_COUNT,
     .offset = AT(timer, interrupt),
     .required = true,
     .minimum = 16,
     .maximum = 1019,
     .purpose = "The GIC's number (INTID) of its interrupt."},
};

const struct schema timer_schema = {
    .heading = "A board's timer",
    .purpose = "Under `timer` in the board file.",
    TABLE(timer_keys),
};

static const struct schema_key clock_keys[] = {
    {.name = "driver",
     .kind = VALUE_NAME,
     .offset = AT(clock, driver),
     .fallback = "pl031",
     .purpose = "The chip. `pl031` is the only one that is known."},
    {.name = "address",
     .kind = VALUE_HEX,
     .offset = AT(clock, address),
     .required = true,
     .purpose = "Physical address of its registers (one 4 KiB page)."},
};

const struct schema clock_schema = {
    .heading = "A board's clock",
    .purpose = "Under `clock` in the board file.",
    TABLE(clock_keys),
};

static const struct schema_key gic_keys[] = {
    {.name = "version",
     .kind = VALUE_COUNT,
     .offset = AT(gic, version),
     .fallback = "2",
     .minimum = 2,
     .maximum = 3,
     .purpose = "GICv2 or GICv3. Guests get one of the same version: a GICv2 is for machines of up "
                "to 8 vCPUs, a GICv3 of up to 16."},
    {.name = "distributor",
     .kind = VALUE_HEX,
     .offset = AT(gic, distributor),
     .derived = "none",
     .purpose = "Physical address of the distributor (GICD). The bundled SDK wants it, as well as "
                "`redistributors`, or `cpu_interface` and `hypervisor_interface`. Official ones "
                "know their boards'."},
    {.name = "redistributors",
     .kind = VALUE_HEX,
     .offset = AT(gic, redistributors),
     .derived = "none",
     .purpose = "Physical address of a GICv3's first redistributor (GICR, 128 KiB each)."},
    {.name = "cpu_interface",
     .kind = VALUE_HEX,
     .offset = AT(gic, cpu_interface),
     .derived = "none",
     .purpose = "Physical address of a GICv2's CPU interface (GICC, 8 KiB)."},
    {.name = "hypervisor_interface",
     .kind = VALUE_HEX,
     .offset = AT(gic, hypervisor_interface),
     .derived = "none",
     .purpose = "Physical address of a GICv2's virtual interface control (GICH)."},
    {.name = "vcpu_interface",
     .kind = VALUE_HEX,
     .offset = AT(gic, vcpu_interface),
     .derived = "(must be given for a GICv2)",
     .purpose = "Physical address of a GICv2's virtual CPU interface (GICV, 8 KiB), which guests "
                "use directly. A GICv3's is system registers."},
    {.name = "interrupts",
     .kind = VALUE_COUNT,
     .offset = AT(gic, interrupts),
     .fallback = "1020",
     .minimum = 32,
     .maximum = 1020,
     .purpose = "How many interrupts it has: the number of its lines, and 32."},
};

const struct schema gic_schema = {
    .heading = "A board's interrupt controller",
    .purpose = "Under `gic` in the board file.",
    TABLE(gic_keys),
};

static const struct schema_key board_disk_keys[] = {
    {.name = "driver",
     .kind = VALUE_NAME,
     .offset = AT(board_disk, driver),
     .fallback = "virtio_blk",
     .purpose = "The chip: what its file in `drivers/block/` is called."},
    {.name = "address",
     .kind = VALUE_HEX,
     .offset = AT(board_disk, address),
     .required = true,
     .purpose = "Physical address of its registers; the driver gets the 4 KiB page they are in."},
    {.name = "interrupt",
     .kind = VALUE_COUNT,
     .offset = AT(board_disk, interrupt),
     .required = true,
     .minimum = 16,
     .maximum = 1019,
     .purpose = "The GIC's number (INTID) of its interrupt."},
    {.name = "coherent",
     .kind = VALUE_SWITCHED,
     .offset = AT(board_disk, coherent),
     .derived = "yes for `virtio_blk`, otherwise no",
     .purpose = "Whether the caches see what it reads and writes in memory."},
    {.name = "write_protect",
     .kind = VALUE_SWITCHED,
     .offset = AT(board_disk, write_protect),
     .fallback = "yes",
     .purpose = "Whether a card's slot has a switch that forbids writing."},
    {.name = "drive",
     .kind = VALUE_TEXT,
     .offset = AT(board_disk, drive),
     .fallback = "if=none,id=disk",
     .purpose = "Which of QEMU's drives it is: what stands in `-drive` before the image's file."},
    {.name = "qemu",
     .kind = VALUE_TEXT,
     .offset = AT(board_disk, qemu),
     .fallback = "",
     .derived = "empty",
     .purpose = "QEMU's arguments that put the drive `disk` there, separated by blanks."},
};

const struct schema board_disk_schema = {
    .heading = "A board's disk",
    .purpose = "Under `disk` in the board file.",
    TABLE(board_disk_keys),
};

static const struct schema_key board_network_keys[] = {
    {.name = "driver",
     .kind = VALUE_NAME,
     .offset = AT(board_network, driver),
     .fallback = "virtio_net",
     .purpose = "The chip: what its file in `drivers/net/` is called."},
    {.name = "address",
     .kind = VALUE_HEX,
     .offset = AT(board_network, address),
     .required = true,
     .purpose = "Physical address of its registers; the driver gets the 4 KiB page they are in."},
    {.name = "interrupt",
     .kind = VALUE_COUNT,
     .offset = AT(board_network, interrupt),
     .required = true,
     .minimum = 16,
     .maximum = 1019,
     .purpose = "The GIC's number (INTID) of its interrupt."},
    {.name = "qemu",
     .kind = VALUE_TEXT,
     .offset = AT(board_network, qemu),
     .fallback = "",
     .derived = "empty",
     .purpose = "QEMU's arguments that join the card there to the netdev `uplink`."},
};

const struct schema board_network_schema = {
    .heading = "A board's network card",
    .purpose = "Under `network` in the board file.",
    TABLE(board_network_keys),
};

static const char *const boot_firmware_words[] = {"u-boot", "raspberry-pi", NULL};

static const struct schema_key boot_keys[] = {
    {.name = "firmware",
     .kind = VALUE_CHOICE,
     .offset = AT(boot, firmware),
     .required = true,
     .choices = boot_firmware_words,
     .purpose = "What loads the boot image. `u-boot` runs `boot.scr`, `raspberry-pi` reads "
                "`config.txt`."},
    {.name = "partition",
     .kind = VALUE_SIZE,
     .offset = AT(boot, partition),
     .fallback = "255 MiB",
     .minimum = 64 * MIB,
     .maximum = 2048 * MIB,
     .multiple = MIB,
     .purpose = "The size of the card's first partition, a FAT file system at 1 MiB, for the boot "
                "image and the firmware. If the card is the machines' disk too, their parts begin "
                "behind it."},
};

const struct schema boot_schema = {
    .heading = "A board's boot firmware",
    .purpose = "Under `boot` in the board file.",
    TABLE(boot_keys),
};

static const struct schema_key board_device_keys[] = {
    {.name = "address",
     .kind = VALUE_HEX,
     .offset = AT(board_device, address),
     .required = true,
     .multiple = 4,
     .purpose = "Physical address of its registers. The machine gets the 4 KiB pages they are in, "
                "with whatever else is there."},
    {.name = "size",
     .kind = VALUE_HEX,
     .offset = AT(board_device, size),
     .fallback = "0x1000",
     .minimum = 4,
     .maximum = 16 * MIB,
     .multiple = 4,
     .purpose = "Bytes of registers."},
    {.name = "interrupts",
     .kind = VALUE_NODE,
     .offset = AT(board_device, interrupts),
     .shape = "list of numbers",
     .derived = "none",
     .purpose = "The GIC's numbers (INTIDs) of its interrupts, SPIs, in the order of its binding."},
    {.name = "trigger",
     .kind = VALUE_CHOICE,
     .offset = AT(board_device, trigger),
     .fallback = "level",
     .choices = trigger_words,
     .purpose = "How they are signalled."},
    {.name = "bus_master",
     .kind = VALUE_SWITCHED,
     .offset = AT(board_device, bus_master),
     .required = true,
     .purpose = "Whether it reads or writes memory by itself. Only a machine with `dma: trusted` "
                "can have it then, or another device in its pages."},
    {.name = "node",
     .kind = VALUE_NODE,
     .offset = AT(board_device, node),
     .required = true,
     .shape = "mapping",
     .purpose = "Its node in the guest's device tree, without `reg` and `interrupts`."},
    {.name = "nodes",
     .kind = VALUE_NODE,
     .offset = AT(board_device, nodes),
     .shape = "mapping",
     .derived = "none",
     .purpose = "Further nodes, by names, such as its clock."},
    {.name = "qemu",
     .kind = VALUE_TEXT,
     .offset = AT(board_device, qemu),
     .fallback = "",
     .derived = "empty",
     .purpose = "QEMU's arguments that bring it about, separated by blanks."},
    {.name = "qemu_file",
     .kind = VALUE_SIZE,
     .offset = AT(board_device, qemu_file),
     .minimum = MIB,
     .multiple = MIB,
     .derived = "no file",
     .purpose = "For QEMU a file `NAME.img` of so many bytes is made, if it is not there."},
};

const struct schema board_device_schema = {
    .heading = "A device that may be handed to a machine",
    .purpose =
        "Under a name in `devices` of the board file. In `node` and `nodes` a key is a property: "
        "text or a list of text is a string list, a number or a list of numbers is cells, nothing "
        "is a flag, a mapping is a node below. Among cells `'&NAME'` is the phandle of the node "
        "NAME, the device's or one of `nodes`.",
    TABLE(board_device_keys),
};

static const char *const qemu_start_words[] = {"loader", "kernel", "image", NULL};

static const struct schema_key qemu_keys[] = {
    {.name = "machine",
     .kind = VALUE_TEXT,
     .offset = AT(qemu, machine),
     .required = true,
     .purpose = "QEMU's `-machine`."},
    {.name = "cpu",
     .kind = VALUE_TEXT,
     .offset = AT(qemu, cpu),
     .required = true,
     .purpose = "QEMU's `-cpu`."},
    {.name = "memory",
     .kind = VALUE_SIZE,
     .offset = AT(qemu, memory),
     .derived = "the board's `memory`",
     .multiple = 2 * MIB,
     .purpose = "QEMU's RAM, if the board has more than `memory`: kernels of official SDKs use all "
                "of it."},
    {.name = "cores",
     .kind = VALUE_COUNT,
     .offset = AT(qemu, cores),
     .derived = "as many as a system uses",
     .minimum = 1,
     .maximum = CORES_MAX,
     .purpose = "QEMU's cores, if the machine always has so many."},
    {.name = "start",
     .kind = VALUE_CHOICE,
     .offset = AT(qemu, start),
     .fallback = "loader",
     .choices = qemu_start_words,
     .purpose =
         "How the boot image gets there. `loader`: by `-device loader`, at the address and "
         "level at which the machine's reset begins. `kernel`: as an ELF file by `-kernel`, "
         "for machines that enter only such a file at EL2. `image`: with the head of an arm64 "
         "Image by `-kernel`, for machines whose firmware QEMU imitates only then."},
    {.name = "official_machine",
     .kind = VALUE_TEXT,
     .offset = AT(qemu, official_machine),
     .derived = "`machine`",
     .purpose = "QEMU's `-machine` for an official SDK, if seL4 wants another one."},
    {.name = "official_version",
     .kind = VALUE_COUNT,
     .offset = AT(qemu, official_version),
     .derived = "none",
     .purpose = "The oldest QEMU for an official SDK: its major version. `make` warns of an older "
                "one."},
    {.name = "arguments",
     .kind = VALUE_TEXT,
     .offset = AT(qemu, arguments),
     .fallback = "",
     .derived = "empty",
     .purpose = "Further arguments, separated by blanks."},
};

const struct schema qemu_schema = {
    .heading = "A board in QEMU",
    .purpose = "Under `qemu` in the board file.",
    TABLE(qemu_keys),
};
