/* SPDX-License-Identifier: BSD-3-Clause */
/* version.h -- which libminiasync this is. Since LIBMINIASYNC_1.1. */

#ifndef LIBMINIASYNC_VERSION_H
#define LIBMINIASYNC_VERSION_H

#include "api.h"

/* The version of these headers; CMakeLists.txt reads it from here. */
#define MINIASYNC_VERSION "0.3.0"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library in use, a constant string. Never blocks. */
MINIASYNC_API const char *miniasync_version(void);

#ifdef __cplusplus
}
#endif

#endif /* LIBMINIASYNC_VERSION_H */
