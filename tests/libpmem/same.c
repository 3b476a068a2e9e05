/* SPDX-License-Identifier: MIT */
/*
 * Calls every function of libpmem and prints what it answers, so that two libraries can be compared line by line: what
 * may differ (addresses, the words of messages) is not printed. usage: same FOLDER ONE-STORE-IN-SO-MANY
 *         [DEVICE-DAX]
 */
#include <libpmem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define FILE_BYTES ((size_t)3 << 20)

static const char *folder;

/* The library's path below the folder; "." is the folder. */
static const char *in_folder(const char *name)
{
    static char path[512];
    if (*name == '/' || !*name)
        return name;
    snprintf(path, sizeof(path), strcmp(name, ".") == 0 ? "%s" : "%s/%s", folder, name);
    return path;
}

static void say(const char *what, long answer, int number)
{
    printf("%s: %ld", what, answer);
    if (number)
        printf(", errno %d%s", number, *pmem_errormsg() ? ", told" : "");
    putchar('\n');
}

#define SAY(call)                                                                                                      \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        long answer_ = (long)(call);                                                                                   \
        int number_ = errno;                                                                                           \
        say(#call, answer_, answer_ < 0 ? number_ : 0);                                                                \
    } while (0)

/* -- versions -- */

static void versions(void)
{
    static const unsigned asked[][2] = {{1, 0}, {1, 1}, {1, 2}, {0, 0}, {2, 0}};
    printf("at first: '%s'\n", pmem_errormsg());
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        const char *reason = pmem_check_version(asked[i][0], asked[i][1]);
        printf("version %u.%u: %s\n", asked[i][0], asked[i][1], reason && *reason ? "refused" : "served");
    }
}

/* -- pmem_map_file -- */

struct attempt {
    const char *name;
    size_t length;
    int flags;
};

static const struct attempt attempts[] = {
    {"missing", 0, 0},
    {"missing", 10, 0},
    {"missing", 0, PMEM_FILE_EXCL},
    {"missing", 0, PMEM_FILE_SPARSE},
    {"missing", PAGE, PMEM_FILE_TMPFILE},
    {"missing", 0, PMEM_FILE_TMPFILE},
    {"new", PAGE, PMEM_FILE_CREATE},
    {"new", PAGE, PMEM_FILE_CREATE | PMEM_FILE_EXCL},
    {"new", 0, 0},
    {"new", 0, PMEM_FILE_EXCL},
    {"new", 0, PMEM_FILE_SPARSE},
    {"new", 0, PMEM_FILE_CREATE},
    {"new", 1, 0},
    {"new", 5000, PMEM_FILE_CREATE},
    {"new", 0, 0},
    {"new", 1, PMEM_FILE_CREATE},
    {"new", FILE_BYTES, PMEM_FILE_CREATE | PMEM_FILE_SPARSE},
    {"new", PAGE, PMEM_FILE_CREATE | PMEM_FILE_TMPFILE},
    {"sparse", FILE_BYTES, PMEM_FILE_CREATE | PMEM_FILE_SPARSE | PMEM_FILE_EXCL},
    {"exclusive", PAGE, PMEM_FILE_CREATE | PMEM_FILE_EXCL},
    {".", PAGE, PMEM_FILE_CREATE | PMEM_FILE_TMPFILE},
    {".", PAGE, PMEM_FILE_CREATE | PMEM_FILE_TMPFILE | PMEM_FILE_EXCL},
    {".", PAGE, PMEM_FILE_CREATE | PMEM_FILE_TMPFILE | PMEM_FILE_SPARSE},
    {".", 0, PMEM_FILE_CREATE | PMEM_FILE_TMPFILE},
    {".", 0, 0},
    {".", PAGE, PMEM_FILE_CREATE},
    {"no/folder", PAGE, PMEM_FILE_CREATE},
    {"no", PAGE, PMEM_FILE_CREATE | PMEM_FILE_TMPFILE},
    {"new/file", PAGE, PMEM_FILE_CREATE},
    {"new", PAGE, PMEM_FILE_CREATE | 1 << 4},
    {"new", 0, 1 << 30},
    {"new", SIZE_MAX, PMEM_FILE_CREATE},
    {"new", (size_t)1 << 62, PMEM_FILE_CREATE},
    {"too-long", (size_t)1 << 62, PMEM_FILE_CREATE},
    {"too-long-and-gone", (size_t)1 << 62, PMEM_FILE_CREATE | PMEM_FILE_EXCL},
    {"empty", 0, 0},
    {"read-only", 0, 0},
    {"/dev/null", 0, 0},
    {"/dev/zero", PAGE, PMEM_FILE_CREATE},
    {"", 0, 0},
};

static void tell_file(const char *name)
{
    struct stat status;
    if (!*name || *name == '/' || stat(in_folder(name), &status) < 0 || !S_ISREG(status.st_mode))
        return;
    printf("    %s has %ld bytes, %s, mode %o\n", name, (long)status.st_size, status.st_blocks ? "allocated" : "sparse",
           status.st_mode & 07777u);
}

static void attempt(const struct attempt *what)
{
    size_t length = 77;
    int is_pmem = 77;
    errno = 0;
    char *base = pmem_map_file(in_folder(what->name), what->length, what->flags, 0640, &length, &is_pmem);
    printf("map '%s' of %zx with %x: %s, %zx bytes, pmem %d", what->name, what->length, what->flags,
           base ? "mapped" : "refused", length, is_pmem);
    printf(base ? "\n" : ", errno %d%s\n", errno, *pmem_errormsg() ? ", told" : "");
    tell_file(what->name);
    if (!base)
        return;
    base[0] ^= 1;
    base[length - 1] ^= 1;
    printf("    large pages %s, is_pmem %d\n",
           length < FILE_BYTES || ((uintptr_t)base & (FILE_BYTES / 3 * 2 - 1)) == 0 ? "possible" : "impossible",
           pmem_is_pmem(base, length));
    SAY(pmem_unmap(base, length));
}

static void maps(void)
{
    close(open(in_folder("empty"), O_CREAT | O_WRONLY, 0600));
    close(open(in_folder("read-only"), O_CREAT | O_WRONLY, 0400));
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
        attempt(&attempts[i]);
    char *base = pmem_map_file(in_folder("new"), FILE_BYTES, PMEM_FILE_CREATE, 0600, NULL, NULL);
    printf("without answers: %s\n", base ? "mapped" : "refused");
    SAY(pmem_unmap(base, FILE_BYTES));
}

/* -- what is known of ranges -- */

static void ranges(void)
{
    size_t length;
    char *base = pmem_map_file(in_folder("ranges"), FILE_BYTES, PMEM_FILE_CREATE, 0600, &length, NULL);
    char on_stack[64];
    if (getenv("PMEM_MMAP_HINT"))
        printf("at %p\n", (void *)base);
    SAY(pmem_is_pmem(base, length));
    SAY(pmem_is_pmem(base, length + 1));
    SAY(pmem_is_pmem(base + 5, 10));
    SAY(pmem_is_pmem(base, 0));
    SAY(pmem_is_pmem(on_stack, sizeof(on_stack)));
    SAY(pmem_msync(base, length));
    SAY(pmem_msync(base + 100, 1));
    SAY(pmem_msync(base + PAGE - 1, 2));
    SAY(pmem_msync(base, 0));
    SAY(pmem_msync(on_stack, sizeof(on_stack)));
    SAY(pmem_msync((void *)PAGE, 8));
    SAY(pmem_msync(base + length - 1, PAGE * 1000000));
    SAY(pmem_deep_drain(base, length));
    SAY(pmem_deep_drain(base, 0));
    SAY(pmem_deep_drain(on_stack, 8));
    SAY(pmem_deep_persist(base + 7, 100));
    SAY(pmem_deep_persist(NULL, 0));
    SAY(pmem_has_auto_flush());
    SAY(pmem_has_hw_drain());
    SAY(pmem_unmap(base + 1, length));
    SAY(pmem_unmap(base, 0));
    SAY(pmem_unmap(base + PAGE, PAGE));
    SAY(pmem_is_pmem(base, PAGE));
    SAY(pmem_is_pmem(base, length));
    SAY(pmem_is_pmem(base + PAGE, PAGE));
    SAY(pmem_is_pmem(base + 2 * PAGE, length - 2 * PAGE));
    SAY(pmem_unmap(base, length));
    SAY(pmem_unmap(base, length));
}

/* A call on one memory, and the same on other: flushes change nothing that can be read. */
static void flushes(char *base, size_t length)
{
    uint64_t before = 0, after = 0;
    for (size_t i = 0; i < length; i++)
        before = before * 31 + (unsigned char)base[i];
    pmem_flush(base, length);
    pmem_flush(base + 1, 1);
    pmem_flush(base + 63, 2);
    pmem_flush(base, 0);
    pmem_drain();
    pmem_deep_flush(base + 3, length - 3);
    pmem_drain();
    pmem_persist(base, length);
    pmem_persist(base + 1, 0);
    for (size_t i = 0; i < length; i++)
        after = after * 31 + (unsigned char)base[i];
    printf("flushed: %s\n", before == after ? "as it was" : "changed");
}

/* -- stores: every function, with every flag, of every small size, at every place in a line, overlapping or not -- */

#define ROOM ((size_t)16384)
#define SOURCE ((size_t)8192) /* far from the destination, in the same memory */

typedef void *copier(void *, const void *, size_t);
typedef void *flagged_copier(void *, const void *, size_t, unsigned);

static copier *const copiers[] = {pmem_memcpy_persist, pmem_memcpy_nodrain, pmem_memmove_persist, pmem_memmove_nodrain};
static flagged_copier *const flagged_copiers[] = {pmem_memcpy, pmem_memmove};

static const unsigned flag_sets[] = {
    0,
    PMEM_F_MEM_NODRAIN,
    PMEM_F_MEM_NOFLUSH,
    PMEM_F_MEM_NOFLUSH | PMEM_F_MEM_NODRAIN,
    PMEM_F_MEM_TEMPORAL,
    PMEM_F_MEM_NONTEMPORAL,
    PMEM_F_MEM_WC,
    PMEM_F_MEM_WB,
    PMEM_F_MEM_TEMPORAL | PMEM_F_MEM_NODRAIN,
    PMEM_F_MEM_NONTEMPORAL | PMEM_F_MEM_NODRAIN,
    PMEM_F_MEM_WC | PMEM_F_MEM_NODRAIN,
    PMEM_F_MEM_WB | PMEM_F_MEM_NODRAIN,
    PMEM_F_MEM_TEMPORAL | PMEM_F_MEM_NOFLUSH,
};
#define FLAG_SETS (sizeof(flag_sets) / sizeof(flag_sets[0]))

/* Few of each kind: the sizes around every width that a store may have. */
static const size_t sizes[] = {0,   1,   2,   3,   4,   5,   7,   8,   9,    12,   15,   16,   17,   24,  31,
                               32,  33,  40,  48,  56,  63,  64,  65,  72,   96,   100,  127,  128,  129, 192,
                               200, 255, 256, 257, 320, 511, 512, 520, 1000, 1024, 2047, 2048, 4095, 4096};
static const size_t places[] = {0, 1, 2, 3, 4, 7, 8, 12, 16, 24, 31, 32, 40, 56, 60, 63};
static const long distances[] = {(long)SOURCE, (long)SOURCE + 1, (long)SOURCE + 8, 1, -1, 8, -8, 24, -24, 64, -64, 100,
                                 -100};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static char expected[ROOM];

static void refill(char *base)
{
    for (size_t i = 0; i < ROOM; i++)
        base[i] = expected[i] = (char)(i * 7 + i / 251);
}

static long wrong;
static long done;
static unsigned one_in, turn;

/* Whether this store is among those to be tried. */
static bool is_its_turn(void)
{
    return ++turn % one_in == 0;
}

static void check(const char *base, const void *result, size_t place, const char *what, size_t size)
{
    done++;
    if (result == base + place && memcmp(base, expected, ROOM) == 0)
        return;
    if (wrong++ == 0)
        printf("    wrong: %s of %zu bytes at %zu\n", what, size, place);
}

static void copy_once(char *base, size_t place, size_t size, long distance, unsigned number)
{
    const size_t plain = COUNT(copiers);
    char *to = base + place;
    void *result;
    memmove(expected + place, expected + (long)place + distance, size);
    if (number < plain)
        result = copiers[number](to, to + distance, size);
    else
        result = flagged_copiers[(number - plain) / FLAG_SETS](to, to + distance, size,
                                                               flag_sets[(number - plain) % FLAG_SETS]);
    check(base, result, place, "copy", size);
}

static void fill_once(char *base, size_t place, size_t size, int value, unsigned number)
{
    char *to = base + place;
    void *result;
    memset(expected + place, value, size);
    if (number == 0)
        result = pmem_memset_persist(to, value, size);
    else if (number == 1)
        result = pmem_memset_nodrain(to, value, size);
    else
        result = pmem_memset(to, value, size, flag_sets[number - 2]);
    check(base, result, place, "fill", size);
}

static void stores(char *base)
{
    const unsigned ways = (unsigned)(COUNT(copiers) + COUNT(flagged_copiers) * FLAG_SETS);
    wrong = done = 0;
    refill(base);
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t k = 0; k < COUNT(places); k++)
            for (size_t d = 0; d < COUNT(distances); d++)
                for (unsigned n = 0; n < 3; n++)
                    if (is_its_turn())
                        copy_once(base, 256 + places[k], sizes[i], distances[d], turn / one_in % ways);
    refill(base);
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t k = 0; k < COUNT(places); k++)
            for (unsigned n = 0; n < FLAG_SETS + 2; n++)
                if (is_its_turn())
                    fill_once(base, 256 + places[k], sizes[i], (int)(turn * 37), n);
    pmem_drain();
    printf("stores: %ld, %ld wrong\n", done, wrong);
}

/* What another mapping of the file shows. */
static void shows(const char *name, const char *base)
{
    char *again = pmem_map_file(in_folder(name), 0, 0, 0, NULL, NULL);
    printf("in the file: %s\n", again && memcmp(again, base, ROOM) == 0 ? "as in memory" : "not as in memory");
    pmem_unmap(again, ROOM);
}

/* -- device DAX: as long as it is, and mapped whole -- */

static void device(const char *path)
{
    const size_t other = FILE_BYTES;
    size_t length = 0;
    int is_pmem = 0;
    char *base = pmem_map_file(path, 0, 0, 0, &length, &is_pmem);
    printf("device: %s, %zx bytes, pmem %d\n", base ? "mapped" : "refused", length, is_pmem);
    if (!base)
        return;
    SAY(pmem_is_pmem(base, length));
    stores(base);
    flushes(base, ROOM);
    SAY(pmem_msync(base, ROOM));
    SAY(pmem_deep_persist(base + 3, 1000));
    SAY(pmem_deep_drain(base, length));
    SAY(pmem_unmap(base, length));
    const struct attempt device_attempts[] = {
        {path, length, PMEM_FILE_CREATE | PMEM_FILE_SPARSE},
        {path, length, 0},
        {path, other, PMEM_FILE_CREATE},
        {path, 0, PMEM_FILE_CREATE},
        {path, 0, PMEM_FILE_EXCL},
        {path, length, PMEM_FILE_CREATE | PMEM_FILE_TMPFILE},
    };
    for (size_t i = 0; i < COUNT(device_attempts); i++)
        attempt(&device_attempts[i]);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    folder = argv[1];
    one_in = (unsigned)atoi(argv[2]);
    versions();
    maps();
    ranges();
    char *base = pmem_map_file(in_folder("stores"), ROOM, PMEM_FILE_CREATE, 0600, NULL, NULL);
    char *anonymous = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stores(base);
    shows("stores", base);
    flushes(base, ROOM);
    stores(anonymous);
    flushes(anonymous, ROOM);
    SAY(pmem_unmap(base, ROOM));
    if (argc > 3)
        device(argv[3]);
    return 0;
}
