/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire.h"

void wire_add(struct bytes *out, enum wire_kind kind, const void *data, size_t length)
{
    const uint8_t *at = data;

    do {
        size_t part = length < WIRE_LENGTH_MAX ? length : WIRE_LENGTH_MAX;
        uint8_t header[WIRE_HEADER] = {(uint8_t)kind, (uint8_t)part, (uint8_t)(part >> 8)};

        bytes_add(out, header, sizeof(header));
        bytes_add(out, at, part);
        at += part;
        length -= part;
    } while (length > 0);
}

int wire_peek(const struct bytes *in, const uint8_t **data, size_t *length)
{
    if (in->count < WIRE_HEADER) {
        return 0;
    }
    *length = (size_t)in->data[1] | (size_t)in->data[2] << 8;
    *data = in->data + WIRE_HEADER;
    if (*length > WIRE_LENGTH_MAX || in->data[0] < WIRE_COMMAND || in->data[0] > WIRE_COUNTERS) {
        return -1;
    }
    return in->count < WIRE_HEADER + *length ? 0 : in->data[0];
}
