/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_stress.c -- everything at once, for as many operations as one likes
 *
 *   test_stress [operations [seed]]
 *
 * Threads make operations on shared movers, poll them with and without wakers,
 * wait with runtimes and waiters, run out of time, release, leave things for
 * later, while the process forks now and then. Each byte of each operation is
 * checked, and no waker may be called once its operation was seen complete.
 */

#include "bytes.h"

enum { THREADS = 3, SLOTS = 24, MOVERS = 7, SMALL = 4096, LARGE = 1 << 20 };
enum { OPERATIONS_PER_FORK = 5000 };

static struct data_mover_threads *movers[MOVERS - 1];
static struct data_mover_sync *sync_mover;
static struct vdm *vdms[MOVERS];
static struct runtime *shared_runtime;
static _Atomic int64_t left;
static sem_t fork_now;

enum slot_state { EMPTY, MADE, POLLED };

struct slot {
	enum slot_state state;
	struct bytes bytes;
	struct future_notifier notifier;
	atomic_int live; /* made, and not yet seen complete */
};

struct player {
	uint64_t random;
	struct runtime *runtime;
	struct future_waiter *waiter;
	struct slot slots[SLOTS];
};

static unsigned
pick(struct player *p, unsigned below)
{
	return (unsigned)((t_random(&p->random) >> 32) % below);
}

static void
stress_wake(void *data)
{
	struct slot *s = data;

	CHECK(atomic_load(&s->live));
}

static void
make(struct player *p, struct slot *s)
{
	size_t most = s->bytes.n;
	size_t n = 1 + pick(p, (unsigned)most);
	enum vdm_operation_type type =
		(enum vdm_operation_type)pick(p, VDM_OPERATION_FLUSH + 1);
	size_t from = pick(p, BYTES_MARGIN);
	int64_t before = atomic_fetch_sub(&left, 1);

	if (before <= 0)
		return;
	if (before % OPERATIONS_PER_FORK == 0)
		t_open(&fork_now);
	if (pick(p, 8) == 0)
		n = pick(p, 16);
	/* `live` before the operation is: its waker may come at once */
	atomic_store(&s->live, 1);
	bytes_make(&s->bytes, vdms[pick(p, MOVERS)], type, n,
		pick(p, BYTES_MARGIN), from, pick(p, 8));
	s->state = MADE;
}

static void
settle(struct slot *s)
{
	if (s->state == EMPTY ||
		FUTURE_STATE(&s->bytes.fut) != FUTURE_STATE_COMPLETE)
		return;
	atomic_store(&s->live, 0);
	bytes_check(&s->bytes);
	s->state = EMPTY;
}

static void
poll_slot(struct player *p, struct slot *s)
{
	int with = pick(p, 3) > 0;

	for (unsigned i = pick(p, 3); i < 3; i++) {
		if (s->state == EMPTY)
			return;
		future_poll(FUTURE_AS_RUNNABLE(&s->bytes.fut),
			with ? &s->notifier : NULL);
		s->state = POLLED;
		settle(s);
	}
}

static void
release(struct slot *s)
{
	int rc;

	if (s->state == EMPTY)
		return;
	rc = vdm_operation_release(&s->bytes.fut);
	CHECK_INT(rc, s->state == MADE ? 0 : EBUSY);
	if (rc != 0)
		return;
	CHECK_INT(FUTURE_STATE(&s->bytes.fut), FUTURE_STATE_COMPLETE);
	CHECK_INT(s->bytes.fut.output.result, VDM_ERROR_JOB_CORRUPTED);
	CHECK(memcmp(s->bytes.at, s->bytes.before, s->bytes.used) == 0);
	atomic_store(&s->live, 0);
	s->state = EMPTY;
}

/* Waits for some or all of up to 2 * SLOTS futures, some of them twice. */
static void
wait_for(struct player *p, unsigned how)
{
	struct future *futs[2 * SLOTS];
	size_t n = 0;

	for (int i = 0; i < SLOTS; i++) {
		if (p->slots[i].state == EMPTY || pick(p, 3) == 0)
			continue;
		futs[n++] = FUTURE_AS_RUNNABLE(&p->slots[i].bytes.fut);
		if (pick(p, 10) == 0) {
			futs[n] = futs[n - 1];
			n++;
		}
		p->slots[i].state = POLLED;
	}
	if (how < 2) {
		runtime_wait_multiple(how == 0 ? p->runtime : shared_runtime,
			futs, n);
		for (size_t i = 0; i < n; i++)
			CHECK_INT(futs[i]->context.state,
				FUTURE_STATE_COMPLETE);
	} else {
		size_t nwanted = pick(p, (unsigned)n + 1);
		uint64_t deadline = t_now() + pick(p, 50000);
		struct future_waiter *w = p->waiter;
		size_t complete = 0;
		int rc;

		if (how == 2)
			w = new_waiter();
		rc = future_waiter_wait(w, futs, n, nwanted, deadline, 0);
		if (how == 2)
			future_waiter_delete(w);
		for (size_t i = 0; i < n; i++)
			complete +=
				futs[i]->context.state == FUTURE_STATE_COMPLETE;
		if (rc == 0) {
			CHECK(complete >= nwanted);
		} else {
			CHECK_INT(rc, ETIMEDOUT);
			CHECK(complete < nwanted);
		}
		if (nwanted > 0)
			return;
		/* who wanted none may not even have polled */
		for (int i = 0; i < SLOTS; i++)
			if (p->slots[i].state == POLLED)
				poll_slot(p, &p->slots[i]);
	}
}

static void *
play(void *arg)
{
	struct player *p = arg;
	int busy;

	do {
		for (unsigned i = pick(p, SLOTS); i < SLOTS; i++) {
			struct slot *s = &p->slots[pick(p, SLOTS)];

			/* the large one more rarely */
			if (s == p->slots && pick(p, 8) != 0)
				continue;
			if (s->state == EMPTY)
				make(p, s);
			else if (pick(p, 12) == 0)
				release(s);
			else
				poll_slot(p, s);
		}
		if (pick(p, 2) == 0)
			wait_for(p, pick(p, 4));
		for (int i = 0; i < SLOTS; i++)
			settle(&p->slots[i]);
		busy = 0;
		for (int i = 0; i < SLOTS; i++)
			busy |= p->slots[i].state != EMPTY;
	} while (busy || atomic_load(&left) > 0);
	return NULL;
}

static void *
own_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	(void)flags;
	return memcpy(dst, src, n);
}

static void
new_things(void)
{
	static const struct {
		enum future_notifier_type type;
		size_t inline_below;
	} kinds[] = {
		{FUTURE_NOTIFIER_WAKER, 0},
		{FUTURE_NOTIFIER_WAKER, 4096},
		{FUTURE_NOTIFIER_POLLER, 0},
		{FUTURE_NOTIFIER_NONE, 0},
		/* queued, and executed by waits, too */
		{FUTURE_NOTIFIER_WAKER, 1},
		{FUTURE_NOTIFIER_POLLER, 1},
	};

	for (size_t i = 0; i < T_COUNT(kinds); i++) {
		movers[i] =
			data_mover_threads_new(1 + i % 2, 16, kinds[i].type);
		CHECK(movers[i] != NULL);
		data_mover_threads_set_inline_below(movers[i],
			kinds[i].inline_below);
		if (i >= 4)
			data_mover_threads_set_memcpy_fn(movers[i], own_memcpy);
		vdms[i] = data_mover_threads_get_vdm(movers[i]);
	}
	sync_mover = data_mover_sync_new();
	CHECK(sync_mover != NULL);
	vdms[MOVERS - 1] = data_mover_sync_get_vdm(sync_mover);
	shared_runtime = new_runtime();
}

static void
delete_things(void)
{
	for (int i = 0; i < MOVERS - 1; i++)
		data_mover_threads_delete(movers[i]);
	data_mover_sync_delete(sync_mover);
	runtime_delete(shared_runtime);
}

/* Everything from before the fork is used, then ended. */
static void
child(void *arg)
{
	struct vdm_operation_future f[MOVERS];
	struct future *futs[MOVERS];
	unsigned char to[MOVERS][100];

	(void)arg;
	for (int i = 0; i < MOVERS; i++) {
		f[i] = vdm_memset(vdms[i], to[i], i + 1, sizeof(to[i]), 0);
		futs[i] = FUTURE_AS_RUNNABLE(&f[i]);
	}
	runtime_wait_multiple(shared_runtime, futs, MOVERS);
	for (int i = 0; i < MOVERS; i++)
		for (size_t j = 0; j < sizeof(to[i]); j++)
			CHECK_INT(to[i][j], i + 1);
	delete_things();
	t_end_child_unchecked();
}

int
main(int argc, char *argv[])
{
	int64_t operations = T_SLOW > 1 ? 5000 : 20000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct player *players = calloc(THREADS, sizeof(*players));
	pthread_t threads[THREADS];

	if (argc > 1)
		operations = strtoll(argv[1], NULL, 10);
	CHECK(operations > 0 && players != NULL);
	printf("%lld operations, seed %llu\n", (long long)operations,
		(unsigned long long)seed);
	t_case_name_ = "stress";
	new_things();
	atomic_store(&left, operations);
	CHECK(sem_init(&fork_now, 0, 0) == 0);
	for (int i = 0; i < THREADS; i++) {
		struct player *p = &players[i];

		p->random = seed * THREADS + (uint64_t)i + 1;
		p->runtime = new_runtime();
		p->waiter = new_waiter();
		for (int j = 0; j < SLOTS; j++) {
			struct slot *s = &p->slots[j];

			bytes_init(&s->bytes, j == 0 ? LARGE : SMALL,
				BYTES_MARGIN);
			s->notifier.waker.data = s;
			s->notifier.waker.wake = stress_wake;
		}
		t_start(&threads[i], play, p);
	}
	for (int64_t i = 0; i < operations / OPERATIONS_PER_FORK; i++) {
		t_pass(&fork_now);
		CHECK_CHILD(child, NULL, 20);
	}
	for (int i = 0; i < THREADS; i++) {
		struct player *p = &players[i];

		t_join(threads[i]);
		runtime_delete(p->runtime);
		future_waiter_delete(p->waiter);
		for (int j = 0; j < SLOTS; j++)
			bytes_fini(&p->slots[j].bytes);
	}
	delete_things();
	free(players);
	return 0;
}
