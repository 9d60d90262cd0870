/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.h -- what the parts of bench_miniasync share
 *
 * A row is one property of the library, such as "one copy waited for at once".
 * It is a function that measures several cases of it, through the public
 * interface of LIBMINIASYNC_1.0 alone, and adds a result for each, some with a
 * goal. So that the program also runs with other libraries of that interface,
 * rows wait for no future that is complete and flush nothing.
 */

#ifndef BENCH_H
#define BENCH_H

#include <libminiasync.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

struct bench {
	bool quick; /* few repetitions and small sizes: does it work at all? */
	struct runtime *runtime;
	struct report *report;
};

struct row {
	const char *name;
	const char *what;
	void (*run)(struct bench *bench);
};

extern const struct row row_small;
extern const struct row row_outstanding;
extern const struct row row_own_function;
extern const struct row row_at_once;
extern const struct row row_at_once_large;
extern const struct row row_memset;
extern const struct row row_memmove;
extern const struct row row_overlapping;
extern const struct row row_aliasing;
extern const struct row row_tail;
extern const struct row row_first_poll;
extern const struct row row_hidden;
extern const struct row row_late;
extern const struct row row_idle;
extern const struct row row_polling;
extern const struct row row_completing;
extern const struct row row_memory;

/* Ends the program because something that benchmarks need cannot be had. */
_Noreturn void die(const char *what);

struct data_mover_threads *mover_new(size_t nthreads);
struct data_mover_threads *mover_default(void);

/* Waits for a future; for one that is complete other libraries would hang. */
void wait_for(struct bench *bench, struct future *fut);

#endif /* BENCH_H */
