/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pieces.c -- how operations are cut, by the bytes that pieces read and write
 *
 * Nothing is copied. Executors take and finish pieces in random order; a piece
 * may read and write at any time in between. So no piece may write what another
 * one at work reads or writes, or what is still to be read by one to come.
 */

#include "t.h"

#include <stdbool.h>

#include "pieces.h"

#define MIB ((size_t)1 << 20)

enum { EXECUTORS = 5 };

struct range {
	uintptr_t from;
	uintptr_t to;
};

static bool
meet(struct range a, struct range b)
{
	return a.from < b.to && b.from < a.to;
}

struct run {
	struct ma__request request;
	struct ma__pieces pieces;
	struct ma__piece at_work[EXECUTORS];
	int working;
	int most; /* at a time */
	size_t finished;
};

static struct range
range_of(const struct run *r, struct ma__piece piece, bool source)
{
	const uintptr_t base =
		(uintptr_t)(source ? r->request.src : r->request.dst) +
		ma__piece_offset(&r->pieces, &r->request, piece);

	return (struct range){base, base + piece.n};
}

static void
take(struct run *r)
{
	const struct ma__piece piece = ma__pieces_take(&r->pieces, &r->request);
	const struct ma__piece rest = {
		r->pieces.taken, r->request.n - r->pieces.taken};
	const struct range dst = range_of(r, piece, false);
	const struct range src = range_of(r, piece, true);
	const bool reads = r->request.src != NULL;

	CHECK(piece.n > 0);
	CHECK(piece.from + piece.n == r->pieces.taken);
	CHECK(r->pieces.taken <= r->request.n);
	for (int i = 0; i < r->working; i++) {
		const struct ma__piece other = r->at_work[i];

		CHECK(!meet(dst, range_of(r, other, false)));
		CHECK(!reads || !meet(dst, range_of(r, other, true)));
		CHECK(!reads || !meet(src, range_of(r, other, false)));
	}
	CHECK(!reads || !meet(dst, range_of(r, rest, true)));
	r->at_work[r->working++] = piece;
	if (r->working > r->most)
		r->most = r->working;
}

static void
finish(struct run *r, int which)
{
	const struct ma__piece piece = r->at_work[which];

	ma__pieces_done(&r->pieces, piece);
	r->finished += piece.n;
	r->at_work[which] = r->at_work[--r->working];
}

/* How long a piece took: as always, or anything, or longer than it should. */
static void
say_how_long(struct run *r, uint64_t random)
{
	const size_t n = r->at_work[0].n;

	if (random % 4 == 0)
		ma__pieces_took(&r->pieces, n, random % 1000000);
	else if (random % 4 == 1)
		ma__pieces_took(&r->pieces, n, random);
	else if (random % 4 == 2)
		ma__pieces_took(&r->pieces, 0, 0);
	CHECK(r->pieces.most >= 4096 && r->pieces.most <= MIB);
}

/* How many pieces were at work at a time, at most. */
static int
execute_at(size_t n, uintptr_t dst, uintptr_t src, uint64_t seed, bool paced)
{
	struct run r = {.request = {.type = VDM_OPERATION_MEMMOVE,
				.dst = (char *)dst,
				.src = (const char *)src,
				.n = n}};
	uint64_t random = seed;
	size_t pieces = 0;

	ma__pieces_init(&r.pieces, &r.request, false);
	while (r.finished < n) {
		const bool ready = ma__pieces_ready(&r.pieces, &r.request);

		/* nothing at work and nothing ready would be the end */
		CHECK(ready || r.working > 0);
		if (ready && r.working < EXECUTORS &&
			(r.working == 0 || t_random(&random) % 3 != 0)) {
			take(&r);
			pieces++;
		} else {
			if (!paced)
				say_how_long(&r, t_random(&random));
			finish(&r, (int)(t_random(&random) % r.working));
		}
	}
	CHECK(!ma__pieces_ready(&r.pieces, &r.request));
	CHECK_INT(r.working, 0);
	/* no piece takes much more than 100 us, and none is tiny */
	CHECK(pieces >= n / MIB);
	CHECK(!paced || pieces <= n / (100 << 10) + 1 || r.pieces.wave < n);
	return r.most;
}

/* If all of them take as long as they should; and the same otherwise, for the rest. */
static int
execute(size_t n, uintptr_t dst, uintptr_t src, uint64_t seed)
{
	if (seed % 8 == 0)
		execute_at(n, dst, src, seed, false);
	return execute_at(n, dst, src, seed, true);
}

static const uintptr_t at = (uintptr_t)1 << 40;

static const size_t sizes[] = {1, 4096, 262143, 262144, 262145, MIB,
	3 * MIB + 5, 8 * MIB, 40 * MIB + 4097};

static void
apart(void)
{
	for (size_t i = 0; i < T_COUNT(sizes); i++) {
		for (uint64_t seed = 1; seed < 40; seed++) {
			const size_t n = sizes[i];
			const int most = execute(n, at + seed * 13,
				at + n + 4096 + seed, seed);

			CHECK(n < 2 * MIB || most > 1);
			execute(n, at + seed, 0, seed);
		}
	}
}

static void
overlapping(void)
{
	static const size_t shifts[] = {0, 1, 63, 4096, 65536, 300001, MIB - 1,
		MIB, MIB + 1, 2 * MIB + 77, 7 * MIB, 20 * MIB + 1};

	for (size_t i = 0; i < T_COUNT(sizes); i++) {
		for (size_t j = 0; j < T_COUNT(shifts); j++) {
			int most[2] = {0, 0};

			for (uint64_t seed = 1; seed < 60; seed++) {
				const uintptr_t low = at + seed * 97;
				const int up = seed % 2;
				const int now = execute(sizes[i],
					low + (up ? shifts[j] : 0),
					low + (up ? 0 : shifts[j]), seed);

				if (now > most[up])
					most[up] = now;
			}
			if (sizes[i] < 8 * MIB || shifts[j] >= sizes[i])
				continue;
			for (int up = 0; up < 2; up++)
				CHECK(shifts[j] < MIB ? most[up] == 1
						      : most[up] > 1);
		}
	}
}

/* One that may not be cut, and one of no bytes, which is taken all the same. */
static void
whole(void)
{
	for (size_t n = 0; n < 9 * MIB; n = 2 * n + 1) {
		struct run r = {.request = {.type = VDM_OPERATION_MEMMOVE,
					.dst = (char *)at,
					.src = (const char *)at + 1,
					.n = n}};
		struct ma__piece piece;

		ma__pieces_init(&r.pieces, &r.request, true);
		CHECK(ma__pieces_ready(&r.pieces, &r.request));
		piece = ma__pieces_take(&r.pieces, &r.request);
		CHECK_INT(piece.from, 0);
		CHECK_INT(piece.n, n);
		CHECK_INT(ma__piece_offset(&r.pieces, &r.request, piece), 0);
		CHECK_INT(r.pieces.taken, n);
		ma__pieces_done(&r.pieces, piece);
	}
}

/* What is slow is cut to what takes a millisecond, and grows if it is quick again. */
static void
slow(void)
{
	struct ma__request request = {
		.type = VDM_OPERATION_MEMSET, .dst = (char *)at, .n = 64 * MIB};
	struct ma__pieces pieces;
	struct ma__piece piece;

	ma__pieces_init(&pieces, &request, false);
	piece = ma__pieces_take(&pieces, &request);
	CHECK_INT(piece.n, MIB);
	ma__pieces_took(&pieces, piece.n, 1000000);
	piece = ma__pieces_take(&pieces, &request);
	CHECK_INT(piece.n, MIB);
	ma__pieces_took(&pieces, piece.n, 16000000);
	piece = ma__pieces_take(&pieces, &request);
	CHECK_INT(piece.n, MIB / 16);
	ma__pieces_took(&pieces, piece.n, 500000);
	piece = ma__pieces_take(&pieces, &request);
	CHECK_INT(piece.n, MIB / 16);
	/* one that was begun before is no reason for larger ones */
	ma__pieces_took(&pieces, MIB, 2000000);
	piece = ma__pieces_take(&pieces, &request);
	CHECK_INT(piece.n, MIB / 16);
	ma__pieces_took(&pieces, piece.n, UINT64_MAX);
	piece = ma__pieces_take(&pieces, &request);
	CHECK_INT(piece.n, 4096);
	for (size_t n = 8192; n <= 4 * MIB; n *= 2) {
		ma__pieces_took(&pieces, piece.n, 1000);
		piece = ma__pieces_take(&pieces, &request);
		CHECK_INT(piece.n, n < MIB ? n : MIB);
	}
	ma__pieces_took(&pieces, 0, 0);
	piece = ma__pieces_take(&pieces, &request);
	CHECK_INT(piece.n, 4096);

	/* but not one that goes piece by piece */
	request.src = request.dst + 4096;
	ma__pieces_init(&pieces, &request, false);
	ma__pieces_took(&pieces, 0, 0);
	piece = ma__pieces_take(&pieces, &request);
	CHECK_INT(piece.n, MIB);
}

T_MAIN(T_CASE(apart), T_CASE(overlapping), T_CASE(whole), T_CASE(slow))
