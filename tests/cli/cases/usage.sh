# SPDX-License-Identifier: MIT
nvrtl
nvrtl chek
nvrtl --verbose
nvrtl info --frobnicate
