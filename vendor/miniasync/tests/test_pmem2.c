/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pmem2.c -- libpmem2 as others ship it, on our movers
 *
 * Its chains, futures and property functions were compiled against upstream's
 * headers. How the bytes become persistent depends on the map's granularity: of
 * a PAGE (any file) libpmem2 calls msync when the operation is complete, of a
 * CACHE_LINE it writes cache lines back, unless the mover has a capability: then
 * it asks for VDM_F_MEM_DURABLE; of a BYTE nothing is needed.
 */

#include "gated.h"

#define PMEM2_USE_MINIASYNC 1
#include <libpmem2.h>

#include <sys/mman.h>
#include <sys/syscall.h>

#define SLOT 512 /* of each of thousands of operations */
#define MARGIN 192 /* of a slot stays free for odd places and moves */
#define SOURCE ((size_t)2 << 20)

static unsigned char source[SOURCE];
static atomic_int msyncs;

/* In the place of the C library's: libpmem2 calls this one. */
int
msync(void *at, size_t n, int flags)
{
	atomic_fetch_add(&msyncs, 1);
#ifdef HELGRIND_H
	/* It would take the call for this thread's read of whole pages. */
	(void)at, (void)n, (void)flags;
	return 0;
#endif
	return (int)syscall(SYS_msync, at, n, flags);
}

/* A mapped file and what it should contain. */
struct area {
	struct pmem2_config *config;
	struct pmem2_source *source;
	struct pmem2_map *map;
	unsigned char *at;
	unsigned char *expected;
	size_t size;
	int fd;
};

static void
area_open(struct area *a, struct vdm *vdm, enum pmem2_granularity granularity,
	size_t size)
{
	static const char *const names[] = {"BYTE", "CACHE_LINE", "PAGE"};

	a->size = size;
	a->fd = memfd_create("area", MFD_CLOEXEC);
	CHECK(a->fd >= 0);
	CHECK_INT(ftruncate(a->fd, (off_t)size), 0);
	setenv("PMEM2_FORCE_GRANULARITY", names[granularity], 1);
	CHECK_INT(pmem2_config_new(&a->config), 0);
	CHECK_INT(pmem2_config_set_required_store_granularity(a->config,
			  PMEM2_GRANULARITY_PAGE),
		0);
	CHECK_INT(pmem2_config_set_vdm(a->config, vdm), 0);
	CHECK_INT(pmem2_source_from_fd(&a->source, a->fd), 0);
	CHECK_INT(pmem2_map_new(&a->map, a->config, a->source), 0);
	CHECK_INT(pmem2_map_get_store_granularity(a->map), granularity);
	a->at = pmem2_map_get_address(a->map);
	a->expected = t_malloc(size);
	t_fill(a->at, size, 1);
	t_fill(a->expected, size, 1);
	t_fill(source, sizeof(source), 2);
	atomic_store(&msyncs, 0);
}

/* Every byte, as mapped and as the file has it. */
static void
area_check(struct area *a)
{
	unsigned char *file = t_malloc(a->size);

	CHECK(memcmp(a->at, a->expected, a->size) == 0);
	CHECK_INT(pread(a->fd, file, a->size, 0), a->size);
	CHECK(memcmp(file, a->expected, a->size) == 0);
	free(file);
}

static void
area_close(struct area *a)
{
	CHECK_INT(pmem2_map_delete(&a->map), 0);
	CHECK_INT(pmem2_source_delete(&a->source), 0);
	CHECK_INT(pmem2_config_delete(&a->config), 0);
	close(a->fd);
	free(a->expected);
}

/* Operation `i`: n bytes at an odd place of the n + MARGIN bytes at `slot`. */
static struct pmem2_future
make(struct area *a, unsigned i, size_t slot, size_t n)
{
	uint64_t random = i * UINT64_C(0x9e3779b97f4a7c15) + n + 1;
	const size_t at = slot + MARGIN / 2 + t_random(&random) % 32;
	const size_t shift = t_random(&random) % 64;
	unsigned char *dest = a->at + at;
	unsigned char *same = a->expected + at;

	switch (i % 3) {
	case 0:
		memcpy(same, source + shift, n);
		return pmem2_memcpy_async(a->map, dest, source + shift, n, 0);
	case 1: /* overlaps, from below or above */
		memmove(same, same - 32 + shift, n);
		return pmem2_memmove_async(a->map, dest, dest - 32 + shift, n,
			0);
	default:
		memset(same, (int)shift, n);
		return pmem2_memset_async(a->map, dest, (int)shift, n, 0);
	}
}

static void
check_complete(struct pmem2_future *fut)
{
	struct vdm_operation_future *op = &fut->data.op.fut;

	CHECK_INT(FUTURE_STATE(fut), FUTURE_STATE_COMPLETE);
	CHECK_INT(FUTURE_STATE(op), FUTURE_STATE_COMPLETE);
	CHECK_INT(op->output.result, VDM_SUCCESS);
	CHECK(op->output.output.memcpy.dest == FUTURE_OUTPUT(fut)->dest);
}

/* The ways to bring a future to its end. */
static void
by_polling(struct future *fut)
{
	poll_out(fut);
}

static void
by_runtime(struct future *fut)
{
	struct runtime *r = runtime_new();

	CHECK(r != NULL);
	runtime_wait(r, fut);
	/* nothing of ours is in flight any more */
	runtime_delete(r);
}

/* libpmem2 does not hand the wait's own notifier on. */
static void
by_runtime_after_a_poll(struct future *fut)
{
	future_poll(fut, NULL);
	by_runtime(fut);
}

static void
by_waiter(struct future *fut)
{
	struct future_waiter *w = future_waiter_new();

	CHECK(w != NULL);
	CHECK_INT(future_waiter_wait(w, &fut, 1, 1, FUTURE_WAITER_FOREVER, 0),
		0);
	future_waiter_delete(w);
}

static void
by_waker(struct future *fut)
{
	struct counting by;

	counting_init(&by);
	while (future_poll(fut, &by.notifier) != FUTURE_STATE_COMPLETE)
		t_pass(&by.called);
}

static void (*const ways[])(struct future *fut) = {
	by_polling, by_runtime, by_runtime_after_a_poll, by_waiter, by_waker};

static void
try_one_at_a_time(struct vdm *vdm, int is_async)
{
	static const size_t sizes[] = {
		0, 1, 63, 64, 65, 1000, 4096, 65537, 1500001};
	struct area a;

	for (int g = PMEM2_GRANULARITY_BYTE; g <= PMEM2_GRANULARITY_PAGE; g++) {
		area_open(&a, vdm, (enum pmem2_granularity)g, SOURCE);
		for (unsigned i = 0; i < T_COUNT(sizes) * 15;
			i += T_SLOW > 1 ? 11 : 1) {
			const size_t n = sizes[i / 15];
			struct pmem2_future fut = make(&a, i, i * 7, n);
			struct future *f = FUTURE_AS_RUNNABLE(&fut);

			CHECK_INT(FUTURE_STATE(&fut), FUTURE_STATE_IDLE);
			CHECK_INT(future_has_property(f, FUTURE_PROPERTY_ASYNC),
				is_async);
			ways[i % T_COUNT(ways)](f);
			check_complete(&fut);
			CHECK(memcmp(a.at, a.expected, a.size) == 0);
			/* COMPLETE is said after the bytes are in the file */
			if (g == PMEM2_GRANULARITY_PAGE && n > 0)
				CHECK(atomic_exchange(&msyncs, 0) > 0);
			else if (g != PMEM2_GRANULARITY_PAGE)
				CHECK_INT(atomic_load(&msyncs), 0);
		}
		area_check(&a);
		area_close(&a);
	}
}

static void
one_at_a_time_on_sync(void)
{
	struct data_mover_sync *m = data_mover_sync_new();

	CHECK(m != NULL);
	try_one_at_a_time(data_mover_sync_get_vdm(m), 0);
	data_mover_sync_delete(m);
}

static void
one_at_a_time_on_threads(void)
{
	for (int is_inline = 0; is_inline < 2; is_inline++) {
		struct data_mover_threads *m =
			data_mover_threads_new(2, 16, FUTURE_NOTIFIER_WAKER);

		CHECK(m != NULL);
		if (!is_inline)
			data_mover_threads_set_inline_below(m, 0);
		try_one_at_a_time(data_mover_threads_get_vdm(m), 1);
		data_mover_threads_delete(m);
	}
}

/* Thousands in one wait; all behind `gated` if there is one. */
static void
try_thousands(struct vdm *vdm, struct copy *gated)
{
	enum { N = T_SLOW > 1 ? 500 : 5000 };
	struct pmem2_future *futs = t_malloc(N * sizeof(*futs));
	struct future **array = t_malloc((N + 1) * sizeof(*array));
	struct runtime *r = runtime_new();
	struct area a;

	CHECK(r != NULL);
	for (int g = PMEM2_GRANULARITY_BYTE; g <= PMEM2_GRANULARITY_PAGE; g++) {
		size_t nfuts = N;

		area_open(&a, vdm, (enum pmem2_granularity)g, N * SLOT);
		if (gated != NULL) {
			copy_init(gated, vdm, 3);
			CHECK_INT(copy_poll(gated, NULL), FUTURE_STATE_RUNNING);
			t_pass(&gate_entered);
			array[nfuts++] = copy_future(gated);
		}
		for (unsigned i = 0; i < N; i++) {
			/* The gate is at memcpy. */
			const unsigned kind =
				gated != NULL ? i / 2 * 3 + 1 + i % 2 : i;

			futs[i] = make(&a, kind, i * (size_t)SLOT,
				i % (SLOT - MARGIN));
			array[i] = FUTURE_AS_RUNNABLE(&futs[i]);
			/* some are started here, the others in the wait */
			if (gated != NULL && i % 5 != 0)
				CHECK_INT(future_poll(array[i], NULL),
					FUTURE_STATE_RUNNING);
		}
		if (gated != NULL)
			t_open(&gate);
		runtime_wait_multiple(r, array, nfuts);
		for (unsigned i = 0; i < N; i++)
			check_complete(&futs[i]);
		if (gated != NULL)
			copy_check(gated);
		area_check(&a);
		area_close(&a);
	}
	runtime_delete(r);
	free(array);
	free(futs);
}

static void
thousands_on_sync(void)
{
	struct data_mover_sync *m = data_mover_sync_new();

	CHECK(m != NULL);
	try_thousands(data_mover_sync_get_vdm(m), NULL);
	data_mover_sync_delete(m);
}

static void
thousands_on_threads(void)
{
	struct data_mover_threads *m =
		data_mover_threads_new(2, 16, FUTURE_NOTIFIER_WAKER);

	CHECK(m != NULL);
	try_thousands(data_mover_threads_get_vdm(m), NULL);
	data_mover_threads_set_inline_below(m, 0);
	try_thousands(data_mover_threads_get_vdm(m), NULL);
	data_mover_threads_delete(m);
}

/* None can complete before all but a few have been started. */
static void
thousands_pending(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct copy gated;

	try_thousands(data_mover_threads_get_vdm(m), &gated);
	data_mover_threads_delete(m);
}

/* One map, mover and runtime for several threads. */
struct shared {
	struct area area;
	struct runtime *runtime;
};

struct part {
	struct shared *shared;
	unsigned first; /* slot */
};

enum { PART = T_SLOW > 1 ? 100 : 1000 };

static void *
do_part(void *arg)
{
	struct part *p = arg;
	struct pmem2_future *futs = t_malloc(PART * sizeof(*futs));
	struct future **array = t_malloc(PART * sizeof(*array));

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < PART; i++) {
			futs[i] = make(&p->shared->area, i + round,
				(p->first + i) * (size_t)SLOT,
				(i + round) % (SLOT - MARGIN));
			array[i] = FUTURE_AS_RUNNABLE(&futs[i]);
		}
		runtime_wait_multiple(p->shared->runtime, array, PART);
		for (unsigned i = 0; i < PART; i++)
			check_complete(&futs[i]);
	}
	free(array);
	free(futs);
	return NULL;
}

static void
from_several_threads(void)
{
	struct data_mover_threads *m =
		data_mover_threads_new(2, 16, FUTURE_NOTIFIER_WAKER);
	struct shared s;
	struct part parts[4];
	pthread_t threads[4];

	CHECK(m != NULL);
	data_mover_threads_set_inline_below(m, 64);
	s.runtime = runtime_new();
	CHECK(s.runtime != NULL);
	area_open(&s.area, data_mover_threads_get_vdm(m),
		PMEM2_GRANULARITY_PAGE, (size_t)SLOT * PART * 4);
	for (unsigned i = 0; i < 4; i++) {
		parts[i].shared = &s;
		parts[i].first = i * PART;
		t_start(&threads[i], do_part, &parts[i]);
	}
	for (unsigned i = 0; i < 4; i++)
		t_join(threads[i]);
	area_check(&s.area);
	area_close(&s.area);
	runtime_delete(s.runtime);
	data_mover_threads_delete(m);
}

/* A mover with capabilities, which hands all work on and notes the flags. */
static struct vdm *relayed;
static atomic_uint relayed_flags;
static atomic_int relayed_starts;

static void *
relay_new(struct vdm *vdm, const enum vdm_operation_type type)
{
	(void)vdm;
	return relayed->op_new(relayed, type);
}

static int
relay_start(void *data, const struct vdm_operation *op,
	struct future_notifier *n)
{
	atomic_fetch_add(&relayed_starts, 1);
	atomic_store(&relayed_flags,
		(unsigned)(op->type == VDM_OPERATION_MEMSET
				? op->data.memset.flags
				: op->data.memcpy.flags));
	return relayed->op_start(data, op, n);
}

/* Which flag libpmem2 asks for, and that our movers do what it then expects. */
static void
try_flags(struct vdm *vdm)
{
	static const unsigned capabilities[] = {0, VDM_F_MEM_DURABLE,
		/* its vdm_is_supported takes any bit for any other */
		VDM_F_NO_CACHE_HINT};
	struct vdm relay = *vdm;
	struct area a;

	relay.op_new = relay_new;
	relay.op_start = relay_start;
	relayed = vdm;
	CHECK_INT(vdm->capabilities, 0);
	for (unsigned i = 0; i < 9; i++) {
		const int g = (int)(i % 3);
		const unsigned expected = g == PMEM2_GRANULARITY_CACHE_LINE &&
				capabilities[i / 3] != 0
			? VDM_F_MEM_DURABLE
			: 0;

		relay.capabilities = capabilities[i / 3];
		area_open(&a, &relay, (enum pmem2_granularity)g, 1 << 20);
		for (unsigned j = 0; j < 300; j += T_SLOW > 1 ? 23 : 1) {
			const size_t n = j < 290 ? j : 900000;
			struct pmem2_future fut = make(&a, j, j, n);

			atomic_store(&relayed_flags, ~0U);
			atomic_store(&relayed_starts, 0);
			ways[j % T_COUNT(ways)](FUTURE_AS_RUNNABLE(&fut));
			check_complete(&fut);
			CHECK_INT(atomic_load(&relayed_flags), expected);
			/* upstream's headers start an operation once */
			CHECK_INT(atomic_load(&relayed_starts), 1);
		}
		area_check(&a);
		area_close(&a);
	}
}

static void
durable(void)
{
	struct data_mover_sync *sync = data_mover_sync_new();
	struct data_mover_threads *threads =
		data_mover_threads_new(2, 16, FUTURE_NOTIFIER_WAKER);

	CHECK(sync != NULL && threads != NULL);
	data_mover_threads_set_inline_below(threads, 0);
	try_flags(data_mover_sync_get_vdm(sync));
	try_flags(data_mover_threads_get_vdm(threads));
	data_mover_sync_delete(sync);
	data_mover_threads_delete(threads);
}

/* An operation that is refused ends at once, and the chain goes on past it. */
static void
out_of_memory(void)
{
	struct data_mover_threads *m;
	struct pmem2_future first, refused;
	struct area a;

	setenv("MINIASYNC_MAX_OPERATIONS", "1", 1);
	m = data_mover_threads_new(1, 16, FUTURE_NOTIFIER_WAKER);
	unsetenv("MINIASYNC_MAX_OPERATIONS");
	CHECK(m != NULL);
	for (unsigned i = 0; i < T_COUNT(ways); i++) {
		area_open(&a, data_mover_threads_get_vdm(m),
			PMEM2_GRANULARITY_PAGE, 4096);
		first = make(&a, 0, 0, 1000);
		refused = pmem2_memset_async(a.map, a.at, 1, 2000, 0);
		ways[i](FUTURE_AS_RUNNABLE(&refused));
		CHECK_INT(FUTURE_STATE(&refused), FUTURE_STATE_COMPLETE);
		CHECK_INT(refused.data.op.fut.output.result,
			VDM_ERROR_OUT_OF_MEMORY);
		CHECK(refused.data.op.fut.output.output.memset.str == NULL);
		ways[i](FUTURE_AS_RUNNABLE(&first));
		check_complete(&first);
		area_check(&a);
		area_close(&a);
	}
	data_mover_threads_delete(m);
}

/* Never polled: released, or left to the mover. */
static void
dropped(void)
{
	struct data_mover_threads *m =
		data_mover_threads_new(1, 16, FUTURE_NOTIFIER_WAKER);
	struct area a;

	CHECK(m != NULL);
	area_open(&a, data_mover_threads_get_vdm(m), PMEM2_GRANULARITY_PAGE,
		4096);
	for (unsigned i = 0; i < 5000; i++) {
		struct pmem2_future fut =
			pmem2_memset_async(a.map, a.at, 1, a.size, 0);

		if (i % 2 == 0)
			CHECK_INT(vdm_operation_release(&fut.data.op.fut), 0);
	}
	area_check(&a);
	area_close(&a);
	data_mover_threads_delete(m);
}

T_MAIN(T_CASE(one_at_a_time_on_sync), T_CASE(one_at_a_time_on_threads),
	T_CASE(thousands_on_sync), T_CASE(thousands_on_threads),
	T_CASE(thousands_pending), T_CASE(from_several_threads),
	T_CASE(durable), T_CASE(out_of_memory), T_CASE(dropped))
