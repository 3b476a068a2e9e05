/* SPDX-License-Identifier: MIT */
/* Owns the picture: two panels, write and fill, both axes logarithmic, one line for each contestant. */
#include "bench/machine/bench.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 1120, HEIGHT = 520, PANEL_WIDTH = 460, PANEL_HEIGHT = 340, TOP = 90, LEFT = 70, BETWEEN = 80 };

static const struct line {
    enum nv_bench_contestant contestant;
    const char *colour, *dashes, *label;
} lines[] = {
    {NV_BENCH_BARE, "#9a9a9a", "5 4", "bare instructions"},
    {NV_BENCH_LIBPMEM, "#d1622b", "none", "libpmem"},
    {NV_BENCH_NVRTL, "#1f5fa8", "none", "nvrtl"},
};
#define LINE_COUNT (sizeof lines / sizeof lines[0])

/* What the axes cover, as logarithms. */
struct scale {
    double left, right, bottom, top;
};

static bool is_in(const struct nv_bench_case *test, const char *group)
{
    return strcmp(test->group, group) == 0;
}

static bool is_drawn(const struct nv_bench_case *test)
{
    return is_in(test, "durable write") || is_in(test, "durable fill");
}

static struct scale find_scale(const struct nv_bench *bench)
{
    struct scale scale = {99, 0, 99, 0};
    for (size_t i = 0; i < bench->count; i++) {
        const struct nv_bench_case *test = &bench->cases[i];
        if (!is_drawn(test))
            continue;
        scale.left = fmin(scale.left, log2((double)test->size_bytes));
        scale.right = fmax(scale.right, log2((double)test->size_bytes));
        for (size_t k = 0; k < LINE_COUNT; k++) {
            const struct nv_bench_time *time = &test->times[lines[k].contestant];
            if (!time->measured)
                continue;
            scale.bottom = fmin(scale.bottom, log10(time->median));
            scale.top = fmax(scale.top, log10(time->median));
        }
    }
    scale.bottom = floor(scale.bottom * 5) / 5;
    scale.top = ceil(scale.top);
    return scale;
}

static double x_of(const struct scale *scale, double size_bytes)
{
    return (log2(size_bytes) - scale->left) / fmax(scale->right - scale->left, 1) * PANEL_WIDTH;
}

static double y_of(const struct scale *scale, double ns)
{
    return PANEL_HEIGHT - (log10(ns) - scale->bottom) / fmax(scale->top - scale->bottom, .1) * PANEL_HEIGHT;
}

static const char *size_name(char *text, size_t text_bytes, double size_bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB"};
    size_t unit = 0;
    for (; size_bytes >= 1024 && unit < 2; unit++)
        size_bytes /= 1024;
    snprintf(text, text_bytes, "%.0f %s", size_bytes, units[unit]);
    return text;
}

static const char *time_name(char *text, size_t text_bytes, double ns)
{
    if (ns >= 1e6)
        snprintf(text, text_bytes, "%.0f ms", ns / 1e6);
    else if (ns >= 1e3)
        snprintf(text, text_bytes, "%.0f us", ns / 1e3);
    else
        snprintf(text, text_bytes, "%.0f ns", ns);
    return text;
}

static void draw_axes(const struct scale *scale, FILE *out)
{
    char text[32];
    for (double power = scale->left; power <= scale->right; power += 3) {
        double x = x_of(scale, exp2(power));
        fprintf(out, "<line x1=\"%.1f\" y1=\"0\" x2=\"%.1f\" y2=\"%d\" stroke=\"#e4e4e4\"/>\n", x, x, PANEL_HEIGHT);
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x, PANEL_HEIGHT + 20,
                size_name(text, sizeof text, exp2(power)));
    }
    for (double decade = ceil(scale->bottom); decade <= scale->top; decade++) {
        double y = y_of(scale, pow(10, decade));
        fprintf(out, "<line x1=\"0\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#e4e4e4\"/>\n", y, PANEL_WIDTH, y);
        fprintf(out, "<text x=\"-8\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", y + 4,
                time_name(text, sizeof text, pow(10, decade)));
    }
    fprintf(out, "<rect width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#808080\"/>\n", PANEL_WIDTH, PANEL_HEIGHT);
}

static void draw_line(const struct nv_bench *bench, const char *group, const struct scale *scale,
                      const struct line *line, FILE *out)
{
    fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"%s\" points=\"",
            line->colour, line->dashes);
    for (size_t i = 0; i < bench->count; i++) {
        const struct nv_bench_case *test = &bench->cases[i];
        if (is_in(test, group) && test->times[line->contestant].measured)
            fprintf(out, "%.1f,%.1f ", x_of(scale, (double)test->size_bytes),
                    y_of(scale, test->times[line->contestant].median));
    }
    fputs("\"/>\n", out);
}

static void draw_panel(const struct nv_bench *bench, const char *group, int number, FILE *out)
{
    struct scale scale = find_scale(bench);
    fprintf(out, "<g transform=\"translate(%d,%d)\">\n", LEFT + number * (PANEL_WIDTH + BETWEEN), TOP);
    draw_axes(&scale, out);
    for (size_t i = 0; i < LINE_COUNT; i++)
        draw_line(bench, group, &scale, &lines[i], out);
    fprintf(out, "<text x=\"0\" y=\"-12\" font-weight=\"bold\">%s, time for one</text>\n", group);
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">size</text>\n</g>\n", PANEL_WIDTH / 2,
            PANEL_HEIGHT + 42);
}

static void draw_legend(FILE *out)
{
    int x = LEFT;
    for (size_t i = LINE_COUNT; i-- > 0; x += 170) {
        fprintf(out,
                "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-width=\"2\" "
                "stroke-dasharray=\"%s\"/>\n",
                x, HEIGHT - 22, x + 28, HEIGHT - 22, lines[i].colour, lines[i].dashes);
        fprintf(out, "<text x=\"%d\" y=\"%d\">%s</text>\n", x + 36, HEIGHT - 18, lines[i].label);
    }
}

/* A CPU's name is the only text that is not ours. */
static void escape(const char *text, FILE *out)
{
    for (; *text; text++) {
        if (*text == '&' || *text == '<' || *text == '>')
            fprintf(out, "&#%d;", *text);
        else if ((unsigned char)*text >= ' ' && (unsigned char)*text < 127)
            fputc(*text, out);
    }
}

void nv_bench_plot(const struct nv_bench *bench, FILE *out)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
            "font-family=\"sans-serif\" font-size=\"13\" fill=\"#202020\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    fprintf(out, "<text x=\"%d\" y=\"28\" font-size=\"17\" font-weight=\"bold\">nvrtl %s: durable on ", LEFT,
            bench->options.version);
    escape(bench->machine.cpu, out);
    fputs("</text>\n", out);
    fprintf(out,
            "<text x=\"%d\" y=\"48\" fill=\"#606060\">random places in %zu MiB, kernel table %s, medians of %u "
            "rounds</text>\n",
            LEFT, bench->options.size_bytes >> 20, bench->machine.table, bench->options.rounds);
    draw_panel(bench, "durable write", 0, out);
    draw_panel(bench, "durable fill", 1, out);
    draw_legend(out);
    fputs("</svg>\n", out);
}
