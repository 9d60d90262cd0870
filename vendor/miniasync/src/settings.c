/* SPDX-License-Identifier: BSD-3-Clause */
/* settings.c -- what the copy engine goes by, for people and programs to read */

#include "libminiasync/settings.h"

#include <stdio.h>
#include <string.h>

#include "cputopo.h"
#include "engine.h"
#include "engine_kernels.h"
#include "flush.h"

struct writer {
	char *text;
	size_t size;
	size_t length; /* of all that was put, whether there was room or not */
};

static void
put(struct writer *w, const char *s)
{
	const size_t length = strlen(s);

	if (w->length < w->size) {
		const size_t room = w->size - w->length - 1;
		const size_t n = length < room ? length : room;

		memcpy(w->text + w->length, s, n);
		w->text[w->length + n] = '\0';
	}
	w->length += length;
}

static void
put_line(struct writer *w, const char *name, const char *value)
{
	put(w, name);
	put(w, " ");
	put(w, value);
	put(w, "\n");
}

static void
put_size(struct writer *w, const char *name, size_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%zu", value);
	put_line(w, name, digits);
}

/* As in MINIASYNC_CPU_FEATURES, without the minuses. */
static void
put_features(struct writer *w, unsigned features)
{
	const char *const *names = ma__cpu_feature_names();
	const char *separator = " ";

	put(w, "features");
	for (unsigned i = 0; i < MA__CPU_COUNT; i++)
		if (features & 1U << i) {
			put(w, separator);
			put(w, names[i]);
			separator = ",";
		}
	put(w, features != 0 ? "\n" : " none\n");
}

size_t
miniasync_settings(char *text, size_t size)
{
	const struct ma__engine_config *config = ma__engine_config();
	struct writer w = {text, size, 0};

	put_features(&w, config->features);
	put_line(&w, "kernels",
		config->kernels != NULL ? config->kernels->name : "none");
	put_line(&w, "write_back", ma__flush_name());
	put_size(&w, "l1d", config->l1d);
	put_size(&w, "l2", config->l2);
	put_size(&w, "l3", config->l3);
	put_size(&w, "nt_copy_min", config->nt_copy_min);
	put_size(&w, "nt_copy_hint_min", config->nt_copy_hint_min);
	put_size(&w, "nt_fill_min", config->nt_fill_min);
	put_size(&w, "nt_fill_hint_min", config->nt_fill_hint_min);
	put_size(&w, "nt_zero_min", config->nt_zero_min);
	put_size(&w, "nt_zero_hint_min", config->nt_zero_hint_min);
	return w.length;
}
