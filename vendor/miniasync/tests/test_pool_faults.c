/* SPDX-License-Identifier: BSD-3-Clause */
/* test_pool_faults.c -- pools without keys, without memory, and interrupted */

#include "pools.h"

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
	struct held other;

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
	/* and the next one keeps some */
	hold(&other, use_a, NULL);
	CHECK_INT(a.futures, KEEP / 2);
	let_go(&other);
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

static void
take_the_lock(void)
{
	ma__pool_lock(&a);
	ma__pool_unlock(&a);
}

/* As in another thread that forks, with the allocator's lock. */
static void
memory_without_the_lock(void)
{
	start(&a, LIMIT);
	atomic_store(&in_malloc, take_the_lock);
	get_and_put(&a);
	CHECK(atomic_load(&in_malloc) == NULL);
	end(&a);
	CHECK_INT(blocks, 0);
}

static void
take_two(void)
{
	ops[0] = get(&a);
	ops[1] = get(&a);
}

/* Others take the last ones while there is no lock. */
static void
full_meanwhile(void)
{
	start(&a, 2);
	atomic_store(&in_malloc, take_two);
	CHECK(ma__pool_get(&a) == NULL);
	CHECK(atomic_load(&in_malloc) == NULL);
	CHECK_INT(a.futures, 2);
	put_all(&a, 2);
	end(&a);
	CHECK_INT(blocks, 0);
}

T_MAIN(T_CASE(no_keys), T_CASE(memory_refused), T_CASE(last_of_a_block),
	T_CASE(interrupted), T_CASE(memory_without_the_lock),
	T_CASE(full_meanwhile))
