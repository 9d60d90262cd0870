/* SPDX-License-Identifier: BSD-3-Clause */
/* workers.h -- the worker threads of a mover, and its queue */

#ifndef MA_WORKERS_H
#define MA_WORKERS_H

#include <pthread.h>
#include <stdbool.h>

#include "fork.h"
#include "pool.h"

struct ma__worker {
	struct ma__workers *workers;
	pthread_t thread;
	struct ma__op *op; /* being executed; under the lock */
};

/* Executes bytes of an operation: the mover's choice of function. */
typedef void (*ma__execute_fn)(struct ma__op *op, size_t offset, size_t n);

struct ma__workers {
	struct ma__forkable forkable;
	ma__execute_fn execute;
	pthread_mutex_t lock; /* of all below, and of the operations' part */
	pthread_cond_t work; /* something is queued, or stopping */
	struct ma__pool pool;
	struct ma__op *first; /* the queue */
	struct ma__op *last;
	bool stopping;
	bool orphaned; /* this is a child's copy: there are no threads */
	size_t count;
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

/* Queues an operation, to be executed in pieces of op->piece bytes. */
void ma__workers_queue(struct ma__workers *workers, struct ma__op *op);

/*
 * In a forked child, where no worker will come: executes what is left of the
 * operation, or declares it lost. It is DONE then.
 */
void ma__workers_adopt(struct ma__workers *workers, struct ma__op *op);

#endif /* MA_WORKERS_H */
