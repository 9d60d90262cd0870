/* SPDX-License-Identifier: BSD-3-Clause */
/* _miniasync_ranges.c -- what Python asks a batch to do, checked */

#include "_miniasync_ranges.h"

#include <stdbool.h>
#include <stdlib.h>

/* How many operations are read at a time. */
#define CHUNK 256

#define READ_AS(type_)                                                         \
	do {                                                                   \
		type_ copy[CHUNK];                                             \
                                                                               \
		memcpy(copy, from, count * sizeof(type_));                     \
		for (size_t i = 0; i < count; i++)                             \
			to[i] = (uint64_t)copy[i];                             \
	} while (0)

/* Copies `count` numbers from the index `first` on; at most CHUNK. */
static void
read_numbers(const struct ma_numbers *numbers, size_t first, size_t count,
	uint64_t to[])
{
	const char *from = numbers->data;

	if (from == NULL) {
		for (size_t i = 0; i < count; i++)
			to[i] = numbers->value;
		return;
	}
	from += first * numbers->size;
	switch (numbers->size) {
	case sizeof(uint8_t):
		if (numbers->is_signed)
			READ_AS(int8_t);
		else
			READ_AS(uint8_t);
		break;
	case sizeof(uint16_t):
		if (numbers->is_signed)
			READ_AS(int16_t);
		else
			READ_AS(uint16_t);
		break;
	case sizeof(uint32_t):
		if (numbers->is_signed)
			READ_AS(int32_t);
		else
			READ_AS(uint32_t);
		break;
	default:
		/* Negative ones are large ones from here on. */
		READ_AS(uint64_t);
		break;
	}
}

/* Offsets of one chunk, read or counted up from *next. */
static void
read_offsets(const struct ma_numbers *offsets, size_t first, size_t count,
	const uint64_t lengths[], uint64_t *next, uint64_t to[])
{
	if (offsets != NULL) {
		read_numbers(offsets, first, count, to);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		to[i] = *next;
		/* May wrap, but only behind a length that is refused. */
		*next += lengths[i];
	}
}

static bool
is_inside(uint64_t offset, uint64_t length, size_t size)
{
	return offset <= size && length <= size - offset;
}

static bool
overlap(const struct ma_batch_op *op)
{
	const uintptr_t dst = (uintptr_t)op->dst;
	const uintptr_t src = (uintptr_t)op->src;

	return dst < src ? src - dst < op->n : dst - src < op->n;
}

enum ma_fault
ma_ranges_of_buffers(struct ma_batch_op ops[], size_t n, void *const dsts[],
	const size_t dst_sizes[], void *const srcs[], const size_t src_sizes[],
	const uint8_t values[], const int64_t lengths[], struct ma_fault_at *at)
{
	for (size_t i = 0; i < n; i++) {
		struct ma_batch_op *op = &ops[i];
		uint64_t length = dst_sizes[i];

		at->index = i;
		if (lengths != NULL && lengths[i] >= 0)
			length = (uint64_t)lengths[i];
		else if (srcs != NULL && src_sizes[i] != length)
			return MA_FAULT_SIZES;
		if (length > dst_sizes[i])
			return MA_FAULT_DST;
		op->dst = dsts[i];
		op->n = (size_t)length;
		if (srcs == NULL) {
			op->c = values[i];
			continue;
		}
		if (length > src_sizes[i])
			return MA_FAULT_SRC;
		op->src = srcs[i];
		if (overlap(op))
			return MA_FAULT_OVERLAP;
	}
	return MA_FAULT_NONE;
}

enum ma_fault
ma_ranges_of_offsets(struct ma_batch_op ops[], size_t n,
	const struct ma_region *dst, const struct ma_region *src, int value,
	const struct ma_numbers *dst_offsets,
	const struct ma_numbers *src_offsets, const struct ma_numbers *lengths,
	struct ma_fault_at *at)
{
	uint64_t to[CHUNK];
	uint64_t from[CHUNK];
	uint64_t length[CHUNK];
	uint64_t next_to = 0;
	uint64_t next_from = 0;

	for (size_t first = 0; first < n; first += CHUNK) {
		const size_t count = n - first < CHUNK ? n - first : CHUNK;

		read_numbers(lengths, first, count, length);
		read_offsets(dst_offsets, first, count, length, &next_to, to);
		if (src != NULL)
			read_offsets(src_offsets, first, count, length,
				&next_from, from);
		for (size_t i = 0; i < count; i++) {
			struct ma_batch_op *op = &ops[first + i];

			at->index = first + i;
			at->length = length[i];
			at->offset = to[i];
			if (!is_inside(to[i], length[i], dst->size))
				return MA_FAULT_DST;
			op->dst = (char *)dst->start + to[i];
			op->n = (size_t)length[i];
			if (src == NULL) {
				op->c = value;
				continue;
			}
			at->offset = from[i];
			if (!is_inside(from[i], length[i], src->size))
				return MA_FAULT_SRC;
			op->src = (char *)src->start + from[i];
			if (overlap(op))
				return MA_FAULT_OVERLAP;
		}
	}
	return MA_FAULT_NONE;
}

struct span {
	uintptr_t begin;
	uintptr_t end;
	size_t index;
};

static int
compare_spans(const void *left, const void *right)
{
	const struct span *a = left;
	const struct span *b = right;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

enum ma_fault
ma_ranges_disjoint(const struct ma_batch_op ops[], size_t n,
	struct ma_fault_at *at)
{
	enum ma_fault fault = MA_FAULT_NONE;
	struct span *spans = NULL;
	bool sorted = true;
	size_t count = 0;

	if (n < 2)
		return MA_FAULT_NONE;
	spans = calloc(n, sizeof(*spans));
	if (spans == NULL)
		return MA_FAULT_MEMORY;
	for (size_t i = 0; i < n; i++) {
		struct span *span = &spans[count];

		if (ops[i].n == 0)
			continue;
		span->begin = (uintptr_t)ops[i].dst;
		span->end = span->begin + ops[i].n;
		span->index = i;
		if (count != 0 && span->begin < span[-1].begin)
			sorted = false;
		count++;
	}
	if (!sorted)
		qsort(spans, count, sizeof(*spans), compare_spans);
	/* Sorted by their beginnings, neighbours overlap if any two do. */
	for (size_t i = 1; i < count; i++) {
		const struct span *a = &spans[i - 1];
		const struct span *b = &spans[i];

		if (b->begin < a->end) {
			at->index = a->index > b->index ? a->index : b->index;
			at->other = a->index < b->index ? a->index : b->index;
			fault = MA_FAULT_SHARED;
			break;
		}
	}
	free(spans);
	return fault;
}
