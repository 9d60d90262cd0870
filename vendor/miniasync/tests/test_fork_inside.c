/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_fork_inside.c -- forks from within, and in the middle of, the library's work
 *
 * An operation that a thread executes itself is held up by a page that cannot be
 * written to until the handler of the fault says so.
 */

#include "forked.h"

#include <sys/mman.h>

static unsigned char *page;
static size_t page_size;
static sem_t inside_copy;
static sem_t leave_copy;
static struct vdm_operation_future fill;

/* In the faulting thread, which can do nothing else meanwhile. */
static void
on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if ((unsigned char *)info->si_addr < page ||
		(unsigned char *)info->si_addr >= page + page_size) {
		signal(sig, SIG_DFL);
		return;
	}
	t_open(&inside_copy);
	t_pass(&leave_copy);
	mprotect(page, page_size, PROT_READ | PROT_WRITE);
}

static void *
poll_once(void *arg)
{
	(void)arg;
	CHECK_INT(future_poll(FUTURE_AS_RUNNABLE(&fill), NULL),
		FUTURE_STATE_COMPLETE);
	return NULL;
}

/* The thread that was executing it is not here, and nobody knows how far it got. */
static void
child_of_an_executing_thread(void *arg)
{
	finish(*(enum how *)arg, FUTURE_AS_RUNNABLE(&fill));
	CHECK_INT(fill.output.result, VDM_ERROR_JOB_CORRUPTED);
	use_inherited_mover();
	teardown();
}

static void
executed_by_a_poll(void)
{
	struct sigaction action;

	page_size = (size_t)sysconf(_SC_PAGESIZE);
	page = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
	CHECK(sem_init(&inside_copy, 0, 0) == 0);
	CHECK(sem_init(&leave_copy, 0, 0) == 0);
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_fault;
	action.sa_flags = SA_SIGINFO;
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	CHECK(sigaction(SIGBUS, &action, NULL) == 0);

	for (int how = 0; how < HOWS; how++) {
		pthread_t thread;

		setup(1, FUTURE_NOTIFIER_WAKER);
		data_mover_threads_set_inline_below(mover, SIZE_MAX);
		fill = vdm_memset(data_mover_threads_get_vdm(mover), page, 5,
			page_size, 0);
		CHECK(mprotect(page, page_size, PROT_NONE) == 0);
		t_start(&thread, poll_once, NULL);
		t_pass(&inside_copy);
		CHECK_CHILD(child_of_an_executing_thread, &how, CHILD_SECONDS);
		t_open(&leave_copy);
		t_join(thread);
		CHECK_INT(fill.output.result, VDM_SUCCESS);
		for (size_t i = 0; i < page_size; i++)
			CHECK_INT(page[i], 5);
		teardown();
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	CHECK(munmap(page, page_size) == 0);
}

static pid_t child_of_worker;
static sem_t forked;

/*
 * The child's one thread is a worker then. When it leaves the library it is the
 * last to end, which ends the process.
 */
static void
fork_and_return(void *data)
{
	const pid_t pid = fork();

	(void)data;
	CHECK(pid >= 0);
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(CHILD_SECONDS);
		CHECK(atexit(t_end_child_unchecked) == 0);
		return;
	}
	child_of_worker = pid;
	t_open(&forked);
}

static void
a_worker_that_forks(void)
{
	struct future_notifier n;
	int status;

	/* It cannot follow threads of a forked child to their end. */
	if (T_TSAN)
		return;
	setup(1, FUTURE_NOTIFIER_WAKER);
	CHECK(sem_init(&forked, 0, 0) == 0);
	memset(&n, 0, sizeof(n));
	n.waker.wake = fork_and_return;
	copy_init(&copies[0], data_mover_threads_get_vdm(mover), 1);
	CHECK_INT(copy_poll(&copies[0], &n), FUTURE_STATE_RUNNING);
	t_open(&gate);
	t_pass(&forked);
	while (waitpid(child_of_worker, &status, 0) != child_of_worker)
		CHECK(errno == EINTR);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);
	poll_out(copy_future(&copies[0]));
	copy_check(&copies[0]);
	teardown();
}

T_MAIN(T_CASE(executed_by_a_poll), T_CASE(a_worker_that_forks))
