#!/bin/sh
# SPDX-License-Identifier: MIT
# After a run that was no power failure the files are exactly what the program made of them: names, kinds, modes, links,
# times, contents and holes.
set -eu
. "$(dirname "$0")/lib.sh"

starting_files() {
    act write a 'I am a' write b 'I am b' write gone gone write long 0123456789
    mkdir -p folder/below/deep empty
    act write folder/inner inner write folder/below/deep/file deep
    [ $partial = yes ] || ln a hard
    ln -s a soft
    ln -s nowhere dangling
    chmod 600 b
    truncate -s 8M sparse
}

# What a program may do to files, each as one; the tree must be the same as when it is done without nvrtl.
while read -r actions; do
    case $actions in
    'whole: '*) [ $partial = no ] || continue ;;
    esac
    same 0 99 sh -c "${actions#whole: }; act write written text"
done <<'END'
mv a moved
act exchange a b
mv a tmp; mv b a; mv tmp b
whole: act exchange folder empty
whole: act exchange folder a
mv folder elsewhere
mv folder/below below; rmdir empty; mv below empty
mv folder x; mkdir folder; mv x folder/x
whole: ln b second; ln second third; rm b
whole: rm hard; echo changed >>a
rm a; echo anew >a
rm soft; ln -s b soft
rm soft; echo file now >soft
rm gone; mkdir gone; echo in >gone/in
rmdir empty; echo file now >empty
chmod 4755 a; chmod 700 folder
chmod 000 b
act truncate long 4
act truncate long 0
act truncate long 100000
act overwrite sparse 4194304 middle
truncate -s 64M new-sparse; act overwrite new-sparse 33554432 far
rm sparse; truncate -s 16M sparse
mkdir -p d/e/e/p/e/r; echo deep >d/e/e/p/e/r/file; mv d/e f
rm -r folder
rm -r folder; mkdir folder; echo new >folder/inner
mv gone 'two  words'; mv long '$(odd) "name" *'
mv gone "$(printf 'new\nline')"
whole: mv hard folder/hard; mv folder/inner inner; ln inner folder/inner
echo x >.hidden; mv a .a
END

# Times: those that the program set, and of what it did not touch.
stamp() {
    find . -type f -printf '%p %T@\n' -o -type l -printf '%p %T@\n' | sort
}
fresh
starting_files
find . -exec touch -h -d '2001-02-03 04:05:06.789' {} +
stamp >"$folder/before"
checked 99 act write new text
rm new
stamp | diff "$folder/before" - || fail 'a run changed the times of files that it did not touch'
checked 99 sh -c 'touch -d "1999-12-31 23:59:58.123456789" a; echo changed >b; touch -d "1990-01-01" b; mv long longer'
[ "$(stat -c %.9Y a)" = "$(date -d '1999-12-31 23:59:58.123456789' +%s.%N)" ] || fail 'a time that was set is not kept'
[ "$(stat -c %Y b)" = "$(date -d 1990-01-01 +%s)" ] || fail 'a time that was set after a write is not kept'
[ "$(stat -c %Y longer)" = "$(date -d '2001-02-03 04:05:06' +%s)" ] || fail 'a renamed file has another time'
touch -d 1980-01-01 folder
checked 99 sh -c "touch -d 1985-06-07 folder; act write w w"
[ "$(stat -c %Y folder)" = "$(date -d 1985-06-07 +%s)" ] || fail 'the time of a folder is not kept'

# Holes stay holes.
fresh
starting_files
checked 99 sh -c 'truncate -s 1G huge; act overwrite huge 500000000 island'
[ "$(stat -c %s huge)" = 1073741824 ] || fail 'a sparse file has another size'
[ "$(stat -c %b huge)" -lt 1000 ] || fail "a sparse file takes $(stat -c %b huge) blocks"
[ "$(stat -c %b sparse)" -lt 1000 ] || fail "a sparse file that was there takes $(stat -c %b sparse) blocks"
