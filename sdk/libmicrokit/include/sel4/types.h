/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sel4/constants.h>
#include <sel4/errors.h>
#include <sel4/simple_types.h>

/* Kinds of capabilities, for those who like to name them. */
typedef seL4_CPtr seL4_CNode;
typedef seL4_CPtr seL4_IRQHandler;
typedef seL4_CPtr seL4_IRQControl;
typedef seL4_CPtr seL4_TCB;
typedef seL4_CPtr seL4_Untyped;
typedef seL4_CPtr seL4_DomainSet;
typedef seL4_CPtr seL4_SchedContext;
typedef seL4_CPtr seL4_SchedControl;
typedef seL4_CPtr seL4_ARM_Page;
typedef seL4_CPtr seL4_ARM_PageTable;
typedef seL4_CPtr seL4_ARM_VCPU;
typedef seL4_CPtr seL4_ARM_VSpace;
typedef seL4_CPtr seL4_ARM_SMC;

typedef seL4_Uint64 seL4_Time; /* microseconds */

#define seL4_CapNull 0

/* A message's label (52 bits), capsUnwrapped (3), extraCaps (2) and length in words (7). */
typedef struct seL4_MessageInfo {
    seL4_Uint64 words[1];
} seL4_MessageInfo_t;

LIBSEL4_INLINE_FUNC CONST seL4_MessageInfo_t seL4_MessageInfo_new(seL4_Uint64 label,
                                                                  seL4_Uint64 capsUnwrapped,
                                                                  seL4_Uint64 extraCaps,
                                                                  seL4_Uint64 length)
{
    seL4_MessageInfo_t info = {
        {label << 12 | (capsUnwrapped & 7) << 9 | (extraCaps & 3) << 7 | (length & 0x7f)}};

    return info;
}

LIBSEL4_INLINE_FUNC CONST seL4_Uint64 seL4_MessageInfo_get_label(seL4_MessageInfo_t info)
{
    return info.words[0] >> 12;
}

LIBSEL4_INLINE_FUNC CONST seL4_Uint64 seL4_MessageInfo_get_capsUnwrapped(seL4_MessageInfo_t info)
{
    return info.words[0] >> 9 & 7;
}

LIBSEL4_INLINE_FUNC CONST seL4_Uint64 seL4_MessageInfo_get_extraCaps(seL4_MessageInfo_t info)
{
    return info.words[0] >> 7 & 3;
}

LIBSEL4_INLINE_FUNC CONST seL4_Uint64 seL4_MessageInfo_get_length(seL4_MessageInfo_t info)
{
    return info.words[0] & 0x7f;
}

LIBSEL4_INLINE_FUNC CONST seL4_MessageInfo_t seL4_MessageInfo_set_label(seL4_MessageInfo_t info,
                                                                        seL4_Uint64 label)
{
    info.words[0] = (info.words[0] & 0xfff) | label << 12;
    return info;
}

LIBSEL4_INLINE_FUNC CONST seL4_MessageInfo_t seL4_MessageInfo_set_length(seL4_MessageInfo_t info,
                                                                         seL4_Uint64 length)
{
    info.words[0] = (info.words[0] & ~0x7ful) | (length & 0x7f);
    return info;
}

typedef struct seL4_CapRights {
    seL4_Uint64 words[1];
} seL4_CapRights_t;

LIBSEL4_INLINE_FUNC CONST seL4_CapRights_t seL4_CapRights_new(seL4_Uint64 grant_reply,
                                                              seL4_Uint64 grant, seL4_Uint64 read,
                                                              seL4_Uint64 write)
{
    seL4_CapRights_t rights = {
        {(grant_reply & 1) << 3 | (grant & 1) << 2 | (read & 1) << 1 | (write & 1)}};

    return rights;
}

#define seL4_ReadWrite seL4_CapRights_new(0, 0, 1, 1)
#define seL4_AllRights seL4_CapRights_new(1, 1, 1, 1)
#define seL4_CanRead   seL4_CapRights_new(0, 0, 1, 0)
#define seL4_CanWrite  seL4_CapRights_new(0, 0, 0, 1)
#define seL4_NoRights  seL4_CapRights_new(0, 0, 0, 0)

/* A thread's registers, in the order in which invocations count them. */
typedef struct seL4_UserContext_ {
    seL4_Word pc, sp, spsr, x0, x1, x2, x3, x4, x5, x6, x7, x8, x16, x17, x18, x29, x30;
    seL4_Word x9, x10, x11, x12, x13, x14, x15, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28;
    seL4_Word tpidr_el0, tpidrro_el0;
} seL4_UserContext;

typedef struct seL4_ARM_SMCContext_ {
    seL4_Word x0, x1, x2, x3, x4, x5, x6, x7;
} seL4_ARM_SMCContext;

/* Where the words of a message are, for both sides. */
typedef struct seL4_IPCBuffer_ {
    seL4_MessageInfo_t tag;
    seL4_Word msg[seL4_MsgMaxLength];
    seL4_Word userData;
    seL4_Word caps_or_badges[seL4_MsgMaxExtraCaps];
    seL4_CPtr receiveCNode;
    seL4_CPtr receiveIndex;
    seL4_Word receiveDepth;
} seL4_IPCBuffer __attribute__((__aligned__(LIBSEL4_BIT(seL4_IPCBufferSizeBits))));

SEL4_COMPILE_ASSERT(seL4_IPCBuffer_size,
                    sizeof(seL4_IPCBuffer) == LIBSEL4_BIT(seL4_IPCBufferSizeBits))
