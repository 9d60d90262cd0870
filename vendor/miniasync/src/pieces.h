/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pieces.h -- how an operation is cut into pieces that threads execute
 *
 * A piece is taken, executed and done; several may be at it at a time. Bytes are
 * taken in order: upwards, or downwards where an overlapping move has to go down.
 */

#ifndef MA_PIECES_H
#define MA_PIECES_H

#include "request.h"

/* The largest piece; what can be cut gets none that is larger. */
#define MA__PIECE_MAX ((size_t)1 << 20)

/* All under the lock of the operation's mover. */
struct ma__pieces {
	size_t taken; /* bytes, in order */
	size_t wave; /* see pieces.c */
	size_t undone[2]; /* bytes of the latest even wave, and odd one */
	unsigned most; /* the largest piece, for what is known */
	bool whole; /* all in one piece */
	bool down;
	bool alone; /* one piece at a time */
};

struct ma__piece {
	size_t from; /* bytes before it, in order */
	size_t n;
};

/* `whole`: the operation may not be cut. */
void ma__pieces_init(struct ma__pieces *pieces,
	const struct ma__request *request, bool whole);

/* Is anything left, and may it be taken now? */
bool ma__pieces_ready(const struct ma__pieces *pieces,
	const struct ma__request *request);

/* May it be that something is left, and cannot be taken now? */
static inline bool
ma__pieces_depend(const struct ma__pieces *pieces,
	const struct ma__request *request)
{
	return pieces->wave < request->n;
}

/* Takes the next piece; it is ready. */
struct ma__piece ma__pieces_take(struct ma__pieces *pieces,
	const struct ma__request *request);

/* A piece has been executed. */
void ma__pieces_done(struct ma__pieces *pieces, struct ma__piece piece);

/*
 * A piece took so long, or, if `n` is 0, takes longer than any should: the next ones
 * are cut accordingly.
 */
void ma__pieces_took(struct ma__pieces *pieces, size_t n, uint64_t ns);

/* Where the piece begins in the operation. */
static inline size_t
ma__piece_offset(const struct ma__pieces *pieces,
	const struct ma__request *request, struct ma__piece piece)
{
	return pieces->down ? request->n - piece.from - piece.n : piece.from;
}

#endif /* MA_PIECES_H */
