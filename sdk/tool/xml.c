/* SPDX-License-Identifier: BSD-2-Clause */
#include "xml.h"

#include <inttypes.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>
#include "array.h"
#include "tools/memory.h"

/*
 * Descriptions of the largest systems have some 100 KiB. The work of libxml2 and of the checks of
 * names grows with the square of some counts. These bounds keep it to a second.
 */
#define FILE_SIZE_MAX (1u << 20)
#define TAG_SIZE_MAX  (16u << 10) /* libxml2 compares each attribute with each */
#define LINES_PER_TAG 100         /* how far up a start tag is looked for, */
#define LINE_SIZE_MAX 4096        /* and how far into each of these lines */

static const struct file *source;
static xmlDoc *document; /* elements point into it until the tool exits */

static void refuse_doctype(void *context, const xmlChar *name, const xmlChar *public_id,
                           const xmlChar *system_id)
{
    (void)name;
    (void)public_id;
    (void)system_id;
    diag_line((unsigned)xmlSAX2GetLineNumber(context),
              "document type declarations and entities are not accepted: remove <!DOCTYPE ...>");
}

static void report_syntax(void *context, xmlErrorPtr error)
{
    (void)context;
    if (error->level < XML_ERR_ERROR) {
        return;
    }

    const char *text = error->message ? error->message : "syntax error";
    int length = (int)strcspn(text, "\n");
    diag_line(error->line > 0 ? (unsigned)error->line : 1, "no well-formed XML: %.*s", length,
              text);
}

/* Where each line of the source begins. */
static const char **lines;
static size_t line_count;

static void index_lines(void)
{
    const char *at = (const char *)source->bytes;

    while (at) {
        *ARRAY_ADD(lines, line_count) = at;
        at = strchr(at, '\n');
        if (at) {
            at++;
        }
    }
}

static bool line_opens(const char *line, const char *tag)
{
    size_t length = strlen(tag);

    for (const char *end = line + LINE_SIZE_MAX; *line && *line != '\n' && line < end; line++) {
        if (*line == '<' && strncmp(line + 1, tag, length) == 0 &&
            strspn(line + 1 + length, " \t\r\n/>")) {
            return true;
        }
    }
    return false;
}

/* libxml2 gives the line where a start tag ends. People look for the line where it begins. */
static unsigned first_line(const char *tag, long last)
{
    for (long line = last; line > 0 && line + LINES_PER_TAG > last; line--) {
        if ((size_t)line <= line_count && line_opens(lines[line - 1], tag)) {
            return (unsigned)line;
        }
    }
    return last > 0 ? (unsigned)last : 1;
}

/* <tag name='x'>, with the attribute that tells elements of this kind apart. */
static const char *label(const struct xml_element *element)
{
    static const char *const keys[] = {"name", "mr", "pd", "symbol", "path", "irq", "id"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *value = xml_attribute(element, keys[i]);
        if (value) {
            return memory_format("<%s %s='%.80s'>", element->tag, keys[i], value);
        }
    }
    return memory_format("<%s>", element->tag);
}

static void set_element(struct xml_element *element, xmlNode *node)
{
    element->node = node;
    element->tag = (const char *)node->name;
    element->place.line = first_line(element->tag, xmlGetLineNo(node));
    element->place.label = label(element);
}

/* No attribute holds a '<', so what is between a tag's '<' and the next '<' contains the tag. */
static void check_tags(const struct file *file)
{
    const char *at = (const char *)file->bytes;
    const char *end = at + file->size;
    const char *tag = NULL;
    unsigned line = 1;
    unsigned tag_line = 1;

    for (; at < end; at++) {
        if (*at == '<') {
            tag = at;
            tag_line = line;
        } else if (tag && at - tag > (long)TAG_SIZE_MAX && tag[1] != '!' && tag[1] != '?') {
            diag_line(tag_line, "a tag, or what is between two, of more than %u KiB",
                      TAG_SIZE_MAX >> 10);
        }
        line += *at == '\n';
    }
}

void xml_parse(const struct file *file, struct xml_element *root)
{
    source = file;
    if (file->size > FILE_SIZE_MAX) {
        diag_fatal("%s: a description of %zu bytes: at most 1 MiB is read", file->path, file->size);
    }
    if (!file->size) {
        diag_line(1, "no well-formed XML: the file is empty");
    }

    check_tags(file);
    index_lines();
    xmlInitParser();
    xmlParserCtxt *context = xmlNewParserCtxt();
    if (!context) {
        diag_fatal("libxml2 cannot be initialised");
    }
    context->sax->internalSubset = refuse_doctype;
    xmlSetStructuredErrorFunc(NULL, report_syntax);
    document = xmlCtxtReadMemory(context, (const char *)file->bytes, (int)file->size, NULL, NULL,
                                 XML_PARSE_NONET | XML_PARSE_BIG_LINES | XML_PARSE_NOCDATA);
    if (!document || !xmlDocGetRootElement(document)) {
        diag_line(1, "no well-formed XML");
    }
    xmlFreeParserCtxt(context);
    set_element(root, xmlDocGetRootElement(document));
}

static bool is_blank(const xmlNode *node)
{
    const char *text = (const char *)node->content;

    return !text || text[strspn(text, " \t\r\n")] == '\0';
}

bool xml_next_child(const struct xml_element *parent, struct xml_element *child)
{
    xmlNode *node =
        child->node ? ((xmlNode *)child->node)->next : ((xmlNode *)parent->node)->children;

    for (; node; node = node->next) {
        if (node->type == XML_ELEMENT_NODE) {
            set_element(child, node);
            return true;
        }
        if (node->type != XML_TEXT_NODE || is_blank(node)) {
            continue;
        }
        if (parent->node == xmlDocGetRootElement(document)) {
            diag_at(&parent->place, NULL,
                    "text in it: only elements and comments may be between its tags");
        }
        diag_warn(&parent->place, "text in it is ignored");
    }
    return false;
}

static bool is_listed(const char *names, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = names; *at; at += strspn(at, " ")) {
        size_t size = strcspn(at, " ");
        if (size == length && memcmp(at, name, size) == 0) {
            return true;
        }
        at += size;
    }
    return false;
}

static const char *with_commas(const char *names)
{
    const char *text = "";

    while (*names) {
        size_t size = strcspn(names, " ");
        text = memory_format("%s%s%.*s", text, *text ? ", " : "", (int)size, names);
        names += size + (names[size] == ' ');
    }
    return text;
}

void xml_check_attributes(const struct xml_element *element, const char *names)
{
    const xmlNode *node = element->node;

    for (const xmlAttr *attribute = node->properties; attribute; attribute = attribute->next) {
        const char *name = (const char *)attribute->name;
        if (!attribute->ns && is_listed(names, name)) {
            continue;
        }
        if (!*names) {
            diag_at(&element->place, name, "unknown: this element takes no attributes");
        }
        diag_at(&element->place, name, "unknown: this element takes %s", with_commas(names));
    }
}

void xml_ignore_attributes(const struct xml_element *element)
{
    const xmlNode *node = element->node;

    for (const xmlAttr *attribute = node->properties; attribute; attribute = attribute->next) {
        diag_warn(&element->place, "attribute '%s' is ignored: this element takes no attributes",
                  (const char *)attribute->name);
    }
}

void xml_ignore_content(const struct xml_element *element)
{
    struct xml_element child = {.node = NULL};

    while (xml_next_child(element, &child)) {
        diag_warn(&child.place, "it is ignored: <%s> contains no elements", element->tag);
    }
}

const char *xml_attribute(const struct xml_element *element, const char *name)
{
    xmlChar *value = xmlGetNoNsProp(element->node, (const xmlChar *)name);
    const char *copy = NULL;

    if (value) {
        copy = memory_copy(value, strlen((const char *)value));
    }
    xmlFree(value);
    return copy;
}

const char *xml_required(const struct xml_element *element, const char *name)
{
    const char *value = xml_attribute(element, name);

    if (!value) {
        diag_at(&element->place, name, "missing: this element needs it");
    }
    if (!*value) {
        diag_at(&element->place, name, "empty: it needs a value");
    }
    return value;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return 16;
}

/* Underscores may be anywhere in a number, even before and in the 0x. */
static const char *without_underscores(const char *text)
{
    char *copy = memory_copy(text, strlen(text));
    char *end = copy;

    for (; *text; text++) {
        if (*text != '_') {
            *end++ = *text;
        }
    }
    *end = '\0';
    return copy;
}

/* Read a number. False if the text is none; *overflow is set if it has more than 64 bits. */
static bool parse_number(const char *text, uint64_t *value, bool *overflow)
{
    unsigned base = 10;
    bool any = false;

    *value = 0;
    *overflow = false;
    text = without_underscores(text);
    if (strncmp(text, "0x", 2) == 0) {
        base = 16;
        text += 2;
    }
    text += *text == '+'; /* Microkit's tool reads the sign behind the 0x */
    for (; *text; text++) {
        unsigned digit = (unsigned)digit_value(*text);
        if (digit >= base) {
            return false;
        }
        if (__builtin_mul_overflow(*value, base, value) ||
            __builtin_add_overflow(*value, digit, value)) {
            *overflow = true;
        }
        any = true;
    }
    return any;
}

/* Read a number, UINT64_MAX if it has more than 64 bits. */
static uint64_t read_number(const struct xml_element *element, const char *name, const char *text,
                            bool *overflow)
{
    uint64_t value;

    if (!parse_number(text, &value, overflow)) {
        diag_at(&element->place, name,
                "'%s' is no number: it takes a decimal or 0x hexadecimal one without a sign", text);
    }
    return *overflow ? UINT64_MAX : value;
}

static uint64_t check_number(const struct xml_element *element, const char *name, const char *text,
                             uint64_t low, uint64_t high)
{
    bool overflow;
    uint64_t value = read_number(element, name, text, &overflow);

    if (!overflow && value >= low && value <= high) {
        return value;
    }
    /* The limits in the radix that the user counts in. */
    if (strncmp(text, "0x", 2) == 0) {
        diag_at(&element->place, name, "%s is out of range: it may be 0x%" PRIx64 " to 0x%" PRIx64,
                text, low, high);
    }
    diag_at(&element->place, name, "%s is out of range: it may be %" PRIu64 " to %" PRIu64, text,
            low, high);
}

uint64_t xml_number(const struct xml_element *element, const char *name, uint64_t low,
                    uint64_t high)
{
    return check_number(element, name, xml_required(element, name), low, high);
}

uint64_t xml_number_of(const struct xml_element *element, const char *name, const char *text,
                       uint64_t low, uint64_t high)
{
    return check_number(element, name, text, low, high);
}

uint64_t xml_number_or(const struct xml_element *element, const char *name, uint64_t low,
                       uint64_t high, uint64_t missing)
{
    const char *text = xml_attribute(element, name);

    return text ? check_number(element, name, text, low, high) : missing;
}

uint64_t xml_any_number_or(const struct xml_element *element, const char *name, uint64_t missing)
{
    const char *text = xml_attribute(element, name);
    bool overflow;

    return text ? read_number(element, name, text, &overflow) : missing;
}

bool xml_bool_or(const struct xml_element *element, const char *name, bool missing)
{
    const char *text = xml_attribute(element, name);

    if (!text) {
        return missing;
    }
    if (strcmp(text, "true") == 0) {
        return true;
    }
    if (strcmp(text, "false") == 0) {
        return false;
    }
    diag_at(&element->place, name, "'%s': it may be 'true' or 'false'", text);
}
