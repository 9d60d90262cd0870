/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dml_stub.c -- the functions of the DML mover, built without libdml */

#include "t.h"

#include <libminiasync-vdm-dml.h>

static void
there_is_no_mover_and_it_says_so(void)
{
	struct data_mover_dml_stats stats = {.size = sizeof(stats)};

	for (int type = 0; type <= DATA_MOVER_DML_AUTO; type++) {
		errno = 0;
		CHECK(data_mover_dml_new((enum data_mover_dml_type)type) ==
			NULL);
		CHECK_INT(errno, ENOTSUP);
	}
	CHECK(data_mover_dml_get_vdm(NULL) == NULL);
	CHECK_INT(data_mover_dml_get_stats(NULL, &stats), ENOTSUP);
	data_mover_dml_delete(NULL);
}

T_MAIN(T_CASE(there_is_no_mover_and_it_says_so))
