/* SPDX-License-Identifier: MIT */
/* The page that a report is put into, made of page/ when nvrtl is built. */
#ifndef NV_PAGE_H
#define NV_PAGE_H

extern const char nv_page_head[], nv_page_tail[];

#endif
