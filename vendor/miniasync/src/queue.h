/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * queue.h -- the operations of a mover that have bytes which nobody has taken
 *
 * All under the lock of the mover. See queue.c for whose turn it is.
 */

#ifndef MA_QUEUE_H
#define MA_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "operation.h"

/* Up to 1 MiB, 16 MiB, 256 MiB, and more. */
#define MA__LINES 4

/* Operations of about one size, in the order in which they came. */
struct ma__line {
	struct ma__op *first;
	struct ma__op *last;
	uint64_t served; /* bytes, on a clock that all lines share */
};

struct ma__queue {
	struct ma__line lines[MA__LINES];
	uint64_t now; /* the clock */
};

void ma__queue_init(struct ma__queue *queue);

/* Puts an operation in; its `queued` says so. */
void ma__queue_add(struct ma__queue *queue, struct ma__op *op);

/* Takes it out. */
void ma__queue_remove(struct ma__queue *queue, struct ma__op *op);

/*
 * The operation whose turn it is, of those that a piece can be taken of; NULL if
 * there is none.
 */
struct ma__op *ma__queue_next(const struct ma__queue *queue);

/* Its turn has been used, for so many bytes. */
void ma__queue_served(struct ma__queue *queue, const struct ma__op *op,
	size_t n);

/* A turn of so many bytes, which have been counted, took so long. */
void ma__queue_lasted(struct ma__queue *queue, const struct ma__op *op,
	size_t n, uint64_t ns);

#endif /* MA_QUEUE_H */
