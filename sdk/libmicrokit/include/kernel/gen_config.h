/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the kernel offers, under the names by which programs ask for it: those of seL4's build for
 * the same board, where they apply. Makefiles read this file, too, and expect two blanks between a
 * name and its value, so an SDK has the definitions of gen_build.h in this file. The microkit tool
 * reads CONFIG_MAX_NUM_NODES, the number of cores that the kernel can run on.
 */
/* clang-format off */

#include <kernel/gen_build.h> /* what the configs differ in */

#define CONFIG_ARCH_ARM  1
#define CONFIG_ARCH_AARCH64  1
#define CONFIG_SEL4_ARCH  aarch64
#define CONFIG_ARCH  arm
#define CONFIG_WORD_SIZE  64
#define CONFIG_PLAT_QEMU_ARM_VIRT  1
#define CONFIG_PLAT  qemu-arm-virt
#define CONFIG_ARM_PLAT  qemu-arm-virt
#define CONFIG_ARM_CORTEX_A53  1
#define CONFIG_ARCH_ARM_V8A  1
#define CONFIG_KERNEL_MCS  1
#define CONFIG_ARM_PA_SIZE_BITS_40  1
#define CONFIG_ARM_HYPERVISOR_SUPPORT  1
#define CONFIG_AARCH64_USER_CACHE_ENABLE  1
#define CONFIG_ALLOW_SMC_CALLS  1
#define CONFIG_ARM_TLS_REG_TPIDRU  1
#define CONFIG_L1_CACHE_LINE_SIZE_BITS  6
#define CONFIG_HAVE_FPU  1
#define CONFIG_NUM_PRIORITIES  256
#define CONFIG_EXPORT_PCNT_USER  1
#define CONFIG_EXPORT_PTMR_USER  1
