/* SPDX-License-Identifier: BSD-3-Clause */
/* test_monitor_wake.c -- wakes from other threads, and event loops of all kinds */

#include "probe.h"
#include "watching.h"

#include <stdbool.h>
#include <sys/select.h>

#ifdef __linux__
#include <sys/epoll.h>
#endif

static struct future_monitor *monitor;

static void *
step_by_step(void *arg)
{
	struct probe *p = arg;

	for (int i = 1; i <= 500; i++) {
		probe_await(p, i);
		probe_wake(p);
	}
	probe_await(p, 501);
	probe_finish(p);
	return NULL;
}

/* Each wake has to be noticed, or the next never comes; without deadlines. */
static void
no_wake_is_lost(void)
{
	static const enum probe_kind kinds[] = {PROBE_WAKER, PROBE_WAKER_ONCE};

	monitor = new_monitor();
	for (size_t i = 0; i < T_COUNT(kinds); i++) {
		struct probe p[3];
		pthread_t waker[3];

		for (int j = 0; j < 3; j++) {
			probe_init(&p[j], kinds[i]);
			CHECK_INT(future_monitor_add(monitor,
					  probe_future(&p[j]), &p[j]),
				0);
			t_start(&waker[j], step_by_step, &p[j]);
		}
		for (int j = 0; j < 3; j++)
			CHECK(next_woken(monitor) != NULL);
		for (int j = 0; j < 3; j++) {
			t_join(waker[j]);
			CHECK(atomic_load(&p[j].polls) >= 501);
			probe_fini(&p[j]);
		}
	}
	future_monitor_delete(monitor);
}

static void *
finish_once_polled(void *arg)
{
	probe_await(arg, 1);
	probe_finish(arg);
	return NULL;
}

static void
by_poll(void)
{
	CHECK_INT(readable(monitor, -1), 1);
}

static void
by_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(future_monitor_fd(monitor), &set);
	CHECK_INT(select(future_monitor_fd(monitor) + 1, &set, NULL, NULL,
			  NULL),
		1);
}

#ifdef __linux__
static int epoll_fd;

static void
by_epoll(void)
{
	struct epoll_event event;

	CHECK_INT(epoll_wait(epoll_fd, &event, 1, -1), 1);
	CHECK(event.data.ptr == monitor);
}

/* Level-triggered, or edge-triggered. */
static void
epoll_open(uint32_t events)
{
	struct epoll_event event;

	memset(&event, 0, sizeof(event));
	event.events = events;
	event.data.ptr = monitor;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	CHECK(epoll_fd >= 0);
	CHECK_INT(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, future_monitor_fd(monitor),
			  &event),
		0);
}
#endif

static void
loop(void (*wait)(void))
{
	for (int i = 0; i < 200; i++) {
		void *done[1];
		pthread_t other;
		struct probe p;

		probe_init(&p, PROBE_WAKER);
		CHECK_INT(future_monitor_add(monitor, probe_future(&p), &p), 0);
		t_start(&other, finish_once_polled, &p);
		while (future_monitor_run(monitor, done, 1) == 0)
			wait();
		CHECK(done[0] == &p);
		t_join(other);
		probe_fini(&p);
	}
}

static void
loops_of_all_kinds(void)
{
	monitor = new_monitor();
	loop(by_poll);
	loop(by_select);
#ifdef __linux__
	epoll_open(EPOLLIN);
	loop(by_epoll);
	close(epoll_fd);
	epoll_open(EPOLLIN | EPOLLET);
	loop(by_epoll);
	close(epoll_fd);
#endif
	future_monitor_delete(monitor);
}

static atomic_int stop;

static void *
wake_all_the_time(void *arg)
{
	struct probe *p = arg;

	while (!atomic_load(&stop)) {
		for (int i = 0; i < 4; i++)
			probe_wake(&p[i]);
	}
	return NULL;
}

/* Wakes hit futures that are added, removed, polled, complete, at any moment. */
static void
removing_while_woken(void)
{
	enum { ROUNDS = T_SLOW ? 3000 : 30000 };
	struct probe p[4];
	pthread_t wakers[2];
	uint64_t random = 7;

	monitor = new_monitor();
	for (int i = 0; i < 4; i++) {
		probe_init(&p[i], PROBE_WAKER);
		CHECK_INT(future_monitor_add(monitor, probe_future(&p[i]),
				  &p[i]),
			0);
	}
	atomic_store(&stop, 0);
	for (int i = 0; i < 2; i++)
		t_start(&wakers[i], wake_all_the_time, p);
	for (int round = 0; round < ROUNDS; round++) {
		const uint64_t r = t_random(&random);
		struct probe *at = &p[r % 4];
		void *done[2];
		size_t n;

		if (r / 4 % 8 == 0)
			atomic_store(&at->done, 1);
		if (r / 4 % 8 < 4)
			(void)future_monitor_remove(monitor, probe_future(at));
		n = future_monitor_run(monitor, done, 1 + r / 32 % 2);
		for (size_t i = 0; i < n; i++)
			CHECK_INT(FUTURE_STATE(&((struct probe *)done[i])->fut),
				FUTURE_STATE_COMPLETE);
		for (int i = 0; i < 4; i++) {
			const int rc = future_monitor_add(monitor,
				probe_future(&p[i]), &p[i]);

			if (rc == EALREADY) {
				atomic_store(&p[i].done, 0);
				FUTURE_STATE(&p[i].fut) = FUTURE_STATE_RUNNING;
			} else if (rc != EEXIST) {
				CHECK_INT(rc, 0);
			}
		}
	}
	atomic_store(&stop, 1);
	for (int i = 0; i < 2; i++)
		t_join(wakers[i]);
	for (int i = 0; i < 4; i++)
		(void)future_monitor_add(monitor, probe_future(&p[i]), &p[i]);
	/* still in order: every one of them can be woken */
	for (int i = 0; i < 4; i++)
		probe_finish(&p[i]);
	while (future_monitor_count(monitor) > 0)
		CHECK(next_woken(monitor) != NULL);
	future_monitor_delete(monitor);
	for (int i = 0; i < 4; i++)
		probe_fini(&p[i]);
}

static sem_t yours;
static sem_t mine;

static void *
other_thread(void *arg)
{
	struct probe *p = arg;

	for (int i = 0; i < 300; i++) {
		t_pass(&yours);
		CHECK_INT(future_monitor_add(monitor, probe_future(p), p), 0);
		probe_wake(p);
		CHECK(next_woken(monitor) != NULL);
		t_open(&mine);
	}
	return NULL;
}

/* One thread at a time, not always the same. */
static void
handed_from_thread_to_thread(void)
{
	struct probe p[2];
	pthread_t other;

	monitor = new_monitor();
	CHECK(sem_init(&yours, 0, 0) == 0 && sem_init(&mine, 0, 0) == 0);
	for (int i = 0; i < 2; i++)
		probe_init(&p[i], PROBE_WAKER);
	t_start(&other, other_thread, &p[1]);
	for (int i = 0; i < 300; i++) {
		FUTURE_STATE(&p[0].fut) = FUTURE_STATE_IDLE;
		FUTURE_STATE(&p[1].fut) = FUTURE_STATE_IDLE;
		p[1].done_at = atomic_load(&p[1].polls) + 2;
		p[0].done_at = atomic_load(&p[0].polls) + 2;
		CHECK_INT(future_monitor_add(monitor, probe_future(&p[0]),
				  &p[0]),
			0);
		t_open(&yours);
		t_pass(&mine);
		probe_wake(&p[0]);
		CHECK(next_woken(monitor) != NULL);
		CHECK_INT(future_monitor_count(monitor), 0);
	}
	t_join(other);
	future_monitor_delete(monitor);
	for (int i = 0; i < 2; i++)
		probe_fini(&p[i]);
}

static struct probe *signalled;

static void
on_signal(int sig)
{
	(void)sig;
	FUTURE_WAKER_WAKE(&signalled->waker);
}

/* On Linux a signal handler may wake. */
static void
woken_by_a_signal_handler(void)
{
	struct probe p;

	monitor = new_monitor();
	probe_init(&p, PROBE_WAKER);
	signalled = &p;
	signal(SIGUSR1, on_signal);
	CHECK_INT(future_monitor_add(monitor, probe_future(&p), &p), 0);
	atomic_store(&p.done, 1);
	errno = 77;
	CHECK(raise(SIGUSR1) == 0);
	CHECK_INT(errno, 77);
	CHECK(next_woken(monitor) == &p);
	future_monitor_delete(monitor);
	probe_fini(&p);
}

T_MAIN(T_CASE(no_wake_is_lost), T_CASE(loops_of_all_kinds),
	T_CASE(removing_while_woken), T_CASE(handed_from_thread_to_thread),
	T_CASE(woken_by_a_signal_handler))
