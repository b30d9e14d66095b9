# SPDX-License-Identifier: BSD-2-Clause
#
# How one system's image comes about, once packages, SDK and guests are in place. The Makefile calls
# this file and says in variables what it has found out: ROOT, BUILD, SDK, BUNDLED_SDK, BOARD, CONFIG,
# SYSTEM, KERNEL, INITRD, MEMORY, QEMU, QEMU_ARGS, PYTHON, V.
#
#   systems/NAME.yaml --braid-gen--> OUT/system.mk, NAME.system, one C file per PD, device trees
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
.PHONY: FORCE image run demo picture

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
TAG := $(SDK_NAME).$(BOARD).$(CONFIG)
OUT := $(BUILD)/systems/$(NAME)/$(TAG)
OBJ := $(BUILD)/obj/$(TAG)
TOOLS := $(BUILD)/tools

BOARD_DIR := $(SDK)/board/$(BOARD)/$(CONFIG)
BOARD_FILE := $(ROOT)/boards/$(BOARD).yaml
ifeq ($(wildcard $(BOARD_FILE)),)
$(error MICROKIT_BOARD=$(BOARD): boards/ describes only $(patsubst %.yaml,%,$(notdir $(wildcard $(ROOT)/boards/*.yaml))))
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

HOSTCC ?= gcc
GEN := $(TOOLS)/braid-gen
GEN_OBJECTS := $(patsubst $(ROOT)/%.c,$(TOOLS)/obj/%.o,$(wildcard $(ROOT)/tools/*.c))

$(TOOLS)/obj/%.o: $(ROOT)/%.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $*.c"
	$(Q)$(HOSTCC) -std=gnu11 -O2 -g -Wall -Wextra -Werror -I$(ROOT) -I$(ROOT)/tools -MMD -MP -c -o $@ $<

$(GEN): $(GEN_OBJECTS)
	@echo "  HOSTLD  tools/braid-gen"
	$(Q)$(HOSTCC) -o $@ $^ -lyaml -lfdt

GEN_ARGS := --board $(BOARD_FILE) --kernel $(KERNEL) --initramfs $(INITRD) \
    $(if $(PREFILL),--prefill) $(if $(MEMORY),--memory $(MEMORY)) --output $(OUT)
$(eval $(call remember,$(OUT)/settings,$(DESCRIPTION) $(GEN_ARGS)))

$(OUT)/system.mk: $(DESCRIPTION) $(BOARD_FILE) $(KERNEL) $(INITRD) $(GEN) $(OUT)/settings
	@echo "  GEN     $(NAME)"
	$(Q)$(GEN) $(GEN_ARGS) $(DESCRIPTION)

# PDS, KIND_<pd>, QEMU_MACHINE: see tools/.
include $(OUT)/system.mk

# ---- Programs ------------------------------------------------------------------------------------

CROSS ?= aarch64-linux-gnu-
PICOLIBC ?= /usr/lib/picolibc/aarch64-linux-gnu

# No outline atomics: those ask Linux's auxiliary vector what the processor can do.
TARGET_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Werror -mcpu=cortex-a53 -mstrict-align \
    -mno-outline-atomics -ffreestanding -fno-pie -fno-stack-protector -ffunction-sections \
    -fdata-sections -nostdinc -isystem $(shell $(CROSS)gcc -print-file-name=include) \
    -isystem $(PICOLIBC)/include
# Behind picolibc's come the cross compiler's own headers, for Linux's UAPI: linux/virtio_*.h.
TARGET_CPPFLAGS := -I$(ROOT) -I$(ROOT)/lib -isystem $(BOARD_DIR)/include \
    -idirafter /usr/$(patsubst %-,%,$(CROSS))/include
$(eval $(call remember,$(OBJ)/settings,$(CROSS) $(TARGET_CFLAGS) $(TARGET_CPPFLAGS)))

# The directory that holds a kind of PD, and its objects.
kind_sources = $(wildcard $(ROOT)/$(1)/*.c $(ROOT)/$(1)/virtio/*.c)
kind_objects = $(patsubst $(ROOT)/%.c,$(OBJ)/%.o,$(call kind_sources,$(1)))

$(OBJ)/%.o: $(ROOT)/%.c $(OBJ)/settings $(BOARD_DIR)/lib/libmicrokit.a
	@mkdir -p $(@D)
	@echo "  CC      $*.c"
	$(Q)$(CROSS)gcc $(TARGET_CFLAGS) $(TARGET_CPPFLAGS) -MMD -MP -c -o $@ $<

LIB := $(OBJ)/libbraid.a
$(LIB): $(patsubst $(ROOT)/%.c,$(OBJ)/%.o,$(wildcard $(ROOT)/lib/*.c))
	@echo "  AR      libbraid.a"
	$(Q)rm -f $@ && $(CROSS)ar rcsD $@ $^

$(OUT)/%.o: $(OUT)/%.c $(OBJ)/settings
	$(Q)$(CROSS)gcc $(TARGET_CFLAGS) $(TARGET_CPPFLAGS) -MMD -MP -c -o $@ $<

define pd
$(OUT)/$(1).elf: $(call kind_objects,$(KIND_$(1))) $(OUT)/$(1).o $(LIB) $(BOARD_DIR)/lib/libmicrokit.a
	@echo "  LD      $(1).elf"
	$$(Q)$$(CROSS)ld -o $$@ --gc-sections --build-id=none -z noexecstack -T $(BOARD_DIR)/lib/microkit.ld \
	    $$(filter %.o,$$^) --start-group $(LIB) $(BOARD_DIR)/lib/libmicrokit.a \
	    $(PICOLIBC)/lib/libc.a --end-group
endef
$(foreach p,$(PDS),$(eval $(call pd,$(p))))

# ---- The image -----------------------------------------------------------------------------------

IMAGE := $(OUT)/loader.img

$(IMAGE): $(PDS:%=$(OUT)/%.elf) $(OUT)/system.mk $(SDK)/bin/microkit $(wildcard $(BOARD_DIR)/elf/*)
	@echo "  IMAGE   $(patsubst $(dir $(BUILD))%,%,$@)"
	$(Q)$(SDK)/bin/microkit $(OUT)/$(NAME).system --search-path $(OUT) --board $(BOARD) \
	    --config $(CONFIG) -o $@ -r $(OUT)/report.txt >$(OUT)/microkit.log 2>&1 || \
	    { cat $(OUT)/microkit.log >&2; rm -f $@; exit 1; }

# The command that boots it, for people and for tests; what is given to it goes to QEMU as well.
RUN := $(OUT)/run
RUN_COMMAND := exec $(QEMU) $(QEMU_MACHINE) -device loader,file=$(IMAGE),addr=$(IMAGE_ADDRESS),cpu-num=0 \
    -nographic -nic none $(QEMU_ARGS) "$$@"
$(eval $(call remember,$(RUN).command,$(RUN_COMMAND)))
$(RUN): $(RUN).command
	$(Q)printf '#!/bin/sh\n%s\n' '$(RUN_COMMAND)' >$@ && chmod +x $@

image: $(IMAGE) $(RUN)

run: image
	@echo "  RUN     $(NAME)   Ctrl-] ? lists the console's keys; Ctrl-A x leaves."
	@$(RUN) -serial mon:stdio

demo: image
	@$(PYTHON) $(ROOT)/tests/system/demo.py $(RUN)

picture: $(OUT)/system.mk
	@echo "  DOT     $(OUT)/$(NAME).svg"
	$(Q)dot -Tsvg -o $(OUT)/$(NAME).svg $(OUT)/picture.dot

-include $(shell find $(OBJ) $(TOOLS)/obj $(OUT) -maxdepth 4 -name '*.d' 2>/dev/null)
