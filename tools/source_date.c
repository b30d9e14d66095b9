/* SPDX-License-Identifier: BSD-2-Clause */

#include "source_date.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "diagnostics.h"

#define VARIABLE "SOURCE_DATE_EPOCH"

static uint32_t given_date(const char *text)
{
    char *end;

    errno = 0;
    unsigned long long seconds = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || seconds > UINT32_MAX) {
        error_at("braid-gen", 0, "", VARIABLE " '%.40s': seconds since 1970 belong there, up to %u",
                 text, UINT32_MAX);
        return 0;
    }
    return (uint32_t)seconds;
}

/* When a file was changed, if it was later than `date`. A file that is not there is another's
 * concern.
 */
static uint32_t later(uint32_t date, const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0 || status.st_mtime <= (time_t)date ||
        status.st_mtime > (time_t)UINT32_MAX) {
        return date;
    }
    return (uint32_t)status.st_mtime;
}

uint32_t source_date(const struct system *system)
{
    const char *given = getenv(VARIABLE);

    if (given != NULL && given[0] != '\0') {
        return given_date(given);
    }
    uint32_t date = later(later(0, system->path), system->board.path);
    for (size_t i = 0; i < system->images.count; i++) {
        date = later(date, system->images.items[i]->path);
    }
    return date;
}
