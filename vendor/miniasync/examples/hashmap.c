/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hashmap.c -- a hash table whose lookups and inserts are futures
 *
 * The table has a fixed number of slots and open addressing: a key lies in the
 * slot that its hash names or in one of those behind it. Nothing is changed or
 * removed once it is there. A slot goes from EMPTY to BUSY, when an insert
 * claims it, and to FULL, when its value is complete; should the copy fail, it
 * goes back to EMPTY.
 *
 * Both operations are a chain of two futures: a probe, which finds the key's
 * slot or claims one, and a copy of the value, out of the slot or into it. Any
 * number of chains can be under way, in any number of threads: the copies run
 * on the mover's workers, and a probe that comes to a BUSY slot, which may yet
 * hold its key, is polled again until it is not.
 */

#include <libminiasync.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS 512
#define VALUE_SIZE 8192

enum slot_state { EMPTY, BUSY, FULL };

struct slot {
	atomic_int state;
	uint64_t key; /* while FULL, nobody writes to it or to the value */
	unsigned char value[VALUE_SIZE];
};

struct table {
	struct vdm *vdm;
	struct slot slots[SLOTS];
};

enum answer { FOUND, MISSING, INSERTED, NO_ROOM, NO_MEMORY, ANSWERS };

/* The first step. */

struct probe_data {
	struct table *table;
	uint64_t key;
	size_t distance; /* from the slot that the hash names */
	bool claims; /* a slot for the key, if there is none */
};

struct probe_output {
	enum answer answer;
	struct slot *slot; /* if FOUND or INSERTED */
};

FUTURE(probe_future, struct probe_data, struct probe_output);

static enum future_state
end_probe(struct future_context *context, enum answer answer, struct slot *slot)
{
	struct probe_output *output = future_context_get_output(context);

	output->answer = answer;
	output->slot = slot;
	return FUTURE_STATE_COMPLETE;
}

static enum future_state
probe_task(struct future_context *context, struct future_notifier *notifier)
{
	struct probe_data *data = future_context_get_data(context);
	const uint64_t hash = data->key * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	/* Nobody tells when a BUSY slot changes: poll again. */
	if (notifier != NULL)
		notifier->notifier_used = FUTURE_NOTIFIER_NONE;

	for (; data->distance < SLOTS; data->distance++) {
		struct slot *slot =
			&data->table->slots[(hash + data->distance) % SLOTS];
		/* Acquire: pairs with the release in end_access(). */
		int state = atomic_load_explicit(&slot->state,
			memory_order_acquire);

		if (state == EMPTY && !data->claims)
			return end_probe(context, MISSING, NULL);
		if (state == EMPTY &&
			atomic_compare_exchange_strong_explicit(&slot->state,
				&state, BUSY, memory_order_acquire,
				memory_order_acquire)) {
			slot->key = data->key;
			return end_probe(context, INSERTED, slot);
		}
		if (state != FULL)
			return FUTURE_STATE_RUNNING;
		if (slot->key == data->key)
			return end_probe(context, FOUND, slot);
	}
	return end_probe(context, data->claims ? NO_ROOM : MISSING, NULL);
}

/* Both steps. */

struct access_data {
	FUTURE_CHAIN_ENTRY(struct probe_future, probe);
	FUTURE_CHAIN_ENTRY_LAST(struct vdm_operation_future, copy);
};

struct access_output {
	enum answer answer;
};

FUTURE(access_future, struct access_data, struct access_output);

/* Makes the copy, when the chain comes to it: now it is known from where. */
static void
init_copy(void *future, struct future_context *chain, void *value)
{
	struct access_data *data = future_context_get_data(chain);
	const struct probe_data *probe = FUTURE_DATA(&data->probe.fut);
	const struct probe_output *found = FUTURE_OUTPUT(&data->probe.fut);
	struct vdm *vdm = probe->table->vdm;
	struct vdm_operation_future *copy = future;

	if (probe->claims && found->answer == INSERTED) {
		*copy = vdm_memcpy(vdm, found->slot->value, value, VALUE_SIZE,
			0);
	} else if (!probe->claims && found->answer == FOUND) {
		*copy = vdm_memcpy(vdm, value, found->slot->value, VALUE_SIZE,
			0);
	} else {
		/* Nothing to copy: a future that is complete already. */
		FUTURE_INIT_COMPLETE(copy);
		FUTURE_OUTPUT(copy)->result = VDM_SUCCESS;
	}
}

/* From the copy to the chain: the answer. Lets others see a new slot. */
static void
end_access(struct future_context *copy, struct future_context *chain, void *arg)
{
	const struct vdm_operation_output *copied =
		future_context_get_output(copy);
	struct access_data *data = future_context_get_data(chain);
	struct access_output *output = future_context_get_output(chain);
	const struct probe_output *found = FUTURE_OUTPUT(&data->probe.fut);
	const bool ok = copied->result == VDM_SUCCESS;

	(void)arg;
	output->answer = ok ? found->answer : NO_MEMORY;
	/* Release: who sees the slot FULL sees key and value. */
	if (found->answer == INSERTED)
		atomic_store_explicit(&found->slot->state, ok ? FULL : EMPTY,
			memory_order_release);
}

static struct access_future
access_table(struct table *table, uint64_t key, void *value, bool claims)
{
	struct probe_future probe = {
		.data = {.table = table, .key = key, .claims = claims},
	};
	struct access_future future;
	struct access_data *data = FUTURE_DATA(&future);

	FUTURE_INIT(&probe, probe_task);
	FUTURE_CHAIN_ENTRY_INIT(&data->probe, probe, NULL, NULL);
	FUTURE_CHAIN_ENTRY_LAZY_INIT(&data->copy, init_copy, value, end_access,
		NULL);
	FUTURE_CHAIN_INIT(&future);
	return future;
}

/* Copies a key's value to `value`. FOUND, MISSING, or NO_MEMORY. */
static struct access_future
lookup(struct table *table, uint64_t key, void *value)
{
	return access_table(table, key, value, false);
}

/*
 * Adds a key with a copy of `value`. INSERTED, NO_ROOM, NO_MEMORY, or FOUND:
 * the key was there, and its value stays as it is.
 */
static struct access_future
insert(struct table *table, uint64_t key, void *value)
{
	return access_table(table, key, value, true);
}

/*
 * The program: batches of lookups or inserts of every second key from `first`
 * on, all of a batch under way at a time.
 */

#define BATCH (SLOTS / 2)

struct batch {
	struct runtime *runtime;
	struct table *table;
	uint64_t first;
	bool inserts;
	struct access_future ops[BATCH];
	struct future *futs[BATCH];
	unsigned char values[BATCH][VALUE_SIZE];
	/* what came out */
	int answers[ANSWERS];
	int wrong; /* values */
};

static unsigned char
value_byte(uint64_t key, size_t at)
{
	return (unsigned char)(key * 31 + key / 256 + at * 7 + 1);
}

/* A thread's function: `arg` is the batch. */
static void *
run_batch(void *arg)
{
	struct batch *batch = arg;

	for (size_t i = 0; i < BATCH; i++) {
		const uint64_t key = batch->first + 2 * i;
		unsigned char *value = batch->values[i];

		for (size_t at = 0; at < VALUE_SIZE && batch->inserts; at++)
			value[at] = value_byte(key, at);
		batch->ops[i] = batch->inserts
			? insert(batch->table, key, value)
			: lookup(batch->table, key, value);
		batch->futs[i] = FUTURE_AS_RUNNABLE(&batch->ops[i]);
	}

	runtime_wait_multiple(batch->runtime, batch->futs, BATCH);

	for (size_t i = 0; i < BATCH; i++) {
		const uint64_t key = batch->first + 2 * i;
		const struct access_output *output =
			FUTURE_OUTPUT(&batch->ops[i]);
		bool right = true;

		for (size_t at = 0; at < VALUE_SIZE; at++)
			right &= batch->values[i][at] == value_byte(key, at);
		batch->wrong += output->answer == FOUND && !right;
		batch->answers[output->answer]++;
	}
	return NULL;
}

static struct batch *
new_batch(struct runtime *runtime, struct table *table, uint64_t first,
	bool inserts)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	if (batch == NULL) {
		perror("hashmap");
		exit(1);
	}
	batch->runtime = runtime;
	batch->table = table;
	batch->first = first;
	batch->inserts = inserts;
	return batch;
}

/* Says what came out and frees the batch; 1 if it is not what was expected. */
static int
end_batch(const char *what, struct batch *batch, enum answer expected)
{
	const int rc = batch->answers[expected] != BATCH || batch->wrong != 0;

	printf("%s: %d found, %d missing, %d inserted, %d without room\n", what,
		batch->answers[FOUND], batch->answers[MISSING],
		batch->answers[INSERTED], batch->answers[NO_ROOM]);
	if (rc != 0)
		fprintf(stderr, "%s: expected otherwise; %d values wrong\n",
			what, batch->wrong);
	free(batch);
	return rc;
}

/* Lookups of what is there while another thread inserts the odd keys. */
static int
look_up_while_inserting(struct runtime *runtime, struct table *table)
{
	struct batch *lookups = new_batch(runtime, table, 0, false);
	struct batch *inserts = new_batch(runtime, table, 1, true);
	pthread_t thread;
	int rc;

	if (pthread_create(&thread, NULL, run_batch, inserts) != 0) {
		fprintf(stderr, "hashmap: no thread\n");
		exit(1);
	}
	run_batch(lookups);
	pthread_join(thread, NULL);
	rc = end_batch("lookups meanwhile", lookups, FOUND);
	return rc | end_batch("inserts meanwhile", inserts, INSERTED);
}

static int
run_and_end(struct batch *batch, const char *what, enum answer expected)
{
	run_batch(batch);
	return end_batch(what, batch, expected);
}

static int
run(struct runtime *runtime, struct table *table)
{
	int rc = 0;

	rc |= run_and_end(new_batch(runtime, table, 0, true), "inserts",
		INSERTED);
	rc |= look_up_while_inserting(runtime, table);
	rc |= run_and_end(new_batch(runtime, table, 1, false), "lookups",
		FOUND);
	rc |= run_and_end(new_batch(runtime, table, SLOTS, false),
		"lookups of others", MISSING);
	rc |= run_and_end(new_batch(runtime, table, SLOTS, true),
		"inserts of others", NO_ROOM);
	return rc;
}

int
main(void)
{
	static struct table table;
	struct runtime *runtime = runtime_new();
	struct data_mover_threads *mover = data_mover_threads_default();
	int rc = 1;

	if (runtime == NULL || mover == NULL) {
		perror("hashmap");
	} else {
		table.vdm = data_mover_threads_get_vdm(mover);
		rc = run(runtime, &table);
	}

	data_mover_threads_delete(mover);
	runtime_delete(runtime);
	return rc;
}
