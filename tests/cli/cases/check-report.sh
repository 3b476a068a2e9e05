# SPDX-License-Identifier: MIT
echo '--- text, with what would suppress it'
nvrtl check --gen-suppressions -- program fewl | sed '/^domain [0-9]/d'
echo '--- in a file that held more'
seq 1000 > report
nvrtl check --output=report -- program fe | sed '/^domain [0-9]/d'
cat report
echo '--- suppressed by what was generated'
nvrtl check --gen-suppressions -- program few | grep -e '^not-flushed:' -e '^name-' > list
cat list
nvrtl check --suppressions=list -- program few | sed '/^domain [0-9]/d'
echo '--- json'
nvrtl check --format=json --gen-suppressions --output=report -- program fe | sed '/^domain [0-9]/d'
sed 's/"version": "[0-9.]*"/"version": "V"/' report
python3 "$cases/../../reports/findings_schema.py" report
echo '--- an output that takes nothing'
nvrtl check --output=/dev/full -- program f | sed '/^domain [0-9]/d'
