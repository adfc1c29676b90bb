/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/access.h"

#include <stddef.h>
#include <string.h>

#include "api/error.h"
#include "base/cleanup.h"

struct role {
    const char *name;
    enum scope scopes[_PERMISSION_MAX];
};

static const struct role roles[] = {
    {
        "admin",
        {
            [PERMISSION_NONE] = SCOPE_ALL,
            [PERMISSION_INFO] = SCOPE_ALL,
            [PERMISSION_SEE] = SCOPE_ALL,
            [PERMISSION_READ] = SCOPE_ALL,
            [PERMISSION_START] = SCOPE_ALL,
            [PERMISSION_STOP] = SCOPE_ALL,
            [PERMISSION_PROFILE] = SCOPE_ALL,
        },
    },
    {
        "user",
        {
            [PERMISSION_NONE] = SCOPE_ALL,
            [PERMISSION_INFO] = SCOPE_ALL,
            [PERMISSION_SEE] = SCOPE_OWN,
            [PERMISSION_READ] = SCOPE_OWN,
            [PERMISSION_START] = SCOPE_OWN,
            [PERMISSION_STOP] = SCOPE_OWN,
        },
    },
};

static const struct role *role_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
        if (strcmp(roles[i].name, name) == 0)
            return &roles[i];
    return NULL;
}

const char *role_known(const char *role)
{
    const struct role *found = role_find(role);

    return found ? found->name : NULL;
}

enum scope role_scope(const char *role, enum permission permission)
{
    const struct role *found = role_find(role);

    if (permission == PERMISSION_NONE)
        return SCOPE_ALL;
    return found ? found->scopes[permission] : SCOPE_NOTHING;
}

int access_refuse(const char *principal, const char *role, enum permission permission,
                  struct api_error *ret)
{
    int r;

    if (role[0] == 0)
        r = api_error_set(ret, HOIST__V1__REASON__REASON_NO_ROLE,
                          "the certificate of %s names no role; have one issued with O=user or "
                          "O=admin",
                          principal);
    else
        r = api_error_set(ret, HOIST__V1__REASON__REASON_NO_ROLE,
                          "the role \"%s\" of %s may not do this; O=user or O=admin may", role,
                          principal);
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
        if (roles[i].scopes[permission] != SCOPE_NOTHING)
            api_error_add(ret, roles[i].name, "may do this");
    return r;
}
