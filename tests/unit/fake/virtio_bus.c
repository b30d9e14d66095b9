/* SPDX-License-Identifier: BSD-2-Clause */

/* See virtio_bus.h beside this. */

#include "virtio_bus.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "lib/log.h"
#include "vmm/pace.h"
#include "vmm/throttle.h"
#include "vmm/timer.h"
#include "vmm/vgic.h"

struct bus bus;

static struct {
    uint64_t gpa;
    uint64_t size;
    mmio_handler handler;
    void *device;
} attached[BUS_DEVICES_MAX];
static unsigned attached_count;

void bus_clear(void)
{
    memset(&bus, 0, sizeof(bus));
}

bool mmio_attach_lazy(uint64_t gpa, uint64_t size, mmio_handler handler, void *device)
{
    for (unsigned i = 0; i < attached_count; i++) {
        if (attached[i].gpa == gpa) {
            fail_msg("two devices at 0x%lx", (unsigned long)gpa);
        }
    }
    assert_true(attached_count < BUS_DEVICES_MAX);
    attached[attached_count].gpa = gpa;
    attached[attached_count].size = size;
    attached[attached_count].handler = handler;
    attached[attached_count++].device = device;
    return true;
}

bool mmio_route(uint64_t gpa, struct mmio_access *access)
{
    for (unsigned i = 0; i < attached_count; i++) {
        if (gpa - attached[i].gpa < attached[i].size) {
            access->offset = gpa - attached[i].gpa;
            return attached[i].handler(attached[i].device, access);
        }
    }
    return false;
}

void throttle_add(uint32_t ticks)
{
    bus.charged += ticks;
}

bool timer_is_late(void)
{
    return bus.timer_is_late;
}

void timer_set_coalescing(uint64_t ticks, uint64_t parked)
{
    assert_in_range(ticks, 1, UINT32_MAX);
    assert_in_range(parked, 1, ticks);
    bus.coalescing_timers++;
    bus.parked_ticks = parked;
}

void timer_set_polling(uint64_t ticks)
{
    assert_in_range(ticks, 1, UINT32_MAX);
    bus.polling_timers++;
}

uint64_t pace_elapsed(void)
{
    return bus.elapsed += bus.turn;
}

void pace_pause(uint64_t work)
{
    assert_int_equal(work, bus.elapsed);
    bus.pauses = true;
}

bool pace_pauses(void)
{
    return bus.pauses;
}

void vgic_set_level(uint32_t intid, bool asserted)
{
    assert_in_range(intid, GIC_SPI_BASE, 127);
    if (asserted && !bus.level[intid]) {
        bus.rises[intid]++;
    }
    bus.level[intid] = asserted;
}

static void say(const char *format, va_list arguments)
{
    size_t length = strlen(bus.messages);

    vsnprintf(bus.messages + length, sizeof(bus.messages) - length, format, arguments);
    length = strlen(bus.messages);
    if (length + 1 < sizeof(bus.messages)) {
        strcpy(bus.messages + length, "\n");
    }
    bus.message_count++;
}

void log_printf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

void log_limited(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

bool bus_said(const char *part)
{
    return strstr(bus.messages, part) != NULL;
}

/* The register that the guest writes from. */
static uint64_t source_value;

static uint64_t fetch(const struct mmio_access *access)
{
    (void)access;
    bus.fetches++;
    return source_value;
}

void bus_write_width(uint64_t gpa, uint8_t width, uint64_t value)
{
    struct mmio_access access = {.width = width, .write = true, .fetch = fetch};

    source_value = value;
    if (!mmio_route(gpa, &access)) {
        fail_msg("write at 0x%lx refused", (unsigned long)gpa);
    }
}

void bus_write(uint64_t gpa, uint32_t value)
{
    bus_write_width(gpa, 4, value);
}

uint64_t bus_read(uint64_t gpa, uint8_t width)
{
    struct mmio_access access = {.width = width};

    if (!mmio_route(gpa, &access)) {
        fail_msg("read at 0x%lx refused", (unsigned long)gpa);
    }
    return access.value;
}

uint32_t bus_negotiate(uint64_t device, uint64_t features)
{
    uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

    bus_write(device + VIRTIO_MMIO_STATUS, 0);
    bus_write(device + VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    bus_write(device + VIRTIO_MMIO_STATUS, status);
    for (uint32_t half = 0; half < 2; half++) {
        bus_write(device + VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        bus_write(device + VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * half)));
    }
    bus_write(device + VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_FEATURES_OK);
    return (uint32_t)bus_read(device + VIRTIO_MMIO_STATUS, 4);
}

uint32_t bus_enable_queue(uint64_t device, uint32_t index, const struct driver_queue *queue)
{
    const uint64_t rings[] = {queue->desc_gpa, queue->avail_gpa, queue->used_gpa};
    const uint32_t registers[] = {VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_AVAIL_LOW,
                                  VIRTIO_MMIO_QUEUE_USED_LOW};

    bus_write(device + VIRTIO_MMIO_QUEUE_SEL, index);
    bus_write(device + VIRTIO_MMIO_QUEUE_NUM, queue->size);
    for (int i = 0; i < 3; i++) {
        bus_write(device + registers[i], (uint32_t)rings[i]);
        bus_write(device + registers[i] + 4, (uint32_t)(rings[i] >> 32));
    }
    bus_write(device + VIRTIO_MMIO_QUEUE_READY, 1);
    return (uint32_t)bus_read(device + VIRTIO_MMIO_QUEUE_READY, 4);
}

void bus_driver_ok(uint64_t device)
{
    uint32_t status = (uint32_t)bus_read(device + VIRTIO_MMIO_STATUS, 4);

    bus_write(device + VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_DRIVER_OK);
}

void bus_kick(uint64_t device, uint32_t queue)
{
    bus_write(device + VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

uint32_t bus_acknowledge(uint64_t device)
{
    uint32_t interrupts = (uint32_t)bus_read(device + VIRTIO_MMIO_INTERRUPT_STATUS, 4);

    bus_write(device + VIRTIO_MMIO_INTERRUPT_ACK, interrupts);
    return interrupts;
}
