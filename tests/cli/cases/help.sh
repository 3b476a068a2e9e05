# SPDX-License-Identifier: MIT
nvrtl --help
nvrtl check --help
nvrtl info --help
