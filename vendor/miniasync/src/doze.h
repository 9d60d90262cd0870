/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doze.h -- waiting a moment for a word to be written to
 *
 * A processor with the feature "waitpkg" can be told to watch a cache line and
 * then to stop until somebody writes to it, or until a time. Meanwhile it takes
 * less power and leaves its units to the hyper-thread beside it. To the system
 * the thread is running: it is for moments, and nobody is let on by it.
 *
 * The order that loses nothing is that of any sleep: watch, look, stop. What is
 * written after the watching began, also in between, ends the stop.
 *
 * A stop may end for no reason: an interrupt, a look of the system at its limit
 * (100,000 cycles by default on Linux), a write to a neighbour in the line. So
 * whoever stops looks again, and goes on if it is too early.
 */

#ifndef MA_DOZE_H
#define MA_DOZE_H

#include <stdbool.h>
#include <stdint.h>

/* Are there such instructions here? If not, the others are not to be called. */
bool ma__doze_can(void);

/* Begins to watch the line that this address is in, in place of any other. */
void ma__doze_watch(const volatile void *address);

/*
 * Stops until `until`, in less than a second, or somebody writes to the line.
 * Both are times of ma__now(), and so is what it returns: when it ended, which
 * may be earlier. At once, if nothing is watched.
 */
uint64_t ma__doze(uint64_t now, uint64_t until);

#endif /* MA_DOZE_H */
