/* SPDX-License-Identifier: BSD-3-Clause */
/* pool.c -- memory for the operations of one mover */

#include "pool.h"

#include <sched.h>
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
ma__pool_lock(struct ma__pool *pool)
{
	for (unsigned tries = 0; atomic_exchange_explicit(&pool->locked, true,
		     memory_order_acquire);
		tries++) {
		/* Who holds it may have lost its processor. */
		if (tries < 100)
			future_cpu_pause();
		else
			sched_yield();
	}
}

void
ma__pool_unlock(struct ma__pool *pool)
{
	atomic_store_explicit(&pool->locked, false, memory_order_release);
}

void
ma__pool_init(struct ma__pool *pool, size_t limit)
{
	atomic_init(&pool->locked, false);
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

/* Takes a spare operation, with the lock held; NULL as ma__pool_get(). */
static struct ma__op *
take_spare(struct ma__pool *pool)
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
	return op;
}

struct ma__op *
ma__pool_get(struct ma__pool *pool)
{
	struct ma__op *op;

	ma__pool_lock(pool);
	op = take_spare(pool);
	ma__pool_unlock(pool);
	if (op == NULL)
		return NULL;
	op->next = NULL;
	atomic_init(&op->refs, 1);
	ma__op_reset(op);
	return op;
}

void
ma__pool_hold(struct ma__op *op)
{
	/* Relaxed: who takes a reference has one, or holds the queue's lock. */
	atomic_fetch_add_explicit(&op->refs, 1, memory_order_relaxed);
}

/*
 * Drops a reference. Is it the last one? Who has the only one need not tell
 * anybody. Acquire and release: the next user sees all of the others' writes.
 */
static bool
unref(struct ma__op *op)
{
	return atomic_load_explicit(&op->refs, memory_order_acquire) == 1 ||
		atomic_fetch_sub_explicit(&op->refs, 1, memory_order_acq_rel) ==
		1;
}

void
ma__pool_drop(struct ma__pool *pool, struct ma__op *op)
{
	if (!unref(op))
		return;
	ma__pool_lock(pool);
	make_spare(pool, op);
	ma__pool_unlock(pool);
}

void
ma__pool_put(struct ma__pool *pool, struct ma__op *op)
{
	const bool last = unref(op);

	ma__pool_lock(pool);
	pool->futures--;
	if (last)
		make_spare(pool, op);
	ma__pool_unlock(pool);
}
