# SPDX-License-Identifier: MIT
# None of these runs anything.
nvrtl check
nvrtl check --
nvrtl check --domain=volatile -- program
nvrtl check --fs=ext4 -- program
nvrtl check --view=mirror -- program
nvrtl check --format=xml -- program
nvrtl check --error-exitcode=256 -- program
nvrtl check --error-exitcode=-1 -- program
nvrtl check --error-exitcode=9x -- program
nvrtl check --error-exitcode= -- program
nvrtl check --frobnicate -- program
nvrtl check --dir
nvrtl check --output=no/such/folder/report -- program
nvrtl check --suppressions=none -- program
printf '# mine\n\nnot-flushed:*.tmp:*\nnot-flushed\n' > bad
nvrtl check --suppressions=bad -- program
