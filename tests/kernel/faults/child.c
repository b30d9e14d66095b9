/* SPDX-License-Identifier: BSD-2-Clause */

#include "faults.h"

struct shared *shared;

#define TO_SERVER 4

static uint64_t unknown_syscall(void)
{
    register uint64_t x0 __asm__("x0") = 11;
    register uint64_t x1 __asm__("x1") = 22;
    register uint64_t x7 __asm__("x7") = 1000;

    __asm__ volatile("svc #0" : "+r"(x0), "+r"(x1) : "r"(x7) : "memory");
    return x0 + x1;
}

static void wait_with_registers(void)
{
    __asm__ volatile("mov x19, #0x1919\n"
                     "mov x9, #0x99\n"
                     "mov x28, #0x2828\n"
                     "mov x0, #0\n"
                     "1: ldr x1, %[go]\n"
                     "cbz x1, 1b\n"
                     "str x0, %[result]"
                     : [result] "=m"(shared->result)
                     : [go] "m"(shared->go)
                     : "x0", "x1", "x9", "x19", "x28", "memory");
}

static void obey(uint64_t command)
{
    uint64_t value;

    switch (command) {
    case DO_WRITE:
        __asm__ volatile("str xzr, [%0]" : : "r"(NOTHING_ADDRESS + 8));
        break;
    case DO_READ:
        __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(NOTHING_ADDRESS));
        shared->result = value;
        break;
    case DO_EXECUTE:
        ((void (*)(void))NOTHING_ADDRESS)();
        break;
    case DO_EXECUTE_DATA:
        ((void (*)(void))DATA_ADDRESS)();
        break;
    case DO_WRITE_READONLY:
        __asm__ volatile("strb wzr, [%0]" : : "r"(READONLY_ADDRESS + 3));
        break;
    case DO_UNDEFINED:
        __asm__ volatile("udf #7");
        shared->result = 7;
        break;
    case DO_BREAKPOINT:
        __asm__ volatile("brk #5");
        break;
    case DO_SYSCALL:
        shared->result = unknown_syscall();
        break;
    case DO_CAPABILITY: {
        seL4_UserContext context = {0};

        shared->result = seL4_TCB_WriteRegisters(BASE_TCB_CAP + 9, false, 0, 1, &context);
        seL4_Signal(BASE_OUTPUT_NOTIFICATION_CAP + 33);
        seL4_Signal(0x123456); /* beyond all capabilities */
        break;
    }
    case DO_RECEIVE:
        seL4_Recv(BASE_OUTPUT_NOTIFICATION_CAP + 33, &value, 4);
        break;
    case DO_MISALIGNED_PC:
        ((void (*)(void))0x200002)(); /* in the program itself */
        break;
    case DO_RESTART:
        *(volatile uint64_t *)NOTHING_ADDRESS = 1;
        break;
    case DO_COUNT:
        for (;;) {
            shared->count++;
        }
    case DO_CALL:
        microkit_mr_set(0, 5);
        microkit_ppcall(TO_SERVER, microkit_msginfo_new(0, 1));
        shared->result = microkit_mr_get(0);
        break;
    case DO_REGISTERS:
        wait_with_registers();
        break;
    }
}

void init(void)
{
    shared->starts++;
}

void notified(microkit_channel ch)
{
    (void)ch;
    shared->received++;
    obey(shared->command);
}
