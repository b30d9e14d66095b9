/* SPDX-License-Identifier: BSD-2-Clause */
#include "yaml_file.h"
#include "diagnostics.h"
#include "memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A system file has a few hundred lines; this stops a mistaken /dev/zero or disk image. */
#define FILE_SIZE_MAX (64L << 20)

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

/* Open what is a file of a fitting size, or a pipe; NULL after an error. */
static FILE *open_text(const char *path)
{
    struct stat status;
    FILE *stream = fopen(path, "rb");

    if (stream == NULL) {
        error_at(path, 0, "", "%s", strerror(errno));
        return NULL;
    }
    if (fstat(fileno(stream), &status) != 0) {
        error_at(path, 0, "", "%s", strerror(errno));
    } else if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) {
        error_at(path, 0, "", "not a file");
    } else if (status.st_size > FILE_SIZE_MAX) {
        error_at(path, 0, "", "more than %ld MiB: not a system file", FILE_SIZE_MAX >> 20);
    } else {
        return stream;
    }
    fclose(stream);
    return NULL;
}

struct yaml_file *yaml_file_load(const char *path)
{
    struct yaml_file *file = memory_new(sizeof(*file));
    yaml_parser_t parser;

    file->path = path;
    FILE *stream = open_text(path);
    if (stream == NULL) {
        return NULL;
    }
    if (!yaml_parser_initialize(&parser)) {
        error_at(path, 0, "", "out of memory");
        fclose(stream);
        return NULL;
    }
    yaml_parser_set_input_file(&parser, stream);
    bool loaded = load(file, &parser);
    yaml_parser_delete(&parser);
    fclose(stream);
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
