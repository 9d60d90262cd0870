/* SPDX-License-Identifier: BSD-3-Clause */
/* watch.c -- when was a word of memory written to, by whichever thread? */

#define _GNU_SOURCE

#include "watch.h"

#include <dirent.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 256

struct event {
	int fd;
	struct perf_event_mmap_page *page; /* and one of records behind it */
};

struct watch {
	size_t page_size;
	size_t count;
	struct event events[EVENTS_MAX];
};

static bool
add_event(struct watch *watch, pid_t thread, const char *word)
{
	struct event *event = &watch->events[watch->count];
	struct perf_event_attr attr;
	void *page;

	if (watch->count == EVENTS_MAX)
		return false;
	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = PERF_TYPE_BREAKPOINT;
	attr.bp_type = HW_BREAKPOINT_W;
	attr.bp_addr = (uintptr_t)word;
	attr.bp_len = HW_BREAKPOINT_LEN_8;
	attr.sample_period = 1;
	attr.sample_type = PERF_SAMPLE_TIME;
	attr.use_clockid = 1;
	attr.clockid = CLOCK_MONOTONIC;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	event->fd = (int)syscall(SYS_perf_event_open, &attr, thread, -1, -1,
		PERF_FLAG_FD_CLOEXEC);
	if (event->fd < 0)
		return false;
	page = mmap(NULL, 2 * watch->page_size, PROT_READ | PROT_WRITE,
		MAP_SHARED, event->fd, 0);
	if (page == MAP_FAILED) {
		close(event->fd);
		return false;
	}
	event->page = page;
	watch->count++;
	return true;
}

struct watch *
watch_new(char *const words[], size_t count)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	DIR *threads = opendir("/proc/self/task");
	struct dirent *entry;
	bool works = watch != NULL && threads != NULL;

	if (works)
		watch->page_size = (size_t)sysconf(_SC_PAGESIZE);
	while (works && (entry = readdir(threads)) != NULL) {
		const pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);

		for (size_t i = 0; works && thread != 0 && i < count; i++)
			works = add_event(watch, thread, words[i]);
	}
	if (threads != NULL)
		closedir(threads);
	if (works && watch->count > 0)
		return watch;
	watch_delete(watch);
	return NULL;
}

void
watch_delete(struct watch *watch)
{
	for (size_t i = 0; watch != NULL && i < watch->count; i++) {
		munmap(watch->events[i].page, 2 * watch->page_size);
		close(watch->events[i].fd);
	}
	free(watch);
}

/* Takes the records of one event; the time of the latest write, or 0. */
static uint64_t
read_event(const struct watch *watch, const struct event *event)
{
	/* Records are made of eight-byte words, and their place wraps round. */
	const uint64_t *words = (const uint64_t *)(void *)((char *)event->page +
		watch->page_size);
	const size_t nwords = watch->page_size / sizeof(*words);
	const uint64_t head =
		__atomic_load_n(&event->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = event->page->data_tail;
	uint64_t time = 0;

	while (tail < head) {
		struct perf_event_header header;

		memcpy(&header, &words[tail / sizeof(*words) % nwords],
			sizeof(header));
		if (header.size == 0)
			break;
		if (header.type == PERF_RECORD_SAMPLE)
			time = words[(tail + sizeof(header)) / sizeof(*words) %
				nwords];
		tail += header.size;
	}
	__atomic_store_n(&event->page->data_tail, head, __ATOMIC_RELEASE);
	return time;
}

uint64_t
watch_last(struct watch *watch)
{
	uint64_t last = 0;

	for (size_t i = 0; i < watch->count; i++) {
		const uint64_t time = read_event(watch, &watch->events[i]);

		if (time > last)
			last = time;
	}
	return last;
}
