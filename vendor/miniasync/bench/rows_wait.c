/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_wait.c -- what waiting costs: asleep, polling, and per completion */

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "report.h"
#include "stats.h"

/*
 * A future that somebody else completes. The lock is held around polls and
 * around completing it: when the poll says COMPLETE, the waker has returned,
 * and is not called late, which not every library forgives.
 */
struct pending_data {
	pthread_mutex_t *lock; /* NULL: everything is in one thread */
	bool is_done;
	struct future_waker waker;
};

struct pending_output {
	int unused;
};

FUTURE(pending, struct pending_data, struct pending_output);

static enum future_state
pending_task(struct future_context *context, struct future_notifier *notifier)
{
	struct pending_data *data = future_context_get_data(context);
	bool is_done;

	if (data->lock != NULL)
		pthread_mutex_lock(data->lock);
	is_done = data->is_done;
	if (!is_done && notifier != NULL) {
		data->waker = notifier->waker;
		notifier->notifier_used = FUTURE_NOTIFIER_WAKER;
	}
	if (data->lock != NULL)
		pthread_mutex_unlock(data->lock);
	return is_done ? FUTURE_STATE_COMPLETE : FUTURE_STATE_RUNNING;
}

static void
pending_init(struct pending *fut, pthread_mutex_t *lock)
{
	FUTURE_INIT(fut, pending_task);
	FUTURE_DATA(fut)->lock = lock;
	FUTURE_DATA(fut)->is_done = false;
	FUTURE_DATA(fut)->waker.wake = NULL;
}

static void
pending_complete(struct pending *fut)
{
	struct pending_data *data = FUTURE_DATA(fut);

	data->is_done = true;
	if (data->waker.wake != NULL)
		FUTURE_WAKER_WAKE(&data->waker);
}

#define IDLE_TIME 200000000
#define IDLE_MAX 64

struct completer {
	sem_t start;
	pthread_mutex_t lock;
	struct pending futures[IDLE_MAX];
	size_t n;
};

static void *
completer_main(void *arg)
{
	struct completer *completer = arg;

	for (;;) {
		size_t n;

		while (sem_wait(&completer->start) != 0)
			;
		n = completer->n; /* changes when the last one is complete */
		if (n == 0)
			return NULL;
		rest_ns(IDLE_TIME);
		for (size_t i = 0; i < n; i++) {
			pthread_mutex_lock(&completer->lock);
			pending_complete(&completer->futures[i]);
			pthread_mutex_unlock(&completer->lock);
		}
	}
}

/* Waits for n futures; the share of the time this thread was running, in %. */
static double
wait_asleep(struct bench *bench, struct completer *completer, size_t n)
{
	struct future *pointers[IDLE_MAX];
	uint64_t start;
	uint64_t cpu;

	for (size_t i = 0; i < n; i++) {
		pending_init(&completer->futures[i], &completer->lock);
		pointers[i] = FUTURE_AS_RUNNABLE(&completer->futures[i]);
	}
	completer->n = n;
	sem_post(&completer->start);
	start = now_ns();
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	runtime_wait_multiple(bench->runtime, pointers, n);
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	return 100 * (double)cpu / (double)(now_ns() - start);
}

/* The CPU time of all other threads. This thread's is read first, or the rest
 * could seem to run backwards. */
static double
others_cpu_ns(void)
{
	const uint64_t own = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) - (double)own;
}

/* The CPU time of a mover with nothing to do, in % of the time. */
static double
idle_mover(struct bench *bench)
{
	struct data_mover_threads *mover = mover_default();
	char *memory = memory_new(2 * MIB);
	struct vdm_operation_future fut =
		vdm_memcpy(data_mover_threads_get_vdm(mover), memory,
			memory + MIB, MIB, 0);
	uint64_t start;
	double cpu;

	future_poll(FUTURE_AS_RUNNABLE(&fut), NULL);
	wait_for(bench, FUTURE_AS_RUNNABLE(&fut));
	rest_ns(bench->quick ? 10000000 : 500000000); /* until they park */
	start = now_ns();
	cpu = others_cpu_ns();
	rest_ns(bench->quick ? 10000000 : 1000000000);
	cpu = others_cpu_ns() - cpu;
	start = now_ns() - start;
	memory_delete(memory, 2 * MIB);
	data_mover_threads_delete(mover);
	return cpu > 0 ? 100 * cpu / (double)start : 0;
}

static void
run_idle(struct bench *bench)
{
	static const size_t numbers[] = {1, 64};
	struct completer *completer = calloc(1, sizeof(*completer));
	const size_t rounds = bench->quick ? 1 : 5;
	pthread_t thread;
	char name[48];

	if (completer == NULL || sem_init(&completer->start, 0, 0) != 0 ||
		pthread_mutex_init(&completer->lock, NULL) != 0 ||
		pthread_create(&thread, NULL, completer_main, completer) != 0)
		die("a thread");
	for (size_t i = 0; i < COUNT(numbers); i++) {
		double shares[5];

		for (size_t round = 0; round < rounds; round++)
			shares[round] =
				wait_asleep(bench, completer, numbers[i]);
		snprintf(name, sizeof(name), "waiting for %zu", numbers[i]);
		report_add(bench->report, name, median(shares, rounds), "%",
			AT_MOST, 0.5, "200 ms");
	}
	completer->n = 0;
	sem_post(&completer->start);
	pthread_join(thread, NULL);
	pthread_mutex_destroy(&completer->lock);
	sem_destroy(&completer->start);
	free(completer);

	/* What the clocks' own noise may be; 0 is meant. */
	report_add(bench->report, "idle mover", idle_mover(bench), "%", AT_MOST,
		0.001, NULL);
}

const struct row row_idle = {"idle",
	"CPU time of a wait for waker futures, and of a mover with no work",
	run_idle};

#define POLLS 21

struct counting_data {
	unsigned polls;
};

FUTURE(counting, struct counting_data, struct pending_output);

static enum future_state
counting_task(struct future_context *context, struct future_notifier *notifier)
{
	struct counting_data *data = future_context_get_data(context);

	if (notifier != NULL)
		notifier->notifier_used = FUTURE_NOTIFIER_NONE;
	return ++data->polls == POLLS ? FUTURE_STATE_COMPLETE
				      : FUTURE_STATE_RUNNING;
}

static double
poll_all(struct bench *bench, struct counting *futures,
	struct future **pointers, size_t n, bool plain)
{
	uint64_t start;

	for (size_t i = 0; i < n; i++) {
		FUTURE_INIT(&futures[i], counting_task);
		FUTURE_DATA(&futures[i])->polls = 0;
		pointers[i] = FUTURE_AS_RUNNABLE(&futures[i]);
	}
	start = now_ns();
	if (plain) {
		struct future_notifier notifier = {.poller = {NULL}};

		for (size_t i = 0; i < POLLS * n; i++)
			future_poll(pointers[i % n], &notifier);
	} else {
		runtime_wait_multiple(bench->runtime, pointers, n);
	}
	return (double)(now_ns() - start) / (double)(POLLS * n);
}

static void
run_polling(struct bench *bench)
{
	static const size_t numbers[] = {1, 10, 100, 1000, 10000};
	static double spans[2][2000];
	struct counting *futures = malloc(10000 * sizeof(*futures));
	struct future **pointers = malloc(10000 * sizeof(struct future *));
	char name[48];
	char text[80];

	if (futures == NULL || pointers == NULL)
		die("memory");
	for (size_t i = 0; i < COUNT(numbers); i++) {
		const size_t n = numbers[i];
		size_t rounds = 200000 / n;

		rounds = bench->quick ? 3 : rounds < 2000 ? rounds : 2000;
		for (size_t round = 0; round < rounds; round++) {
			spans[0][round] =
				poll_all(bench, futures, pointers, n, false);
			spans[1][round] =
				poll_all(bench, futures, pointers, n, true);
		}
		snprintf(name, sizeof(name), "n = %zu", n);
		snprintf(text, sizeof(text), "in a plain loop %.1f ns",
			median(spans[1], rounds));
		report_add(bench->report, name, median(spans[0], rounds), "ns",
			n == 10 || n == 10000 ? AT_MOST : NO_GOAL, 8, text);
	}
	free(futures);
	free(pointers);
}

const struct row row_polling = {"polling",
	"n futures without a waker that take 21 polls each, per poll",
	run_polling};

/*
 * The last one of the futures completes the others, one in each of its polls,
 * so all happens in one thread and no system call is in it. It is polled in
 * each round; a round is what one completion costs. The first ones are not
 * timed; when enough are, it completes all the rest.
 */
struct driver_data {
	struct pending *futures;
	const uint32_t *order;
	size_t n;
	size_t polls;
	size_t skipped; /* polls before those that are timed */
	size_t timed;
	uint64_t start;
	uint64_t end;
};

FUTURE(driver, struct driver_data, struct pending_output);

static enum future_state
driver_task(struct future_context *context, struct future_notifier *notifier)
{
	struct driver_data *data = future_context_get_data(context);
	const size_t poll = data->polls++;

	if (notifier != NULL)
		notifier->notifier_used = FUTURE_NOTIFIER_NONE;
	if (poll == data->skipped)
		data->start = ticks();
	if (poll < data->skipped + data->timed) {
		pending_complete(&data->futures[data->order[poll]]);
		return FUTURE_STATE_RUNNING;
	}
	data->end = ticks();
	for (size_t i = poll; i < data->n; i++)
		pending_complete(&data->futures[data->order[i]]);
	return FUTURE_STATE_COMPLETE;
}

/* Nanoseconds of one completion with n futures pending. */
static double
complete_one_by_one(struct bench *bench, struct pending *futures,
	struct future **pointers, const uint32_t *order, size_t n)
{
	struct driver driver;
	struct driver_data *data = FUTURE_DATA(&driver);

	for (size_t i = 0; i < n; i++) {
		pending_init(&futures[i], NULL);
		pointers[i] = FUTURE_AS_RUNNABLE(&futures[i]);
	}
	pointers[n] = FUTURE_AS_RUNNABLE(&driver);
	FUTURE_INIT(&driver, driver_task);
	data->futures = futures;
	data->order = order;
	data->n = n;
	data->polls = 0;
	data->skipped = n < 100 ? 3 : 20;
	data->timed = n < 100 ? n - 3 : 500;
	runtime_wait_multiple(bench->runtime, pointers, n + 1);
	return ticks_to_ns(data->end - data->start) / (double)data->timed;
}

static void
shuffle(uint32_t *order, size_t n)
{
	uint32_t state = 12345;

	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n; i-- > 1;) {
		size_t j;
		uint32_t swapped;

		state = state * 1664525 + 1013904223;
		j = (size_t)(state >> 8) % (i + 1);
		swapped = order[i];
		order[i] = order[j];
		order[j] = swapped;
	}
}

static void
run_completing(struct bench *bench)
{
	static const size_t numbers[] = {10, 1000, 10000};
	static double spans[1000];
	struct pending *futures = malloc(10000 * sizeof(*futures));
	struct future **pointers = malloc(10001 * sizeof(struct future *));
	uint32_t *order = malloc(10000 * sizeof(*order));
	double least = 1e18;
	double most = 0;
	char name[48];

	if (futures == NULL || pointers == NULL || order == NULL)
		die("memory");
	for (size_t i = 0; i < COUNT(numbers); i++) {
		const size_t n = numbers[i];
		const size_t rounds = bench->quick ? 3
			: n == 10		   ? 1000
			: n == 1000		   ? 101
						   : 21;
		double ns;

		shuffle(order, n);
		for (size_t round = 0; round < rounds; round++)
			spans[round] = complete_one_by_one(bench, futures,
				pointers, order, n);
		ns = median(spans, rounds);
		least = ns < least ? ns : least;
		most = ns > most ? ns : most;
		snprintf(name, sizeof(name), "n = %zu", n);
		report_add(bench->report, name, ns, "ns", NO_GOAL, 0, NULL);
	}
	report_add(bench->report, "the dearest / the cheapest", most / least,
		"x", AT_MOST, 1.5, NULL);
	free(futures);
	free(pointers);
	free(order);
}

const struct row row_completing = {"completing",
	"n pending waker futures complete one by one, each completion",
	run_completing};
