/* SPDX-License-Identifier: MIT */
/*
 * Owns the functions on counted strings that drivers use. Called by drivers and filters, and for altitudes and names.
 */
#include <nvrtl/kernel.h>
#include <string.h>

/* Letters that differ from their capitals by a number. */
static const struct {
    WCHAR first, last;
    USHORT less; /* its capital is so much less */
} letters[] = {
    {0x0061, 0x007a, 32},                       /* ASCII */
    {0x00e0, 0x00f6, 32},                       /* Latin-1, on both sides of the division sign */
    {0x00f8, 0x00fe, 32}, {0x03b1, 0x03c1, 32}, /* Greek, on both sides of the final sigma */
    {0x03c3, 0x03cb, 32}, {0x0430, 0x044f, 32}, /* Cyrillic */
    {0x0450, 0x045f, 80},
};

static WCHAR capital(WCHAR character)
{
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if (character >= letters[i].first && character <= letters[i].last)
            return (WCHAR)(character - letters[i].less);
    return character;
}

WCHAR RtlUpcaseUnicodeChar(WCHAR SourceCharacter)
{
    return capital(SourceCharacter);
}

static void terminate(PUNICODE_STRING string)
{
    if ((size_t)string->Length + sizeof(WCHAR) <= string->MaximumLength)
        string->Buffer[string->Length / sizeof(WCHAR)] = 0;
}

VOID RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString)
{
    USHORT length = SourceString ? SourceString->Length : 0;
    if (length > DestinationString->MaximumLength)
        length = (USHORT)(DestinationString->MaximumLength & ~(sizeof(WCHAR) - 1));
    DestinationString->Length = length;
    if (length)
        memmove(DestinationString->Buffer, SourceString->Buffer, length);
    terminate(DestinationString);
}

static NTSTATUS append(PUNICODE_STRING destination, const WCHAR *text, size_t length_bytes)
{
    if (length_bytes > (size_t)(destination->MaximumLength - destination->Length))
        return STATUS_BUFFER_TOO_SMALL;
    if (length_bytes)
        memmove(destination->Buffer + destination->Length / sizeof(WCHAR), text, length_bytes);
    destination->Length = (USHORT)(destination->Length + length_bytes);
    terminate(destination);
    return STATUS_SUCCESS;
}

NTSTATUS RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
    return append(Destination, Source->Buffer, Source->Length);
}

NTSTATUS RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source)
{
    size_t count = 0;
    while (Source && Source[count])
        count++;
    return append(Destination, Source, count * sizeof(WCHAR));
}

static LONG compare(const WCHAR *one, const WCHAR *other, size_t count, BOOLEAN any_case)
{
    for (size_t i = 0; i < count; i++) {
        LONG difference = any_case ? capital(one[i]) - capital(other[i]) : one[i] - other[i];
        if (difference)
            return difference;
    }
    return 0;
}

LONG RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    USHORT shorter = String1->Length < String2->Length ? String1->Length : String2->Length;
    LONG difference = compare(String1->Buffer, String2->Buffer, shorter / sizeof(WCHAR), CaseInSensitive);
    return difference ? difference : String1->Length - String2->Length;
}

BOOLEAN RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    return String1->Length == String2->Length && RtlCompareUnicodeString(String1, String2, CaseInSensitive) == 0;
}

BOOLEAN RtlPrefixUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    return String1->Length <= String2->Length &&
           compare(String1->Buffer, String2->Buffer, String1->Length / sizeof(WCHAR), CaseInSensitive) == 0;
}
