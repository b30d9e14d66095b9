/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/boot.c vmm/entropy.c lib/chacha20.c tests/unit/fake/fake_microkit.c
 *
 * What is put into guest memory, and what is refused: images that are none, that do not fit, or
 * that lie upon one another.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include "vmm/boot.h"

#define RAM_GPA  0x40000000u
#define RAM_SIZE 0x800000u
#define KERNEL   0x40200000u
#define INITRD   0x40600000u
#define DTB      0x40700000u

/* Offsets in an Image's head. */
#define TEXT_OFFSET 8
#define IMAGE_SIZE  16
#define FLAGS       24
#define MAGIC       56

struct setup {
    struct vmm_config config;
    struct guest_memory memory;
    uint8_t kernel[4096];
    uint8_t initrd[1000];
    uint8_t dtb[100];
};

static void put64(uint8_t *image, unsigned offset, uint64_t value)
{
    memcpy(image + offset, &value, sizeof(value));
}

static void put_be32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static int open_setup(void **state)
{
    struct setup *s = calloc(1, sizeof(*s));

    fake_reset();
    s->memory = (struct guest_memory){malloc(RAM_SIZE), RAM_GPA, RAM_SIZE};
    memset(s->memory.base, 0xee, RAM_SIZE);
    memset(s->kernel, 0x11, sizeof(s->kernel));
    put64(s->kernel, TEXT_OFFSET, 0);
    put64(s->kernel, IMAGE_SIZE, 0x10000);
    put64(s->kernel, FLAGS, 0xa);
    memcpy(s->kernel + MAGIC, "ARM\x64", 4);
    memset(s->initrd, 0x22, sizeof(s->initrd));
    put_be32(s->dtb, 0xd00dfeed);
    put_be32(s->dtb + 4, sizeof(s->dtb));
    s->config.kernel = (struct vmm_image){s->kernel, sizeof(s->kernel), KERNEL};
    s->config.initrd = (struct vmm_image){s->initrd, sizeof(s->initrd), INITRD};
    s->config.name = "vm0";
    s->config.dtb = (struct vmm_image){s->dtb, sizeof(s->dtb), DTB};
    *state = s;
    return 0;
}

static int close_setup(void **state)
{
    struct setup *s = *state;

    free(s->memory.base);
    free(s);
    return 0;
}

static void refused(struct setup *s, const char *because)
{
    const char *wrong = boot_check(&s->config, &s->memory);

    assert_non_null(wrong);
    if (!strstr(wrong, because)) {
        fail_msg("'%s' does not say '%s'", wrong, because);
    }
}

static void accepted(struct setup *s)
{
    const char *wrong = boot_check(&s->config, &s->memory);

    if (wrong) {
        fail_msg("%s", wrong);
    }
}

/* Load all; returns how many steps it took. */
static unsigned load(struct setup *s, bool clean)
{
    unsigned steps = 1;

    boot_start(&s->config, &s->memory, clean);
    while (!boot_step()) {
        steps++;
    }
    return steps;
}

static void sound_images_are_loaded(void **state)
{
    struct setup *s = *state;

    accepted(s);
    load(s, true);
    assert_memory_equal(s->memory.base + (KERNEL - RAM_GPA), s->kernel, sizeof(s->kernel));
    assert_memory_equal(s->memory.base + (INITRD - RAM_GPA), s->initrd, sizeof(s->initrd));
    assert_memory_equal(s->memory.base + (DTB - RAM_GPA), s->dtb, sizeof(s->dtb));
    assert_int_equal(s->memory.base[0], 0xee); /* fresh memory is not written twice */
    assert_true(fake.flushed_bytes >= sizeof(s->kernel) + sizeof(s->initrd) + sizeof(s->dtb));
}

static void used_memory_is_zeroed(void **state)
{
    struct setup *s = *state;
    uint64_t nonzero = 0;

    load(s, false);
    for (uint64_t i = 0; i < RAM_SIZE; i++) {
        nonzero += s->memory.base[i] == 0xee;
    }
    assert_int_equal(nonzero, 0);
    assert_memory_equal(s->memory.base + (KERNEL - RAM_GPA), s->kernel, sizeof(s->kernel));
    assert_true(fake.flushed_bytes >= RAM_SIZE);
}

/* No step takes long, whatever its size and that of the images. */
static void steps_are_bounded(void **state)
{
    struct setup *s = *state;
    bool done = false;

    boot_start(&s->config, &s->memory, false);
    while (!done) {
        uint64_t before = fake.flushed_bytes;

        done = boot_step();
        /* Before it is looked at, and after it has been written. */
        assert_in_range(fake.flushed_bytes - before, 0, 2 * BOOT_STEP_SIZE);
    }
    assert_true(load(s, false) >= RAM_SIZE / BOOT_STEP_SIZE);
    assert_true(load(s, true) < 10);
}

static void a_load_that_is_given_up_leaves_nothing(void **state)
{
    struct setup *s = *state;

    boot_start(&s->config, &s->memory, false);
    for (unsigned i = 0; i < RAM_SIZE / BOOT_STEP_SIZE / 2; i++) {
        assert_false(boot_step());
    }
    memset(s->memory.base, 0xee, RAM_SIZE);
    used_memory_is_zeroed(state);
}

/* A machine that has used little of its memory takes little of the board's. */
static void memory_that_is_zero_is_not_written(void **state)
{
    struct setup *s = *state;
    uint8_t *fresh =
        mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(fresh, MAP_FAILED);
    fresh[0x10fff] = 1; /* the last byte of its page */
    assert_int_equal(mprotect(fresh, 0x10000, PROT_READ), 0);
    assert_int_equal(mprotect(fresh + 0x11000, KERNEL - RAM_GPA - 0x11000, PROT_READ), 0);
    free(s->memory.base);
    s->memory.base = fresh;
    load(s, false); /* a write would end the test */
    assert_int_equal(fresh[0x10fff], 0);
    munmap(fresh, RAM_SIZE);
    s->memory.base = NULL;
}

static uint8_t *behind_the_cache;

static void show_memory(const void *start, size_t size)
{
    if (behind_the_cache != NULL && behind_the_cache - (const uint8_t *)start < (ptrdiff_t)size) {
        *behind_the_cache = 0xee;
        behind_the_cache = NULL;
    }
}

/* The old guest had its caches off: memory holds what a line in the cache does not. */
static void what_was_written_past_the_caches_is_zeroed(void **state)
{
    struct setup *s = *state;

    memset(s->memory.base, 0, RAM_SIZE);
    behind_the_cache = s->memory.base + 100;
    fake.on_flush = show_memory;
    load(s, false);
    assert_null(behind_the_cache);
    assert_int_equal(s->memory.base[100], 0);
}

/* The instruction cache may hold another program that was there. */
static void the_kernel_is_new_to_the_instruction_cache(void **state)
{
    struct setup *s = *state;

    load(s, true);
    assert_int_equal(fake.forgotten_bytes, sizeof(s->kernel));
    assert_ptr_equal(fake.forgotten_at, s->memory.base + (KERNEL - RAM_GPA));
}

static void an_initramfs_is_not_needed(void **state)
{
    struct setup *s = *state;

    s->config.initrd = (struct vmm_image){0};
    accepted(s);
    load(s, true);
}

static void a_kernel_that_is_none(void **state)
{
    struct setup *s = *state;

    s->kernel[MAGIC] = 'X';
    refused(s, "not an arm64 Image");
    s->config.kernel.size = 63;
    refused(s, "too short");
    s->config.kernel.size = 0;
    refused(s, "too short");
    s->config.kernel.data = NULL;
    refused(s, "too short");
}

static void a_kernel_of_the_other_endianness(void **state)
{
    struct setup *s = *state;

    put64(s->kernel, FLAGS, 1);
    refused(s, "big-endian");
}

static void a_kernel_in_the_wrong_place(void **state)
{
    struct setup *s = *state;

    put64(s->kernel, TEXT_OFFSET, 0x80000);
    refused(s, "text offset");
    s->config.kernel.gpa = KERNEL + 0x80000;
    accepted(s);
    put64(s->kernel, TEXT_OFFSET, UINT64_MAX);
    refused(s, "text offset");
}

static void a_kernel_too_big(void **state)
{
    struct setup *s = *state;

    put64(s->kernel, IMAGE_SIZE, RAM_SIZE);
    refused(s, "kernel does not fit");
    put64(s->kernel, IMAGE_SIZE, UINT64_MAX);
    refused(s, "kernel does not fit");
    put64(s->kernel, IMAGE_SIZE, 0); /* as old kernels say: then the file's size counts */
    accepted(s);
    s->config.kernel.gpa = RAM_GPA + RAM_SIZE;
    refused(s, "kernel does not fit");
    s->config.kernel.gpa = RAM_GPA - 0x200000;
    refused(s, "kernel does not fit");
}

/* A kernel that is no Image has an entry, and says how much memory it needs. */
static void another_kernel_is_entered_where_it_says(void **state)
{
    struct setup *s = *state;

    assert_int_equal(boot_entry(&s->config), KERNEL);
    memset(s->kernel, 0x11, sizeof(s->kernel));
    s->config.kernel.gpa = KERNEL + 4; /* anywhere */
    s->config.entry = KERNEL + 0x100;
    s->config.kernel_memory = 0x10000;
    accepted(s);
    assert_int_equal(boot_entry(&s->config), KERNEL + 0x100);
    load(s, false);
    assert_memory_equal(s->memory.base + (KERNEL + 4 - RAM_GPA), s->kernel, sizeof(s->kernel));
    s->config.initrd.gpa = KERNEL + 0x10003; /* in its .bss */
    refused(s, "overlap");
    s->config.initrd.gpa = KERNEL + 0x10004;
    accepted(s);
    s->config.kernel_memory = 0; /* then its bytes count */
    s->config.initrd.gpa = KERNEL + 4 + sizeof(s->kernel) - 1;
    refused(s, "overlap");
}

static void another_kernel_that_cannot_be_entered(void **state)
{
    struct setup *s = *state;

    s->config.kernel_memory = 0x10000;
    s->config.entry = KERNEL + sizeof(s->kernel); /* in its .bss */
    refused(s, "no instruction");
    s->config.entry = KERNEL - 4;
    refused(s, "no instruction");
    s->config.entry = KERNEL + 2;
    refused(s, "no instruction");
    s->config.entry = KERNEL;
    s->config.kernel_memory = RAM_SIZE;
    refused(s, "kernel does not fit");
    s->config.kernel_memory = UINT64_MAX;
    refused(s, "kernel does not fit");
    s->config.kernel.data = NULL;
    refused(s, "no instruction");
}

static void a_firmware_is_put_where_it_cannot_be_written(void **state)
{
    struct setup *s = *state;
    uint8_t flash[sizeof(s->kernel) + 64] = {0};

    memset(s->kernel, 0x11, sizeof(s->kernel)); /* no Image */
    s->config.kernel.gpa = 0;
    s->config.flash = flash;
    s->config.flash_size = sizeof(flash);
    s->config.initrd = (struct vmm_image){0};
    s->config.dtb.gpa = RAM_GPA;
    accepted(s);
    assert_int_equal(boot_entry(&s->config), 0);
    for (unsigned time = 0; time < 2; time++) {
        load(s, time == 0);
        assert_memory_equal(flash, s->kernel, sizeof(s->kernel));
        assert_int_equal(flash[sizeof(s->kernel)], 0);
        assert_memory_equal(s->memory.base, s->dtb, sizeof(s->dtb));
    }
    assert_int_equal(s->memory.base[KERNEL - RAM_GPA], 0); /* nothing of it is in RAM */
    s->config.flash_size = sizeof(s->kernel) - 1;
    refused(s, "firmware does not fit");
    s->config.kernel.data = NULL;
    s->config.flash_size = sizeof(flash);
    refused(s, "firmware does not fit");
}

static void a_device_tree_that_is_none(void **state)
{
    struct setup *s = *state;

    s->dtb[0] = 0;
    refused(s, "device tree is not one");
    s->config.dtb.size = 39;
    refused(s, "device tree is not one");
    s->config.dtb.data = NULL;
    refused(s, "device tree is not one");
}

static void a_device_tree_cut_off_or_misplaced(void **state)
{
    struct setup *s = *state;

    put_be32(s->dtb + 4, sizeof(s->dtb) + 1);
    refused(s, "cut off");
    put_be32(s->dtb + 4, 0xffffffff);
    refused(s, "cut off");
    put_be32(s->dtb + 4, sizeof(s->dtb));
    s->config.dtb.gpa = DTB + 4;
    refused(s, "aligned");
    s->config.dtb.gpa = RAM_GPA + RAM_SIZE - 96;
    refused(s, "device tree does not fit");
}

static void an_initramfs_too_big(void **state)
{
    struct setup *s = *state;

    s->config.initrd.gpa = RAM_GPA + RAM_SIZE - 999;
    refused(s, "initramfs does not fit");
    s->config.initrd.gpa = UINT64_MAX - 10;
    refused(s, "initramfs does not fit");
}

static void images_upon_one_another(void **state)
{
    struct setup *s = *state;

    s->config.initrd.gpa = KERNEL + 0xffff; /* in the kernel's .bss */
    refused(s, "overlap");
    s->config.initrd.gpa = KERNEL + 0x10000;
    accepted(s);
    s->config.initrd.gpa = KERNEL - 999;
    refused(s, "overlap");
    s->config.initrd.gpa = DTB + 8;
    refused(s, "overlap");
    s->config.initrd.gpa = INITRD;
    s->config.dtb.gpa = KERNEL + 8;
    refused(s, "overlap");
}

/* The seed is the guest's own, and another one each time it starts. */
static void a_seed_for_each_start(void **state)
{
    struct setup *s = *state;
    uint8_t first[VMM_SEED_SIZE];
    uint8_t *tree = guest_memory_at(&s->memory, DTB, sizeof(s->dtb));

    s->config.seed_offset = sizeof(s->dtb) - VMM_SEED_SIZE;
    assert_null(boot_check(&s->config, &s->memory));
    load(s, true);
    assert_memory_equal(tree, s->dtb, s->config.seed_offset);
    memcpy(first, tree + s->config.seed_offset, VMM_SEED_SIZE);
    assert_memory_not_equal(first, s->dtb + s->config.seed_offset, VMM_SEED_SIZE);
    load(s, false);
    assert_memory_not_equal(first, tree + s->config.seed_offset, VMM_SEED_SIZE);
}

static void a_kernels_place_is_random_at_each_start(void **state)
{
    struct setup *s = *state;
    uint8_t first[VMM_KASLR_SEED_SIZE];
    uint8_t *tree = guest_memory_at(&s->memory, DTB, sizeof(s->dtb));

    s->config.kaslr_seed_offset = sizeof(s->dtb) - VMM_KASLR_SEED_SIZE;
    assert_null(boot_check(&s->config, &s->memory));
    load(s, true);
    assert_memory_equal(tree, s->dtb, s->config.kaslr_seed_offset);
    memcpy(first, tree + s->config.kaslr_seed_offset, sizeof(first));
    assert_memory_not_equal(first, s->dtb + s->config.kaslr_seed_offset, sizeof(first));
    load(s, false);
    assert_memory_not_equal(first, tree + s->config.kaslr_seed_offset, sizeof(first));
    s->config.kaslr_seed_offset++;
    assert_non_null(boot_check(&s->config, &s->memory));
}

static void a_seed_outside_the_tree(void **state)
{
    struct setup *s = *state;

    s->config.seed_offset = sizeof(s->dtb) - VMM_SEED_SIZE + 1;
    assert_non_null(boot_check(&s->config, &s->memory));
    s->config.seed_offset = UINT32_MAX;
    assert_non_null(boot_check(&s->config, &s->memory));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_setup, close_setup)
    const struct CMUnitTest tests[] = {
        TEST(sound_images_are_loaded),
        TEST(used_memory_is_zeroed),
        TEST(steps_are_bounded),
        TEST(a_load_that_is_given_up_leaves_nothing),
        TEST(memory_that_is_zero_is_not_written),
        TEST(what_was_written_past_the_caches_is_zeroed),
        TEST(the_kernel_is_new_to_the_instruction_cache),
        TEST(an_initramfs_is_not_needed),
        TEST(a_kernel_that_is_none),
        TEST(a_kernel_of_the_other_endianness),
        TEST(a_kernel_in_the_wrong_place),
        TEST(a_kernel_too_big),
        TEST(another_kernel_is_entered_where_it_says),
        TEST(another_kernel_that_cannot_be_entered),
        TEST(a_firmware_is_put_where_it_cannot_be_written),
        TEST(a_device_tree_that_is_none),
        TEST(a_device_tree_cut_off_or_misplaced),
        TEST(an_initramfs_too_big),
        TEST(images_upon_one_another),
        TEST(a_seed_for_each_start),
        TEST(a_kernels_place_is_random_at_each_start),
        TEST(a_seed_outside_the_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
