/* SPDX-License-Identifier: BSD-2-Clause */
#include "session.h"

#include <string.h>
#include <sys/random.h>
#include "clients.h"
#include "counters.h"
#include "lib/control.h"
#include "lib/control_hello.h"
#include "lib/control_link.h"
#include "machines.h"

#define HELLO_EACH_US 1000000u
/* A hello that is older than this gets no answer any more: who knows who has read it by now. */
#define HELLO_VALID_US 3000000u
#define GREETINGS      3u

/*
 * On a serial port the board may be in its loader, where any key stops the boot. A loader that
 * waits for one counts the seconds on the line, so a line that is silent for longer is not there.
 * One that is never silent for so long is past its loader after a while.
 */
#define SILENCE_US 3000000u
#define LOADER_US  30000000u
/* After its first words the console may be spoken to for so long. */
#define BANNER_US   10000000u
#define BANNER_MAX  64u /* bytes of a line */
#define REQUESTS    32u
#define REQUEST_MAX 16u /* bytes */

struct request {
    uint16_t id; /* 0: free */
    bool sent;
    uint8_t length;
    uint8_t bytes[REQUEST_MAX];
};

/* A hello, and the session that it begins if the board answers it. */
struct greeting {
    uint32_t number; /* counts hellos; 0: none */
    uint64_t sent_at;
    uint8_t token[LINK_TOKEN_SIZE];
    struct link link;
};

static struct {
    struct greeting greetings[GREETINGS]; /* the last ones */
    struct greeting *current;             /* the one that was answered, or NULL */
    uint64_t hello_at;                    /* when the next hello is due */
    uint32_t hellos;
    uint8_t hello[1 + CONTROL_HELLO_SIZE]; /* the one that is being sent, with a zero in front */
    uint32_t hello_given;                  /* of it */
    bool welcome, open, ended;
    struct request requests[REQUESTS];
    uint16_t last_id;
    uint64_t committed; /* messages in this session */
} session;

/* What the line says while there is no session. It outlives sessions. */
static struct {
    bool has_loader;
    uint64_t heard_at, noisy_since; /* the newest byte, the first one behind a silence */
    bool any;                       /* something has been heard or said */
    uint64_t banner_at;             /* when the console has begun; 0: not since the last session */
    char text[BANNER_MAX];          /* of the line's newest line */
    uint32_t length;
} before;

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | get16(at + 2) << 16;
}

static uint64_t get64(const uint8_t *at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

void session_expect_loader(uint64_t now)
{
    before.has_loader = true;
    before.heard_at = now;
}

void session_begin(uint64_t now)
{
    uint16_t last_id = session.last_id;

    memset(&session, 0, sizeof(session));
    before.noisy_since = now; /* the board may have been switched off and on */
    session.last_id = last_id;
    session.hello_at = now;
    session.hello_given = sizeof(session.hello);
}

bool session_open(void)
{
    return session.open;
}

/* Whether any frame of the session that it begins has come. */
static bool is_heard(const struct greeting *greeting)
{
    return greeting->link.heard_at != greeting->sent_at;
}

/* ---- Requests ---- */

static struct request *find_request(uint16_t id)
{
    for (uint32_t i = 0; i < REQUESTS; i++) {
        if (session.requests[i].id == id) {
            return &session.requests[i];
        }
    }
    return NULL;
}

uint16_t session_request(uint8_t what, uint8_t client, const uint8_t *arguments, size_t length)
{
    struct request *request = find_request(0);

    if (request == NULL || length > REQUEST_MAX - 5 || !session.welcome) {
        return 0;
    }
    do {
        session.last_id++;
    } while (session.last_id == 0 || find_request(session.last_id) != NULL);
    memset(request, 0, sizeof(*request));
    request->id = session.last_id;
    request->bytes[0] = CONTROL_REQUEST;
    request->bytes[1] = (uint8_t)request->id;
    request->bytes[2] = (uint8_t)(request->id >> 8);
    request->bytes[3] = what;
    request->bytes[4] = client;
    if (length > 0) {
        memcpy(request->bytes + 5, arguments, length);
    }
    request->length = (uint8_t)(5 + length);
    return request->id;
}

static void ask_list(uint32_t first)
{
    session_request(CONTROL_LIST, (uint8_t)first, NULL, 0);
}

void session_forget(uint16_t id)
{
    struct request *request = id == 0 ? NULL : find_request(id);

    if (request != NULL) {
        request->id = 0;
    }
}

static void commit(uint32_t length)
{
    link_commit(&session.current->link, length);
    session.committed++;
}

static void send_requests(void)
{
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct request *request = &session.requests[i];
        uint8_t *message = NULL;

        if (request->id != 0 && !request->sent) {
            message = link_reserve(&session.current->link);
        }
        if (message != NULL) {
            memcpy(message, request->bytes, request->length);
            commit(request->length);
            request->sent = true;
        }
    }
}

static void become_open(uint64_t now)
{
    session.open = true;
    machines_note("connected");
    clients_connected(now);
}

/* All are named if the list goes on to the last one, or has no more. */
static void take_list(const uint8_t *data, size_t length, uint64_t now)
{
    uint32_t next = 0;

    while (length >= 4 && length >= 4u + data[3]) {
        size_t size = 4u + data[3];

        if (data[0] < next) {
            break;
        }
        machines_name(data[0], data[1], data[2], data + 4, data[3], now);
        next = data[0] + 1u;
        data += size;
        length -= size;
    }
    if (next > 0 && next < machines_count()) {
        ask_list(next);
    } else if (!session.open) {
        become_open(now);
    }
}

static void take_answer(const uint8_t *message, uint32_t length, uint64_t now)
{
    struct request *request = length < 4 ? NULL : find_request((uint16_t)get16(message + 1));

    if (request == NULL || request->id == 0 || !request->sent) {
        return;
    }
    uint16_t id = request->id;
    request->id = 0;
    switch (request->bytes[3]) {
    case CONTROL_LIST:
        take_list(message + 4, length - 4, now);
        break;
    case CONTROL_SETS:
    case CONTROL_STATS:
        counters_answer(id, message[3], message + 4, length - 4, now);
        break;
    default:
        clients_answer(id, message[3]);
        break;
    }
}

/* ---- Messages ---- */

/* The session begins with the token, or it is not this one. */
static bool take_welcome(const uint8_t *message, uint32_t length, uint64_t now)
{
    if (message[0] != CONTROL_WELCOME || length < 21 ||
        memcmp(message + 1, session.current->token, LINK_TOKEN_SIZE) != 0) {
        return false;
    }
    if (get16(message + 9) != CONTROL_VERSION) {
        clients_fail("the board speaks another version of the control channel than this braid: "
                     "build both from the same sources\n");
        return false;
    }
    session.welcome = true;
    machines_session(get16(message + 11), get64(message + 13), now);
    ask_list(0);
    return true;
}

static void take_credit(const uint8_t *message, uint32_t length)
{
    struct machine *machine = length == 6 ? machines_get(message[1]) : NULL;

    if (machine != NULL) {
        machine->credit = get32(message + 2);
    }
}

/* Returns false if the session is over. */
static bool take_message(const uint8_t *message, uint32_t length, uint64_t now)
{
    if (!session.welcome) {
        return take_welcome(message, length, now);
    }
    switch (message[0]) {
    case CONTROL_BYE:
        return false;
    case CONTROL_CREDIT:
        take_credit(message, length);
        break;
    case CONTROL_ANSWER:
        take_answer(message, length, now);
        break;
    default:
        machines_message(message, length, now);
        break;
    }
    return true;
}

/* ---- Before the session ---- */

/* The console's first words: "Braid: N machines on this console." */
static bool is_banner(void)
{
    const char *found = strstr(before.text, "Braid: ");

    return found != NULL && strstr(found, " machines on this console") != NULL;
}

static void hear(const uint8_t *bytes, size_t count, uint64_t now)
{
    if (now - before.heard_at >= SILENCE_US) {
        before.noisy_since = now;
    }
    before.heard_at = now;
    before.any = true;
    for (size_t i = 0; i < count && session.current == NULL; i++) {
        if (bytes[i] == '\n' || bytes[i] == 0) {
            before.length = 0;
        } else if (before.length < BANNER_MAX - 1) {
            before.text[before.length++] = (char)bytes[i];
        }
        before.text[before.length] = '\0';
        if (is_banner()) {
            before.banner_at = now;
            before.length = 0;
        }
    }
}

/* From when on what is sent cannot stop a loader; 0: now. */
static uint64_t may_speak_at(void)
{
    uint64_t silent_at = before.heard_at + SILENCE_US;
    uint64_t past_at = before.noisy_since + LOADER_US;
    bool has_begun = before.banner_at != 0 && session.hello_at < before.banner_at + BANNER_US;

    if (!before.has_loader || !before.any || has_begun) {
        return 0;
    }
    return silent_at < past_at ? silent_at : past_at;
}

/* ---- Sessions ---- */

static void lose(void)
{
    if (session.open) {
        machines_note("lost");
    }
    counters_disconnected();
    clients_disconnected();
    machines_disconnected();
}

static void begin_again(uint64_t now)
{
    lose();
    session_begin(now);
}

/* The board has answered this hello, and forgotten the session that it may have begun before. */
static void take_over(struct greeting *greeting)
{
    if (session.current != NULL) {
        lose();
    }
    session.current = greeting;
    before.banner_at = 0;
    session.welcome = session.open = false;
    session.committed = 0;
    memset(session.requests, 0, sizeof(session.requests));
}

static void take_messages(uint64_t now)
{
    const uint8_t *message;
    uint32_t length;

    while ((message = link_peek(&session.current->link, &length)) != NULL) {
        if (!take_message(message, length, now)) {
            begin_again(now);
            /* The board has to forget the old session first. */
            session.hello_at = now + HELLO_EACH_US;
            return;
        }
        link_release(&session.current->link);
    }
}

/* Each hello's answer is possible while the hello is young, and the newest one's counts. */
void session_take(const uint8_t *bytes, size_t count, uint64_t now)
{
    struct greeting *newest = session.current;

    if (session.current != NULL) {
        link_receive(&session.current->link, bytes, (uint32_t)count, now);
    }
    hear(bytes, count, now);
    for (uint32_t i = 0; i < GREETINGS; i++) {
        struct greeting *greeting = &session.greetings[i];
        uint32_t answered = session.current == NULL ? 0 : session.current->number;

        if (greeting->number <= answered || now - greeting->sent_at > HELLO_VALID_US) {
            continue;
        }
        link_receive(&greeting->link, bytes, (uint32_t)count, now);
        if (is_heard(greeting) && (newest == NULL || newest->number < greeting->number)) {
            newest = greeting;
        }
    }
    if (newest != session.current) {
        take_over(newest);
    }
    if (session.current != NULL) {
        take_messages(now);
    }
}

/* ---- To the board ---- */

static void send_input(uint32_t index, struct machine *machine)
{
    uint32_t allowed = machine->credit - machine->sent;
    uint8_t *message;

    if (allowed > INT32_MAX) {
        return; /* a board that takes back what it has granted */
    }
    while (allowed > 0 && machine->input.count > 0 &&
           (message = link_reserve(&session.current->link)) != NULL) {
        uint32_t size = link_size_wanted(&session.current->link) - 2;

        size = size < allowed ? size : allowed;
        size = size < machine->input.count ? size : (uint32_t)machine->input.count;
        message[0] = CONTROL_INPUT;
        message[1] = (uint8_t)index;
        memcpy(message + 2, machine->input.data, size);
        commit(size + 2);
        bytes_take(&machine->input, size);
        machine->last_input = session.committed;
        machine->sent += size;
        allowed -= size;
    }
}

bool session_delivered(uint32_t index)
{
    const struct machine *machine = machines_get(index);

    if (machine == NULL) {
        return true;
    }
    if (machine->input.count > 0) {
        return false;
    }
    return session.current == NULL ||
           session.committed - link_under_way(&session.current->link) >= machine->last_input;
}

void session_step(uint64_t now)
{
    if (session.ended) {
        return;
    }
    if (session.current == NULL) {
        return;
    }
    if (!link_alive(&session.current->link, now)) {
        begin_again(now);
        return;
    }
    send_requests();
    for (uint32_t i = 0; session.open && i < machines_count(); i++) {
        send_input(i, machines_get(i));
    }
}

/* A hello, every other time with a zero in front. Each has a token of its own: one that a machine
 * gets to see, because no console has read it, is of no use soon. */
static void write_hello(uint64_t now)
{
    struct greeting *greeting = &session.greetings[session.hellos % GREETINGS];

    before.any = true;
    session.hello[0] = 0;
    session.hello_given = session.hellos++ % 2 == 0 ? 1 : 0;
    greeting->number = session.hellos;
    greeting->sent_at = now;
    while (getrandom(greeting->token, LINK_TOKEN_SIZE, 0) != LINK_TOKEN_SIZE) {
    }
    link_start(&greeting->link, LINK_HOST, greeting->token, now);
    control_hello_write(session.hello + 1, greeting->token);
    session.hello_at = now + HELLO_EACH_US;
}

static uint64_t hello_due_at(void)
{
    uint64_t at = may_speak_at();

    return at > session.hello_at ? at : session.hello_at;
}

size_t session_transmit(uint8_t *bytes, size_t room, uint64_t now)
{
    if (session.hello_given == sizeof(session.hello) && session.current == NULL &&
        now >= hello_due_at()) {
        write_hello(now);
    }
    /* One that has begun is sent to its end: a part of it would be keys. */
    if (session.hello_given < sizeof(session.hello)) {
        size_t count = sizeof(session.hello) - session.hello_given;

        count = count < room ? count : room;
        memcpy(bytes, session.hello + session.hello_given, count);
        session.hello_given += (uint32_t)count;
        return count;
    }
    return session.current == NULL
               ? 0
               : link_transmit(&session.current->link, bytes, (uint32_t)room, now);
}

uint64_t session_deadline(void)
{
    return session.current == NULL ? hello_due_at() : link_deadline(&session.current->link);
}

void session_end(void)
{
    uint8_t *message = session.welcome ? link_reserve(&session.current->link) : NULL;

    session.ended = true;
    if (message != NULL) {
        message[0] = CONTROL_BYE;
        link_commit(&session.current->link, 1);
    }
}
