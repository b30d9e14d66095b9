/* SPDX-License-Identifier: BSD-2-Clause */
#include "emit.h"

void emit_reference(struct buffer *out)
{
    static const struct schema *const schemas[] = {
        &system_schema,       &vm_schema,         &interface_schema,     &rate_schema,
        &slice_schema,        &disk_rate_schema,  &monitor_schema,       &switch_schema,
        &uplink_schema,       &disk_schema,       &shared_schema,        &console_schema,
        &board_schema,        &uart_schema,       &timer_schema,         &clock_schema,
        &gic_schema,          &board_disk_schema, &board_network_schema, &boot_schema,
        &board_device_schema, &qemu_schema};

    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        schema_reference(schemas[i], out);
    }
}
