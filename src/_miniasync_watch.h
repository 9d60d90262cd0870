/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_watch.h -- a monitor that several Python threads use
 *
 * Threads that have given up the interpreter lock meet here, so a monitor needs
 * a lock of its own. It is held for what C does alone: no function waits with
 * it, and none runs Python.
 */

#ifndef MINIASYNC_WATCH_H
#define MINIASYNC_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include <libminiasync/monitor.h>

struct ma_watch;

/* NULL with errno if there is no memory or no descriptor. */
struct ma_watch *ma_watch_new(void);

/* Nobody may be using it. Also what a forked child does with its parent's. */
void ma_watch_delete(struct ma_watch *watch);

/* Readable when ma_watch_run() would find something; for polling only. */
int ma_watch_fd(const struct ma_watch *watch);

/* When to call ma_watch_run() at the latest, a time of CLOCK_MONOTONIC in ns. */
uint64_t ma_watch_deadline(struct ma_watch *watch);

/*
 * Polls the future: 0 if it is watched now (or was already), EALREADY if it is
 * complete, ENOMEM.
 */
int ma_watch_add(struct ma_watch *watch, struct future *future);

/* The future can be polled by others afterwards; nothing if it is not watched. */
void ma_watch_remove(struct ma_watch *watch, struct future *future);

/*
 * Stores the addresses of at most `max` completed futures, which are watched no
 * more, and returns how many. If there are none, waits for `timeout_ns`
 * nanoseconds first, or until ma_watch_kick(); only one thread at a time may
 * wait.
 */
size_t ma_watch_run(struct ma_watch *watch, uintptr_t done[], size_t max,
	uint64_t timeout_ns);

/* Has the thread in ma_watch_run() return, or the next one that comes. */
void ma_watch_kick(struct ma_watch *watch);

#endif /* MINIASYNC_WATCH_H */
