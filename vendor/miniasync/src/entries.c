/* SPDX-License-Identifier: BSD-3-Clause */
/* entries.c -- what a monitor watches: a table by future, and memory */

#include "entries.h"

#include <stdlib.h>

#define FIRST_BUCKETS 16
#define FIRST_ENTRIES 16

/* Freed with the waiter, whose blocks of cells are freed one by one. */
struct block {
	struct ma__cell_block base;
	struct ma__entry entries[];
};

void
ma__entries_init(struct ma__entries *entries, struct ma__waiter *waiter)
{
	entries->waiter = waiter;
	ma__list_init(&entries->spare);
	entries->capacity = 0;
	entries->buckets = NULL;
	entries->nbuckets = 0;
	entries->count = 0;
}

void
ma__entries_fini(struct ma__entries *entries)
{
	free(entries->buckets);
	ma__waiter_unref(entries->waiter);
}

/* Where the chain begins that the future's entry is in. */
static struct ma__entry **
bucket_of(struct ma__entry **buckets, size_t nbuckets, const struct future *fut)
{
	/* The golden ratio: neighbours are spread, whatever their size. */
	const uint64_t hash =
		(uint64_t)(uintptr_t)fut * UINT64_C(0x9e3779b97f4a7c15);

	return &buckets[(size_t)(hash >> 32) & (nbuckets - 1)];
}

struct ma__entry *
ma__entries_find(const struct ma__entries *entries, const struct future *fut)
{
	struct ma__entry *entry = NULL;

	if (entries->nbuckets != 0)
		entry = *bucket_of(entries->buckets, entries->nbuckets, fut);
	while (entry != NULL && entry->fut != fut)
		entry = entry->chain;
	return entry;
}

static bool
grow_table(struct ma__entries *entries)
{
	const size_t n =
		entries->nbuckets != 0 ? entries->nbuckets * 2 : FIRST_BUCKETS;
	struct ma__entry **buckets = calloc(n, sizeof(struct ma__entry *));

	if (buckets == NULL)
		return false;
	for (size_t i = 0; i < entries->nbuckets; i++) {
		struct ma__entry *entry = entries->buckets[i];

		while (entry != NULL) {
			struct ma__entry *const next = entry->chain;
			struct ma__entry **const bucket =
				bucket_of(buckets, n, entry->fut);

			entry->chain = *bucket;
			*bucket = entry;
			entry = next;
		}
	}
	free(entries->buckets);
	entries->buckets = buckets;
	entries->nbuckets = n;
	return true;
}

static bool
grow_memory(struct ma__entries *entries)
{
	const size_t n =
		entries->capacity != 0 ? entries->capacity : FIRST_ENTRIES;
	struct block *block =
		malloc(sizeof(*block) + n * sizeof(block->entries[0]));

	if (block == NULL)
		return false;
	block->base.count = 0;
	block->base.cells = NULL;
	block->base.next = entries->waiter->blocks.next;
	entries->waiter->blocks.next = &block->base;
	for (size_t i = 0; i < n; i++) {
		struct ma__entry *entry = &block->entries[i];

		ma__cell_init(&entry->cell, entries->waiter);
		entry->state = MA__ENTRY_SPARE;
		ma__list_append(&entries->spare, entry);
	}
	entries->capacity += n;
	return true;
}

struct ma__entry *
ma__entries_add(struct ma__entries *entries, struct future *fut, void *data)
{
	struct ma__entry **bucket;
	struct ma__entry *entry;

	if ((entries->count == entries->nbuckets && !grow_table(entries)) ||
		(ma__list_empty(&entries->spare) && !grow_memory(entries)))
		return NULL;
	entry = ma__list_first(&entries->spare);
	ma__list_remove(entry);
	/* A read-modify-write, for the order: see waiters.c. */
	atomic_exchange_explicit(&entry->cell.flags, MA__CELL_ARMED,
		memory_order_acq_rel);
	entry->fut = fut;
	entry->data = data;
	entry->state = MA__ENTRY_POLLING;
	entry->in_rounds = false;
	bucket = bucket_of(entries->buckets, entries->nbuckets, fut);
	entry->chain = *bucket;
	*bucket = entry;
	entries->count++;
	return entry;
}

void
ma__entries_drop(struct ma__entries *entries, struct ma__entry *entry)
{
	struct ma__entry **link =
		bucket_of(entries->buckets, entries->nbuckets, entry->fut);
	unsigned armed = MA__CELL_ARMED;

	while (*link != entry)
		link = &(*link)->chain;
	*link = entry->chain;
	entries->count--;

	if (entry->state == MA__ENTRY_WOKEN)
		/* READY, and on no stack. */
		atomic_exchange_explicit(&entry->cell.flags, MA__CELL_SPARE,
			memory_order_acq_rel);
	else
		atomic_compare_exchange_strong_explicit(&entry->cell.flags,
			&armed, MA__CELL_SPARE, memory_order_acq_rel,
			memory_order_relaxed);
	entry->state = MA__ENTRY_SPARE;
	/* Relaxed: nobody else makes it SPARE, or READY no more. */
	if (atomic_load_explicit(&entry->cell.flags, memory_order_relaxed) !=
		MA__CELL_READY)
		ma__list_insert(&entries->spare, entry);
}

void
ma__entries_popped(struct ma__entries *entries, struct ma__entry *entry)
{
	atomic_exchange_explicit(&entry->cell.flags, MA__CELL_SPARE,
		memory_order_acq_rel);
	if (entry->state == MA__ENTRY_SPARE)
		ma__list_insert(&entries->spare, entry);
}
