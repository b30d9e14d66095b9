/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The parts of emit_config: the configuration of each kind of PD, as C. Each appends to `out`. */

#include "layout.h"

/* For printf: a uint64_t address as an initializer of a pointer. */
#define FIELD_POINTER "(void *)0x%" PRIx64

/* An address as six initializers of bytes. */
void emit_mac(uint64_t mac, struct buffer *out);

void emit_switch_config(const struct layout *layout, const struct network *network,
                        struct buffer *out);
void emit_card_driver_config(const struct layout *layout, struct buffer *out);
void emit_block_config(const struct layout *layout, struct buffer *out);
void emit_disk_driver_config(const struct layout *layout, struct buffer *out);
void emit_vm_config(const struct layout *layout, const struct vm *vm, struct buffer *out);
