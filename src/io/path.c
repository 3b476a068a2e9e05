/* SPDX-License-Identifier: MIT */
/* Owns the way from NT names to Linux paths and back. Called for every file that is opened or renamed. */
#include "src/io/path.h"

#include "src/io/file.h"
#include "src/io/probe.h"
#include "src/os/os.h"

#include <fcntl.h>
#include <nvrtl/status.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATOR '\\'

/* -- drives -- */

static char drives_text[4096];
static const char *drives[26]; /* the folder of each letter; "" is / */

/* NVRTL_DRIVES is "D:=/mnt/d;E:=/data". What is not like that is passed over. */
static void set_drive(char *text)
{
    int letter = (text[0] | 0x20) - 'a';
    if (letter < 0 || letter >= 26 || text[1] != ':' || text[2] != '=' || text[3] != '/')
        return;
    char *folder = text + 3;
    for (size_t length = strlen(folder); length > 0 && folder[length - 1] == '/'; length--)
        folder[length - 1] = '\0';
    drives[letter] = folder;
}

__attribute__((constructor(102))) static void read_drives(void)
{
    const char *text = nv_option(NV_OPTION_DRIVES);
    char *rest = drives_text;
    drives['z' - 'a'] = "";
    if (!text || strlen(text) >= sizeof(drives_text))
        return;
    strcpy(drives_text, text);
    while (rest && *rest) {
        char *next = strchr(rest, ';');
        if (next)
            *next++ = '\0';
        set_drive(rest);
        rest = next;
    }
}

/* -- from UTF-16 to UTF-8 -- */

/* A name that is being read, and the path that is being written. */
struct reading {
    const WCHAR *next;
    const WCHAR *end;
    bool is_dos; /* the rules of drives: what Windows does not allow in a name is refused */
    struct nv_path *path;
    size_t used; /* bytes of the path's text */
};

static bool is_separator(const struct reading *reading, unsigned character)
{
    return character == SEPARATOR || (character == '/' && !reading->is_dos);
}

static bool is_forbidden(const struct reading *reading, unsigned character)
{
    return character == 0 ||
           (reading->is_dos && (character < 32 || (character < 128 && strchr("*?<>|\":/", (int)character))));
}

static NTSTATUS put(struct reading *reading, unsigned byte)
{
    if (reading->used + 1 >= NV_PATH_BYTES)
        return STATUS_NAME_TOO_LONG;
    reading->path->text[reading->used++] = (char)byte;
    return STATUS_SUCCESS;
}

/* The next character, of one or two units. False: half a pair of surrogates. */
static bool get(struct reading *reading, unsigned *character)
{
    unsigned unit = (uint16_t)*reading->next++;
    *character = unit;
    if (unit < 0xD800 || unit > 0xDFFF)
        return true;
    if (unit > 0xDBFF || reading->next == reading->end)
        return false;
    unsigned low = (uint16_t)*reading->next++;
    *character = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    return low >= 0xDC00 && low <= 0xDFFF;
}

static NTSTATUS put_character(struct reading *reading, unsigned character)
{
    static const unsigned first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    int bytes = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    NTSTATUS status = put(reading, first[bytes] | character >> (6 * (bytes - 1)));
    for (int i = bytes - 2; i >= 0 && status == STATUS_SUCCESS; i--)
        status = put(reading, 0x80 | ((character >> (6 * i)) & 0x3F));
    return status;
}

/* One part of the path, up to the next separator. Nothing leads upwards: "." and ".." are no names. */
static NTSTATUS read_part(struct reading *reading)
{
    size_t start = reading->used;
    while (reading->next < reading->end && !is_separator(reading, (uint16_t)*reading->next)) {
        unsigned character;
        if (!get(reading, &character) || is_forbidden(reading, character))
            return STATUS_OBJECT_NAME_INVALID;
        NTSTATUS status = put_character(reading, character);
        if (status != STATUS_SUCCESS)
            return status;
    }
    const char *part = reading->path->text + start;
    size_t length = reading->used - start;
    if ((length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
        return STATUS_OBJECT_NAME_INVALID;
    return STATUS_SUCCESS;
}

/* The parts, with one slash between them, and behind what is there already. */
static NTSTATUS read_parts(struct reading *reading, bool is_absolute)
{
    struct nv_path *path = reading->path;
    while (reading->next < reading->end) {
        if (is_separator(reading, (uint16_t)*reading->next)) {
            reading->next++;
            path->ends_in_separator = true;
            continue;
        }
        NTSTATUS status = STATUS_SUCCESS;
        path->ends_in_separator = false;
        if (is_absolute || reading->used)
            status = put(reading, '/');
        if (status == STATUS_SUCCESS)
            status = read_part(reading);
        if (status != STATUS_SUCCESS)
            return status;
    }
    if (reading->used == 0)
        path->text[reading->used++] = is_absolute ? '/' : '.';
    path->text[reading->used] = '\0';
    return STATUS_SUCCESS;
}

/* -- names from the root of all -- */

/* Passes over the text if the name goes on with it, in whatever case. */
static bool skip(struct reading *reading, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(reading->end - reading->next) < length)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned unit = (uint16_t)reading->next[i];
        if (unit >= 'A' && unit <= 'Z')
            unit |= 0x20;
        if (unit != (unsigned char)text[i])
            return false;
    }
    reading->next += length;
    return true;
}

static bool is_at_end_of_part(const struct reading *reading)
{
    return reading->next == reading->end || is_separator(reading, (uint16_t)*reading->next);
}

/* X: and its folder. A colon alone is the volume. */
static NTSTATUS read_drive(struct reading *reading)
{
    size_t left = (size_t)(reading->end - reading->next);
    unsigned letter = left >= 2 ? ((uint16_t)reading->next[0] | 0x20u) - 'a' : 26;
    if (letter >= 26 || (uint16_t)reading->next[1] != ':' || !drives[letter])
        return STATUS_OBJECT_PATH_NOT_FOUND;
    reading->next += 2;
    reading->is_dos = true;
    if (!is_at_end_of_part(reading))
        return STATUS_OBJECT_PATH_NOT_FOUND;
    reading->path->is_volume = reading->next == reading->end;
    reading->used = strlen(drives[letter]);
    memcpy(reading->path->text, drives[letter], reading->used);
    return read_parts(reading, true);
}

static NTSTATUS read_absolute(struct reading *reading)
{
    if (reading->next == reading->end || *reading->next != SEPARATOR)
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    if (!skip(reading, "\\??\\") && !skip(reading, "\\dosdevices\\"))
        return STATUS_OBJECT_PATH_NOT_FOUND;
    if (!skip(reading, "unix"))
        return read_drive(reading);
    return is_at_end_of_part(reading) ? read_parts(reading, true) : STATUS_OBJECT_PATH_NOT_FOUND;
}

/* -- names from a folder on -- */

static NTSTATUS read_relative(struct reading *reading)
{
    if (reading->next < reading->end && is_separator(reading, (uint16_t)*reading->next))
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    return read_parts(reading, false);
}

static struct reading begin(const WCHAR *name, size_t size_bytes, struct nv_path *path)
{
    path->root = NULL;
    path->is_volume = path->ends_in_separator = false;
    return (struct reading){.next = name, .end = name + size_bytes / sizeof(WCHAR), .path = path};
}

NTSTATUS nv_path_of_leaf(const WCHAR *name, size_t size_bytes, struct nv_path *path)
{
    struct reading reading = begin(name, size_bytes, path);
    if (size_bytes == 0 || size_bytes % sizeof(WCHAR))
        return STATUS_OBJECT_NAME_INVALID;
    NTSTATUS status = read_relative(&reading);
    if (status == STATUS_SUCCESS && (path->ends_in_separator || strchr(path->text, '/')))
        return STATUS_OBJECT_NAME_INVALID;
    return status;
}

NTSTATUS nv_path_of_name(const WCHAR *name, size_t size_bytes, HANDLE root, struct nv_path *path)
{
    struct reading reading = begin(name, size_bytes, path);
    if (size_bytes % sizeof(WCHAR))
        return STATUS_OBJECT_NAME_INVALID;
    if (!root)
        return read_absolute(&reading);
    ACCESS_MASK granted; /* for going through a folder, none is needed */
    NTSTATUS status = nv_file_reference(root, &path->root, &granted);
    if (status != STATUS_SUCCESS)
        return status;
    status = read_relative(&reading);
    if (status != STATUS_SUCCESS)
        nv_path_end(path);
    return status;
}

NTSTATUS nv_path_parse(const OBJECT_ATTRIBUTES *attributes, bool is_trusted, struct nv_path *path)
{
    UNICODE_STRING name;
    NTSTATUS status = STATUS_SUCCESS;
    if (!attributes->ObjectName)
        return STATUS_INVALID_PARAMETER;
    if (!is_trusted)
        status = nv_probe_read(attributes->ObjectName, sizeof(name));
    if (status != STATUS_SUCCESS)
        return status;
    name = *attributes->ObjectName;
    if (!is_trusted)
        status = nv_probe_read(name.Buffer, name.Length);
    if (status != STATUS_SUCCESS)
        return status;
    return nv_path_of_name(name.Buffer, name.Length, attributes->RootDirectory, path);
}

void nv_path_end(struct nv_path *path)
{
    if (path->root)
        nv_object_release(&path->root->object);
    path->root = NULL;
}

/* -- a path and its parts -- */

int nv_path_root(const struct nv_path *path)
{
    return path->root ? path->root->descriptor : AT_FDCWD;
}

void nv_path_parent(const struct nv_path *path, char parent[NV_PATH_BYTES])
{
    const char *slash = strrchr(path->text, '/');
    size_t length = slash ? (size_t)(slash - path->text) : 0;
    if (length == 0) {
        strcpy(parent, slash ? "/" : ".");
        return;
    }
    memcpy(parent, path->text, length);
    parent[length] = '\0';
}

const char *nv_path_leaf(const struct nv_path *path)
{
    const char *slash = strrchr(path->text, '/');
    return slash ? slash + 1 : path->text;
}

/* -- from UTF-8 to UTF-16 -- */

/* Linux names may be any bytes: what is no UTF-8 becomes U+FFFD. */
static unsigned decode(const unsigned char **next)
{
    static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
    unsigned character = *(*next)++;
    int more = character < 0x80 ? 0 : character < 0xC0 ? -1 : character < 0xE0 ? 1 : character < 0xF0 ? 2 : 3;
    if (more <= 0)
        return more == 0 ? character : 0xFFFD;
    character &= 0x3Fu >> more;
    for (int i = 0; i < more; i++) {
        if ((**next & 0xC0) != 0x80)
            return 0xFFFD;
        character = character << 6 | (*(*next)++ & 0x3F);
    }
    bool is_surrogate = character >= 0xD800 && character <= 0xDFFF;
    return character < least[more] || character > 0x10FFFF || is_surrogate ? 0xFFFD : character;
}

UNICODE_STRING nv_path_name(const struct nv_file *root, const char *text, WCHAR **buffer)
{
    UNICODE_STRING before = root ? root->shown.FileName : (UNICODE_STRING){0};
    size_t most = before.Length + (strlen(text) + 1) * sizeof(WCHAR);
    const unsigned char *next = (const unsigned char *)text;
    WCHAR *name = most <= UINT16_MAX ? nv_os->resize(NULL, most) : NULL;
    *buffer = name;
    if (!name)
        return (UNICODE_STRING){0};
    size_t used = before.Length / sizeof(WCHAR);
    if (used)
        memcpy(name, before.Buffer, before.Length);
    if (root && strcmp(text, ".") == 0)
        next++;
    else if (text[0] != '/' && (used == 0 || name[used - 1] != SEPARATOR))
        name[used++] = SEPARATOR;
    while (*next) {
        unsigned character = decode(&next);
        if (character > 0xFFFF) {
            name[used++] = (WCHAR)(0xD800 + ((character - 0x10000) >> 10));
            character = 0xDC00 + (character & 0x3FF);
        }
        name[used++] = character == '/' ? (WCHAR)SEPARATOR : (WCHAR)character;
    }
    return (UNICODE_STRING){(USHORT)(used * sizeof(WCHAR)), (USHORT)most, name};
}
