/* SPDX-License-Identifier: BSD-3-Clause */
/* dsa_main.h -- test programs that need the emulated device, or skip */

#ifndef DSA_MAIN_H
#define DSA_MAIN_H

#include "t.h"

#include "dsa.h"

/* T_MAIN for programs that need the device. */
#define DSA_MAIN(...)                                                          \
	int main(int argc, char *argv[])                                       \
	{                                                                      \
		static const struct t_case cases_[] = {__VA_ARGS__};           \
		if (dsa_unusable() != NULL)                                    \
			t_skip(dsa_unusable());                                \
		return t_run(cases_, T_COUNT(cases_), argc, argv);             \
	}

#endif /* DSA_MAIN_H */
