/* SPDX-License-Identifier: BSD-3-Clause */
/* test_settings.c -- what the library says it goes by */

#include "t.h"

#include <libminiasync.h>

#define MAX 1000

/* The value of a setting, in a static buffer. */
static const char *
value_of(const char *name)
{
	static char text[MAX];
	char line_start[64];
	char *value;

	CHECK(miniasync_settings(text, sizeof(text)) < sizeof(text));
	snprintf(line_start, sizeof(line_start), "%s ", name);
	value = text;
	while (strncmp(value, line_start, strlen(line_start)) != 0) {
		value = strchr(value, '\n');
		CHECK(value != NULL);
		value++;
	}
	value += strlen(line_start);
	*strchr(value, '\n') = '\0';
	return value;
}

/* Each line is a name, a space, and something. */
static void
lines_have_a_name_and_a_value(void)
{
	char text[MAX];
	const size_t length = miniasync_settings(text, sizeof(text));
	char *line = text;
	int count = 0;

	CHECK(length < sizeof(text));
	CHECK_INT(strlen(text), length);
	CHECK(text[length - 1] == '\n');
	while (*line != '\0') {
		const size_t name = strcspn(line, " \n");
		const size_t all = strcspn(line, "\n");

		CHECK(name > 0 && line[name] == ' ');
		CHECK(all > name + 1);
		CHECK(strcspn(line + name + 1, " \n") == all - name - 1 ||
			strncmp(line, "write_back ", name + 1) == 0);
		line += all + 1;
		count++;
	}
	CHECK_INT(count, 12);
}

static void
too_little_room(void)
{
	char whole[MAX];
	char text[MAX];
	const size_t length = miniasync_settings(whole, sizeof(whole));

	CHECK_INT(miniasync_settings(NULL, 0), length);
	for (size_t size = 1; size <= length + 2; size++) {
		const size_t n = size <= length ? size - 1 : length;

		memset(text, '#', sizeof(text));
		CHECK_INT(miniasync_settings(text, size), length);
		CHECK(memcmp(text, whole, n) == 0);
		CHECK(text[n] == '\0');
		CHECK(text[n + 1] == '#');
	}
}

static void
look_without_kernels(void *arg)
{
	(void)arg;
	setenv("MINIASYNC_CPU_FEATURES",
		"-avx2,-sse2,-clflush,-clflushopt,-clwb,-dcpop", 1);
	CHECK(strcmp(value_of("features"), "none") == 0);
	CHECK(strcmp(value_of("kernels"), "none") == 0);
}

static void
look_at_thresholds(void *arg)
{
	(void)arg;
	setenv("MINIASYNC_NT_THRESHOLD", "1234567", 1);
	setenv("MINIASYNC_NT_FILL_THRESHOLD", "7654321", 1);
	CHECK(strcmp(value_of("nt_copy_min"), "1234567") == 0);
	CHECK(strcmp(value_of("nt_copy_hint_min"), "1234567") == 0);
	CHECK(strcmp(value_of("nt_fill_min"), "7654321") == 0);
	CHECK(strcmp(value_of("nt_fill_hint_min"), "7654321") == 0);
	CHECK(strcmp(value_of("nt_zero_min"), "7654321") == 0);
	CHECK(strcmp(value_of("nt_zero_hint_min"), "7654321") == 0);
}

#if defined(__x86_64__)
static void
look_at_sse2(void *arg)
{
	(void)arg;
	setenv("MINIASYNC_CPU_FEATURES", "-avx2,-clflushopt,-clwb", 1);
	CHECK(strcmp(value_of("features"), "sse2,clflush") == 0);
	CHECK(strcmp(value_of("kernels"), "sse2") == 0);
	CHECK(strcmp(value_of("write_back"), "clflush") == 0);
}
#endif

/* They are read once, so each in a process that has not yet. */
static void
variables_show(void)
{
	CHECK_CHILD(look_without_kernels, NULL, 30);
	CHECK_CHILD(look_at_thresholds, NULL, 30);
#if defined(__x86_64__)
	CHECK_CHILD(look_at_sse2, NULL, 30);
#endif
}

T_MAIN(T_CASE(variables_show), T_CASE(lines_have_a_name_and_a_value),
	T_CASE(too_little_room))
