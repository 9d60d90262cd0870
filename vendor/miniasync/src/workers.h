/* SPDX-License-Identifier: BSD-3-Clause */
/* workers.h -- the worker threads of a mover, and what they work at */

#ifndef MA_WORKERS_H
#define MA_WORKERS_H

#include <pthread.h>
#include <stdbool.h>

#include "fork.h"
#include "os.h"
#include "pool.h"
#include "queue.h"

struct ma__worker {
	struct ma__workers *workers;
	pthread_t thread;
	pthread_cond_t wanted; /* is not idle any more */
	struct ma__worker *next; /* in the list of idle ones */
	atomic_bool idle; /* in that list; changed under the lock */
	bool inside; /* a function of the program, or a waker; or overdue */
	bool asleep; /* idle, and not looking; under the lock */
	bool kept_off; /* a processor until it has woken; under the lock */
	bool moved; /* it was kept off because it was crowded */
	struct ma__os_kept_off off;
	uint32_t spin; /* its own; see spin.h */
	unsigned crowded; /* these three: workers_idle.c; under the lock */
	unsigned patience;
	unsigned patience_least;
	uint64_t wanted_at; /* when it was last taken off the list, */
	int wanted_on; /* and the processor of who did it */
	uint64_t looked_at; /* this and the next: workers_overdue.c */
	size_t executed; /* bytes since then, with something for each piece */
	struct ma__op *op; /* of which it executes a piece, or NULL, */
	size_t n; /* of so many bytes */
};

/* Executes bytes of an operation: the mover's choice of function. */
typedef void (*ma__execute_fn)(struct ma__op *op, size_t offset, size_t n);

/* Who executes. */
enum ma__executor { MA__WORKER, MA__HELPER, MA__EXECUTORS };

struct ma__workers {
	struct ma__forkable forkable;
	ma__execute_fn execute;
	bool orphaned; /* this is a child's copy: there are no threads */
	struct ma__pool pool;
	size_t count;
	atomic_uint moving; /* workers that do; a hint to who waits */
	atomic_uint reminded; /* when a poll last did; a hint to others */
	atomic_size_t refs; /* the mover's, and of waits that owe a wake */
	pthread_mutex_t lock; /* of all below, and of the operations' part */
	struct ma__queue queue;
	size_t load; /* what of their weight is not taken */
	int starter; /* the processor of who queued last, -1: not known */
	struct ma__worker *idle;
	size_t awake; /* workers that are not idle */
	size_t inside; /* of these, who may be, or is, long about it */
	size_t helping; /* waiting threads that execute a piece */
	uint64_t started; /* operations that were queued, so far */
	struct {
		uint64_t pieces; /* taken so far */
		uint64_t bytes;
	} took[MA__EXECUTORS];
	bool stopping;
	struct ma__worker threads[];
};

/*
 * Starts `count` workers. NULL with errno ENOMEM or EAGAIN, and nothing left
 * behind. `limit` is that of the pool.
 */
struct ma__workers *ma__workers_new(size_t count, size_t limit,
	ma__execute_fn execute);

/* Finishes what is queued, ends the threads, frees all operations. */
void ma__workers_delete(struct ma__workers *workers);

/*
 * Queues an operation. `helper`, if this poll is part of a wait that will poll
 * again, and help then: the property function of the operation's future.
 */
void ma__workers_queue(struct ma__workers *workers, struct ma__op *op,
	future_has_property_fn helper);

/*
 * By a poll within a wait: executes a piece of the operation, or all of it, and
 * completes it if that was the last one. False if there is nothing to take. Adds
 * to `helped` the bytes that take as long to copy. `helper` as above.
 */
bool ma__workers_help(struct ma__workers *workers, struct ma__op *op,
	future_has_property_fn helper, size_t *helped);

/*
 * By a poll that finds its operation still queued, and does not help: wakes a worker
 * if nobody is executing it, and those that are awake are overdue.
 */
void ma__workers_remind(struct ma__workers *workers, struct ma__op *op);

/*
 * In a forked child, where no worker will come: executes what is left of the
 * operation, or declares it lost. It is DONE then.
 */
void ma__workers_adopt(struct ma__workers *workers, struct ma__op *op);

/*
 * Between workers.c, workers_life.c, workers_idle.c and workers_overdue.c.
 */

/* What the thread of a worker does; the argument is the worker. */
void *ma__worker_main(void *worker);

/*
 * The worker is idle, that is on the list, until somebody has taken it off. With
 * the lock held, which it gives up meanwhile.
 */
void ma__worker_be_idle(struct ma__worker *worker);

/*
 * Under the lock, about to wake it: has it been on this processor for too long? Then
 * it is to be kept off it.
 */
bool ma__worker_is_crowded(struct ma__worker *worker);

/* Under the lock: it is inside, or not any more, and counted so. */
void ma__worker_set_inside(struct ma__worker *worker, bool inside);

/* Under the lock: it is about to look at the queue, at this time. */
static inline void
ma__worker_looks(struct ma__worker *worker, uint64_t now)
{
	worker->looked_at = now;
	worker->executed = 0;
}

/*
 * Under the lock: it has executed its piece, and is about to look, or inside. The
 * operation's next pieces, and its turn, are made to fit if it took long. The time,
 * or 0: then it is looked at if that is worth it.
 */
void ma__worker_has_executed(struct ma__worker *worker, uint64_t now);

/*
 * Under the lock: counts those that are overdue as inside. True if no worker is
 * looking then, beside this one; NULL is none.
 */
bool ma__workers_note_overdue(struct ma__workers *workers,
	const struct ma__worker *but);

/*
 * Under the lock, by who leaves what is queued to others, but not to those that are
 * overdue: takes an idle worker off the list if need be, which is to be woken. See
 * workers.c for the rest.
 */
struct ma__worker *ma__workers_summon(struct ma__workers *workers, size_t more,
	int busy);

/* Wakes a worker that was taken off the list of idle ones; NULL is none. */
void ma__worker_wake(struct ma__worker *worker);

/* Of a new worker. */
void ma__worker_init_idling(struct ma__worker *worker);

/* Drops a reference; the last one frees what the threads have left. */
void ma__workers_unref(struct ma__workers *workers);

#endif /* MA_WORKERS_H */
