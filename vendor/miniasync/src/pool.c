/* SPDX-License-Identifier: BSD-3-Clause */
/* pool.c -- memory for the operations of one mover */

#include "pool.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define MA_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MA_ASAN
#endif
#endif

#ifdef MA_ASAN
#include <sanitizer/asan_interface.h>
/* Lets the sanitizer see the use of an operation that was given back. */
#define POISON(op) __asan_poison_memory_region(op, sizeof(*(op)))
#define UNPOISON(op) __asan_unpoison_memory_region(op, sizeof(*(op)))
#else
#define POISON(op) ((void)(op))
#define UNPOISON(op) ((void)(op))
#endif

#define SLAB_OPS 64

struct ma__slab {
	struct ma__slab *next;
	struct ma__op ops[SLAB_OPS];
};

void
ma__pool_init(struct ma__pool *pool, size_t limit)
{
	pool->spare = NULL;
	pool->slabs = NULL;
	pool->futures = 0;
	pool->limit = limit;
}

void
ma__pool_fini(struct ma__pool *pool)
{
	while (pool->slabs != NULL) {
		struct ma__slab *next = pool->slabs->next;

		free(pool->slabs);
		pool->slabs = next;
	}
}

static void
make_spare(struct ma__pool *pool, struct ma__op *op)
{
	op->next = pool->spare;
	pool->spare = op;
	POISON(op);
}

struct ma__op *
ma__pool_get(struct ma__pool *pool)
{
	struct ma__op *op;

	if (pool->futures >= pool->limit)
		return NULL;
	if (pool->spare == NULL) {
		struct ma__slab *slab = malloc(sizeof(*slab));

		if (slab == NULL)
			return NULL;
		slab->next = pool->slabs;
		pool->slabs = slab;
		for (size_t i = SLAB_OPS; i-- > 0;)
			make_spare(pool, &slab->ops[i]);
	}
	op = pool->spare;
	UNPOISON(op);
	pool->spare = op->next;
	pool->futures++;
	op->next = NULL;
	op->refs = 1;
	ma__op_reset(op);
	return op;
}

void
ma__pool_hold(struct ma__op *op)
{
	op->refs++;
}

void
ma__pool_drop(struct ma__pool *pool, struct ma__op *op)
{
	if (--op->refs == 0)
		make_spare(pool, op);
}

void
ma__pool_put(struct ma__pool *pool, struct ma__op *op)
{
	pool->futures--;
	ma__pool_drop(pool, op);
}
