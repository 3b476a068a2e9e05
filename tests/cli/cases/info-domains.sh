# SPDX-License-Identifier: MIT
# On a tmpfs nothing is durable; on a disk it is as durable as its page cache.
part() { nvrtl info "$1" | sed -n -e 's/^  domain/domain/p' -e '/^status/p'; }
[ "$(stat -fc %T /dev/shm)" = tmpfs ] && [ -w /dev/shm ] || { echo 'no tmpfs at /dev/shm'; exit 77; }
file=$(mktemp /dev/shm/nvrtl-test-XXXXXX)
echo data > "$file"
part "$file"
rm -f "$file"
disk=
for folder in . /var/tmp /tmp; do
    case $(stat -fc %T "$folder") in tmpfs | ramfs) ;; *) disk=$folder && break ;; esac
done
[ -n "$disk" ] || { echo 'no disk to try'; exit 77; }
file=$(mktemp "$disk/nvrtl-test-XXXXXX")
echo data > "$file"
part "$file"
rm -f "$file"
