/* SPDX-License-Identifier: BSD-2-Clause */

/* The configuration of the disk multiplexer, and of the disk's driver. */

#include <inttypes.h>
#include "emit_config.h"

static void emit_slice(const struct layout *layout, const struct slice *slice, struct buffer *out)
{
    const struct vm_layout *place = &layout->vms[slice->vm->index];
    const struct link *link = &place->slices[slice->index];

    buffer_print(out,
                 "        {\n"
                 "            .name = \"%s disk%u\",\n"
                 "            .channel = %u,\n"
                 "            .read_only = %s,\n",
                 slice->vm->name, slice->index, link->server_channel,
                 slice->settings.read_only.number ? "true" : "false");
    if (slice->kind == BLOCK_SLICE_RANGE) {
        buffer_print(out,
                     "            .slice_kind = BLOCK_SLICE_RANGE,\n"
                     "            .offset = 0x%" PRIx64 ",\n"
                     "            .size = 0x%" PRIx64 ",\n",
                     slice->offset, slice->size);
    } else if (slice->kind == BLOCK_SLICE_BY_NUMBER) {
        buffer_print(out,
                     "            .slice_kind = BLOCK_SLICE_BY_NUMBER,\n"
                     "            .number = %u,\n",
                     slice->number);
    } else {
        buffer_print(out,
                     "            .slice_kind = BLOCK_SLICE_BY_NAME,\n            .partition = \"");
        buffer_add_quoted(out, slice->settings.partition.text);
        buffer_print(out, "\",\n");
    }
    buffer_print(out,
                 "            .requests = " FIELD_POINTER ",\n"
                 "            .replies = " FIELD_POINTER ",\n"
                 "            .request_ring_size = 0x%" PRIx64 ",\n"
                 "            .reply_ring_size = 0x%" PRIx64 ",\n"
                 "            .first_region = %zu,\n"
                 "            .region_count = %zu,\n",
                 link->server_up, link->server_down, link->ring_up, link->ring_down,
                 place->first_data_region, place->data_region_count);
    if (slice_is_limited(slice)) {
        const struct disk_rate_settings *rate = &slice->settings.of_rate;

        buffer_print(out,
                     "            .bytes_rate = %" PRIu64 ",\n"
                     "            .operations_rate = %" PRIu64 ",\n"
                     "            .burst_us = %" PRIu64 ",\n",
                     rate->bytes.number, rate->operations.number, rate->burst.number);
    }
    buffer_print(out, "        },\n");
}

void emit_block_config(const struct layout *layout, struct buffer *out)
{
    const struct disk_layout *disk = &layout->disk;

    buffer_print(out, "\nstatic const uint64_t region_sizes[] = {\n");
    for (size_t i = 0; i < disk->data_regions.count; i++) {
        buffer_print(out, "    0x%" PRIx64 ", /* %s */\n", disk->data_regions.items[i]->size,
                     disk->data_regions.items[i]->name);
    }
    buffer_print(out,
                 "};\n"
                 "\nconst struct block_config block_config = {\n"
                 "    .driver_channel = %u,\n"
                 "    .requests = " FIELD_POINTER ",\n"
                 "    .replies = " FIELD_POINTER ",\n"
                 "    .request_ring_size = 0x%" PRIx64 ",\n"
                 "    .reply_ring_size = 0x%" PRIx64 ",\n"
                 "    .buffer = " FIELD_POINTER ",\n"
                 "    .region_sizes = region_sizes,\n"
                 "    .region_count = %zu,\n"
                 "    .log = " FIELD_POINTER ",\n"
                 "    .log_size = 0x%" PRIx64 ",\n"
                 "    .log_channel = %u,\n"
                 "    .stats = " FIELD_POINTER ",\n"
                 "    .client_count = %u,\n",
                 disk->link.client_channel, disk->link.client_up, disk->link.client_down,
                 disk->link.ring_up, disk->link.ring_down, disk->buffer, disk->data_regions.count,
                 disk->block_log.client_up, disk->block_log.ring_up, disk->block_log.client_channel,
                 disk->stats.writer, layout->disk_client_count);
    if (disk_is_limited(layout->system)) {
        buffer_print(out, "    .has_timer = true,\n    .timer_channel = %u,\n",
                     layout->block_timer_channel);
    }
    buffer_print(out, "    .clients = {\n");
    for (size_t i = 0; i < layout->system->vms.count; i++) {
        const struct vm *vm = layout->system->vms.items[i];
        for (unsigned k = 0; k < vm->slice_count; k++) {
            emit_slice(layout, &vm->slices[k], out);
        }
    }
    buffer_print(out, "    },\n};\n");
}

/* The variables are initialized, so that they lie in the ELF's file, where the tool sets them. */
void emit_disk_driver_config(const struct layout *layout, struct buffer *out)
{
    const struct disk_layout *disk = &layout->disk;

    buffer_print(out, "\n/* The SDK's tool writes physical addresses here. */\n");
    for (size_t i = 0; i < disk->driver->setvars.count; i++) {
        buffer_print(out, "uint64_t %s = UINT64_MAX;\n", disk->driver->setvars.items[i].symbol);
    }
    buffer_print(out, "\nstatic const struct block_driver_region regions[] = {\n");
    for (size_t i = 0; i < disk->data_regions.count; i++) {
        buffer_print(out, "    {.paddr = &data_paddr_%zu, .size = 0x%" PRIx64 "}, /* %s */\n", i,
                     disk->data_regions.items[i]->size, disk->data_regions.items[i]->name);
    }
    buffer_print(
        out,
        "};\n"
        "\nconst struct block_driver_config block_driver_config = {\n"
        "    .registers = 0x%" PRIx64 ",\n"
        "%s"
        "    .irq_channel = %u,\n"
        "    .client_channel = %u,\n"
        "    .requests = " FIELD_POINTER ",\n"
        "    .replies = " FIELD_POINTER ",\n"
        "    .request_ring_size = 0x%" PRIx64 ",\n"
        "    .reply_ring_size = 0x%" PRIx64 ",\n"
        "    .dma = " FIELD_POINTER ",\n"
        "    .dma_paddr = &dma_paddr,\n"
        "    .regions = regions,\n"
        "    .region_count = %zu,\n"
        "    .log = " FIELD_POINTER ",\n"
        "    .log_size = 0x%" PRIx64 ",\n"
        "    .log_channel = %u,\n"
        "};\n",
        disk->registers,
        layout->system->board.disk.write_protect.number != 0 ? ""
                                                             : "    .no_protect_switch = true,\n",
        disk->driver->irqs.items[0].channel, disk->link.server_channel, disk->link.server_up,
        disk->link.server_down, disk->link.ring_up, disk->link.ring_down, disk->dma,
        disk->data_regions.count, disk->driver_log.client_up, disk->driver_log.ring_up,
        disk->driver_log.client_channel);
}
