/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;

/*
 * What hoistd gives up before it meets the network: it checks that it is neither root nor holds a
 * capability (unless the launcher runs rootless, and is its user), can't be dumped or traced,
 * leaves no core, takes no new privileges, and makes private files only. Everything that it
 * inherits from whoever started the launcher is set, not trusted.
 */
int confine_self(struct error *err);
