/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the user described, before any of it has an address: board, VMs, interfaces, switches. */

#include "block/config.h"
#include "buffer.h"
#include "console/config.h"
#include "memory.h"
#include "schema.h"
#include "switch/config.h"
#include "tree.h"
#include "vmm/config.h"

/*
 * A VM and a switch take a place each among the console's clients; so do the disk's two PDs and the
 * card's driver.
 */
#define MEMBERS_MAX (CONSOLE_MAX_CLIENTS - 3)

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)

/* A board's cores, at most: what Microkit's attribute `cpu` can say, and more than QEMU has. */
#define CORES_MAX 256

/* Sizes of pages that the architecture knows. */
#define GRANULES_MAX 3

/* Bounds of budgets and periods, microseconds. seL4 refuses budgets below 20. */
#define SHARE_MIN 50
#define SHARE_MAX 1000000

/* Records of settings, one for each schema. */

struct board_settings {
    struct setting description;
    struct setting memory_base;
    struct setting memory_size;
    struct setting memory_reserved;
    struct setting region_max;
    struct setting guest_memory_base;
    struct setting guest_memory;
    struct setting image_address;
    struct setting cores;
    struct setting core_ids;
    struct setting release_addresses;
    struct setting cpu;
    struct setting granules;
    struct setting uart;
    struct setting timer;
    struct setting official_timer;
    struct setting gic;
    struct setting disk;
    struct setting network;
    struct setting clock;
    struct setting boot;
    struct setting devices;
    struct setting qemu;
};

struct uart_settings {
    struct setting driver;
    struct setting address;
    struct setting interrupt;
};

struct timer_settings {
    struct setting driver;
    struct setting address;
    struct setting interrupt;
};

struct clock_settings {
    struct setting driver;
    struct setting address;
};

struct board_disk_settings {
    struct setting driver;
    struct setting address;
    struct setting interrupt;
    struct setting coherent;
    struct setting write_protect;
    struct setting drive;
    struct setting qemu;
};

struct board_network_settings {
    struct setting driver;
    struct setting address;
    struct setting interrupt;
    struct setting qemu;
};

/* A device that may be handed to a machine. */
struct board_device_settings {
    struct setting address;
    struct setting size;
    struct setting interrupts;
    struct setting trigger;
    struct setting bus_master;
    struct setting node;
    struct setting nodes;
    struct setting qemu;
    struct setting qemu_file;
};

struct gic_settings {
    struct setting version;
    struct setting distributor;
    struct setting redistributors; /* these are given only if `version` is 3, */
    struct setting cpu_interface;  /* and these only if it is 2 */
    struct setting hypervisor_interface;
    struct setting vcpu_interface;
    struct setting interrupts;
};

struct boot_settings {
    struct setting firmware; /* enum boot_firmware */
    struct setting partition;
};

enum boot_firmware { BOOT_U_BOOT, BOOT_RASPBERRY_PI };

/* How QEMU gets the boot image: the words of `start`. */
enum qemu_start { QEMU_START_LOADER, QEMU_START_KERNEL, QEMU_START_IMAGE };

struct qemu_settings {
    struct setting machine;
    struct setting cpu;
    struct setting memory;
    struct setting cores;
    struct setting start;
    struct setting official_machine; /* these two are for official SDKs */
    struct setting official_version;
    struct setting arguments;
};

struct system_settings {
    struct setting description;
    struct setting cores;
    struct setting domains;
    struct setting defaults;
    struct setting switches;
    struct setting disk;
    struct setting console;
    struct setting shared;
    struct setting vms;
};

struct disk_settings {
    struct setting file;
    struct setting size;
    struct setting cpu;
    struct setting budget;
    struct setting period;
};

/* Of memory that machines share. */
struct shared_settings {
    struct setting name;
    struct setting size;
    struct setting vms;
    struct setting read_only;
};

/* Of the program that shares the serial line. */
struct console_settings {
    struct setting cpu;
    struct setting budget;
    struct setting period;
};

/* How much may pass: of a disk's data and requests. */
struct disk_rate_settings {
    struct setting bytes;
    struct setting operations;
    struct setting burst;
};

struct slice_settings {
    struct setting size;
    struct setting partition;
    struct setting read_only;
    struct setting content;
    struct setting image;
    struct setting rate;
    struct disk_rate_settings of_rate; /* what `rate` says */
};

/* The same of frames. */
struct rate_settings {
    struct setting send;
    struct setting receive;
    struct setting burst;
};

struct interface_settings {
    struct setting on_switch;
    struct setting ip;
    struct setting gateway;
    struct setting mac;
    struct setting any_mac;
    struct setting vlan;
    struct setting trunk;
    struct setting path;
    struct setting rate;
    struct rate_settings of_rate; /* what `rate` says */
};

/* Of the program that runs a VM. */
struct monitor_settings {
    struct setting budget;
    struct setting period;
};

struct vm_settings {
    struct setting name;
    struct setting count;
    struct setting memory;
    struct setting vcpus;
    struct setting cpu;
    struct setting firmware;
    struct setting kernel;
    struct setting load;
    struct setting initramfs;
    struct setting cmdline;
    struct setting bootargs;
    struct setting hostname;
    struct setting router;
    struct setting kaslr;
    struct setting console;
    struct setting power_button;
    struct setting start;
    struct setting on_crash; /* enum vmm_on_crash */
    struct setting watchdog;
    struct setting priority;
    struct setting budget;
    struct setting period;
    struct setting domain;
    struct setting monitor;
    struct setting disks;
    struct setting devices;
    struct setting dma;
    struct setting interfaces;
    struct interface_settings interface; /* of the one interface, if `interfaces` is not given */
    struct monitor_settings of_monitor;  /* what `monitor` says */
};

struct switch_settings {
    struct setting name;
    struct setting allow;
    struct setting deny;
    struct setting mirror;
    struct setting uplink;
    struct setting ageing;
    struct setting queue;
    struct setting mtu;
    struct setting cpu;
    struct setting budget;
    struct setting period;
};

struct uplink_settings {
    struct setting to;
    struct setting vlans;
    struct setting native;
    struct setting forward;
    struct setting flood;
    struct setting cpu;
    struct setting budget;
    struct setting period;
};

extern const struct schema board_schema;
extern const struct schema uart_schema;
extern const struct schema timer_schema;
extern const struct schema gic_schema;
extern const struct schema board_disk_schema;
extern const struct schema board_network_schema;
extern const struct schema clock_schema;
extern const struct schema boot_schema;
extern const struct schema board_device_schema;
extern const struct schema qemu_schema;
extern const struct schema system_schema;
extern const struct schema shared_schema;
extern const struct schema console_schema;
extern const struct schema vm_schema;
extern const struct schema monitor_schema;
extern const struct schema interface_schema;
extern const struct schema rate_schema;
extern const struct schema disk_rate_schema;
extern const struct schema switch_schema;
extern const struct schema uplink_schema;
extern const struct schema disk_schema;
extern const struct schema slice_schema;

/* The things themselves. */

#define DEVICE_INTERRUPTS_MAX 8  /* of one device */
#define VM_DEVICES_MAX        16 /* that are handed to one machine */

/* A device of the board that may be handed to a machine. */
struct board_device {
    const char *name;
    const char *where; /* for errors */
    int line;
    struct board_device_settings settings;
    uint64_t page; /* the whole pages that hold its registers, */
    uint64_t pages_size;
    const char *bus_master; /* the first in these pages that masters the bus; NULL: none does */
    unsigned interrupt_count;
    unsigned interrupts[DEVICE_INTERRUPTS_MAX]; /* INTIDs */
    struct tree_node node; /* in the guest's device tree, without `reg` and `interrupts` */
    struct LIST(struct tree_node *) nodes; /* further ones */
};

enum { TRIGGER_LEVEL, TRIGGER_EDGE }; /* `trigger` of a device */
enum { DMA_NONE, DMA_TRUSTED };       /* `dma` of a machine */

struct board {
    const char *name; /* the file's name without .yaml: the SDK's name of the board */
    const char *path;
    struct board_settings settings;
    struct uart_settings uart;
    struct timer_settings timer;
    struct gic_settings gic;
    struct board_disk_settings disk;
    struct board_network_settings network;
    struct clock_settings clock;
    struct boot_settings boot;
    struct qemu_settings qemu;
    uint64_t core_ids[CORES_MAX];          /* what PSCI knows each core by */
    uint64_t release_addresses[CORES_MAX]; /* only if that setting is given */
    size_t granule_count;                  /* 0: not known */
    uint64_t granules[GRANULES_MAX];       /* the sizes of pages that guests may have, bytes */
    struct LIST(struct board_device *) devices;
};

/* A file that becomes part of the boot image. One that several VMs use is here once. */
struct image {
    const char *path; /* where it was found; absolute */
    const char *link; /* what it is called in the output directory */
    uint64_t size;
    bool is_kernel;       /* or a firmware; then: */
    bool is_firmware;     /* it is entered at GUEST_FLASH, read-only, and nothing is known of it */
    uint64_t load;        /* where the system file says that it belongs; 0: it does not say */
    bool is_placed;       /* it is no arm64 Image, and belongs to one place, guest-physical: */
    uint64_t address;     /* of its first byte, */
    uint64_t entry;       /* of its first instruction */
    uint64_t text_offset; /* an Image's: bytes from a 2 MiB boundary */
    uint64_t memory_size; /* bytes from its first byte that it needs, .bss included */
    struct buffer bytes;  /* what is in the output directory in its place; empty: a link to it, */
    const char *source;   /* otherwise the link's name is this; NULL: `link` */
    const char *linux_version; /* NULL: it is no Linux */
    /* Otherwise it is an initramfs: */
    uint64_t unpacked; /* bytes, as far as can be seen; no less than `size` if it is compressed */
    uint64_t files;    /* that are not empty, among what is not compressed */
    struct LIST(const char *) modules_for; /* the kernels' versions, likewise */
};

struct interface {
    struct vm *vm;
    unsigned index;    /* among the VM's */
    const char *where; /* for errors */
    int line;
    struct network *network;
    unsigned port; /* on that switch */
    uint64_t mac;
    struct interface_settings settings;
    uint16_t trunk[4096]; /* VLANs of a trunk port, ended by 0 */
    uint32_t lease;       /* IPv4, the address that it asks QEMU's user network for; 0: none */
};

/* One of a VM's disks: a slice of the board's disk. */
struct slice {
    const struct vm *vm;
    unsigned index;    /* among the VM's */
    const char *where; /* for errors */
    int line;
    struct slice_settings settings;
    enum block_slice_kind kind;
    uint64_t offset; /* BLOCK_SLICE_RANGE: bytes */
    uint64_t size;
    uint32_t number;     /* BLOCK_SLICE_BY_NUMBER */
    const char *content; /* where the directory or archive was found; NULL: nothing to put in */
    const char *image;   /* where the whole disk's image was found; NULL: there is none */
};

/* Memory that machines share. */
struct shared {
    const char *name;
    const char *where; /* for errors */
    int line;
    unsigned index; /* among them all */
    struct shared_settings settings;
    unsigned machine_count;
    const struct vm *machines[VMM_MAX_SHARED_MACHINES]; /* by their numbers */
    uint32_t writers;                                   /* bit i: machine number i may write */
    uint64_t gpa;                                       /* of the memory, in each of them */
};

struct vm {
    const char *name;
    const char *where;
    const char *group; /* the name in the file: that of all `count` alike machines */
    int line;
    unsigned index; /* among the VMs */
    unsigned copy;  /* among the machines of its group */
    struct vm_settings settings;
    unsigned cores[VMM_MAX_VCPUS]; /* of the vCPUs: placement.h */
    unsigned domain; /* in whose turns it runs; DOMAIN_SERVICES if the system has no domains */
    struct image *kernel;
    struct image *initramfs; /* NULL: none */
    unsigned interface_count;
    struct interface interfaces[VMM_MAX_INTERFACES];
    unsigned slice_count;
    struct slice slices[VMM_MAX_DISKS];
    unsigned device_count;
    const struct board_device *devices[VM_DEVICES_MAX]; /* that are handed to it */
    unsigned shared_count;
    const struct shared *shared[VMM_MAX_SHARED];
};

/* The board's disk, as the system uses it. */
struct disk {
    struct disk_settings settings;
    uint64_t size;        /* bytes; of the file that is to be made, or that is there */
    bool is_given;        /* a file of the user's; otherwise one is made of the slices */
    const char *path;     /* of the given file */
    const char *target;   /* the same as an absolute path */
    const char *link;     /* what it is called in the output directory */
    unsigned slice_count; /* of all VMs */
};

/* A port of the host that leads to a machine's. */
struct forward {
    const char *protocol; /* "tcp" or "udp" */
    unsigned host_port;
    uint32_t address; /* IPv4, the machine's */
    unsigned port;
};

/* The board's network card as a port of a switch. */
struct uplink {
    struct network *network; /* NULL: no switch has it */
    const char *where;       /* for errors */
    int line;
    unsigned port; /* on that switch: behind the machines' */
    struct uplink_settings settings;
    uint16_t vlans[4096]; /* that go with tags, ended by 0; none: tags mean nothing */
    struct LIST(struct forward) forwards;
};

/* Time is divided into turns of domains, if there are any: domains.h. */
#define DOMAINS_MAX      16
#define DOMAIN_TURNS_MAX 98
#define DOMAIN_SERVICES  0 /* the domain of all that serves machines */

struct domain_turn {
    unsigned domain;   /* in system.domains */
    uint64_t duration; /* microseconds */
};

/* A virtual switch. */
struct network {
    const char *name;
    const char *where;
    int line;
    unsigned index;
    struct switch_settings settings;
    unsigned port_count;
    struct interface *ports[SWITCH_MAX_PORTS];
    uint64_t may_reach[SWITCH_MAX_PORTS];
    int mirror_port;             /* -1: none */
    const struct uplink *uplink; /* NULL: none */
};

static inline unsigned network_port_count(const struct network *network)
{
    return network->port_count + (network->uplink != NULL);
}

enum { PATH_ISOLATED, PATH_VHOST }; /* `path` of an interface */

static inline bool interface_is_vhost(const struct interface *interface)
{
    return interface->settings.path.number == PATH_VHOST;
}

/* Whether it has a limit. */
static inline bool interface_is_limited(const struct interface *interface)
{
    const struct rate_settings *rate = &interface->settings.of_rate;

    return rate->send.number != 0 || rate->receive.number != 0;
}

static inline bool slice_is_limited(const struct slice *slice)
{
    const struct disk_rate_settings *rate = &slice->settings.of_rate;

    return rate->bytes.number != 0 || rate->operations.number != 0;
}

/* Whether it has an address from the start. */
static inline bool interface_has_address(const struct interface *interface)
{
    const struct setting *ip = &interface->settings.ip;

    return ip->line != 0 && ip->number != VALUE_IPV4_DHCP;
}

/* The core on which a machine's monitor runs. */
static inline unsigned monitor_core(const struct vm *vm)
{
    return vm->cores[0];
}

/* The priority of a machine's monitor: above its machine, and above none of a higher priority. */
static inline unsigned monitor_priority(const struct vm *vm)
{
    return (unsigned)vm->settings.priority.number + 1;
}

static inline bool runs_on(const struct vm *vm, unsigned core)
{
    for (uint64_t id = 0; id < vm->settings.vcpus.number; id++) {
        if (vm->cores[id] == core) {
            return true;
        }
    }
    return false;
}

/*
 * Whether what it is handed reads and writes memory: that is to find the machine's where it is. Who
 * has a device has all that is in its pages.
 */
static inline bool has_bus_master(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->device_count; i++) {
        if (vm->devices[i]->bus_master != NULL) {
            return true;
        }
    }
    return false;
}

struct options {
    const char *system_path;
    const char *board_path;
    const char *output;
    const char *kernel; /* NULL: every VM names its own */
    const char *initrd;
    const char *memory; /* of the board, if its file's word does not hold */
    bool prefill;       /* the SDK fills memory regions from files */
    bool knows_sdk;     /* which config of the SDK is used; then: */
    uint64_t sdk_cores; /* that it starts; 0: the SDK lacks that config */
    bool sdk_bundled;   /* its kernel is sdk/kernel, not seL4 */
    struct LIST(const char *) search;
};

struct system {
    const char *name; /* the file's name without .yaml */
    const char *path;
    const struct options *options;
    struct system_settings settings;
    struct vm_settings common; /* what all VMs start from */
    struct board board;
    struct disk disk;
    struct console_settings console;
    struct uplink uplink;
    uint32_t date;      /* of what it is built of: source_date.h */
    bool cores_unknown; /* what the file says of `cores`, or for it, has been reported */
    struct LIST(const char *) domains; /* their names; none: time is not divided */
    struct LIST(struct domain_turn) domain_turns;
    struct LIST(struct vm *) vms;
    struct LIST(struct network *) networks;
    struct LIST(struct shared *) shared;
    struct LIST(struct image *) images;
};

/* Whether it uses several cores. If not, nothing that is made of it says on which core it runs. */
static inline bool has_several_cores(const struct system *system)
{
    return system->settings.cores.number > 1;
}

static inline bool has_domains(const struct system *system)
{
    return system->domains.count != 0;
}
