/* SPDX-License-Identifier: BSD-3-Clause */
/* compiler.h -- what is said to the compiler alone */

#ifndef MA_COMPILER_H
#define MA_COMPILER_H

/*
 * A function that is kept apart, so that those that call it, rarely or as their
 * last deed, save no registers and make no room on the stack for it.
 */
#ifdef __GNUC__
#define MA__APART __attribute__((noinline))
#else
#define MA__APART
#endif

#endif /* MA_COMPILER_H */
