/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bell.h -- a descriptor that is readable once it was rung
 *
 * Rung any number of times, it is readable until it is drained.
 */

#ifndef MA_BELL_H
#define MA_BELL_H

#include <sys/types.h>

struct ma__bell {
	int fds[2]; /* that which becomes readable; that which is written to */
	pid_t pid; /* the process that it belongs to */
};

/* 0, or an error number when the system has no descriptor for it. */
int ma__bell_init(struct ma__bell *bell);
void ma__bell_fini(struct ma__bell *bell);

/*
 * Neither of them blocks, changes errno, or does anything in another process
 * than the one that made it. Who drains sees what was written before all the
 * rings that he swallows. A signal handler may ring.
 */
void ma__bell_ring(const struct ma__bell *bell);
void ma__bell_drain(const struct ma__bell *bell);

#endif /* MA_BELL_H */
