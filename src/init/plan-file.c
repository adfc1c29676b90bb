/* SPDX-License-Identifier: Apache-2.0 */
#include "init/plan-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"

/* Sealed, so that what was checked is what is executed. */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int plan_file_map(struct plan_file *ret, struct error *err)
{
    int seals = fcntl(PLAN_FD_PLAN, F_GET_SEALS), r;
    struct plan_file file = {.size = 0};
    struct stat status;

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(PLAN_FD_PLAN, &status) < 0)
        return error_set(err, -EPROTO, "the plan is not a sealed memory file");
    if (status.st_size <= 0 || status.st_size > PLAN_SIZE_MAX)
        return error_set(err, -EPROTO, "the plan is empty or too long");
    file.size = (size_t)status.st_size;
    file.mapping = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, PLAN_FD_PLAN, 0);
    if (file.mapping == MAP_FAILED)
        return error_set(err, -errno, "the plan can't be mapped: %s", strerror(errno));
    r = plan_read(file.mapping, file.size, &file.plan, err);
    if (r < 0) {
        plan_file_unmap(&file);
        return r;
    }
    *ret = file;
    return 0;
}

void plan_file_unmap(struct plan_file *file)
{
    (void)munmap(file->mapping, file->size);
}
