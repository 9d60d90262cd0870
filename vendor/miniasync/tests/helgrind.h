/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * helgrind.h -- for a build to be run under helgrind, included before all else
 *
 * Helgrind knows POSIX threads, but not C11 atomics: it would take each of them
 * for a race, and the order they make for none. Here every atomic operation says
 * what it is: its object is not to be checked, and its memory order becomes an
 * edge from each release to each later acquire of the same object. What is
 * checked are all other accesses, and so whether the orders suffice.
 *
 * That is more order than the language gives where an acquire reads an older
 * value: a race may be missed, none is made up. gcc only, whose <stdatomic.h> is
 * made of the functions below.
 */

#ifndef HELGRIND_H
#define HELGRIND_H

#define _GNU_SOURCE /* as the sources would do before they include anything */

#include <pthread.h>
#include <stddef.h>
#include <unistd.h>
#include <valgrind/helgrind.h>

static inline void
hg_before_(const volatile void *object, size_t size, int order)
{
	VALGRIND_HG_DISABLE_CHECKING(object, size);
	if (order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL ||
		order == __ATOMIC_SEQ_CST)
		ANNOTATE_HAPPENS_BEFORE(object);
}

static inline void
hg_after_(const volatile void *object, int order)
{
	if (order == __ATOMIC_CONSUME || order == __ATOMIC_ACQUIRE ||
		order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST)
		ANNOTATE_HAPPENS_AFTER(object);
}

/* Within its own replacement, a macro's name is the function's again. */
#define HG_LOAD_(p_, order_, load_)                                            \
	__extension__({                                                        \
		hg_before_(p_, sizeof(*(p_)), __ATOMIC_RELAXED);               \
		load_;                                                         \
		hg_after_(p_, order_);                                         \
	})
#define HG_STORE_(p_, order_, store_)                                          \
	__extension__({                                                        \
		hg_before_(p_, sizeof(*(p_)), order_);                         \
		store_;                                                        \
	})
#define HG_MODIFY_(p_, order_, otherwise_, modify_)                            \
	__extension__({                                                        \
		hg_before_(p_, sizeof(*(p_)), order_);                         \
		__auto_type hg_result_ = modify_;                              \
		hg_after_(p_, order_);                                         \
		hg_after_(p_, otherwise_);                                     \
		hg_result_;                                                    \
	})

#define __atomic_load(p_, to_, o_) HG_LOAD_(p_, o_, __atomic_load(p_, to_, o_))
#define __atomic_load_n(p_, o_)                                                \
	HG_MODIFY_(p_, __ATOMIC_RELAXED, o_, __atomic_load_n(p_, o_))
#define __atomic_store(p_, from_, o_)                                          \
	HG_STORE_(p_, o_, __atomic_store(p_, from_, o_))
#define __atomic_store_n(p_, v_, o_)                                           \
	HG_STORE_(p_, o_, __atomic_store_n(p_, v_, o_))
#define __atomic_exchange(p_, from_, to_, o_)                                  \
	__extension__({                                                        \
		hg_before_(p_, sizeof(*(p_)), o_);                             \
		__atomic_exchange(p_, from_, to_, o_);                         \
		hg_after_(p_, o_);                                             \
	})
#define __atomic_compare_exchange(p_, old_, new_, weak_, o_, otherwise_)       \
	HG_MODIFY_(p_, o_, otherwise_,                                         \
		__atomic_compare_exchange(p_, old_, new_, weak_, o_,           \
			otherwise_))
#define __atomic_fetch_add(p_, v_, o_)                                         \
	HG_MODIFY_(p_, o_, o_, __atomic_fetch_add(p_, v_, o_))
#define __atomic_fetch_sub(p_, v_, o_)                                         \
	HG_MODIFY_(p_, o_, o_, __atomic_fetch_sub(p_, v_, o_))
#define __atomic_fetch_or(p_, v_, o_)                                          \
	HG_MODIFY_(p_, o_, o_, __atomic_fetch_or(p_, v_, o_))
#define __atomic_fetch_and(p_, v_, o_)                                         \
	HG_MODIFY_(p_, o_, o_, __atomic_fetch_and(p_, v_, o_))

/*
 * POSIX lets a thread signal a condition without its lock, which spares the woken
 * one from waiting for it; helgrind calls that dubious and counts an error. It
 * says nothing else within the call.
 */
#define HG_SIGNAL_(signal_)                                                    \
	__extension__({                                                        \
		int hg_result_;                                                \
                                                                               \
		VALGRIND_DISABLE_ERROR_REPORTING;                              \
		hg_result_ = signal_;                                          \
		VALGRIND_ENABLE_ERROR_REPORTING;                               \
		hg_result_;                                                    \
	})

#define pthread_cond_signal(cond_) HG_SIGNAL_(pthread_cond_signal(cond_))
#define pthread_cond_broadcast(cond_) HG_SIGNAL_(pthread_cond_broadcast(cond_))

/*
 * In a forked child helgrind takes the threads that were left behind for running
 * on, and still in what they held. So children are not looked at: there only the
 * tests' own checks count.
 */
static inline pid_t
hg_fork_(void)
{
	pid_t pid;

	VALGRIND_DISABLE_ERROR_REPORTING; /* before fork handlers run there */
	pid = fork();
	if (pid != 0)
		VALGRIND_ENABLE_ERROR_REPORTING;
	return pid;
}

#define fork() hg_fork_()

#endif /* HELGRIND_H */
