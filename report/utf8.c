/* SPDX-License-Identifier: MIT */
/* File names are bytes: this tells which of them are text. text.c and json.c ask. */
#include "report/report.h"

size_t nv_utf8_length(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    unsigned first = at[0];
    if (first < 0x80)
        return first != 0;
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (first == 0xe0 && at[1] < 0xa0) || (first == 0xf0 && at[1] < 0x90);
    bool surrogate = first == 0xed && at[1] > 0x9f;
    bool too_large = first == 0xf4 && at[1] > 0x8f;
    return overlong || surrogate || too_large ? 0 : length;
}
