/* SPDX-License-Identifier: BSD-2-Clause */
#include "value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "memory.h"

#define NAME_LENGTH_MAX     31
#define HOSTNAME_LENGTH_MAX 63

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1ULL << 40},
    {"K", 1 << 10},   {"M", 1 << 20},   {"G", 1 << 30},   {"T", 1ULL << 40},
};

static const struct unit duration_units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};

/* The last one that divides a number is what it is written with. */
static const struct unit rate_units[] = {
    {"kbit/s", 125},       {"KiB/s", 1 << 10}, {"MiB/s", 1 << 20},
    {"GiB/s", 1ULL << 30}, {"Mbit/s", 125000}, {"Gbit/s", 125000000},
};

#define UNITS(units) (units), sizeof(units) / sizeof((units)[0])

static unsigned digit_value(unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *place = c == '\0' ? NULL : strchr(digits, tolower(c));

    return place == NULL ? UINT32_MAX : (unsigned)(place - digits);
}

/* Read digits at *text, and move *text behind them. False if there are none or too many. */
static bool parse_digits(const char **text, unsigned base, uint64_t *number)
{
    const char *start = *text;
    uint64_t value = 0;

    for (;; (*text)++) {
        unsigned digit = digit_value((unsigned char)**text);
        if (digit >= base) {
            break;
        }
        if (value > (UINT64_MAX - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    *number = value;
    return *text != start;
}

/* Read a number and a unit, with or without blanks between. */
static bool parse_unit(const char *text, const struct unit *units, size_t unit_count,
                       uint64_t *number)
{
    if (!parse_digits(&text, 10, number)) {
        return false;
    }
    while (*text == ' ') {
        text++;
    }
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(text, units[i].name) == 0) {
            if (*number > UINT64_MAX / units[i].factor) {
                return false;
            }
            *number *= units[i].factor;
            return true;
        }
    }
    return *text == '\0' && *number == 0; /* 0 needs no unit */
}

static bool parse_mac(const char *text, uint64_t *number)
{
    *number = 0;
    for (int byte = 0; byte < 6; byte++) {
        uint64_t value;
        const char *start = text;
        if (!parse_digits(&text, 16, &value) || text - start != 2) {
            return false;
        }
        *number = *number << 8 | value;
        if (*text++ != (byte == 5 ? '\0' : ':')) {
            return false;
        }
    }
    return true;
}

/* Read a dotted quad at *text, and move *text behind it. */
static bool parse_quad(const char **text, uint64_t *number)
{
    *number = 0;
    for (int byte = 0; byte < 4; byte++) {
        uint64_t value;
        if (byte != 0 && *(*text)++ != '.') {
            return false;
        }
        if (!parse_digits(text, 10, &value) || value > 255) {
            return false;
        }
        *number = *number << 8 | value;
    }
    return true;
}

static bool parse_net(const char *text, uint64_t *number)
{
    uint64_t prefix;

    if (strcmp(text, "dhcp") == 0) {
        *number = VALUE_IPV4_DHCP;
        return true;
    }
    if (!parse_quad(&text, number) || *text++ != '/' || !parse_digits(&text, 10, &prefix) ||
        *text != '\0' || prefix < 1 || prefix > 32) {
        return false;
    }
    *number |= prefix << 32;
    return true;
}

static bool parse_switched(const char *text, uint64_t *number)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"false", "true"}, {"off", "on"}, {"none", "yes"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        for (uint64_t value = 0; value < 2; value++) {
            if (strcmp(text, words[i][value]) == 0) {
                *number = value;
                return true;
            }
        }
    }
    return false;
}

static const char *parse_choice(const char *const *choices, const char *text, uint64_t *number)
{
    const char *list = "";

    /* cppcheck-suppress ctunullpointer ; a VALUE_CHOICE has some */
    for (uint64_t i = 0; choices[i] != NULL; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *number = i;
            return NULL;
        }
        list = memory_format("%s%s'%s'", list, i == 0 ? "" : " or ", choices[i]);
    }
    return memory_format("unknown: write %s", list);
}

static bool is_name(const char *text, size_t length_max, const char *more)
{
    size_t length = strlen(text);

    if (length == 0 || length > length_max || !isalpha((unsigned char)text[0])) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr(more, text[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static bool is_stem(const char *text)
{
    return text[0] != '\0' && text[0] != '.' && text[0] != '-' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
               strlen(text);
}

uint64_t text_hash(uint64_t hash, const char *text)
{
    do {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
    } while (*text++ != '\0');
    return hash;
}

/* The character at `text` and its length in bytes; a byte that begins none is U+FFFF. RFC 3629. */
static size_t decode(const unsigned char *text, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80             ? 1
                    : (text[0] & 0xe0) == 0xc0 ? 2
                    : (text[0] & 0xf0) == 0xe0 ? 3
                    : (text[0] & 0xf8) == 0xf0 ? 4
                                               : 0;

    *character = length == 1 ? text[0] : text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            length = 0;
            break;
        }
        *character = *character << 6 | (text[i] & 0x3fu);
    }
    if (length != 0 && *character >= least[length] && *character <= 0x10ffff &&
        (*character & ~0x7ffu) != 0xd800) {
        return length;
    }
    *character = 0xffff;
    return 1;
}

size_t text_step(const char *text, bool *plain)
{
    uint32_t c;
    size_t length = decode((const unsigned char *)text, &c);

    *plain = c >= 0x20 && (c < 0x7f || c >= 0xa0) && (c < 0x2028 || c > 0x202e) &&
             (c < 0x2066 || c > 0x2069) && c != 0xffff;
    return length;
}

static bool is_plain_text(const char *text)
{
    bool plain = true;

    while (*text != '\0' && plain) {
        text += text_step(text, &plain);
    }
    return plain;
}

const char *value_parse(enum value_kind kind, const char *const *choices, const char *text,
                        uint64_t *number)
{
    switch (kind) {
    case VALUE_TEXT:
        return is_plain_text(text) ? NULL : "holds a control character: write one line of text";
    case VALUE_PATH:
        return text[0] != '\0' && is_plain_text(text) ? NULL : "not a file's name";
    case VALUE_NAME:
        return is_name(text, NAME_LENGTH_MAX, "-_")
                   ? NULL
                   : "not a name: a letter, then letters, digits, '-' or '_', 31 at most";
    case VALUE_STEM:
        return is_stem(text) ? NULL
                             : "letters, digits, '-', '_' and '.' only, the first no '-' or '.'";
    case VALUE_HOSTNAME:
        return is_name(text, HOSTNAME_LENGTH_MAX, "-")
                   ? NULL
                   : "not a host name: a letter, then letters, digits or '-', 63 at most";
    case VALUE_SIZE:
        return parse_unit(text, UNITS(size_units), number)
                   ? NULL
                   : "not a size: write a whole number with its unit, like 256 MiB or 1 GiB";
    case VALUE_DURATION:
        return parse_unit(text, UNITS(duration_units), number)
                   ? NULL
                   : "not a time: write a whole number with its unit, like 500 us, 2 ms or 300 s";
    case VALUE_RATE:
        return strcmp(text, "none") == 0 ||
                       (parse_unit(text, UNITS(rate_units), number) && *number != 0)
                   ? NULL
                   : "not a rate: write a whole number with its unit, like 100 Mbit/s or 20 MiB/s";
    case VALUE_COUNT:
        return parse_digits(&text, 10, number) && *text == '\0' ? NULL : "not a whole number";
    case VALUE_HEX:
        return text[0] == '0' && text[1] == 'x' && (text += 2, true) &&
                       parse_digits(&text, 16, number) && *text == '\0'
                   ? NULL
                   : "not an address: write it like 0x9000000";
    case VALUE_SWITCHED:
        return parse_switched(text, number) ? NULL : "neither yes nor no";
    case VALUE_CHOICE:
        return parse_choice(choices, text, number);
    case VALUE_MAC:
        return parse_mac(text, number)
                   ? NULL
                   : "not a MAC address: write six bytes like 02:00:00:00:00:01";
    case VALUE_IPV4:
        return parse_quad(&text, number) && *text == '\0'
                   ? NULL
                   : "not an IPv4 address: write it like 192.168.1.1";
    case VALUE_IPV4_NET:
        return parse_net(text, number)
                   ? NULL
                   : "not an IPv4 address with its prefix: write it like 192.168.1.1/24, or dhcp";
    case VALUE_NODE:
        break;
    }
    return "not understood";
}

static const char *format_unit(uint64_t number, const struct unit *units, size_t unit_count,
                               const char *base)
{
    for (size_t i = unit_count; i-- > 0;) {
        if (number != 0 && number % units[i].factor == 0) {
            return memory_format("%" PRIu64 " %s", number / units[i].factor, units[i].name);
        }
    }
    return memory_format("%" PRIu64 "%s", number, base);
}

const char *value_format(enum value_kind kind, uint64_t number)
{
    switch (kind) {
    case VALUE_SIZE:
        return format_unit(number, size_units, 3, " bytes");
    case VALUE_DURATION:
        return format_unit(number, duration_units, 3, "");
    case VALUE_RATE:
        return format_unit(number, UNITS(rate_units), " bytes/s");
    case VALUE_HEX:
        return memory_format("0x%" PRIx64, number);
    case VALUE_MAC:
        return memory_format("%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)(number >> 40 & 255),
                             (unsigned)(number >> 32 & 255), (unsigned)(number >> 24 & 255),
                             (unsigned)(number >> 16 & 255), (unsigned)(number >> 8 & 255),
                             (unsigned)(number & 255));
    case VALUE_IPV4:
    case VALUE_IPV4_NET: {
        if (kind == VALUE_IPV4_NET && number == VALUE_IPV4_DHCP) {
            return "dhcp";
        }
        const char *quad = memory_format("%u.%u.%u.%u", (unsigned)(number >> 24 & 255),
                                         (unsigned)(number >> 16 & 255),
                                         (unsigned)(number >> 8 & 255), (unsigned)(number & 255));
        return kind == VALUE_IPV4 ? quad : memory_format("%s/%u", quad, VALUE_IPV4_PREFIX(number));
    }
    case VALUE_SWITCHED:
        return number ? "yes" : "no";
    default:
        return memory_format("%" PRIu64, number);
    }
}

/* The edit distance: insertions, deletions, substitutions and swaps of neighbours. */
static unsigned distance(const char *left, const char *right)
{
    enum { LONGEST = 40 };
    size_t rows = strlen(left);
    size_t columns = strlen(right);
    unsigned table[LONGEST + 1][LONGEST + 1];

    if (rows > LONGEST || columns > LONGEST) {
        return LONGEST;
    }
    for (size_t i = 0; i <= rows; i++) {
        for (size_t j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = (unsigned)(i + j);
                continue;
            }
            unsigned best = table[i - 1][j - 1] + (left[i - 1] != right[j - 1]);
            best = table[i - 1][j] + 1 < best ? table[i - 1][j] + 1 : best;
            best = table[i][j - 1] + 1 < best ? table[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] &&
                table[i - 2][j - 2] + 1 < best) {
                best = table[i - 2][j - 2] + 1;
            }
            table[i][j] = best;
        }
    }
    return table[rows][columns];
}

void nearest_weigh(struct nearest *nearest, const char *unknown, const char *known)
{
    unsigned length = (unsigned)strlen(unknown);
    unsigned far = distance(unknown, known);

    if (far > 1 + length / 4 || far >= length) {
        return;
    }
    if (nearest->word == NULL || far < nearest->distance) {
        *nearest = (struct nearest){.word = known, .distance = far};
    }
}
