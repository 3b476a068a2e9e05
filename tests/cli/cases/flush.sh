# SPDX-License-Identifier: MIT
# Which calls each way is; that one which fails does not keep the others; and the words for each failure.
export ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" # it cannot look for leaks in a program that is traced
calls() {
    strace -qq -o calls -e trace=fsync,fdatasync,syncfs,sync_file_range,fadvise64 "$program" flush "$@" 2>&1
    echo "status $?"
    sed -e 's/(.*//' calls
}
strace -qq -o calls true 2>/dev/null || { echo 'strace cannot trace here'; exit 77; }
echo data > file
mkdir folder
touch 'odd *?<>|" name' "$(printf 'not\377UTF-8')"
calls file
calls folder
calls --no-sync file
calls --data-only file
calls --data-sync-only file
calls --data-sync-only missing file folder file
calls odd* not*
ln -s file link
calls link
echo '--- what cannot be flushed'
mkfifo fifo
ln -s nowhere dangling
nvrtl flush missing fifo /dev/null dangling file/below
echo '--- what its device says'
for status in C0000185 C000009C C000007F C000026E C00000A2 C0000001; do
    export NVRTL_FILTERS="fault:op=flush,path=*/file,status=$status"
    nvrtl flush file folder
done
unset NVRTL_FILTERS
chmod a-w file
without_rights=
[ "$(id -u)" -ne 0 ] || without_rights='setpriv --inh-caps=-all --bounding-set=-all'
$without_rights "$program" flush file folder 2>&1
echo "status $?"
