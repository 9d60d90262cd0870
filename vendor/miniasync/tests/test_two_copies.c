/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_two_copies.c -- two copies of the library in one process
 *
 * One is linked into the program, the other is loaded, as happens when an
 * extension brings its own and another library the system's. Neither knows the
 * other's thread-locals, wakers or cells: a future of the one's mover is to the
 * other's runtime one of somebody else's.
 */

#include "gated.h"
#include "watching.h"

#include <dlfcn.h>

/* The functions of one copy. */
struct lib {
	void *handle; /* NULL: linked in */
	__typeof__(&runtime_new) runtime_new;
	__typeof__(&runtime_delete) runtime_delete;
	__typeof__(&runtime_wait) runtime_wait;
	__typeof__(&runtime_wait_multiple) runtime_wait_multiple;
	__typeof__(&data_mover_sync_new) sync_new;
	__typeof__(&data_mover_sync_get_vdm) sync_get_vdm;
	__typeof__(&data_mover_sync_delete) sync_delete;
	__typeof__(&data_mover_threads_new) threads_new;
	__typeof__(&data_mover_threads_get_vdm) threads_get_vdm;
	__typeof__(&data_mover_threads_delete) threads_delete;
	__typeof__(&data_mover_threads_set_inline_below) set_inline_below;
	__typeof__(&data_mover_threads_set_memcpy_fn) set_memcpy_fn;
	__typeof__(&future_waiter_new) waiter_new;
	__typeof__(&future_waiter_delete) waiter_delete;
	__typeof__(&future_waiter_wait) waiter_wait;
};

static const struct lib linked = {
	NULL,
	runtime_new,
	runtime_delete,
	runtime_wait,
	runtime_wait_multiple,
	data_mover_sync_new,
	data_mover_sync_get_vdm,
	data_mover_sync_delete,
	data_mover_threads_new,
	data_mover_threads_get_vdm,
	data_mover_threads_delete,
	data_mover_threads_set_inline_below,
	data_mover_threads_set_memcpy_fn,
	future_waiter_new,
	future_waiter_delete,
	future_waiter_wait,
};

static void
find(const struct lib *lib, const char *name, void *function)
{
	void *found = dlsym(lib->handle, name);

	CHECK(found != NULL);
	/* ISO C has no conversion from an object's address. */
	memcpy(function, &found, sizeof(found));
}

static struct lib
load(void)
{
	struct lib l;

	l.handle = dlopen(SHARED_COPY, RTLD_NOW | RTLD_LOCAL);
	if (l.handle == NULL)
		t_fail(__FILE__, __LINE__, dlerror());
	find(&l, "runtime_new", &l.runtime_new);
	find(&l, "runtime_delete", &l.runtime_delete);
	find(&l, "runtime_wait", &l.runtime_wait);
	find(&l, "runtime_wait_multiple", &l.runtime_wait_multiple);
	find(&l, "data_mover_sync_new", &l.sync_new);
	find(&l, "data_mover_sync_get_vdm", &l.sync_get_vdm);
	find(&l, "data_mover_sync_delete", &l.sync_delete);
	find(&l, "data_mover_threads_new", &l.threads_new);
	find(&l, "data_mover_threads_get_vdm", &l.threads_get_vdm);
	find(&l, "data_mover_threads_delete", &l.threads_delete);
	find(&l, "data_mover_threads_set_inline_below", &l.set_inline_below);
	find(&l, "data_mover_threads_set_memcpy_fn", &l.set_memcpy_fn);
	find(&l, "future_waiter_new", &l.waiter_new);
	find(&l, "future_waiter_delete", &l.waiter_delete);
	find(&l, "future_waiter_wait", &l.waiter_wait);
	CHECK(l.runtime_wait != linked.runtime_wait);
	return l;
}

static void
unload(struct lib *lib)
{
	CHECK_INT(dlclose(lib->handle), 0);
	/* it is really gone */
	CHECK(dlopen(SHARED_COPY, RTLD_NOW | RTLD_NOLOAD) == NULL);
}

/*
 * A mover of one copy, with a gate in its memcpy. Both copies' movers may have
 * one: they share the gate.
 */
static struct data_mover_threads *
gated_of(const struct lib *lib)
{
	struct data_mover_threads *m =
		lib->threads_new(1, 1, FUTURE_NOTIFIER_WAKER);

	CHECK(m != NULL);
	lib->set_inline_below(m, 0);
	lib->set_memcpy_fn(m, gated_memcpy);
	return m;
}

static void
gate_init(void)
{
	CHECK(sem_init(&gate_entered, 0, 0) == 0);
	CHECK(sem_init(&gate, 0, 0) == 0);
}

/* A future that opens the gate when it is polled: all before it are started. */
FUTURE(opener, int, int);

static enum future_state
open_gate(struct future_context *context, struct future_notifier *n)
{
	int *left = future_context_get_data(context);

	if (n != NULL)
		n->notifier_used = FUTURE_NOTIFIER_NONE;
	for (; *left > 0; --*left)
		t_open(&gate);
	return FUTURE_STATE_COMPLETE;
}

/* The operations of `mover` in the runtime and the waiter of `waits`. */
static void
try_one_at_a_time(const struct lib *mover, const struct lib *waits)
{
	struct data_mover_sync *sync = mover->sync_new();
	struct data_mover_threads *threads =
		mover->threads_new(2, 16, FUTURE_NOTIFIER_WAKER);
	struct data_mover_threads *poller =
		mover->threads_new(1, 16, FUTURE_NOTIFIER_POLLER);
	struct vdm *vdms[3];

	CHECK(sync != NULL && threads != NULL && poller != NULL);
	mover->set_inline_below(threads, 0);
	mover->set_inline_below(poller, 0);
	vdms[0] = mover->sync_get_vdm(sync);
	vdms[1] = mover->threads_get_vdm(threads);
	vdms[2] = mover->threads_get_vdm(poller);
	for (unsigned i = 0; i < 600; i++) {
		struct runtime *r = waits->runtime_new();
		struct future_waiter *w = waits->waiter_new();
		struct copy c;
		struct future *fut = copy_future(&c);

		CHECK(r != NULL && w != NULL);
		copy_init(&c, vdms[i % 3], i);
		if (i % 2 == 0)
			copy_poll(&c, NULL);
		if (i % 4 < 2)
			waits->runtime_wait(r, fut);
		else
			CHECK_INT(waits->waiter_wait(w, &fut, 1, 1,
					  FUTURE_WAITER_FOREVER, 0),
				0);
		copy_check(&c);
		/* no waker of theirs is in flight */
		waits->runtime_delete(r);
		waits->waiter_delete(w);
	}
	mover->sync_delete(sync);
	mover->threads_delete(threads);
	mover->threads_delete(poller);
}

static void
one_at_a_time(void)
{
	struct lib loaded = load();

	try_one_at_a_time(&linked, &loaded);
	try_one_at_a_time(&loaded, &linked);
	try_one_at_a_time(&loaded, &loaded);
	unload(&loaded);
}

/* A sleeping wait is woken by the other copy's worker. */
static void
try_sleeping(const struct lib *mover, const struct lib *waits)
{
	struct data_mover_threads *m;
	struct future_waiter *w = waits->waiter_new();
	struct copy c;
	struct future *fut = copy_future(&c);

	gate_init();
	m = gated_of(mover);
	CHECK(w != NULL);
	copy_init(&c, mover->threads_get_vdm(m), 1);
	/* two waits run into their deadlines, and the third takes over */
	for (unsigned i = 0; i < 2; i++)
		CHECK_INT(waits->waiter_wait(w, &fut, 1, 1,
				  i * (t_now() + T_MS), 0),
			ETIMEDOUT);
	t_pass(&gate_entered);
	t_open(&gate);
	CHECK_INT(waits->waiter_wait(w, &fut, 1, 1, FUTURE_WAITER_FOREVER, 0),
		0);
	copy_check(&c);
	/* the other one's waker stays callable till its future is complete */
	copy_init(&c, mover->threads_get_vdm(m), 2);
	CHECK_INT(waits->waiter_wait(w, &fut, 1, 1, 0, 0), ETIMEDOUT);
	t_open(&gate);
	poll_out(fut);
	copy_check(&c);
	/* or till it was disarmed */
	copy_init(&c, mover->threads_get_vdm(m), 3);
	CHECK_INT(waits->waiter_wait(w, &fut, 1, 1, 0, 0), ETIMEDOUT);
	CHECK_INT(copy_poll(&c, NULL), FUTURE_STATE_RUNNING);
	waits->waiter_delete(w);
	t_open(&gate);
	poll_out(fut);
	copy_check(&c);
	mover->threads_delete(m);
}

/* A future around a copy that counts how often the mover calls the waiter. */
struct relay_data {
	struct copy *copy;
	struct future_waker waiter; /* the same for all polls of one wait */
	atomic_int calls;
};
FUTURE(relay, struct relay_data, int);

static void
relay_wake(void *data)
{
	struct relay_data *d = data;

	atomic_fetch_add(&d->calls, 1);
	FUTURE_WAKER_WAKE(&d->waiter);
}

static enum future_state
poll_relay(struct future_context *context, struct future_notifier *n)
{
	struct relay_data *d = future_context_get_data(context);
	struct future_notifier mine = *n;
	enum future_state state;

	if (context->state == FUTURE_STATE_IDLE)
		d->waiter = n->waker;
	mine.waker.data = d;
	mine.waker.wake = relay_wake;
	mine.notifier_used = FUTURE_NOTIFIER_NONE;
	state = copy_poll(d->copy, &mine);
	/* told at every poll that a wake will come */
	if (state != FUTURE_STATE_COMPLETE)
		CHECK_INT(mine.notifier_used, FUTURE_NOTIFIER_WAKER);
	n->notifier_used = mine.notifier_used;
	return state;
}

/* The one's mover really calls the other's waker. */
static void
try_waking(const struct lib *mover, const struct lib *waits)
{
	struct data_mover_threads *m;
	struct runtime *r = waits->runtime_new();

	CHECK(r != NULL);
	gate_init();
	m = gated_of(mover);
	for (unsigned i = 0; i < 100; i++) {
		struct copy c;
		struct relay relay;
		struct opener opener;
		struct future *futs[2];

		copy_init(&c, mover->threads_get_vdm(m), i);
		FUTURE_INIT(&relay, poll_relay);
		FUTURE_DATA(&relay)->copy = &c;
		atomic_init(&FUTURE_DATA(&relay)->calls, 0);
		FUTURE_INIT(&opener, open_gate);
		*FUTURE_DATA(&opener) = 1;
		futs[0] = FUTURE_AS_RUNNABLE(&relay);
		futs[1] = FUTURE_AS_RUNNABLE(&opener);
		waits->runtime_wait_multiple(r, futs, 2);
		copy_check(&c);
		CHECK(atomic_load(&FUTURE_DATA(&relay)->calls) > 0);
	}
	waits->runtime_delete(r);
	mover->threads_delete(m);
}

static void
waking(void)
{
	struct lib loaded = load();

	try_waking(&linked, &loaded);
	try_waking(&loaded, &linked);
	unload(&loaded);
}

static void
sleeping(void)
{
	struct lib loaded = load();

	try_sleeping(&linked, &loaded);
	try_sleeping(&loaded, &linked);
	unload(&loaded);
}

static sem_t thread_there;
static sem_t thread_leave;
static const struct lib *to_use;

/* Uses the copy that is loaded at the time, and stays till the next time. */
static void *
use_what_is_loaded(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 3; i++) {
		struct data_mover_threads *m =
			to_use->threads_new(1, 1, FUTURE_NOTIFIER_WAKER);
		struct copy c[20];

		CHECK(m != NULL);
		for (unsigned j = 0; j < T_COUNT(c); j++)
			copy_init(&c[j], to_use->threads_get_vdm(m), i + j);
		for (unsigned j = 0; j < T_COUNT(c); j++) {
			poll_out(copy_future(&c[j]));
			copy_check(&c[j]);
		}
		to_use->threads_delete(m);
		t_open(&thread_there);
		t_pass(&thread_leave);
	}
	return NULL;
}

/* A thread that has used movers outlives the library, and sees it come again. */
static void
threads_live_on(void)
{
	pthread_t thread;

	CHECK(sem_init(&thread_there, 0, 0) == 0);
	CHECK(sem_init(&thread_leave, 0, 0) == 0);
	for (unsigned i = 0; i < 3; i++) {
		struct lib loaded = load();

		to_use = &loaded;
		if (i == 0)
			t_start(&thread, use_what_is_loaded, NULL);
		else
			t_open(&thread_leave);
		t_pass(&thread_there);
		unload(&loaded);
	}
	t_open(&thread_leave);
	t_join(thread);
}

/* A monitor is woken by the other copy's worker, and may go right after. */
static void
monitored(void)
{
	struct lib loaded = load();
	struct data_mover_threads *m;

	gate_init();
	m = gated_of(&loaded);
	for (unsigned i = 0; i < 100; i++) {
		struct future_monitor *monitor = new_monitor();
		struct copy c;

		copy_init(&c, loaded.threads_get_vdm(m), i);
		CHECK_INT(future_monitor_add(monitor, copy_future(&c), &c), 0);
		t_pass(&gate_entered);
		t_open(&gate);
		CHECK(next_woken(monitor) == &c);
		copy_check(&c);
		future_monitor_delete(monitor);
	}
	loaded.threads_delete(m);
	unload(&loaded);
}

/* What the threads that wait share. */
struct shared {
	const struct lib *waits;
	struct runtime *runtime;
	struct vdm *vdms[2]; /* of both copies */
	unsigned seed;
};

/* Thousands of both copies' movers in one wait, many times. */
static void *
wait_for_many(void *arg)
{
	enum { N = 2000 };
	struct shared *s = arg;
	struct copy *copies = t_malloc(N * sizeof(*copies));
	struct future **futs = t_malloc(N * sizeof(*futs));

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < N; i++) {
			copy_init(&copies[i], s->vdms[i % 2], round + i);
			futs[i] = copy_future(&copies[i]);
			if (i % 3 == 0)
				copy_poll(&copies[i], NULL);
		}
		s->waits->runtime_wait_multiple(s->runtime, futs, N);
		for (unsigned i = 0; i < N; i++)
			copy_check(&copies[i]);
	}
	free(futs);
	free(copies);
	return NULL;
}

static void
many_at_a_time(void)
{
	struct lib loaded = load();
	const struct lib *libs[2] = {&linked, &loaded};
	struct data_mover_threads *movers[2];
	struct shared shared[2];
	pthread_t threads[4];

	for (unsigned i = 0; i < 2; i++) {
		movers[i] = libs[i]->threads_new(2, 16, FUTURE_NOTIFIER_WAKER);
		CHECK(movers[i] != NULL);
		libs[i]->set_inline_below(movers[i], 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		shared[i].waits = libs[i];
		shared[i].runtime = libs[i]->runtime_new();
		CHECK(shared[i].runtime != NULL);
		for (unsigned j = 0; j < 2; j++)
			shared[i].vdms[j] = libs[j]->threads_get_vdm(movers[j]);
	}
	for (unsigned i = 0; i < 4; i++)
		t_start(&threads[i], wait_for_many, &shared[i % 2]);
	for (unsigned i = 0; i < 4; i++)
		t_join(threads[i]);
	for (unsigned i = 0; i < 2; i++) {
		libs[i]->threads_delete(movers[i]);
		libs[i]->runtime_delete(shared[i].runtime);
	}
	unload(&loaded);
}

/* None can complete before the wait has started them all. */
static void
many_pending(void)
{
	enum { N = 4000 };
	struct lib loaded = load();
	const struct lib *libs[2] = {&linked, &loaded};
	struct copy *copies = t_malloc(N * sizeof(*copies));
	struct future *futs[N + 1];

	for (unsigned i = 0; i < 2; i++) {
		struct data_mover_threads *movers[2];
		struct runtime *r = libs[i]->runtime_new();
		struct opener opener;

		CHECK(r != NULL);
		gate_init();
		for (unsigned j = 0; j < 2; j++)
			movers[j] = gated_of(libs[j]);
		for (unsigned j = 0; j < N; j++) {
			const struct lib *lib = libs[j % 2];

			copy_init(&copies[j],
				lib->threads_get_vdm(movers[j % 2]), j);
			futs[j] = copy_future(&copies[j]);
		}
		/* ASYNC ones are polled before others */
		FUTURE_INIT(&opener, open_gate);
		*FUTURE_DATA(&opener) = N;
		futs[N] = FUTURE_AS_RUNNABLE(&opener);
		libs[i]->runtime_wait_multiple(r, futs, N + 1);
		for (unsigned j = 0; j < N; j++)
			copy_check(&copies[j]);
		for (unsigned j = 0; j < 2; j++)
			libs[j]->threads_delete(movers[j]);
		libs[i]->runtime_delete(r);
	}
	free(copies);
	unload(&loaded);
}

/* A task that waits with the one copy, within a wait of the other. */
struct nested_data {
	const struct lib *waits;
	struct runtime *runtime;
	struct copy copies[2]; /* of both copies' movers */
};
FUTURE(nested, struct nested_data, int);

static enum future_state
wait_within(struct future_context *context, struct future_notifier *n)
{
	struct nested_data *d = future_context_get_data(context);
	struct future *futs[2] = {
		copy_future(&d->copies[0]), copy_future(&d->copies[1])};

	(void)n;
	d->waits->runtime_wait_multiple(d->runtime, futs, 2);
	return FUTURE_STATE_COMPLETE;
}

static void
nested_waits(void)
{
	struct lib loaded = load();
	const struct lib *libs[2] = {&linked, &loaded};
	struct data_mover_threads *movers[2];
	struct runtime *runtimes[2];

	for (unsigned i = 0; i < 2; i++) {
		movers[i] = libs[i]->threads_new(1, 16, FUTURE_NOTIFIER_WAKER);
		runtimes[i] = libs[i]->runtime_new();
		CHECK(movers[i] != NULL && runtimes[i] != NULL);
		libs[i]->set_inline_below(movers[i], 0);
	}
	for (unsigned i = 0; i < 2000; i++) {
		struct nested nested;
		struct nested_data *d = FUTURE_DATA(&nested);
		struct copy beside;
		struct future *futs[2];

		FUTURE_INIT(&nested, wait_within);
		d->waits = libs[i % 2];
		d->runtime = runtimes[i % 2];
		for (unsigned j = 0; j < 2; j++)
			copy_init(&d->copies[j],
				libs[j]->threads_get_vdm(movers[j]), i + j);
		copy_init(&beside,
			libs[i / 2 % 2]->threads_get_vdm(movers[i / 2 % 2]), i);
		futs[0] = FUTURE_AS_RUNNABLE(&nested);
		futs[1] = copy_future(&beside);
		libs[1 - i % 2]->runtime_wait_multiple(runtimes[1 - i % 2],
			futs, 2);
		copy_check(&beside);
		copy_check(&d->copies[0]);
		copy_check(&d->copies[1]);
	}
	for (unsigned i = 0; i < 2; i++) {
		libs[i]->threads_delete(movers[i]);
		libs[i]->runtime_delete(runtimes[i]);
	}
	unload(&loaded);
}

/* In the child both copies notice the fork, each for itself. */
static void
in_the_child(void *arg)
{
	struct shared *s = arg;

	for (unsigned i = 0; i < 2; i++) {
		struct copy c;

		copy_init(&c, s->vdms[i], i);
		s->waits->runtime_wait(s->runtime, copy_future(&c));
		copy_check(&c);
	}
	t_end_child_unchecked();
}

static void
forking(void)
{
	struct lib loaded = load();
	const struct lib *libs[2] = {&linked, &loaded};
	struct data_mover_threads *movers[2];
	struct shared s;

	for (unsigned i = 0; i < 2; i++) {
		movers[i] = libs[i]->threads_new(1, 16, FUTURE_NOTIFIER_WAKER);
		CHECK(movers[i] != NULL);
		libs[i]->set_inline_below(movers[i], 0);
		s.vdms[i] = libs[i]->threads_get_vdm(movers[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		s.waits = libs[i];
		s.runtime = libs[i]->runtime_new();
		CHECK(s.runtime != NULL);
		CHECK_CHILD(in_the_child, &s, 20);
		libs[i]->runtime_delete(s.runtime);
	}
	for (unsigned i = 0; i < 2; i++)
		libs[i]->threads_delete(movers[i]);
	unload(&loaded);
}

/* The loaded copy goes and leaves nothing behind that a fork would call. */
static void
unloaded(void)
{
	struct data_mover_threads *m =
		linked.threads_new(1, 16, FUTURE_NOTIFIER_WAKER);
	struct shared s;

	CHECK(m != NULL);
	s.waits = &linked;
	s.vdms[0] = s.vdms[1] = linked.threads_get_vdm(m);
	for (unsigned i = 0; i < 20; i++) {
		struct lib loaded = load();

		try_sleeping(&loaded, &linked);
		try_sleeping(&linked, &loaded);
		unload(&loaded);
	}
	s.runtime = linked.runtime_new();
	CHECK(s.runtime != NULL);
	CHECK_CHILD(in_the_child, &s, 20);
	linked.runtime_delete(s.runtime);
	linked.threads_delete(m);
}

T_MAIN(T_CASE(one_at_a_time), T_CASE(waking), T_CASE(sleeping),
	T_CASE(threads_live_on), T_CASE(monitored), T_CASE(many_at_a_time),
	T_CASE(many_pending), T_CASE(nested_waits), T_CASE(forking),
	T_CASE(unloaded))
