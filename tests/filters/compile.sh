#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles the sample drivers, unchanged, against an installed copy of nvrtl with the flags that pkg-config tells, as
# C and as C++; and the legacy one against mingw's headers, which have no fltkernel.h.
# Usage: compile.sh BUILD_DIR COMPILER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 compiler=$2
strict=(-Wall -Wextra -Werror -Wno-missing-field-initializers -O1 -fsyntax-only)

command -v "$compiler" >/dev/null || { echo "skipped: $compiler is not installed"; exit 77; }
if [[ $compiler == *mingw32-gcc ]]; then
    "$compiler" -isystem /usr/x86_64-w64-mingw32/include/ddk "${strict[@]}" -Wno-multichar -Wno-unknown-pragmas \
        "$here/legacy_pass.c"
    exit
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
meson install -C "$build" --no-rebuild --quiet --tags devel --destdir "$scratch/root" >"$scratch/log" ||
    { cat "$scratch/log"; exit 1; }
PKG_CONFIG_PATH=$(dirname "$(find "$scratch/root" -name nvrtl-compat.pc)")
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR=$scratch/root
read -ra flags <<<"$(pkg-config --cflags nvrtl-compat)"
language=c
[[ $compiler == *++ ]] && language=c++
for source in pass_through.c legacy_pass.c; do
    "$compiler" "${strict[@]}" "${flags[@]}" -x "$language" "$here/$source"
done
# The name of the header as Microsoft's samples have it.
sed 's/<fltkernel.h>/<fltKernel.h>/' "$here/pass_through.c" |
    "$compiler" "${strict[@]}" "${flags[@]}" -x "$language" -
