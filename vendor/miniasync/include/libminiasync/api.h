/* SPDX-License-Identifier: BSD-3-Clause */
/* api.h -- how the library's functions are exported. */

#ifndef LIBMINIASYNC_API_H
#define LIBMINIASYNC_API_H

/*
 * A program that links the static library defines MINIASYNC_STATIC (the CMake
 * target does), so that a shared object made from it does not export our names
 * a second time.
 */
#if !defined(MINIASYNC_STATIC) && defined(__GNUC__)
#define MINIASYNC_API __attribute__((visibility("default")))
#else
#define MINIASYNC_API
#endif

#endif /* LIBMINIASYNC_API_H */
