/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_monitor_steps.c -- wakes that are stopped between two of their steps
 *
 * A wake sets READY, pushes the cell if it was armed, and rings if the stack was
 * empty (monitor.c). Here the test does each of these as if it were a thread
 * that loses its processor in between, and what else may happen in between, it
 * does, too. The clock stands still, so nothing is found by chance.
 */

#include "frozen.h"
#include "probe.h"
#include "watching.h"

#include "waiters.h"

static long mallocs;
static void (*before_read)(void);
static void (*after_read)(void);

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *
__wrap_malloc(size_t n)
{
	mallocs++;
	return __real_malloc(n);
}

static void
call(void (**hook)(void))
{
	void (*f)(void) = *hook;

	*hook = NULL;
	if (f != NULL)
		f();
}

ssize_t __real_read(int fd, void *buf, size_t n);
ssize_t __wrap_read(int fd, void *buf, size_t n);
ssize_t
__wrap_read(int fd, void *buf, size_t n)
{
	ssize_t got;
	int error;

	call(&before_read);
	got = __real_read(fd, buf, n);
	error = errno;
	call(&after_read);
	errno = error;
	return got;
}

static struct future_monitor *monitor;
static struct probe probes[4];

static void
setup(void)
{
	monitor = new_monitor();
	for (size_t i = 0; i < T_COUNT(probes); i++) {
		probe_init(&probes[i], PROBE_WAKER);
		CHECK_INT(future_monitor_add(monitor, probe_future(&probes[i]),
				  &probes[i]),
			0);
	}
}

static void
teardown(void)
{
	future_monitor_delete(monitor);
	for (size_t i = 0; i < T_COUNT(probes); i++)
		probe_fini(&probes[i]);
}

static int
polls_of(int i)
{
	return atomic_load(&probes[i].polls);
}

static struct ma__cell *
cell_of(int i)
{
	CHECK(probes[i].waker.wake == ma__cell_wake);
	return probes[i].waker.data;
}

/* The first step; is there a second? */
static bool
set_ready(struct ma__cell *cell)
{
	return atomic_fetch_or(&cell->flags, MA__CELL_READY) == MA__CELL_ARMED;
}

/* The second; is there a third? */
static bool
push(struct ma__cell *cell)
{
	struct ma__waiter *waiter = cell->waiter;

	cell->ready_next = atomic_load(&waiter->ready);
	while (!atomic_compare_exchange_weak(&waiter->ready, &cell->ready_next,
		cell))
		;
	return cell->ready_next == NULL;
}

static void
ring(struct ma__cell *cell)
{
	ma__bell_ring(&cell->waiter->bell);
}

/* The stack is taken, then the ring comes: run in vain, and nothing is lost. */
static void
a_late_ring(void)
{
	setup();
	CHECK(set_ready(cell_of(0)));
	CHECK(push(cell_of(0)));
	CHECK_INT(readable(monitor, 0), 0);
	run_in_vain(monitor);
	CHECK_INT(polls_of(0), 2);
	/* another wake meanwhile rings for itself */
	probe_wake(&probes[1]);
	CHECK_INT(readable(monitor, 0), 1);
	run_in_vain(monitor);
	CHECK_INT(polls_of(1), 2);
	CHECK_INT(readable(monitor, 0), 0);
	ring(cell_of(0));
	CHECK_INT(readable(monitor, 0), 1);
	run_in_vain(monitor);
	CHECK_INT(readable(monitor, 0), 0);
	CHECK_INT(polls_of(0), 2);
	teardown();
}

/* One ring for all that are pushed on top. */
static void
one_ring_for_several(void)
{
	setup();
	CHECK(set_ready(cell_of(0)));
	CHECK(push(cell_of(0)));
	CHECK(set_ready(cell_of(1)));
	CHECK(!push(cell_of(1)));
	probe_wake(&probes[2]);
	CHECK_INT(readable(monitor, 0), 0);
	ring(cell_of(0));
	CHECK_INT(readable(monitor, 0), 1);
	run_in_vain(monitor);
	for (int i = 0; i < 3; i++)
		CHECK_INT(polls_of(i), 2);
	CHECK_INT(polls_of(3), 1);
	CHECK_INT(readable(monitor, 0), 0);
	teardown();
}

static void
wake_1(void)
{
	probe_wake(&probes[1]);
}

/* Wakes just before and just after the bell is drained. */
static void
while_draining(void)
{
	setup();
	/* its ring is swallowed: the stack must be looked at afterwards */
	before_read = wake_1;
	run_in_vain(monitor);
	CHECK(before_read == NULL);
	CHECK_INT(polls_of(1), 2);
	/* the ring is left for the next time, the cell may be taken */
	after_read = wake_1;
	run_in_vain(monitor);
	CHECK(after_read == NULL);
	CHECK_INT(readable(monitor, 0), 1);
	run_in_vain(monitor);
	CHECK_INT(readable(monitor, 0), 0);
	CHECK_INT(polls_of(1), 3);
	/* on top of a cell whose ring is swallowed */
	CHECK(set_ready(cell_of(0)));
	CHECK(push(cell_of(0)));
	ring(cell_of(0));
	after_read = wake_1;
	run_in_vain(monitor);
	CHECK_INT(polls_of(0), 2);
	CHECK_INT(polls_of(1), 4);
	CHECK_INT(readable(monitor, 0), 0);
	teardown();
}

/* What a wake changed before it set READY is seen by the poll to come. */
static void
woken_while_polled(void)
{
	setup();
	probe_wake(&probes[0]);
	/* again, before the cell was popped and after: one poll is to come */
	CHECK(!set_ready(cell_of(0)));
	run_in_vain(monitor);
	CHECK_INT(polls_of(0), 2);
	CHECK_INT(readable(monitor, 0), 0);
	CHECK(set_ready(cell_of(0)));
	run_in_vain(monitor);
	/* not pushed yet, so nobody knows */
	CHECK_INT(polls_of(0), 2);
	CHECK(push(cell_of(0)));
	ring(cell_of(0));
	run_in_vain(monitor);
	CHECK_INT(polls_of(0), 3);
	teardown();
}

/* READY, but not pushed: the entry is nobody's until it was popped. */
static void
removed_before_the_push(void)
{
	struct ma__cell *cell;
	struct probe other;

	setup();
	cell = cell_of(0);
	CHECK(set_ready(cell));
	CHECK_INT(future_monitor_remove(monitor, probe_future(&probes[0])), 0);
	/* another future at the same address gets another cell */
	CHECK_INT(future_monitor_add(monitor, probe_future(&probes[0]), NULL),
		0);
	CHECK(cell_of(0) != cell);
	CHECK(push(cell));
	ring(cell);
	CHECK_INT(readable(monitor, 0), 1);
	run_in_vain(monitor);
	CHECK_INT(polls_of(0), 2);
	/* after which it may be used again */
	probe_init(&other, PROBE_WAKER);
	CHECK_INT(future_monitor_add(monitor, probe_future(&other), NULL), 0);
	CHECK(other.waker.data == cell);
	probe_fini(&other);
	teardown();
}

/* The same with the cell on the stack already. */
static void
removed_before_the_pop(void)
{
	struct ma__cell *cell;

	setup();
	cell = cell_of(0);
	CHECK(set_ready(cell));
	CHECK(push(cell));
	CHECK_INT(future_monitor_remove(monitor, probe_future(&probes[0])), 0);
	CHECK_INT(future_monitor_add(monitor, probe_future(&probes[0]), NULL),
		0);
	CHECK(cell_of(0) != cell);
	/* woken once more, by a task that does not know */
	ma__cell_wake(cell);
	run_in_vain(monitor);
	CHECK_INT(polls_of(0), 2);
	ring(cell);
	run_in_vain(monitor);
	CHECK_INT(polls_of(0), 2);
	CHECK_INT(readable(monitor, 0), 0);
	teardown();
}

/* A wake that begins after the removal: nothing, or one poll too many. */
static void
woken_after_the_removal(void)
{
	struct ma__cell *cell;

	setup();
	cell = cell_of(0);
	CHECK_INT(future_monitor_remove(monitor, probe_future(&probes[0])), 0);
	CHECK(!set_ready(cell));
	CHECK_INT(readable(monitor, 0), 0);
	CHECK_INT(future_monitor_add(monitor, probe_future(&probes[0]), NULL),
		0);
	CHECK(cell_of(0) == cell);
	ma__cell_wake(cell);
	CHECK_INT(readable(monitor, 0), 1);
	run_in_vain(monitor);
	CHECK_INT(polls_of(0), 3);
	probe_finish(&probes[0]);
	CHECK(next_woken(monitor) == NULL);
	teardown();
}

static void
set_ready_in_poll(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)p;
	if (poll == 2)
		CHECK(set_ready(notifier->waker.data));
}

/* It completes while its cell is READY and not pushed, and is returned. */
static void
complete_before_the_push(void)
{
	for (int keep = 0; keep < 2; keep++) {
		void *done[1];
		struct ma__cell *cell;

		setup();
		cell = cell_of(0);
		probes[0].on_poll = set_ready_in_poll;
		probes[0].done_at = 2;
		probe_wake(&probes[0]);
		CHECK_INT(future_monitor_run(monitor, done, (size_t)keep),
			keep);
		CHECK_INT(FUTURE_STATE(&probes[0].fut), FUTURE_STATE_COMPLETE);
		/* pushed when it is still kept, or was returned */
		CHECK(push(cell));
		ring(cell);
		CHECK_INT(future_monitor_run(monitor, done, 1), 1 - keep);
		CHECK(done[0] == &probes[0]);
		CHECK_INT(readable(monitor, 0), 0);
		CHECK_INT(future_monitor_count(monitor), 3);
		/* returned: late wakes are ignored */
		ma__cell_wake(cell);
		CHECK_INT(readable(monitor, 0), 0);
		/* the next one to come takes its place */
		probe_init(&probes[0], PROBE_WAKER);
		CHECK_INT(future_monitor_add(monitor, probe_future(&probes[0]),
				  NULL),
			0);
		CHECK(cell_of(0) == cell);
		probe_finish(&probes[0]);
		CHECK(next_woken(monitor) == NULL);
		teardown();
	}
}

static void
set_ready_in_add(struct probe *p, int poll, struct future_notifier *notifier)
{
	(void)poll;
	CHECK(set_ready(notifier->waker.data));
	p->arg = notifier->waker.data;
}

/* Woken and complete in the poll of add: there is nothing to watch. */
static void
complete_in_add(void)
{
	struct probe p;

	setup();
	probe_init(&p, PROBE_WAKER);
	p.on_poll = set_ready_in_add;
	p.done_at = 1;
	CHECK_INT(future_monitor_add(monitor, probe_future(&p), NULL),
		EALREADY);
	CHECK(push(p.arg));
	ring(p.arg);
	run_in_vain(monitor);
	CHECK_INT(readable(monitor, 0), 0);
	/* and the same when it is not complete */
	probe_init(&p, PROBE_WAKER);
	p.on_poll = set_ready_in_add;
	CHECK_INT(future_monitor_add(monitor, probe_future(&p), NULL), 0);
	p.on_poll = NULL;
	CHECK(push(p.arg));
	ring(p.arg);
	run_in_vain(monitor);
	CHECK_INT(atomic_load(&p.polls), 2);
	CHECK_INT(future_monitor_remove(monitor, probe_future(&p)), 0);
	teardown();
	probe_fini(&p);
}

/* Woken, removed, and never run: memory does not grow. */
static void
entries_are_given_back(void)
{
	struct probe p;
	long before = 0;

	setup();
	probe_init(&p, PROBE_WAKER);
	for (int i = 0; i < 100; i++) {
		if (i == 20)
			before = mallocs;
		CHECK_INT(future_monitor_add(monitor, probe_future(&p), NULL),
			0);
		probe_wake(&p);
		probe_wake(&probes[i % 4]);
		CHECK_INT(future_monitor_remove(monitor, probe_future(&p)), 0);
		CHECK_INT(readable(monitor, 0), 1);
	}
	CHECK_INT(mallocs, before);
	/* what add has found on the stack is polled by run */
	for (int i = 0; i < 4; i++)
		CHECK_INT(polls_of(i), 1);
	run_in_vain(monitor);
	for (int i = 0; i < 4; i++)
		CHECK_INT(polls_of(i), 2);
	CHECK_INT(readable(monitor, 0), 0);
	teardown();
	probe_fini(&p);
}

/* The same for those that a run leaves to the next one. */
static void
left_ones_are_given_back(void)
{
	enum { N = 200 };
	struct probe p[N];
	long before;

	setup();
	for (int i = 0; i < N; i++) {
		probe_init(&p[i], PROBE_WAKER);
		CHECK_INT(future_monitor_add(monitor, probe_future(&p[i]),
				  NULL),
			0);
	}
	for (int i = 0; i < N; i++)
		probe_wake(&p[i]);
	run_in_vain(monitor);
	CHECK_INT(atomic_load(&p[N - 1].polls), 1);
	for (int i = 0; i < N; i++)
		CHECK_INT(future_monitor_remove(monitor, probe_future(&p[i])),
			0);
	before = mallocs;
	for (int i = 0; i < N; i++)
		CHECK_INT(future_monitor_add(monitor, probe_future(&p[i]),
				  NULL),
			0);
	CHECK_INT(mallocs, before);
	teardown();
	for (int i = 0; i < N; i++)
		probe_fini(&p[i]);
}

/* A mover's reference keeps cell and descriptor; the latter is not another's. */
static void
woken_after_the_deletion(void)
{
	struct ma__cell *cells[2];
	int fd;

	setup();
	fd = future_monitor_fd(monitor);
	for (int i = 0; i < 2; i++) {
		cells[i] = cell_of(i);
		ma__cell_ref(cells[i]);
	}
	teardown();
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		ma__cell_wake(cells[i]);
		CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
		ma__cell_unref(cells[i]);
	}
	CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
}

T_MAIN(T_CASE(a_late_ring), T_CASE(one_ring_for_several),
	T_CASE(while_draining), T_CASE(woken_while_polled),
	T_CASE(removed_before_the_push), T_CASE(removed_before_the_pop),
	T_CASE(woken_after_the_removal), T_CASE(complete_before_the_push),
	T_CASE(complete_in_add), T_CASE(entries_are_given_back),
	T_CASE(left_ones_are_given_back), T_CASE(woken_after_the_deletion))
