/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_queue.c -- whose turn it is, by what a single worker would take
 *
 * Nothing is copied, and there is no mover.
 */

#include "t.h"

#include <stdbool.h>

#include "queue.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

static struct ma__op
op_of(size_t n)
{
	struct ma__op op;

	memset(&op, 0, sizeof(op));
	/* No memory is there. */
	op.request.dst = (char *)(uintptr_t)(4 * GIB);
	op.request.src = (char *)(uintptr_t)(64 * GIB);
	op.request.n = n;
	op.weight = n;
	ma__pieces_init(&op.pieces, &op.request, false);
	return op;
}

/* What a worker does; the operation of which it took a piece. */
static struct ma__op *
work(struct ma__queue *queue)
{
	struct ma__op *const op = ma__queue_next(queue);
	struct ma__piece piece;

	if (op == NULL)
		return NULL;
	piece = ma__pieces_take(&op->pieces, &op->request);
	ma__queue_served(queue, op, op->function ? op->weight : piece.n);
	if (op->pieces.taken == op->request.n)
		ma__queue_remove(queue, op);
	ma__pieces_done(&op->pieces, piece);
	return op;
}

static void
in_order(void)
{
	struct ma__queue queue;
	struct ma__op ops[3] = {op_of(1), op_of(MIB), op_of(64)};

	ma__queue_init(&queue);
	CHECK(ma__queue_next(&queue) == NULL);
	for (size_t i = 0; i < T_COUNT(ops); i++) {
		ma__queue_add(&queue, &ops[i]);
		CHECK(atomic_load(&ops[i].queued));
	}
	for (size_t i = 0; i < T_COUNT(ops); i++) {
		struct ma__op *op;

		do
			op = work(&queue);
		while (op == &ops[i] && atomic_load(&op->queued));
		CHECK(op == &ops[i]);
		CHECK(!atomic_load(&op->queued));
	}
	CHECK(work(&queue) == NULL);
}

/* One in the middle and the ends may be taken by helpers. */
static void
removal(void)
{
	struct ma__queue queue;
	struct ma__op ops[4] = {op_of(1), op_of(2), op_of(3), op_of(4)};

	ma__queue_init(&queue);
	for (size_t i = 0; i < T_COUNT(ops); i++)
		ma__queue_add(&queue, &ops[i]);
	ma__queue_remove(&queue, &ops[1]);
	ma__queue_remove(&queue, &ops[0]);
	CHECK(ma__queue_next(&queue) == &ops[2]);
	ma__queue_remove(&queue, &ops[3]);
	CHECK(ma__queue_next(&queue) == &ops[2]);
	ma__queue_remove(&queue, &ops[2]);
	CHECK(ma__queue_next(&queue) == NULL);
}

/* A small one waits for a piece, not for all that came before. */
static void
small_passes_large(void)
{
	struct ma__queue queue;
	struct ma__op large = op_of(GIB);
	struct ma__op small = op_of(128 * KIB);

	ma__queue_init(&queue);
	ma__queue_add(&queue, &large);
	for (int i = 0; i < 100; i++)
		CHECK(work(&queue) == &large);
	ma__queue_add(&queue, &small);
	CHECK(work(&queue) == &small);
	CHECK(!atomic_load(&small.queued));
	CHECK(work(&queue) == &large);
}

/* Those of one line are finished one by one. */
static void
large_one_by_one(void)
{
	struct ma__queue queue;
	struct ma__op ops[2] = {op_of(64 * MIB), op_of(65 * MIB)};
	int changes = 0;
	const struct ma__op *before = &ops[0];
	const struct ma__op *op;

	ma__queue_init(&queue);
	ma__queue_add(&queue, &ops[0]);
	ma__queue_add(&queue, &ops[1]);
	while ((op = work(&queue)) != NULL) {
		changes += op != before;
		before = op;
	}
	CHECK_INT(changes, 1);
	CHECK(before == &ops[1]);
}

/* However many small ones come, one at a time or all at once: a half for each. */
static void
nobody_starves(bool at_once)
{
	static struct ma__op small[1024];
	struct ma__queue queue;
	struct ma__op large = op_of(300 * MIB);
	size_t bytes[2] = {0, 0};
	const struct ma__op *op = NULL;
	size_t added = 0;

	ma__queue_init(&queue);
	ma__queue_add(&queue, &large);
	for (;;) {
		while (added < T_COUNT(small) &&
			(at_once || added == 0 ||
				!atomic_load(&small[added - 1].queued))) {
			small[added] = op_of(128 * KIB);
			ma__queue_add(&queue, &small[added++]);
		}
		if (added == T_COUNT(small) &&
			!atomic_load(&small[added - 1].queued))
			break;
		op = work(&queue);
		CHECK(op != NULL);
		if (op != &large)
			bytes[0] += op->request.n;
		bytes[1] = large.pieces.taken;
		/* A piece of the one against eight of the others. */
		CHECK(bytes[1] <= bytes[0] + 2 * MIB);
		CHECK(bytes[0] <= bytes[1] + 2 * MIB);
	}
	CHECK_INT(bytes[0], 128 * MIB);
}

static void
all_at_once(void)
{
	nobody_starves(true);
}

static void
one_at_a_time(void)
{
	nobody_starves(false);
}

/* Each line has its share. */
static void
four_sizes(void)
{
	struct ma__queue queue;
	struct ma__op ops[4] = {
		op_of(2 * GIB), op_of(256 * MIB), op_of(16 * MIB), op_of(MIB)};
	const struct ma__op *ended[4];
	int n = 0;

	ma__queue_init(&queue);
	for (size_t i = 0; i < T_COUNT(ops); i++)
		ma__queue_add(&queue, &ops[i]);
	while (n < 4) {
		const struct ma__op *const op = work(&queue);

		CHECK(op != NULL);
		if (op->pieces.taken == op->request.n)
			ended[n++] = op;
		if (n == 3 && ended[2] == &ops[1]) {
			/* Half of the turns since the others had ended. */
			CHECK(ops[0].pieces.taken > 250 * MIB);
			CHECK(ops[0].pieces.taken < 260 * MIB);
			n = 4;
		}
	}
	for (int i = 0; i < 3; i++)
		CHECK(ended[i] == &ops[3 - i]);
}

/* A line that was idle for long neither owns nor owes what others had meanwhile. */
static void
nothing_is_saved_up(void)
{
	struct ma__queue queue;
	struct ma__op large = op_of(GIB);
	struct ma__op small[40];

	ma__queue_init(&queue);
	/* First the small ones alone, then the large one alone, then both. */
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < T_COUNT(small); i++) {
			small[i] = op_of(MIB);
			ma__queue_add(&queue, &small[i]);
		}
		if (round == 0) {
			while (work(&queue) != NULL)
				;
			ma__queue_add(&queue, &large);
			for (int i = 0; i < 500; i++)
				CHECK(work(&queue) == &large);
		}
	}
	for (int i = 0; i < 10; i++) {
		const size_t before = large.pieces.taken;
		size_t n = 0;

		while (large.pieces.taken == before) {
			const struct ma__op *const op = work(&queue);

			n += op != &large ? op->request.n : 0;
			CHECK(n <= 10 * MIB);
		}
	}
	CHECK(atomic_load(&small[T_COUNT(small) - 1].queued));
}

/* What cannot be taken now is passed over, in its line, and the line as well. */
static void
not_ready(void)
{
	struct ma__queue queue;
	struct ma__op move = op_of(4 * MIB);
	struct ma__op same = op_of(4 * MIB);
	struct ma__op large = op_of(GIB);
	struct ma__piece piece;

	move.request.src = move.request.dst + 64 * KIB;
	ma__pieces_init(&move.pieces, &move.request, false);
	ma__queue_init(&queue);
	ma__queue_add(&queue, &move);
	ma__queue_add(&queue, &large);
	CHECK(ma__queue_next(&queue) == &move);
	piece = ma__pieces_take(&move.pieces, &move.request);
	for (int i = 0; i < 100; i++)
		CHECK(work(&queue) == &large);
	ma__queue_add(&queue, &same);
	CHECK(ma__queue_next(&queue) == &same);
	ma__pieces_done(&move.pieces, piece);
	CHECK(ma__queue_next(&queue) == &move);
	/* What it could not have meanwhile is not made up for. */
	for (int i = 0; work(&queue) != &large; i++)
		CHECK(i < 2);
}

/* A program's function is as large as the time that it takes. */
static void
functions(void)
{
	struct ma__queue queue;
	struct ma__op slow = op_of(64);
	struct ma__op large = op_of(8 * MIB);

	slow.function = true;
	slow.weight = GIB;
	ma__pieces_init(&slow.pieces, &slow.request, true);
	ma__queue_init(&queue);
	ma__queue_add(&queue, &slow);
	ma__queue_add(&queue, &large);
	CHECK(work(&queue) == &large);
	CHECK(work(&queue) == &slow);
	while (atomic_load(&large.queued))
		CHECK(work(&queue) == &large);
	CHECK(work(&queue) == NULL);
}

/* Nor does who is slow have more than its time: its turns count for more. */
static void
slow_ones(void)
{
	struct ma__queue queue;
	struct ma__op slow = op_of(GIB);
	struct ma__op small[8];
	size_t n = 0;

	ma__queue_init(&queue);
	ma__queue_add(&queue, &slow);
	for (size_t i = 0; i < T_COUNT(small); i++) {
		small[i] = op_of(MIB);
		ma__queue_add(&queue, &small[i]);
	}
	while (atomic_load(&small[7].queued)) {
		const size_t before = slow.pieces.taken;

		CHECK(work(&queue) != NULL);
		if (slow.pieces.taken == before)
			continue;
		/* What has been counted as bytes is not counted again. */
		ma__queue_lasted(&queue, &slow, MIB, MIB / 2);
		ma__queue_lasted(&queue, &slow, MIB, 3 * MIB);
		n++;
	}
	CHECK_INT(n, 3);
	ma__queue_lasted(&queue, &slow, 0, UINT64_MAX);
	CHECK(work(&queue) == &slow);
}

/* Nor is who was stopped for long, by the system perhaps, put off for as long. */
static void
a_long_one(void)
{
	struct ma__queue queue;
	struct ma__op large = op_of(32 * GIB);
	struct ma__op small[2] = {op_of(MIB), op_of(MIB)};

	ma__queue_init(&queue);
	ma__queue_add(&queue, &large);
	for (int i = 0; i < 2; i++)
		ma__queue_add(&queue, &small[i]);
	CHECK(work(&queue) == &small[0]);
	ma__queue_lasted(&queue, &small[0], MIB, 3600 * T_SECOND);
	while (atomic_load(&small[1].queued)) {
		CHECK(large.pieces.taken < 2 * GIB);
		CHECK(work(&queue) != NULL);
	}
	CHECK(large.pieces.taken > GIB / 2);
}

/* What a function is told to do need not exist. */
static void
huge(void)
{
	struct ma__queue queue;
	struct ma__op large[3];
	struct ma__op small[3];

	ma__queue_init(&queue);
	for (int i = 0; i < 3; i++) {
		large[i] = op_of(SIZE_MAX - (size_t)i);
		large[i].function = true;
		ma__pieces_init(&large[i].pieces, &large[i].request, true);
		small[i] = op_of(64);
		ma__queue_add(&queue, &large[i]);
	}
	for (int i = 0; i < 3; i++) {
		CHECK(work(&queue) == &large[i]);
		ma__queue_add(&queue, &small[i]);
		CHECK(work(&queue) == &small[i]);
	}
	CHECK(work(&queue) == NULL);
}

T_MAIN(T_CASE(in_order), T_CASE(removal), T_CASE(small_passes_large),
	T_CASE(large_one_by_one), T_CASE(all_at_once), T_CASE(one_at_a_time),
	T_CASE(four_sizes), T_CASE(nothing_is_saved_up), T_CASE(not_ready),
	T_CASE(functions), T_CASE(slow_ones), T_CASE(a_long_one), T_CASE(huge))
