/* SPDX-License-Identifier: MIT */
/* Stands for the real libpmemobj while pmemobj.c is linked, which needs its name alone. Nobody calls it. */
typedef int nv_pmemobj_is_elsewhere;
