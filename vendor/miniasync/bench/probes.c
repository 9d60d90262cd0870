/* SPDX-License-Identifier: BSD-3-Clause */
/* probes.c -- what this machine does, without the library */

#define _GNU_SOURCE

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "bench.h"
#include "machine.h"
#include "stats.h"

#define ROUNDS_MAX 2000

double
probe_memcpy(size_t size, size_t rounds)
{
	static double rates[ROUNDS_MAX];
	char *dst = memory_new(size);
	char *src = memory_new(size);

	libc_memcpy(dst, src, size);
	for (size_t i = 0; i < rounds; i++) {
		const uint64_t start = now_ns();

		libc_memcpy(dst, src, size);
		rates[i] = (double)size / (double)(now_ns() - start);
	}
	memory_delete(dst, size);
	memory_delete(src, size);
	return median(rates, rounds);
}

/* Two threads that wake each other; each has a word and a descriptor. */
struct pair {
	_Atomic uint32_t words[2];
	int fds[2];
	size_t rounds;
	uint64_t pause_ns;
	bool apart; /* on different processors of `set` */
	cpu_set_t set;
	void (*send)(struct pair *pair, int to);
	void (*receive)(struct pair *pair, int at);
};

static void
futex_send(struct pair *pair, int to)
{
	atomic_store(&pair->words[to], 1);
	syscall(SYS_futex, &pair->words[to], FUTEX_WAKE_PRIVATE, 1, NULL, NULL,
		0);
}

static void
futex_receive(struct pair *pair, int at)
{
	while (atomic_exchange(&pair->words[at], 0) == 0)
		syscall(SYS_futex, &pair->words[at], FUTEX_WAIT_PRIVATE, 0,
			NULL, NULL, 0);
}

static void
event_send(struct pair *pair, int to)
{
	if (eventfd_write(pair->fds[to], 1) != 0)
		die("eventfd");
}

static void
event_receive(struct pair *pair, int at)
{
	eventfd_t value;

	if (eventfd_read(pair->fds[at], &value) != 0)
		die("eventfd");
}

static void *
echo(void *arg)
{
	struct pair *pair = arg;

	for (size_t i = 0; i < pair->rounds; i++) {
		pair->receive(pair, 1);
		pair->send(pair, 0);
	}
	return NULL;
}

/* Binds a thread to the n-th of the processors in the set. */
static void
bind_to(pthread_t thread, const cpu_set_t *set, int n)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, set) && n-- == 0)
			CPU_SET(i, &one);
	if (pthread_setaffinity_np(thread, sizeof(one), &one) != 0)
		die("pthread_setaffinity_np");
}

/* The median of the round trips, in us. */
static double
round_trip(struct pair *pair)
{
	static double spans[ROUNDS_MAX];
	pthread_t thread;

	if (pthread_create(&thread, NULL, echo, pair) != 0)
		die("a thread");
	if (pair->apart)
		bind_to(thread, &pair->set, 1);
	for (size_t i = 0; i < pair->rounds; i++) {
		uint64_t start;

		if (pair->pause_ns > 0)
			rest_ns(pair->pause_ns);
		start = now_ns();
		pair->send(pair, 1);
		pair->receive(pair, 0);
		spans[i] = (double)(now_ns() - start) / 1000;
	}
	pthread_join(thread, NULL);
	return median(spans, pair->rounds);
}

double
probe_futex(size_t rounds, uint64_t pause_ns)
{
	struct pair pair = {.rounds = rounds,
		.pause_ns = pause_ns,
		.send = futex_send,
		.receive = futex_receive};

	return round_trip(&pair);
}

double
probe_futex_apart(size_t rounds, uint64_t pause_ns)
{
	struct pair pair = {.rounds = rounds,
		.pause_ns = pause_ns,
		.send = futex_send,
		.receive = futex_receive,
		.apart = true};
	cpu_set_t set;
	double us;

	if (pthread_getaffinity_np(pthread_self(), sizeof(set), &set) != 0 ||
		CPU_COUNT(&set) < 2)
		return probe_futex(rounds, pause_ns);
	pair.set = set;
	bind_to(pthread_self(), &set, 0);
	us = round_trip(&pair);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
		die("pthread_setaffinity_np");
	return us;
}

double
probe_eventfd(size_t rounds)
{
	struct pair pair = {
		.rounds = rounds, .send = event_send, .receive = event_receive};
	double us;

	pair.fds[0] = eventfd(0, EFD_CLOEXEC);
	pair.fds[1] = eventfd(0, EFD_CLOEXEC);
	if (pair.fds[0] < 0 || pair.fds[1] < 0)
		die("eventfd");
	us = round_trip(&pair);
	close(pair.fds[0]);
	close(pair.fds[1]);
	return us;
}

#define WRITER_SIZE (32 * MIB)
#define SLICE (256 * KIB)
#define SLICES_MAX 8192

struct writer {
	char *memory;
	atomic_bool *go;
	uint64_t ns; /* how long to write */
	double spans[SLICES_MAX]; /* of the slices, in ns */
	double rate; /* GB/s, from the median: others may have interrupted it */
};

static void
write_past_caches(char *memory, size_t n)
{
#ifdef __SSE2__
	const __m128i value = _mm_set1_epi8(0x5a);

	for (size_t i = 0; i < n; i += sizeof(value))
		_mm_stream_si128((__m128i *)(void *)(memory + i), value);
	_mm_sfence();
#else
	libc_memset(memory, 0x5a, n);
#endif
}

static void *
writer_main(void *arg)
{
	struct writer *writer = arg;
	size_t count = 0;
	uint64_t start;
	uint64_t now;

	while (!atomic_load(writer->go))
		sched_yield();
	start = now = now_ns();
	while (count < SLICES_MAX && now - start < writer->ns) {
		const uint64_t before = now;

		write_past_caches(writer->memory + count * SLICE % WRITER_SIZE,
			SLICE);
		now = now_ns();
		writer->spans[count++] = (double)(now - before);
	}
	writer->rate = (double)SLICE / median(writer->spans, count);
	return NULL;
}

void
probe_writes(double *one, double *two, uint64_t ns)
{
	static char *memory;
	static struct writer writers[2];
	atomic_bool go = true;
	pthread_t thread;

	if (memory == NULL)
		memory = memory_new(2 * WRITER_SIZE);
	for (size_t i = 0; i < 2; i++) {
		writers[i].memory = memory + i * WRITER_SIZE;
		writers[i].go = &go;
		writers[i].ns = ns;
	}
	writer_main(&writers[0]);
	*one = writers[0].rate;

	atomic_store(&go, false);
	if (pthread_create(&thread, NULL, writer_main, &writers[1]) != 0)
		die("a thread");
	rest_ns(1000000); /* until it runs */
	atomic_store(&go, true);
	writer_main(&writers[0]);
	pthread_join(thread, NULL);
	*two = writers[0].rate + writers[1].rate;
}
