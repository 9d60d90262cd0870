/* SPDX-License-Identifier: BSD-3-Clause */
/* libminiasync.h -- everything libminiasync offers, in one include. */

#ifndef LIBMINIASYNC_H
#define LIBMINIASYNC_H

#include <stddef.h>
#include <stdio.h>

#include "libminiasync/data_mover_sync.h"
#include "libminiasync/data_mover_threads.h"
#include "libminiasync/future.h"
#include "libminiasync/monitor.h"
#include "libminiasync/runtime.h"
#include "libminiasync/settings.h"
#include "libminiasync/vdm.h"
#include "libminiasync/version.h"
#include "libminiasync/waiter.h"

#endif /* LIBMINIASYNC_H */
