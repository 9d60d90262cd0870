/* SPDX-License-Identifier: BSD-3-Clause */
/* fork.h -- what becomes of movers when the process forks; see fork.c */

#ifndef MA_FORK_H
#define MA_FORK_H

#include <stdbool.h>

/* A mover's place in the list of those to be told about a fork. */
struct ma__forkable {
	struct ma__forkable *next;
	struct ma__forkable *prev;
	/* Before: stops what may not go on during the fork. */
	void (*prepare)(struct ma__forkable *self);
	/* After, in the parent: lets it go on. */
	void (*parent)(struct ma__forkable *self);
	/* After, in the child: sorts out what is left. */
	void (*child)(struct ma__forkable *self);
};

/* Adds one, its functions filled in; 0, or ENOMEM if the system refuses. */
int ma__fork_add(struct ma__forkable *forkable);
void ma__fork_remove(struct ma__forkable *forkable);

/*
 * Between the two the process does not fork, and no mover comes or goes. A pool's
 * lock may be taken meanwhile, a mover's not.
 */
void ma__fork_hold(void);
void ma__fork_release(void);

/*
 * The same, by a thread whose end a handler of the fork may be waiting for: false
 * after it has tried for a second.
 */
bool ma__fork_try_hold(void);

#endif /* MA_FORK_H */
