/* SPDX-License-Identifier: BSD-2-Clause */

#include "reset_program.h"

#include <string.h>
#include "lib/cpu.h"
#include "vgic.h"

#define INTERFACE_OFFSET 0x400u
#define VECTORS_OFFSET   0x800u
#define VECTOR_SYNC      0x200u /* from EL1 with SP_EL1 */
#define VECTOR_REGISTERS 32u
#define DEBUG_KINDS      4u
#define DEBUG_REGISTERS  16u

/*
 * Runs with the MMU off and interrupts masked. In x0 are INTIDs, 16 bits each, the most urgent
 * lowest. First those are ended, then whatever is pending is taken and ended.
 */

/* With a GICv2; offsets are those of GICV. */
static const uint32_t program_v2[] = {
    0x10004002, /*     adr  x2, vectors                                                       */
    0xd518c002, /*     msr  vbar_el1, x2                                                      */
    0xd5033fdf, /*     isb                                                                    */
    0x58001fa1, /*     ldr  x1, interface                                                     */
    0x528000e2, /*     mov  w2, #7            CTLR: both groups, AckCtl, EOIR deactivates     */
    0xb9000022, /*     str  w2, [x1]                                                          */
    0x52801fe2, /*     mov  w2, #0xff         PMR: everything passes                          */
    0xb9000422, /*     str  w2, [x1, #0x4]                                                    */
    0x52800083, /*     mov  w3, #4            end what may be active                          */
    0x12003c02, /* 1:  and  w2, w0, #0xffff                                                   */
    0xb9001022, /*     str  w2, [x1, #0x10]   EOIR; a spurious 1023 does nothing              */
    0xd350fc00, /*     lsr  x0, x0, #16                                                       */
    0x71000463, /*     subs w3, w3, #1                                                        */
    0x54ffff81, /*     b.ne 1b                                                                */
    0xb900d03f, /*     str  wzr, [x1, #0xd0]  APR0: no priority is active                     */
    0x52800103, /*     mov  w3, #8            now take and end what is pending                */
    0xb9400c22, /* 2:  ldr  w2, [x1, #0xc]    IAR                                             */
    0xb9001022, /*     str  w2, [x1, #0x10]                                                   */
    0x71000463, /*     subs w3, w3, #1                                                        */
    0x54ffffa1, /*     b.ne 2b                                                                */
    0xb900083f, /*     str  wzr, [x1, #0x8]   BPR                                             */
    0xb9001c3f, /*     str  wzr, [x1, #0x1c]  ABPR                                            */
    0xb900043f, /*     str  wzr, [x1, #0x4]                                                   */
    0xb900003f, /*     str  wzr, [x1]                                                         */
};

/* With a GICv3. Which of the registers of active priorities there are depends on the processor. */
static const uint32_t program_v3[] = {
    0x10004002, /*     adr  x2, vectors                                                       */
    0xd518c002, /*     msr  vbar_el1, x2                                                      */
    0xd5033fdf, /*     isb                                                                    */
    0xd2800042, /*     mov  x2, #2            CTLR: EOIR drops the priority, DIR deactivates  */
    0xd518cc82, /*     msr  icc_ctlr_el1, x2                                                  */
    0xd2801fe2, /*     mov  x2, #0xff         PMR: everything passes                          */
    0xd5184602, /*     msr  icc_pmr_el1, x2                                                   */
    0xd2800022, /*     mov  x2, #1                                                            */
    0xd518ccc2, /*     msr  icc_igrpen0_el1, x2                                               */
    0xd518cce2, /*     msr  icc_igrpen1_el1, x2                                               */
    0xd5033fdf, /*     isb                                                                    */
    0x52800083, /*     mov  w3, #4            end what may be active                          */
    0x92403c02, /* 1:  and  x2, x0, #0xffff                                                   */
    0xd518cb22, /*     msr  icc_dir_el1, x2   a spurious 1023 does nothing                    */
    0xd350fc00, /*     lsr  x0, x0, #16                                                       */
    0x71000463, /*     subs w3, w3, #1                                                        */
    0x54ffff81, /*     b.ne 1b                                                                */
    0xd518c89f, /*     msr  icc_ap0r0_el1, xzr    no priority is active                       */
    0xd518c8bf, /*     msr  icc_ap0r1_el1, xzr                                                */
    0xd518c8df, /*     msr  icc_ap0r2_el1, xzr                                                */
    0xd518c8ff, /*     msr  icc_ap0r3_el1, xzr                                                */
    0xd518c91f, /*     msr  icc_ap1r0_el1, xzr                                                */
    0xd518c93f, /*     msr  icc_ap1r1_el1, xzr                                                */
    0xd518c95f, /*     msr  icc_ap1r2_el1, xzr                                                */
    0xd518c97f, /*     msr  icc_ap1r3_el1, xzr                                                */
    0xd5033fdf, /*     isb                                                                    */
    0x52800103, /*     mov  w3, #8            now take and end what is pending                */
    0xd538c802, /* 2:  mrs  x2, icc_iar0_el1                                                  */
    0xd5033f9f, /*     dsb  sy                                                                */
    0xd518c822, /*     msr  icc_eoir0_el1, x2                                                 */
    0xd518cb22, /*     msr  icc_dir_el1, x2                                                   */
    0xd538cc02, /*     mrs  x2, icc_iar1_el1                                                  */
    0xd5033f9f, /*     dsb  sy                                                                */
    0xd518cc22, /*     msr  icc_eoir1_el1, x2                                                 */
    0xd518cb22, /*     msr  icc_dir_el1, x2                                                   */
    0xd5033fdf, /*     isb                                                                    */
    0x71000463, /*     subs w3, w3, #1                                                        */
    0x54fffec1, /*     b.ne 2b                                                                */
    0xd518c87f, /*     msr  icc_bpr0_el1, xzr                                                 */
    0xd518cc7f, /*     msr  icc_bpr1_el1, xzr                                                 */
    0xd518cc9f, /*     msr  icc_ctlr_el1, xzr                                                 */
    0xd518461f, /*     msr  icc_pmr_el1, xzr                                                  */
    0xd518ccdf, /*     msr  icc_igrpen0_el1, xzr                                              */
    0xd518ccff, /*     msr  icc_igrpen1_el1, xzr                                              */
};

/* With either, behind that. */
static const uint32_t program[] = {
    0xd2a00602, /*     mov  x2, #0x300000     CPACR: FP and SIMD                              */
    0xd5181042, /*     msr  cpacr_el1, x2                                                     */
    0xd5033fdf, /*     isb                                                                    */
    0xd51b441f, /*     msr  fpcr, xzr                                                         */
    0xd51b443f, /*     msr  fpsr, xzr                                                         */
    0xd518741f, /*     msr  par_el1, xzr                                                      */
    0xd51a001f, /*     msr  csselr_el1, xzr                                                   */
    0xd510025f, /*     msr  mdscr_el1, xzr                                                    */
    0xd510021f, /*     msr  mdccint_el1, xzr                                                  */
    0xd518c13f, /*     msr  disr_el1, xzr     this and the next are newer processors'         */
    0xd51bd0bf, /*     msr  tpidr2_el0, xzr                                                   */
    0xd508711f, /*     ic   ialluis           what is loaded next is new to the cache         */
};

#define CLEAR_VECTOR 0x6f00e400u /* movi v0.2d, #0, and so on to v31 */

static const uint32_t program_end[] = {
    0xd518201f, /*     msr  ttbr0_el1, xzr    what seL4 may not reach                         */
    0xd518203f, /*     msr  ttbr1_el1, xzr                                                    */
    0xd518205f, /*     msr  tcr_el1, xzr                                                      */
    0xd518a21f, /*     msr  mair_el1, xzr                                                     */
    0xd518a31f, /*     msr  amair_el1, xzr                                                    */
    0xd518d03f, /*     msr  contextidr_el1, xzr                                               */
    0xd518511f, /*     msr  afsr0_el1, xzr                                                    */
    0xd518513f, /*     msr  afsr1_el1, xzr                                                    */
    0xd518d09f, /*     msr  tpidr_el1, xzr                                                    */
    0xd518105f, /*     msr  cpacr_el1, xzr                                                    */
    0xd518521f, /*     msr  esr_el1, xzr      what instructions passed over have left         */
    0xd518601f, /*     msr  far_el1, xzr                                                      */
    0xd518403f, /*     msr  elr_el1, xzr                                                      */
    0xd518401f, /*     msr  spsr_el1, xzr                                                     */
    0xd2800002, /*     mov  x2, #0                                                            */
    0x9100005f, /*     mov  sp, x2                                                            */
    0xd518c01f, /*     msr  vbar_el1, xzr                                                     */
    0xd5033f9f, /*     dsb  sy                                                                */
    0xd5033fdf, /*     isb                                                                    */
    0x52808003, /*     mov  w3, #1024         let the maintenance interrupts come             */
    0x71000463, /* 3:  subs w3, w3, #1                                                        */
    0x54ffffe1, /*     b.ne 3b                                                                */
    0xd4000003, /*     smc  #0                                                                */
    0x14000000, /*     b    .                                                                 */
};

/* An instruction that the processor does not have is passed over. */
static const uint32_t pass_over[] = {
    0xd5384022, /*     mrs  x2, elr_el1                                                       */
    0x91001042, /*     add  x2, x2, #4                                                        */
    0xd5184022, /*     msr  elr_el1, x2                                                       */
    0xd69f03e0, /*     eret                                                                   */
};

/* msr dbgbvr0_el1, xzr, then dbgbcr0_el1, dbgwvr0_el1, dbgwcr0_el1, and so on to 15 */
#define CLEAR_DEBUG       0xd510009fu
#define DEBUG_KIND_SHIFT  5
#define DEBUG_INDEX_SHIFT 8

#define REST_WORDS (VECTOR_REGISTERS + DEBUG_KINDS * DEBUG_REGISTERS)
#define REST_SIZE  (sizeof(program) + 4ul * REST_WORDS + sizeof(program_end))

_Static_assert(sizeof(program_v2) + REST_SIZE <= INTERFACE_OFFSET,
               "the program ends before what it reads");
_Static_assert(sizeof(program_v3) + REST_SIZE <= VECTORS_OFFSET, "... and before its vectors");

static uint64_t entry;

static uint8_t *append(uint8_t *at, const void *instructions, size_t size)
{
    memcpy(at, instructions, size);
    return at + size;
}

void reset_program_init(void *page, uint64_t gpa, uint32_t gic_version, uint64_t cpu_interface)
{
    uint8_t *at = page;

    entry = gpa;
    memset(page, 0, RESET_PROGRAM_SIZE);
    at = gic_version == 2 ? append(at, program_v2, sizeof(program_v2))
                          : append(at, program_v3, sizeof(program_v3));
    at = append(at, program, sizeof(program));
    for (uint32_t n = 0; n < VECTOR_REGISTERS; n++) {
        uint32_t instruction = CLEAR_VECTOR | n;

        at = append(at, &instruction, sizeof(instruction));
    }
    for (uint32_t n = 0; n < DEBUG_KINDS * DEBUG_REGISTERS; n++) {
        uint32_t instruction = CLEAR_DEBUG + ((n % DEBUG_KINDS) << DEBUG_KIND_SHIFT) +
                               ((n / DEBUG_KINDS) << DEBUG_INDEX_SHIFT);

        at = append(at, &instruction, sizeof(instruction));
    }
    append(at, program_end, sizeof(program_end));
    if (gic_version == 2) {
        memcpy((uint8_t *)page + INTERFACE_OFFSET, &cpu_interface, sizeof(cpu_interface));
    }
    memcpy((uint8_t *)page + VECTORS_OFFSET + VECTOR_SYNC, pass_over, sizeof(pass_over));
    cpu_clean_and_invalidate_dcache(page, RESET_PROGRAM_SIZE);
    cpu_invalidate_icache(page, RESET_PROGRAM_SIZE);
}

uint64_t reset_program_entry(void)
{
    return entry;
}

uint64_t reset_program_argument(uint8_t vcpu)
{
    uint16_t intids[VGIC_LIST_REGISTERS];
    uint64_t argument = 0;

    _Static_assert(VGIC_LIST_REGISTERS == 4, "they fit into a register");
    vgic_lr_intids(vcpu, intids);
    for (unsigned i = 0; i < VGIC_LIST_REGISTERS; i++) {
        argument |= (uint64_t)intids[i] << (16 * i);
    }
    return argument;
}
