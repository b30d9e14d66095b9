/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <string.h>
#include "emit.h"

/*
 * The only text of the user's here are names of letters, digits, '-' and '_' (and '.' in those of
 * files). Anything else could mean something to make, which includes this file, or to the shell
 * that make runs.
 */
static const char head[] =
    "#\n"
    "# SYSTEM_NAME    what the system is called\n"
    "# BOARD          the SDK's name of the board\n"
    "# PDS            the protection domains; system.system wants PD.elf of each\n"
    "# KIND_PD        the directory of a PD's sources, a driver's with its chip behind it;\n"
    "#                config/PD.c is its configuration\n"
    "# EMBED_PD       the files that config/PD_images.S puts into that PD (as -I DIR); unset: it "
    "has\n"
    "#                no such file\n"
    "# IMAGES         the files that system.system fills memory regions with\n"
    "# SYSTEM_INPUTS  what all this was made from beside system and board; if one changes, run\n"
    "#                braid-gen again\n"
    "# VMS            the machines\n"
    "# DISK           the disk's image; disk.img is to be made (system.json says of what), "
    "another\n"
    "#                one is the user's; unset: no disk\n"
    "# EMULATED       yes: QEMU has the board; unset: it has not\n"
    "# QEMU_VERSION   the oldest QEMU that it runs on; unset: any\n"
    "# ELF_ADDRESS    where QEMU wants the boot image as an ELF file, loader.elf; unset: it does "
    "not\n"
    "# BOOT_FIRMWARE  what loads the boot image from an SD card, to BOOT_ADDRESS, and "
    "BOOT_PARTITION "
    "is the\n"
    "#                size of its partition there, MiB; unset: the board's file does not say\n"
    "# DEVICE_FILES   FILE:BYTES of each file to be made for QEMU's devices that are handed to "
    "machines\n"
    "# HEAD_ADDRESS   where QEMU wants it behind the head of an arm64 Image, loader.Image; unset: "
    "it\n"
    "#                does not\n"
    "# PEER           the system at the other end of the uplink's cable; unset: none. Its "
    "directory is\n"
    "#                to be beside this file as `peer`\n"
    "#\n"
    "# Files lie beside this one; those of the user's are links there.\n"
    "# This file gets a new time at each run, all others only when their content changes.\n\n";

static void emit_embeds(const struct layout *layout, struct buffer *out)
{
    for (size_t i = 0; i < layout->system->vms.count; i++) {
        const struct vm *vm = layout->system->vms.items[i];
        buffer_print(out, "EMBED_%s :=", layout->monitors[i]->name);
        buffer_print(out, " %s.dtb %s.secret", vm->name, vm->name);
        if (!layout->system->options->prefill) {
            buffer_print(out, " %s", vm->kernel->link);
            if (vm->initramfs != NULL) {
                buffer_print(out, " %s", vm->initramfs->link);
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
        buffer_print(out, " %s", system->images.items[i]->link);
    }
    buffer_print(out, "\nSYSTEM_INPUTS :=");
    for (size_t i = 0; i < system->images.count; i++) {
        const struct image *image = system->images.items[i];
        buffer_print(out, " %s", image->source != NULL ? image->source : image->link);
    }
    buffer_print(out, "\nVMS :=");
    for (size_t i = 0; i < system->vms.count; i++) {
        buffer_print(out, " %s", system->vms.items[i]->name);
    }
    buffer_print(out, "\n");
}

static const char *disk_file(const struct system *system)
{
    return system->disk.is_given ? system->disk.link : "disk.img";
}

/* What the card is connected to, as a value of QEMU's -netdev. */
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

/* QEMU's RAM. What the user has asked for by --memory counts for all. */
static uint64_t memory_mebibytes(const struct layout *layout)
{
    const struct board *board = &layout->system->board;
    bool is_given = layout->system->options->memory != NULL;
    const struct setting *memory = board->qemu.memory.line != 0 && !is_given
                                       ? &board->qemu.memory
                                       : &board->settings.memory_size;

    return memory->number / MIB;
}

static void emit_device_files(const struct system *system, struct buffer *out)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        for (unsigned k = 0; k < vm->device_count; k++) {
            const struct setting *file = &vm->devices[k]->settings.qemu_file;
            if (file->line != 0) {
                buffer_print(out, "DEVICE_FILES += %s.img:%" PRIu64 "\n", vm->devices[k]->name,
                             file->number);
            }
        }
    }
}

void emit_make(const struct layout *layout, struct buffer *out)
{
    const struct board *board = &layout->system->board;

    buffer_print(out,
                 "# Made by braid-gen from the system '%s' for the board '%s'; changes will be "
                 "lost.\n%s"
                 "SYSTEM_NAME := %s\nBOARD := %s\nPDS :=",
                 layout->system->name, board->name, head, layout->system->name, board->name);
    for (size_t i = 0; i < layout->pds.count; i++) {
        buffer_print(out, " %s", layout->pds.items[i]->name);
    }
    buffer_print(out, "\n");
    for (size_t i = 0; i < layout->pds.count; i++) {
        const struct pd *pd = layout->pds.items[i];
        buffer_print(out, "KIND_%s := %s%s%s\n", pd->name, pd->kind, pd->chip == NULL ? "" : "/",
                     pd->chip == NULL ? "" : pd->chip);
    }
    emit_embeds(layout, out);
    emit_inputs(layout, out);
    if (layout->disk.block != NULL) {
        buffer_print(out, "DISK := %s\n", disk_file(layout->system));
    }
    if (board->settings.qemu.line != 0) {
        buffer_print(out, "EMULATED := yes\n");
    }
    if (!layout->system->options->sdk_bundled && board->qemu.official_version.line != 0) {
        buffer_print(out, "QEMU_VERSION := %s\n", board->qemu.official_version.text);
    }
    if (board->qemu.start.number == QEMU_START_KERNEL) {
        buffer_print(out, "ELF_ADDRESS := 0x%" PRIx64 "\n", board->settings.image_address.number);
    }
    if (board->settings.boot.node != NULL) {
        buffer_print(out,
                     "BOOT_FIRMWARE := %s\nBOOT_ADDRESS := 0x%" PRIx64
                     "\nBOOT_PARTITION := %" PRIu64 "\n",
                     board->boot.firmware.text, board->settings.image_address.number,
                     (uint64_t)(board->boot.partition.number / MIB));
    }
    emit_device_files(layout->system, out);
    if (board->qemu.start.number == QEMU_START_IMAGE) {
        buffer_print(out, "HEAD_ADDRESS := 0x%" PRIx64 "\n", board->settings.image_address.number);
    }
    if (layout->uplink.driver != NULL && layout->system->uplink.settings.to.line != 0) {
        buffer_print(out, "PEER := %s\n", layout->system->uplink.settings.to.text);
    }
}

/* Write words that blanks separate, one a line. */
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

/*
 * The loader of an official SDK starts all cores that its config was built for, and waits for ever
 * for one that is not there, however few of them the system uses. The bundled kernel starts those
 * that it uses. In QEMU a core more costs time,
 * even if it does nothing: each invalidation of TLBs waits for its thread.
 */
static uint64_t cores_started(const struct system *system)
{
    uint64_t cores = system->settings.cores.number;
    const struct options *options = system->options;
    const struct setting *always = &system->board.qemu.cores;

    if (always->line != 0) {
        return always->number;
    }
    uint64_t started = options->knows_sdk && !options->sdk_bundled ? options->sdk_cores : 0;

    return started > cores ? started : cores;
}

/* seL4 may want more of the machine than the bundled kernel does. */
static const char *machine(const struct system *system)
{
    const struct qemu_settings *qemu = &system->board.qemu;

    return system->options->sdk_bundled || qemu->official_machine.line == 0
               ? qemu->machine.text
               : qemu->official_machine.text;
}

void emit_qemu(const struct layout *layout, struct buffer *out)
{
    const struct board *board = &layout->system->board;

    uint64_t cores = cores_started(layout->system);

    buffer_print(out, "-machine\n%s\n-cpu\n%s\n", machine(layout->system), board->qemu.cpu.text);
    if (cores > 1) {
        buffer_print(out, "-smp\n%" PRIu64 "\n", cores);
    }
    buffer_print(out, "-m\n%" PRIu64 "M\n", memory_mebibytes(layout));
    if (board->qemu.start.number == QEMU_START_KERNEL) {
        buffer_print(out, "-kernel\nloader.elf\n");
    } else if (board->qemu.start.number == QEMU_START_IMAGE) {
        buffer_print(out, "-kernel\nloader.Image\n");
    } else {
        buffer_print(out, "-device\nloader,file=loader.img,addr=0x%" PRIx64 ",cpu-num=0\n",
                     board->settings.image_address.number);
    }
    if (layout->disk.block != NULL) {
        buffer_print(out, "-drive\n%s,format=raw,file=%s\n", board->disk.drive.text,
                     disk_file(layout->system));
        add_words(out, board->disk.qemu.text);
    }
    if (layout->uplink.driver != NULL) {
        buffer_print(out, "-netdev\n%s\n", netdev(&layout->system->uplink));
        add_words(out, board->network.qemu.text);
    }
    for (size_t i = 0; i < layout->system->vms.count; i++) {
        const struct vm *vm = layout->system->vms.items[i];
        for (unsigned k = 0; k < vm->device_count; k++) {
            add_words(out, vm->devices[k]->settings.qemu.text);
        }
    }
    add_words(out, board->qemu.arguments.text);
}
