/* SPDX-License-Identifier: MIT */
/*
 * What the clients of this folder have in common. Each writes rows 1, 2, 3 and so on, and prints "row N" when the row
 * is there to stay; its own check then looks at what a power failure left: what was printed must be there, nothing else
 * than what was written may be, and no row without those before it.
 */
#ifndef PROMISES_H
#define PROMISES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES 700

/* More than a sector, and different in each row from its first to its last byte. */
static inline void value_of(unsigned row, char *text)
{
    uint32_t state = row * 2654435761u + 1;

    for (int i = 0; i < VALUE_BYTES; i++) {
        state = state * 1664525u + 1013904223u;
        text[i] = (char)('a' + (state >> 24) % 26);
    }
}

static inline void promise(unsigned row)
{
    printf("row %u\n", row);
    fflush(stdout);
}

/* The last row that was promised; 0: none was. */
static inline unsigned promised(void)
{
    const char *path = getenv("NVRTL_PROMISES");
    FILE *file = path ? fopen(path, "re") : NULL;
    unsigned row, last = 0;
    char line[80];

    if (!file) {
        fprintf(stderr, "NVRTL_PROMISES cannot be read\n");
        exit(2);
    }
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "row %u", &row) == 1 && row > last)
            last = row;
    fclose(file);
    return last;
}

/* Recovery has failed. */
static inline void lost(const char *what, unsigned row)
{
    fprintf(stderr, "%s %u\n", what, row);
    exit(1);
}

static inline void expect_value(unsigned row, const void *bytes, size_t length)
{
    char text[VALUE_BYTES];

    value_of(row, text);
    if (length != sizeof text || memcmp(bytes, text, sizeof text) != 0)
        lost("another value than was written in row", row);
}

/* `rows` rows from 1 on were found. */
static inline int judge(unsigned rows)
{
    if (rows < promised())
        lost("lost is the promised row", rows + 1);
    return 0;
}

/* NAME write MODE PATH ROWS, or NAME check PATH. */
static inline int run(int argc, char **argv, int (*write_rows)(const char *mode, const char *path, unsigned rows),
                      int (*check)(const char *path))
{
    if (argc == 5 && strcmp(argv[1], "write") == 0)
        return write_rows(argv[2], argv[3], (unsigned)atoi(argv[4]));
    if (argc == 3 && strcmp(argv[1], "check") == 0)
        return check(argv[2]);
    return 2;
}

#endif
