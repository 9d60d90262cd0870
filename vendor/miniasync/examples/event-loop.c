/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * event-loop.c -- copies in a program that waits with poll(2)
 *
 * The loop sleeps until there is a request in a pipe, or the monitor wants to be
 * run. A request is a byte, the number of a block to be copied. Workers copy;
 * the loop does not wait for them.
 */

#include <errno.h>
#include <libminiasync.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS 16
#define SIZE ((size_t)256 << 10)

struct server {
	struct future_monitor *monitor;
	struct vdm *vdm;
	int requests; /* the end of the pipe to read from */
	unsigned char *src; /* BLOCKS * SIZE bytes */
	unsigned char *dst;
	struct vdm_operation_future copies[BLOCKS];
	int ncopied;
};

/* A copy is complete: its future and buffers are the program's again. */
static int
finish(struct server *server, struct vdm_operation_future *copy)
{
	const size_t i = (size_t)(copy - server->copies);

	if (FUTURE_OUTPUT(copy)->result != VDM_SUCCESS ||
		memcmp(server->dst + i * SIZE, server->src + i * SIZE, SIZE) !=
			0) {
		fprintf(stderr, "copy %zu failed\n", i);
		return -1;
	}
	server->ncopied++;
	return 0;
}

/* Reads a request and starts it. */
static int
serve(struct server *server)
{
	struct vdm_operation_future *copy;
	unsigned char i;

	if (read(server->requests, &i, 1) != 1 || i >= BLOCKS) {
		fprintf(stderr, "a bad request\n");
		return -1;
	}
	copy = &server->copies[i];
	*copy = vdm_memcpy(server->vdm, server->dst + i * SIZE,
		server->src + i * SIZE, SIZE, 0);
	switch (future_monitor_add(server->monitor, FUTURE_AS_RUNNABLE(copy),
		copy)) {
	case 0:
		return 0; /* future_monitor_run() will return it */
	case EALREADY:
		return finish(server, copy);
	default:
		fprintf(stderr, "no memory to watch copy %d\n", i);
		return -1;
	}
}

/* Until when poll(2) may sleep, in its milliseconds. */
static int
timeout(uint64_t deadline)
{
	struct timespec ts;
	uint64_t now;

	if (deadline == FUTURE_WAITER_FOREVER)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	/* A monitor's deadlines are never far away. */
	return deadline <= now ? 0 : (int)((deadline - now + 999999) / 1000000);
}

static int
loop(struct server *server)
{
	struct pollfd fds[] = {
		{.fd = server->requests, .events = POLLIN},
		{.fd = future_monitor_fd(server->monitor), .events = POLLIN},
	};

	while (server->ncopied < BLOCKS) {
		const int ms =
			timeout(future_monitor_deadline(server->monitor));
		void *done[4];
		size_t n;

		if (poll(fds, 2, ms) < 0) {
			if (errno == EINTR)
				continue;
			perror("poll");
			return -1;
		}
		if ((fds[0].revents & POLLIN) != 0 && serve(server) != 0)
			return -1;
		/* Readable or not: it may be due. It costs next to nothing. */
		n = future_monitor_run(server->monitor, done, 4);
		for (size_t i = 0; i < n; i++) {
			if (finish(server, done[i]) != 0)
				return -1;
		}
	}
	printf("copied %d times %zu bytes\n", server->ncopied, SIZE);
	return 0;
}

int
main(void)
{
	struct data_mover_threads *mover = data_mover_threads_default();
	struct server server = {
		.monitor = future_monitor_new(),
		.src = malloc(BLOCKS * SIZE),
		.dst = calloc(BLOCKS, SIZE),
	};
	int requests[2] = {-1, -1};
	int rc = 1;

	if (mover == NULL || server.monitor == NULL || server.src == NULL ||
		server.dst == NULL || pipe(requests) != 0) {
		perror("event-loop");
	} else {
		for (size_t i = 0; i < BLOCKS * SIZE; i++)
			server.src[i] = (unsigned char)(i * 31 + i / SIZE);
		/* In a real program they come from somewhere else. */
		for (unsigned char i = 0; i < BLOCKS; i++) {
			if (write(requests[1], &i, 1) != 1)
				perror("write");
		}
		server.requests = requests[0];
		server.vdm = data_mover_threads_get_vdm(mover);
		rc = loop(&server) == 0 ? 0 : 1;
		close(requests[0]);
		close(requests[1]);
	}

	/* It waits for what was started, so it comes before the buffers go. */
	data_mover_threads_delete(mover);
	future_monitor_delete(server.monitor);
	free(server.src);
	free(server.dst);
	return rc;
}
