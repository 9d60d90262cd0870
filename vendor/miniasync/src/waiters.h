/* SPDX-License-Identifier: BSD-3-Clause */
/* waiters.h -- the insides of a waiter, for who waits; see waiters.c */

#ifndef MA_WAITERS_H
#define MA_WAITERS_H

#include "bell.h"
#include "pace.h"
#include "park.h"
#include "wait.h"

/*
 * How long a waiting thread looks for a wake at most: for any, short enough not
 * to keep a completer that shares its processor from running; and for one that
 * an executor will send which has only a piece left.
 */
#define MA__SPIN_MOST ((uint32_t)3000)
#define MA__SPIN_SOON_MOST ((uint32_t)200000)

enum {
	MA__CELL_ARMED = 0,
	MA__CELL_READY = 1,
	MA__CELL_SPARE = 2,
};

/* Which list of its wait a cell is in. */
enum ma__where {
	MA__NOWHERE, /* its future is complete, or it is in no wait */
	MA__QUIET, /* waiting to be woken */
	MA__POLLED, /* to be polled in the next round */
};

struct ma__cell {
	struct ma__waiter *waiter;
	atomic_uint flags;
	struct ma__cell *ready_next; /* of who set READY, then of who pops */

	/* The rest is the waiting thread's own. */
	enum ma__where where;
	bool async;
	bool checked; /* to be polled though nobody woke it */
	size_t index; /* of its future in the array */
	struct ma__cell *next;
	struct ma__cell *prev; /* in the list of quiet ones only */
	struct ma__cell *twin; /* circle of the cells of one future, or NULL */
};

struct ma__cell_block {
	struct ma__cell_block *next;
	size_t count;
	struct ma__cell *cells;
};

#define MA__WAITER_OWN_CELLS 4

/* What each wait needs comes first. */
struct ma__waiter {
	atomic_bool busy; /* a thread is waiting with it */
	bool has_bell;
	union {
		struct ma__park park;
		struct ma__bell bell; /* of a monitor, in place of the park */
	};
	_Atomic(struct ma__cell *) ready;
	struct ma__cell own[MA__WAITER_OWN_CELLS];
	struct ma__cell_block blocks;
	atomic_size_t refs;
	struct ma__waiter *next;
	uint32_t spin; /* its thread's budgets (spin.h): for any wake, */
	uint32_t spin_soon; /* and for one that is announced */
	/* The latest wait, if it ended in vain, openings (wait.c) aside: see
	 * wait_slices.c. */
	struct {
		const struct future *first; /* NULL: it did not */
		size_t nfuts;
		uint64_t at;
		struct ma__pace pace;
	} left;
};

/* A waiter for the calling thread, or NULL if there is no memory for one. */
struct ma__waiter *ma__waiters_take(struct ma__waiters *waiters);
void ma__waiters_return(struct ma__waiter *waiter);

/* One for a monitor; NULL with errno. Its own cells are not used. */
struct ma__waiter *ma__waiter_new_with_bell(void);
void ma__waiter_unref(struct ma__waiter *waiter);

/* Makes it a cell of the waiter, SPARE. */
void ma__cell_init(struct ma__cell *cell, struct ma__waiter *waiter);

/* Workers of movers that do not sleep, in this process; for spin.h. */
extern atomic_size_t ma__workers_running;

/* Processors that this process may use, found out once. */
size_t ma__waiters_cpus(void);

/* Adds a block of cells behind the last one; NULL if there is no memory. */
struct ma__cell_block *ma__waiter_grow(struct ma__waiter *waiter,
	struct ma__cell_block *last);

#endif /* MA_WAITERS_H */
