/* SPDX-License-Identifier: Apache-2.0 */
#include "init/privileges.h"

#include <grp.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "init/syscalls.h"

/*
 * Locked: an exec as uid 0 gives no capabilities, a change of uid clears them as usual (not
 * NO_SETUID_FIXUP), nothing is kept over such a change, no ambient capability can be raised.
 */
#define LOCKED_SECUREBITS                                                                          \
    (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |                        \
     SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static int refuse(struct error *err, const char *what)
{
    int code = -errno;

    return error_set(err, code, "%s: %s", what, strerror(-code));
}

/* Past the last capability that this kernel knows prctl(2) says EINVAL. */
static int empty_bounding_set(struct error *err)
{
    for (unsigned long capability = 0; capability < 64; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
            return errno == EINVAL ? 0 : refuse(err, "the bounding set can't be emptied");
    return 0;
}

static int change_groups(const struct privileges *to, struct error *err)
{
    if (setgroups(0, NULL) == 0 || (to->rootless && errno == EPERM))
        return 0;
    return refuse(err, "supplementary groups can't be dropped");
}

/* With KEEPCAPS the permitted set lives on for privileges_reduce() to cut; exec resets the flag. */
static int change_ids(const struct privileges *to, struct error *err)
{
    int r = change_groups(to, err);

    if (r < 0)
        return r;
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return refuse(err, "capabilities can't be kept");
    if (setresgid(to->gid, to->gid, to->gid) < 0)
        return refuse(err, "the group can't be changed");
    if (setresuid(to->uid, to->uid, to->uid) < 0)
        return refuse(err, "the user can't be changed");
    return 0;
}

static void fill_sets(uint64_t mask, struct __user_cap_data_struct data[2])
{
    for (int i = 0; i < 2; i++) {
        data[i].permitted = data[i].effective = (uint32_t)(mask >> (32 * i));
        data[i].inheritable = 0;
    }
}

/* The securebits need CAP_SETPCAP, so they come while it is still there. */
static int cut_capabilities(uint64_t mask, struct error *err)
{
    struct __user_cap_data_struct data[2];
    int r;

    fill_sets(mask | UINT64_C(1) << CAP_SETPCAP, data);
    r = sys_capset(data);
    if (r < 0)
        return error_set(err, r, "capabilities can't be cut: %s", strerror(-r));
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return refuse(err, "ambient capabilities can't be cleared");
    if (prctl(PR_SET_SECUREBITS, LOCKED_SECUREBITS, 0, 0, 0) < 0)
        return refuse(err, "securebits can't be locked");
    fill_sets(mask, data);
    r = sys_capset(data);
    if (r < 0)
        return error_set(err, r, "capabilities can't be dropped: %s", strerror(-r));
    return 0;
}

static bool ids_are(const struct privileges *to)
{
    uid_t real_uid, uid, saved_uid;
    gid_t real_gid, gid, saved_gid;

    return getresuid(&real_uid, &uid, &saved_uid) == 0 &&
           getresgid(&real_gid, &gid, &saved_gid) == 0 && real_uid == to->uid && uid == to->uid &&
           saved_uid == to->uid && real_gid == to->gid && gid == to->gid && saved_gid == to->gid;
}

static bool capabilities_are(uint64_t mask)
{
    struct __user_cap_data_struct data[2], wanted[2];

    fill_sets(mask, wanted);
    return sys_capget(data) == 0 && memcmp(data, wanted, sizeof(data)) == 0;
}

/* Drop privilege, then prove that it can't come back. */
static int prove(const struct privileges *to, struct error *err)
{
    if (!ids_are(to))
        return error_set(err, -EPERM, "the ids are not what was asked for");
    if (!capabilities_are(to->capabilities))
        return error_set(err, -EPERM, "the capabilities are not what was asked for");
    if (to->uid != 0 && (setuid(0) == 0 || setgid(0) == 0))
        return error_set(err, -EPERM, "root can be had again");
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != LOCKED_SECUREBITS)
        return error_set(err, -EPERM, "the process attributes are not what was asked for");
    return 0;
}

int privileges_reduce(const struct privileges *to, struct error *err)
{
    int r = empty_bounding_set(err);

    if (r >= 0)
        r = change_ids(to, err);
    if (r >= 0)
        r = cut_capabilities(to->capabilities, err);
    if (r < 0)
        return r;
    /* A change of uid makes a process dumpable again where fs.suid_dumpable says so. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return refuse(err, "process attributes can't be set");
    return prove(to, err);
}
