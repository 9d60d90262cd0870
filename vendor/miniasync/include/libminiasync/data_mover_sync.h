/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * data_mover_sync.h -- the mover that works in the polling thread
 *
 * The first poll of an operation does all of it. No threads, no memory for
 * operations, nothing to wait for.
 */

#ifndef LIBMINIASYNC_DATA_MOVER_SYNC_H
#define LIBMINIASYNC_DATA_MOVER_SYNC_H

#include "api.h"
#include "vdm.h"

#ifdef __cplusplus
extern "C" {
#endif

struct data_mover_sync;

/*
 * Makes a synchronous mover, which the caller owns. NULL with errno ENOMEM if
 * there is no memory. Callable from any thread, does not block.
 */
MINIASYNC_API struct data_mover_sync *data_mover_sync_new(void);

/* The mover's struct vdm, valid until the mover is deleted. */
MINIASYNC_API struct vdm *data_mover_sync_get_vdm(struct data_mover_sync *dms);

/*
 * Frees the mover; NULL is ignored. Its futures must not be polled any more.
 * Does not block.
 */
MINIASYNC_API void data_mover_sync_delete(struct data_mover_sync *dms);

#ifdef __cplusplus
}
#endif

#endif /* LIBMINIASYNC_DATA_MOVER_SYNC_H */
