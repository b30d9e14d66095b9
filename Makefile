# SPDX-License-Identifier: BSD-2-Clause
#
# The only entry: `make help` lists the targets. This file prepares what must be there before anything is
# compiled: the distribution's packages, the bundled SDK, the guests. Then it calls build.mk, which builds
# a system's image.

# ---- What a user sets ------------------------------------------------------------------------------

BUILD_DIR        ?= build
SYSTEM           ?= virtio_demo
MICROKIT_SDK     ?=
MICROKIT_CONFIG  ?=
MICROKIT_BOARD   ?=
LINUX            ?=
INITRD           ?=
MEMORY           ?=
BENCH            ?= full
QEMU             ?= qemu-system-aarch64
QEMU_ARGS        ?=
PYTHON           ?= $(firstword $(wildcard /usr/bin/python3) python3)
V                ?=

# The packages whose files the guests are made of, by the distribution's names.
GUEST_PACKAGES   ?= linux-image-cloud-arm64 busybox-static iperf3 ethtool e2fsprogs

# Paths go from make to make and to shells, which would interpret these characters. So a path may not
# hold them. A file that a system file names may: the generator makes links to it.
PATHS := SYSTEM BUILD_DIR MICROKIT_SDK SEL4CP_SDK MICROKIT_CONFIG SEL4CP_CONFIG MICROKIT_BOARD SEL4CP_BOARD \
    LINUX INITRD MEMORY
HASH := \#
SPECIAL := $$ ' " ` \ ; & | < > ( ) * ? [ ] { } ! % : = ^ $(HASH)
is_odd = $(or $(word 2,$(value $(1))),$(strip $(foreach c,$(SPECIAL),$(findstring $(c),$(value $(1))))))
ODD := $(strip $(foreach v,$(PATHS),$(if $(call is_odd,$(v)),$(v))))
ifneq ($(ODD),)
$(error $(ODD): no blank and none of $(SPECIAL) may be in it)
endif

# ---- What follows from that ------------------------------------------------------------------------

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
Q := $(if $(V),,@)
ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
BUILD := $(abspath $(BUILD_DIR))
ifneq ($(strip $(foreach v,CURDIR ROOT BUILD,$(call is_odd,$(v)))),)
$(error BUILD_DIR=$(BUILD): no name on the way to it, or to $(ROOT), may hold a blank or one of $(SPECIAL))
endif

BUNDLED_SDK := $(BUILD)/sdk/microkit-sdk
GIVEN_SDK := $(or $(MICROKIT_SDK),$(SEL4CP_SDK))
SDK := $(or $(abspath $(GIVEN_SDK)),$(BUNDLED_SDK))
CONFIG := $(or $(MICROKIT_CONFIG),$(SEL4CP_CONFIG),release)
# sel4cp has another name for this board.
BOARD := $(patsubst qemu_arm_virt_hyp,qemu_virt_aarch64,$(or $(MICROKIT_BOARD),$(SEL4CP_BOARD),qemu_virt_aarch64))

GUEST_KERNEL := $(BUILD)/guest/Image
GUEST_INITRD := $(BUILD)/guest/initramfs.img
GUEST_ROOTFS := $(BUILD)/guest/rootfs.tar
# make fetches and packs the guests' files unless the user has brought both.
GUEST_FILES := $(if $(and $(LINUX),$(INITRD)),,guest)

# The emulator is started in another directory. A relative path means one from here.
EMULATOR := $(foreach word,$(QEMU),$(if $(findstring /,$(word)),$(abspath $(word)),$(word)))

BUILD_MK = $(MAKE) -f $(ROOT)/build.mk ROOT='$(ROOT)' BUILD='$(BUILD)' SDK='$(SDK)' \
    BUNDLED_SDK='$(BUNDLED_SDK)' BOARD='$(BOARD)' CONFIG='$(CONFIG)' SYSTEM='$(SYSTEM)' \
    KERNEL='$(or $(LINUX),$(GUEST_KERNEL))' INITRD='$(or $(INITRD),$(GUEST_INITRD))' \
    MEMORY='$(MEMORY)' QEMU='$(EMULATOR)' MORE_QEMU_ARGS='$(QEMU_ARGS)' \
    FIRMWARE='$(if $(FIRMWARE),$(abspath $(FIRMWARE)))' \
    GEN='$(BUILD)/tools/braid-gen' PYTHON='$(PYTHON)' V='$(V)'

# As many jobs as there are processors, unless the user gives a number.
PARALLEL = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))

.PHONY: FORCE help disk sdcard packages packages-check packages-lint packages-coverage packages-prove packages-picture packages-sdcard \
        packages-distribution distribution sdk guest sdk-there generator install kernels image image-check directory demo run check storm soak \
        model mutations lint coverage prove proofs-there bench plot systems boards picture clean

# ---- Targets ---------------------------------------------------------------------------------------

help:
	@echo "Linux virtual machines side by side on a microkernel, joined by a virtual switch."
	@echo
	@echo "  make demo      build virtio_demo, boot it, let one machine ping the other, power off"
	@echo "  make run       boot a system and sit at its consoles"
	@echo "  make check     run all tests"
	@echo "  make storm     the bundled kernel's cores against each other, as long as STORM_SECONDS says (60)"
	@echo "  make soak      machines that live for a day, in virtual time; SOAK_HOURS=24, SOAK_SEED=N"
	@echo "  make model     the bundled kernel's scheduler and IPC on the host, SECONDS for each part; docs/testing.md"
	@echo "  make mutations wrong kernels and sources, of which the model and the proofs have to find each; 20 minutes"
	@echo "  make distribution  a Debian on a disk, booted by firmware: install, upgrade, reboot; half an hour"
	@echo "  make lint      look over all sources: format, suspicious code, style"
	@echo "  make prove     prove that code which reads what a hostile party writes has no run-time errors; docs/proofs.md"
	@echo "  make coverage  how much of each room the tests on the host execute; SECONDS=N of fuzzing before"
	@echo "  make bench     measure; the table goes to \$$(BUILD_DIR)/bench"
	@echo "  make plot      draw what was measured, for docs/performance.md (SVG)"
	@echo "  make image     build a system's image without booting it"
	@echo "  make image-check  the same, and look whether it is what its description says, byte by byte"
	@echo "  make directory print where a system's image, ELFs and report are, or will be"
	@echo "  make systems   list what is in systems/"
	@echo "  make boards    list what is in boards/"
	@echo "  make disk      make a system's disk anew; what its machines have written is lost"
	@echo "  make sdcard    make the image of an SD card that the board boots a system from; docs/boards.md"
	@echo "  make picture   draw a system (SVG)"
	@echo "  make sdk       build the bundled Microkit SDK"
	@echo "  make install   install the command braid, which starts systems and uses their machines (PREFIX=/usr/local)"
	@echo "  make clean     remove what was built, keep the packages that were fetched"
	@echo
	@echo "  SYSTEM=NAME            a file of systems/, or a path to one ($(SYSTEM))"
	@echo "  BUILD_DIR=DIR          where everything that is made goes ($(BUILD_DIR))"
	@echo "  MICROKIT_SDK=DIR       a Microkit SDK, 2.0.1 or later ($(or $(GIVEN_SDK),the bundled one))"
	@echo "  MICROKIT_CONFIG=NAME   release, debug or benchmark ($(CONFIG)); a system with 'cores: N' is built with"
	@echo "                         smp-release and so on by itself, and any other if these are named"
	@echo "  MICROKIT_BOARD=NAME    a board of the SDK and of boards/ ($(BOARD))"
	@echo "  LINUX=FILE INITRD=FILE your own kernel Image and initramfs for the machines"
	@echo "  BENCH=NAME             how much make bench measures, full or quick ($(BENCH)); 'full cores': of"
	@echo "                         that only one part, the others' figures stay; docs/performance.md has the parts"
	@echo "  FIRMWARE=DIR           files that the board's firmware needs on its SD card, beside the boot image"
	@echo "  MEMORY=SIZE            of the board, as QEMU takes it ($(or $(MEMORY),what the board has))"
	@echo "  SHARED_MODULE=no       do not build the guests' module for shared memory; docs/shared.md"
	@echo "  QEMU=PROGRAM           the emulator ($(QEMU))"
	@echo "  QEMU_ARGS=...          more arguments for it"
	@echo "  EXITS=1                monitors count their guests' exits by cause, and say so when these stop"
	@echo "  V=1                    show each command"
	@echo "  SEL4CP_SDK, SEL4CP_CONFIG and SEL4CP_BOARD are other names of MICROKIT_..."

packages:
	@PYTHON='$(PYTHON)' $(ROOT)/tools/setup.sh build
packages-check:
	@PYTHON='$(PYTHON)' $(ROOT)/tools/setup.sh build check
packages-lint:
	@PYTHON='$(PYTHON)' $(ROOT)/tools/setup.sh build lint
packages-coverage:
	@PYTHON='$(PYTHON)' $(ROOT)/tools/setup.sh build coverage
packages-prove:
	@PYTHON='$(PYTHON)' $(ROOT)/tools/setup.sh build prove
# Status 3: the distribution has no such package. Then `make check` says that it does without.
proofs-there:
	@PYTHON='$(PYTHON)' $(ROOT)/tools/setup.sh build prove || [ $$? -eq 3 ]
packages-sdcard:
	@PYTHON='$(PYTHON)' $(ROOT)/tools/setup.sh build sdcard
packages-distribution:
	@PYTHON='$(PYTHON)' $(ROOT)/tools/setup.sh build check distribution
packages-picture:
	@PYTHON='$(PYTHON)' $(ROOT)/tools/setup.sh build picture

# A path that is no SDK is the likeliest mistake. So it is checked before anything is built.
sdk-there: $(if $(filter $(SDK),$(BUNDLED_SDK)),sdk)
	@if [ ! -x '$(SDK)/bin/microkit' ] || [ ! -d '$(SDK)/board' ]; then \
	    echo "make: MICROKIT_SDK=$(GIVEN_SDK) is no Microkit SDK: it has no bin/microkit and board/." >&2; \
	    echo "make: Unpack a release of Microkit 2.0.1 or later and name the directory that holds VERSION," >&2; \
	    echo "make: or leave MICROKIT_SDK out to use the one that make builds." >&2; \
	    exit 1; \
	elif [ ! -d '$(SDK)/board/$(BOARD)' ]; then \
	    echo "make: $(SDK) knows no board '$(BOARD)'. MICROKIT_BOARD may be:" \
	        $(if $(filter $(SDK),$(BUNDLED_SDK)),$(BOARDS),$$(ls '$(SDK)/board')) >&2; exit 1; \
	elif [ ! -f '$(SDK)/board/$(BOARD)/$(CONFIG)/lib/libmicrokit.a' ]; then \
	    echo "make: $(SDK) has no config '$(CONFIG)' for $(BOARD). MICROKIT_CONFIG may be:" \
	        $$(ls '$(SDK)/board/$(BOARD)') >&2; exit 1; \
	fi

# The bundled SDK is built for the board that is asked for, and for those that tests boot.
BOARDS := $(basename $(notdir $(wildcard $(ROOT)/boards/*.yaml)))
SDK_BOARDS = $(or $(filter $(BOARD),$(BOARDS)),qemu_virt_aarch64)
check: SDK_BOARDS := qemu_virt_aarch64 qemu_virt_aarch64_gicv3 zcu102
sdk: packages generator
	$(Q)$(MAKE) $(PARALLEL) -C $(ROOT)/sdk BUILD_DIR='$(BUILD)' BOARDS='$(SDK_BOARDS)' V='$(V)'

# ---- The guests' files -----------------------------------------------------------------------------

guest: packages
	$(Q)$(MAKE) $(if $(V),,-s) -f $(ROOT)/Makefile BUILD_DIR='$(BUILD)' $(GUEST_KERNEL)

$(GUEST_KERNEL): $(BUILD)/guest/fetched $(wildcard $(ROOT)/guest/*.py $(ROOT)/guest/files/*)
	@echo "  PACK    guest/Image guest/initramfs.img guest/rootfs.tar"
	$(Q)$(PYTHON) $(ROOT)/guest/pack.py $(@D)/root $(ROOT)/guest/files $@ $(GUEST_INITRD) $(GUEST_ROOTFS)

# The packages are fetched again when their list has changed.
GUEST_WANTED := $(BUILD)/guest/wanted
ifneq ($(GUEST_PACKAGES),$(shell cat '$(GUEST_WANTED)' 2>/dev/null))
$(GUEST_WANTED): FORCE
FORCE: ;
endif
$(GUEST_WANTED):
	$(Q)mkdir -p $(@D) && echo '$(GUEST_PACKAGES)' >$@

$(BUILD)/guest/fetched: $(ROOT)/guest/fetch.sh $(ROOT)/guest/apt.sh $(GUEST_WANTED)
	$(Q)PYTHON='$(PYTHON)' $(ROOT)/guest/fetch.sh $(@D) $(GUEST_PACKAGES)
	@touch $@

# Of each kernel that a system names by its package (`kernel: package:NAME`), the same: build.mk asks for
# Image. All but the kernel is what the default guests' files are made of.
$(BUILD)/guest/packages/%/Image: $(BUILD)/guest/packages/%/fetched $(wildcard $(ROOT)/guest/*.py $(ROOT)/guest/files/*)
	@echo "  PACK    $(@:$(BUILD)/%=%) initramfs.img rootfs.tar"
	$(Q)$(PYTHON) $(ROOT)/guest/pack.py $(@D)/root $(ROOT)/guest/files $@ $(@D)/initramfs.img $(@D)/rootfs.tar

$(BUILD)/guest/packages/%/fetched: $(ROOT)/guest/fetch.sh $(ROOT)/guest/apt.sh $(GUEST_WANTED)
	$(Q)PYTHON='$(PYTHON)' $(ROOT)/guest/fetch.sh $(@D) $* $(filter-out linux-image-%,$(GUEST_PACKAGES))
	@touch $@
.PRECIOUS: $(BUILD)/guest/packages/%/fetched

# The same for systems whose machines share memory, with a module for that: build.mk asks for it. The module
# is built for that kernel, from its headers, which are fetched.
PACK_SHARED = $(PYTHON) $(ROOT)/guest/pack.py $(<D)/root $(ROOT)/guest/files $@ $(@D)/initramfs.img \
    $(@D)/rootfs.tar $(@D)/braid_shared.ko
$(BUILD)/guest/shared/%/Image: $(BUILD)/guest/%/fetched $(BUILD)/guest/shared/%/braid_shared.ko \
        $(wildcard $(ROOT)/guest/*.py $(ROOT)/guest/files/*)
	@echo "  PACK    $(@:$(BUILD)/%=%) initramfs.img rootfs.tar"
	$(Q)$(PACK_SHARED)
$(BUILD)/guest/shared/Image: $(BUILD)/guest/fetched $(BUILD)/guest/shared/braid_shared.ko \
        $(wildcard $(ROOT)/guest/*.py $(ROOT)/guest/files/*)
	@echo "  PACK    $(@:$(BUILD)/%=%) initramfs.img rootfs.tar"
	$(Q)$(PACK_SHARED)

$(BUILD)/guest/shared/%/braid_shared.ko: $(BUILD)/guest/%/fetched $(wildcard $(ROOT)/guest/module/*)
	$(Q)$(ROOT)/guest/module/build.sh $(<D)/root $(@D)
$(BUILD)/guest/shared/braid_shared.ko: $(BUILD)/guest/fetched $(wildcard $(ROOT)/guest/module/*)
	$(Q)$(ROOT)/guest/module/build.sh $(<D)/root $(@D)
.PRECIOUS: $(BUILD)/guest/shared/%/braid_shared.ko

# The firmware that a system names (`firmware: u-boot`).
$(BUILD)/guest/packages/u-boot-qemu/u-boot.bin: $(ROOT)/guest/fetch.sh
	$(Q)PYTHON='$(PYTHON)' $(ROOT)/guest/fetch.sh $(@D) u-boot-qemu
	$(Q)cp $(@D)/root/usr/lib/u-boot/qemu_arm64/u-boot.bin $@

# ---- Systems ---------------------------------------------------------------------------------------

generator: packages
	$(Q)$(MAKE) $(if $(V),,-s) $(PARALLEL) -C $(ROOT)/tools BUILD='$(BUILD)/tools' V='$(V)'
	$(Q)$(MAKE) $(if $(V),,-s) $(PARALLEL) -C $(ROOT)/tools/braid BUILD='$(BUILD)/tools' V='$(V)'

# The command `braid`. It builds systems here, so the tree stays where it is.
install: generator
	$(Q)$(MAKE) $(if $(V),,-s) -C $(ROOT)/tools/braid BUILD='$(BUILD)/tools' PREFIX='$(or $(PREFIX),/usr/local)' \
	    DESTDIR='$(DESTDIR)' V='$(V)' install

# The kernels that the system names by their packages.
kernels: packages generator
	+$(Q)$(BUILD_MK) kernels

image: packages sdk-there generator $(GUEST_FILES) kernels
	+$(Q)$(BUILD_MK) $(PARALLEL) image

image-check: image
	+$(Q)$(BUILD_MK) image-check

disk: packages sdk-there generator $(GUEST_FILES) kernels
	+$(Q)$(BUILD_MK) disk

sdcard: packages-sdcard sdk-there generator $(GUEST_FILES) kernels
	+$(Q)$(BUILD_MK) $(PARALLEL) sdcard

run: image
	+$(Q)$(BUILD_MK) run

# It types what fits its own system, so it takes no other.
ifneq ($(filter demo,$(MAKECMDGOALS)),)
ifneq ($(SYSTEM),virtio_demo)
$(error make demo is of SYSTEM=virtio_demo alone: for another one, make SYSTEM=$(SYSTEM) run)
endif
endif
demo: image
	+$(Q)$(BUILD_MK) demo

directory: generator
	+@$(BUILD_MK) directory

picture: packages-picture sdk-there generator $(GUEST_FILES) kernels
	+$(Q)$(BUILD_MK) picture

systems: generator
	@$(BUILD)/tools/braid-gen --describe $(wildcard $(ROOT)/systems/*.yaml)

boards: generator
	@$(BUILD)/tools/braid-gen --describe-boards $(wildcard $(ROOT)/boards/*.yaml)

# ---- Tests and measurements ------------------------------------------------------------------------

lint: packages-lint
	$(Q)$(PYTHON) -u $(ROOT)/tests/lint.py

# PROOFS chooses by name: files of tests/prove.
prove: packages-prove
	$(Q)$(PYTHON) -u $(ROOT)/tests/prove/prove.py --build '$(BUILD)' $(PROOFS)

coverage: packages-coverage
	$(Q)$(PYTHON) -u $(ROOT)/tests/coverage.py --build '$(BUILD)' --make '$(MAKE)' \
	    --seconds '$(or $(SECONDS),10)' $(PARTS)

# The bundled SDK is always tested. If MICROKIT_SDK names another one, the systems run on that as well.
check: packages-check packages-lint proofs-there sdk sdk-there generator $(GUEST_FILES)
	$(Q)$(PYTHON) -u $(ROOT)/tests/check.py --build '$(BUILD)' --sdk '$(BUNDLED_SDK)' \
	    $(if $(filter-out $(BUNDLED_SDK),$(SDK)),--also '$(SDK)') \
	    --make '$(MAKE)' --linux '$(LINUX)' --initrd '$(INITRD)' --qemu '$(EMULATOR)'

# Four storms, one after the other. STORM chooses by name: 2 or 4 cores, smp-debug or smp-release.
storm: packages-check sdk
	$(Q)BUILD_DIR='$(BUILD)' MICROKIT_SDK='$(BUNDLED_SDK)' QEMU='$(EMULATOR)' PYTHONDONTWRITEBYTECODE=1 \
	    STORM_SECONDS='$(or $(STORM_SECONDS),60)' STORM_SEED='$(STORM_SEED)' \
	    $(PYTHON) -u -m pytest -p no:cacheprovider -v -s --tb=short --no-header \
	    -k '$(or $(STORM),storm)' $(ROOT)/tests/kernel/test_storm.py

# A day of three machines, in virtual time: about an hour.
soak: packages-check sdk generator $(GUEST_FILES)
	$(Q)BUILD_DIR='$(BUILD)' QEMU='$(EMULATOR)' PYTHONDONTWRITEBYTECODE=1 \
	    SOAK_HOURS='$(or $(SOAK_HOURS),24)' SOAK_SEED='$(SOAK_SEED)' \
	    $(PYTHON) -u -m pytest -p no:cacheprovider -v -s --tb=short --no-header $(ROOT)/tests/system/test_soak.py

# SECONDS, DEPTH and SEED are those of tests/kernel_model/Makefile. MODEL chooses one of its systems.
model: packages-check
	$(Q)$(MAKE) -C $(ROOT)/tests/kernel_model BUILD_DIR='$(BUILD)' SECONDS='$(or $(SECONDS),60)' \
	    SYSTEM='$(MODEL)'
mutations: packages-check
	$(Q)$(PYTHON) -u $(ROOT)/tests/kernel_model/mutations.py --build '$(BUILD)' --make '$(MAKE)'
	$(Q)PROVE_MUTATIONS=1 PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -u -m pytest -p no:cacheprovider -v --tb=short --no-header \
	    $(ROOT)/tests/tools/test_prove.py

# A Debian on a disk, booted by firmware.
distribution: packages-distribution sdk generator $(GUEST_FILES)
	$(Q)BUILD_DIR='$(BUILD)' MICROKIT_SDK='$(filter-out $(BUNDLED_SDK),$(SDK))' QEMU='$(EMULATOR)' PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) -u -m pytest -p no:cacheprovider -v -s --tb=short --no-header $(ROOT)/tests/system/distribution

bench: packages packages-check sdk-there generator $(GUEST_FILES)
	$(Q)$(PYTHON) -u $(ROOT)/bench/bench.py --build '$(BUILD)' --sdk '$(SDK)' --qemu '$(EMULATOR)' \
	    --make '$(MAKE)' --mode '$(BENCH)' --kernel '$(or $(LINUX),$(GUEST_KERNEL))' \
	    --initramfs '$(or $(INITRD),$(GUEST_INITRD))'

plot:
	@$(PYTHON) $(ROOT)/bench/plot.py '$(BUILD)/bench/results.json' $(ROOT)/docs/performance.svg \
	    $(ROOT)/docs/latency.svg
	@echo "  PLOT    docs/performance.svg"

# By name, so that nothing else in BUILD_DIR is lost. Fetched packages stay, because to fetch them again
# takes a network and a minute.
clean:
	$(Q)rm -rf $(addprefix $(BUILD)/,sdk tools obj systems unit fuzz coverage prove check bench kernel_model mutations)
