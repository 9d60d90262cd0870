/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pools.h -- what the tests of pools share: pools of no mover, threads to use them
 *
 * Linked so that the library's calls come here, which counts blocks of memory, and
 * refuses what it is told to.
 */

#ifndef POOLS_H
#define POOLS_H

#include "t.h"

#include "pool.h"

#define LIMIT MA__POOL_KEEP_FROM
#define KEEP MA__POOL_KEEP

/* More than a thread goes to another pool before it changes over to it. */
#define OFTEN 100

static _Atomic long blocks;
static atomic_int no_memory;
static atomic_int no_key;
static atomic_int no_value;
static void (*_Atomic in_malloc)(void);

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *
__wrap_malloc(size_t n)
{
	void (*const inside)(void) = atomic_exchange(&in_malloc, NULL);
	void *p;

	if (inside != NULL)
		inside();
	p = atomic_load(&no_memory) ? NULL : __real_malloc(n);
	blocks += p != NULL;
	return p;
}

void __real_free(void *p);
void __wrap_free(void *p);
void
__wrap_free(void *p)
{
	blocks -= p != NULL;
	__real_free(p);
}

int __real_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int
__wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
	return atomic_load(&no_key)
		? EAGAIN
		: __real_pthread_key_create(key, destructor);
}

int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int
__wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	return atomic_load(&no_value) ? ENOMEM
				      : __real_pthread_setspecific(key, value);
}

static inline void *
run(void *body)
{
	void (*fn)(void);

	/* ISO C has no conversion from an object's address. */
	memcpy(&fn, body, sizeof(fn));
	fn();
	return NULL;
}

/* In a thread of its own, to its end. */
static inline void
in_thread(void (*fn)(void))
{
	pthread_t thread;

	t_start(&thread, run, &fn);
	t_join(thread);
}

static inline void
start(struct ma__pool *pool, size_t limit)
{
	ma__pool_init(pool, limit);
	ma__pool_open(pool);
}

static inline void
end(struct ma__pool *pool)
{
	ma__pool_close(pool);
	ma__pool_fini(pool);
}

static inline struct ma__op *
get(struct ma__pool *pool)
{
	struct ma__op *op = ma__pool_get(pool);

	CHECK(op != NULL);
	return op;
}

static inline void
get_and_put(struct ma__pool *pool)
{
	ma__pool_put(pool, get(pool));
}

static struct ma__pool a, b;
static struct ma__op *ops[LIMIT + 1];

/* All there are, into ops; how many. */
static inline size_t
get_all(struct ma__pool *pool)
{
	size_t n = 0;

	for (;;) {
		struct ma__op *op = ma__pool_get(pool);

		if (op == NULL)
			return n;
		CHECK(n < LIMIT);
		ops[n++] = op;
	}
}

static inline void
put_all(struct ma__pool *pool, size_t n)
{
	while (n > 0)
		ma__pool_put(pool, ops[--n]);
}

/* A thread at some point of its life, which it leaves when it is told to. */
struct held {
	void (*before)(void);
	void (*after)(void);
	pthread_t thread;
	sem_t there;
	sem_t leave;
};

static inline void *
be_held(void *arg)
{
	struct held *h = arg;

	h->before();
	t_open(&h->there);
	t_pass(&h->leave);
	if (h->after != NULL)
		h->after();
	return NULL;
}

static inline void
hold(struct held *h, void (*before)(void), void (*after)(void))
{
	h->before = before;
	h->after = after;
	CHECK(sem_init(&h->there, 0, 0) == 0);
	CHECK(sem_init(&h->leave, 0, 0) == 0);
	t_start(&h->thread, be_held, h);
	t_pass(&h->there);
}

static inline void
let_go(struct held *h)
{
	t_open(&h->leave);
	t_join(h->thread);
}

static inline void
use_a(void)
{
	get_and_put(&a);
}

#endif /* POOLS_H */
