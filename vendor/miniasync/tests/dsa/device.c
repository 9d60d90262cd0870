/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.c -- the emulated device's work queue, and its engine
 *
 * A descriptor takes a place in the queue until its completion record is about
 * to be written. All that a test can ask for is up to date when the record is:
 * the lock is held until then.
 */

#define _GNU_SOURCE

#include "device.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define MAX_RULES 16

struct place {
	struct dsa_descriptor descriptor;
	size_t number;
	bool used;
	bool begun;
};

struct rule {
	size_t first;
	size_t n;
	struct dsa_outcome outcome;
};

/* How the device behaves, and what it has done: what dsa_reset() resets. */
struct behaviour {
	size_t queue_size;
	uint32_t max_transfer;
	unsigned capabilities;
	size_t refuse;
	struct rule rules[MAX_RULES];
	size_t nrules;
	bool held;
	size_t accepted;
	size_t refused;
	size_t executed;
};

static const struct behaviour initial = {
	.queue_size = DSA_QUEUE_SIZE,
	.max_transfer = DSA_MAX_TRANSFER,
	.capabilities = DSA_CAPABILITIES,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct behaviour now = {
	.queue_size = DSA_QUEUE_SIZE,
	.max_transfer = DSA_MAX_TRANSFER,
	.capabilities = DSA_CAPABILITIES,
};
static struct place queue[DSA_QUEUE_SIZE];
static struct dsa_descriptor seen[DSA_LOGGED];
static enum dsa_setup setup;
static _Atomic pid_t owner; /* libdml's order is unknown to ThreadSanitizer */

/* By write(2), since it may be in a signal handler. */
void
dsa_die(const char *why)
{
	static const char name[] = "emulated DSA device: ";
	ssize_t ignored;

	ignored = write(STDERR_FILENO, name, sizeof(name) - 1);
	ignored += write(STDERR_FILENO, why, strlen(why));
	ignored += write(STDERR_FILENO, "\n", 1);
	(void)ignored;
	_exit(1);
}

static void
enter(void)
{
	if (pthread_mutex_lock(&lock) != 0)
		dsa_die("the lock cannot be taken");
}

static void
leave(void)
{
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* How the descriptor ends. Under the lock. */
static struct dsa_outcome
decide(const struct place *place)
{
	struct dsa_outcome outcome = {
		.done = place->descriptor.size,
	};

	outcome.status = (uint8_t)dsa_validate(&place->descriptor,
		now.capabilities, now.max_transfer);
	if (outcome.status != DSA_SUCCESS) {
		outcome.done = 0;
		return outcome;
	}
	for (size_t i = 0; i < now.nrules; i++) {
		const struct rule *rule = &now.rules[i];

		/* A number below the first is far away from it. */
		if (place->number - rule->first >= rule->n)
			continue;
		outcome.status = rule->outcome.status;
		if (outcome.done > rule->outcome.done)
			outcome.done = rule->outcome.done;
		break;
	}
	return outcome;
}

/* Works off a descriptor that nobody else has begun. Under the lock. */
static void
process(struct place *place)
{
	struct dsa_outcome outcome = decide(place);
	struct dsa_descriptor descriptor = place->descriptor;

	place->begun = true;
	pthread_mutex_unlock(&lock);
	dsa_execute(&descriptor, &outcome);
	enter();
	place->used = false;
	now.executed++;
	dsa_complete(&descriptor, outcome);
	pthread_cond_broadcast(&changed);
}

/* The one that was accepted first, or NULL. Under the lock. */
static struct place *
oldest(void)
{
	struct place *found = NULL;

	for (size_t i = 0; i < DSA_QUEUE_SIZE; i++)
		if (queue[i].used && !queue[i].begun &&
			(found == NULL || queue[i].number < found->number))
			found = &queue[i];
	return found;
}

static void *
engine(void *unused)
{
	struct place *place;

	(void)unused;
	enter();
	for (;;) {
		place = now.held ? NULL : oldest();
		if (place != NULL)
			process(place);
		else
			pthread_cond_wait(&changed, &lock);
	}
	return NULL;
}

void
dsa_found(void)
{
	pthread_t thread;
	sigset_t all;
	sigset_t before;

	if (owner == getpid())
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (pthread_create(&thread, NULL, engine, NULL) != 0)
		dsa_die("no thread for the engine");
	pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	owner = getpid();
}

int
dsa_owner(void)
{
	return owner;
}

bool
dsa_enqueue(const struct dsa_descriptor *descriptor)
{
	struct place *place = NULL;
	size_t taken = 0;

	enter();
	for (size_t i = 0; i < DSA_QUEUE_SIZE; i++) {
		if (queue[i].used)
			taken++;
		else
			place = &queue[i];
	}
	if (now.refuse > 0 || taken >= now.queue_size) {
		if (now.refuse > 0 && now.refuse != DSA_ALWAYS)
			now.refuse--;
		now.refused++;
		leave();
		return false;
	}
	place->descriptor = *descriptor;
	place->number = now.accepted++;
	place->used = true;
	place->begun = false;
	if (place->number < DSA_LOGGED)
		seen[place->number] = *descriptor;
	leave();
	return true;
}

DSA_EXPORT void
dsa_set_setup(enum dsa_setup value)
{
	if (owner == getpid())
		dsa_die("too late to set up: the device has been found");
	setup = value;
}

enum dsa_setup
dsa_setup(void)
{
	return setup;
}

unsigned
dsa_capabilities(void)
{
	unsigned capabilities;

	enter();
	capabilities = now.capabilities;
	leave();
	return capabilities;
}

DSA_EXPORT void
dsa_reset(void)
{
	enter();
	now.held = false;
	pthread_cond_broadcast(&changed);
	while (now.executed < now.accepted)
		pthread_cond_wait(&changed, &lock);
	now = initial;
	leave();
}

DSA_EXPORT void
dsa_set_queue_size(size_t n)
{
	if (n > DSA_QUEUE_SIZE)
		dsa_die("the queue cannot be that large");
	enter();
	now.queue_size = n;
	leave();
}

DSA_EXPORT void
dsa_set_max_transfer(uint32_t size)
{
	enter();
	now.max_transfer = size;
	leave();
}

DSA_EXPORT void
dsa_set_capabilities(unsigned capabilities)
{
	enter();
	now.capabilities = capabilities;
	leave();
}

DSA_EXPORT void
dsa_refuse(size_t n)
{
	enter();
	now.refuse = n;
	leave();
}

DSA_EXPORT void
dsa_answer(size_t first, size_t n, unsigned status, uint32_t done)
{
	enter();
	if (now.nrules == MAX_RULES)
		dsa_die("too many rules for answers");
	now.rules[now.nrules++] = (struct rule){
		.first = first,
		.n = n,
		.outcome = {.status = (uint8_t)status, .done = done},
	};
	leave();
}

DSA_EXPORT void
dsa_hold(void)
{
	enter();
	now.held = true;
	leave();
}

DSA_EXPORT void
dsa_release(void)
{
	enter();
	now.held = false;
	leave();
}

DSA_EXPORT void
dsa_finish(size_t number)
{
	struct place *place = NULL;

	enter();
	if (!now.held)
		dsa_die("only a held device can be told what to finish");
	for (size_t i = 0; i < DSA_QUEUE_SIZE; i++)
		if (queue[i].used && queue[i].number == number &&
			!queue[i].begun)
			place = &queue[i];
	if (place == NULL)
		dsa_die("what is to be finished is not in the queue");
	process(place);
	leave();
}

static void
await(const size_t *count, size_t n)
{
	enter();
	while (*count < n)
		pthread_cond_wait(&changed, &lock);
	leave();
}

DSA_EXPORT void
dsa_await_accepted(size_t n)
{
	await(&now.accepted, n);
}

DSA_EXPORT void
dsa_await_refused(size_t n)
{
	await(&now.refused, n);
}

static size_t
get(const size_t *count)
{
	size_t n;

	enter();
	n = *count;
	leave();
	return n;
}

DSA_EXPORT size_t
dsa_accepted(void)
{
	return get(&now.accepted);
}

DSA_EXPORT size_t
dsa_refused(void)
{
	return get(&now.refused);
}

DSA_EXPORT size_t
dsa_executed(void)
{
	return get(&now.executed);
}

DSA_EXPORT struct dsa_descriptor
dsa_seen(size_t number)
{
	struct dsa_descriptor descriptor;

	enter();
	if (number >= now.accepted || number >= DSA_LOGGED)
		dsa_die("no such descriptor has been seen");
	descriptor = seen[number];
	leave();
	return descriptor;
}
