/* SPDX-License-Identifier: BSD-2-Clause */

/* The command line of a guest's kernel. */

#include <string.h>
#include "layout.h"

static const char *our_arguments(const struct vm *vm)
{
    const struct vm_settings *settings = &vm->settings;
    /*
     * hvc0's driver is a module, which the first process loads. Until then /dev/console leads to
     * tty0, which shows nothing, or the kernel would complain that it leads nowhere. The last one
     * is preferred.
     *
     * A distribution's kernel tries all its ciphers, and waits for that: a second, in which it
     * computes for 0.2 s. In FIPS mode it does so anyway.
     */
    const char *arguments =
        settings->console.number
            ? memory_format("console=tty0 console=hvc0 quiet earlycon=pl011,0x%llx", GUEST_PL011)
            : "quiet";

    arguments = memory_format("%s cma=0 cryptomgr.notests braid.hostname=%s", arguments,
                              settings->hostname.text);
    for (unsigned i = 0; i < vm->interface_count; i++) {
        const struct interface_settings *interface = &vm->interfaces[i].settings;
        if (interface->ip.line != 0) {
            arguments = memory_format("%s braid.net%u=%s", arguments, i,
                                      value_format(VALUE_IPV4_NET, interface->ip.number));
        }
        if (vm->interfaces[i].lease != 0) {
            arguments = memory_format("%s,%s", arguments,
                                      value_format(VALUE_IPV4, vm->interfaces[i].lease));
        }
        if (interface->gateway.line != 0) {
            arguments = memory_format("%s braid.gw%u=%s", arguments, i,
                                      value_format(VALUE_IPV4, interface->gateway.number));
        }
    }
    if (settings->router.number) {
        arguments = memory_format("%s sysctl.net.ipv4.ip_forward=1", arguments);
    }
    return arguments;
}

/* The user's words, of which `...` stands for ours. */
static const char *put_in(const char *words, const char *ours)
{
    const char *text = "";

    for (words += strspn(words, " "); *words != '\0'; words += strspn(words, " ")) {
        size_t length = strcspn(words, " ");
        const char *word = memory_copy(words, length);
        const char *blank = text[0] == '\0' ? "" : " ";

        text = memory_format("%s%s%s", text, blank, strcmp(word, "...") == 0 ? ours : word);
        words += length;
    }
    return text;
}

const char *layout_bootargs(const struct vm *vm)
{
    const struct vm_settings *settings = &vm->settings;
    const char *ours = our_arguments(vm);

    if (settings->bootargs.line != 0) {
        return put_in(settings->bootargs.text, ours);
    }
    return settings->cmdline.text[0] == '\0' ? ours
                                             : memory_format("%s %s", ours, settings->cmdline.text);
}
