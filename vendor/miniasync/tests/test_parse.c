/* SPDX-License-Identifier: BSD-3-Clause */
/* test_parse.c -- numbers out of what the system and the user write */

#include "t.h"

#include "parse.h"

#define OTHERWISE ((size_t)4711)

static void
sizes(void)
{
	static const struct {
		const char *text;
		size_t size;
	} cases[] = {
		{"0", 0},
		{"7", 7},
		{"007", 7},
		{"1048576", 1048576},
		{NULL, OTHERWISE},
		{"", OTHERWISE},
		{" 1", OTHERWISE},
		{"1 ", OTHERWISE},
		{"+1", OTHERWISE},
		{"-1", OTHERWISE},
		{"1k", OTHERWISE},
		{"0x10", OTHERWISE},
		{"1.5", OTHERWISE},
		{"/", OTHERWISE}, /* the characters beside the digits */
		{":", OTHERWISE},
		{"99999999999999999999999999", OTHERWISE},
	};

	for (size_t i = 0; i < T_COUNT(cases); i++)
		CHECK_INT(ma__parse_size(cases[i].text, OTHERWISE),
			cases[i].size);
}

/* The largest number is one, the next is none. */
static void
largest_size(void)
{
	char text[64];
	size_t last;

	snprintf(text, sizeof(text), "%zu", SIZE_MAX);
	CHECK(ma__parse_size(text, OTHERWISE) == SIZE_MAX);
	last = strlen(text) - 1;
	CHECK_INT(text[last], '5');
	text[last] = '6';
	CHECK_INT(ma__parse_size(text, OTHERWISE), OTHERWISE);
	text[last] = '5';
	text[last + 1] = '0';
	text[last + 2] = '\0';
	CHECK_INT(ma__parse_size(text, OTHERWISE), OTHERWISE);
}

static void
cpu_max(void)
{
	static const struct {
		const char *line;
		size_t cpus;
	} cases[] = {
		{"100000 100000", 1},
		{"50000 100000", 1},
		{"1 100000", 1},
		{"100001 100000", 2},
		{"150000 100000", 2},
		{"200000 100000", 2},
		{"200001 100000", 3},
		{"1600000 50000", 32},
		{"max 100000", 0},
		{"", 0},
		{"100000", 0},
		{"100000 ", 0},
		{"100000 max", 0},
		{"100000 100000 ", 0},
		{"100000  100000", 0},
		{"100000\t100000", 0},
		{"0 100000", 0},
		{"100000 0", 0},
		{"99999999999999999999999999 1", 0},
		{"1 99999999999999999999999999", 0},
	};

	for (size_t i = 0; i < T_COUNT(cases); i++)
		CHECK_INT(ma__parse_cpu_max(cases[i].line), cases[i].cpus);
}

T_MAIN(T_CASE(sizes), T_CASE(largest_size), T_CASE(cpu_max))
