/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pieces.c -- how an operation is cut into pieces that threads execute
 *
 * Pieces are what takes about 100 us; towards the end they get smaller, so that
 * who has none left waits for little.
 *
 * If the memory is not there (workers_overdue.c), a piece of that size takes much
 * longer, and everybody who might have taken something else has to wait for it. So
 * pieces are cut to what was executed in SLOW; a page at least. They are cut for a
 * worker that lost its processor, too; but those that are quick grow again, whoever
 * executes them.
 * (Those of an overlapping move that go one at a time stay as they are.)
 *
 * Overlapping moves. Say dst is below src by `shift`. Then writing the bytes
 * from a to b destroys the source of those from a - shift to b - shift: they
 * have to be done before. So bytes are taken upwards, and none that is more
 * than a shift above one that is not done. (If dst is above src, all of this is
 * upside down.)
 *
 * To know what is done without keeping a list, the operation is divided into
 * waves of half a shift, of which two may be at work: the first piece of wave w
 * is taken when wave w - 2 is done. Whatever is at work or to come is then in
 * wave w - 1 or later, and writing wave w, which ends at (w + 1) * wave,
 * destroys what lies below (w + 1) * wave - shift <= (w - 1) * wave.
 *
 * If the shift is too small for that, one piece is executed at a time, in
 * order: a wave is a piece. It overlaps itself, which is the copy engine's
 * affair.
 */

#include "pieces.h"

/*
 * The smallest piece. Smaller ones cost more than the shorter end brings; a rest
 * of less than two of them is not cut.
 */
#define PIECE_MIN ((size_t)128 << 10)

/* Waves of less than this cost more than two threads bring. */
#define WAVE_MIN ((size_t)512 << 10)

#define PAGE ((size_t)4096)

/* No piece should take longer, nanoseconds. */
#define SLOW 1000000

void
ma__pieces_init(struct ma__pieces *pieces, const struct ma__request *request,
	bool whole)
{
	const uintptr_t dst = (uintptr_t)request->dst;
	const uintptr_t src = (uintptr_t)request->src;
	const size_t shift = dst > src ? dst - src : src - dst;

	pieces->taken = 0;
	pieces->undone[0] = 0;
	pieces->undone[1] = 0;
	pieces->most = (unsigned)MA__PIECE_MAX;
	pieces->whole = whole;
	pieces->down = false;
	pieces->alone = false;
	pieces->wave = request->n;
	if (whole || !ma__request_overlaps(request))
		return;
	pieces->down = dst > src;
	pieces->alone = shift / 2 < WAVE_MIN;
	pieces->wave = pieces->alone ? MA__PIECE_MAX : shift / 2;
}

bool
ma__pieces_ready(const struct ma__pieces *pieces,
	const struct ma__request *request)
{
	size_t wave;

	/* One of no bytes is taken once, too: then it leaves the queue. */
	if (pieces->taken == 0)
		return true;
	if (pieces->taken == request->n)
		return false;
	if (pieces->taken % pieces->wave != 0)
		return true; /* in the middle of a wave */
	wave = pieces->taken / pieces->wave;
	return pieces->undone[wave % 2] == 0 &&
		(!pieces->alone || pieces->undone[(wave + 1) % 2] == 0);
}

/* How many of the `left` bytes of a wave; `rest` are left of the operation. */
static size_t
size_of(const struct ma__pieces *pieces, size_t left, size_t rest)
{
	const size_t least =
		pieces->most < PIECE_MIN ? pieces->most : PIECE_MIN;
	size_t n = rest / 4;

	if (pieces->whole || pieces->alone || left < 2 * least)
		return left;
	if (n > pieces->most)
		n = pieces->most;
	if (n > left / 2)
		n = left / 2;
	return n < least ? least : n;
}

struct ma__piece
ma__pieces_take(struct ma__pieces *pieces, const struct ma__request *request)
{
	const size_t rest = request->n - pieces->taken;
	struct ma__piece piece = {.from = pieces->taken, .n = rest};
	size_t wave;
	size_t left;

	if (rest == 0)
		return piece;
	wave = pieces->taken / pieces->wave;
	left = pieces->wave - pieces->taken % pieces->wave;
	if (left > rest)
		left = rest;
	if (pieces->taken % pieces->wave == 0)
		pieces->undone[wave % 2] = left;
	piece.n = size_of(pieces, left, rest);
	/*
	 * It ends where the destination begins a page, so that no two threads
	 * write to one cache line; downwards it begins there.
	 */
	if (piece.n < left) {
		const uintptr_t end = (uintptr_t)request->dst +
			(pieces->down ? rest - piece.n : piece.from + piece.n);

		piece.n -= pieces->down ? -end % PAGE : end % PAGE;
	}
	pieces->taken += piece.n;
	return piece;
}

void
ma__pieces_done(struct ma__pieces *pieces, struct ma__piece piece)
{
	if (piece.n != 0)
		pieces->undone[piece.from / pieces->wave % 2] -= piece.n;
}

void
ma__pieces_took(struct ma__pieces *pieces, size_t n, uint64_t ns)
{
	if (pieces->whole || pieces->alone)
		return;
	if (n == 0 || ns > SLOW) {
		/* By a double: the product may be too large. */
		n = n == 0 ? 0 : (size_t)((double)n * SLOW / (double)ns);
		if (n < pieces->most)
			pieces->most = (unsigned)(n > PAGE ? n : PAGE);
	} else if (ns < SLOW / 4) {
		pieces->most = pieces->most > MA__PIECE_MAX / 2
			? (unsigned)MA__PIECE_MAX
			: 2 * pieces->most;
	}
}
