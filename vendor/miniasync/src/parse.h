/* SPDX-License-Identifier: BSD-3-Clause */
/* parse.h -- numbers out of what the system and the user write */

#ifndef MA_PARSE_H
#define MA_PARSE_H

#include <stddef.h>

/* A plain decimal number; `otherwise` for NULL and anything else. */
size_t ma__parse_size(const char *text, size_t otherwise);

/*
 * The processors that a cgroup's cpu.max grants: "quota period", both in
 * microseconds, rounded up. 0 for "max" and for what is not understood.
 */
size_t ma__parse_cpu_max(const char *line);

#endif /* MA_PARSE_H */
