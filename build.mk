# SPDX-License-Identifier: BSD-2-Clause
#
# How one system's image comes about, once packages, SDK and guests are in place. The Makefile calls
# this file and says in variables what it has found out: ROOT, BUILD, SDK, BUNDLED_SDK, BOARD, CONFIG,
# SYSTEM, KERNEL, INITRD, MEMORY, QEMU, MORE_QEMU_ARGS, GEN, PYTHON, V. Paths among them hold nothing that
# make or a shell takes for its own; the Makefile has looked.
#
#   systems/NAME.yaml --braid-gen--> OUT/system.mk, system.system, config/PD.c, ...
#   the kinds of PDs  --gcc--------> OBJ, shared by all systems of one SDK, board and config
#   both              --ld---------> OUT/PD.elf
#   all ELFs          --microkit---> OUT/loader.img
#
# system.mk is part of this makefile, and make itself sees to it that it is up to date first.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := image
Q := $(if $(V),,@)
FORCE:
.PHONY: FORCE image disk run demo picture peer qemu-there

# ---- Which system, and where to ------------------------------------------------------------------

# virtio_demo, virtio_demo.system and virtio_demo.yaml are systems/virtio_demo.yaml; what has a slash,
# or is no system of ours but a file, is a path.
NAME := $(patsubst %.system,%,$(patsubst %.yaml,%,$(notdir $(SYSTEM))))
ifneq ($(findstring /,$(SYSTEM)),)
DESCRIPTION := $(abspath $(SYSTEM))
else ifneq ($(wildcard $(ROOT)/systems/$(NAME).yaml),)
DESCRIPTION := $(ROOT)/systems/$(NAME).yaml
else
DESCRIPTION := $(abspath $(SYSTEM))
endif
ifeq ($(wildcard $(DESCRIPTION)),)
$(error SYSTEM=$(SYSTEM): there is no such file. systems/ has \
    $(patsubst %.yaml,%,$(notdir $(wildcard $(ROOT)/systems/*.yaml))); a file elsewhere needs its path)
endif

# Nothing made for one SDK, board or config is ever mistaken for another's.
SDK_NAME := $(if $(filter $(SDK),$(BUNDLED_SDK)),bundled,$(notdir $(SDK)))
TAG := $(SDK_NAME).$(BOARD).$(CONFIG)$(if $(EXITS),.exits)
OUT := $(BUILD)/systems/$(NAME)/$(TAG)
OBJ := $(BUILD)/obj/$(TAG)

BOARD_DIR := $(SDK)/board/$(BOARD)/$(CONFIG)
BOARD_FILE := $(ROOT)/boards/$(BOARD).yaml
ifeq ($(wildcard $(BOARD_FILE)),)
$(error MICROKIT_BOARD=$(BOARD): boards/ describes only \
    $(patsubst %.yaml,%,$(notdir $(wildcard $(ROOT)/boards/*.yaml))); docs/porting.md says how to describe another)
endif

# From 2.2 on the tool can fill a memory region from a file (prefill_path).
PREFILL := $(if $(filter bundled,$(SDK_NAME)),yes,$(shell \
    printf '2.2.0\n%s\n' "$$(sed 's/[^0-9.].*//' '$(SDK)/VERSION')" | sort -V -C && echo yes))

# Write the second argument to the first, a file, only if it says something else: whatever depends on
# that file is then made again when a setting has changed, and only then.
define remember
$(1): FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$(2)' | cmp -s - $$@ || printf '%s\n' '$(2)' >$$@
endef

# ---- The generator -------------------------------------------------------------------------------

GEN_ARGS := $(DESCRIPTION) --board $(BOARD_FILE) --kernel $(KERNEL) --initrd $(INITRD) \
    $(if $(PREFILL),--prefill) $(if $(MEMORY),--memory $(MEMORY)) --search $(BUILD)/guest \
    --output $(OUT)
$(eval $(call remember,$(OUT)/settings,$(GEN_ARGS)))

$(OUT)/system.mk: $(DESCRIPTION) $(BOARD_FILE) $(GEN) $(OUT)/settings
	@echo "  GEN     $(NAME)"
	$(Q)$(GEN) $(GEN_ARGS)

# What is in it is said at its head. Where there is none yet an empty one from the year 1970 stands in,
# so that make, when the generator has said what is wrong, does not add that a file is missing.
ifeq ($(wildcard $(OUT)/system.mk),)
$(shell mkdir -p $(OUT) && touch -d @0 $(OUT)/system.mk)
endif
include $(OUT)/system.mk
# The user's files go by links beside system.mk, so that no name of theirs is read by make or a shell.
USERS_FILES := $(addprefix $(OUT)/,$(sort $(SYSTEM_INPUTS) $(IMAGES)))
$(OUT)/system.mk: $(USERS_FILES)
# That one of them has gone since is for the generator to say, in words.
$(USERS_FILES): ;

# ---- Programs ------------------------------------------------------------------------------------

CROSS ?= aarch64-linux-gnu-
# Of its two builds the one made for speed: the other copies byte by byte.
PICOLIBC ?= /usr/lib/picolibc/aarch64-linux-gnu

# No outline atomics: those ask Linux's auxiliary vector what the processor can do.
TARGET_CFLAGS := -std=gnu11 -O2 -g -flto -Wall -Wextra -Werror -mcpu=cortex-a53 -mstrict-align \
    -mno-outline-atomics -ffreestanding -fno-pie -fno-stack-protector -ffunction-sections \
    -fdata-sections -nostdinc -isystem $(shell $(CROSS)gcc -print-file-name=include) \
    -isystem $(PICOLIBC)/include
# Behind picolibc's come the cross compiler's own headers, for Linux's UAPI: linux/virtio_*.h.
TARGET_CPPFLAGS := -I$(ROOT) -isystem $(BOARD_DIR)/include \
    -idirafter /usr/$(patsubst %-,%,$(CROSS))/include $(if $(EXITS),-DVMM_COUNT_EXITS)
$(eval $(call remember,$(OBJ)/settings,$(CROSS) $(TARGET_CFLAGS) $(TARGET_CPPFLAGS)))

LIBGCC := $(shell $(CROSS)gcc -print-libgcc-file-name)
# Of picolibc's printf the one that leaves floating point out.
PRINTF := --defsym=vfprintf=__i_vfprintf

# A kind of PD is a directory of sources, and for a monitor its devices'.
kind_sources = $(wildcard $(ROOT)/$(1)/*.c $(ROOT)/$(1)/virtio/*.c)
kind_objects = $(patsubst $(ROOT)/%.c,$(OBJ)/%.o,$(call kind_sources,$(1)))

$(OBJ)/%.o: $(ROOT)/%.c $(OBJ)/settings $(BOARD_DIR)/lib/libmicrokit.a
	@mkdir -p $(@D)
	@echo "  CC      $*.c"
	$(Q)$(CROSS)gcc $(TARGET_CFLAGS) $(TARGET_CPPFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/%.o: $(ROOT)/%.S $(OBJ)/settings
	@mkdir -p $(@D)
	@echo "  AS      $*.S"
	$(Q)$(CROSS)gcc $(TARGET_CFLAGS) $(TARGET_CPPFLAGS) -MMD -MP -c -o $@ $<

# It comes before the C library: lib/memory.S stands in for the copying of that one.
LIB := $(OBJ)/libbraid.a
$(LIB): $(patsubst $(ROOT)/%,$(OBJ)/%.o,$(basename $(wildcard $(ROOT)/lib/*.c $(ROOT)/lib/*.S)))
	@echo "  AR      libbraid.a"
	$(Q)rm -f $@ && $(CROSS)gcc-ar rcsD $@ $^

$(OUT)/config/%.o: $(OUT)/config/%.c $(OBJ)/settings
	$(Q)$(CROSS)gcc $(TARGET_CFLAGS) -fno-lto $(TARGET_CPPFLAGS) -MMD -MP -c -o $@ $<

# A machine's secret, of which its guest's random numbers are made: drawn once for each build directory.
$(OUT)/%.secret:
	$(Q)umask 077 && head -c 32 /dev/urandom >$@ && [ "$$(wc -c <$@)" -eq 32 ]

# A monitor's files, those that its ELF carries.
embedded = $(addprefix $(OUT)/,$(EMBED_$(1)))
$(OUT)/config/%_images.o: $(OUT)/config/%_images.S $(OBJ)/settings
	$(Q)$(CROSS)gcc $(TARGET_CFLAGS) -I$(OUT) -c -o $@ $<

# A kind's program, but for its configuration and the C library. It is optimised as a whole, across
# files. That is done here, once, and not in each machine's link.
define kind
$(OBJ)/$(1).program.o: $(call kind_objects,$(1)) $(LIB)
	@echo "  LTO     $(1)"
	$$(Q)$$(CROSS)gcc $$(TARGET_CFLAGS) -nostdlib -r -flinker-output=nolto-rel -o $$@ $$^
endef
$(foreach k,$(sort $(foreach p,$(PDS),$(KIND_$(p)))),$(eval $(call kind,$(k))))

define pd
$(OUT)/$(1).elf: $(OBJ)/$(KIND_$(1)).program.o $(OUT)/config/$(1).o \
        $(if $(EMBED_$(1)),$(OUT)/config/$(1)_images.o) $(LIB) $(BOARD_DIR)/lib/libmicrokit.a
	@echo "  LD      $(NAME)/$(1).elf"
	$$(Q)$$(CROSS)ld -o $$@ --gc-sections --build-id=none $(PRINTF) -T $(BOARD_DIR)/lib/microkit.ld \
	    $$(filter %.o,$$^) --start-group $(LIB) $(BOARD_DIR)/lib/libmicrokit.a \
	    $(PICOLIBC)/lib/release/libc.a $(LIBGCC) --end-group
$(if $(EMBED_$(1)),$(OUT)/config/$(1)_images.o: $(call embedded,$(1)))
endef
$(foreach p,$(PDS),$(eval $(call pd,$(p))))

# ---- The image -----------------------------------------------------------------------------------

IMAGE := $(OUT)/loader.img

# The tool looks for its SDK where MICROKIT_SDK says, which may be set to another one, or to nothing.
$(IMAGE): $(PDS:%=$(OUT)/%.elf) $(OUT)/system.system $(IMAGES:%=$(OUT)/%) $(SDK)/bin/microkit \
        $(wildcard $(BOARD_DIR)/elf/*)
	@echo "  IMAGE   $@"
	$(Q)MICROKIT_SDK='$(SDK)' $(SDK)/bin/microkit $(OUT)/system.system --search-path $(OUT) \
	    --board $(BOARD) --config $(CONFIG) -o $@ -r $(OUT)/report.txt >$(OUT)/microkit.log 2>&1 || \
	    { cat $(OUT)/microkit.log >&2; rm -f $@; exit 1; }

# The command that boots it, for people and for tests; what is given to it goes to QEMU as well.
RUN := $(OUT)/run
RUN_COMMAND := set -f; exec $(QEMU) $$(cat qemu.args) $(MORE_QEMU_ARGS) "$$@"
$(eval $(call remember,$(OUT)/run.settings,$(RUN_COMMAND)))
$(RUN): $(OUT)/run.settings
	$(Q)printf '#!/bin/sh\ncd "$$(dirname "$$0")" && %s\n' '$(RUN_COMMAND)' >$@ && chmod +x $@

# ---- The board's disk ----------------------------------------------------------------------------

# It is made once, and then holds what the machines have written; `disk` starts it over.
DISK_IMAGE := $(if $(filter disk.img,$(DISK)),$(OUT)/disk.img)

$(OUT)/disk.img: $(OUT)/system.mk FORCE
	$(Q)$(PYTHON) $(ROOT)/tools/disk.py --keep $(OUT)/system.json $@
disk: $(OUT)/system.mk
	$(Q)$(PYTHON) $(ROOT)/tools/disk.py $(OUT)/system.json $(OUT)/disk.img

# ---- The board at the other end of the uplink's cable --------------------------------------------

# The cable is two sockets, each in its board's directory, which the other one knows as `peer`.
PEER_LINK := $(if $(PEER),$(OUT)/peer)
$(PEER_LINK):
	$(Q)ln -sfn ../../$(PEER)/$(TAG) $@

peer:
	+$(Q)$(MAKE) -f $(ROOT)/build.mk SYSTEM='$(dir $(DESCRIPTION))$(PEER).yaml' image

# ---- What can be asked for -----------------------------------------------------------------------

image: $(IMAGE) $(RUN) $(DISK_IMAGE) $(PEER_LINK)

# QEMU may be missing while all that builds is there: an installation of one's own, a PATH gone wrong.
qemu-there:
	@command -v $(firstword $(QEMU)) >/dev/null || { echo "make: there is no program $(firstword $(QEMU)): install the package" \
	    "qemu-system-arm (Debian) or qemu-system-aarch64 (Fedora, Arch), or name yours with QEMU=PROGRAM" >&2; exit 1; }

ifeq ($(PEER),)
run: qemu-there image
	@echo "  RUN     $(NAME)   Ctrl-] ? lists the console's keys; Ctrl-A x leaves."
	@$(RUN)
else
# The other board runs in the background, its consoles at a socket, for as long as this one does.
run: qemu-there image peer
	@echo "  RUN     $(PEER)   its consoles: socat -,raw,echo=0,escape=0x11 unix:$(OUT)/peer/console.sock" \
	    "(Ctrl-Q leaves)"
	@echo "  RUN     $(NAME)   Ctrl-] ? lists the console's keys; Ctrl-A x leaves."
	@$(OUT)/peer/run -serial unix:console.sock,server=on,wait=off -monitor none </dev/null & \
	    trap "kill $$! 2>/dev/null" EXIT; $(RUN)
endif

demo: qemu-there image
	@$(PYTHON) $(ROOT)/tests/system/demo.py $(RUN)

picture: $(OUT)/system.mk
	@echo "  DOT     $(OUT)/$(NAME).svg"
	$(Q)dot -Tsvg -o $(OUT)/$(NAME).svg $(OUT)/picture.dot

-include $(shell find $(OBJ) $(OUT) -name '*.d' 2>/dev/null)
