# SPDX-License-Identifier: MIT
# What reaches the supervisor.
plain() { nvrtl "$@" | grep -e '^program:' -e '^folders' -e '^globs' -e '^domain [0-9]' | sed 's/, verifier .*//'; }
plain check -- program
plain check program --domain=memory -- --help
plain check --dir=a --dir b --files='*.db' --files '*.wal' --domain=page-cache \
    --fs=posix --view=overlay --scratch /var/tmp -- program -x
plain check --domain=memory --fs=journaled --view=copy program
plain check --domain=cpu-cache --view=auto program
mkdir here
for path in here nowhere; do
    NVRTL_VERIFIER_PATH=$path nvrtl check -- program 2>/dev/null | sed -n "s|$PWD|FOLDER|; s/.*verifier/verifier/p"
done
