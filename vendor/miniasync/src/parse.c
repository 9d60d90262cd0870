/* SPDX-License-Identifier: BSD-3-Clause */
/* parse.c -- numbers out of what the system and the user write */

#include "parse.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads digits from *text on, and moves it behind them. */
static bool
number(const char **text, size_t *value)
{
	const char *at = *text;

	*value = 0;
	for (; *at >= '0' && *at <= '9'; at++) {
		const size_t digit = (size_t)(*at - '0');

		if (*value > (SIZE_MAX - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	if (at == *text)
		return false;
	*text = at;
	return true;
}

size_t
ma__parse_size(const char *text, size_t otherwise)
{
	size_t value;

	if (text == NULL || !number(&text, &value) || *text != '\0')
		return otherwise;
	return value;
}

size_t
ma__parse_cpu_max(const char *line)
{
	size_t quota;
	size_t period;

	if (!number(&line, &quota) || *line++ != ' ' ||
		!number(&line, &period) || *line != '\0' || quota == 0 ||
		period == 0)
		return 0;
	return (quota - 1) / period + 1;
}
