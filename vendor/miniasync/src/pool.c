/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.c -- memory for the operations of one mover
 *
 * A pool has a list of spare operations, under a spin lock. Most operations are
 * small and over at once, so that the lock alone would be a third of what they
 * cost, and more where threads share a mover. Therefore a thread keeps some spare
 * operations of one pool for itself, in thread-local storage: it takes from them
 * and adds to them without a lock, an atomic read-modify-write, or a fence. Under
 * the lock it takes a handful if it has none, and gives a handful back if it has
 * too many.
 *
 * Whose they are. Pools have numbers, from one that is open on, which are never
 * used again. A thread notes the number of the pool that its operations are of,
 * and uses them where it is given a pool of that number: it exists, by the
 * caller's word. What is left of a deleted mover has a number that nobody is going
 * to come with, so nobody looks at it, whatever its memory, or the mover's, is by
 * now.
 *
 * Two movers. A thread that is bound to one pool and uses another goes to that
 * one's list, under the lock; once in MISSES times it binds itself to the other
 * instead, and gives back what it has. If it uses both by turns, it goes without
 * the lock half of the time. To give something back to a pool that nobody has
 * named, it looks for the number in the list of open pools. Deleting a mover
 * closes its pool first, under the lock of that list, hence not while somebody
 * gives something back to it. What a thread still has then is dropped; it goes
 * back to the system with the pool. (Workers that execute a program's function
 * may use the pool while it is closed, until they have ended. They are given it
 * by its address, and need no list.)
 *
 * The end of a thread. It gives back what it has, by the destructor of a
 * thread-specific key, and keeps nothing any more: destructors of others may
 * still make operations. If there is no key to be had, no thread keeps anything.
 * The key is deleted when the library is unloaded; threads that end later know
 * nothing of it. (But one that is just about to call the destructor does, as with
 * every key of an unloadable library; a program waits for its threads first.) A
 * thread does not wait for a fork for ever when it ends, because a handler of the
 * fork may be waiting for the thread: then what it has is out of use, until the
 * mover is deleted.
 *
 * The limit counts what threads keep, so the thread that fills a pool up gets as
 * many operations as it says; but what other threads keep is missing. For a small
 * limit that would matter: threads keep nothing of such a pool. An operation whose
 * future is complete does not count, even if a worker still has a reference to
 * it. In that case it cannot be kept yet, and only the count is given back.
 *
 * Forks. The list of open pools is under the lock that is held for the time of a
 * fork (fork.c), and an open pool's mover is one whose pool is locked for that
 * time: it is opened after it was added there, and closed before it is removed. So
 * both are in order in the child, and so is what the forking thread keeps, which
 * is in fork(), not here. What the other threads kept is missing in the child: some
 * operations that are never used and still count, until the mover is deleted. Nor
 * does it matter where in here those threads were: what they were taking or giving
 * back was not the program's yet, or not any more. No memory is asked for with the
 * lock: an allocator's own handlers may have locked it for the fork before ours come.
 *
 * Signals. A handler that runs in the middle of taking finds the thread `busy`, and
 * goes to the pool's list itself. (If that is where it was interrupted, with the
 * lock, it waits for ever: handlers may not make or end operations.) The compiler
 * has to keep the order for that; the processor does, as seen by its own thread.
 *
 * Lock order: the list of open pools, then a pool.
 */

#include "pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "backoff.h"
#include "compiler.h"
#include "fork.h"

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

/* What an operation that is over at once needs lies in its first two lines. */
#define LINE ((uintptr_t)64)

struct ma__slab {
	struct ma__slab *next;
	char memory[SLAB_OPS * sizeof(struct ma__op) + LINE - 1];
};

/* At the beginning of a cache line. */
static struct ma__op *
ops_of(struct ma__slab *slab)
{
	char *const at = slab->memory;

	return (void *)(at + (-(uintptr_t)at & (LINE - 1)));
}

/* How many a thread takes or gives back at a time. */
#define HANDFUL (MA__POOL_KEEP / 2)

/* How often it goes to another pool's list before it changes over to it. */
#define MISSES 32

/* The number of a pool of which threads keep nothing. */
#define NOT_KEPT UINT64_MAX

/* What the thread keeps. */
static _Thread_local struct {
	uint64_t id; /* of the pool; 0: of none */
	struct ma__op *spare;
	unsigned char count; /* of them */
	unsigned char misses;
	bool done; /* the thread keeps nothing any more */
	atomic_bool busy; /* see Signals */
} kept MA__TLS_DIRECT;

/* Under the lock of fork.c. */
static struct ma__pool *open_pools;
static uint64_t last_id;
static pthread_key_t key; /* its destructor runs when a thread ends */
static bool has_key;

void
ma__pool_lock(struct ma__pool *pool)
{
	for (unsigned tries = 0; atomic_exchange_explicit(&pool->locked, true,
		     memory_order_acquire);
		tries++)
		ma__back_off(tries);
}

void
ma__pool_unlock(struct ma__pool *pool)
{
	atomic_store_explicit(&pool->locked, false, memory_order_release);
}

static void
push(struct ma__op **spare, struct ma__op *op)
{
	op->next = *spare;
	*spare = op;
	POISON(op);
}

static struct ma__op *
pop(struct ma__op **spare)
{
	struct ma__op *op = *spare;

	UNPOISON(op);
	*spare = op->next;
	return op;
}

/*
 * Makes more spare operations, if there is memory. Without the lock meanwhile: who
 * forks may have the allocator's lock already when it takes ours.
 */
static void
add_slab(struct ma__pool *pool)
{
	struct ma__slab *slab;

	ma__pool_unlock(pool);
	slab = malloc(sizeof(*slab));
	ma__pool_lock(pool);
	if (slab == NULL)
		return;
	slab->next = pool->slabs;
	pool->slabs = slab;
	for (size_t i = SLAB_OPS; i-- > 0;)
		push(&pool->spare, &ops_of(slab)[i]);
}

/*
 * Takes a spare operation, with the lock held, which it may give up meanwhile; NULL
 * as ma__pool_get().
 */
static struct ma__op *
take_spare(struct ma__pool *pool)
{
	if (pool->futures >= pool->limit)
		return NULL;
	if (pool->spare == NULL) {
		add_slab(pool);
		/* Others may have been here. */
		if (pool->spare == NULL || pool->futures >= pool->limit)
			return NULL;
	}
	pool->futures++;
	return pop(&pool->spare);
}

/* May what the thread keeps be looked at? Then leave() ends that. */
static bool
enter(void)
{
	if (atomic_load_explicit(&kept.busy, memory_order_relaxed))
		return false;
	atomic_store_explicit(&kept.busy, true, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	return true;
}

static void
leave(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&kept.busy, false, memory_order_relaxed);
}

static void
keep(struct ma__op *op)
{
	push(&kept.spare, op);
	kept.count++;
}

/* NULL if there is none. */
static struct ma__op *
take_kept(void)
{
	if (kept.spare == NULL)
		return NULL;
	kept.count--;
	return pop(&kept.spare);
}

/* Keeps a handful of the pool that the thread is bound to; fewer, if need be. */
static void
refill(struct ma__pool *pool)
{
	struct ma__op *op;

	ma__pool_lock(pool);
	op = take_spare(pool);
	while (op != NULL) {
		keep(op);
		/* The first one is worth a slab, the others are not. */
		op = kept.count < HANDFUL && pool->spare != NULL
			? take_spare(pool)
			: NULL;
	}
	ma__pool_unlock(pool);
}

static void
give_back(struct ma__pool *pool, unsigned count)
{
	ma__pool_lock(pool);
	for (; count > 0; count--) {
		push(&pool->spare, take_kept());
		pool->futures--;
	}
	ma__pool_unlock(pool);
}

/*
 * Gives back what the thread keeps, if there is still who takes it. With fork.c's
 * lock, which it releases.
 */
static void
let_go(void)
{
	struct ma__pool *pool = open_pools;

	while (pool != NULL && pool->id != kept.id)
		pool = pool->next;
	if (pool != NULL)
		give_back(pool, kept.count);
	ma__fork_release();
	kept.spare = NULL;
	kept.count = 0;
}

static void
thread_ends(void *arg)
{
	(void)arg;
	kept.done = true;
	if (!enter())
		return;
	if (ma__fork_try_hold())
		let_go();
	kept.id = 0;
	leave();
}

#ifdef __GNUC__
__attribute__((destructor)) static void
library_ends(void)
{
	ma__fork_hold();
	if (has_key)
		pthread_key_delete(key);
	has_key = false;
	ma__fork_release();
}
#endif

/* Will the destructor run at the end of this thread? */
static bool
set_destructor(void)
{
	bool will;

	/* With the lock: once it is deleted, the key may be somebody else's. */
	ma__fork_hold();
	will = has_key && pthread_setspecific(key, &kept) == 0;
	ma__fork_release();
	return will;
}

/* Is the thread bound to this pool, to which it was not before? */
static bool
change_over(struct ma__pool *pool)
{
	if (pool->id == NOT_KEPT || kept.done)
		return false;
	if (kept.count != 0 && ++kept.misses < MISSES)
		return false;
	kept.misses = 0;
	kept.done = kept.id == 0 && !set_destructor();
	if (kept.done)
		return false;
	if (kept.count != 0) {
		ma__fork_hold();
		let_go();
	}
	kept.id = pool->id;
	return true;
}

void
ma__pool_init(struct ma__pool *pool, size_t limit)
{
	pool->id = NOT_KEPT;
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

void
ma__pool_open(struct ma__pool *pool)
{
	if (pool->limit < MA__POOL_KEEP_FROM)
		return;
	ma__fork_hold();
	if (!has_key)
		has_key = pthread_key_create(&key, thread_ends) == 0;
	if (has_key) {
		pool->id = ++last_id;
		pool->prev = NULL;
		pool->next = open_pools;
		if (open_pools != NULL)
			open_pools->prev = pool;
		open_pools = pool;
	}
	ma__fork_release();
}

void
ma__pool_close(struct ma__pool *pool)
{
	if (pool->id == NOT_KEPT)
		return;
	ma__fork_hold();
	if (pool->prev != NULL)
		pool->prev->next = pool->next;
	else
		open_pools = pool->next;
	if (pool->next != NULL)
		pool->next->prev = pool->prev;
	ma__fork_release();
}

/* `entered`: the thread may look at what it keeps. NULL as ma__pool_get(). */
static MA__APART struct ma__op *
take_slowly(struct ma__pool *pool, bool entered)
{
	struct ma__op *op;

	if (entered && (kept.id == pool->id || change_over(pool))) {
		if (kept.spare == NULL)
			refill(pool);
		return take_kept();
	}
	ma__pool_lock(pool);
	op = take_spare(pool);
	ma__pool_unlock(pool);
	return op;
}

struct ma__op *
ma__pool_get(struct ma__pool *pool)
{
	const bool entered = enter();
	struct ma__op *op = entered && kept.id == pool->id ? take_kept() : NULL;

	if (op == NULL)
		op = take_slowly(pool, entered);
	if (entered)
		leave();
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
	push(&pool->spare, op);
	ma__pool_unlock(pool);
}

/* Its future is complete; `last`: nobody has a reference. `entered` as above. */
static MA__APART void
end_slowly(struct ma__pool *pool, struct ma__op *op, bool last, bool entered)
{
	if (entered && (kept.id == pool->id || change_over(pool))) {
		if (kept.count == MA__POOL_KEEP)
			give_back(pool, HANDFUL);
		keep(op);
		return;
	}
	ma__pool_lock(pool);
	pool->futures--;
	if (last)
		push(&pool->spare, op);
	ma__pool_unlock(pool);
}

void
ma__pool_put(struct ma__pool *pool, struct ma__op *op)
{
	const bool last = unref(op);
	const bool entered = last && enter();

	if (entered && kept.id == pool->id && kept.count < MA__POOL_KEEP)
		keep(op);
	else
		end_slowly(pool, op, last, entered);
	if (entered)
		leave();
}
