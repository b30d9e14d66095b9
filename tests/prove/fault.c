/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: vmm/fault.c vmm/mmio.c vmm/mmio.h
 * EVA:
 *
 * Faults with any message, of machines with any devices: what an access is, which device takes it,
 * and what a load brings. What devices and vCPUs do then is not here.
 */

#include "prelude.h"
#include <microkit.h>

#include "vmm/abort.h"
#include "vmm/idle.h"
#include "vmm/pl011.h"
#include "vmm/smccc.h"
#include "vmm/vcpu.h"
#include "vmm/vgic.h"
#include "vmm/vm.h"

#include "lib/log.h"

/* Assumption: the log takes any text, and changes nothing of the monitor's. */
/*@ assigns \nothing; */
void log_limited(const char *format, ...);

/* Assumption: a message register, with any word. */
/*@ assigns \result \from mr; */
seL4_Word microkit_mr_get(seL4_Uint8 mr);
/* Assumption: any label. */
/*@ assigns \result \from msginfo; */
seL4_Word microkit_msginfo_get_label(microkit_msginfo msginfo);

/* Assumption: an exception is injected, or there is no vector for it. */
/*@ assigns \result \from vcpu, gpa, write, walk_level;
    ensures \result == 0 || \result == 1;
 */
bool abort_inject_data(uint8_t vcpu, uint64_t gpa, bool write, int walk_level);
/* Assumption: as above. */
/*@ assigns \result \from vcpu, gpa, walk_level;
    ensures \result == 0 || \result == 1;
 */
bool abort_inject_fetch(uint8_t vcpu, uint64_t gpa, int walk_level);
/* Assumption: as above. */
/*@ assigns \result \from vcpu;
    ensures \result == 0 || \result == 1;
 */
bool abort_inject_undefined(uint8_t vcpu);

/* Assumption: it changes the vCPU that goes on, which nothing here reads. */
/*@ assigns \nothing; */
void vcpu_resume(uint8_t vcpu, uint64_t pc);
/* Assumption: as above. The number is one of a register. */
/*@ requires number <= 31;
    assigns \nothing;
 */
void vcpu_resume_with(uint8_t vcpu, uint64_t pc, unsigned number, uint64_t value);
/* Assumption: as above. */
/*@ requires number <= 31;
    assigns \nothing;
 */
void vcpu_set(uint8_t vcpu, uint64_t pc, unsigned number, uint64_t value);
/* Assumption: a register of the guest's has any value. */
/*@ requires number <= 31;
    assigns \result \from vcpu, number;
 */
uint64_t vcpu_get_register(uint8_t vcpu, unsigned number);
/* Assumption: as above. */
/*@ assigns \result \from vcpu; */
uint64_t vcpu_get_pc(uint8_t vcpu);
/* Assumption: as above. */
/*@ assigns \result \from vcpu; */
struct vcpu_frame vcpu_get_frame(uint8_t vcpu);
/* Assumption: any state. */
/*@ assigns \result \from vcpu; */
enum vcpu_state vcpu_state(uint8_t vcpu);

/* Assumption: these change the machine, and nothing that is read here. */
/*@ assigns \nothing; */
void vm_crash(uint8_t vcpu, uint64_t pc, const char *cause);
/* Assumption: as above. */
/*@ assigns \result \from vcpu;
    ensures \result == 0 || \result == 1;
 */
bool vm_reset_done(uint8_t vcpu);
/* Assumption: as above. */
/*@ assigns \result \from vcpu;
    ensures \result == 0 || \result == 1;
 */
bool idle_park(uint8_t vcpu);
/* Assumption: as above. */
/*@ assigns \nothing; */
void idle_yield(uint8_t vcpu, uint64_t behind);
/* Assumption: as above. */
/*@ assigns \nothing; */
void idle_tick(uint8_t vcpu);
/* Assumption: as above. */
/*@ assigns \nothing; */
void smccc_call(uint8_t vcpu, uint64_t pc);
/* Assumption: as above. */
/*@ assigns \nothing; */
void vgic_maintenance(uint8_t vcpu, uint32_t list_register);
/* Assumption: as above. */
/*@ assigns \nothing; */
void vgic_raise_timer(uint8_t vcpu);
/* Assumption: as above. */
/*@ assigns \nothing; */
void pl011_flush(void);
/* Assumption: it takes the register or not, and gives any value. */
/*@ assigns *value, \result \from vcpu, iss, *value;
    ensures \result == 0 || \result == 1;
 */
bool vgic_system_register(uint8_t vcpu, uint32_t iss, uint64_t *value);

static struct stats_machine stats;

#include "vmm/config.h"

const struct vmm_config vmm_config = {.stats = &stats};

#include "vmm/fault.c"
#include "vmm/mmio.c"

static uint8_t state[1];

/* A device as an mmio_handler has to be. */
static bool take(void *device, struct mmio_access *access)
{
    if (*(uint8_t *)device != 0) {
        return false;
    }
    if (!access->write) {
        access->value = any();
    } else if (any()) {
        access->value = mmio_value(access);
    }
    return true;
}

/* Assumption: the bus has `count` devices, and nothing of others, as mmio_attach() leaves it. */
static void have_devices(unsigned count)
{
    memset(devices, 0, sizeof(devices));
    /*@ loop unroll MMIO_MAX_DEVICES; */
    for (unsigned i = 0; i < count; i++) {
        devices[i] = (struct bus_device){any(), any(), take, state, any() == 0};
    }
    device_count = count;
    recent = NULL;
}

static void attach_any(void)
{
    while (any()) {
        if (any()) {
            mmio_attach(any(), any(), take, state);
        } else {
            mmio_attach_lazy(any(), any(), take, state);
        }
    }
}

int main(void)
{
    make_any(state, sizeof(state));
    attach_any();
    /*@ loop unroll MMIO_MAX_DEVICES + 1; */
    for (unsigned count = 0; count <= MMIO_MAX_DEVICES; count++) {
        have_devices(count);
        while (any()) {
            microkit_msginfo message = {{any()}};

            fault_handle((uint8_t)any() % VMM_MAX_VCPUS, message);
        }
    }
    return 0;
}
