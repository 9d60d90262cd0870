/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.h -- memory for the operations of one mover
 *
 * Taken from the system in slabs, handed out in any order, given back to the
 * system with the mover. The functions may be called from any thread. How a
 * thread comes by an operation without a lock: see pool.c.
 */

#ifndef MA_POOL_H
#define MA_POOL_H

#include "operation.h"

struct ma__slab;

struct ma__pool {
	uint64_t id; /* no other pool's, before or after */
	struct ma__pool *next; /* in the list of open ones */
	struct ma__pool *prev;

	atomic_bool locked; /* for all below */
	struct ma__op *spare;
	struct ma__slab *slabs;
	size_t futures; /* operations whose future is not complete, or kept */
	size_t limit; /* of them */
};

/* From this limit on threads keep spare operations, so many at most. */
#define MA__POOL_KEEP_FROM ((size_t)1 << 16)
#define MA__POOL_KEEP 16

void ma__pool_init(struct ma__pool *pool, size_t limit);
void ma__pool_fini(struct ma__pool *pool);

/*
 * From here on threads keep spare operations, and from there on they do not give
 * them back any more. While the pool is open a fork has to find it locked.
 */
void ma__pool_open(struct ma__pool *pool);
void ma__pool_close(struct ma__pool *pool);

/*
 * An operation with one reference, its future's; NULL at the limit, or if there
 * is no memory.
 */
struct ma__op *ma__pool_get(struct ma__pool *pool);

/* Another reference to the operation. */
void ma__pool_hold(struct ma__op *op);

/* Drops a reference; the last one makes the memory spare. */
void ma__pool_drop(struct ma__pool *pool, struct ma__op *op);

/* Drops the future's reference. */
void ma__pool_put(struct ma__pool *pool, struct ma__op *op);

/*
 * The pool's lock, which is held for a few instructions only (or for a malloc);
 * here for the time of a fork.
 */
void ma__pool_lock(struct ma__pool *pool);
void ma__pool_unlock(struct ma__pool *pool);

#endif /* MA_POOL_H */
