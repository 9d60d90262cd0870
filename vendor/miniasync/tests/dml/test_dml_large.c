/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dml_large.c -- more bytes than libdml takes at a time, on libdml itself */

#include "dml_helpers.h"

#include <sys/mman.h>

/*
 * A job's length has 32 bits. The memory is the same few pages again and again,
 * but for the last one.
 */
static void
more_than_4_gib_is_all_filled(void)
{
	const size_t block = (size_t)1 << 26;
	const size_t blocks = 64;
	const size_t page = 4096;
	const size_t n = block * blocks + page;
	struct data_mover_dml *m;
	struct vdm_operation_future f;
	unsigned char *at;
	int fd;

	m = new_dml(DATA_MOVER_DML_SOFTWARE);
	at = mmap(NULL, n, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(at != MAP_FAILED);
	fd = memfd_create("block", MFD_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, (off_t)(block + page)) == 0);
	for (size_t i = 0; i < blocks; i++)
		CHECK(mmap(at + i * block, block, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	CHECK(mmap(at + block * blocks, page, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, fd, (off_t)block) != MAP_FAILED);

	f = vdm_memset(data_mover_dml_get_vdm(m), at, 0x5a, n - 1, 0);
	finish_dml(&f);
	CHECK_INT(f.output.result, VDM_SUCCESS);
	CHECK_INT(at[0], 0x5a);
	CHECK_INT(at[n - page], 0x5a);
	CHECK_INT(at[n - 2], 0x5a);
	CHECK_INT(at[n - 1], 0);
	CHECK_INT(stats_of(m).software_bytes, (intmax_t)(n - 1));
	CHECK(munmap(at, n) == 0);
	close(fd);
	data_mover_dml_delete(m);
}

static void
libdml_can_run_here(void)
{
	need_avx2();
	if (T_SLOW)
		t_skip("4 GiB take too long here");
}

T_MAIN(T_CASE(libdml_can_run_here), T_CASE(more_than_4_gib_is_all_filled))
