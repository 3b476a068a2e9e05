/* SPDX-License-Identifier: MIT */
/* Owns altitudes: decimal numbers of any length, as text. Called where minifilters are put in their order. */
#include "src/io/minifilter.h"

/* A number without what does not count: zeroes at its beginning, and at the end of its fraction. */
struct number {
    const WCHAR *whole, *fraction;
    size_t whole_digits, fraction_digits;
};

static bool is_digit(WCHAR character)
{
    return character >= '0' && character <= '9';
}

static size_t digits(const WCHAR *text, size_t count)
{
    size_t found = 0;
    while (found < count && is_digit(text[found]))
        found++;
    return found;
}

static struct number number_of(PCUNICODE_STRING altitude)
{
    size_t count = altitude->Length / sizeof(WCHAR);
    size_t whole = digits(altitude->Buffer, count);
    struct number number = {altitude->Buffer, altitude->Buffer + whole, whole, 0};
    if (whole < count) {
        number.fraction++;
        number.fraction_digits = digits(number.fraction, count - whole - 1);
    }
    while (number.whole_digits && *number.whole == '0') {
        number.whole++;
        number.whole_digits--;
    }
    while (number.fraction_digits && number.fraction[number.fraction_digits - 1] == '0')
        number.fraction_digits--;
    return number;
}

static int compare(const WCHAR *one, size_t one_digits, const WCHAR *other, size_t other_digits)
{
    for (size_t i = 0; i < one_digits && i < other_digits; i++)
        if (one[i] != other[i])
            return one[i] < other[i] ? -1 : 1;
    return (one_digits > other_digits) - (one_digits < other_digits);
}

int nv_altitude_compare(PCUNICODE_STRING one, PCUNICODE_STRING other)
{
    struct number a = number_of(one), b = number_of(other);
    if (a.whole_digits != b.whole_digits)
        return a.whole_digits < b.whole_digits ? -1 : 1;
    int whole = compare(a.whole, a.whole_digits, b.whole, b.whole_digits);
    return whole ? whole : compare(a.fraction, a.fraction_digits, b.fraction, b.fraction_digits);
}

/* Digits, and perhaps a point with digits behind it. */
bool nv_altitude_is_valid(PCUNICODE_STRING altitude)
{
    size_t count = altitude->Length / sizeof(WCHAR);
    size_t whole = digits(altitude->Buffer, count);
    if (whole == count || altitude->Buffer[whole] != '.')
        return whole > 0 && whole == count;
    size_t fraction = digits(altitude->Buffer + whole + 1, count - whole - 1);
    return whole > 0 && fraction > 0 && whole + 1 + fraction == count;
}

UNICODE_STRING nv_altitude_above(PCUNICODE_STRING altitude, WCHAR *text)
{
    size_t count = digits(altitude->Buffer, altitude->Length / sizeof(WCHAR));
    size_t carry = count;
    text[0] = '0';
    for (size_t i = 0; i < count; i++)
        text[i + 1] = altitude->Buffer[i];
    while (text[carry] == '9')
        text[carry--] = '0';
    text[carry]++;
    USHORT length = (USHORT)((count + 1) * sizeof(WCHAR));
    return (UNICODE_STRING){length, length, text};
}
