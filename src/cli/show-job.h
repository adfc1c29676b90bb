/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/message.h"

struct session;

/* A job for people: some lines with everything that is known, its usage as a small table. */
void show_job(const Hoist__V1__Job *job);

/* By the session's -o: the table above, or every field. 0 or a negative errno (told). */
int print_job(const struct session *session, const Hoist__V1__Job *job);

/* One line of hoist list, and the line above all of them. */
void show_job_line(const Hoist__V1__Job *job);
void show_job_heading(void);

/* "EXITED with 7", "killed by signal KILL", "ran out of memory": how it ended, in words. */
#define JOB_END_TEXT_MAX 160
const char *job_end_text(const Hoist__V1__Job *job, char text[static JOB_END_TEXT_MAX]);

/* The 36 characters of "jobs/<uuid>". */
const char *job_id(const Hoist__V1__Job *job);

/* Command and arguments as one harmless line that the caller frees; quoted where a shell would need
 * it, so that bash reads the same words from it. NULL: no memory. */
char *job_command_text(const Hoist__V1__Job *job);
