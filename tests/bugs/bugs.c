/* SPDX-License-Identifier: MIT */
/* Owns the list of classes, and what their cases share. Without arguments it lists the cases; else it runs one. */
#include "tests/bugs/bugs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct bug_class *const classes[] = {&bug_class_atomics, &bug_class_drains,  &bug_class_failures,
                                                  &bug_class_flushes, &bug_class_handles, &bug_class_lines,
                                                  &bug_class_misuse,  &bug_class_names,   &bug_class_order,
                                                  &bug_class_stores,  &bug_class_waste};
#define CLASS_COUNT (sizeof classes / sizeof *classes)

void bug_check(bool ok)
{
    if (!ok)
        _exit(3);
}

void bug_flush(struct bug_file *file, size_t offset, size_t size_bytes)
{
    bug_check(RtlFlushNonVolatileMemory(file->token, file->base + offset, size_bytes, 0) == STATUS_SUCCESS);
}

void bug_begin(struct bug_file *file, size_t offset, size_t size_bytes)
{
    bug_check(RtlFlushNonVolatileMemory(file->token, file->base + offset, size_bytes,
                                        FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) == STATUS_SUCCESS);
}

void bug_drain(struct bug_file *file)
{
    bug_check(RtlDrainNonVolatileFlush(file->token) == STATUS_SUCCESS);
}

void bug_write(struct bug_file *file, size_t offset, uint64_t value)
{
    *(volatile uint64_t *)(void *)(file->base + offset) = value;
}

void bug_persist(struct bug_file *file, size_t offset, uint64_t value)
{
    bug_write(file, offset, value);
    bug_flush(file, offset, sizeof(value));
}

static struct bug_file open_file(void)
{
    struct bug_file file = {.descriptor = open("data", O_RDWR | O_CREAT | O_EXCL, 0600)};
    bug_check(file.descriptor >= 0 && ftruncate(file.descriptor, BUG_BYTES) == 0 && fsync(file.descriptor) == 0);
    file.base = mmap(NULL, BUG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0);
    bug_check(file.base != MAP_FAILED);
    bug_check(RtlGetNonVolatileToken(file.base, BUG_BYTES, &file.token) == STATUS_SUCCESS);
    return file;
}

static int run(const struct bug *bug, bool right)
{
    struct bug_file file = open_file();
    bug->run(&file, right);
    NvrtlMark("done"); /* for tests/crash/bugs: all that was written is meant to be durable by now */
    bug_check(RtlFreeNonVolatileToken(file.token) == STATUS_SUCCESS);
    return 0;
}

static int list(void)
{
    for (size_t i = 0; i < CLASS_COUNT; i++)
        for (size_t k = 0; k < classes[i]->count; k++) {
            const struct bug *bug = &classes[i]->bugs[k];
            printf("%s %s %s %s\n", classes[i]->name, bug->name, bug->rule, bug->options ? bug->options : "");
        }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 1)
        return list();
    for (size_t i = 0; argc == 4 && i < CLASS_COUNT; i++)
        for (size_t k = 0; strcmp(argv[1], classes[i]->name) == 0 && k < classes[i]->count; k++)
            if (strcmp(argv[2], classes[i]->bugs[k].name) == 0)
                return run(&classes[i]->bugs[k], strcmp(argv[3], "right") == 0);
    fprintf(stderr, "usage: bugs [CLASS NAME right|wrong]\n");
    return 2;
}
