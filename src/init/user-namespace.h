/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

struct error;

/*
 * Root inside, nobody outside: becomes `uid`:`gid` and enters a new user namespace in which these
 * are 0:0 and nobody else exists (user_namespaces(7)). The namespaces that were there before belong
 * to the namespace above, so that the capabilities that come with it are rights over nothing;
 * privileges_reduce() takes them all the same. For the command's process alone, as root.
 *
 * `proc_fd`: a /proc in which this process is "self". 0 or a negative errno with a sentence.
 */
int user_namespace_enter(uid_t uid, gid_t gid, int proc_fd, struct error *err);
