/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_sweep.h -- what is done before the garbage collector runs
 */

#ifndef MINIASYNC_SWEEP_H
#define MINIASYNC_SWEEP_H

/*
 * Has miniasync._sweep.look_at_all() called before collections, but those of the
 * youngest generation, while something is in miniasync._sweep.outstanding. To be
 * called once, without the interpreter lock. 0, or -1 if there is no memory.
 */
int ma_sweep_install(void);

#endif /* MINIASYNC_SWEEP_H */
