/* SPDX-License-Identifier: BSD-3-Clause */
/* _miniasync_pairs.c -- what the benchmark's goals are measured with */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif

#include "_miniasync_pairs.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#endif

/* Somewhere to sleep until somebody sends: a descriptor, or a word. */
struct place {
	int fds[2];
#if defined(__linux__)
	atomic_uint word;
#else
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_set;
#endif
};

struct pair {
	struct place places[2];
	size_t rounds;
	void (*send)(struct place *place);
	void (*receive)(struct place *place);
};

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static void
write_fd(struct place *place)
{
	const uint64_t one = 1;

	while (write(place->fds[1], &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void
read_fd(struct place *place)
{
	uint64_t value;

	while (read(place->fds[0], &value, sizeof(value)) < 0 && errno == EINTR)
		;
}

static int
open_fds(struct place *place)
{
#if defined(__linux__)
	place->fds[0] = place->fds[1] = eventfd(0, EFD_CLOEXEC);
	return place->fds[0] < 0 ? errno : 0;
#else
	return pipe(place->fds) != 0 ? errno : 0;
#endif
}

static void
close_fds(struct place *place)
{
	if (place->fds[1] != place->fds[0])
		close(place->fds[1]);
	close(place->fds[0]);
}

#if defined(__linux__)

static void
send_word(struct place *place)
{
	atomic_store_explicit(&place->word, 1, memory_order_release);
	syscall(SYS_futex, &place->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void
receive_word(struct place *place)
{
	while (atomic_exchange_explicit(&place->word, 0,
		       memory_order_acquire) == 0)
		syscall(SYS_futex, &place->word, FUTEX_WAIT_PRIVATE, 0, NULL,
			NULL, 0);
}

static void
init_word(struct place *place)
{
	atomic_init(&place->word, 0);
}

static void
fini_word(struct place *place)
{
	(void)place;
}

#else

static void
send_word(struct place *place)
{
	pthread_mutex_lock(&place->lock);
	place->is_set = true;
	pthread_cond_signal(&place->changed);
	pthread_mutex_unlock(&place->lock);
}

static void
receive_word(struct place *place)
{
	pthread_mutex_lock(&place->lock);
	while (!place->is_set)
		pthread_cond_wait(&place->changed, &place->lock);
	place->is_set = false;
	pthread_mutex_unlock(&place->lock);
}

static void
init_word(struct place *place)
{
	/* Default attributes need no memory. */
	(void)pthread_mutex_init(&place->lock, NULL);
	(void)pthread_cond_init(&place->changed, NULL);
	place->is_set = false;
}

static void
fini_word(struct place *place)
{
	pthread_cond_destroy(&place->changed);
	pthread_mutex_destroy(&place->lock);
}

#endif

static void *
echo(void *arg)
{
	struct pair *pair = arg;

	for (size_t i = 0; i < pair->rounds; i++) {
		pair->receive(&pair->places[1]);
		pair->send(&pair->places[0]);
	}
	return NULL;
}

static int
run(struct pair *pair, uint64_t samples[])
{
	pthread_t thread;
	const int error = pthread_create(&thread, NULL, echo, pair);

	if (error != 0)
		return error;
	for (size_t i = 0; i < pair->rounds; i++) {
		const uint64_t start = now();

		pair->send(&pair->places[1]);
		pair->receive(&pair->places[0]);
		samples[i] = now() - start;
	}
	pthread_join(thread, NULL);
	return 0;
}

int
ma_bench_round_trips(int descriptor, size_t rounds, uint64_t samples[])
{
	struct pair pair = {.rounds = rounds};
	int error;

	if (!descriptor) {
		pair.send = send_word;
		pair.receive = receive_word;
		init_word(&pair.places[0]);
		init_word(&pair.places[1]);
		error = run(&pair, samples);
		fini_word(&pair.places[0]);
		fini_word(&pair.places[1]);
		return error;
	}
	pair.send = write_fd;
	pair.receive = read_fd;
	error = open_fds(&pair.places[0]);
	if (error != 0)
		return error;
	error = open_fds(&pair.places[1]);
	if (error == 0) {
		error = run(&pair, samples);
		close_fds(&pair.places[1]);
	}
	close_fds(&pair.places[0]);
	return error;
}

static atomic_bool is_held;

void
ma_bench_hold(int held)
{
	/* Nothing is handed over with it: relaxed. */
	atomic_store_explicit(&is_held, held != 0, memory_order_relaxed);
}

void *
ma_bench_held_memcpy(void *dst, const void *src, size_t n, unsigned flags)
{
	const struct timespec nap = {.tv_sec = 0, .tv_nsec = 1000000};

	(void)flags;
	while (atomic_load_explicit(&is_held, memory_order_relaxed))
		nanosleep(&nap, NULL);
	return memcpy(dst, src, n);
}
