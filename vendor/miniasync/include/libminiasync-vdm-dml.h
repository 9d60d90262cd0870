/* SPDX-License-Identifier: BSD-3-Clause */
/* libminiasync-vdm-dml.h -- the data mover for Intel DSA, in one include. */

#ifndef LIBMINIASYNC_VDM_DML_H
#define LIBMINIASYNC_VDM_DML_H

#include "libminiasync-vdm-dml/data_mover_dml.h"

#endif /* LIBMINIASYNC_VDM_DML_H */
