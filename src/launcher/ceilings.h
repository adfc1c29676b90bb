/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;
struct launcher_config;
struct spawn_spec;

/*
 * What hoistd may ask for: the launcher's own check of a specification's meaning against what root
 * has set, whatever hoistd has checked before. Where a ceiling is set, a specification without that
 * limit, or with its "no limit", lies above it.
 *
 * Returns 0, or -EPERM with a sentence that names the value, the ceiling and its key.
 */
int ceilings_check(const struct launcher_config *config, const struct spawn_spec *spec,
                   struct error *err);
