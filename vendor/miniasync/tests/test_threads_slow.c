/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads_slow.c -- an operation on memory that takes its time, and one beside it
 *
 * Each page of the first is missing until the worker meets it, which takes a
 * millisecond. Time is the test's own and passes only so.
 */

#include "helpers.h"
#include "passing.h"

#include <sys/mman.h>

#define MIB ((size_t)1 << 20)

enum { SLOW = 8, SMALL = 256 << 10, AT = 300, BEYOND = 3 };

static unsigned char *slow;
static size_t page;
static atomic_size_t pages; /* that it has met so far */
static sem_t there;
static sem_t go_on;

static void
on_segv(int sig, siginfo_t *info, void *context)
{
	const uintptr_t at = (uintptr_t)info->si_addr & ~(uintptr_t)(page - 1);

	(void)sig;
	(void)context;
	CHECK(at >= (uintptr_t)slow && at < (uintptr_t)slow + SLOW * MIB);
	let_pass(T_MS);
	if (atomic_fetch_add(&pages, 1) + 1 == AT) {
		t_open(&there);
		t_pass(&go_on);
	}
	CHECK(mprotect((void *)at, page, PROT_READ | PROT_WRITE) == 0);
}

static size_t pages_then;
static sem_t noted;

static void
note_pages(void *data)
{
	(void)data;
	pages_then = atomic_load(&pages);
	t_open(&noted);
}

/* The first piece is as large as any; the next ones are a page. */
static void
one_beside_it(void)
{
	static unsigned char small[SMALL];
	struct data_mover_threads *const m = new_queueing_mover(1);
	struct vdm *const vdm = data_mover_threads_get_vdm(m);
	struct vdm_operation_future fill;
	struct vdm_operation_future beside;
	struct future_notifier n;
	struct sigaction action;

	page = (size_t)sysconf(_SC_PAGESIZE);
	if (page != 4096)
		t_skip("the numbers are for pages of 4 KiB");
	CHECK(sem_init(&there, 0, 0) == 0);
	CHECK(sem_init(&go_on, 0, 0) == 0);
	CHECK(sem_init(&noted, 0, 0) == 0);
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_segv;
	action.sa_flags = SA_SIGINFO;
	sigemptyset(&action.sa_mask);
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	slow = mmap(NULL, SLOW * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	CHECK(slow != MAP_FAILED);
	fill = vdm_memset(vdm, slow, 5, SLOW * MIB, 0);
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&fill), NULL),
		FUTURE_STATE_RUNNING);
	t_pass(&there);

	memset(&n, 0, sizeof(n));
	n.waker.wake = note_pages;
	beside = vdm_memset(vdm, small, 7, SMALL, 0);
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&beside), &n),
		FUTURE_STATE_RUNNING);
	t_open(&go_on);
	t_pass(&noted);
	poll_out(FUTURE_AS_RUNNABLE(&beside));
	poll_out(FUTURE_AS_RUNNABLE(&fill));
	CHECK(pages_then >= AT);
	CHECK(pages_then <= AT + BEYOND);
	CHECK(small[0] == 7 && small[SMALL - 1] == 7);
	for (size_t i = 0; i < SLOW * MIB; i += page)
		CHECK(slow[i] == 5 && slow[i + page - 1] == 5);
	data_mover_threads_delete(m);
	CHECK(munmap(slow, SLOW * MIB) == 0);
}

T_MAIN(T_CASE(one_beside_it))
