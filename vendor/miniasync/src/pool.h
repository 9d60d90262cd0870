/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.h -- memory for the operations of one mover
 *
 * Taken from the system in slabs, handed out in any order, given back to the
 * system with the mover. The functions may be called from any thread.
 */

#ifndef MA_POOL_H
#define MA_POOL_H

#include "operation.h"

struct ma__slab;

struct ma__pool {
	atomic_bool locked; /* for all below */
	struct ma__op *spare;
	struct ma__slab *slabs;
	size_t futures; /* operations whose future is not complete */
	size_t limit; /* of them */
};

void ma__pool_init(struct ma__pool *pool, size_t limit);
void ma__pool_fini(struct ma__pool *pool);

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
