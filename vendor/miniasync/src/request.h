/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.h -- what an operation asks for, the same for every mover
 */

#ifndef MA_REQUEST_H
#define MA_REQUEST_H

#include <stdbool.h>

#include "libminiasync/vdm.h"

struct ma__request {
	enum vdm_operation_type type;
	int c; /* of memset */
	char *dst;
	const char *src; /* NULL for memset and flush */
	size_t n;
	uint64_t flags;
};

/* Reads an operation; false if its type is unknown. */
bool ma__request_read(struct ma__request *request,
	const struct vdm_operation *operation);

/* Executes the n bytes from `offset` on, with the copy engine. */
void ma__request_run(const struct ma__request *request, size_t offset,
	size_t n);

/* Do source and destination share bytes, so that the order of copying counts? */
bool ma__request_overlaps(const struct ma__request *request);

/* Fills in an operation's output: the destination only on success. */
void ma__request_output(const struct vdm_operation *operation,
	enum vdm_operation_result result, struct vdm_operation_output *output);

#endif /* MA_REQUEST_H */
