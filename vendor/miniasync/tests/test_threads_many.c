/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads_many.c -- many operations at a time, large ones, and those that
 * nobody polls
 */

#include "bytes.h"
#include "gated.h"

#include <dirent.h>

/* Row 14: a ring of one, thousands pending; none may be told "not now". */
static void
thousands_pending(void)
{
	enum { N = 5000 };
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct vdm *vdm = data_mover_threads_get_vdm(m);
	struct runtime *r = new_runtime();
	struct vdm_operation_future *f = t_malloc(N * sizeof(*f));
	struct future **futs = t_malloc((N + 1) * sizeof(*futs));
	unsigned char *to = calloc(N, 1);
	struct copy c;

	CHECK(to != NULL);
	copy_init(&c, vdm, 1);
	CHECK_INT(copy_poll(&c, NULL), FUTURE_STATE_RUNNING);
	t_pass(&gate_entered);
	for (int i = 0; i < N; i++) {
		f[i] = vdm_memset(vdm, &to[i], i | 1, 1, 0);
		futs[i] = FUTURE_AS_RUNNABLE(&f[i]);
		CHECK_INT(future_poll(futs[i], NULL), FUTURE_STATE_RUNNING);
	}
	futs[N] = copy_future(&c);
	t_open(&gate);
	runtime_wait_multiple(r, futs, N + 1);
	copy_check(&c);
	for (int i = 0; i < N; i++) {
		CHECK_INT(f[i].output.result, VDM_SUCCESS);
		CHECK_INT(to[i], (unsigned char)(i | 1));
	}
	data_mover_threads_delete(m);
	runtime_delete(r);
	free(to);
	free(futs);
	free(f);
}

/* What was started is finished by delete, what was not costs nothing. */
static void
delete_finishes_what_was_started(void)
{
	enum { N = 500 };
	struct data_mover_threads *m = gated_new(2, FUTURE_NOTIFIER_WAKER);
	struct vdm *vdm = data_mover_threads_get_vdm(m);
	struct copy *c = t_malloc(N * sizeof(*c));

	for (int i = 0; i < N; i++) {
		copy_init(&c[i], vdm, (uint64_t)i);
		if (i % 2 == 0)
			CHECK_INT(copy_poll(&c[i], NULL), FUTURE_STATE_RUNNING);
	}
	for (int i = 0; i < N / 2; i++)
		t_open(&gate);
	data_mover_threads_delete(m);
	for (int i = 0; i < N; i++) {
		int same = memcmp(c[i].dst, c[i].src, sizeof(c[i].dst)) == 0;

		CHECK_INT(same, i % 2 == 0);
	}
	CHECK_INT(atomic_load(&gate_calls), N / 2);
	free(c);
}

/* Row 20: an operation that nobody polls is in nobody's way. */
static void
never_polled(void)
{
	enum { N = T_SLOW > 1 ? 2000 : 20000 };
	struct data_mover_threads *m = new_queueing_mover(1);
	struct vdm *vdm = data_mover_threads_get_vdm(m);
	struct vdm_operation_future *f = t_malloc(N * sizeof(*f));
	unsigned char to = 0;
	unsigned char other = 0;

	for (int i = 0; i < N; i++) {
		struct vdm_operation_future used =
			vdm_memset(vdm, &other, i, 1, 0);

		f[i] = vdm_memset(vdm, &to, 1, 1, 0);
		CHECK_INT(FUTURE_STATE(&f[i]), FUTURE_STATE_IDLE);
		poll_out(FUTURE_AS_RUNNABLE(&used));
		CHECK_INT(used.output.result, VDM_SUCCESS);
		CHECK_INT(other, (unsigned char)i);
	}
	for (int i = 0; i < N; i += 2) {
		CHECK_INT(vdm_operation_release(&f[i]), 0);
		CHECK_INT(FUTURE_STATE(&f[i]), FUTURE_STATE_COMPLETE);
		CHECK_INT(f[i].output.type, VDM_OPERATION_MEMSET);
		CHECK_INT(f[i].output.result, VDM_ERROR_JOB_CORRUPTED);
		CHECK(f[i].output.output.memset.str == NULL);
		CHECK_INT(vdm_operation_release(&f[i]), 0);
	}
	CHECK_INT(to, 0);
	/* those that were not released are as good as ever */
	poll_out(FUTURE_AS_RUNNABLE(&f[N - 1]));
	CHECK_INT(to, 1);
	data_mover_threads_delete(m);
	free(f);
}

static void
a_started_one_is_not_released(void)
{
	struct data_mover_threads *m = gated_new(1, FUTURE_NOTIFIER_WAKER);
	struct copy c[2];

	for (int i = 0; i < 2; i++) {
		copy_init(&c[i], data_mover_threads_get_vdm(m), 1);
		CHECK_INT(copy_poll(&c[i], NULL), FUTURE_STATE_RUNNING);
	}
	t_pass(&gate_entered);
	/* one is being executed, the other in the queue */
	for (int i = 0; i < 2; i++) {
		CHECK_INT(vdm_operation_release(&c[i].fut), EBUSY);
		CHECK_INT(FUTURE_STATE(&c[i].fut), FUTURE_STATE_RUNNING);
		t_open(&gate);
	}
	for (int i = 0; i < 2; i++) {
		poll_out(copy_future(&c[i]));
		copy_check(&c[i]);
		CHECK_INT(vdm_operation_release(&c[i].fut), 0);
		copy_check(&c[i]);
	}
	data_mover_threads_delete(m);
}

/* A future of a pending operation, from the operation alone: 1 M fit so. */
static struct vdm_operation_future
rebuild(const struct vdm_operation_future *like, void *data)
{
	struct vdm_operation_future f = *like;

	f.data.data = data;
	return f;
}

/*
 * Row 9. As many as `limit` fit, not one more; whichever ends makes room for
 * another, in any order and however it ends.
 */
static void
check_limit(size_t limit)
{
	struct data_mover_threads *m = new_queueing_mover(1);
	struct vdm *vdm = data_mover_threads_get_vdm(m);
	void **pending = t_malloc((limit + 1) * sizeof(*pending));
	struct vdm_operation_future like, f;
	uint64_t random = 5;
	char buf[1];
	size_t n = 0;

	for (;;) {
		f = vdm_memset(vdm, buf, 1, 1, 0);
		if (FUTURE_STATE(&f) == FUTURE_STATE_COMPLETE)
			break;
		CHECK(n < limit);
		like = f;
		pending[n++] = f.data.data;
	}
	CHECK_INT(n, limit);
	CHECK_INT(f.output.result, VDM_ERROR_OUT_OF_MEMORY);
	for (int i = 0; i < 2000; i++) {
		size_t which = t_random(&random) % n;

		f = rebuild(&like, pending[which]);
		if (i % 2 == 0)
			CHECK_INT(vdm_operation_release(&f), 0);
		else
			poll_out(FUTURE_AS_RUNNABLE(&f));
		f = vdm_memset(vdm, buf, 1, 1, 0);
		CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_IDLE);
		pending[which] = f.data.data;
		f = vdm_memset(vdm, buf, 1, 1, 0);
		CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_COMPLETE);
		CHECK_INT(f.output.result, VDM_ERROR_OUT_OF_MEMORY);
	}
	/* end a half from either side, fill up again */
	for (size_t i = 0; i < n / 2; i++) {
		f = rebuild(&like, pending[i % 2 == 0 ? i : n - i]);
		CHECK_INT(vdm_operation_release(&f), 0);
	}
	for (size_t i = 0; i < n / 2; i++) {
		f = vdm_memset(vdm, buf, 1, 1, 0);
		CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_IDLE);
	}
	f = vdm_memset(vdm, buf, 1, 1, 0);
	CHECK_INT(FUTURE_STATE(&f), FUTURE_STATE_COMPLETE);
	data_mover_threads_delete(m);
	free(pending);
}

static void
limit_from_the_environment(void)
{
	static const char *const limits[] = {"1", "7", "1000", "70000"};

	for (size_t i = 0; i < T_COUNT(limits); i++) {
		setenv("MINIASYNC_MAX_OPERATIONS", limits[i], 1);
		check_limit(strtoul(limits[i], NULL, 10));
	}
	unsetenv("MINIASYNC_MAX_OPERATIONS");
}

static void
default_limit(void)
{
	/* a million operations: not under valgrind, where the others have to do */
	if (T_SLOW > 1)
		return;
	unsetenv("MINIASYNC_MAX_OPERATIONS");
	check_limit(1048576);
}

/* Row 17: large operations, cut into pieces, are still one operation. */
static void
large_ones(void)
{
	const size_t n = T_SLOW > 1 ? 12 << 20 : 64 << 20;
	struct data_mover_threads *m =
		data_mover_threads_new(4, 16, FUTURE_NOTIFIER_WAKER);
	struct vdm *vdm = data_mover_threads_get_vdm(m);
	struct runtime *r = new_runtime();
	struct bytes b;

	CHECK(m != NULL);
	bytes_init(&b, n, 5000000);
	for (int i = 0; i < 6; i++) {
		/* moves that overlap up, down and by a few bytes */
		static const size_t from[] = {0, 3, 256, 5000000, 300, 3000};
		static const size_t shift[] = {1, 0, 3000000, 0, 1, 0};
		static const enum vdm_operation_type types[] = {
			VDM_OPERATION_MEMCPY, VDM_OPERATION_MEMSET,
			VDM_OPERATION_MEMMOVE, VDM_OPERATION_MEMMOVE,
			VDM_OPERATION_MEMMOVE, VDM_OPERATION_MEMMOVE};

		bytes_make(&b, vdm, types[i], n - 5, shift[i], from[i], 0);
		if (i % 2 == 0)
			runtime_wait(r, FUTURE_AS_RUNNABLE(&b.fut));
		else
			poll_out(FUTURE_AS_RUNNABLE(&b.fut));
		bytes_check(&b);
	}
	bytes_fini(&b);
	runtime_delete(r);
	data_mover_threads_delete(m);
}

/* The CPU time of each thread but this one, in nanoseconds. */
struct threads {
	int n;
	int tid[64];
	unsigned long long ran[64];
};

static void
look_at_threads(struct threads *t)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;

	t->n = 0;
	if (dir == NULL)
		t_skip("no /proc");
	while ((entry = readdir(dir)) != NULL && t->n < 64) {
		char path[300];
		FILE *file;

		t->tid[t->n] = atoi(entry->d_name);
		if (t->tid[t->n] <= 0 || t->tid[t->n] == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat",
			entry->d_name);
		file = fopen(path, "r");
		if (file != NULL && fscanf(file, "%llu", &t->ran[t->n]) == 1)
			t->n++;
		if (file != NULL)
			fclose(file);
	}
	closedir(dir);
}

/* Did more than one thread do a good part of the work between the two? */
static int
shared_work(const struct threads *before, const struct threads *after)
{
	unsigned long long most = 0;
	unsigned long long second = 0;

	for (int i = 0; i < after->n; i++) {
		unsigned long long ran = after->ran[i];

		for (int j = 0; j < before->n; j++)
			if (before->tid[j] == after->tid[i])
				ran -= before->ran[j];
		if (ran > most) {
			second = most;
			most = ran;
		} else if (ran > second) {
			second = ran;
		}
	}
	return second > most / 10;
}

/* As the library is told: one more than there are workers. */
size_t __wrap_ma__os_cpus(void);
size_t
__wrap_ma__os_cpus(void)
{
	return 3;
}

/* Row 17 again: one large operation keeps both workers busy. */
static void
large_ones_use_all_workers(void)
{
	const size_t n = 64 << 20;
	struct data_mover_threads *m =
		data_mover_threads_new(2, 16, FUTURE_NOTIFIER_WAKER);
	unsigned char *buf = t_malloc(2 * n);
	struct counting by;
	int shared = 0;

	CHECK(m != NULL);
	counting_init(&by);
	memset(buf, 1, 2 * n);
	/* the machine may be busy with other things: twice is proof */
	for (int i = 0; i < 100 && shared < 2; i++) {
		struct vdm_operation_future f = vdm_memcpy(
			data_mover_threads_get_vdm(m), buf, buf + n, n, 0);
		struct threads before, after;

		look_at_threads(&before);
		/* this thread sleeps: it does not take part */
		while (future_poll(FUTURE_AS_RUNNABLE(&f), &by.notifier) !=
			FUTURE_STATE_COMPLETE)
			t_pass(&by.called);
		look_at_threads(&after);
		CHECK(after.n >= 2);
		shared += shared_work(&before, &after);
	}
	data_mover_threads_delete(m);
	free(buf);
	CHECK_INT(shared, 2);
}

T_MAIN(T_CASE(thousands_pending), T_CASE(delete_finishes_what_was_started),
	T_CASE(never_polled), T_CASE(a_started_one_is_not_released),
	T_CASE(limit_from_the_environment), T_CASE(default_limit),
	T_CASE(large_ones), T_CASE(large_ones_use_all_workers))
