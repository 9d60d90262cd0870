/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * queue.c -- whose turn it is among what is queued
 *
 * One after the other would have a copy of 256 KiB, 10 us, wait for a gigabyte
 * that came before it. A piece from each in turn would have four large ones all be
 * complete at the end, rather than one by one, for which nobody is better off. So
 * operations of about one size are a line, in which the first is served until it
 * is done, and the lines take turns by bytes: as many for each, and of two that
 * have had as many, the shorter operations' first. A turn that took longer than a
 * nanosecond a byte counts by its time: the memory is slow then, and the piece may be
 * small (pieces.c). But only by a second at most: it may be the process that was
 * stopped, for hours, and its next pieces are as quick as ever.
 *
 * Then no operation waits for longer than MA__LINES times what is before it in its
 * own line takes, however much there is in others: none starves, large or small.
 *
 * A line's clock is how far it has been served. `now` is where the line was that had
 * the last turn. One that was empty, or had nothing that could be taken, has saved
 * up nothing: it goes on from `now`. One that becomes empty keeps what it had ahead,
 * so that a program cannot be always next by queueing its operations one by one.
 *
 * Only workers take turns. What a waiting thread executes is what it waits for, and
 * counts for nobody.
 */

#include "queue.h"

/* Each line's operations are up to so many times as large as those before. */
#define FACTOR 16

/* No turn counts for more: a terabyte. So the clock never runs out. */
#define TURN_MAX ((uint64_t)1 << 40)

/* Nor for more time: a second. */
#define LASTED_MAX ((uint64_t)1 << 30)

void
ma__queue_init(struct ma__queue *queue)
{
	for (int i = 0; i < MA__LINES; i++) {
		queue->lines[i].first = NULL;
		queue->lines[i].last = NULL;
		queue->lines[i].served = 0;
	}
	queue->now = 0;
}

/* Does not change while the operation is queued. */
static int
line_of(const struct ma__op *op)
{
	const size_t n = op->function ? op->weight : op->request.n;
	size_t most = MA__PIECE_MAX;
	int i = 0;

	for (; i < MA__LINES - 1 && n > most; i++)
		most *= FACTOR;
	return i;
}

void
ma__queue_add(struct ma__queue *queue, struct ma__op *op)
{
	struct ma__line *const line = &queue->lines[line_of(op)];

	op->next = NULL;
	op->prev = line->last;
	if (op->prev != NULL)
		op->prev->next = op;
	else
		line->first = op;
	line->last = op;
	atomic_store_explicit(&op->queued, true, memory_order_relaxed);
}

void
ma__queue_remove(struct ma__queue *queue, struct ma__op *op)
{
	struct ma__line *const line = &queue->lines[line_of(op)];

	if (op->prev != NULL)
		op->prev->next = op->next;
	else
		line->first = op->next;
	if (op->next != NULL)
		op->next->prev = op->prev;
	else
		line->last = op->prev;
	atomic_store_explicit(&op->queued, false, memory_order_relaxed);
}

static struct ma__op *
first_ready(const struct ma__line *line)
{
	struct ma__op *op = line->first;

	while (op != NULL && !ma__pieces_ready(&op->pieces, &op->request))
		op = op->next;
	return op;
}

struct ma__op *
ma__queue_next(const struct ma__queue *queue)
{
	struct ma__op *next = NULL;
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < MA__LINES; i++) {
		const struct ma__line *const line = &queue->lines[i];
		const uint64_t at =
			line->served > queue->now ? line->served : queue->now;
		struct ma__op *op;

		if (line->first == NULL || at >= least)
			continue;
		op = first_ready(line);
		if (op != NULL) {
			next = op;
			least = at;
		}
	}
	return next;
}

void
ma__queue_served(struct ma__queue *queue, const struct ma__op *op, size_t n)
{
	struct ma__line *const line = &queue->lines[line_of(op)];

	if (line->served > queue->now)
		queue->now = line->served;
	else
		line->served = queue->now;
	line->served += n < TURN_MAX ? n : TURN_MAX;
}

void
ma__queue_lasted(struct ma__queue *queue, const struct ma__op *op, size_t n,
	uint64_t ns)
{
	if (ns > n)
		queue->lines[line_of(op)].served +=
			ns - n < LASTED_MAX ? ns - n : LASTED_MAX;
}
