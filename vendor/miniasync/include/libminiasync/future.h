/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * future.h -- futures, notifiers and chains
 *
 * A future is a task together with the memory it works on: data in, output out.
 * It starts when it is polled for the first time and is polled until it is
 * COMPLETE. A poll is given a notifier, in which the task may announce how the
 * caller learns that polling again is worthwhile:
 *
 *   NONE    nobody will tell; poll again
 *   WAKER   the task copied the waker and calls it when polling is worthwhile;
 *           the waker has to stay callable until the future is seen COMPLETE or
 *           is given another one; a call of it that was decided upon before that
 *           may still come, once, so its memory is best kept until COMPLETE. The
 *           waker may be called before the poll has returned. It may wait for a
 *           lock that is held around polls, but not for a poll
 *   POLLER  the 64-bit word at ptr_to_monitor changes when polling is
 *           worthwhile
 *
 * A future may be moved in memory between polls and polled from different
 * threads, but only by one at a time.
 *
 * Everything here is defined in the header, so it becomes part of the program
 * that includes it: layouts and behaviour are the binary interface and cannot
 * change under a compiled program.
 */

#ifndef LIBMINIASYNC_FUTURE_H
#define LIBMINIASYNC_FUTURE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

enum future_state {
	FUTURE_STATE_IDLE = 0,
	FUTURE_STATE_COMPLETE = 1,
	FUTURE_STATE_RUNNING = 2,
};

struct future_context {
	size_t data_size; /* bytes from the data to the output */
	size_t output_size;
	enum future_state state;
	uint32_t padding;
};

typedef void (*future_waker_wake_fn)(void *data);

struct future_waker {
	void *data;
	future_waker_wake_fn wake;
};

struct future_poller {
	uint64_t *ptr_to_monitor;
};

enum future_notifier_type {
	FUTURE_NOTIFIER_NONE = 0,
	FUTURE_NOTIFIER_WAKER = 1,
	FUTURE_NOTIFIER_POLLER = 2,
};

struct future_notifier {
	struct future_waker waker; /* filled in by who polls */
	struct future_poller poller; /* filled in by the task */
	enum future_notifier_type notifier_used; /* likewise */
	uint32_t padding;
};

enum future_property {
	/* the task works in the background, beside the polling thread */
	FUTURE_PROPERTY_ASYNC = 0,
	/*
	 * Asked of a mover, not of a future: may op_start be called again on a
	 * running operation, to replace its notifier (or, with NULL, to disarm
	 * it)? Only the answer FUTURE_PROPERTY_RENOTIFY_YES says so; movers that
	 * do not know the question answer 0 or, if careless, 1.
	 */
	FUTURE_PROPERTY_RENOTIFY = 0x4d41,
};

#define FUTURE_PROPERTY_RENOTIFY_YES 0x79657321

typedef enum future_state (*future_task_fn)(struct future_context *context,
	struct future_notifier *notifier);
typedef int (*future_has_property_fn)(void *future,
	enum future_property property);

struct future {
	future_task_fn task;
	future_has_property_fn has_property; /* may be NULL: none */
	struct future_context context;
};

/* The task's input; it follows the context directly. */
static inline void *
future_context_get_data(struct future_context *context)
{
	return (char *)context + sizeof(struct future_context);
}

/* The task's result. */
static inline void *
future_context_get_output(struct future_context *context)
{
	return (char *)future_context_get_data(context) + context->data_size;
}

/* Bytes of data and output together. */
static inline size_t
future_context_get_size(struct future_context *context)
{
	return context->data_size + context->output_size;
}

/*
 * Polls the future once, which starts it if it has not been started, and
 * returns its state. The notifier may be NULL. A COMPLETE future is not polled
 * again. Whether it blocks is the task's affair; those of this library do not
 * wait for anything.
 */
static inline enum future_state
future_poll(struct future *fut, struct future_notifier *notifier)
{
	if (fut->context.state != FUTURE_STATE_COMPLETE)
		fut->context.state = fut->task(&fut->context, notifier);
	return fut->context.state;
}

/* Asks the future for a property; one without a property function has none. */
static inline int
future_has_property(struct future *fut, enum future_property property)
{
	return fut->has_property != NULL ? fut->has_property(fut, property) : 0;
}

/* The property function of plain futures: none. */
static inline int
future_has_property_default(void *future, enum future_property property)
{
	(void)future;
	(void)property;
	return 0;
}

/* Tells the processor that this thread is spinning. */
static inline void
future_cpu_pause(void)
{
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
	__builtin_ia32_pause();
#elif defined(__GNUC__) && defined(__aarch64__)
	__asm__ __volatile__("yield" ::: "memory");
#endif
}

/* Declares a future with its own data and output types. */
#define FUTURE(name_, data_type_, output_type_)                                \
	struct name_ {                                                         \
		struct future base;                                            \
		data_type_ data;                                               \
		output_type_ output;                                           \
	}

/*
 * data_size is the distance to the output rather than sizeof(data), so that an
 * output which needs padding before it is found, too.
 */
#define FUTURE_SET_(f_, task_, has_property_, state_)                          \
	do {                                                                   \
		(f_)->base.task = (task_);                                     \
		(f_)->base.has_property = (has_property_);                     \
		(f_)->base.context.data_size =                                 \
			(size_t)((char *)&(f_)->output - (char *)&(f_)->data); \
		(f_)->base.context.output_size = sizeof((f_)->output);         \
		(f_)->base.context.state = (state_);                           \
		(f_)->base.context.padding = 0;                                \
	} while (0)

#define FUTURE_INIT_EXT(f_, task_, has_property_)                              \
	FUTURE_SET_(f_, task_, has_property_, FUTURE_STATE_IDLE)

#define FUTURE_INIT(f_, task_)                                                 \
	FUTURE_INIT_EXT(f_, task_, future_has_property_default)

#define FUTURE_INIT_COMPLETE(f_)                                               \
	FUTURE_SET_(f_, NULL, NULL, FUTURE_STATE_COMPLETE)

#define FUTURE_AS_RUNNABLE(f_) (&(f_)->base)
#define FUTURE_OUTPUT(f_) (&(f_)->output)
#define FUTURE_DATA(f_) (&(f_)->data)
#define FUTURE_STATE(f_) ((f_)->base.context.state)

#define FUTURE_BUSY_POLL(f_)                                                   \
	do {                                                                   \
		while (future_poll(FUTURE_AS_RUNNABLE(f_), NULL) !=            \
			FUTURE_STATE_COMPLETE)                                 \
			future_cpu_pause();                                    \
	} while (0)

#define FUTURE_WAKER_WAKE(w_) ((w_)->wake((w_)->data))

/*
 * Chains: futures that run one after another, each handing its result on.
 *
 * The chain's data is a struct of typed entries, declared with
 * FUTURE_CHAIN_ENTRY and, for the last, FUTURE_CHAIN_ENTRY_LAST. The library
 * walks them as untyped struct future_chain_entry: entry i + 1 begins at the
 * pointer-aligned end of entry i and its future's data and output.
 */
typedef void (*future_map_fn)(struct future_context *lhs,
	struct future_context *rhs, void *arg);
typedef void (*future_init_fn)(void *future, struct future_context *chain,
	void *arg);

#define FUTURE_CHAIN_FLAG_ENTRY_LAST (1ULL << 0)
#define FUTURE_CHAIN_FLAG_ENTRY_PROCESSED (1ULL << 1)
#define FUTURE_CHAIN_VALID_FLAGS                                               \
	(FUTURE_CHAIN_FLAG_ENTRY_LAST | FUTURE_CHAIN_FLAG_ENTRY_PROCESSED)

struct future_chain_entry {
	future_map_fn map;
	void *map_arg;
	future_init_fn init; /* NULL once initialised */
	void *init_arg;
	uint64_t flags;
	struct future future; /* its data and output follow */
};

/*
 * In a typed entry the type of `flags` says whether it is the last one: a
 * pointer to an array of one byte, or of two. Its value is the flag bits.
 */
#define FUTURE_CHAIN_ENTRY_(type_, name_, kind_)                               \
	struct {                                                               \
		future_map_fn map;                                             \
		void *map_arg;                                                 \
		future_init_fn init;                                           \
		void *init_arg;                                                \
		uint8_t (*flags)[kind_];                                       \
		type_ fut;                                                     \
	} name_

#define FUTURE_CHAIN_ENTRY(type_, name_) FUTURE_CHAIN_ENTRY_(type_, name_, 1)
#define FUTURE_CHAIN_ENTRY_LAST(type_, name_)                                  \
	FUTURE_CHAIN_ENTRY_(type_, name_, 2)

/* Stored as bytes: the typed entry and the untyped one share the memory. */
static inline void
future_chain_store_flags_(void *at, uint64_t flags)
{
	memcpy(at, &flags, sizeof(flags));
}

#define FUTURE_CHAIN_ENTRY_SET_(e_, init_, init_arg_, map_, map_arg_)          \
	do {                                                                   \
		(e_)->map = (map_);                                            \
		(e_)->map_arg = (map_arg_);                                    \
		(e_)->init = (init_);                                          \
		(e_)->init_arg = (init_arg_);                                  \
		future_chain_store_flags_(&(e_)->flags,                        \
			sizeof(*(e_)->flags) == 2                              \
				? FUTURE_CHAIN_FLAG_ENTRY_LAST                 \
				: 0);                                          \
	} while (0)

/* The entry's future is given by value. */
#define FUTURE_CHAIN_ENTRY_INIT(e_, fut_, map_, map_arg_)                      \
	do {                                                                   \
		(e_)->fut = (fut_);                                            \
		FUTURE_CHAIN_ENTRY_SET_(e_, NULL, NULL, map_, map_arg_);       \
	} while (0)

/* The entry's future is made by `init` when the chain reaches it. */
#define FUTURE_CHAIN_ENTRY_LAZY_INIT(e_, init_, init_arg_, map_, map_arg_)     \
	FUTURE_CHAIN_ENTRY_SET_(e_, init_, init_arg_, map_, map_arg_)

#define FUTURE_CHAIN_ENTRY_HAS_FLAG(ue_, flag_) (((ue_)->flags & (flag_)) != 0)
#define FUTURE_CHAIN_ENTRY_IS_LAST(ue_)                                        \
	FUTURE_CHAIN_ENTRY_HAS_FLAG(ue_, FUTURE_CHAIN_FLAG_ENTRY_LAST)
#define FUTURE_CHAIN_ENTRY_IS_PROCESSED(ue_)                                   \
	FUTURE_CHAIN_ENTRY_HAS_FLAG(ue_, FUTURE_CHAIN_FLAG_ENTRY_PROCESSED)
#define FUTURE_CHAIN_ENTRY_IS_INITIALIZED(e_) ((e_)->init == NULL)

#define FUTURE_CHAIN_INIT(f_)                                                  \
	FUTURE_INIT_EXT(f_, async_chain_impl, future_chain_has_property)

/*
 * One step of the walk. The fields are a copy made byte by byte, because the
 * program wrote them through its own struct: reading them through this one
 * would be undefined, and optimised away.
 */
struct future_chain_step_ {
	struct future_chain_entry entry; /* all but its future is valid */
	unsigned char *at;
	struct future *fut;
	size_t next; /* offset of the entry behind this one */
	int last;
};

/* Reaches the entry at `offset`, which initialises it if it is a lazy one. */
static inline struct future_chain_step_
future_chain_reach_(struct future_context *chain, size_t offset)
{
	struct future_chain_step_ step;
	const size_t head = offsetof(struct future_chain_entry, future);
	const size_t align = sizeof(void *);

	step.at = (unsigned char *)future_context_get_data(chain) + offset;
#ifdef __GNUC__
	/*
	 * The data lies behind the object that the compiler sees here, and gcc
	 * warns of writing beyond its end. Now it does not know where this is.
	 */
	__asm__("" : "+r"(step.at));
#endif
	step.fut = (struct future *)(void *)(step.at + head);
	memcpy(&step.entry, step.at, head);
	if (step.entry.init != NULL) {
		step.entry.init(step.fut, chain, step.entry.init_arg);
		step.entry.init = NULL;
		memcpy(step.at + offsetof(struct future_chain_entry, init),
			&step.entry.init, sizeof(step.entry.init));
	}
	step.next = offset + sizeof(struct future_chain_entry) +
		future_context_get_size(&step.fut->context);
	step.next = (step.next + align - 1) / align * align;
	step.last = FUTURE_CHAIN_ENTRY_IS_LAST(&step.entry) ||
		step.next >= chain->data_size;
	return step;
}

/* The task of a chain: polls its first unprocessed entry, and on from there. */
static inline enum future_state
async_chain_impl(struct future_context *ctx, struct future_notifier *notifier)
{
	size_t offset = 0;

	while (offset < ctx->data_size) {
		struct future_chain_step_ step =
			future_chain_reach_(ctx, offset);

		if (!FUTURE_CHAIN_ENTRY_IS_PROCESSED(&step.entry)) {
			if (future_poll(step.fut, notifier) !=
				FUTURE_STATE_COMPLETE)
				return FUTURE_STATE_RUNNING;
			/* What it announced is not the next entry's word. */
			if (notifier != NULL)
				notifier->notifier_used = FUTURE_NOTIFIER_NONE;
			if (step.entry.map != NULL) {
				struct future_context *rhs = ctx;

				if (!step.last)
					rhs = &future_chain_reach_(ctx,
						step.next)
						       .fut->context;
				step.entry.map(&step.fut->context, rhs,
					step.entry.map_arg);
			}
			future_chain_store_flags_(step.at +
					offsetof(struct future_chain_entry,
						flags),
				step.entry.flags |
					FUTURE_CHAIN_FLAG_ENTRY_PROCESSED);
		}
		if (step.last)
			break;
		offset = step.next;
	}
	return FUTURE_STATE_COMPLETE;
}

/*
 * A chain answers for its first unprocessed entry, which counts as reaching
 * it; -1 when all are processed.
 */
static inline int
future_chain_has_property(void *future, enum future_property property)
{
	struct future_context *ctx = &((struct future *)future)->context;
	size_t offset = 0;

	while (offset < ctx->data_size) {
		struct future_chain_step_ step =
			future_chain_reach_(ctx, offset);

		if (!FUTURE_CHAIN_ENTRY_IS_PROCESSED(&step.entry))
			return future_has_property(step.fut, property);
		if (step.last)
			break;
		offset = step.next;
	}
	return -1;
}

#ifdef __cplusplus
}
#endif

#endif /* LIBMINIASYNC_FUTURE_H */
