/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vdm.h -- the virtual data mover: memory operations as futures
 *
 * A mover is a struct vdm: four functions that make, start, check and release
 * an operation, whichever engine does the work. vdm_memcpy() and its sisters
 * turn that into a future. Whoever writes a mover fills in the struct; whoever
 * uses one needs only the functions at the end.
 */

#ifndef LIBMINIASYNC_VDM_H
#define LIBMINIASYNC_VDM_H

#include "future.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The data is persistent when the future is complete (on memory where writing
 * cache lines back makes it so; an ordinary file mapping needs msync(2)).
 */
#define VDM_F_MEM_DURABLE (1U << 0)
/* The destination will not be read soon: keep it out of the cache. */
#define VDM_F_NO_CACHE_HINT (1U << 1)
#define VDM_F_VALID_FLAGS (VDM_F_MEM_DURABLE | VDM_F_NO_CACHE_HINT)

#define VDM_OPERATION_DATA_MAX_SIZE 40

enum vdm_operation_type {
	VDM_OPERATION_MEMCPY = 0,
	VDM_OPERATION_MEMMOVE = 1,
	VDM_OPERATION_MEMSET = 2,
	VDM_OPERATION_FLUSH = 3,
};

enum vdm_operation_result {
	VDM_SUCCESS = 0,
	VDM_ERROR_OUT_OF_MEMORY = 1,
	VDM_ERROR_JOB_CORRUPTED = 2,
};

struct vdm_operation_data_memcpy {
	void *dest;
	void *src;
	size_t n;
	uint64_t flags;
};

struct vdm_operation_data_memmove {
	void *dest;
	void *src;
	size_t n;
	uint64_t flags;
};

struct vdm_operation_data_memset {
	void *str;
	int c;
	size_t n;
	uint64_t flags;
};

struct vdm_operation_data_flush {
	void *dest;
	size_t n;
	uint64_t flags;
};

struct vdm_operation {
	union {
		struct vdm_operation_data_memcpy memcpy;
		struct vdm_operation_data_memmove memmove;
		struct vdm_operation_data_memset memset;
		struct vdm_operation_data_flush flush;
		uint8_t data[VDM_OPERATION_DATA_MAX_SIZE];
	} data;
	enum vdm_operation_type type;
	uint32_t padding;
};

struct vdm;

struct vdm_operation_data {
	void *data; /* the mover's own, from op_new */
	struct vdm *vdm;
	struct vdm_operation operation;
};

struct vdm_operation_output_memcpy {
	void *dest;
};

struct vdm_operation_output_memmove {
	void *dest;
};

struct vdm_operation_output_memset {
	void *str;
};

struct vdm_operation_output_flush {
	uint64_t unused;
};

struct vdm_operation_output {
	enum vdm_operation_type type;
	enum vdm_operation_result result;
	union {
		struct vdm_operation_output_memcpy memcpy;
		struct vdm_operation_output_memmove memmove;
		struct vdm_operation_output_memset memset;
		struct vdm_operation_output_flush flush;
	} output; /* the destination again, or NULL before success */
};

FUTURE(vdm_operation_future, struct vdm_operation_data,
	struct vdm_operation_output);

/* Memory for one operation, or NULL if there is none. */
typedef void *(*vdm_operation_new)(struct vdm *vdm,
	const enum vdm_operation_type type);
/* Starts it. Non-zero: not now, the next poll tries again. */
typedef int (*vdm_operation_start)(void *data,
	const struct vdm_operation *operation, struct future_notifier *n);
/* The state of a started operation. */
typedef enum future_state (*vdm_operation_check)(void *data,
	const struct vdm_operation *operation);
/* Fills in the output and releases the memory. */
typedef void (*vdm_operation_delete)(void *data,
	const struct vdm_operation *operation,
	struct vdm_operation_output *output);

struct vdm {
	vdm_operation_new op_new;
	vdm_operation_delete op_delete;
	vdm_operation_start op_start;
	vdm_operation_check op_check;
	unsigned capabilities; /* VDM_F_* */
	future_has_property_fn has_property; /* NULL: the future's default */
};

/*
 * The task of an operation's future.
 *
 * A mover that accepts it (FUTURE_PROPERTY_RENOTIFY) is given the notifier of
 * every poll, so that the waker of the latest one is the one called; others
 * keep that of the first.
 */
static inline enum future_state
vdm_operation_impl(struct future_context *context, struct future_notifier *n)
{
	struct vdm_operation_data *data =
		(struct vdm_operation_data *)future_context_get_data(context);
	struct vdm_operation_output *output =
		(struct vdm_operation_output *)future_context_get_output(
			context);
	struct vdm *vdm = data->vdm;
	void *future = (char *)context - offsetof(struct future, context);
	enum future_state state;

	if (context->state == FUTURE_STATE_IDLE ||
		(vdm->has_property != NULL &&
			vdm->has_property(future, FUTURE_PROPERTY_RENOTIFY) ==
				FUTURE_PROPERTY_RENOTIFY_YES)) {
		if (vdm->op_start(data->data, &data->operation, n) != 0 &&
			context->state == FUTURE_STATE_IDLE)
			return FUTURE_STATE_IDLE;
	}

	state = vdm->op_check(data->data, &data->operation);
	if (state == FUTURE_STATE_COMPLETE)
		vdm->op_delete(data->data, &data->operation, output);
	return state;
}

/*
 * Makes a future of an operation that is already filled in. Does not block. If
 * the mover has no memory for it, the future is complete at once, with
 * VDM_ERROR_OUT_OF_MEMORY in its output.
 *
 * Every field is assigned, once, and none by memset(): then compilers keep the
 * future in registers until it is where the caller wants it. A copy of it on the
 * stack, written in parts and read as a whole, costs as much again as all of
 * this.
 */
static inline void
vdm_generic_operation(struct vdm *vdm, struct vdm_operation_future *future)
{
	struct vdm_operation_data *data = &future->data;
	struct vdm_operation_output *output = &future->output;
	void *const op = vdm->op_new(vdm, data->operation.type);
	future_has_property_fn has_property = vdm->has_property;

	if (has_property == NULL)
		has_property = future_has_property_default;
	data->data = op;
	data->vdm = vdm;
	data->operation.padding = 0;
	output->type = data->operation.type;
	output->result = op != NULL ? VDM_SUCCESS : VDM_ERROR_OUT_OF_MEMORY;
	output->output.flush.unused = 0; /* all of the union */
	FUTURE_SET_(future, op != NULL ? vdm_operation_impl : NULL,
		op != NULL ? has_property : NULL,
		op != NULL ? FUTURE_STATE_IDLE : FUTURE_STATE_COMPLETE);
}

/* Replaces the property function of one operation's future. */
static inline void
vdm_set_has_property_fn(struct vdm_operation_future *future,
	int (*has_property)(void *future, enum future_property property))
{
	future->base.has_property = has_property;
}

/* Does the mover honour all of these VDM_F_* flags? */
static inline int
vdm_is_supported(struct vdm *vdm, unsigned capability)
{
	return (vdm->capabilities & capability) == capability;
}

/*
 * The operations. Each makes a future and does nothing else: the bytes move
 * when it is polled. Source and destination belong to the operation until the
 * future is complete. They do not block.
 */

/* Copies n bytes; the ranges must not overlap. */
static inline struct vdm_operation_future
vdm_memcpy(struct vdm *vdm, void *dest, void *src, size_t n, uint64_t flags)
{
	struct vdm_operation_future future;
	struct vdm_operation *op = &future.data.operation;

	op->type = VDM_OPERATION_MEMCPY;
	op->data.memcpy.dest = dest;
	op->data.memcpy.src = src;
	op->data.memcpy.n = n;
	op->data.memcpy.flags = flags;
	vdm_generic_operation(vdm, &future);
	return future;
}

/* Copies n bytes; the ranges may overlap. */
static inline struct vdm_operation_future
vdm_memmove(struct vdm *vdm, void *dest, void *src, size_t n, uint64_t flags)
{
	struct vdm_operation_future future;
	struct vdm_operation *op = &future.data.operation;

	op->type = VDM_OPERATION_MEMMOVE;
	op->data.memmove.dest = dest;
	op->data.memmove.src = src;
	op->data.memmove.n = n;
	op->data.memmove.flags = flags;
	vdm_generic_operation(vdm, &future);
	return future;
}

/* Fills n bytes with (unsigned char)c. */
static inline struct vdm_operation_future
vdm_memset(struct vdm *vdm, void *str, int c, size_t n, uint64_t flags)
{
	struct vdm_operation_future future;
	struct vdm_operation *op = &future.data.operation;

	op->type = VDM_OPERATION_MEMSET;
	op->data.memset.str = str;
	op->data.memset.c = c;
	op->data.memset.n = n;
	op->data.memset.flags = flags;
	vdm_generic_operation(vdm, &future);
	return future;
}

/* Writes the cache lines of n bytes back to memory. */
static inline struct vdm_operation_future
vdm_flush(struct vdm *vdm, void *dest, size_t n, uint64_t flags)
{
	struct vdm_operation_future future;
	struct vdm_operation *op = &future.data.operation;

	op->type = VDM_OPERATION_FLUSH;
	op->data.flush.dest = dest;
	op->data.flush.n = n;
	op->data.flush.flags = flags;
	vdm_generic_operation(vdm, &future);
	return future;
}

#ifdef __cplusplus
}
#endif

#endif /* LIBMINIASYNC_VDM_H */
