/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pool.c -- what threads keep of a pool's operations, and give back
 *
 * With pools that belong to no mover. A thread that is to take no lock is tested
 * while the lock is held: it would wait for ever. Every case is a new thread, which
 * keeps nothing yet. Refusals: test_pool_faults.c. Forks: test_pool_fork.c.
 */

#include "pools.h"

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

T_MAIN(T_CASE(no_lock), T_CASE(a_few), T_CASE(given_away), T_CASE(large_limit),
	T_CASE(small_limit), T_CASE(worker_is_last), T_CASE(two_pools),
	T_CASE(deleted), T_CASE(closed), T_CASE(ending))
