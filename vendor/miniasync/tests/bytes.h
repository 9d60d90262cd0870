/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bytes.h -- operations on a buffer whose every byte is checked afterwards
 *
 * The operation works somewhere inside `at`; `expected` gets the same done to
 * it by the C library, so that a comparison sees each byte in and around it.
 */

#ifndef BYTES_H
#define BYTES_H

#include "helpers.h"

#define BYTES_MARGIN 256

struct bytes {
	struct vdm_operation_future fut;
	size_t n;
	size_t size; /* of each buffer: margins, and room to move */
	size_t used; /* so much of it is looked at in this operation */
	unsigned char *at;
	unsigned char *expected;
	unsigned char *src;
	unsigned char *before; /* what stands in `at` before the operation */
};

/* For operations of n bytes at most, and moves by as much as `room`. */
static inline void
bytes_init(struct bytes *b, size_t n, size_t room)
{
	memset(b, 0, sizeof(*b));
	b->n = n;
	b->size = n + room + 3 * BYTES_MARGIN;
	b->at = (unsigned char *)t_malloc(b->size);
	b->expected = (unsigned char *)t_malloc(b->size);
	b->src = (unsigned char *)t_malloc(b->size);
	b->before = (unsigned char *)t_malloc(b->size);
	t_fill(b->src, b->size, 7);
	t_fill(b->before, b->size, 8);
}

static inline void
bytes_fini(struct bytes *b)
{
	free(b->at);
	free(b->expected);
	free(b->src);
	free(b->before);
}

/* Where the next operation writes, `shift` bytes off the margin. */
static inline unsigned char *
bytes_dest(struct bytes *b, size_t shift)
{
	return b->at + BYTES_MARGIN + shift;
}

/* Makes the operation, n bytes at `shift` from `from` (for a move, in at). */
static inline void
bytes_make(struct bytes *b, struct vdm *vdm, enum vdm_operation_type type,
	size_t n, size_t shift, size_t from, uint64_t flags)
{
	unsigned char *dest = bytes_dest(b, shift);
	unsigned char *same = b->expected + BYTES_MARGIN + shift;

	b->used = 2 * n + 3 * BYTES_MARGIN;
	if (b->used > b->size)
		b->used = b->size;
	CHECK(n + shift <= b->used - 2 * BYTES_MARGIN);
	CHECK(n + from <= b->used);
	memcpy(b->at, b->before, b->used);
	memcpy(b->expected, b->before, b->used);
	switch (type) {
	case VDM_OPERATION_MEMCPY:
		memcpy(same, b->src + from, n);
		b->fut = vdm_memcpy(vdm, dest, b->src + from, n, flags);
		break;
	case VDM_OPERATION_MEMMOVE:
		memmove(same, b->expected + from, n);
		b->fut = vdm_memmove(vdm, dest, b->at + from, n, flags);
		break;
	case VDM_OPERATION_MEMSET:
		memset(same, (int)(n + shift), n);
		b->fut = vdm_memset(vdm, dest, (int)(n + shift), n, flags);
		break;
	case VDM_OPERATION_FLUSH:
		b->fut = vdm_flush(vdm, dest, n, flags);
		break;
	}
	CHECK_INT(FUTURE_STATE(&b->fut), FUTURE_STATE_IDLE);
	CHECK_INT(b->fut.output.type, type);
	CHECK(b->fut.output.output.memcpy.dest == NULL);
	/* making it moved nothing */
	CHECK(memcmp(dest, b->before + BYTES_MARGIN + shift, n) == 0);
}

/* It is complete, says so, and every byte is what it should be. */
static inline void
bytes_check(struct bytes *b)
{
	struct vdm_operation_output *output = FUTURE_OUTPUT(&b->fut);
	struct vdm_operation *op = &b->fut.data.operation;

	CHECK_INT(FUTURE_STATE(&b->fut), FUTURE_STATE_COMPLETE);
	CHECK_INT(output->type, op->type);
	CHECK_INT(output->result, VDM_SUCCESS);
	switch (op->type) {
	case VDM_OPERATION_MEMCPY:
		CHECK(output->output.memcpy.dest == op->data.memcpy.dest);
		break;
	case VDM_OPERATION_MEMMOVE:
		CHECK(output->output.memmove.dest == op->data.memmove.dest);
		break;
	case VDM_OPERATION_MEMSET:
		CHECK(output->output.memset.str == op->data.memset.str);
		break;
	case VDM_OPERATION_FLUSH:
		break;
	}
	CHECK(memcmp(b->at, b->expected, b->used) == 0);
}

/*
 * All four operations in many sizes, at odd places and with every flag, on
 * whatever mover it is; `finish` brings a future to its end.
 */
static inline void
bytes_try_all(struct vdm *vdm, size_t largest,
	void (*finish)(struct vdm_operation_future *fut))
{
	static const size_t sizes[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63,
		64, 65, 127, 128, 129, 255, 257, 511, 1000, 1023, 1024, 4095,
		4096, 4097, 16384, 65537, 262144, 1048577, 3145733, 8388609};
	static const uint64_t flags[] = {0, VDM_F_MEM_DURABLE,
		VDM_F_NO_CACHE_HINT, VDM_F_VALID_FLAGS,
		UINT64_C(0xfffffffffffffffc)};
	struct bytes b;
	uint64_t random = 1;

	bytes_init(&b, largest, largest / 2);
	for (size_t i = 0; i < T_COUNT(sizes); i++) {
		size_t n = sizes[i];

		if (n > largest)
			break;
		for (int type = 0; type <= VDM_OPERATION_FLUSH; type++) {
			/* the large ones with fewer flags */
			int end = n > 65537 ? 2 : 5;
			int begin = T_SLOW > 1 ? (int)(i + 1) % end : 0;

			if (T_SLOW > 1)
				end = begin + 1;
			for (int j = begin; j < end; j++) {
				size_t shift = t_random(&random) % 67;
				size_t from = t_random(&random) % 67;

				/* moves: up, down, and hardly at all */
				if (type == VDM_OPERATION_MEMMOVE)
					from = BYTES_MARGIN + shift - 64 +
						t_random(&random) % 128;
				if (type == VDM_OPERATION_MEMMOVE && j == 0)
					shift += n / 2;
				if (type == VDM_OPERATION_MEMMOVE && j == 1)
					from += n / 2;
				bytes_make(&b, vdm,
					(enum vdm_operation_type)type, n, shift,
					from, flags[j]);
				finish(&b.fut);
				bytes_check(&b);
			}
		}
	}
	bytes_fini(&b);
}

#endif /* BYTES_H */
