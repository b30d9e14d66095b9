/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Elements and attributes of an XML file, with the checks that each of them needs. Nothing external
 * is ever loaded, and a document type declaration (the only way to entities) is refused before it
 * is read.
 */

#include <stdbool.h>
#include <stdint.h>
#include "diag.h"
#include "file.h"

/* An element of the file. */
struct xml_element {
    struct place place;
    const char *tag;
    void *node; /* libxml2's */
};

/* Parses the file. Its root element is stored in *root. Ends the tool if it is not well-formed. */
void xml_parse(const struct file *file, struct xml_element *root);

/* Steps through the elements within `parent`: with NULL as `child->node` to the first. False behind
 * the last. Text between them is an error in the root element, and a warning in others; processing
 * instructions are nothing to us. */
bool xml_next_child(const struct xml_element *parent, struct xml_element *child);

/* Ends the tool if the element has attributes that are not in `names` (separated by spaces). */
void xml_check_attributes(const struct xml_element *element, const char *names);

/* Warns of attributes of an element that takes none. */
void xml_ignore_attributes(const struct xml_element *element);

/* Warns of what is in an element that contains nothing. */
void xml_ignore_content(const struct xml_element *element);

/* An attribute's value, or NULL if it is missing. Lives until the tool exits. */
const char *xml_attribute(const struct xml_element *element, const char *name);

/* The same for one that must be there and not empty. */
const char *xml_required(const struct xml_element *element, const char *name);

/* A number that must be there, decimal or 0x hexadecimal, from `low` to `high`. Underscores and a
 * plus sign are allowed. */
uint64_t xml_number(const struct xml_element *element, const char *name, uint64_t low,
                    uint64_t high);

/* The same for `text`, which is part of the attribute's value. */
uint64_t xml_number_of(const struct xml_element *element, const char *name, const char *text,
                       uint64_t low, uint64_t high);

/* The same; `missing` is the result without the attribute. */
uint64_t xml_number_or(const struct xml_element *element, const char *name, uint64_t low,
                       uint64_t high, uint64_t missing);

/* The same without limits, for an attribute with a message of its own: a number of more than 64
 * bits is UINT64_MAX. */
uint64_t xml_any_number_or(const struct xml_element *element, const char *name, uint64_t missing);

/* "true" or "false"; `missing` is the result without the attribute. */
bool xml_bool_or(const struct xml_element *element, const char *name, bool missing);
