/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Root gets no capabilities back by an exec or a change of uid, and nobody may change that again.
 */
#define SECUREBITS                                                                                 \
    (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                               \
     SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |       \
     SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static void cap_freep(cap_t *caps)
{
    if (*caps)
        cap_free(*caps);
}

bool capability_is_effective(int capability)
{
    _cleanup_(cap_freep) cap_t caps = cap_get_proc();
    cap_flag_value_t value = CAP_CLEAR;

    return caps && cap_get_flag(caps, capability, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET;
}

/* Needs CAP_SETPCAP, which an ordinary user has not: what he can't reach he can't lose. */
static int bounding_set_drop(struct error *err)
{
    if (!capability_is_effective(CAP_SETPCAP))
        return 0;
    for (int capability = 0; cap_get_bound(capability) >= 0; capability++)
        if (cap_drop_bound(capability) < 0)
            return error_set(err, -errno, "can't drop capability %d from the bounding set: %s",
                             capability, strerror(errno));
    if (prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0) < 0)
        return error_set(err, -errno, "can't lock the securebits: %s", strerror(errno));
    return 0;
}

static int ids_set(uid_t uid, gid_t gid, struct error *err)
{
    if (capability_is_effective(CAP_SETGID) && setgroups(0, NULL) < 0)
        return error_set(err, -errno, "can't drop the supplementary groups: %s", strerror(errno));
    if (setresgid(gid, gid, gid) < 0)
        return error_set(err, -errno, "can't become group %u: %s", (unsigned)gid, strerror(errno));
    if (setresuid(uid, uid, uid) < 0)
        return error_set(err, -errno, "can't become user %u: %s", (unsigned)uid, strerror(errno));
    return 0;
}

static int capabilities_clear(struct error *err)
{
    _cleanup_(cap_freep) cap_t none = cap_init();

    if (!none || cap_set_proc(none) < 0)
        return error_set(err, -errno, "can't drop the capabilities: %s", strerror(errno));
    return 0;
}

static int privileges_prove_gone(uid_t uid, gid_t gid, struct error *err)
{
    _cleanup_(cap_freep) cap_t none = cap_init(), caps = cap_get_proc();
    uid_t uids[3];
    gid_t gids[3];

    if (!none || !caps || cap_compare(none, caps) != 0)
        return error_set(err, -EPERM, "capabilities are left after they were dropped");
    if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 || getresgid(&gids[0], &gids[1], &gids[2]) < 0)
        return error_set(err, -errno, "can't read our ids: %s", strerror(errno));
    for (int i = 0; i < 3; i++)
        if (uids[i] != uid || gids[i] != gid)
            return error_set(err, -EPERM, "an id is left after it was changed");
    if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
        return error_set(err, -EPERM, "root came back after it was given up");
    return 0;
}

int capabilities_drop(struct error *err)
{
    _cleanup_(cap_freep) cap_t none = cap_init();
    int r = bounding_set_drop(err);

    if (r >= 0)
        r = capabilities_clear(err);
    if (r >= 0) {
        _cleanup_(cap_freep) cap_t caps = cap_get_proc();

        if (!none || !caps || cap_compare(none, caps) != 0)
            return error_set(err, -EPERM, "capabilities are left after they were dropped");
    }
    return r;
}

int privileges_drop(uid_t uid, gid_t gid, struct error *err)
{
    int r;

    r = bounding_set_drop(err);
    if (r < 0)
        return r;
    r = ids_set(uid, gid, err);
    if (r < 0)
        return r;
    r = capabilities_clear(err);
    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_set(err, -errno, "can't give up privileges for good: %s", strerror(errno));
    return privileges_prove_gone(uid, gid, err);
}
