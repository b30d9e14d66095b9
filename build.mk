# SPDX-License-Identifier: BSD-2-Clause
#
# How one system's image is built, once packages, SDK and guests are in place. The Makefile calls this
# file with these variables: ROOT, BUILD, SDK, BUNDLED_SDK, BOARD, CONFIG, SYSTEM, KERNEL, INITRD, MEMORY,
# QEMU, MORE_QEMU_ARGS, GEN, PYTHON, V. It has checked that paths among them hold no character which make
# or a shell would interpret.
#
#   systems/NAME.yaml --braid-gen--> OUT/system.mk, system.system, config/PD.c, ...
#   the kinds of PDs  --gcc--------> OBJ, shared by all systems of one SDK, board and config
#   both              --ld---------> OUT/PD.elf
#   all ELFs          --microkit---> OUT/loader.img
#
# system.mk is included here, so make remakes it first if it is out of date.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := image
Q := $(if $(V),,@)
FORCE:
.PHONY: FORCE kernels image image-check disk sdcard run demo picture peer emulated qemu-there qemu-new processors directory

# ---- Which system, and where to ------------------------------------------------------------------

# virtio_demo, virtio_demo.system and virtio_demo.yaml mean systems/virtio_demo.yaml. A name with a slash
# is a path, and so is one that systems/ does not have.
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

# A system of several cores wants the SDK's config for several, smp-release in place of release.
config_of = $(if $(filter-out 1,$(shell $(GEN) --cores $(1) 2>/dev/null)),$(if $(filter \
    smp-%,$(CONFIG)),,smp-))$(CONFIG)
SYSTEM_CONFIG := $(call config_of,$(DESCRIPTION))

# Each SDK, board and config has directories of its own, so that none is mistaken for another's.
SDK_NAME := $(if $(filter $(SDK),$(BUNDLED_SDK)),bundled,$(notdir $(SDK)))
tag_of = $(SDK_NAME).$(BOARD).$(1)$(if $(EXITS),.exits)
TAG := $(call tag_of,$(SYSTEM_CONFIG))
OUT := $(BUILD)/systems/$(NAME)/$(TAG)
OBJ := $(BUILD)/obj/$(TAG)

BOARD_DIR := $(SDK)/board/$(BOARD)/$(SYSTEM_CONFIG)
BOARD_FILE := $(ROOT)/boards/$(BOARD).yaml
ifeq ($(wildcard $(BOARD_FILE)),)
$(error MICROKIT_BOARD=$(BOARD): boards/ describes only \
    $(patsubst %.yaml,%,$(notdir $(wildcard $(ROOT)/boards/*.yaml))); docs/porting.md says how to describe another)
endif

# From 2.2 on the tool can fill a memory region from a file (prefill_path).
PREFILL := $(if $(filter bundled,$(SDK_NAME)),yes,$(shell \
    printf '2.2.0\n%s\n' "$$(sed 's/[^0-9.].*//' '$(SDK)/VERSION')" | sort -V -C && echo yes))

# How many cores the config starts; QEMU must have them all. 0: the SDK has no such config, and the
# generator names the line that wants it. Empty: one core, or the SDK does not say. The bundled SDK starts
# no more of them than a system uses.
SDK_CORES := $(if $(filter smp-%,$(SYSTEM_CONFIG)),$(if $(wildcard $(BOARD_DIR)/lib/libmicrokit.a),$(shell \
    sed -n 's/^.define CONFIG_MAX_NUM_NODES  *\([0-9]*\).*/\1/p' $(BOARD_DIR)/include/kernel/gen_*.h),0))

# $(call remember,FILE,TEXT) writes TEXT to FILE if FILE holds anything else. So what depends on FILE is
# made again when a setting has changed, and only then.
define remember
$(1): FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$(2)' | cmp -s - $$@ || printf '%s\n' '$(2)' >$$@
endef

# ---- The guests' files ---------------------------------------------------------------------------

# Machines that share memory have files with a module for that, of the default kernel and of those that are
# named by their packages. Files that a user brings are as they are. SHARED_MODULE=no does without.
SHARED := $(if $(filter no,$(SHARED_MODULE)),,$(if $(shell $(GEN) --shared $(DESCRIPTION) 2>/dev/null),shared/))
in_shared = $(if $(filter $(BUILD)/guest/$(2),$(1)),$(BUILD)/guest/$(SHARED)$(2),$(1))
GUEST_KERNEL := $(call in_shared,$(KERNEL),Image)
GUEST_INITRD := $(call in_shared,$(INITRD),initramfs.img)

# ---- The generator -------------------------------------------------------------------------------

GEN_ARGS := $(DESCRIPTION) --board $(BOARD_FILE) --kernel $(GUEST_KERNEL) --initrd $(GUEST_INITRD) \
    $(if $(PREFILL),--prefill) $(if $(SDK_CORES),--sdk-cores $(firstword $(SDK_CORES))) \
    $(if $(filter bundled,$(SDK_NAME)),--sdk-bundled) \
    $(if $(MEMORY),--memory $(MEMORY)) $(if $(SHARED),--search $(BUILD)/guest/shared) --search $(BUILD)/guest --output $(OUT)
$(eval $(call remember,$(OUT)/settings,$(GEN_ARGS)))

# The environment is no argument, and what a user has put there may be anything: the shell reads it, and make
# does not.
$(OUT)/source_date: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$SOURCE_DATE_EPOCH" | cmp -s - $@ || printf '%s\n' "$$SOURCE_DATE_EPOCH" >$@

$(OUT)/system.mk: $(DESCRIPTION) $(BOARD_FILE) $(GEN) $(OUT)/settings $(OUT)/source_date
	@echo "  GEN     $(NAME)"
	$(Q)$(GEN) $(GEN_ARGS)

# The head of system.mk explains its variables. If there is none yet, an empty one from the year 1970
# stands in. Otherwise make would add to the generator's errors that a file is missing.
ifeq ($(wildcard $(OUT)/system.mk),)
$(shell mkdir -p $(OUT) && touch -d @0 $(OUT)/system.mk)
endif
# Where a system's files are is known before the generator has run, and if it fails. The generator needs
# the kernels that are fetched.
ifeq ($(filter directory kernels,$(MAKECMDGOALS)),)
include $(OUT)/system.mk
endif
# The user's files have links beside system.mk, so that neither make nor a shell reads their names.
USERS_FILES := $(addprefix $(OUT)/,$(sort $(SYSTEM_INPUTS) $(IMAGES)))
$(OUT)/system.mk: $(USERS_FILES)
# If one of them has gone, the generator reports it.
$(USERS_FILES): ;

# ---- Programs ------------------------------------------------------------------------------------

CROSS ?= aarch64-linux-gnu-
# Of picolibc's two builds, the one made for speed: the other copies byte by byte.
PICOLIBC ?= /usr/lib/picolibc/aarch64-linux-gnu

# No outline atomics: these read from Linux's auxiliary vector what the processor can do.
TARGET_CFLAGS := -std=gnu11 -O2 -g -flto -Wall -Wextra -Werror -mcpu=cortex-a53 -mstrict-align \
    -mno-outline-atomics -ffreestanding -fno-pie -fno-stack-protector -ffunction-sections \
    -fdata-sections -nostdinc -isystem $(shell $(CROSS)gcc -print-file-name=include) \
    -isystem $(PICOLIBC)/include
# Behind picolibc's come the cross compiler's own headers, for Linux's UAPI: linux/virtio_*.h.
TARGET_CPPFLAGS := -I$(ROOT) -isystem $(BOARD_DIR)/include \
    -idirafter /usr/$(patsubst %-,%,$(CROSS))/include $(if $(EXITS),-DVMM_COUNT_EXITS)
$(eval $(call remember,$(OBJ)/settings,$(CROSS) $(TARGET_CFLAGS) $(TARGET_CPPFLAGS)))

LIBGCC := $(shell $(CROSS)gcc -print-libgcc-file-name)
# Of picolibc's variants of printf, the one without floating point.
PRINTF := --defsym=vfprintf=__i_vfprintf

# The sources of a kind of PD are those of its directory; a monitor's, those of its devices as well. A
# driver's kind is drivers/CLASS/CHIP: the class CLASS.c, and of the chips' files beside it one.
kind_sources = $(if $(filter drivers/%,$(1)),$(call driver_sources,$(1),$(notdir $(patsubst %/,%,$(dir $(1))))), \
    $(wildcard $(ROOT)/$(1)/*.c $(ROOT)/$(1)/virtio/*.c))
driver_sources = $(ROOT)/drivers/$(2)/$(2).c $(ROOT)/$(1).c
kind_objects = $(patsubst $(ROOT)/%.c,$(OBJ)/%.o,$(call kind_sources,$(1)))

$(OBJ)/%.o: $(ROOT)/%.c $(OBJ)/settings $(BOARD_DIR)/lib/libmicrokit.a
	@mkdir -p $(@D)
	@echo "  CC      $*.c"
	$(Q)$(CROSS)gcc $(TARGET_CFLAGS) $(TARGET_CPPFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/%.o: $(ROOT)/%.S $(OBJ)/settings
	@mkdir -p $(@D)
	@echo "  AS      $*.S"
	$(Q)$(CROSS)gcc $(TARGET_CFLAGS) $(TARGET_CPPFLAGS) -MMD -MP -c -o $@ $<

# It is linked before the C library: lib/memory.S replaces that library's copying.
LIB := $(OBJ)/libbraid.a
$(LIB): $(patsubst $(ROOT)/%,$(OBJ)/%.o,$(basename $(wildcard $(ROOT)/lib/*.c $(ROOT)/lib/*.S)))
	@echo "  AR      libbraid.a"
	$(Q)rm -f $@ && $(CROSS)gcc-ar rcsD $@ $^

$(OUT)/config/%.o: $(OUT)/config/%.c $(OBJ)/settings
	$(Q)$(CROSS)gcc $(TARGET_CFLAGS) -fno-lto $(TARGET_CPPFLAGS) -MMD -MP -c -o $@ $<

# A machine's secret, from which its monitor derives seeds (vmm/entropy.h). It is drawn once for each
# build directory.
$(OUT)/%.secret:
	$(Q)umask 077 && head -c 32 /dev/urandom >$@ && [ "$$(wc -c <$@)" -eq 32 ]

# The images that a monitor's ELF carries.
embedded = $(addprefix $(OUT)/,$(EMBED_$(1)))
$(OUT)/config/%_images.o: $(OUT)/config/%_images.S $(OBJ)/settings
	$(Q)$(CROSS)gcc $(TARGET_CFLAGS) -I$(OUT) -c -o $@ $<

# A kind's program, but for its configuration and the C library. It is optimised as a whole, across
# files. That is done here, once, and not in each machine's link.
define kind
$(OBJ)/$(1).program.o: $(call kind_objects,$(1)) $(LIB)
	@echo "  LTO     $(1)"
	$$(Q)$$(CROSS)gcc $$(TARGET_CFLAGS) -flto=auto -nostdlib -r -flinker-output=nolto-rel -o $$@ $$^
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

# The tool looks for its SDK where MICROKIT_SDK points. The user's environment may set that to another
# SDK, or to nothing.
$(IMAGE): $(PDS:%=$(OUT)/%.elf) $(OUT)/system.system $(IMAGES:%=$(OUT)/%) $(SDK)/bin/microkit \
        $(wildcard $(BOARD_DIR)/elf/*)
	@echo "  IMAGE   $@"
	$(Q)MICROKIT_SDK='$(SDK)' $(SDK)/bin/microkit $(OUT)/system.system --search-path $(OUT) \
	    --board $(BOARD) --config $(SYSTEM_CONFIG) -o $@ -r $(OUT)/report.txt >$(OUT)/microkit.log 2>&1 || \
	    { cat $(OUT)/microkit.log >&2; rm -f $@; exit 1; }

# Whether the image is what its description says; of the bundled SDK's tool alone, whose images it can read.
image-check: $(IMAGE)
ifeq ($(SDK_NAME),bundled)
	$(Q)$(PYTHON) $(ROOT)/tests/tool/image_check.py $(IMAGE) $(OUT)/system.system \
	    --kernel $(BOARD_DIR)/elf/kernel.elf --search-path $(OUT)
else
	@echo "make: image-check reads images of the bundled SDK only: leave MICROKIT_SDK out" >&2; exit 1
endif

# The image for a machine that enters only an ELF file as it should be entered.
ELF := $(if $(ELF_ADDRESS),$(OUT)/loader.elf)
$(ELF): $(IMAGE)
	$(Q)cd $(OUT) && $(CROSS)ld -N -o loader.elf -b binary loader.img \
	    --section-start=.data=$(ELF_ADDRESS) -e $(ELF_ADDRESS)

# The same behind the head of an arm64 Image, for a machine that enters only such a file at EL2.
HEADED := $(if $(HEAD_ADDRESS),$(OUT)/loader.Image)
$(HEADED): $(IMAGE) $(ROOT)/tools/image_head.S
	$(Q)$(CROSS)gcc -c -DADDRESS=$(HEAD_ADDRESS) -I$(OUT) -o $@.o $(ROOT)/tools/image_head.S && \
	    $(CROSS)objcopy -O binary $@.o $@ && rm $@.o

# The command that boots the image, for people and for tests. It passes its arguments to QEMU. Without
# -audio newer QEMUs (8.2 and later) want a driver for boards that have a sound device; older ones do not know it so.
RUN := $(OUT)/run
RUN_COMMAND := set -f; $(QEMU) -audio none --version >/dev/null 2>&1 && set -- -audio none "$$@"; exec $(QEMU) $$(cat qemu.args) $(MORE_QEMU_ARGS) "$$@"
$(eval $(call remember,$(OUT)/run.settings,$(RUN_COMMAND)))
$(RUN): $(OUT)/run.settings
	$(Q)printf '#!/bin/sh\ncd "$$(dirname "$$0")" && %s\n' '$(RUN_COMMAND)' >$@ && chmod +x $@

# ---- The board's disk ----------------------------------------------------------------------------

# It is made once, and then keeps what the machines write. `disk` makes it anew.
DISK_IMAGE := $(if $(filter disk.img,$(DISK)),$(OUT)/disk.img)

$(OUT)/disk.img: $(OUT)/system.mk FORCE
	$(Q)$(PYTHON) $(ROOT)/tools/disk.py --keep $(OUT)/system.json $@
disk: $(OUT)/system.mk
	$(Q)$(PYTHON) $(ROOT)/tools/disk.py $(OUT)/system.json $(OUT)/disk.img

# ---- An SD card ----------------------------------------------------------------------------------

CARD := $(OUT)/sdcard.img

sdcard: $(IMAGE) $(DISK_IMAGE)
ifeq ($(BOOT_FIRMWARE),)
	@echo "make: boards/$(BOARD).yaml does not say how the board boots from an SD card (boot: {firmware: ...})." \
	    "make boards lists the others; docs/boards.md has their cards." >&2; exit 1
else ifneq ($(filter-out disk.img,$(DISK)),)
	@echo "make: the machines of '$(NAME)' have parts of a disk that is there already (disk: file): put a partition" \
	    "for the firmware on that, and copy $(IMAGE) to it; docs/boards.md says what belongs there." >&2; exit 1
else
	@echo "  CARD    $(NAME)/sdcard.img"
	$(Q)$(PYTHON) $(ROOT)/tools/sdcard.py --firmware $(BOOT_FIRMWARE) --address $(BOOT_ADDRESS) \
	    --partition $(BOOT_PARTITION) $(if $(DISK_IMAGE),--disk $(DISK_IMAGE)) \
	    $(if $(FIRMWARE),--files '$(FIRMWARE)') $(IMAGE) $(CARD)
	@echo "$(CARD)"
endif

# ---- Files of QEMU's devices that are handed to machines -----------------------------------------

# They are made once, and then keep what the machines write.
DEVICE_IMAGES := $(foreach f,$(DEVICE_FILES),$(OUT)/$(firstword $(subst :, ,$(f))))
define device_image
$(OUT)/$(firstword $(subst :, ,$(1))):
	$$(Q)truncate -s $(lastword $(subst :, ,$(1))) $$@
endef
$(foreach f,$(DEVICE_FILES),$(eval $(call device_image,$(f))))

# ---- The board at the other end of the uplink's cable --------------------------------------------

# The cable is two sockets, one in each board's directory. Each board reaches the other's directory by
# the link `peer`.
PEER_LINK := $(if $(PEER),$(OUT)/peer)
PEER_DESCRIPTION := $(if $(PEER),$(dir $(DESCRIPTION))$(PEER).yaml)
$(PEER_LINK): FORCE
	$(Q)ln -sfn ../../$(PEER)/$(call tag_of,$(call config_of,$(PEER_DESCRIPTION))) $@

peer:
	+$(Q)$(MAKE) -f $(ROOT)/build.mk SYSTEM='$(PEER_DESCRIPTION)' kernels
	+$(Q)$(MAKE) -f $(ROOT)/build.mk SYSTEM='$(PEER_DESCRIPTION)' image

# ---- What can be asked for -----------------------------------------------------------------------

# The kernels and the firmware that the system names by their packages, and the default kernel with the module
# for shared memory. If the system's file is wrong, the generator says so later.
kernels:
	+$(Q)for file in $$($(GEN) --packages $(DESCRIPTION) 2>/dev/null | sort -u); do \
	    case $$file in */Image) in=$(SHARED)packages ;; *) in=packages ;; esac; \
	    $(MAKE) $(if $(V),,-s) -f $(ROOT)/Makefile BUILD_DIR='$(BUILD)' $(BUILD)/guest/$$in/$$file || { \
	    echo "make: $(DESCRIPTION) wants that: the package $${file%%/*}" >&2; exit 1; }; done
	+$(Q)$(if $(SHARED),$(if $(filter $(BUILD)/guest/shared/%,$(GUEST_KERNEL) $(GUEST_INITRD)),$(MAKE) $(if $(V),,-s) \
	    -f $(ROOT)/Makefile BUILD_DIR='$(BUILD)' $(BUILD)/guest/shared/Image,:),:)

image: $(IMAGE) $(ELF) $(HEADED) $(if $(EMULATED),$(RUN)) $(DISK_IMAGE) $(DEVICE_IMAGES) $(PEER_LINK)

# A board that QEMU does not have can only be built for.
emulated: $(OUT)/system.mk
	@[ '$(EMULATED)' ] || { echo "make: QEMU does not emulate the board $(BOARD). \`make image\` makes its boot image;" \
	    "docs/boards.md says how it gets onto the board" >&2; exit 1; }

# QEMU may be missing although everything could be built: PATH may lack the user's own installation.
qemu-there:
	@command -v $(firstword $(QEMU)) >/dev/null || { echo "make: there is no program $(firstword $(QEMU)): install the package" \
	    "qemu-system-arm (Debian) or qemu-system-aarch64 (Fedora, Arch), or name yours with QEMU=PROGRAM" >&2; exit 1; }

# An older QEMU starts, and stands still somewhere without a word. So this is said before.
qemu-new: qemu-there $(OUT)/system.mk
	@version=$$($(QEMU) --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9]*\).*/\1/p'); \
	if [ "$${version:-999}" -lt '$(or $(QEMU_VERSION),0)' ]; then \
	    echo "make: QEMU is of version $$version. On $(BOARD) this SDK's kernel needs version $(QEMU_VERSION) or later:" \
	        "docs/boards.md says why. Name another one with QEMU=PROGRAM" >&2; \
	fi

# The cores of seL4 wait for its lock in a queue. If the host cannot run all of QEMU's threads at once, the
# queue's next is seldom among those that run. nproc counts the processors that this process may use.
processors: $(OUT)/system.mk
ifneq ($(SDK_NAME),bundled)
	@cores=$$(sed -n '/^-smp$$/{n;p}' $(OUT)/qemu.args); host=$$(nproc 2>/dev/null) || exit 0; \
	if [ "$${cores:-1}" -gt "$$host" ]; then \
	    echo "make: QEMU emulates $$cores cores, and this host has only $$host for that. On this SDK's kernel the" \
	        "system may be too slow to boot:" >&2; \
	    echo "make: docs/performance.md says why, and what helps (\"Several cores\")." >&2; \
	fi
endif

ifeq ($(PEER),)
run: emulated qemu-new processors image
	@echo "  RUN     $(NAME)   Ctrl-] ? lists the console's keys; Ctrl-A x leaves."
	@$(RUN)
else
# The other board runs in the background, its consoles at a socket, for as long as this one does.
run: emulated qemu-new processors image peer
	@echo "  RUN     $(PEER)   its consoles: socat -,raw,echo=0,escape=0x11 unix:$(OUT)/peer/console.sock" \
	    "(Ctrl-Q leaves)"
	@echo "  RUN     $(NAME)   Ctrl-] ? lists the console's keys; Ctrl-A x leaves."
	@$(OUT)/peer/run -serial unix:console.sock,server=on,wait=off -monitor none </dev/null & \
	    trap "kill $$! 2>/dev/null" EXIT; $(RUN)
endif

demo: emulated qemu-new image
	@$(PYTHON) $(ROOT)/tests/system/demo.py $(RUN)

directory:
	@echo $(OUT)

picture: $(OUT)/system.mk
	@echo "  DOT     $(OUT)/$(NAME).svg"
	$(Q)dot -Tsvg -o $(OUT)/$(NAME).svg $(OUT)/picture.dot

-include $(shell find $(OBJ) $(OUT) -name '*.d' 2>/dev/null)
