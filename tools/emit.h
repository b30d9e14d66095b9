/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "layout.h"

/* The files that are made of a layout. Each function appends to `out`. */

/* Microkit's system description, XML. */
void emit_system(const struct layout *layout, struct buffer *out);

/* The C file that defines a PD's configuration. */
void emit_config(const struct layout *layout, const struct pd *pd, struct buffer *out);

/* The assembler file that puts a monitor's files into its program. */
void emit_embedded(const struct layout *layout, const struct pd *pd, struct buffer *out);

/* A guest's flattened device tree. */
void emit_dtb(const struct layout *layout, const struct vm *vm, struct buffer *out);

/* The offset in emit_dtb's device tree of `rng-seed`, which the monitor fills in. */
size_t dtb_seed_offset(const struct buffer *dtb);
size_t dtb_kaslr_seed_offset(const struct buffer *dtb);

/* The fragment that the Makefile includes. */
void emit_make(const struct layout *layout, struct buffer *out);

/* QEMU's arguments, one a line, for a run in the output directory. */
void emit_qemu(const struct layout *layout, struct buffer *out);

/* The summary for other programs. */
void emit_json(const struct layout *layout, struct buffer *out);

/* The picture, in Graphviz's language. */
void emit_dot(const struct layout *layout, struct buffer *out);

/*
 * The header that the bundled kernel is built with: sdk/kernel/board.h says what it defines. Errors
 * name the keys of the board's file that it wants and that are not there.
 */
void emit_kernel_header(const struct board *board, struct buffer *out);

/* The reference of all keys, in Markdown. */
void emit_reference(struct buffer *out);
