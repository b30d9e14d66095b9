/* SPDX-License-Identifier: BSD-2-Clause */

#include "gic_drain.h"

#include <string.h>
#include "cpu.h"
#include "vgic.h"

/* What x0 points to. */
struct parameters {
    uint64_t cpu_interface;
    uint32_t occupants[VGIC_LIST_REGISTERS];
};

/* Runs with the MMU off and interrupts masked; offsets are those of GICV. */
static const uint32_t program[] = {
    0xf9400001, /*     ldr  x1, [x0]         the CPU interface                                  */
    0x528000e2, /*     mov  w2, #7           CTLR: both groups, AckCtl, EOIR deactivates        */
    0xb9000022, /*     str  w2, [x1]                                                            */
    0x52801fe2, /*     mov  w2, #0xff        PMR: everything passes                             */
    0xb9000422, /*     str  w2, [x1, #0x4]                                                      */
    0xb9400802, /*     ldr  w2, [x0, #8]     EOIR: end what may be active, the most urgent first */
    0xb9001022, /*     str  w2, [x1, #0x10]                                                     */
    0xb9400c02, /*     ldr  w2, [x0, #12]                                                       */
    0xb9001022, /*     str  w2, [x1, #0x10]                                                     */
    0xb9401002, /*     ldr  w2, [x0, #16]                                                       */
    0xb9001022, /*     str  w2, [x1, #0x10]                                                     */
    0xb9401402, /*     ldr  w2, [x0, #20]                                                       */
    0xb9001022, /*     str  w2, [x1, #0x10]                                                     */
    0xb900d03f, /*     str  wzr, [x1, #0xd0] APR0: no priority is active                        */
    0x52800103, /*     mov  w3, #8           now take and end what is pending                   */
    0xb9400c22, /* 1:  ldr  w2, [x1, #0xc]   IAR                                                */
    0xb9001022, /*     str  w2, [x1, #0x10]  EOIR; a spurious 1023 does nothing                 */
    0x71000463, /*     subs w3, w3, #1                                                          */
    0x54ffffa1, /*     b.ne 1b                                                                  */
    0xb900043f, /*     str  wzr, [x1, #0x4]                                                     */
    0xb900003f, /*     str  wzr, [x1]                                                           */
    0xd5033f9f, /*     dsb  sy                                                                  */
    0x52808003, /*     mov  w3, #1024        let the maintenance interrupts come                */
    0x71000463, /* 2:  subs w3, w3, #1                                                          */
    0x54ffffe1, /*     b.ne 2b                                                                  */
    0xd4000003, /*     smc  #0                                                                  */
    0x14000000, /*     b    .                                                                   */
};

#define PARAMETERS_OFFSET 256u

_Static_assert(sizeof(program) <= PARAMETERS_OFFSET, "the program ends before its parameters");

uint64_t gic_drain_prepare(const struct guest_memory *memory, uint8_t vcpu, uint64_t cpu_interface,
                           uint64_t *entry)
{
    uint64_t offset = PARAMETERS_OFFSET + vcpu * sizeof(struct parameters);
    struct parameters parameters = {.cpu_interface = cpu_interface};
    uint16_t intids[VGIC_LIST_REGISTERS];

    vgic_occupants(vcpu, intids);
    for (unsigned i = 0; i < VGIC_LIST_REGISTERS; i++) {
        parameters.occupants[i] = intids[i];
    }
    memcpy(memory->base, program, sizeof(program));
    memcpy(memory->base + offset, &parameters, sizeof(parameters));
    cpu_flush_to_memory(memory->base, offset + sizeof(parameters));
    *entry = memory->gpa;
    return memory->gpa + offset;
}
