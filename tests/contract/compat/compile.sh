#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles the Windows sources of this folder, unchanged, against an installed copy of nvrtl, with the flags that
# pkg-config tells and nothing else, and runs them. Usage: compile.sh BUILD_DIR SHARED_LIBRARY c|c++ COMPILER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 shared=$(realpath "$2") language=$3 compiler=$4

command -v "$compiler" >/dev/null || { echo "skipped: $compiler is not installed"; exit 77; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Only what is for development: the rest of what is installed need not be built for this test.
meson install -C "$build" --no-rebuild --quiet --tags devel --destdir "$scratch/root" >"$scratch/log" ||
    { cat "$scratch/log"; exit 1; }
config=$(dirname "$(find "$scratch/root" -name nvrtl-compat.pc)")
library=$(dirname "$config")
cp "$shared" "$library/libnvrtl.so.0"
export PKG_CONFIG_PATH=$config PKG_CONFIG_SYSROOT_DIR=$scratch/root

read -ra flags <<<"$(pkg-config --cflags nvrtl-compat)"
read -ra libraries <<<"$(pkg-config --libs nvrtl-compat)"
strict=(-Wall -Wextra -Werror -Wno-unknown-pragmas -O1)

objects=()
compile() { # OBJECT SOURCE FLAG...
    "$compiler" "${strict[@]}" -x "$language" -c -o "$scratch/$1" "$here/$2" "${@:3}"
    objects+=("$scratch/$1")
}
compile block_writer.o block_writer.c "${flags[@]}"
compile log_driver.o log_driver.c "${flags[@]}"
compile language.o language.c "${flags[@]}"
compile layout_program.o layout.c "${flags[@]}"
compile layout_driver.o layout.c -DLAYOUT_DRIVER "${flags[@]}"
compile harness.o harness.c -D_GNU_SOURCE
"$compiler" -o "$scratch/harness" "${objects[@]}" "${libraries[@]}"

# Each header stands alone, and lets the standard headers that come after it alone.
standard='#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n#include <pthread.h>\n#include <sys/mman.h>\n'
if [ "$language" = c++ ]; then
    standard+='#include <algorithm>\n#include <string>\n#include <vector>\n#include <atomic>\n#include <thread>\n'
fi
for header in "$(pkg-config --variable=includedir nvrtl-compat)"/nvrtl/compat/*.h; do
    name=$(basename "$header")
    printf "#include <$name>\n$standard#include <$name>\nint main(void) { return 0; }\n" |
        "$compiler" "${strict[@]}" "${flags[@]}" -x "$language" -fsyntax-only -
    echo "$name" >>"$scratch/headers"
done
[ "$(sort -u "$scratch/headers" | wc -l)" -ge 8 ] ||
    { echo "the headers were not found in the installed tree"; exit 1; }

# Without -fshort-wchar the headers refuse, and say what to do.
read -ra include_only <<<"${flags[*]/-fshort-wchar/}"
if "$compiler" "${include_only[@]}" -x "$language" -fsyntax-only "$here/layout.c" 2>"$scratch/refusal"; then
    echo "the headers accepted a wchar_t of four bytes"
    exit 1
fi
grep -q 'pkg-config --cflags nvrtl-compat' "$scratch/refusal" || { cat "$scratch/refusal"; exit 1; }

# An unknown __declspec is an error that shows it.
printf '#include <winnt.h>\n__declspec(unheard_of) int x;\n' >"$scratch/unknown.c"
if "$compiler" "${flags[@]}" -x "$language" -fsyntax-only "$scratch/unknown.c" 2>"$scratch/refusal"; then
    echo "an unknown __declspec was swallowed"
    exit 1
fi
grep -q unheard_of "$scratch/refusal" || { cat "$scratch/refusal"; exit 1; }

cd "$scratch"
LD_LIBRARY_PATH=$library ./harness
