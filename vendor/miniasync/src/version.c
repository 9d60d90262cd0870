/* SPDX-License-Identifier: BSD-3-Clause */
/* version.c -- which libminiasync this is */

#include "libminiasync/version.h"

const char *
miniasync_version(void)
{
	return MINIASYNC_VERSION;
}
