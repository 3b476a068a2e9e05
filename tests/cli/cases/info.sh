# SPDX-License-Identifier: MIT
# The CPU's part and the reasons vary from machine to machine.
part() {
    nvrtl info "$@" | sed -e '/^nvrtl [0-9]/d' -e '/^CPU kernels/d' \
        -e '/^  [a-z0-9-]* *\(in force\|available\|not on this CPU\)/d' \
        -e 's/^  why  *..*/  why         REASON/'
}
nvrtl info | sed -n -e '1s/[0-9].*/VERSION/p' -e '/^CPU kernels/p' -e 's/.*in force.*/one in force/p' -e '/^status/p'
head -c 10000 /dev/zero > ten-thousand
head -c 1 /dev/zero > one
: > empty
part missing
part empty
part .
part /dev/null
for domain in memory cpu-cache page-cache volatile; do
    echo "--- $domain"
    NVRTL_DOMAIN=$domain part ten-thousand one | grep -v 'write back  cl'
done
echo '--- the others are served'
NVRTL_DOMAIN=memory part missing one empty
ls -l | awk 'NR > 1 { print $5, $9 }'
NVRTL_CPU=generic nvrtl info | grep -c 'generic  *in force: NVRTL_CPU names it'
NVRTL_CPU=z80 nvrtl info | grep NVRTL_CPU
echo '--- filters'
filters() {
    NVRTL_FILTERS=$1 nvrtl info | sed -n '/^Filters/,$p'
}
filters ' trace:file=t; fault:op=flush+write,path=*.db,nth=3,status=c0000185,sticky;'
for wrong in tracer 'trace' 'trace:file=' 'fault:op=close' 'fault:op=flush+' 'fault:nth=0' 'fault:nth=1x' \
    'fault:status=0' 'fault:status=1C0000185' 'fault:sticky=yes' 'fault:path=' 'fault:pth=a' \
    'trace:file=t;fault:once'; do
    filters "$wrong" | tail -n +3
done
ls t 2>&1
