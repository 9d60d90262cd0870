/* SPDX-License-Identifier: BSD-3-Clause */
/* test_pool_fork.c -- forks while threads take, give back, begin and end */

#include "t.h"

#include "fork.h"
#include "pool.h"

#define LIMIT MA__POOL_KEEP_FROM

/* A pool with what a mover has around it. */
struct own {
	struct ma__forkable forkable;
	struct ma__pool pool;
};

static struct own a, b, c;
static struct ma__op *ops[LIMIT + 1];

static void
prepare(struct ma__forkable *forkable)
{
	ma__pool_lock(&((struct own *)forkable)->pool);
}

static void
unlock(struct ma__forkable *forkable)
{
	ma__pool_unlock(&((struct own *)forkable)->pool);
}

static void
start(struct own *own)
{
	own->forkable.prepare = prepare;
	own->forkable.parent = unlock;
	own->forkable.child = unlock;
	ma__pool_init(&own->pool, LIMIT);
	CHECK(ma__fork_add(&own->forkable) == 0);
	ma__pool_open(&own->pool);
}

static void
hide(struct own *own)
{
	ma__pool_close(&own->pool);
	ma__fork_remove(&own->forkable);
}

static void
end(struct own *own)
{
	hide(own);
	ma__pool_fini(&own->pool);
}

static void
use(struct own *own)
{
	struct ma__op *op = ma__pool_get(&own->pool);

	CHECK(op != NULL);
	ma__pool_put(&own->pool, op);
}

/* Everything that is not kept by threads which are not here. */
static void
child_of_keepers(void *arg)
{
	const size_t kept = a.pool.futures;
	size_t n = 0;

	(void)arg;
	/* with what this thread keeps itself, and no lock */
	ma__pool_lock(&a.pool);
	use(&a);
	ma__pool_unlock(&a.pool);
	while ((ops[n] = ma__pool_get(&a.pool)) != NULL)
		CHECK(++n <= LIMIT);
	CHECK_INT(n, LIMIT - kept + MA__POOL_KEEP / 2);
	for (size_t i = 0; i < n; i++)
		ma__pool_put(&a.pool, ops[i]);
	/* and give that back, by way of the list */
	for (int i = 0; i < 100; i++)
		use(&b);
	CHECK_INT(a.pool.futures, kept - MA__POOL_KEEP / 2);
	end(&a);
	end(&b);
	t_end_child_unchecked();
}

static sem_t there, leave;

static void *
keep_some(void *arg)
{
	use(arg);
	t_open(&there);
	t_pass(&leave);
	return NULL;
}

static void *
fork_with_some(void *arg)
{
	use(arg);
	CHECK_CHILD(child_of_keepers, NULL, 10);
	return NULL;
}

static void
others_keep_some(void)
{
	pthread_t threads[3];
	pthread_t forking;

	start(&a);
	start(&b);
	CHECK(sem_init(&there, 0, 0) == 0);
	CHECK(sem_init(&leave, 0, 0) == 0);
	for (size_t i = 0; i < T_COUNT(threads); i++) {
		t_start(&threads[i], keep_some, &a);
		t_pass(&there);
	}
	t_start(&forking, fork_with_some, &a);
	t_join(forking);
	for (size_t i = 0; i < T_COUNT(threads); i++)
		t_open(&leave);
	for (size_t i = 0; i < T_COUNT(threads); i++)
		t_join(threads[i]);
	CHECK_INT(a.pool.futures, 0);
	end(&a);
	end(&b);
}

static pthread_t ending;

/* As a handler might that was there before the library. */
static void
wait_for_its_end(struct ma__forkable *forkable)
{
	(void)forkable;
	t_open(&leave);
	t_join(ending);
}

static void
nothing(struct ma__forkable *forkable)
{
	(void)forkable;
}

static void
child_that_uses(void *arg)
{
	use(arg);
}

/* They do not wait for each other: what the thread kept is out of use. */
static void
end_during_the_fork(void)
{
	struct ma__forkable waits = {
		NULL, NULL, wait_for_its_end, nothing, nothing};

	start(&a);
	CHECK(sem_init(&there, 0, 0) == 0);
	CHECK(sem_init(&leave, 0, 0) == 0);
	t_start(&ending, keep_some, &a);
	t_pass(&there);
	CHECK(ma__fork_add(&waits) == 0);
	CHECK_CHILD(child_that_uses, &a, 10);
	ma__fork_remove(&waits);
	CHECK_INT(a.pool.futures, MA__POOL_KEEP / 2);
	/* once it is over they give back as ever */
	t_start(&ending, keep_some, &a);
	t_pass(&there);
	t_open(&leave);
	t_join(ending);
	CHECK_INT(a.pool.futures, MA__POOL_KEEP / 2);
	end(&a);
}

static atomic_int stop;

static void *
short_life(void *arg)
{
	(void)arg;
	use(&c);
	return NULL;
}

/* Takes and gives back in all ways there are. */
static void *
bustle(void *arg)
{
	const uintptr_t which = (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		struct ma__op *some[40];
		pthread_t thread;

		for (size_t i = 0; i < T_COUNT(some); i++)
			some[i] = ma__pool_get(&a.pool);
		for (size_t i = 0; i < T_COUNT(some); i++)
			ma__pool_put(&a.pool, some[i]);
		for (int i = 0; i < 40; i++)
			use(&b);
		if (which == 0) {
			struct own *new = t_malloc(sizeof(*new));

			start(new);
			use(new);
			end(new);
			free(new);
		} else {
			t_start(&thread, short_life, NULL);
			t_join(thread);
		}
	}
	return NULL;
}

/* Without the allocator: a sanitizer's may have been left locked. */
static void
child_in_the_bustle(void *arg)
{
	(void)arg;
	for (int times = 0; times < 3; times++) {
		for (int i = 0; i < 100; i++)
			use(&a);
		for (int i = 0; i < 100; i++)
			use(&b);
	}
	hide(&a);
	hide(&b);
	hide(&c);
	t_end_child_unchecked();
}

/* Makes more of them than anybody is going to need. */
static void *
stock_up(void *arg)
{
	struct own *own = arg;
	const size_t n = 1000;

	for (size_t i = 0; i < n; i++)
		ops[i] = ma__pool_get(&own->pool);
	for (size_t i = 0; i < n; i++)
		ma__pool_put(&own->pool, ops[i]);
	return NULL;
}

static void
in_the_bustle(void)
{
	pthread_t threads[2];

	start(&a);
	start(&b);
	start(&c);
	t_start(&threads[0], stock_up, &a);
	t_join(threads[0]);
	t_start(&threads[0], stock_up, &b);
	t_join(threads[0]);
	atomic_store(&stop, 0);
	for (uintptr_t i = 0; i < T_COUNT(threads); i++)
		t_start(&threads[i], bustle, (void *)i);
	for (int i = 0; i < 60; i++)
		CHECK_CHILD(child_in_the_bustle, NULL, 10);
	atomic_store(&stop, 1);
	for (size_t i = 0; i < T_COUNT(threads); i++)
		t_join(threads[i]);
	/* this thread has kept nothing */
	CHECK_INT(a.pool.futures, 0);
	CHECK_INT(b.pool.futures, 0);
	/* all or nothing, if a fork took very long */
	CHECK_INT(c.pool.futures % (MA__POOL_KEEP / 2), 0);
	end(&a);
	end(&b);
	end(&c);
}

T_MAIN(T_CASE(others_keep_some), T_CASE(end_during_the_fork),
	T_CASE(in_the_bustle))
