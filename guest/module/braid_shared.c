// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Linux's driver for memory that machines share (docs/shared.md): a UIO device for each memory. Its
 * mapping 0 is the registers, its mapping 1 the memory, and a read waits for a doorbell. For shells
 * the device has two files in sysfs: `memory`, and `doorbell`, to which a machine's number is
 * written.
 *
 * A doorbell masks the interrupt until a program asks for it again. Otherwise another machine could
 * keep a processor of this one in the handler for as long as it rings.
 *
 * uio_pdrv_genirq drives the device as well, but maps the memory uncached, while other machines may
 * have it cached. Debian's kernels do not have it, either.
 *
 * This file is licensed as Linux is: the functions that it uses are for such modules only.
 */

#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/uio_driver.h>
#include <linux/version.h>

#define DOORBELL 0x024

enum { REGISTERS, MEMORY };

struct shared {
    struct uio_info uio;
    bool read_only;
    spinlock_t lock;
    bool masked; /* the interrupt */
    void __iomem *registers;
    void *memory; /* cached */
};

/* ---- UIO ---- */

/* The kernel counts how often an interrupt is disabled, so it is told of changes alone. */
static void set_masked(struct shared *shared, bool masked)
{
    unsigned long flags;

    spin_lock_irqsave(&shared->lock, flags);
    if (masked && !shared->masked) {
        disable_irq_nosync(shared->uio.irq);
    } else if (!masked && shared->masked) {
        enable_irq(shared->uio.irq);
    }
    shared->masked = masked;
    spin_unlock_irqrestore(&shared->lock, flags);
}

/* An edge: there is nothing to acknowledge. */
static irqreturn_t on_doorbell(int irq, struct uio_info *info)
{
    set_masked(info->priv, true);
    return IRQ_HANDLED;
}

/* A program has written `on`, which is 0 or 1. */
static int control(struct uio_info *info, s32 on)
{
    set_masked(info->priv, !on);
    return 0;
}

/* UIO has noted how many doorbells there were, so a read sees one that comes by this. */
static int begin(struct uio_info *info, struct inode *inode)
{
    set_masked(info->priv, false);
    return 0;
}

/* So that mprotect() cannot make it writable, either. */
static void forbid_writing(struct vm_area_struct *vma)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
    vm_flags_clear(vma, VM_MAYWRITE);
#else
    vma->vm_flags &= ~VM_MAYWRITE;
#endif
}

/* UIO has checked that the pages are within the mapping, whose number is vm_pgoff. */
static int map(struct uio_info *info, struct vm_area_struct *vma)
{
    const struct uio_mem *mem = &info->mem[vma->vm_pgoff];
    const struct shared *shared = info->priv;

    if (vma->vm_pgoff == REGISTERS) {
        vma->vm_page_prot = pgprot_device(vma->vm_page_prot);
    } else if (shared->read_only) {
        if (vma->vm_flags & VM_WRITE) {
            return -EACCES;
        }
        forbid_writing(vma);
    }
    return remap_pfn_range(vma, vma->vm_start, mem->addr >> PAGE_SHIFT, vma->vm_end - vma->vm_start,
                           vma->vm_page_prot);
}

/* ---- Files ---- */

static ssize_t doorbell_store(struct device *device, struct device_attribute *attribute,
                              const char *text, size_t length)
{
    struct shared *shared = dev_get_drvdata(device);
    u32 number;
    int error = kstrtou32(text, 0, &number);

    if (error) {
        return error;
    }
    iowrite32(number, shared->registers + DOORBELL);
    return length;
}
static DEVICE_ATTR_WO(doorbell);

/* How many bytes of `count` the memory has from there on. */
static size_t within(const struct shared *shared, loff_t at, size_t count)
{
    u64 size = shared->uio.mem[MEMORY].size;

    return at < 0 || at >= size ? 0 : min_t(u64, count, size - at);
}

static ssize_t memory_read(struct file *file, struct kobject *kobject,
                           struct bin_attribute *attribute, char *to, loff_t at, size_t count)
{
    const struct shared *shared = dev_get_drvdata(kobj_to_dev(kobject));

    count = within(shared, at, count);
    memcpy(to, shared->memory + at, count);
    return count;
}

static ssize_t memory_write(struct file *file, struct kobject *kobject,
                            struct bin_attribute *attribute, char *from, loff_t at, size_t count)
{
    const struct shared *shared = dev_get_drvdata(kobj_to_dev(kobject));

    if (shared->read_only) {
        return -EACCES;
    }
    count = within(shared, at, count);
    if (count == 0) {
        return -ENOSPC;
    }
    memcpy(shared->memory + at, from, count);
    return count;
}
static BIN_ATTR_RW(memory, 0);

static struct attribute *attributes[] = {&dev_attr_doorbell.attr, NULL};
static struct bin_attribute *bin_attributes[] = {&bin_attr_memory, NULL};
static const struct attribute_group group = {.attrs = attributes, .bin_attrs = bin_attributes};
static const struct attribute_group *groups[] = {&group, NULL};

/* ---- The device ---- */

static int describe(struct platform_device *device, struct uio_mem *mem, const char *name)
{
    const struct resource *resource = platform_get_resource_byname(device, IORESOURCE_MEM, name);

    if (!resource || !PAGE_ALIGNED(resource->start)) {
        return -EINVAL;
    }
    mem->name = name;
    mem->addr = resource->start;
    mem->size = resource_size(resource);
    mem->memtype = UIO_MEM_PHYS;
    return 0;
}

static int find(struct platform_device *device, struct shared *shared)
{
    const struct device_node *node = device->dev.of_node;
    struct uio_info *uio = &shared->uio;
    int error = of_property_read_string(node, "label", &uio->name);

    if (!error) {
        error = describe(device, &uio->mem[REGISTERS], "registers");
    }
    if (!error) {
        error = describe(device, &uio->mem[MEMORY], "memory");
    }
    if (error) {
        return error;
    }
    shared->read_only = of_property_read_bool(node, "read-only");
    uio->irq = platform_get_irq(device, 0);
    return uio->irq < 0 ? uio->irq : 0;
}

static int probe(struct platform_device *device)
{
    struct shared *shared = devm_kzalloc(&device->dev, sizeof(*shared), GFP_KERNEL);
    struct uio_mem *mem;
    int error;

    if (!shared) {
        return -ENOMEM;
    }
    spin_lock_init(&shared->lock);
    error = find(device, shared);
    if (error) {
        return error;
    }
    mem = shared->uio.mem;
    shared->registers = devm_ioremap(&device->dev, mem[REGISTERS].addr, mem[REGISTERS].size);
    shared->memory = devm_memremap(&device->dev, mem[MEMORY].addr, mem[MEMORY].size, MEMREMAP_WB);
    if (!shared->registers || IS_ERR(shared->memory)) {
        return -ENOMEM;
    }
    shared->uio.version = "1";
    shared->uio.handler = on_doorbell;
    shared->uio.irqcontrol = control;
    shared->uio.open = begin;
    shared->uio.mmap = map;
    shared->uio.priv = shared;
    platform_set_drvdata(device, shared);
    return devm_uio_register_device(&device->dev, &shared->uio);
}

static const struct of_device_id matches[] = {
    {.compatible = "braid,shared-memory"},
    {},
};
MODULE_DEVICE_TABLE(of, matches);

static struct platform_driver braid_shared = {
    .probe = probe,
    .driver = {.name = "braid_shared", .of_match_table = matches, .dev_groups = groups},
};
module_platform_driver(braid_shared);

MODULE_DESCRIPTION("Memory that machines share, with doorbells");
MODULE_LICENSE("Dual BSD/GPL");
