/* SPDX-License-Identifier: BSD-3-Clause */
/* _miniasync_files.h -- what copies between maps of files need from C */

#ifndef MINIASYNC_FILES_H
#define MINIASYNC_FILES_H

#include <stddef.h>

/* The index of the first byte that differs, or n if there is none. */
size_t ma_first_difference(const void *a, const void *b, size_t n);

/*
 * Touching a page of a file map that the file has no longer, or that cannot be
 * read or written, raises SIGBUS. From here on that prints `message`, removes
 * the file `path` and ends the process with status 1. For programs only, not
 * for libraries: it is one for the whole process. Both strings are copied.
 * Not from two threads at once.
 *
 * 0; EBUSY while it is on; or ENOMEM.
 */
int ma_busguard_on(const char *path, const char *message);

/* Restores what there was before; nothing if it is not on. */
void ma_busguard_off(void);

#endif /* MINIASYNC_FILES_H */
