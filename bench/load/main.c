/* SPDX-License-Identifier: Apache-2.0 */

/*
 *   hoist-load stream JOB READERS     hoist-load calls JOB COUNT PARALLEL
 *   hoist-load tail JOB COUNT         hoist-load hold JOB STREAMS
 *   hoist-load start COUNT            hoist-load pings COUNT PARALLEL
 */
#include <string.h>

#include "load.h"
#include "measure.h"

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (argc == 4 && strcmp(what, "stream") == 0)
        load_streams(argv[2], measure_number(argv[3], 1));
    else if (argc == 4 && strcmp(what, "pings") == 0)
        load_calls(NULL, measure_number(argv[2], 1), measure_number(argv[3], 1));
    else if (argc == 5 && strcmp(what, "calls") == 0)
        load_calls(argv[2], measure_number(argv[3], 1), measure_number(argv[4], 1));
    else if (argc == 3 && strcmp(what, "start") == 0)
        load_starts(measure_number(argv[2], 1));
    else if (argc == 4 && strcmp(what, "tail") == 0)
        load_tail(argv[2], measure_number(argv[3], 1));
    else if (argc == 4 && strcmp(what, "hold") == 0)
        load_hold(argv[2], measure_number(argv[3], 1));
    else
        measure_usage(
            "hoist-load stream JOB READERS | calls JOB COUNT PARALLEL | pings COUNT PARALLEL | "
            "start COUNT | tail JOB COUNT | hold JOB STREAMS");
    return 0;
}
