/* SPDX-License-Identifier: BSD-2-Clause */
#include "emit.h"

#include <inttypes.h>
#include <string.h>

static const char head[] =
    "#\n"
    "# SYSTEM_NAME    what the system is called\n"
    "# BOARD          the SDK's name of the board\n"
    "# PDS            the protection domains; system.system wants PD.elf of each\n"
    "# KIND_PD        the directory of a PD's sources; config/PD.c is its configuration\n"
    "# EMBED_PD       the files that config/PD_images.S puts into that PD; unset: it has no such\n"
    "#                file. Names without a directory lie beside this file (as -I DIR).\n"
    "# IMAGES         the files that system.system fills memory regions with\n"
    "# SYSTEM_INPUTS  what all this was made from; if one changes, run braid-gen again\n"
    "# VMS            the machines\n"
    "# MEMORY         QEMU's memory: the board's, unless it was set before\n"
    "# DISK           the disk's image, a name without a directory beside this file; if it is not\n"
    "#                the user's it is to be made (system.json says of what); unset: no disk\n"
    "# NETDEV         what is behind the board's card, as QEMU's -netdev; unset: it has none\n"
    "# PEER           the system at the other end of the uplink's cable; unset: none. Its "
    "directory is\n"
    "#                to be beside this file as `peer`\n"
    "# QEMU_ARGS      QEMU's arguments; IMAGE is to be the boot image\n"
    "#\n"
    "# This file gets a new time at each run, all others only when their content changes.\n\n";

/* A file's name for make: blanks and the like with a backslash, `$` doubled. */
static void add_path(struct buffer *out, const char *path)
{
    buffer_print(out, " ");
    for (; *path != '\0'; path++) {
        if (strchr(" #%:\\", *path) != NULL) {
            buffer_print(out, "\\");
        }
        buffer_print(out, *path == '$' ? "$$" : "%c", *path);
    }
}

static void emit_embeds(const struct layout *layout, struct buffer *out)
{
    for (size_t i = 0; i < layout->system->vms.count; i++) {
        const struct vm *vm = layout->system->vms.items[i];
        buffer_print(out, "EMBED_%s :=", layout->monitors[i]->name);
        add_path(out, memory_format("%s.dtb", vm->name));
        add_path(out, memory_format("%s.secret", vm->name));
        if (!layout->system->options->prefill) {
            add_path(out, vm->kernel->path);
            if (vm->initramfs != NULL) {
                add_path(out, vm->initramfs->path);
            }
        }
        buffer_print(out, "\n");
    }
}

static void emit_inputs(const struct layout *layout, struct buffer *out)
{
    const struct system *system = layout->system;

    buffer_print(out, "IMAGES :=");
    for (size_t i = 0; system->options->prefill && i < system->images.count; i++) {
        add_path(out, system->images.items[i]->path);
    }
    buffer_print(out, "\nSYSTEM_INPUTS :=");
    add_path(out, system->path);
    add_path(out, system->board.path);
    for (size_t i = 0; i < system->images.count; i++) {
        add_path(out, system->images.items[i]->path);
    }
    buffer_print(out, "\nVMS :=");
    for (size_t i = 0; i < system->vms.count; i++) {
        buffer_print(out, " %s", system->vms.items[i]->name);
    }
    buffer_print(out, "\n");
}

/* The disk's image as a value of QEMU's -drive, in which a comma is written twice. */
static const char *disk_file(const struct system *system)
{
    const char *path = system->disk.is_given ? system->disk.path : "disk.img";
    char *doubled = memory_new(2 * strlen(path) + 1);

    for (char *to = doubled; *path != '\0'; path++) {
        *to++ = *path;
        if (*path == ',') {
            *to++ = ',';
        }
    }
    return doubled;
}

/* What is behind the card, as a value of QEMU's -netdev. */
static const char *netdev(const struct uplink *uplink)
{
    const char *text = "user,id=uplink";

    if (uplink->settings.to.line != 0) {
        return "dgram,id=uplink,local.type=unix,local.path=uplink.sock,remote.type=unix,"
               "remote.path=peer/uplink.sock";
    }
    for (size_t i = 0; i < uplink->forwards.count; i++) {
        const struct forward *forward = &uplink->forwards.items[i];

        text = memory_format("%s,hostfwd=%s:127.0.0.1:%u-%s:%u", text, forward->protocol,
                             forward->host_port, value_format(VALUE_IPV4, forward->address),
                             forward->port);
    }
    return text;
}

static uint64_t memory_mebibytes(const struct layout *layout)
{
    return layout->system->board.settings.memory_size.number / MIB;
}

void emit_make(const struct layout *layout, struct buffer *out)
{
    const struct board *board = &layout->system->board;

    buffer_print(out, "# Made by braid-gen from %s and %s; changes will be lost.\n%s",
                 layout->system->path, board->path, head);
    buffer_print(out, "SYSTEM_NAME := %s\nBOARD := %s\nPDS :=", layout->system->name, board->name);
    for (size_t i = 0; i < layout->pds.count; i++) {
        buffer_print(out, " %s", layout->pds.items[i]->name);
    }
    buffer_print(out, "\n");
    for (size_t i = 0; i < layout->pds.count; i++) {
        buffer_print(out, "KIND_%s := %s\n", layout->pds.items[i]->name,
                     layout->pds.items[i]->kind);
    }
    emit_embeds(layout, out);
    emit_inputs(layout, out);
    buffer_print(out, "MEMORY ?= %" PRIu64 "M\n", memory_mebibytes(layout));
    if (layout->disk.block != NULL) {
        buffer_print(out, "DISK ?=");
        add_path(out, disk_file(layout->system));
        buffer_print(out, "\n");
    }
    if (layout->uplink.driver != NULL) {
        buffer_print(out, "NETDEV ?= %s\n", netdev(&layout->system->uplink));
    }
    if (layout->uplink.driver != NULL && layout->system->uplink.settings.to.line != 0) {
        buffer_print(out, "PEER := %s\n", layout->system->uplink.settings.to.text);
    }
    buffer_print(out,
                 "QEMU_ARGS = -machine %s -cpu %s -m $(MEMORY) \\\n"
                 "    -device loader,file=$(IMAGE),addr=0x%" PRIx64 ",cpu-num=0 \\\n",
                 board->qemu.machine.text, board->qemu.cpu.text,
                 board->settings.image_address.number);
    if (layout->disk.block != NULL) {
        buffer_print(out, "    -drive if=none,id=disk,format=raw,file=$(DISK) %s \\\n",
                     board->disk.qemu.text);
    }
    if (layout->uplink.driver != NULL) {
        buffer_print(out, "    -netdev $(NETDEV) %s \\\n", board->network.qemu.text);
    }
    buffer_print(out, "    %s\n", board->qemu.arguments.text);
}

/* Words that blanks separate, one a line. */
static void add_words(struct buffer *out, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (length != 0) {
            buffer_add(out, text, length);
            buffer_add(out, "\n", 1);
        }
        text += length + (text[length] == ' ');
    }
}

void emit_qemu(const struct layout *layout, struct buffer *out)
{
    const struct board *board = &layout->system->board;

    buffer_print(out,
                 "-machine\n%s\n-cpu\n%s\n-m\n%" PRIu64
                 "M\n-device\nloader,file=loader.img,addr=0x%" PRIx64 ",cpu-num=0\n",
                 board->qemu.machine.text, board->qemu.cpu.text, memory_mebibytes(layout),
                 board->settings.image_address.number);
    if (layout->disk.block != NULL) {
        buffer_print(out, "-drive\nif=none,id=disk,format=raw,file=%s\n",
                     disk_file(layout->system));
        add_words(out, board->disk.qemu.text);
    }
    if (layout->uplink.driver != NULL) {
        buffer_print(out, "-netdev\n%s\n", netdev(&layout->system->uplink));
        add_words(out, board->network.qemu.text);
    }
    add_words(out, board->qemu.arguments.text);
}
