/* SPDX-License-Identifier: BSD-3-Clause */
/* fork.h -- what becomes of movers when the process forks; see fork.c */

#ifndef MA_FORK_H
#define MA_FORK_H

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

#endif /* MA_FORK_H */
