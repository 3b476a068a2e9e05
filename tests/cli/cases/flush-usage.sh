# SPDX-License-Identifier: MIT
nvrtl flush --help
nvrtl flush
nvrtl flush --data-only --no-sync file
nvrtl flush --purge file
