/* SPDX-License-Identifier: BSD-2-Clause */

/* The devices that are handed to a machine: where the guest sees them, and their interrupts. */

#include "layout_parts.h"

/* Where the guest sees a device whose own address is taken by something else of the machine's. */
#define GUEST_DEVICES 0x0c000000ULL

/* The guest's INTIDs of their interrupts. */
#define GUEST_DEVICE_INTID 96u

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

bool layout_has_clock(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->device_count; i++) {
        if (overlap(vm->devices[i]->page, vm->devices[i]->pages_size, GUEST_CLOCK, PAGE)) {
            return false;
        }
    }
    return true;
}

static bool has_firmware(const struct vm *vm)
{
    return vm->kernel != NULL && vm->kernel->is_firmware;
}

bool layout_guest_has(const struct vm *vm, uint64_t gpa, uint64_t size)
{
    const struct {
        uint64_t start;
        uint64_t size;
    } own[] = {{GUEST_FLASH, has_firmware(vm) ? GUEST_VARS + GUEST_VARS_SIZE : 0},
               {GUEST_GICD, GUEST_RESET + PAGE - GUEST_GICD},
               {GUEST_GICR, vm->settings.vcpus.number * GUEST_GICR_SIZE},
               {GUEST_PL011, PAGE},
               {layout_has_clock(vm) ? GUEST_CLOCK : 0, layout_has_clock(vm) ? PAGE : 0},
               {GUEST_WATCHDOG, vm->settings.watchdog.number != 0 ? PAGE : 0},
               {GUEST_PVPANIC, PAGE},
               {GUEST_VIRTIO, SLOTS * GUEST_VIRTIO_STRIDE},
               {vm->shared_count != 0 ? GUEST_SHARED_REGISTERS : 0, vm->shared_count * PAGE}};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (overlap(gpa, size, own[i].start, own[i].size)) {
            return true;
        }
    }
    for (unsigned i = 0; i < vm->shared_count; i++) {
        const struct shared *shared = vm->shared[i];
        if (shared->gpa != 0 && overlap(gpa, size, shared->gpa, shared->settings.size.number)) {
            return true;
        }
    }
    return false;
}

/* Whether a device can be there: nothing of the machine's is, and no device before this one. */
static bool is_free(const struct vm *vm, const struct vm_layout *place, unsigned index,
                    uint64_t gpa, uint64_t size)
{
    if (layout_guest_has(vm, gpa, size) ||
        overlap(gpa, size, place->ram_gpa, vm->settings.memory.number)) {
        return false;
    }
    for (unsigned i = 0; i < index; i++) {
        if (overlap(gpa, size, place->devices[i].page, vm->devices[i]->pages_size)) {
            return false;
        }
    }
    return true;
}

/* The device's own address, or the next place that is free, in the guest's and on the board. */
static uint64_t find_place(const struct vm *vm, const struct vm_layout *place, unsigned index)
{
    uint64_t size = vm->devices[index]->pages_size;
    uint64_t gpa = vm->devices[index]->page;

    if (is_free(vm, place, index, gpa, size)) {
        return gpa;
    }
    for (gpa = GUEST_DEVICES; !is_free(vm, place, index, gpa, size);) {
        gpa += PAGE;
    }
    return gpa;
}

/* The earlier device in the same pages, or NULL. */
static const struct device_layout *same_pages(const struct vm *vm, const struct vm_layout *place,
                                              unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (vm->devices[i]->page == vm->devices[index]->page) {
            return &place->devices[i];
        }
    }
    return NULL;
}

static void lay_out_interrupts(struct pd *pd, struct vm_layout *place,
                               const struct board_device *device, struct device_layout *at)
{
    at->first_intid = GUEST_DEVICE_INTID + (unsigned)place->forwards.count;
    for (unsigned i = 0; i < device->interrupt_count; i++) {
        unsigned number = (unsigned)place->forwards.count;
        bool edge = device->settings.trigger.number == TRIGGER_EDGE;

        *list_add(&place->forwards) = (struct forward_layout){
            .channel = MONITOR_FORWARD_CHANNEL + number,
            .intid = GUEST_DEVICE_INTID + number,
            .edge = edge,
        };
        *list_add(&pd->irqs) = (struct irq){.irq = device->interrupts[i],
                                            .channel = MONITOR_FORWARD_CHANNEL + number,
                                            .edge = edge};
    }
}

void lay_out_devices(struct layout *layout, struct pd *pd, struct vm_layout *place,
                     const struct vm *vm)
{
    for (unsigned i = 0; i < vm->device_count; i++) {
        const struct board_device *device = vm->devices[i];
        const struct device_layout *same = same_pages(vm, place, i);
        struct device_layout *at = &place->devices[i];

        at->page = same == NULL ? find_place(vm, place, i) : same->page;
        at->gpa = at->page + (device->settings.address.number - device->page);
        if (same == NULL) {
            const struct region *region =
                add_device(layout, memory_format("%s_device_%s", vm->name, device->name),
                           device->page, device->pages_size, "device handed to a machine");
            *list_add(&place->maps) =
                (struct map){.region = region, .vaddr = at->page, .perms = "rw"};
        }
        lay_out_interrupts(pd, place, device, at);
    }
}
