#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles the same sources against mingw's own headers: so they are sources for Windows indeed, and what layout.c says
# of sizes and numbers is true there. Takes mingw's gcc, or else clang with mingw's headers. Not language.c: the
# __forceinline and __declspec of mingw are not those of Microsoft.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
headers=/usr/x86_64-w64-mingw32/include

[ -f $headers/ddk/ntddk.h ] || { echo "skipped: mingw's headers are not installed (mingw-w64-x86-64-dev)"; exit 77; }
if command -v x86_64-w64-mingw32-gcc >/dev/null; then
    compiler=(x86_64-w64-mingw32-gcc -isystem $headers/ddk)
elif command -v clang >/dev/null; then
    compiler=(clang --target=x86_64-w64-mingw32 -isystem $headers -isystem $headers/ddk)
else
    echo "skipped: neither x86_64-w64-mingw32-gcc nor clang is installed"
    exit 77
fi

check() { # SOURCE FLAG...
    "${compiler[@]}" -Wall -Wextra -Werror -Wno-unknown-pragmas -Wno-ignored-attributes -fsyntax-only \
        -include "$here/mingw_missing.h" "${@:2}" "$here/$1"
}
check block_writer.c
check log_driver.c
check layout.c
check layout.c -DLAYOUT_DRIVER
check ../file/layout.c
check ../file/layout.c -DLAYOUT_DRIVER
