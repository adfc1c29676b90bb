/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds every file of the directories on the command line to a fuzz harness: the corpus as an
 * ordinary test, for compilers without libFuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (16 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(const char *path)
{
    FILE *file = fopen(path, "re");
    uint8_t *data = malloc(INPUT_MAX), *exact;
    size_t size;

    if (!file || !data) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    size = fread(data, 1, INPUT_MAX, file);
    (void)fclose(file);
    exact = malloc(size > 0 ? size : 1); /* so that a read behind the end is seen */
    if (!exact)
        abort();
    memcpy(exact, data, size);
    free(data);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static unsigned feed_directory(const char *directory)
{
    DIR *listing = opendir(directory);
    struct dirent *entry;
    unsigned count = 0;
    char path[4096];

    if (!listing) {
        perror(directory);
        exit(EXIT_FAILURE);
    }
    while ((entry = readdir(listing))) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        feed(path);
        count++;
    }
    (void)closedir(listing);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++)
        count += feed_directory(argv[i]);
    printf("%u inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
