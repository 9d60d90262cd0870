/* SPDX-License-Identifier: BSD-3-Clause */
/* test_layout.cc -- test_layout.c again, as C++ sees the headers. */

#include "test_layout.c"
