/* SPDX-License-Identifier: BSD-3-Clause */
/* doubled.h -- what the tests on the test double of libdml share */

#ifndef DML_DOUBLED_H
#define DML_DOUBLED_H

#include "dml_helpers.h"
#include "double.h"

#define MIB ((size_t)1 << 20)

/* Every type of operation, over and over, at odd places. */
#define DEST_SHIFT 5
#define SRC_SHIFT 9

static inline void
make_doubled(struct bytes *b, struct data_mover_dml *m,
	enum vdm_operation_type type, size_t n, uint64_t flags)
{
	/* A move is from where the destination does not reach. */
	const size_t from = type == VDM_OPERATION_MEMMOVE
		? BYTES_MARGIN + DEST_SHIFT + n
		: SRC_SHIFT;

	bytes_make(b, data_mover_dml_get_vdm(m), type, n, DEST_SHIFT, from,
		flags);
}

/* An operation of any kind, n bytes, from its making to a look at its bytes. */
static inline void
try_doubled(struct data_mover_dml *m, enum vdm_operation_type type, size_t n,
	uint64_t flags)
{
	struct bytes b;

	bytes_init(&b, n, n);
	make_doubled(&b, m, type, n, flags);
	finish_dml(&b.fut);
	bytes_check(&b);
	bytes_fini(&b);
}

#endif /* DML_DOUBLED_H */
