#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Change single lines of the kernel, one at a time, and demand that the model finds each.

    mutations.py --build DIR [--make MAKE] [--seconds N] [NAME...]

A mutation is a copy of sdk/kernel with one text in the place of another, which is there once. The random
runs have N seconds each to find it; a mutation that is only in kernels for several cores is looked for
there.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ONE, TWO = "random1", "random2"

# Name: the program that finds it, the file, what is there, and what stands in its place.
MUTATIONS = {
    "bit stays": (
        ONE, "sched.c",
        "    cpu->ready_bits[priority / 64] &= ~BIT(priority % 64);\n",
        ""),
    "top is not raised": (
        ONE, "sched.c",
        "if ((int)priority > cpu->ready_top) {",
        "if (0) {"),
    "top stays": (
        ONE, "sched.c",
        "    cpu->ready_top = -1;\n"
        "    if (cpu->ready_words",
        "    if (cpu->ready_words"),
    "cache is forgotten": (
        ONE, "sched.c",
        "    flush_ready_cache(cpu);\n"
        "    ready_enqueue(cpu, thread, tail);",
        "    ready_enqueue(cpu, thread, tail);"),
    "cache before equals": (
        ONE, "sched.h",
        "if (thread->priority < next->priority && thread->priority > cpu->ready_top) {",
        "if (thread->priority < next->priority) {"),
    "equal preempts": (
        ONE, "sched.c",
        "if (next == NULL || thread->priority > next->priority) {",
        "if (next == NULL || thread->priority >= next->priority) {"),
    "handoff below": (
        ONE, "sched.c",
        "if (to->sc->remaining == 0 || to->priority < cpu->ready_top) {",
        "if (to->sc->remaining == 0) {"),
    "slice ends in front": (
        ONE, "sched.c",
        "        begin_slice(cpu, thread->sc);\n"
        "        ready_push(cpu, thread, true);",
        "        begin_slice(cpu, thread->sc);\n"
        "        ready_push(cpu, thread, false);"),
    "charged twice": (
        ONE, "sched.c",
        "    sc->remaining = used < left ? left - used : 0;",
        "    sc->remaining = used < left ? left - (2 * used < left ? 2 * used : used) : 0;"),
    "not charged": (
        ONE, "sched.c",
        "    sc->remaining = used < left ? left - used : 0;",
        "    sc->remaining = used < left ? left : 0;"),
    "consumed twice": (
        ONE, "sched.c",
        "    sc->consumed += used;\n",
        "    sc->consumed += 2 * used;\n"),
    "accounting goes on": (
        ONE, "sched.c",
        "    cpu->accounting = false;\n"
        "    sc->consumed",
        "    sc->consumed"),
    "period is a tick short": (
        ONE, "sched.c",
        "sc->replenish_at = now + sc->period;",
        "sc->replenish_at = now + sc->period - 1;"),
    "period from its end": (
        ONE, "sched.c",
        "sc->replenish_at = now + sc->period;",
        "sc->replenish_at += sc->period;"),
    "no replenishment": (
        ONE, "sched.c",
        "        release_queue_remove(cpu, thread);\n"
        "        sched_ready(cpu, thread);\n"
        "    }\n"
        "    if (cpu->release_queue != NULL) {",
        "        release_queue_remove(cpu, thread);\n"
        "    }\n"
        "    if (cpu->release_queue != NULL) {"),
    "next replenishment has no timer": (
        ONE, "sched.c",
        "    if (cpu->release_queue != NULL) {\n"
        "        arm_timer",
        "    if (0) {\n"
        "        arm_timer"),
    "replenished a tick early": (
        ONE, "sched.c",
        "return sc->limited && sc->remaining == 0 && now < sc->replenish_at;",
        "return sc->limited && sc->remaining == 0 && now + 1 < sc->replenish_at;"),
    "release queue by order of arrival": (
        ONE, "sched.c",
        "while (*link != NULL && (*link)->sc->replenish_at <= thread->sc->replenish_at) {",
        "while (*link != NULL) {"),
    "timer of an idle core is off": (
        ONE, "sched.c",
        "if (cpu->release_queue == NULL && !domain_in_use(cpu)) {",
        "if (!domain_in_use(cpu)) {"),
    "timer is only moved back": (
        ONE, "sched.c",
        "    if (deadline < cpu->timer_at) {",
        "    if (deadline > cpu->timer_at) {"),
    "yield keeps the budget": (
        ONE, "sched.c",
        "        thread->sc->remaining = 0;\n"
        "        end_timeslice",
        "        end_timeslice"),
    "renewed too soon": (
        ONE, "sched.c",
        "level->used - sc->level_used < (RENEWAL_PART + 1) * used",
        "level->used - sc->level_used < RENEWAL_PART * used"),
    "renewed before a slice ends": (
        ONE, "sched.c",
        "level->ends == sc->level_ends ||",
        ""),
    "others' time counts twice": (
        ONE, "sched.c",
        "    mark_level(cpu, sc);\n"
        "    sc->remaining = sc->budget;\n"
        "    if (sc->renewals",
        "    sc->remaining = sc->budget;\n"
        "    if (sc->renewals"),
    "light for ever": (
        ONE, "sched.c",
        "    sc->remaining = sc->budget;\n"
        "    sc->renewals = 0;\n",
        "    sc->remaining = sc->budget;\n"),
    "light and at the end": (
        ONE, "sched.c",
        "if (tail && !is_light(thread)) {",
        "if (tail) {"),
    "in front of light ones": (
        ONE, "sched.c",
        "next != NULL && is_light(next);",
        "next != NULL && 0;"),
    "light at another priority": (
        ONE, "sched.c",
        "    thread->own.renewals = 0;\n",
        ""),
    "turn does not end": (
        ONE, "sched.c",
        "if (now >= turn.end && domain_next_turn(now)) {",
        "if (now > turn.end && domain_next_turn(now)) {"),
    "another domain's thread": (
        ONE, "sched.c",
        "        if (domain_has_turn(thread)) {\n"
        "            release_queue_insert",
        "        if (!domain_has_turn(thread)) {\n"
        "            release_queue_insert"),
    "turn's threads in front": (
        ONE, "sched.c",
        "            ready_enqueue(cpu, thread, true);",
        "            queue_push_tail(&cpu->ready[thread->priority], thread);"),
    "no turn for a thread that is woken": (
        ONE, "sched.c",
        "    } else if (!IS_SMP && unlikely(thread->waits_for_turn)) {",
        "    } else if (0) {"),
    "suspended in its queue": (
        ONE, "thread.c",
        "        sched_remove(thread->cpu, thread);\n"
        "        thread->resume = RESUME_RUN;",
        "        thread->resume = RESUME_RUN;"),
    "restarted and still sends": (
        ONE, "thread.c",
        "    if (thread->state == THREAD_SENDING || thread->state == THREAD_WAITING) {\n"
        "        ipc_cancel(thread);\n"
        "    }\n"
        "    if",
        "    if"),
    "suspended call is no call": (
        ONE, "thread.c",
        "        thread->resume = thread->is_faulted ? RESUME_RUN : RESUME_CALL;\n"
        "        ipc_cancel",
        "        thread->resume = RESUME_RUN;\n"
        "        ipc_cancel"),
    "sender stays in the queue": (
        ONE, "ipc.c",
        "        queue_remove(&server->senders, thread);\n"
        "        return;",
        "        return;"),
    "withdrawn and still served": (
        ONE, "ipc.c",
        "    server->reply_to = NULL;\n"
        "    if (current",
        "    if (current"),
    "nothing is abandoned": (
        ONE, "ipc.c",
        "    if (thread->reply_to != NULL) {\n"
        "        abandon(thread);\n"
        "    }\n",
        ""),
    "answered and still served": (
        ONE, "ipc.c",
        "    if (thread->reply_to != NULL) {\n"
        "        abandon(thread);\n"
        "    }\n",
        "    if (thread->reply_to != NULL && thread->reply_to->is_faulted) {\n"
        "        abandon(thread);\n"
        "    }\n"),
    "abandoned and still served": (
        ONE, "ipc.c",
        "    server->reply_to = NULL;\n"
        "    return_context(sender);",
        "    return_context(sender);"),
    "abandoned sender keeps its state": (
        ONE, "ipc.c",
        "    sender->state = THREAD_STOPPED;\n"
        "    sender->resume = sender->is_faulted",
        "    sender->resume = sender->is_faulted"),
    "taken sender stays in the queue": (
        ONE, "ipc.c",
        "        queue_remove(&thread->senders, sender);\n",
        ""),
    "pending is not cleared": (
        ONE, "ipc.c",
        "        thread->pending = 0;\n",
        ""),
    "calls before notifications": (
        ONE, "ipc.c",
        "    if (thread->pending != 0) {\n"
        "        *result",
        "    if (thread->pending != 0 && thread->senders.head == NULL) {\n"
        "        *result"),
    "pending is not seen": (
        ONE, "ipc.h",
        "if (unlikely(thread->reply_to != NULL || thread->pending != 0 || ",
        "if (unlikely(thread->reply_to != NULL || "),
    "senders are not seen": (
        ONE, "ipc.h",
        "thread->pending != 0 || thread->senders.head != NULL ||",
        "thread->pending != 0 ||"),
    "notification replaces": (
        ONE, "notification.h",
        "thread->pending |= 1ul << channel;",
        "thread->pending = 1ul << channel;"),
    "notification is not raised": (
        ONE, "notification.h",
        "    if (thread->state != THREAD_RECEIVING) {\n"
        "        return NULL;",
        "    if (thread->state != THREAD_RECEIVING) {\n"
        "        thread->pending &= ~1ul;\n"
        "        return NULL;"),
    "notification twice": (
        ONE, "notification.h",
        "    thread->pending = 0;\n",
        ""),
    "senders by arrival": (
        ONE, "thread.c",
        "while (before != NULL && before->priority < thread->priority) {",
        "while (0) {"),
    "senders before equals": (
        ONE, "thread.c",
        "before->priority < thread->priority) {",
        "before->priority <= thread->priority) {"),
    "context is not lent": (
        ONE, "ipc.c",
        "        server->sc = caller->sc;\n"
        "        caller->sc = NULL;\n",
        "        server->sc = &server->own;\n"),
    "context does not come back": (
        ONE, "ipc.c",
        "    holder->sc = &holder->own;\n"
        "    if (was_ready)",
        "    if (was_ready)"),
    "those between have no context": (
        ONE, "ipc.c",
        "        holder->sc = &holder->own;\n"
        "        holder = holder->server;",
        "        holder = holder->server;"),
    "own caller is stopped": (
        ONE, "ipc.c",
        "    if (current != NULL && current->sc != before) {",
        "    if (0) {"),
    "used-up slice has no end": (
        ONE, "sched.c",
        "if (likely(sc->remaining != 0 || cpu->ready_top == cpu->next->priority)) {",
        "if (likely(sc->remaining != 0)) {"),
    "passive server keeps its context": (
        ONE, "ipc.c",
        "        if (thread->passive) {\n"
        "            thread->sc = NULL;\n",
        "        if (0) {\n"
        "            thread->sc = NULL;\n"),
    "fault of a child is a call": (
        ONE, "fault.c",
        "        thread->is_faulted = true;\n"
        "        ipc_send",
        "        ipc_send"),
    "fault of an orphan runs on": (
        ONE, "fault.c",
        "    report(thread);\n"
        "    thread_suspend(thread);",
        "    report(thread);"),
    "refused fault goes on": (
        ONE, "ipc.c",
        "            sender->state = THREAD_STOPPED;\n"
        "            sender->resume = RESUME_RUN;\n"
        "            return NULL;",
        "            return sender;"),
    "unbound with budget": (
        ONE, "sched.c",
        "        sc->remaining = 0;\n"
        "        sc->replenish_at = TIMER_NEVER;",
        "        sc->replenish_at = TIMER_NEVER;"),
    "bound with a new budget": (
        ONE, "sched.c",
        "        sc->remaining = thread->bound.remaining;",
        "        sc->remaining = sc->budget;"),
    "priority changed in its queue": (
        ONE, "syscall.c",
        "        sched_remove(cpu, thread);\n"
        "    } else if (thread->state == THREAD_SENDING) {\n"
        "        queue_remove",
        "        (void)0;\n"
        "    } else if (thread->state == THREAD_SENDING) {\n"
        "        queue_remove"),
    "restarted and still served": (
        ONE, "syscall.c",
        "            thread->server->reply_to = NULL;\n",
        ""),
    "inbox interrupts when full": (
        TWO, "smp.c",
        "    if (was_empty) {",
        "    if (!was_empty) {"),
    "inbox is left half full": (
        TWO, "smp.c",
        "    while (cpu->inbox.head != NULL) {",
        "    if (cpu->inbox.head != NULL) {"),
    "stopped in an inbox": (
        TWO, "sched.c",
        "    if (IS_SMP && thread->in_inbox) {",
        "    if (0) {"),
    "stopped and still runs": (
        TWO, "smp.c",
        "    cpu->current = NULL;\n",
        ""),
    "withdrawn call is executed": (
        TWO, "smp.c",
        "    cpu->withdrawn = true;\n",
        ""),
    "woken on a wrong core": (
        TWO, "sched.h",
        "    if (smp_is_remote(cpu, thread)) {\n"
        "        smp_wake(thread);\n"
        "        return;\n"
        "    }\n",
        ""),
    "stopped vCPU stays loaded": (
        TWO, "syscall.c",
        "        thread_suspend(thread);\n"
        "        unload_stopped(cpu, request);",
        "        thread_suspend(thread);"),
    "exiting vCPU stays loaded": (
        TWO, "sched.h",
        "        if (from->is_vcpu) {\n"
        "            vcpu_unload(cpu);\n"
        "        }\n",
        ""),
    "idle core is charged": (
        TWO, "sched.c",
        "    if (cpu->next == cpu->current) { /* else the switch",
        "    if (1) { /* else the switch"),
    "no budget in the context before": (
        TWO, "sched.c",
        "if (IS_SMP && thread->in_release_queue) {",
        "if (0) {"),
}


def write(path, text):
    """Only what changes is compiled again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def mutate(kernel, file, before, after):
    for path in (ROOT / "sdk/kernel").iterdir():
        text = path.read_text()
        if path.name == file:
            if text.count(before) != 1:
                sys.exit(f"mutations: {file} has {text.count(before)} times: {before}")
            text = text.replace(before, after)
        write(kernel / "sdk/kernel" / path.name, text)


def look(options, name):
    """(what the model says, or None; seconds that the run has taken)."""
    program, file, before, after = MUTATIONS[name]
    build = pathlib.Path(options.build).resolve() / "mutations"
    mutate(build / "kernel", file, before, after)
    command = [options.make, "-s", "-j2", "-C", str(ROOT / "tests/kernel_model"), f"BUILD_DIR={build}",
               f"KERNEL={build / 'kernel'}", "WERROR="]
    binary = build / "kernel_model" / program
    built = subprocess.run([*command, str(binary)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, check=False)
    if built.returncode != 0:
        sys.exit(f"mutations: {name}: {built.stdout}")
    begin = time.monotonic()
    run = subprocess.run([str(binary), "random", str(options.seconds), str(options.seed)],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                         check=False)
    found = re.search(r"^  FAILED  (.*)$", run.stdout, re.MULTILINE)
    return found[1] if found else None, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--make", default="make")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()

    missed = 0
    for name in options.names or sorted(MUTATIONS, key=lambda name: MUTATIONS[name][:2]):
        found, took = look(options, name)
        missed += found is None
        print(f"  {'FAILED ' if found is None else 'ok     '} {name}: "
              f"{found or 'not found'} ({took:.1f} s)", flush=True)
    count = len(options.names or MUTATIONS)
    print(f"{count - missed} passed, {missed} failed", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
