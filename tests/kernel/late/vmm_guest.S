/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/vcpu/vmm_guest.S"
