/* SPDX-License-Identifier: MIT */
/*
 * Owns the files that the second run writes, by their inodes, with the pieces that are to be explained in each, and the
 * content that each had after the last change that was seen. The tracer calls it, and at the end explain.c.
 */
#include "supervise/explain_watch.h"
#include "supervise/image.h"
#include "supervise/target.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 64, PAGE = 4096, STRANGERS_MAX = 256, STRANGER_PIECES_MAX = 4096, FOLDERS_MAX = 64 };

struct piece {
    const struct nv_explain_piece *asked;
    uint32_t number; /* in the book */
    uint32_t stack;  /* of the last change that was seen, plus 1; 0: none was */
    uint8_t content[LINE];
};

struct nv_watched {
    struct nv_watched *next;
    uint64_t device, inode;
    int view;   /* a descriptor */
    char *path; /* that it had when it was met */
    size_t count;
    struct piece *pieces; /* by offset */
};

struct nv_watch {
    struct nv_explain_book *book;
    char *const *folders;
    uint64_t devices[FOLDERS_MAX]; /* of the folders' views, once there are any */
    size_t device_count;
    struct nv_watched *files;
    size_t strangers;
};

struct nv_watch *nv_watch_new(struct nv_explain_book *book, char *const *folders)
{
    struct nv_watch *watch = calloc(1, sizeof *watch);

    if (watch) {
        watch->book = book;
        watch->folders = folders;
    }
    return watch;
}

static void forget(struct nv_watched *file)
{
    if (file->view >= 0)
        close(file->view);
    free(file->path);
    free(file->pieces);
    free(file);
}

void nv_watch_free(struct nv_watch *watch)
{
    for (struct nv_watched *file = watch ? watch->files : NULL, *next; file; file = next) {
        next = file->next;
        forget(file);
    }
    free(watch);
}

/* ---- files ---- */

/* The views are there before the program is: the tracer asks first when it runs. */
static bool on_a_view(struct nv_watch *watch, uint64_t device)
{
    struct stat status;

    for (; watch->device_count < FOLDERS_MAX && watch->folders[watch->device_count]; watch->device_count++)
        if (stat(watch->folders[watch->device_count], &status))
            return false;
        else
            watch->devices[watch->device_count] = status.st_dev;
    for (size_t i = 0; i < watch->device_count; i++)
        if (watch->devices[i] == device)
            return true;
    return false;
}

static bool take_content(const struct nv_watched *file, const struct piece *piece, uint8_t *content)
{
    memset(content, 0, LINE); /* behind the end of the file */
    return pread(file->view, content, piece->asked->length_bytes, (off_t)piece->asked->offset) >= 0;
}

/* The number of the file with that name in the book; file_count: none has it. */
static uint32_t find_name(const struct nv_explain_book *book, const char *path)
{
    uint32_t number = 0;

    while (number < book->file_count && strcmp(book->file[number], path) != 0)
        number++;
    return number;
}

static int compare_pieces(const void *left, const void *right)
{
    uint64_t a = ((const struct piece *)left)->asked->offset, b = ((const struct piece *)right)->asked->offset;

    return (a > b) - (a < b);
}

static bool is_wanted(const struct nv_explain_piece *piece, bool stranger, uint32_t number)
{
    return piece->length_bytes && (stranger || piece->file == number);
}

/*
 * The pieces of that name; of a name that is not in the book, every piece: the file may be given another name later.
 */
static bool take_pieces(struct nv_watch *watch, struct nv_watched *file, const char *path)
{
    const struct nv_explain_book *book = watch->book;
    uint32_t number = find_name(book, path);
    bool stranger = number == book->file_count;

    if (stranger && (watch->strangers == STRANGERS_MAX || book->piece_count > STRANGER_PIECES_MAX))
        return true;
    watch->strangers += stranger;
    for (uint32_t i = 0; i < book->piece_count; i++)
        file->count += is_wanted(&book->piece[i], stranger, number);
    file->pieces = calloc(file->count + 1, sizeof *file->pieces);
    if (!file->pieces)
        return false;
    for (uint32_t i = 0, at = 0; i < book->piece_count; i++)
        if (is_wanted(&book->piece[i], stranger, number))
            file->pieces[at++] = (struct piece){.asked = &book->piece[i], .number = i};
    qsort(file->pieces, file->count, sizeof *file->pieces, compare_pieces);
    for (size_t i = 0; i < file->count; i++)
        (void)take_content(file, &file->pieces[i], file->pieces[i].content);
    return true;
}

static struct nv_watched *meet(struct nv_watch *watch, pid_t thread, int fd, uint64_t device, uint64_t inode)
{
    struct nv_watched *file = calloc(1, sizeof *file);
    char path[PATH_MAX];

    if (!file || nv_target_fd_path(thread, fd, path, sizeof path)) {
        free(file);
        return NULL;
    }
    *file = (struct nv_watched){
        .device = device, .inode = inode, .view = nv_target_reopen(thread, fd), .path = strdup(path)};
    if (file->view < 0 || !file->path || !take_pieces(watch, file, path)) {
        forget(file);
        return NULL;
    }
    file->next = watch->files;
    watch->files = file;
    return file;
}

static struct nv_watched *find(const struct nv_watch *watch, uint64_t device, uint64_t inode)
{
    struct nv_watched *file = watch->files;

    while (file && (file->device != device || file->inode != inode))
        file = file->next;
    return file;
}

/* A file that is held open keeps its inode. */
struct nv_watched *nv_watch_file(struct nv_watch *watch, pid_t thread, int fd)
{
    struct nv_watched *file;
    struct statx status;
    uint64_t device;

    if (nv_target_statx(thread, fd, &status) || !S_ISREG(status.stx_mode))
        return NULL;
    device = nv_statx_device(&status);
    if (!on_a_view(watch, device))
        return NULL;
    file = find(watch, device, status.stx_ino);
    if (!file)
        file = meet(watch, thread, fd, device, status.stx_ino);
    return file && file->count ? file : NULL;
}

/* ---- stores ---- */

static uint64_t end_of(const struct piece *piece)
{
    return piece->asked->offset + piece->asked->length_bytes;
}

/* The first piece that ends behind the offset. Pieces lie in lines each: the ends ascend, too, but for strangers. */
static size_t first_behind(const struct nv_watched *file, uint64_t offset)
{
    size_t low = 0, high = file->count;
    uint64_t line = offset & ~(uint64_t)(LINE - 1);

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (file->pieces[middle].asked->offset < line)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < file->count && end_of(&file->pieces[low]) <= offset)
        low++;
    return low;
}

bool nv_watched_next(const struct nv_watched *file, uint64_t from, uint64_t to, uint64_t *page)
{
    size_t first = first_behind(file, from);

    if (first == file->count || file->pieces[first].asked->offset >= to)
        return false;
    *page = file->pieces[first].asked->offset & ~(uint64_t)(PAGE - 1);
    return true;
}

static void note(struct piece *piece, const uint8_t *content, struct nv_store *store)
{
    memcpy(piece->content, content, LINE);
    if (store && !store->known)
        store->known = store->place(store->context);
    piece->stack = store ? store->known : 0;
}

static void stored(struct nv_watched *file, uint64_t from, uint64_t to, struct nv_store *store, bool surely)
{
    for (size_t i = first_behind(file, from); i < file->count && file->pieces[i].asked->offset < to; i++) {
        struct piece *piece = &file->pieces[i];
        uint8_t content[LINE];

        if (end_of(piece) > from && take_content(file, piece, content) &&
            (surely || memcmp(content, piece->content, LINE) != 0))
            note(piece, content, store);
    }
}

void nv_watched_stored(struct nv_watched *file, uint64_t from, uint64_t to, struct nv_store *store)
{
    stored(file, from, to, store, false);
}

void nv_watched_written(struct nv_watched *file, uint64_t from, uint64_t to, struct nv_store *store)
{
    stored(file, from, to, store, true);
}

/* ---- names ---- */

bool nv_watch_has_names(const struct nv_watch *watch)
{
    for (uint32_t i = 0; i < watch->book->piece_count; i++)
        if (!watch->book->piece[i].length_bytes)
            return true;
    return false;
}

uint32_t nv_watch_name(const struct nv_watch *watch, const char *path)
{
    const struct nv_explain_book *book = watch->book;
    uint32_t number = find_name(book, path);

    for (uint32_t i = 0; i < book->piece_count && number < book->file_count; i++)
        if (!book->piece[i].length_bytes && book->piece[i].file == number)
            return i + 1;
    return 0;
}

void nv_watch_named(struct nv_watch *watch, uint32_t name, struct nv_store *store)
{
    if (!store->known)
        store->known = store->place(store->context);
    watch->book->piece[name - 1].stack = store->known;
}

/* ---- answers ---- */

/* A store that was not seen shows in the content: then the one that was seen is not the last. */
static void answer(struct nv_watch *watch, const struct nv_watched *file, uint32_t number)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct piece *piece = &file->pieces[i];
        uint8_t content[LINE];

        if (piece->asked->file == number && piece->stack && take_content(file, piece, content) &&
            !memcmp(content, piece->content, LINE))
            watch->book->piece[piece->number].stack = piece->stack;
    }
}

/* Findings name a file as the durable image does: it may have been given another name in the view since. */
static const struct nv_watched *find_path(const struct nv_watch *watch, const char *path)
{
    const struct nv_watched *file = watch->files;
    struct stat status;

    if (!stat(path, &status))
        return find(watch, status.st_dev, status.st_ino);
    while (file && strcmp(file->path, path) != 0)
        file = file->next;
    return file;
}

void nv_watch_answer(struct nv_watch *watch)
{
    for (uint32_t i = 0; i < watch->book->file_count; i++) {
        const struct nv_watched *file = find_path(watch, watch->book->file[i]);

        if (file)
            answer(watch, file, i);
    }
}
