/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;
struct launcher;
struct launcher_config;
struct spawn_context;

/*
 * launcher.conf read again while the launcher runs: command line and file are taken as a whole or,
 * where anything in them isn't in order, not at all. A file that was there has to be there.
 *
 * What it says of jobs (ceilings, profiles, what is hidden) holds for those that are started from
 * then on, what it says of hoistd for the next one. What the launcher and the jobs that run have
 * been built on (config_keep()) stays as it was at the start, and the log names it. On success
 * hoistd has to be told: launcher->facts are others.
 */
int launcher_reload(struct launcher *launcher, struct error *err);

/* What both the start and a reload make of a configuration. */
int launcher_make_context(const struct launcher_config *config, struct spawn_context *predecessor,
                          struct spawn_context **ret, struct error *err);
