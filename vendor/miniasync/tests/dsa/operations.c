/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operations.c -- what the emulated device does to memory
 *
 * A device is no thread of the program. Sanitizers must not take its accesses
 * for such, since they would miss whatever orders them (libdml is compiled
 * without them); so all are instructions of our own. x86 makes the status of a
 * record visible after everything written before.
 */

#include "device.h"

#include <string.h>

/* In programs with AddressSanitizer. */
__attribute__((weak)) void *__asan_region_is_poisoned(void *start, size_t n);

static void
check_alive(uint64_t at, size_t n, const char *why)
{
	if (__asan_region_is_poisoned != NULL && n != 0 &&
		__asan_region_is_poisoned((void *)(uintptr_t)at, n) != NULL)
		dsa_die(why);
}

static void
move_up(uint64_t to, uint64_t from, size_t n)
{
	__asm__ volatile("rep movsb"
		: "+D"(to), "+S"(from), "+c"(n)
		:
		: "memory");
}

/* From the last byte to the first. */
static void
move_down(uint64_t to, uint64_t from, size_t n)
{
	to += n - 1;
	from += n - 1;
	__asm__ volatile("std\n\trep movsb\n\tcld"
		: "+D"(to), "+S"(from), "+c"(n)
		:
		: "memory", "cc");
}

static void
move(const struct dsa_descriptor *d, struct dsa_outcome *outcome)
{
	uint64_t rest = d->size - outcome->done;

	outcome->result = d->destination > d->source &&
		d->destination - d->source < d->size;
	if (outcome->result)
		move_down(d->destination + rest, d->source + rest,
			outcome->done);
	else
		move_up(d->destination, d->source, outcome->done);
}

/* The copy from 8 bytes below repeats the pattern. */
static void
fill(uint64_t to, const uint64_t *pattern, uint32_t n)
{
	uint32_t first = n < 8 ? n : 8;

	move_up(to, (uintptr_t)pattern, first);
	move_up(to + 8, to, n - first);
}

unsigned
dsa_validate(const struct dsa_descriptor *d, unsigned capabilities,
	uint32_t max_transfer)
{
	unsigned refused = DSA_FENCE; /* there is none outside a batch */

	switch (d->operation) {
	case DSA_NOP:
		return DSA_SUCCESS;
	case DSA_MEMMOVE:
	case DSA_FILL:
		if (!(capabilities & DSA_CAN_CACHE_CONTROL))
			refused |= DSA_CACHE_CONTROL;
		break;
	case DSA_CACHE_FLUSH:
		if (!(capabilities & DSA_CAN_CACHE_CONTROL_FLUSH))
			refused |= DSA_CACHE_CONTROL;
		break;
	default:
		return DSA_BAD_OPERATION;
	}
	if (!(capabilities & DSA_CAN_BLOCK_ON_FAULT))
		refused |= DSA_BLOCK_ON_FAULT;
	if (!(capabilities & DSA_CAN_READBACK))
		refused |= DSA_READBACK;
	if (d->flags & refused)
		return DSA_BAD_FLAGS;
	if (d->size == 0 || d->size > max_transfer)
		return DSA_BAD_SIZE;
	if (d->operation == DSA_MEMMOVE && !(capabilities & DSA_CAN_OVERLAP) &&
		d->source < d->destination + d->size &&
		d->destination < d->source + d->size)
		return DSA_OVERLAP;
	return DSA_SUCCESS;
}

void
dsa_execute(const struct dsa_descriptor *d, struct dsa_outcome *outcome)
{
	outcome->result = 0;
	if (d->operation == DSA_NOP || outcome->done == 0)
		return;
	check_alive(d->destination, d->size, "the destination is freed memory");
	if (d->operation == DSA_MEMMOVE) {
		check_alive(d->source, d->size, "the source is freed memory");
		move(d, outcome);
	} else if (d->operation == DSA_FILL) {
		fill(d->destination, &d->source, outcome->done);
	}
	/* A flush leaves memory as it is. */
}

void
dsa_complete(const struct dsa_descriptor *d, struct dsa_outcome outcome)
{
	uint8_t record[32] = {0};
	uint64_t fault = d->destination + outcome.done;

	if (!(d->flags & DSA_RECORD_VALID))
		return;
	if (d->record % sizeof(record) != 0)
		dsa_die("the completion record is not aligned");
	check_alive(d->record, sizeof(record),
		"the completion record is freed memory");
	record[1] = outcome.result;
	if ((outcome.status & 0x7f) == DSA_PAGE_FAULT) {
		memcpy(&record[4], &outcome.done, sizeof(outcome.done));
		memcpy(&record[8], &fault, sizeof(fault));
	}
	move_up(d->record + 1, (uintptr_t)&record[1], sizeof(record) - 1);
	__asm__ volatile("movb %0, (%1)"
		:
		: "q"(outcome.status), "r"(d->record)
		: "memory");
}
