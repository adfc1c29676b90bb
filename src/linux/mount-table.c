/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/mount-table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"

void mount_table_done(struct mount_table *table)
{
    free(table->uncovered);
    free(table->entries);
    free(table->text);
    *table = (struct mount_table){0};
}

/* Decodes the kernel's \ooo for blank, tab, newline and backslash in place. */
static void field_decode(char *field)
{
    char *to = field;

    for (const char *from = field; *from;) {
        bool octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
                     from[2] <= '7' && from[3] >= '0' && from[3] <= '7';

        if (octal) {
            *to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

/* The next field of a line, decoded; NULL at its end. */
static char *field_next(char **line)
{
    char *field = strsep(line, " ");

    if (field)
        field_decode(field);
    return field;
}

static bool numbers_parse(const char *ids, const char *device, struct mount_entry *entry)
{
    char end;

    return sscanf(ids, "%d %d%c", &entry->id, &entry->parent, &end) == 2 &&
           sscanf(device, "%u:%u%c", &entry->major, &entry->minor, &end) == 2;
}

/* "36 35 98:0 /root /target rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static int entry_parse(char *line, struct mount_entry *ret)
{
    struct mount_entry entry = {0};
    char *device = strchr(line, ' '), *field;

    device = device ? strchr(device + 1, ' ') : NULL;
    if (!device)
        return -EBADMSG;
    *device++ = '\0';
    field = field_next(&device);
    if (!field || !numbers_parse(line, field, &entry))
        return -EBADMSG;

    entry.root = field_next(&device);
    entry.target = field_next(&device);
    entry.options = field_next(&device);
    do
        field = field_next(&device);
    while (field && !text_equal(field, "-")); /* optional fields: propagation */
    entry.type = field_next(&device);
    entry.source = field_next(&device);
    entry.super_options = field_next(&device);
    if (!entry.super_options || entry.target[0] != '/')
        return -EBADMSG;

    *ret = entry;
    return 0;
}

static size_t text_count_lines(const char *text)
{
    size_t count = 1;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* By mount point; those on one point in the kernel's order. */
static int entry_compare(const void *a, const void *b)
{
    const struct mount_entry *one = *(struct mount_entry *const *)a;
    const struct mount_entry *other = *(struct mount_entry *const *)b;
    int order = strcmp(one->target, other->target);

    return order != 0 ? order : (one > other) - (one < other);
}

/*
 * Of mounts on one point the one that is seen: it is no other's parent. That needn't be the last,
 * for what comes by propagation is put below what is mounted there already (attach_recursive_mnt()
 * in the kernel's fs/namespace.c), as is what MOVE_MOUNT_BENEATH moves.
 */
static struct mount_entry *stack_top(struct mount_entry **stack, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t above = 0;

        while (above < count && (above == i - 1 || stack[above]->parent != stack[i - 1]->id))
            above++;
        if (above == count)
            return stack[i - 1];
    }
    return stack[0];
}

static int uncovered_find(struct mount_table *table)
{
    struct mount_entry **sorted = calloc(table->count + 1, sizeof(*sorted));

    table->uncovered = sorted;
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < table->count; i++)
        sorted[i] = &table->entries[i];
    qsort(sorted, table->count, sizeof(struct mount_entry *), entry_compare);
    for (size_t begin = 0, end; begin < table->count; begin = end) {
        struct mount_entry *top;

        for (end = begin + 1; end < table->count; end++)
            if (!text_equal(sorted[begin]->target, sorted[end]->target))
                break;
        top = stack_top(sorted + begin, end - begin);
        for (size_t i = begin; i < end; i++)
            sorted[i]->covered = sorted[i] != top;
        sorted[table->uncovered_count++] = top;
    }
    return 0;
}

int mount_table_parse(const char *text, struct mount_table *ret, struct error *err)
{
    _cleanup_mount_table_ struct mount_table table = {.text = strdup(text)};
    char *rest = table.text;

    table.entries = calloc(text_count_lines(text), sizeof(*table.entries));
    if (!table.text || !table.entries)
        return error_set(err, -ENOMEM, "no memory for the table of mounts");

    while (rest && *rest) {
        char *line = strsep(&rest, "\n");

        if (entry_parse(line, &table.entries[table.count]) < 0)
            return error_set(err, -EBADMSG, "line %zu of mountinfo is malformed", table.count + 1);
        table.count++;
    }
    if (uncovered_find(&table) < 0)
        return error_set(err, -ENOMEM, "no memory for the table of mounts");
    *ret = table;
    table = (struct mount_table){0};
    return 0;
}

int mount_table_read(struct mount_table *ret, struct error *err)
{
    _cleanup_free_ char *text = NULL;
    int r;

    r = file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_SIZE_MAX, &text, NULL);
    if (r < 0)
        return error_set(err, r, "can't read /proc/self/mountinfo: %s", strerror(-r));
    return mount_table_parse(text, ret, err);
}

bool path_is_below(const char *path, const char *directory)
{
    size_t size = strlen(directory);

    while (size > 0 && directory[size - 1] == '/')
        size--;
    return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* The beginning of a path. */
struct prefix {
    const char *path;
    size_t size;
};

static int prefix_compare(const void *key, const void *element)
{
    const struct prefix *prefix = key;
    const char *target = (*(struct mount_entry *const *)element)->target;
    int order = strncmp(prefix->path, target, prefix->size);

    return order != 0 ? order : -(target[prefix->size] != '\0');
}

static const struct mount_entry *uncovered_at(const struct mount_table *table, struct prefix prefix)
{
    struct mount_entry **found = bsearch(&prefix, table->uncovered, table->uncovered_count,
                                         sizeof(struct mount_entry *), prefix_compare);

    return found ? *found : NULL;
}

const struct mount_entry *mount_table_find(const struct mount_table *table, const char *path)
{
    /* The longest mount point: the path itself, then what is above it, name by name. */
    for (size_t size = strlen(path); size > 1; size--) {
        const struct mount_entry *found = NULL;

        if (path[size] == '\0' || path[size] == '/')
            found = uncovered_at(table, (struct prefix){path, size});
        if (found)
            return found;
    }
    return path[0] == '/' ? uncovered_at(table, (struct prefix){"/", 1}) : NULL;
}
