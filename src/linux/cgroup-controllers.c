/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing controllers on.
 *
 * A cgroup other than the root of the hierarchy may either hold processes or hand domain
 * controllers on to its children ("no internal process" in the kernel's documentation). A service
 * with Delegate=yes starts in the very cgroup that it has to divide, so it must step into a child
 * first.
 */
#include "linux/cgroup-controllers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-tree.h"

#define CONTROLLERS_TEXT_MAX 1024 /* all controllers of today's kernels: about 60 bytes */

static const struct {
    uint32_t bit;
    const char *name;
} controllers[] = {
    {CGROUP_CONTROLLER_CPU, "cpu"},
    {CGROUP_CONTROLLER_IO, "io"},
    {CGROUP_CONTROLLER_MEMORY, "memory"},
    {CGROUP_CONTROLLER_PIDS, "pids"},
};

const char *cgroup_controller_name(uint32_t controller)
{
    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
        if (controllers[i].bit == controller)
            return controllers[i].name;
    return NULL;
}

static uint32_t controllers_parse(char *text)
{
    uint32_t mask = 0;

    for (const char *word = strsep(&text, " \n"); word; word = strsep(&text, " \n"))
        for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
            if (text_equal(word, controllers[i].name))
                mask |= controllers[i].bit;
    return mask;
}

int cgroup_controllers(int dir_fd, uint32_t *ret_available, uint32_t *ret_handed_on)
{
    char available[CONTROLLERS_TEXT_MAX], handed_on[CONTROLLERS_TEXT_MAX];
    int r;

    r = cgroup_file_read(dir_fd, "cgroup.controllers", available, sizeof(available));
    if (r < 0)
        return r;
    r = cgroup_file_read(dir_fd, "cgroup.subtree_control", handed_on, sizeof(handed_on));
    if (r < 0)
        return r;
    *ret_available = controllers_parse(available);
    *ret_handed_on = controllers_parse(handed_on);
    return 0;
}

int cgroup_hand_on(int dir_fd, uint32_t wanted)
{
    char text[64] = "";
    size_t used = 0;

    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
        if (wanted & controllers[i].bit)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s+%s", used ? " " : "",
                                     controllers[i].name);
    return used ? cgroup_file_write(dir_fd, "cgroup.subtree_control", text) : 0;
}

/* Steps into the child `leaf` of our own cgroup, out of the way of its other children. */
static int step_aside(struct cgroup_tree *tree, int own_fd, const char *leaf, struct error *err)
{
    _cleanup_free_ char *own = text_format("%s%s%s", tree->own, tree->own[0] ? "/" : "", leaf);
    _cleanup_close_ int leaf_fd = FD_NONE;
    int r;

    if (!own)
        return error_set(err, -ENOMEM, "no memory for a path");
    leaf_fd = cgroup_make(own_fd, leaf, NULL, err);
    if (leaf_fd < 0)
        return leaf_fd;
    r = cgroup_attach(leaf_fd, 0, err);
    if (r < 0)
        return r;

    free(tree->own);
    tree->own = TAKE_PTR(own);
    return 0;
}

/*
 * Hands on in one directory what it can. One controller that refuses (cpu with real-time processes
 * about: EINVAL) must not keep the others back, so each is written by itself.
 */
static int enable_in(struct cgroup_tree *tree, int fd, const char *path, uint32_t wanted,
                     const char *leaf, uint32_t *ret_handed_on, struct error *err)
{
    uint32_t available, handed_on;
    int r;

    r = cgroup_controllers(fd, &available, &handed_on);
    if (r < 0)
        return error_set(err, r, "can't read the controllers of the cgroup \"%s\": %s", path,
                         strerror(-r));

    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
        uint32_t bit = controllers[i].bit;

        if (!(wanted & available & ~handed_on & bit))
            continue;
        r = cgroup_hand_on(fd, bit);
        if (r == -EBUSY && text_equal(path, tree->own)) {
            r = step_aside(tree, fd, leaf, err);
            if (r < 0)
                return r;
            r = cgroup_hand_on(fd, bit);
        }
        if (r >= 0)
            handed_on |= bit;
    }
    *ret_handed_on = handed_on & wanted;
    return 0;
}

int cgroup_tree_enable(struct cgroup_tree *tree, const char *path, uint32_t wanted,
                       const char *leaf, uint32_t *ret_handed_on, struct error *err)
{
    _cleanup_free_ char *partial = strdup(path);
    size_t size = strlen(path);
    uint32_t handed_on = 0;

    if (!partial)
        return error_set(err, -ENOMEM, "no memory for a path");

    /* Each prefix of `path` that ends where a name ends, the empty one first. */
    for (size_t end = 0; end <= size; end++) {
        _cleanup_close_ int fd = FD_NONE;
        int r;

        if (end > 0 && path[end] != '/' && path[end] != '\0')
            continue;
        memcpy(partial, path, end);
        partial[end] = '\0';
        fd = cgroup_open(tree->fd, partial, err);
        if (fd < 0)
            return fd;
        r = enable_in(tree, fd, partial, wanted, leaf, &handed_on, err);
        if (r < 0)
            return r;
    }
    *ret_handed_on = handed_on;
    return 0;
}
