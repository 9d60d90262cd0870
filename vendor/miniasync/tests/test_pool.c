/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pool.c -- what threads keep of a pool's operations, and give back
 *
 * With pools that belong to no mover. A thread that is to take no lock is tested
 * while the lock is held: it would wait for ever. Every case is a new thread, which
 * keeps nothing yet. Forks: test_pool_fork.c.
 */

#include "t.h"

#include <limits.h>

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

static void *
run(void *body)
{
	void (*fn)(void);

	/* ISO C has no conversion from an object's address. */
	memcpy(&fn, body, sizeof(fn));
	fn();
	return NULL;
}

/* In a thread of its own, to its end. */
static void
in_thread(void (*fn)(void))
{
	pthread_t thread;

	t_start(&thread, run, &fn);
	t_join(thread);
}

static void
start(struct ma__pool *pool, size_t limit)
{
	ma__pool_init(pool, limit);
	ma__pool_open(pool);
}

static void
end(struct ma__pool *pool)
{
	ma__pool_close(pool);
	ma__pool_fini(pool);
}

static struct ma__op *
get(struct ma__pool *pool)
{
	struct ma__op *op = ma__pool_get(pool);

	CHECK(op != NULL);
	return op;
}

static void
get_and_put(struct ma__pool *pool)
{
	ma__pool_put(pool, get(pool));
}

static struct ma__pool a, b;
static struct ma__op *ops[LIMIT + 1];

/* All there are, into ops; how many. */
static size_t
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

static void
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

static void *
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

static void
hold(struct held *h, void (*before)(void), void (*after)(void))
{
	h->before = before;
	h->after = after;
	CHECK(sem_init(&h->there, 0, 0) == 0);
	CHECK(sem_init(&h->leave, 0, 0) == 0);
	t_start(&h->thread, be_held, h);
	t_pass(&h->there);
}

static void
let_go(struct held *h)
{
	t_open(&h->leave);
	t_join(h->thread);
}

static void
use_a(void)
{
	get_and_put(&a);
}

static void
use_a_without_its_lock(void)
{
	struct ma__op *few[KEEP / 2];

	use_a();
	ma__pool_lock(&a);
	for (int i = 0; i < 1000; i++)
		get_and_put(&a);
	for (size_t i = 0; i < T_COUNT(few); i++)
		few[i] = get(&a);
	for (size_t i = 0; i < T_COUNT(few); i++)
		ma__pool_put(&a, few[i]);
	ma__pool_unlock(&a);
}

static void
no_lock(void)
{
	start(&a, LIMIT);
	in_thread(use_a_without_its_lock);
	/* the end of the thread gave everything back */
	CHECK_INT(a.futures, 0);
	end(&a);
	CHECK_INT(blocks, 0);
}

/* However they are made and ended, a thread keeps a few, and no more. */
static void
make_and_end(void)
{
	uint64_t random = 1;
	size_t n = 0;

	for (int i = 0; i < 100000; i++) {
		if (n < 500 && (n == 0 || t_random(&random) % 2 == 0))
			ops[n++] = get(&a);
		else
			ma__pool_put(&a, ops[--n]);
		CHECK(a.futures >= n);
		CHECK(a.futures <= n + KEEP);
	}
	put_all(&a, n);
}

static void
a_few(void)
{
	start(&a, LIMIT);
	in_thread(make_and_end);
	CHECK_INT(a.futures, 0);
	end(&a);
	CHECK_INT(blocks, 0);
}

static void
put_what_others_took(void)
{
	put_all(&a, 1000);
}

/* One thread takes, others end: the same memory goes round. */
static void
given_away(void)
{
	long most;

	start(&a, LIMIT);
	for (size_t i = 0; i < 1000; i++)
		ops[i] = get(&a);
	most = blocks;
	for (int times = 0; times < 20; times++) {
		in_thread(put_what_others_took);
		CHECK(a.futures <= KEEP);
		for (size_t i = 0; i < 1000; i++)
			ops[i] = get(&a);
	}
	CHECK_INT(blocks, most);
	end(&a);
	CHECK_INT(blocks, 0);
}

static void
fill_up(void)
{
	const size_t n = get_all(&a);

	CHECK_INT(n, LIMIT - a.futures + n);
	CHECK_INT(a.futures, LIMIT);
	for (int i = 0; i < OFTEN; i++) {
		ma__pool_put(&a, ops[i]);
		ops[i] = get(&a);
		CHECK(ma__pool_get(&a) == NULL);
	}
	put_all(&a, n);
}

static void
fill_up_but_what_another_keeps(void)
{
	const size_t n = get_all(&a);

	CHECK_INT(n, LIMIT - KEEP / 2);
	put_all(&a, n);
}

static void
large_limit(void)
{
	struct held other;

	start(&a, LIMIT);
	in_thread(fill_up);
	CHECK_INT(a.futures, 0);
	hold(&other, use_a, NULL);
	in_thread(fill_up_but_what_another_keeps);
	CHECK_INT(a.futures, KEEP / 2);
	let_go(&other);
	CHECK_INT(a.futures, 0);
	in_thread(fill_up);
	end(&a);
	CHECK_INT(blocks, 0);
}

static void
fill_up_to_5(void)
{
	for (int i = 0; i < OFTEN; i++) {
		CHECK_INT(get_all(&a), 5);
		put_all(&a, 5);
		CHECK_INT(a.futures, 0);
	}
}

static void
small_limit(void)
{
	struct held other;

	start(&a, 5);
	hold(&other, fill_up_to_5, fill_up_to_5);
	in_thread(fill_up_to_5);
	let_go(&other);
	end(&a);
	start(&a, LIMIT - 1);
	in_thread(use_a);
	hold(&other, use_a, NULL);
	CHECK_INT(a.futures, 0);
	let_go(&other);
	end(&a);
	CHECK_INT(blocks, 0);
}

/* A worker still has a reference: not kept, but does not count either. */
static void
end_before_the_worker(void)
{
	struct ma__op *op = get(&a);
	const size_t kept = a.futures - 1;

	ma__pool_hold(op);
	ma__pool_put(&a, op);
	CHECK_INT(a.futures, kept);
	ma__pool_drop(&a, op);
	CHECK_INT(a.futures, kept);
	op = get(&a);
	ma__pool_hold(op);
	ma__pool_drop(&a, op);
	ma__pool_put(&a, op);
}

static void
worker_is_last(void)
{
	start(&a, LIMIT);
	in_thread(end_before_the_worker);
	CHECK_INT(a.futures, 0);
	end(&a);
	CHECK_INT(blocks, 0);
}

static void
change_over(void)
{
	use_a();
	CHECK_INT(a.futures, KEEP / 2);
	get_and_put(&b);
	CHECK_INT(b.futures, 0);
	for (int i = 0; i < OFTEN; i++)
		get_and_put(&b);
	CHECK_INT(a.futures, 0);
	ma__pool_lock(&b);
	get_and_put(&b);
	ma__pool_unlock(&b);
}

static void
use_by_turns(void)
{
	for (int i = 0; i < 10000; i++) {
		struct ma__op *of_a = get(&a);
		struct ma__op *of_b = get(&b);

		CHECK(a.futures + b.futures <= KEEP + 2);
		if (i % 2 == 0)
			ma__pool_put(&a, of_a);
		ma__pool_put(&b, of_b);
		if (i % 2 != 0)
			ma__pool_put(&a, of_a);
	}
}

static void
two_pools(void)
{
	start(&a, LIMIT);
	start(&b, LIMIT);
	in_thread(change_over);
	CHECK_INT(b.futures, 0);
	in_thread(use_by_turns);
	CHECK_INT(a.futures, 0);
	CHECK_INT(b.futures, 0);
	/* a few blocks for both, however often */
	CHECK(blocks <= 2);
	end(&a);
	end(&b);
	CHECK_INT(blocks, 0);
}

static void
use_both_often(void)
{
	for (int i = 0; i < OFTEN; i++)
		get_and_put(&a);
	for (int i = 0; i < OFTEN; i++)
		get_and_put(&b);
}

/* What another thread keeps of a pool that is no more, or is another one now. */
static void
deleted(void)
{
	void (*const after[])(void) = {NULL, use_a, use_both_often};

	for (size_t i = 0; i < T_COUNT(after); i++) {
		struct held other;
		const uint64_t old = a.id;

		start(&a, LIMIT);
		CHECK(a.id != old);
		hold(&other, use_a, after[i]);
		end(&a);
		CHECK_INT(blocks, 0);
		memset(&a, 0xff, sizeof(a)); /* nobody looks at it */
		if (after[i] != NULL) {
			start(&a, LIMIT);
			start(&b, LIMIT);
		}
		let_go(&other);
		if (after[i] != NULL) {
			CHECK_INT(a.futures, 0);
			CHECK_INT(b.futures, 0);
			end(&a);
			end(&b);
		}
		CHECK_INT(blocks, 0);
	}
}

static void
use_many(void)
{
	for (int times = 0; times < 3; times++) {
		for (size_t i = 0; i < 100; i++)
			ops[i] = get(&a);
		put_all(&a, 100);
	}
}

/* A worker's function may still use what is being deleted. */
static void
closed(void)
{
	struct held other;

	start(&a, LIMIT);
	hold(&other, use_a, use_many);
	ma__pool_close(&a);
	in_thread(use_many);
	let_go(&other);
	ma__pool_fini(&a);
	CHECK_INT(blocks, 0);
}

static pthread_key_t late_key;

/* Again and again, as long as destructors are called. */
static void
use_late(void *arg)
{
	use_a();
	CHECK(__real_pthread_setspecific(late_key, arg) == 0);
}

static void
use_when_ending(void)
{
	use_a();
	CHECK(__real_pthread_setspecific(late_key, &late_key) == 0);
}

/* Its key is younger than ours, and its destructor called after ours, as a rule. */
static void
ending(void)
{
	/* It does not see what happens in the last round of destructors. */
	if (T_TSAN)
		return;
	start(&a, LIMIT);
	CHECK(__real_pthread_key_create(&late_key, use_late) == 0);
	in_thread(use_when_ending);
	CHECK_INT(a.futures, 0);
	CHECK(pthread_key_delete(late_key) == 0);
	end(&a);
	CHECK_INT(blocks, 0);
}

static void
use_a_keeping_nothing(void)
{
	for (int i = 0; i < OFTEN; i++) {
		use_a();
		CHECK_INT(a.futures, 0);
	}
}

static void
no_keys(void)
{
	/* First of all cases: there is no key yet. */
	atomic_store(&no_key, 1);
	start(&a, LIMIT);
	atomic_store(&no_key, 0);
	in_thread(use_a_keeping_nothing);
	end(&a);
	start(&a, LIMIT);
	atomic_store(&no_value, 1);
	in_thread(use_a_keeping_nothing);
	atomic_store(&no_value, 0);
	in_thread(use_a_without_its_lock);
	end(&a);
	CHECK_INT(blocks, 0);
}

/* All that there is is handed out, before and after memory is refused. */
static void
use_what_there_is(void)
{
	size_t slab = 0;
	size_t n;

	ops[0] = get(&a);
	atomic_store(&no_memory, 1);
	n = get_all(&a);
	CHECK(n > KEEP);
	put_all(&a, n);
	CHECK_INT(get_all(&a), n);
	atomic_store(&no_memory, 0);
	for (; blocks == 1; slab++)
		ops[n + slab] = get(&a);
	CHECK_INT(slab, 1);
	put_all(&a, n + 1);
}

static void
memory_refused(void)
{
	start(&a, LIMIT);
	atomic_store(&no_memory, 1);
	CHECK(ma__pool_get(&a) == NULL);
	CHECK_INT(a.futures, 0);
	atomic_store(&no_memory, 0);
	in_thread(use_what_there_is);
	end(&a);
	CHECK_INT(blocks, 0);
}

static void
take_3(void)
{
	get_and_put(&b);
	for (size_t i = 0; i < 3; i++)
		ops[i] = get(&a);
}

static void
take_61(void)
{
	for (size_t i = 3; i < 64; i++)
		ops[i] = get(&a);
	/* a's first one and b's: the last handful was a smaller one */
	CHECK_INT(blocks, 2);
}

/* There is no new block for what is only going to be kept. */
static void
last_of_a_block(void)
{
	start(&a, LIMIT);
	start(&b, LIMIT);
	in_thread(take_3);
	in_thread(take_61);
	put_all(&a, 64);
	end(&a);
	end(&b);
	CHECK_INT(blocks, 0);
}

static struct ma__op *of_handler;

static void
handler(void)
{
	for (int i = 0; i < OFTEN; i++)
		get_and_put(&b);
	of_handler = get(&b);
}

/* In the middle of taking something, as a signal handler might. */
static void
be_interrupted(void)
{
	struct ma__op *op;

	atomic_store(&in_malloc, handler);
	op = get(&a);
	CHECK(atomic_load(&in_malloc) == NULL);
	CHECK_INT(a.futures, KEEP / 2);
	CHECK_INT(b.futures, 1);
	ma__pool_put(&a, op);
	ma__pool_put(&b, of_handler);
	ma__pool_lock(&a);
	use_a();
	ma__pool_unlock(&a);
}

static void
interrupted(void)
{
	start(&a, LIMIT);
	start(&b, LIMIT);
	in_thread(be_interrupted);
	CHECK_INT(a.futures, 0);
	CHECK_INT(b.futures, 0);
	end(&a);
	end(&b);
	CHECK_INT(blocks, 0);
}

T_MAIN(T_CASE(no_keys), T_CASE(no_lock), T_CASE(a_few), T_CASE(given_away),
	T_CASE(large_limit), T_CASE(small_limit), T_CASE(worker_is_last),
	T_CASE(two_pools), T_CASE(deleted), T_CASE(closed), T_CASE(ending),
	T_CASE(memory_refused), T_CASE(last_of_a_block), T_CASE(interrupted))
