/* SPDX-License-Identifier: BSD-2-Clause */
#include "yaml_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "buffer.h"
#include "diagnostics.h"
#include "memory.h"

/*
 * A system file has a few hundred lines. These bounds are far above that. They keep the work
 * proportional to the file's size, which libyaml's own is not for nested brackets, anchors and
 * tags.
 */
#define FILE_SIZE_MAX (4ul << 20) /* bytes; stops a mistaken disk image, and a pipe without end */
#define DEPTH_MAX     32u         /* lists and mappings within each other */
#define ANCHORS_MAX   100u
#define VALUES_MAX    500000u /* nodes; each alias counts those that it stands for again */
#define TAGS_MAX      16u     /* %TAG directives */

static void report_syntax(const struct yaml_file *file, const yaml_parser_t *parser)
{
    int line = (int)parser->problem_mark.line + 1;
    const char *problem = parser->problem == NULL ? "cannot be read" : parser->problem;

    if (parser->error == YAML_READER_ERROR) {
        error_at(file->path, 0, "", "not YAML: byte %zu: %s: save it as UTF-8 text",
                 parser->problem_offset, problem);
    } else if (parser->context != NULL) {
        error_at(file->path, line, "", "not YAML: %s %s (from line %zu)", problem, parser->context,
                 parser->context_mark.line + 1);
    } else {
        error_at(file->path, line, "", "not YAML: %s", problem);
    }
}

static struct LIST(struct yaml_file *) files;

static bool load(struct yaml_file *file, yaml_parser_t *parser)
{
    yaml_document_t second;

    if (!yaml_parser_load(parser, &file->document)) {
        report_syntax(file, parser);
        return false;
    }
    *list_add(&files) = file;
    if (yaml_root(file) == NULL) {
        error_at(file->path, 0, "", "the file is empty");
        return false;
    }
    if (!yaml_parser_load(parser, &second)) {
        report_syntax(file, parser);
        return false;
    }
    yaml_node_t *extra = yaml_document_get_root_node(&second);
    if (extra != NULL) {
        error_at(file->path, yaml_line(extra), "", "a second YAML document: one file says all");
    }
    yaml_document_delete(&second);
    return true;
}

/* ---- Are the file's depth and size within bounds? Before it becomes a tree ---- */

struct anchor {
    char *name;
    size_t values; /* in its node; 0: the node has not ended */
};

/* A list or mapping that has not ended. */
struct open_node {
    size_t before; /* values of the file before it */
    struct anchor *anchor;
};

struct survey {
    struct yaml_file *file;
    struct open_node open[DEPTH_MAX];
    unsigned depth;
    struct anchor anchors[ANCHORS_MAX];
    unsigned anchor_count;
    size_t values;
};

static bool too_much(const struct survey *survey, const yaml_event_t *event, const char *what)
{
    error_at(survey->file->path, (int)event->start_mark.line + 1, "", "%s", what);
    return false;
}

/* The last anchor of that name; NULL if there is none. */
static struct anchor *find_anchor(struct survey *survey, const yaml_char_t *name)
{
    for (unsigned i = survey->anchor_count; i-- > 0;) {
        if (strcmp(survey->anchors[i].name, (const char *)name) == 0) {
            return &survey->anchors[i];
        }
    }
    return NULL;
}

/* Add a node's anchor. If `name` is NULL the node has none, and *anchor becomes NULL. */
static bool add_anchor(struct survey *survey, const yaml_event_t *event, const yaml_char_t *name,
                       struct anchor **anchor)
{
    *anchor = NULL;
    if (name == NULL) {
        return true;
    }
    if (survey->anchor_count == ANCHORS_MAX) {
        return too_much(survey, event,
                        memory_format("more than %u anchors ('&name')", ANCHORS_MAX));
    }
    *anchor = &survey->anchors[survey->anchor_count++];
    **anchor = (struct anchor){.name = memory_copy((const char *)name, strlen((const char *)name))};
    return true;
}

static bool add_values(struct survey *survey, const yaml_event_t *event, size_t count)
{
    survey->values += count;
    return survey->values <= VALUES_MAX ||
           too_much(survey, event,
                    memory_format("more than %u values, with what aliases ('*name') stand for",
                                  VALUES_MAX));
}

static bool begin_node(struct survey *survey, const yaml_event_t *event, const yaml_char_t *name)
{
    struct anchor *anchor;

    if (survey->depth == DEPTH_MAX) {
        return too_much(
            survey, event,
            memory_format("more than %u lists and mappings within each other", DEPTH_MAX));
    }
    if (!add_values(survey, event, 1) || !add_anchor(survey, event, name, &anchor)) {
        return false;
    }
    survey->open[survey->depth++] =
        (struct open_node){.before = survey->values - 1, .anchor = anchor};
    return true;
}

static bool end_node(struct survey *survey)
{
    const struct open_node *node = &survey->open[--survey->depth];

    if (node->anchor != NULL) {
        node->anchor->values = survey->values - node->before;
    }
    return true;
}

static bool see_alias(struct survey *survey, const yaml_event_t *event)
{
    const struct anchor *anchor = find_anchor(survey, event->data.alias.anchor);

    return add_values(survey, event, anchor == NULL || anchor->values == 0 ? 1 : anchor->values);
}

static bool see_event(struct survey *survey, const yaml_event_t *event)
{
    struct anchor *anchor;

    switch (event->type) {
    case YAML_SEQUENCE_START_EVENT:
        return begin_node(survey, event, event->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT:
        return begin_node(survey, event, event->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return end_node(survey);
    case YAML_ALIAS_EVENT:
        return see_alias(survey, event);
    case YAML_SCALAR_EVENT:
        if (!add_values(survey, event, 1) ||
            !add_anchor(survey, event, event->data.scalar.anchor, &anchor)) {
            return false;
        }
        if (anchor != NULL) {
            anchor->values = 1;
        }
        return true;
    default:
        return true;
    }
}

/* Count tag directives: libyaml reads all of a document's before it returns the first event. */
static bool few_tags(const struct yaml_file *file, const struct buffer *text)
{
    unsigned count = 0;
    int line = 1;

    for (const char *at = text->bytes; at != NULL; line++) {
        if (strncmp(at, "%TAG", 4) == 0 && ++count > TAGS_MAX) {
            error_at(file->path, line, "", "more than %u tag directives ('%%TAG')", TAGS_MAX);
            return false;
        }
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    return true;
}

/* Whether the file is within bounds, up to its first syntax error, which the loader reports. */
static bool within_bounds(struct yaml_file *file, const struct buffer *text)
{
    struct survey *survey = memory_new(sizeof(*survey));
    yaml_parser_t parser;
    bool fine = few_tags(file, text);
    bool more = fine;

    survey->file = file;
    if (!yaml_parser_initialize(&parser)) {
        error_at(file->path, 0, "", "out of memory");
        return false;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text->bytes, text->length);
    while (more) {
        yaml_event_t event;

        if (!yaml_parser_parse(&parser, &event)) {
            break;
        }
        fine = see_event(survey, &event);
        more = fine && event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return fine;
}

/* ---- Reading ---- */

/* Read all of a file or pipe, up to FILE_SIZE_MAX. False after an error. */
static bool read_text(const char *path, struct buffer *text)
{
    char piece[65536];
    size_t length;
    struct stat status;
    FILE *stream = fopen(path, "rb");

    if (stream == NULL || fstat(fileno(stream), &status) != 0) {
        error_at(path, 0, "", "%s", strerror(errno));
    } else if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) {
        error_at(path, 0, "", "not a file");
    } else {
        buffer_add(text, "", 0);
        while (text->length <= FILE_SIZE_MAX &&
               (length = fread(piece, 1, sizeof(piece), stream)) != 0) {
            buffer_add(text, piece, length);
        }
        if (ferror(stream)) {
            error_at(path, 0, "", "%s", strerror(errno));
        } else if (text->length > FILE_SIZE_MAX) {
            error_at(path, 0, "", "more than %lu MiB: not a system file", FILE_SIZE_MAX >> 20);
        } else {
            fclose(stream);
            return true;
        }
    }
    if (stream != NULL) {
        fclose(stream);
    }
    return false;
}

struct yaml_file *yaml_file_load(const char *path)
{
    struct yaml_file *file = memory_new(sizeof(*file));
    struct buffer text = {0};
    yaml_parser_t parser;

    file->path = path;
    if (!read_text(path, &text) || !within_bounds(file, &text)) {
        return NULL;
    }
    if (!yaml_parser_initialize(&parser)) {
        error_at(path, 0, "", "out of memory");
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.bytes, text.length);
    bool loaded = load(file, &parser);
    yaml_parser_delete(&parser);
    return loaded ? file : NULL;
}

void yaml_files_free(void)
{
    for (size_t i = 0; i < files.count; i++) {
        yaml_document_delete(&files.items[i]->document);
    }
    files.count = 0;
}

yaml_node_t *yaml_root(struct yaml_file *file)
{
    return yaml_document_get_root_node(&file->document);
}

yaml_node_t *yaml_node(struct yaml_file *file, int index)
{
    return yaml_document_get_node(&file->document, index);
}

int yaml_line(const yaml_node_t *node)
{
    return (int)node->start_mark.line + 1;
}

const char *yaml_text(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE ||
        strlen((const char *)node->data.scalar.value) != node->data.scalar.length) {
        return NULL;
    }
    return (const char *)node->data.scalar.value;
}

bool yaml_is_null(const yaml_node_t *node)
{
    const char *text = yaml_text(node);

    return text != NULL && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

size_t yaml_pair_count(const yaml_node_t *mapping)
{
    return (size_t)(mapping->data.mapping.pairs.top - mapping->data.mapping.pairs.start);
}

size_t yaml_item_count(const yaml_node_t *sequence)
{
    return (size_t)(sequence->data.sequence.items.top - sequence->data.sequence.items.start);
}

const char *yaml_kind(const yaml_node_t *node)
{
    switch (node->type) {
    case YAML_SEQUENCE_NODE:
        return "a list";
    case YAML_MAPPING_NODE:
        return "a mapping";
    default:
        return "a value";
    }
}
