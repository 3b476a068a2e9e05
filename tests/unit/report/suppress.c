/* SPDX-License-Identifier: MIT */
/* Tests report/suppress.c: which lines are read, what they match, and that what is left out is shown. */
#include "sample.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Read `text` as a file of suppressions. */
static int read_text(struct nv_suppressions *list, const char *text, unsigned *line)
{
    char path[] = "/tmp/nvrtl-suppressions-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
    close(descriptor);
    int error = nv_suppressions_read(list, path, line);
    unlink(path);
    return error;
}

/* A report with one finding, whose stacks name append (called by main) and journal::commit. */
static struct nv_report *report_on(const char *file)
{
    struct nv_report *report = nv_report_new();
    struct nv_finding *finding = nv_sample_finding(NV_RULE_NOT_FLUSHED, file, "program", "library");
    assert_true(nv_stack_push(&finding->write_stack, "program", 1));
    assert_true(nv_sample_name(&finding->write_stack.frames[0], "append", NULL, 0));
    assert_true(nv_sample_name(&finding->write_stack.frames[1], "main", NULL, 0));
    assert_true(nv_sample_name(&finding->flush_stack.frames[0], "journal::commit", NULL, 0));
    assert_true(nv_report_add(report, finding));
    return report;
}

/* Does the line leave the finding out, and say so? */
static bool leaves_out(const char *text, const char *file)
{
    unsigned line;
    struct nv_suppressions *list = nv_suppressions_new();
    struct nv_report *report = report_on(file);
    assert_int_equal(read_text(list, text, &line), 0);
    assert_true(nv_suppressions_apply(list, report));
    bool left_out = report->finding_count == 0;
    assert_int_equal(report->left_out_count, left_out);
    nv_report_free(report);
    nv_suppressions_free(list);
    return left_out;
}

static void globs_match(void **state)
{
    (void)state;
    assert_true(leaves_out("not-flushed:data/journal.bin:append\n", "data/journal.bin"));
    assert_true(leaves_out("*:*:*", "data/journal.bin")); /* the last line needs no newline */
    assert_true(leaves_out("not-*:*.bin:*\n", "data/journal.bin"));
    assert_true(leaves_out("*:journal.bin:*\n", "data/journal.bin")); /* by name alone */
    assert_true(leaves_out("*:*:main\n", "data/journal.bin"));        /* any frame */
    assert_true(leaves_out("*:*:journal::*\n", "data/journal.bin"));  /* of either stack; colons are the function's */
    assert_true(leaves_out("*:a\\:b\\*:*\n", "a:b*"));
    assert_true(leaves_out("*:*:*\n", NULL));
    assert_false(leaves_out("not-drained:*:*\n", "data/journal.bin"));
    assert_false(leaves_out("*:*.new:*\n", "data/journal.bin"));
    assert_false(leaves_out("*:ournal.bin:*\n", "data/journal.bin"));
    assert_false(leaves_out("*:*:flush\n", "data/journal.bin"));
    assert_false(leaves_out("*:*:*z*\n", "data/journal.bin"));
    assert_false(leaves_out("*:a\\:b\\*:*\n", "a:bc"));
    assert_false(leaves_out("*:data*:*\n", NULL));
}

static void comments_and_blanks_are_nothing(void **state)
{
    (void)state;
    assert_false(leaves_out("", "data/journal.bin"));
    assert_false(leaves_out("# *:*:*\n\n   \n\t# more\r\n", "data/journal.bin"));
    assert_true(leaves_out("  *:*.bin:append \t # why\r\n", "data/journal.bin"));
    assert_true(leaves_out("*:#new#:*\n", "data/#new#")); /* inside a word it is none */
}

static void a_bad_line_tells_its_number(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
    } bad[] = {{"not-flushed\n", 1},
               {"\n# x\nnot-flushed:*\n", 3},
               {"*:*:*\n::\n", 2},
               {"*:*:\n", 1},
               {":*:*\n", 1},
               {"*::*\n", 1},
               {"*:*:*\n*:*:*\nNOT:*:*", 3},
               {"not flushed:*:*\n", 1},
               {"*\\:*:*\n", 1},
               {"*:a@0x1-0x2:f\n", 1},
               {"*:<A>a:*\n", 1},
               {"*:<A>@0x1-0x2:*\n", 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unsigned line = 0;
        struct nv_suppressions *list = nv_suppressions_new();
        assert_int_equal(read_text(list, bad[i].text, &line), -EINVAL);
        assert_int_equal(line, bad[i].line);
        nv_suppressions_free(list);
    }
}

static void a_file_that_cannot_be_read_says_why(void **state)
{
    (void)state;
    unsigned line = 7;
    struct nv_suppressions *list = nv_suppressions_new();
    assert_int_equal(nv_suppressions_read(list, "/no/such/file", &line), -ENOENT);
    assert_int_equal(line, 0);
    assert_int_equal(nv_suppressions_read(list, "/", &line), -EISDIR);
    nv_suppressions_free(list);
    nv_suppressions_free(NULL);
}

static void built_in_list_is_applied_and_shown(void **state)
{
    (void)state;
    static const char *const files[] = {"db/lock.mdb", "x.db-lock", "a/x.db-shm", "a/mylock.mdb"};
    static const char *const others[] = {"db/data.mdb", "x.db-wal", "lock", "x-lock.bin", "a-shm/b"};
    struct nv_suppressions *list = nv_suppressions_new();
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct nv_report *report = report_on(files[i]);
        assert_true(nv_suppressions_apply(list, report));
        assert_int_equal(report->finding_count, 0);
        assert_string_equal(report->left_out[0].what, files[i]);
        assert_non_null(strstr(report->left_out[0].why, "built-in suppression *:*"));
        nv_report_free(report);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct nv_report *report = report_on(others[i]);
        assert_true(nv_suppressions_apply(list, report));
        assert_int_equal(report->finding_count, 1);
        nv_report_free(report);
    }
    nv_suppressions_free(list);
}

static void the_others_stay_in_order(void **state)
{
    (void)state;
    unsigned line;
    struct nv_report *report = nv_report_new();
    static const char *const files[] = {"a", "b.tmp", "c", "d.tmp", "e"};
    for (size_t i = 0; i < 5; i++)
        assert_true(nv_report_add(report, nv_sample_finding(NV_RULE_NOT_FLUSHED, files[i], NULL, NULL)));
    struct nv_suppressions *list = nv_suppressions_new();
    assert_int_equal(read_text(list, "# t\nnot-flushed:*.tmp:*\n", &line), 0);
    assert_true(nv_suppressions_apply(list, report));
    assert_int_equal(report->finding_count, 3);
    assert_string_equal(report->findings[0]->file, "a");
    assert_string_equal(report->findings[1]->file, "c");
    assert_string_equal(report->findings[2]->file, "e");
    assert_int_equal(report->left_out_count, 2);
    assert_non_null(strstr(report->left_out[1].why, "line 2"));
    nv_suppressions_free(list);
    nv_report_free(report);
}

static void lines_that_match_nothing_are_told(void **state)
{
    (void)state;
    unsigned line;
    struct nv_report *report = report_on("data/journal.bin");
    struct nv_suppressions *list = nv_suppressions_new();
    assert_int_equal(read_text(list, "*:*.tmp:*\n*:*.bin:*\n*:journal.bin:*\nnot-drained:*:*\n", &line), 0);
    assert_true(nv_suppressions_apply(list, report));
    assert_int_equal(report->suppressed_count, 1);
    assert_non_null(strstr(report->suppressed[0]->suppressed_by, "line 2"));
    assert_int_equal(report->unused_suppression_count,
                     2); /* line 3 matches too; the built-in ones are not the user's */
    assert_non_null(strstr(report->unused_suppressions[0], "suppression *:*.tmp:* ("));
    assert_non_null(strstr(report->unused_suppressions[0], "line 1"));
    assert_non_null(strstr(report->unused_suppressions[1], "line 4"));
    nv_suppressions_free(list);
    nv_report_free(report);
}

static void what_is_generated_suppresses(void **state)
{
    (void)state;
    static const char *const files[] = {"plain",  "a:b",       "with blank ", "st*r?[x]", "back\\slash",
                                        "# hash", "new\nline", "caf\xc3\xa9", " lead",    NULL};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *lines = NULL;
        size_t size;
        struct nv_report *report = report_on(files[i]);
        FILE *out = open_memstream(&lines, &size);
        nv_suppressions_generate(report, out);
        fclose(out);
        nv_report_free(report);
        assert_non_null(strstr(lines, ":append\n"));
        assert_true(leaves_out(lines, files[i]));
        if (files[i])
            assert_false(leaves_out(lines, "another"));
        free(lines);
    }
}

/* Parts of files are no findings: they are asked for, by name and by what the file begins with. */
static void parts_of_files(void **state)
{
    static const char text[] = "*:data@0x40-0x80:*\n"
                               "not-*:<HEAD>d*@0x0-0x8:*   # made anew\n"
                               "*:other@0x1-0x2:*\n"
                               "*:data\\@0x1-0x2:*\n";
    unsigned line;
    struct nv_suppressed_part part;
    (void)state;
    struct nv_suppressions *list = nv_suppressions_new();
    assert_int_equal(read_text(list, text, &line), 0);
    assert_true(nv_suppressions_part(list, 0, "folder/data", "HEADER", 6, &part));
    assert_int_equal(part.from, 0x40);
    assert_int_equal(part.to, 0x80);
    assert_true(nv_suppressions_part(list, 1, "folder/data", "HEADER", 6, &part));
    assert_int_equal(part.to, 8);
    assert_string_equal(part.rule, "not-*");
    assert_non_null(strstr(part.why, "made anew"));
    assert_false(nv_suppressions_part(list, 2, "folder/data", "HEADER", 6, &part));
    assert_false(nv_suppressions_part(list, 1, "folder/data", "HEA", 3, &part));
    assert_true(nv_suppressions_part(list, 0, "any name", "PMEMOBJ", 8, &part));
    assert_int_equal(part.from, 0x1a20);
    assert_false(nv_suppressions_part(list, 1, "any name", "PMEMOBJ", 8, &part));
    *part.used = true;
    struct nv_report *report = report_on("data");
    assert_true(nv_suppressions_apply(list, report)); /* none of them is for findings */
    assert_int_equal(report->finding_count, 1);
    assert_int_equal(report->unused_suppression_count, 4);
    nv_report_free(report);
    nv_suppressions_free(list);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs_match),
        cmocka_unit_test(comments_and_blanks_are_nothing),
        cmocka_unit_test(a_bad_line_tells_its_number),
        cmocka_unit_test(a_file_that_cannot_be_read_says_why),
        cmocka_unit_test(built_in_list_is_applied_and_shown),
        cmocka_unit_test(the_others_stay_in_order),
        cmocka_unit_test(lines_that_match_nothing_are_told),
        cmocka_unit_test(what_is_generated_suppresses),
        cmocka_unit_test(parts_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
