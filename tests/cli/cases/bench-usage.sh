# SPDX-License-Identifier: MIT
# None of these measures anything.
nvrtl bench --help
nvrtl bench --rounds=0
nvrtl bench --rounds=many
nvrtl bench --size=1K
nvrtl bench --size=8X
nvrtl bench --size=99999999999G
nvrtl bench --seed=-1
nvrtl bench --cpu=first
nvrtl bench --format=xml
nvrtl bench --frobnicate
nvrtl bench more
nvrtl bench --quick --plot=no/such/folder/plot.svg
nvrtl bench --quick --dir=no/such/folder
nvrtl bench --quick --dir=/dev/shm
