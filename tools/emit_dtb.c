/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "emit.h"
#include "vmm/config.h"

/*
 * The tree is what QEMU's virt machine would show a Linux that has just these devices; the bindings
 * are those of the devicetree specification 0.3 and of Linux, Documentation/devicetree/bindings.
 */

#define FDT_SIZE_MAX (64 << 10)

#define SEED_PROPERTY       "rng-seed"
#define KASLR_SEED_PROPERTY "kaslr-seed"

#define PHANDLE_GIC   1u
#define PHANDLE_CLOCK 2u
#define PHANDLE_CACHE 3u

/* A device that is handed to the machine has this one and those behind it: device_phandle. */
#define PHANDLE_DEVICES 16u

#define GIC_SPI        0u
#define GIC_PPI        1u
#define IRQ_EDGE       1u
#define IRQ_LEVEL_HIGH 4u
#define PPI_BASE       16u

#define PRIMECELL_SIZE 0x1000u
#define PVPANIC_SIZE   2u
#define VIRTIO_SIZE    0x200u
#define SHARED_SIZE    0x1000u

/* libfdt's sequential writes fail only if the buffer is too small: a bug of this program. */
static void must(int error)
{
    if (error < 0) {
        fprintf(stderr, "braid-gen: device tree: %s\n", fdt_strerror(error));
        abort();
    }
}

static void cells(void *fdt, const char *name, const uint32_t *values, size_t count)
{
    uint32_t big_endian[3 * DEVICE_INTERRUPTS_MAX];

    for (size_t i = 0; i < count; i++) {
        big_endian[i] = cpu_to_fdt32(values[i]);
    }
    must(fdt_property(fdt, name, big_endian, (int)(count * sizeof(*big_endian))));
}

#define CELLS(fdt, name, ...)                                                                      \
    cells(fdt, name, (const uint32_t[]){__VA_ARGS__},                                              \
          sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

#define HIGH(value) ((uint32_t)((value) >> 32))
#define LOW(value)  ((uint32_t)(value))

/* A list of strings, given with NULs between them. The last NUL is the literal's own. */
#define STRINGS(fdt, name, literal) must(fdt_property(fdt, name, literal, (int)sizeof(literal)))

static void text(void *fdt, const char *name, const char *value)
{
    must(fdt_property_string(fdt, name, value));
}

static void flag(void *fdt, const char *name)
{
    must(fdt_property(fdt, name, NULL, 0));
}

static void add_chosen(void *fdt, const struct vm *vm, const struct vm_layout *place)
{
    must(fdt_begin_node(fdt, "chosen"));
    if (!vm->kernel->is_firmware) { /* that knows the arguments of what it starts */
        text(fdt, "bootargs", layout_bootargs(vm));
    }
    if (vm->settings.console.number) {
        text(fdt, "stdout-path", memory_format("/pl011@%llx", GUEST_PL011));
    }
    /* The monitor fills these in when it starts the guest. */
    must(fdt_property(fdt, SEED_PROPERTY, (const uint8_t[VMM_SEED_SIZE]){0}, VMM_SEED_SIZE));
    if (vm->settings.kaslr.number) {
        must(fdt_property(fdt, KASLR_SEED_PROPERTY, (const uint8_t[VMM_KASLR_SEED_SIZE]){0},
                          VMM_KASLR_SEED_SIZE));
    }
    if (place->initramfs.image != NULL) {
        uint64_t end = place->initramfs.gpa + place->initramfs.image->size;
        CELLS(fdt, "linux,initrd-start", HIGH(place->initramfs.gpa), LOW(place->initramfs.gpa));
        CELLS(fdt, "linux,initrd-end", HIGH(end), LOW(end));
    }
    must(fdt_end_node(fdt));
}

static void add_memory(void *fdt, const struct vm *vm, uint64_t gpa)
{
    uint64_t size = vm->settings.memory.number;

    must(fdt_begin_node(fdt, memory_format("memory@%" PRIx64, gpa)));
    text(fdt, "device_type", "memory");
    CELLS(fdt, "reg", HIGH(gpa), LOW(gpa), HIGH(size), LOW(size));
    must(fdt_end_node(fdt));
}

/*
 * For programs that ask whether they are in a virtual machine, like systemd-detect-virt. Those that
 * look for hypervisors which they know find none of them in the name.
 */
static void add_hypervisor(void *fdt)
{
    must(fdt_begin_node(fdt, "hypervisor"));
    text(fdt, "compatible", "braid,hypervisor");
    must(fdt_end_node(fdt));
}

/*
 * Whether the cores of a cluster have one cache behind their own, for instructions and data. What
 * else there is to know of the caches a guest reads in its registers, which are the hardware's.
 */
static bool has_common_cache(const char *compatible)
{
    static const char *const cores[] = {"arm,cortex-a53", "arm,cortex-a57", "arm,cortex-a72"};

    for (size_t i = 0; i < sizeof(cores) / sizeof(cores[0]); i++) {
        if (strcmp(compatible, cores[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void add_common_cache(void *fdt)
{
    must(fdt_begin_node(fdt, "l2-cache"));
    text(fdt, "compatible", "cache");
    CELLS(fdt, "cache-level", 2);
    flag(fdt, "cache-unified");
    CELLS(fdt, "phandle", PHANDLE_CACHE);
    must(fdt_end_node(fdt));
}

/* PSCI by SMC: seL4 takes a guest's HVC for one of its own system calls. */
static void add_cpus(void *fdt, const struct vm *vm, const char *compatible)
{
    bool common_cache = has_common_cache(compatible);

    must(fdt_begin_node(fdt, "psci"));
    STRINGS(fdt, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    text(fdt, "method", "smc");
    must(fdt_end_node(fdt));

    must(fdt_begin_node(fdt, "cpus"));
    CELLS(fdt, "#address-cells", 1);
    CELLS(fdt, "#size-cells", 0);
    for (uint32_t id = 0; id < vm->settings.vcpus.number; id++) {
        must(fdt_begin_node(fdt, memory_format("cpu@%x", id)));
        text(fdt, "device_type", "cpu");
        text(fdt, "compatible", compatible);
        CELLS(fdt, "reg", id);
        text(fdt, "enable-method", "psci");
        if (common_cache) {
            CELLS(fdt, "next-level-cache", PHANDLE_CACHE);
        }
        must(fdt_end_node(fdt));
    }
    if (common_cache) {
        add_common_cache(fdt);
    }
    must(fdt_end_node(fdt));
}

static void add_gic(void *fdt, const struct vm *vm, bool is_v3)
{
    uint64_t redistributors = vm->settings.vcpus.number * GUEST_GICR_SIZE;

    must(fdt_begin_node(fdt, memory_format("intc@%llx", GUEST_GICD)));
    text(fdt, "compatible", is_v3 ? "arm,gic-v3" : "arm,cortex-a15-gic");
    CELLS(fdt, "#interrupt-cells", 3);
    CELLS(fdt, "#address-cells", 0);
    flag(fdt, "interrupt-controller");
    if (is_v3) {
        CELLS(fdt, "reg", HIGH(GUEST_GICD), LOW(GUEST_GICD), 0, GUEST_GICD_SIZE, HIGH(GUEST_GICR),
              LOW(GUEST_GICR), HIGH(redistributors), LOW(redistributors));
    } else {
        CELLS(fdt, "reg", HIGH(GUEST_GICD), LOW(GUEST_GICD), 0, GUEST_GICD_SIZE, HIGH(GUEST_GICC),
              LOW(GUEST_GICC), 0, GUEST_GICC_SIZE);
    }
    CELLS(fdt, "phandle", PHANDLE_GIC);
    must(fdt_end_node(fdt));
}

/*
 * Secure, non-secure, virtual and hypervisor timer; the guest finds the virtual one. With a GICv2
 * the flags of a PPI say whose it is.
 */
static void add_timer(void *fdt, const struct vm *vm, bool is_v3)
{
    uint32_t vcpus = is_v3 ? 0 : (1u << vm->settings.vcpus.number) - 1;
    uint32_t flags = IRQ_LEVEL_HIGH | vcpus << 8;

    must(fdt_begin_node(fdt, "timer"));
    text(fdt, "compatible", "arm,armv8-timer");
    CELLS(fdt, "interrupts", GIC_PPI, 29 - PPI_BASE, flags, GIC_PPI, 30 - PPI_BASE, flags, GIC_PPI,
          27 - PPI_BASE, flags, GIC_PPI, 26 - PPI_BASE, flags);
    flag(fdt, "always-on");
    must(fdt_end_node(fdt));
}

/* The clock of PrimeCells. */
static void add_pclk(void *fdt)
{
    must(fdt_begin_node(fdt, "apb-pclk"));
    text(fdt, "compatible", "fixed-clock");
    CELLS(fdt, "#clock-cells", 0);
    CELLS(fdt, "clock-frequency", VMM_PRIMECELL_CLOCK);
    text(fdt, "clock-output-names", "clk24mhz");
    CELLS(fdt, "phandle", PHANDLE_CLOCK);
    must(fdt_end_node(fdt));
}

static void add_pl031(void *fdt)
{
    must(fdt_begin_node(fdt, memory_format("pl031@%llx", GUEST_CLOCK)));
    STRINGS(fdt, "compatible", "arm,pl031\0arm,primecell");
    CELLS(fdt, "reg", HIGH(GUEST_CLOCK), LOW(GUEST_CLOCK), 0, PRIMECELL_SIZE);
    CELLS(fdt, "interrupts", GIC_SPI, GUEST_CLOCK_INTID - GUEST_SPI_BASE, IRQ_LEVEL_HIGH);
    CELLS(fdt, "clocks", PHANDLE_CLOCK);
    text(fdt, "clock-names", "apb_pclk");
    must(fdt_end_node(fdt));
}

static void add_watchdog(void *fdt, uint64_t seconds)
{
    must(fdt_begin_node(fdt, memory_format("watchdog@%llx", GUEST_WATCHDOG)));
    STRINGS(fdt, "compatible", "arm,sp805\0arm,primecell");
    CELLS(fdt, "reg", HIGH(GUEST_WATCHDOG), LOW(GUEST_WATCHDOG), 0, PRIMECELL_SIZE);
    CELLS(fdt, "interrupts", GIC_SPI, GUEST_WATCHDOG_INTID - GUEST_SPI_BASE, IRQ_LEVEL_HIGH);
    CELLS(fdt, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
    STRINGS(fdt, "clock-names", "wdog_clk\0apb_pclk");
    CELLS(fdt, "timeout-sec", (uint32_t)seconds);
    must(fdt_end_node(fdt));
}

/* Its driver needs nothing but the address. */
static void add_pvpanic(void *fdt)
{
    must(fdt_begin_node(fdt, memory_format("pvpanic@%llx", GUEST_PVPANIC)));
    text(fdt, "compatible", "qemu,pvpanic-mmio");
    CELLS(fdt, "reg", HIGH(GUEST_PVPANIC), LOW(GUEST_PVPANIC), 0, PVPANIC_SIZE);
    must(fdt_end_node(fdt));
}

static void add_pl011(void *fdt)
{
    must(fdt_begin_node(fdt, memory_format("pl011@%llx", GUEST_PL011)));
    STRINGS(fdt, "compatible", "arm,pl011\0arm,primecell");
    CELLS(fdt, "reg", HIGH(GUEST_PL011), LOW(GUEST_PL011), 0, PRIMECELL_SIZE);
    CELLS(fdt, "interrupts", GIC_SPI, GUEST_PL011_INTID - GUEST_SPI_BASE, IRQ_LEVEL_HIGH);
    CELLS(fdt, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
    STRINGS(fdt, "clock-names", "uartclk\0apb_pclk");
    must(fdt_end_node(fdt));
}

static void add_virtio(void *fdt, const struct device *device)
{
    must(fdt_begin_node(fdt, memory_format("virtio_mmio@%llx", (unsigned long long)device->gpa)));
    text(fdt, "compatible", "virtio,mmio");
    CELLS(fdt, "reg", HIGH(device->gpa), LOW(device->gpa), 0, VIRTIO_SIZE);
    CELLS(fdt, "interrupts", GIC_SPI, device->intid - GUEST_SPI_BASE, IRQ_LEVEL_HIGH);
    flag(fdt, "dma-coherent");
    must(fdt_end_node(fdt));
}

/* Compatible with Linux's uio_pdrv_genirq as well, which asks for "linux,uio-name". */
static void add_shared(void *fdt, const struct shared *shared, const struct shared_layout *place)
{
    uint64_t gpa = place->device.gpa, size = shared->settings.size.number;

    must(fdt_begin_node(fdt, memory_format("shared-memory@%" PRIx64, gpa)));
    STRINGS(fdt, "compatible", "braid,shared-memory\0generic-uio");
    text(fdt, "label", shared->name);
    text(fdt, "linux,uio-name", shared->name);
    CELLS(fdt, "reg", HIGH(gpa), LOW(gpa), 0, SHARED_SIZE, HIGH(shared->gpa), LOW(shared->gpa),
          HIGH(size), LOW(size));
    STRINGS(fdt, "reg-names", "registers\0memory");
    CELLS(fdt, "interrupts", GIC_SPI, place->device.intid - GUEST_SPI_BASE, IRQ_EDGE);
    if ((shared->writers >> place->number & 1) == 0) {
        flag(fdt, "read-only");
    }
    must(fdt_end_node(fdt));
}

/* ---- Devices that are handed to the machine ---- */

/* The phandle of a node of the machine's device number `index`; check_label knows that it is one.
 */
static uint32_t device_phandle(const struct board_device *device, unsigned index, const char *label)
{
    uint32_t phandle = PHANDLE_DEVICES + index * (1 + TREE_NODES_MAX);

    if (strcmp(label, device->name) == 0) {
        return phandle;
    }
    for (uint32_t i = 0; i < device->nodes.count; i++) {
        if (strcmp(label, device->nodes.items[i]->name) == 0) {
            return phandle + 1 + i;
        }
    }
    return 0;
}

static void add_property(void *fdt, const struct board_device *device, unsigned index,
                         const struct tree_property *property)
{
    struct buffer value = {0};

    for (size_t i = 0; i < property->cells.count; i++) {
        const struct tree_cell *cell = &property->cells.items[i];
        uint32_t number = cpu_to_fdt32(
            cell->label == NULL ? cell->number : device_phandle(device, index, cell->label));
        buffer_add(&value, &number, sizeof(number));
    }
    for (size_t i = 0; i < property->strings.count; i++) {
        buffer_add(&value, property->strings.items[i], strlen(property->strings.items[i]) + 1);
    }
    must(fdt_property(fdt, property->name, value.bytes, (int)value.length));
}

/* Of a node its properties, the nodes below it, and its end. */
/* NOLINTNEXTLINE(misc-no-recursion): the board's file is no deeper than yaml_file_load allows */
static void add_rest(void *fdt, const struct board_device *device, unsigned index,
                     const struct tree_node *node)
{
    for (size_t i = 0; i < node->properties.count; i++) {
        add_property(fdt, device, index, &node->properties.items[i]);
    }
    for (size_t i = 0; i < node->children.count; i++) {
        must(fdt_begin_node(fdt, node->children.items[i]->name));
        add_rest(fdt, device, index, node->children.items[i]);
    }
    must(fdt_end_node(fdt));
}

static void add_interrupts(void *fdt, const struct board_device *device,
                           const struct device_layout *at)
{
    uint32_t flags = device->settings.trigger.number == TRIGGER_EDGE ? IRQ_EDGE : IRQ_LEVEL_HIGH;
    uint32_t specifiers[3 * DEVICE_INTERRUPTS_MAX];

    for (unsigned i = 0; i < device->interrupt_count; i++) {
        uint32_t *specifier = &specifiers[3 * (size_t)i];

        specifier[0] = GIC_SPI;
        specifier[1] = at->first_intid + i - GUEST_SPI_BASE;
        specifier[2] = flags;
    }
    if (device->interrupt_count != 0) {
        cells(fdt, "interrupts", specifiers, 3 * (size_t)device->interrupt_count);
    }
}

static void add_device_nodes(void *fdt, const struct board_device *device,
                             const struct device_layout *at, unsigned index)
{
    uint64_t size = device->settings.size.number;

    for (size_t i = 0; i < device->nodes.count; i++) {
        const struct tree_node *node = device->nodes.items[i];
        must(fdt_begin_node(fdt, memory_format("%s-%s", device->name, node->name)));
        CELLS(fdt, "phandle", device_phandle(device, index, node->name));
        add_rest(fdt, device, index, node);
    }
    must(fdt_begin_node(fdt, memory_format("%s@%" PRIx64, device->name, at->gpa)));
    CELLS(fdt, "reg", HIGH(at->gpa), LOW(at->gpa), HIGH(size), LOW(size));
    add_interrupts(fdt, device, at);
    CELLS(fdt, "phandle", device_phandle(device, index, device->name));
    add_rest(fdt, device, index, &device->node);
}

void emit_dtb(const struct layout *layout, const struct vm *vm, struct buffer *out)
{
    const struct vm_layout *place = &layout->vms[vm->index];
    bool is_v3 = layout->system->board.gic.version.number == 3;
    uint64_t watchdog = vm->settings.watchdog.number;
    void *fdt = memory_new(FDT_SIZE_MAX);

    must(fdt_create(fdt, FDT_SIZE_MAX));
    must(fdt_finish_reservemap(fdt));
    must(fdt_begin_node(fdt, ""));
    text(fdt, "compatible", "linux,dummy-virt");
    text(fdt, "model", memory_format("braid %s", vm->name));
    CELLS(fdt, "#address-cells", 2);
    CELLS(fdt, "#size-cells", 2);
    CELLS(fdt, "interrupt-parent", PHANDLE_GIC);
    add_hypervisor(fdt);
    add_chosen(fdt, vm, place);
    add_memory(fdt, vm, place->ram_gpa);
    add_cpus(fdt, vm, layout->system->board.settings.cpu.text);
    add_gic(fdt, vm, is_v3);
    add_timer(fdt, vm, is_v3);
    if (vm->settings.console.number || layout_has_clock(vm) || watchdog != 0) {
        add_pclk(fdt);
    }
    if (layout_has_clock(vm)) {
        add_pl031(fdt);
    }
    if (watchdog != 0) {
        add_watchdog(fdt, watchdog / 1000000);
    }
    add_pvpanic(fdt);
    if (vm->settings.console.number) {
        add_pl011(fdt);
        add_virtio(fdt, &place->console_device);
    }
    for (unsigned i = 0; i < vm->interface_count; i++) {
        add_virtio(fdt, &place->interface_devices[i]);
    }
    for (unsigned i = 0; i < vm->slice_count; i++) {
        add_virtio(fdt, &place->slice_devices[i]);
    }
    add_virtio(fdt, &place->rng);
    if (vm->settings.power_button.number) {
        add_virtio(fdt, &place->button);
    }
    for (unsigned i = 0; i < vm->shared_count; i++) {
        add_shared(fdt, vm->shared[i], &place->shared[i]);
    }
    for (unsigned i = 0; i < vm->device_count; i++) {
        add_device_nodes(fdt, vm->devices[i], &place->devices[i], i);
    }
    must(fdt_end_node(fdt));
    must(fdt_finish(fdt));
    buffer_add(out, fdt, fdt_totalsize(fdt));
}

static size_t offset_in_chosen(const struct buffer *dtb, const char *property)
{
    const uint8_t *fdt = (const uint8_t *)dtb->bytes;
    const uint8_t *value = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), property, NULL);

    return value == NULL ? 0 : (size_t)(value - fdt);
}

size_t dtb_seed_offset(const struct buffer *dtb)
{
    return offset_in_chosen(dtb, SEED_PROPERTY);
}

size_t dtb_kaslr_seed_offset(const struct buffer *dtb)
{
    return offset_in_chosen(dtb, KASLR_SEED_PROPERTY);
}
