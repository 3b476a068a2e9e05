/* SPDX-License-Identifier: MIT */
/* The lines of /proc files: long ones, the last one, and failures in the middle. */
#include "src/os/lines.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void lines_in_order(void **state)
{
    (void)state;
    static const struct fake_file files[] = {{"/f", "one\n\nthree\nno newline"}, {NULL, NULL}};
    struct nv_lines lines;
    system_begin();
    system_now.files = files;
    assert_int_equal(nv_lines_open(&lines, "/f"), 0);
    assert_string_equal(nv_lines_next(&lines), "one");
    assert_string_equal(nv_lines_next(&lines), "");
    assert_string_equal(nv_lines_next(&lines), "three");
    assert_string_equal(nv_lines_next(&lines), "no newline");
    assert_null(nv_lines_next(&lines));
    assert_int_equal(lines.error, 0);
    nv_lines_close(&lines);
    assert_int_equal(system_now.open_now, 0);
    system_end();
}

/* Many lines of 20 000 bytes, so that each crosses the buffer's end somewhere else. */
static void long_lines(void **state)
{
    (void)state;
    enum { LENGTH = 20000, COUNT = 9 };
    char *text = malloc(COUNT * (LENGTH + 1) + 1);
    for (int i = 0; i < COUNT; i++) {
        memset(text + i * (LENGTH + 1), 'a' + i, LENGTH);
        text[i * (LENGTH + 1) + LENGTH] = '\n';
    }
    text[COUNT * (LENGTH + 1)] = 0;
    struct fake_file files[] = {{"/f", text}, {NULL, NULL}};
    struct nv_lines lines;
    system_begin();
    system_now.files = files;
    assert_int_equal(nv_lines_open(&lines, "/f"), 0);
    for (int i = 0; i < COUNT; i++) {
        const char *line = nv_lines_next(&lines);
        assert_int_equal(strlen(line), LENGTH);
        assert_int_equal(line[0], 'a' + i);
        assert_int_equal(line[LENGTH - 1], 'a' + i);
    }
    assert_null(nv_lines_next(&lines));
    nv_lines_close(&lines);
    system_end();
    free(text);
}

static void too_long_a_line(void **state)
{
    (void)state;
    char *text = malloc(70001);
    memset(text, 'x', 70000);
    text[70000] = 0;
    struct fake_file files[] = {{"/f", text}, {NULL, NULL}};
    struct nv_lines lines;
    system_begin();
    system_now.files = files;
    assert_int_equal(nv_lines_open(&lines, "/f"), 0);
    assert_null(nv_lines_next(&lines));
    assert_int_equal(lines.error, -ENAMETOOLONG);
    nv_lines_close(&lines);
    system_end();
    free(text);
}

static void failures(void **state)
{
    (void)state;
    static const struct fake_file files[] = {{"/f", "one\n"}, {NULL, NULL}};
    struct nv_lines lines;
    system_begin();
    system_now.files = files;
    system_now.fail_at = 1; /* memory */
    assert_int_equal(nv_lines_open(&lines, "/f"), -ENOMEM);
    system_now.fail_at = system_now.calls + 2; /* open */
    assert_int_equal(nv_lines_open(&lines, "/f"), -EIO);
    system_now.fail_at = system_now.calls + 4; /* the second read */
    assert_int_equal(nv_lines_open(&lines, "/f"), 0);
    assert_string_equal(nv_lines_next(&lines), "one");
    assert_null(nv_lines_next(&lines));
    assert_int_equal(lines.error, -EIO);
    nv_lines_close(&lines);
    assert_int_equal(system_now.open_now, 0);
    system_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_in_order),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(too_long_a_line),
        cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
