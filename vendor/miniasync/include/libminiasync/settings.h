/* SPDX-License-Identifier: BSD-3-Clause */
/* settings.h -- what the library goes by here. Since LIBMINIASYNC_1.1. */

#ifndef LIBMINIASYNC_SETTINGS_H
#define LIBMINIASYNC_SETTINGS_H

#include <stddef.h>

#include "api.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Writes as text what the copy engine found on this machine and which
 * thresholds are in force: a line for each, a name, a space, and the value;
 * miniasync_settings(3) lists them. Like snprintf(): writes at most size bytes
 * with the null character at the end, text may be NULL if size is 0, and
 * returns the length of the whole text. Never fails and never blocks.
 */
MINIASYNC_API size_t miniasync_settings(char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* LIBMINIASYNC_SETTINGS_H */
