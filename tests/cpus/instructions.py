#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No instruction that a CPU may lack is outside of the functions of the tables that ask for it.

usage: instructions.py LIBRARY OBJDUMP MACHINE

Reads the library's code. Each row of RULES is a kind of instruction, and the functions that may have it, by their
names; a kind that is nowhere fails too: then this test sees nothing.
"""
import collections
import re
import subprocess
import sys

# As objdump writes them, from the mnemonic on. What came with later CPUs is a list of the likely ones.
X86_LATER = r'\b|'.join(r"""
    popcnt lzcnt tzcnt andn bextr bls(i|r|msk) bzhi mulx pdep pext rorx s(a|h)[rl]x ad[co]x crc32 movbe cmpxchg16b
    pclmul\w+ aes\w+ sha\d\w+ rd(rand|seed|pid|fsbase|gsbase) xsave\w* xrstor\w* fisttp\w* lddqu movddup movs[hl]dup
    h(add|sub)p[sd] addsubp[sd] pshufb palignr ph?(abs|sign)[bwd] ph(add|sub)\w+ pmaddubsw pmulhrsw p?blend\w+
    round[sp][sd] ptest pinsr[bdq] pextr[bdq] insertps extractps pmov[sz]x\w+ pmulld pmuldq p(min|max)(s[bd]|u[wd])
    pcmp(eqq|gtq|[ei]str[im]) packusdw mpsadbw phminposuw dpp[sd] movntdqa
""".split())
ARM_LATER = r'\b|'.join(r"""
    dc\s+cvadp ld(add|clr|set|eor|[su]max|[su]min)\w* cas\w* swp\w* ldapr\w* .*\bz\d+\.[bhsd]
""".split())
POWER_LATER = r'\b|'.join(r"""
    p(addi|li|nop|l[bhwd]\w+|st[bhwd]) setn?bcr? br[hwd] lxvp\w* stxvp\w* darn copy paste\.
""".split())
RULES = {
    'x86_64': (
        ('clwb', r'clwb\b', r'clwb'),
        ('clflushopt', r'clflushopt\b', r'clflushopt'),
        ('clzero', r'clzero\b', r'clzero|^zero_lines'),
        ('AVX', r'v[a-z]\w+\s|.*%([yz]mm|k[0-7]\b)', r'avx512'),
        ('later', X86_LATER + r'\b', None),
    ),
    'aarch64': (
        ('dc cvap', r'dc\s+cvap\b', r'cvap'),
        ('dc cvac', r'dc\s+cvac\b', r'cvac'),
        ('dc zva', r'dc\s+zva\b', r'zva'),
        ('stnp', r'stnp\b', r'stnp'),
        ('later', ARM_LATER + r'\b', None),
    ),
    'ppc64le': (
        ('dcbstps', r'(dcbstps|dcbfps|dcbf\s.*,6|phwsync|plwsync)\b', r'dcbstps'),
        ('dcbst', r'dcbst\b', r'dcbst(?!ps)'),
        ('later', POWER_LATER + r'\b', None),
    ),
}
LINE = re.compile(r'\s+[0-9a-f]+:\s+(?:(?:data16|rep[nz]*|lock|notrack|bnd|[c-g]s) )*(.*)')


def functions(library, objdump, machine):
    """(name, the text of an instruction) of all code."""
    command = [objdump, '-d', '--no-show-raw-insn', library] + (['-Mpower10'] if machine == 'ppc64le' else [])
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    name = ''
    for line in text.splitlines():
        head = re.match(r'[0-9a-f]+ <(.*)>:$', line)
        if head:
            name = head.group(1)
            continue
        match = LINE.match(line)
        if match:
            yield name, match.group(1)


def check(library, objdump, machine):
    """What is wrong, and a sum of what was seen."""
    found = collections.Counter()
    wrong = []
    for name, text in functions(library, objdump, machine):
        found['all'] += 1
        for kind, pattern, allowed in RULES[machine]:
            if not re.match(pattern, text):
                continue
            found[kind] += 1
            if not allowed or not re.search(allowed, name):
                who = f'only functions whose names match {allowed}' if allowed else 'no function'
                wrong.append(f'{name} has "{text}": {kind}, which {who} may have')
    for kind, _, allowed in RULES[machine]:
        if allowed and not found[kind]:
            wrong.append(f'no function has {kind}: this test does not see what it is to see')
    return wrong, f'{found["all"]} instructions: ' + ', '.join(f'{kind} {found[kind]}' for kind, _, _ in RULES[machine])


def main():
    wrong, summary = check(*sys.argv[1:])
    print('\n'.join(wrong[:20] + [summary]))
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
