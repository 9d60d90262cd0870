/* SPDX-License-Identifier: BSD-3-Clause */
/* engine_config.c -- what the copy engine goes by, read once */

#include "engine.h"

#include <pthread.h>
#include <stdatomic.h>

#include "cputopo.h"
#include "engine_kernels.h"
#include "engine_measure.h"
#include "os.h"

/* Where the CPU does not tell: rather too large, which leaves more to libc. */
#define L3_UNKNOWN ((size_t)32 << 20)

static struct ma__engine_config config;
static const struct ma__engine_config *_Atomic config_ready;
static pthread_once_t config_once = PTHREAD_ONCE_INIT;

/* Up to which sizes its loops are better than libc. */
static void
set_up_loops(const struct ma__kernels *kernels)
{
	const size_t small = kernels->forward_beats_libc ? config.l1d / 2 : 0;
	bool forward;
	bool backward;

	ma__measure(kernels, &forward, &backward);
	config.forward_max = small;
	config.forward_askew_max =
		forward && kernels->forward_beats_libc ? SIZE_MAX : small;
	config.backward_max = backward ? SIZE_MAX : small;
}

/*
 * A copy past the caches wins from where source and destination together take
 * most of the L3 cache, even if the destination is read afterwards: from 3/8
 * of it on Zen 4, 1/2 on Zen 5, where at 3/8 they are at 0.85 of libc's speed.
 * In between, two threads are far quicker through the caches on both. Who
 * promises not to read it gains from 5/16 on. An overlapping move does if the
 * ranges are 64 KiB apart. By 4 KiB, libc is up to twice as fast as
 * non-temporal stores on Zen 5, and at worst 1.3 times as slow on Zen 4.
 *
 * A fill has nothing to fetch, and libc is as good at it until the destination is
 * far larger than the cache. Zeros reach memory at two to three times the speed of
 * other bytes (Zen 4 and 5; elsewhere they are as good as any), so that with them
 * it pays sooner.
 */
static void
set_up(void)
{
	const char *nt_copy = ma__os_env("MINIASYNC_NT_THRESHOLD");
	const char *nt_fill = ma__os_env("MINIASYNC_NT_FILL_THRESHOLD");
	struct ma__caches caches;
	size_t l3;

	config.features = ma__cpu_features_allowed();
	config.kernels = ma__kernels_choose(config.features);

	ma__cpu_caches(&caches);
	config.l1d = caches.l1d;
	config.l2 = caches.l2;
	config.l3 = caches.l3;

	if (config.kernels != NULL)
		set_up_loops(config.kernels);

	l3 = caches.l3 != 0 ? caches.l3 : L3_UNKNOWN;
	config.nt_copy_min = ma__parse_size(nt_copy, l3 / 16 * 7);
	config.nt_copy_hint_min = ma__parse_size(nt_copy, l3 / 16 * 5);
	config.nt_fill_min = ma__parse_size(nt_fill, l3 * 2);
	config.nt_fill_hint_min = ma__parse_size(nt_fill, l3);
	config.nt_zero_min = ma__parse_size(nt_fill, l3);
	config.nt_zero_hint_min = ma__parse_size(nt_fill, l3 / 8 * 3);
	config.nt_move_shift_min = 65536;

	/* Release: who sees the pointer sees what it points to. */
	atomic_store_explicit(&config_ready, &config, memory_order_release);
}

const struct ma__engine_config *
ma__engine_config(void)
{
	/* Acquire: see set_up(). */
	const struct ma__engine_config *ready =
		atomic_load_explicit(&config_ready, memory_order_acquire);

	if (ready != NULL)
		return ready;
	pthread_once(&config_once, set_up);
	/* As above, though pthread_once() would do: tools do not all know it. */
	return atomic_load_explicit(&config_ready, memory_order_acquire);
}
