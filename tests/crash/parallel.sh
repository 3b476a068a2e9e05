#!/bin/sh
# SPDX-License-Identifier: MIT
# One exploration spread by GNU parallel, as docs/CRASH.md shows it: the shards' reports join to that of the whole.
# usage: parallel.sh NVRTL
set -eu
nvrtl=$(realpath "$1")
command -v parallel >/dev/null || { echo "GNU parallel is not installed"; exit 77; }
command -v sqlite3 >/dev/null || { echo "sqlite3 is not installed"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir files
cat >check <<'SCRIPT'
#!/bin/sh
[ "$(sqlite3 "$1" 'pragma integrity_check' 2>&1)" = ok ] || exit 1
while read -r row; do
    [ "$(sqlite3 "$1" "select count(*) from t where a=$row" 2>&1)" = 1 ] || exit 2
done <"$NVRTL_PROMISES"
SCRIPT
chmod +x check
export HOME="$folder"

explore() {
    "$nvrtl" crash --from=run.trace --files=shop.db --recover='./check {}' --max-states=200 --format=json "$@"
}

for synchronous in OFF EXTRA; do
    rm -f files/* ./*.json run.trace
    sqlite3 files/shop.db 'create table t(a);'
    "$nvrtl" crash --dir=files --ack-fd=1 --record=run.trace -- \
        sqlite3 files/shop.db "pragma synchronous=$synchronous;" \
        'insert into t values(1); select 1;' 'insert into t values(2); select 2;' >/dev/null
    parallel --will-cite --jobs 2 -q -I@ "$nvrtl" crash --from=run.trace --files=shop.db \
        --recover='./check {}' --jobs=1 --max-states=200 --shard=@/4 --format=json --output=@.json ::: 1 2 3 4 || :
    explore --output=whole || :
    "$nvrtl" crash --format=json --output=merged --merge 1.json 2.json 3.json 4.json || :
    python3 - "$synchronous" <<'SCRIPT'
import json
import sys

whole, merged = (json.load(open(name)) for name in ('whole', 'merged'))
assert bool(whole['findings']) == (sys.argv[1] == 'OFF'), whole['summary']['verdict']
assert bool(merged['findings']) == bool(whole['findings']), merged['summary']['verdict']
assert merged['summary']['crash']['shard'] == [1, 2, 3, 4]
assert merged['summary']['crash']['states'] >= 20
SCRIPT
done
