/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * missing.h -- memory whose first bytes are not there until the test provides them
 *
 * Whoever meets them says so, and waits.
 */

#ifndef MISSING_H
#define MISSING_H

#include "t.h"

#include <sys/mman.h>

enum { MISSING_N = 65536, MISSING_MOST = 4 };

struct missing {
	unsigned char *bytes;
	size_t n;
	sem_t met;
	sem_t provide;
};

/* Those that there are; not changed while somebody may meet one. */
static struct missing *missing_all[MISSING_MOST];

static inline void
missing_on_segv(int sig, siginfo_t *info, void *context)
{
	const uintptr_t at = (uintptr_t)info->si_addr;

	(void)sig;
	(void)context;
	for (int i = 0; i < MISSING_MOST; i++) {
		struct missing *const m = missing_all[i];

		if (m == NULL || at - (uintptr_t)m->bytes >= MISSING_N)
			continue;
		t_open(&m->met);
		t_pass(&m->provide);
		CHECK(mprotect(m->bytes, MISSING_N, PROT_READ | PROT_WRITE) ==
			0);
		return;
	}
	t_fail(__FILE__, __LINE__, "other memory is missing");
}

static inline void
missing_again(struct missing *m)
{
	CHECK(mprotect(m->bytes, MISSING_N, PROT_NONE) == 0);
}

static inline void
missing_init(struct missing *m, size_t n)
{
	struct sigaction action;
	int i = 0;

	CHECK(sem_init(&m->met, 0, 0) == 0);
	CHECK(sem_init(&m->provide, 0, 0) == 0);
	m->n = n;
	m->bytes = mmap(NULL, n, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(m->bytes != MAP_FAILED);
	missing_again(m);
	while (i < MISSING_MOST && missing_all[i] != NULL)
		i++;
	CHECK(i < MISSING_MOST);
	missing_all[i] = m;
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = missing_on_segv;
	action.sa_flags = SA_SIGINFO;
	sigemptyset(&action.sa_mask);
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
}

static inline void
missing_fini(struct missing *m)
{
	for (int i = 0; i < MISSING_MOST; i++)
		if (missing_all[i] == m)
			missing_all[i] = NULL;
	CHECK(munmap(m->bytes, m->n) == 0);
}

#endif /* MISSING_H */
