/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The serial multiplexer: one terminal, the consoles of all machines, and the messages of PDs. This
 * file moves bytes and executes commands; what the terminal shows is decided in view.c. In place of
 * a terminal there may be a program on the host, with which session.c speaks.
 *
 * A client's output stays in its ring while the UART is busy. Input stays in the UART's ring while
 * the client that has the keys has no room, so that much can be pasted. It does not stay for long,
 * because the keys behind it may be for another client or for the console. A client that does not
 * read in time loses its input, and the terminal says so.
 */

#include <microkit.h>
#include <stddef.h>
#include <string.h>
#include "client.h"
#include "config.h"
#include "drivers/timer/protocol.h"
#include "keys.h"
#include "lib/console_state.h"
#include "lib/cpu.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "lib/supervisor.h"
#include "power.h"
#include "session.h"
#include "terminal_size.h"
#include "view.h"

/* An incomplete line is shown after this silence. */
#define PAUSE_MS 100u

/* A client that reads no input for this long loses it. */
#define INPUT_TIMEOUT_MS 1000u

static struct ring uart_transmit, uart_receive;
static struct supervisor driver; /* of the UART */
static struct client clients[CONSOLE_MAX_CLIENTS];
static uint32_t client_count;
static struct client *target; /* who gets the keys; NULL if nobody can */

/* Keys that were read from the UART's ring and not yet executed or passed on. */
static struct keys keys;
static uint8_t typed[1024];
static uint32_t typed_first, typed_count;
static bool held;               /* the client has no room for the key in `keys` */
static uint64_t input_deadline; /* until when to wait for room, in ticks; UINT64_MAX: no wait */

/* Answers of the terminal's, on its size, that may yet come; and until when, in ticks. */
static uint32_t sizes_asked;
static uint64_t size_deadline;

static uint32_t next_shown; /* round robin: the client that is shown next */
static uint64_t wake_at;    /* the deadline that the timer driver has; UINT64_MAX: none */

/* The machine of this number: logs have none. NULL if there is none. */
static struct client *client_of_number(uint32_t number)
{
    for (uint32_t i = 0; i < client_count; i++) {
        if (!clients[i].config->log && number-- == 0) {
            return &clients[i];
        }
    }
    return NULL;
}

static struct client *client_of_digits(const char *digits)
{
    uint32_t number = 0;

    for (; *digits != '\0'; digits++) {
        if (*digits < '0' || *digits > '9' || number > CONSOLE_MAX_CLIENTS) {
            return NULL;
        }
        number = number * 10 + (uint32_t)(*digits - '0');
    }
    return client_of_number(number);
}

/* By its full name, by a beginning that no other machine has, or by its number. */
static struct client *client_of_name(const char *name)
{
    struct client *found = NULL;
    uint32_t matches = 0;

    for (uint32_t i = 0; i < client_count; i++) {
        if (clients[i].config->log) {
            continue;
        }
        if (strcmp(clients[i].config->name, name) == 0) {
            return &clients[i];
        }
        if (strncmp(clients[i].config->name, name, strlen(name)) == 0) {
            found = &clients[i];
            matches++;
        }
    }
    if (matches > 0) {
        return matches == 1 ? found : NULL;
    }
    return client_of_digits(name);
}

/* Ask the terminal for its size, for the machine that has it alone. One without colours is none. */
static void ask_for_size(void)
{
    if (console_config.has_timer && view_ask_size()) {
        sizes_asked++;
        size_deadline = cpu_counter() + cpu_counter_frequency() * TERMINAL_SIZE_TIMEOUT_MS / 1000;
    }
}

static void focus(struct client *client)
{
    target = client;
    if (view_focused() != client) {
        view_focus(client);
        view_message("[%s alone; Ctrl-] a: all, Ctrl-] ?: help]", client->config->name);
    }
    ask_for_size();
}

static void show_all(void)
{
    view_all();
    if (target != NULL) {
        view_message("[all; keys go to %s]", target->config->name);
    } else {
        view_message("[all]");
    }
}

static void help(void)
{
    static const char *const lines[] = {
        "Ctrl-] 0..9   one machine alone, by its number",
        "Ctrl-] n      one machine alone, by its name or number",
        "Ctrl-] a      all machines, line by line; keys go to the one that was alone last",
        "Ctrl-] l      list the machines",
        "Ctrl-] c      colours on or off",
        "Ctrl-] s      let the switches print their counters",
        "Ctrl-] u o k  of the machine that has the keys: start, stop by its button, kill",
        "Ctrl-] r p g  restart, pause, resume it",
        "Ctrl-] Ctrl-] send Ctrl-] to the machine",
        "Ctrl-] ?      this help",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        view_message("%s", lines[i]);
    }
}

/* In words; NULL if nothing is said of it. */
static const char *state_of(const struct client *client)
{
    static const char *const texts[] = {
        [CONSOLE_RUNNING] = "running",   [CONSOLE_OFF] = "off",       [CONSOLE_STOPPED] = "stopped",
        [CONSOLE_PANICKED] = "panicked", [CONSOLE_PAUSED] = "paused",
    };

    return texts[power_state(client)];
}

/* Power over the machine that has the keys. */
static void power(uint8_t verb)
{
    static const char *const names[] = {
        [CONTROL_START] = "start",     [CONTROL_STOP] = "stop",   [CONTROL_KILL] = "kill",
        [CONTROL_RESTART] = "restart", [CONTROL_PAUSE] = "pause", [CONTROL_RESUME] = "resume",
    };

    if (target == NULL) {
        view_message("[no machine has the keys]");
    } else if (power_command(target, verb) != CONTROL_OK) {
        view_message("[%s is %s: no %s]", target->config->name, state_of(target), names[verb]);
    } else {
        view_message("[%s: %s]", target->config->name, names[verb]);
    }
}

static void list(void)
{
    uint32_t number = 0;

    for (uint32_t i = 0; i < client_count; i++) {
        const struct client *client = &clients[i];
        bool broken =
            ring_broken(&client->output) || (!client->config->log && ring_broken(&client->input));

        if (client->config->log) {
            view_message("  -  %-16s messages%s", client->config->name, broken ? ", broken" : "");
            continue;
        }
        const char *state = state_of(client);
        bool usual = state == NULL || power_state(client) == CONSOLE_RUNNING;
        view_message("%3u  %-16s %s%s%s%s%s, %llu bytes unseen", number++, client->config->name,
                     view_focused() == client ? "alone" : "console", usual ? "" : ", ",
                     usual ? "" : state, target == client ? ", has the keys" : "",
                     broken ? ", broken" : "",
                     (unsigned long long)(client->skipped + client_unseen(client)));
    }
}

/* A log's PD prints its counters when it is notified on its channel. */
static void ask_for_statistics(void)
{
    bool any = false;

    for (uint32_t i = 0; i < client_count; i++) {
        if (clients[i].config->log) {
            microkit_notify(clients[i].config->channel);
            any = true;
        }
    }
    if (!any) {
        view_message("[nobody keeps counters]");
    }
}

/* The client that has the keys has no room for input: whether to wait for some. */
static bool may_wait_for_room(uint64_t now)
{
    if (!console_config.has_timer || target->stalled || ring_broken(&target->input) ||
        memchr(typed + typed_first, KEYS_PREFIX, typed_count) != NULL) {
        return false;
    }
    if (input_deadline == UINT64_MAX) {
        input_deadline = now + cpu_counter_frequency() * INPUT_TIMEOUT_MS / 1000;
    }
    return now < input_deadline;
}

/* Pass a key on, or drop it. Returns false if it has to wait for room. */
static bool pass_on(uint8_t byte, uint64_t now)
{
    if (target == NULL) {
        view_bell();
        return true;
    }
    if (client_put(target, byte)) {
        target->stalled = false;
        input_deadline = UINT64_MAX;
        return true;
    }
    if (may_wait_for_room(now)) {
        return false;
    }
    input_deadline = UINT64_MAX;
    view_bell();
    if (!target->stalled) {
        target->stalled = true;
        view_message("[%s does not read its input: keys are lost]", target->config->name);
    }
    return true;
}

static void prompt_for_name(void)
{
    char text[KEYS_NAME_MAX + 16];

    strcpy(text, "machine: ");
    strcat(text, keys.name);
    view_prompt(text);
}

static void focus_or_report(struct client *client, const char *name)
{
    if (client != NULL) {
        focus(client);
    } else {
        view_message("[no machine '%s'; Ctrl-] l lists them]", name);
    }
}

/* What was typed behind the hello is the session's. It needs a timer, to send what got lost again.
 */
static void begin_session(void)
{
    uint64_t now = cpu_counter();

    if (!console_config.has_timer) {
        view_message("[no control channel without a timer]");
        return;
    }
    session_begin(keys.hello.token, now);
    session_take(typed + typed_first, typed_count, now);
    typed_first = 0;
    typed_count = 0;
}

static void execute(enum key key)
{
    char digit[2] = {(char)('0' + keys.value % 10), '\0'};

    switch (key) {
    case KEY_NOTHING:
    case KEY_BYTE:
        return;
    case KEY_NUMBER:
        focus_or_report(client_of_number(keys.value), digit);
        return;
    case KEY_NAME:
        prompt_for_name();
        return;
    case KEY_NAME_ENTERED:
        view_prompt_over();
        focus_or_report(client_of_name(keys.name), keys.name);
        return;
    case KEY_NAME_CANCELLED:
        view_prompt_over();
        return;
    case KEY_ALL:
        show_all();
        return;
    case KEY_LIST:
        list();
        return;
    case KEY_HELP:
        help();
        return;
    case KEY_COLOUR:
        view_message("[colours %s]", view_toggle_colour() ? "on" : "off");
        return;
    case KEY_STATISTICS:
        ask_for_statistics();
        return;
    case KEY_POWER:
        power(keys.value);
        return;
    case KEY_CONTROL:
        begin_session();
        return;
    case KEY_UNKNOWN:
        view_message("[no such command; Ctrl-] ? helps]");
        return;
    }
}

/* Fetch what has been typed, as far as there is room. Returns whether there was anything. */
static bool fetch_keys(void)
{
    uint32_t count;

    memmove(typed, typed + typed_first, typed_count);
    typed_first = 0;
    if (typed_count == sizeof(typed)) {
        return false;
    }
    do {
        count =
            ring_read(&uart_receive, typed + typed_count, (uint32_t)sizeof(typed) - typed_count);
    } while (count == 0 && ring_await_data(&uart_receive));
    typed_count += count;
    if (count > 0 && ring_take_space_wanted(&uart_receive)) {
        microkit_notify(console_config.uart_channel);
    }
    return count > 0;
}

static void take_key(uint64_t now)
{
    struct client *before = target;
    enum key key = keys_take(&keys, typed[typed_first]);

    typed_first++;
    typed_count--;
    if (key == KEY_BYTE) {
        held = !pass_on(keys.value, now);
    } else {
        execute(key);
    }
    if (before != NULL && before != target) {
        client_wake(before);
    }
}

/* Take an answer on the terminal's size out of the keys. Returns whether to wait for its rest. */
static bool take_size(uint64_t now)
{
    struct terminal_size size;

    while (sizes_asked > 0) {
        if (now >= size_deadline) {
            sizes_asked = 0;
            return false;
        }
        switch (terminal_size_parse(typed + typed_first, typed_count, &size)) {
        case TERMINAL_SIZE_WHOLE:
            typed_first += size.length;
            typed_count -= size.length;
            sizes_asked--;
            if (target != NULL && target == view_focused()) {
                power_tell_size(target, size.columns, size.rows);
            }
            break;
        case TERMINAL_SIZE_PART:
            return true;
        case TERMINAL_SIZE_NONE:
            return false;
        }
    }
    return false;
}

/* Execute or pass on what has been typed. Returns whether there was anything new. */
static bool take_input(uint64_t now)
{
    bool fetched = fetch_keys();

    if (held) {
        held = !pass_on(keys.value, now);
    }
    while (!held && !session_active() && !take_size(now) && typed_count > 0) {
        take_key(now);
    }
    if (target != NULL) {
        client_wake(target);
    }
    return fetched;
}

/* Show a piece of each client's output, round robin. Returns whether there was something. */
static bool show_clients(uint64_t now)
{
    uint32_t first = next_shown;
    bool progress = false;

    for (uint32_t i = 0; i < client_count; i++) {
        uint32_t index = (first + i) % client_count;
        struct client *client = &clients[index];

        progress |= client_fetch(client, view_is_lossy(client), now);
        if (view_show(client, now)) {
            progress = true;
            next_shown = (index + 1) % client_count;
        }
    }
    return progress;
}

/* Ask the timer driver for a notification when something that is held back becomes due. */
static void set_timer(void)
{
    uint64_t deadline = session_active() ? session_deadline() : view_take_deadline();

    if (held && input_deadline < deadline) {
        deadline = input_deadline;
    }
    if (!held && typed_count > 0 && sizes_asked > 0 && size_deadline < deadline) {
        deadline = size_deadline;
    }
    if (!console_config.has_timer || deadline >= wake_at) {
        return;
    }
    wake_at = deadline;
    microkit_mr_set(0, deadline);
    microkit_ppcall(console_config.timer_channel, microkit_msginfo_new(TIMER_SET, 1));
}

/* Whether the UART's ring, which was full, has room again. If not, the driver will notify. */
static bool has_room_again(void)
{
    return view_take_blocked() &&
           ring_await_space(&uart_transmit, console_config.uart_ring_size / 2);
}

/* As at start: the terminal shows all machines, and the first one has the keys. */
static void begin_text(void)
{
    uint64_t pause = console_config.has_timer ? cpu_counter_frequency() * PAUSE_MS / 1000 : 0;

    memset(&keys, 0, sizeof(keys));
    typed_first = 0;
    typed_count = 0;
    held = false;
    input_deadline = UINT64_MAX;
    sizes_asked = 0;
    next_shown = 0;
    view_init(&uart_transmit, clients, client_count, !console_config.monochrome, pause);
    target = client_of_number(0);
}

static bool serve_session(uint64_t now)
{
    bool progress = session_serve(now);

    if (!session_active()) {
        begin_text();
        view_message("[the control session is over; Ctrl-] ? helps]");
    }
    return progress;
}

static bool serve_terminal(uint64_t now)
{
    bool progress = take_input(now);

    if (session_active()) {
        return true;
    }
    progress |= view_flush();
    progress |= show_clients(now);
    return progress;
}

static void serve(void)
{
    bool progress;

    do {
        uint64_t now = cpu_counter();

        if (wake_at <= now) {
            wake_at = UINT64_MAX;
        }
        progress = session_active() ? serve_session(now) : serve_terminal(now);
        if (ring_take_data_wanted(&uart_transmit)) {
            microkit_notify(console_config.uart_channel);
        }
    } while (progress || (!session_active() && has_room_again()));
    set_timer();
}

static uint32_t machine_count(void)
{
    uint32_t count = 0;

    while (client_of_number(count) != NULL) {
        count++;
    }
    return count;
}

void init(void)
{
    wake_at = UINT64_MAX;
    ring_init(&uart_transmit, console_config.uart_transmit, console_config.uart_ring_size);
    ring_init(&uart_receive, console_config.uart_receive, console_config.uart_ring_size);
    client_count = console_config.client_count < CONSOLE_MAX_CLIENTS ? console_config.client_count
                                                                     : CONSOLE_MAX_CLIENTS;
    for (uint32_t i = 0; i < client_count; i++) {
        client_init(&clients[i], &console_config.clients[i]);
    }
    session_init(&uart_transmit, &uart_receive, clients, client_count);
    log_init("console", NULL, 0);
    supervisor_init(&driver, CONSOLE_DRIVER_CHILD, "the UART's driver");
    begin_text();
    view_message("Braid: %u machines on this console. Ctrl-] ? helps.", machine_count());
    serve();
}

/* Peers notify when something has come or when there is room; serve() looks for both. */
void notified(microkit_channel ch)
{
    if (ch == console_config.uart_channel && !driver.looked) {
        supervisor_look(&driver);
    }
    serve();
}

/*
 * The UART's driver. Nobody answers the fault: either it begins anew and goes on where its rings
 * are, or nothing is shown any more. What a person had typed or was to see may be lost in the chip.
 */
seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    (void)reply_msginfo;
    if (child == CONSOLE_DRIVER_CHILD && supervisor_fault(&driver, msginfo) &&
        supervisor_restart(&driver)) {
        if (!session_active()) {
            view_message("[the UART's driver has faulted, and has been started again]");
        }
        serve();
    }
    return seL4_False;
}
