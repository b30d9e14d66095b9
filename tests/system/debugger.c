/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A debugger in a Linux guest: what gdb does to a program, by ptrace, to a child of its own. Each
 * case is a line "debugger: CASE: ok", or tells what has come in place of it. The exit code is the
 * number of cases that failed.
 */

#include <asm/ptrace.h>
#include <elf.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENABLED     1u
#define AT_EL0      (2u << 1)
#define STORE       (2u << 3)
#define FOUR_BYTES  (0xfu << 5)
#define COUNT_MASK  0xffu
#define NOPS        16
#define ROUNDS      50
#define STEPS_TO_GO 100000

extern const char nops[];
static volatile uint32_t counter;
static pid_t child;
static int failed;

static __attribute__((noinline)) void add(uint32_t value)
{
    counter += value;
}

static __attribute__((noinline)) void walk(void)
{
    __asm__ volatile(".global nops\nnops:\n .rept 16\n nop\n .endr");
}

static _Noreturn void be_debugged(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    for (unsigned i = 0; i < ROUNDS; i++) {
        add(2);
        add(3);
        walk();
    }
    _exit(counter == 5 * ROUNDS ? 0 : 1);
}

static uint64_t pc_of_child(void)
{
    struct user_pt_regs regs = {0};
    struct iovec vector = {&regs, sizeof(regs)};

    ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &vector);
    return regs.pc;
}

/* How many of a kind there are, by the kernel. */
static unsigned count_of(int kind)
{
    struct user_hwdebug_state state = {0};
    struct iovec vector = {&state, sizeof(state)};

    ptrace(PTRACE_GETREGSET, child, kind, &vector);
    return state.dbg_info & COUNT_MASK;
}

/* Set the first register pair of a kind, or clear it with 0. Returns whether the kernel has taken
 * it. */
static bool set(int kind, uint64_t address, uint32_t control)
{
    struct user_hwdebug_state state = {0};
    struct iovec vector = {&state, offsetof(struct user_hwdebug_state, dbg_regs[1])};

    state.dbg_regs[0].addr = address;
    state.dbg_regs[0].ctrl = control;
    return ptrace(PTRACE_SETREGSET, child, kind, &vector) == 0;
}

/* Let the child go on until it traps. Returns false if it ends, or anything else stops it. */
static bool traps(int request)
{
    int status;

    ptrace(request, child, NULL, NULL);
    waitpid(child, &status, 0);
    return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

static void report(const char *name, bool good, uint64_t seen)
{
    printf("debugger: %s: ", name);
    if (good) {
        printf("ok\n");
    } else {
        printf("FAILED, at 0x%llx\n", (unsigned long long)seen);
        failed++;
    }
}

static void try_registers(unsigned breakpoints, unsigned watchpoints)
{
    report("as many breakpoints", count_of(NT_ARM_HW_BREAK) == breakpoints,
           count_of(NT_ARM_HW_BREAK));
    report("as many watchpoints", count_of(NT_ARM_HW_WATCH) == watchpoints,
           count_of(NT_ARM_HW_WATCH));
}

static void try_breakpoint(void)
{
    bool good = set(NT_ARM_HW_BREAK, (uint64_t)add, ENABLED | AT_EL0 | FOUR_BYTES);

    for (unsigned i = 0; i < ROUNDS && good; i++) {
        good = traps(PTRACE_CONT) && pc_of_child() == (uint64_t)add;
        /* The debugger steps over it. */
        good = good && set(NT_ARM_HW_BREAK, 0, 0) && traps(PTRACE_SINGLESTEP) &&
               pc_of_child() == (uint64_t)add + 4 &&
               set(NT_ARM_HW_BREAK, (uint64_t)add, ENABLED | AT_EL0 | FOUR_BYTES);
    }
    set(NT_ARM_HW_BREAK, 0, 0);
    report("breakpoint", good, pc_of_child());
}

static void try_watchpoint(void)
{
    siginfo_t info = {0};
    uint32_t before;
    bool good = set(NT_ARM_HW_WATCH, (uint64_t)&counter, ENABLED | AT_EL0 | STORE | FOUR_BYTES);

    good = good && traps(PTRACE_CONT);
    ptrace(PTRACE_GETSIGINFO, child, NULL, &info);
    before = (uint32_t)ptrace(PTRACE_PEEKDATA, child, (void *)&counter, NULL);
    good = good && info.si_addr == (void *)&counter && set(NT_ARM_HW_WATCH, 0, 0) &&
           traps(PTRACE_SINGLESTEP) &&
           (uint32_t)ptrace(PTRACE_PEEKDATA, child, (void *)&counter, NULL) != before;
    report("watchpoint", good, (uint64_t)info.si_addr);
}

static void try_steps(void)
{
    unsigned left = STEPS_TO_GO;
    bool good = true;

    while (pc_of_child() != (uint64_t)nops && left-- > 0 && good) {
        good = traps(PTRACE_SINGLESTEP);
    }
    for (unsigned i = 1; i <= NOPS && good; i++) {
        good = traps(PTRACE_SINGLESTEP) && pc_of_child() == (uint64_t)nops + 4ul * i;
    }
    report("single step", good, pc_of_child());
}

static void try_end(void)
{
    int status;

    ptrace(PTRACE_CONT, child, NULL, NULL);
    waitpid(child, &status, 0);
    report("the program ends as without", WIFEXITED(status) && WEXITSTATUS(status) == 0, 0);
}

int main(int argc, char **argv)
{
    int status;

    if (argc != 3) {
        fprintf(stderr, "usage: debugger BREAKPOINTS WATCHPOINTS\n");
        return 1;
    }
    child = fork();
    if (child == 0) {
        be_debugged();
    }
    waitpid(child, &status, 0);
    try_registers((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]));
    try_breakpoint();
    try_steps();
    try_end();

    child = fork();
    if (child == 0) {
        be_debugged();
    }
    waitpid(child, &status, 0);
    try_watchpoint();
    try_steps();
    try_end();
    return failed;
}
