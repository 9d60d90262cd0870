/* SPDX-License-Identifier: BSD-3-Clause */
/* beside.h -- the same rows of this program linked with another library */

#ifndef BESIDE_H
#define BESIDE_H

#include "report.h"

/* The name of that library, in a static buffer; ends the program if it cannot
 * be run. */
const char *beside_name(const char *program);

/*
 * Runs a row in it and adds what it measures to the latest row of the report.
 * A row that it does not finish within ten minutes, or at all, is left empty.
 */
void beside_run(struct report *report, const char *program,
	const struct row *row, bool quick);

#endif /* BESIDE_H */
