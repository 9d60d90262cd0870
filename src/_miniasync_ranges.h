/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * _miniasync_ranges.h -- what Python asks a batch to do, checked
 *
 * Everything is copied before it is looked at, since Python may go on changing
 * it, and all of it is checked before anything is moved.
 */

#ifndef MINIASYNC_RANGES_H
#define MINIASYNC_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include "_miniasync_batch.h"

/* Whole numbers, one for each operation, as some buffer holds them. */
struct ma_numbers {
	const void *data; /* need not be aligned; NULL: all are `value` */
	size_t size; /* of each: 1, 2, 4 or 8 bytes */
	int is_signed;
	uint64_t value;
};

/* A part of a buffer. */
struct ma_region {
	void *start;
	size_t size;
};

/* What is wrong with an operation. */
enum ma_fault {
	MA_FAULT_NONE,
	MA_FAULT_SIZES, /* dst and src differ in size, and no length is given */
	MA_FAULT_DST, /* its destination is not all in the buffer */
	MA_FAULT_SRC,
	MA_FAULT_OVERLAP, /* source and destination share bytes */
	MA_FAULT_SHARED, /* its destination and that of the operation `other` */
	MA_FAULT_MEMORY, /* there is no memory to find out */
};

struct ma_fault_at {
	size_t index;
	size_t other;
	/* What was read there; negative numbers as two's complement. */
	uint64_t offset;
	uint64_t length;
};

/*
 * Fills in operations on buffers of their own: the i-th is about all bytes of
 * dsts[i], as many as srcs[i] has, or with `lengths` about lengths[i] bytes if
 * that is not negative.
 * Without `srcs` the byte is values[i]. Nothing is filled in beyond the first
 * fault; *at is valid with one only.
 */
enum ma_fault ma_ranges_of_buffers(struct ma_batch_op ops[], size_t n,
	void *const dsts[], const size_t dst_sizes[], void *const srcs[],
	const size_t src_sizes[], const uint8_t values[],
	const int64_t lengths[], struct ma_fault_at *at);

/*
 * Fills in operations on parts of two buffers: the i-th is about lengths[i]
 * bytes at dst_offsets[i] and src_offsets[i]. NULL offsets: each begins where the
 * one before it ends. Without `src` the byte is `value`.
 */
enum ma_fault ma_ranges_of_offsets(struct ma_batch_op ops[], size_t n,
	const struct ma_region *dst, const struct ma_region *src, int value,
	const struct ma_numbers *dst_offsets,
	const struct ma_numbers *src_offsets, const struct ma_numbers *lengths,
	struct ma_fault_at *at);

/* Do two of the operations write to the same byte? */
enum ma_fault ma_ranges_disjoint(const struct ma_batch_op ops[], size_t n,
	struct ma_fault_at *at);

#endif /* MINIASYNC_RANGES_H */
