/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_layout.c -- the binary interface: sizes, offsets, values, signatures
 *
 * Compiled programs carry these numbers, so all of it is checked when this is
 * compiled, in C and, through test_layout.cc, in C++.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <libminiasync.h>

#define IS(a_, b_) static_assert((a_) == (b_), #a_ " is not " #b_)
#define SIZE(type_, n_) IS(sizeof(type_), n_)
#define AT(type_, member_, n_) IS(offsetof(type_, member_), n_)
/* The member's own size, so that its type cannot narrow unnoticed. */
#define WIDE(type_, member_, n_) IS(sizeof(((type_ *)0)->member_), n_)

IS(FUTURE_STATE_IDLE, 0);
IS(FUTURE_STATE_COMPLETE, 1);
IS(FUTURE_STATE_RUNNING, 2);
IS(FUTURE_NOTIFIER_NONE, 0);
IS(FUTURE_NOTIFIER_WAKER, 1);
IS(FUTURE_NOTIFIER_POLLER, 2);
IS(FUTURE_PROPERTY_ASYNC, 0);
IS(VDM_OPERATION_MEMCPY, 0);
IS(VDM_OPERATION_MEMMOVE, 1);
IS(VDM_OPERATION_MEMSET, 2);
IS(VDM_OPERATION_FLUSH, 3);
IS(VDM_SUCCESS, 0);
IS(VDM_ERROR_OUT_OF_MEMORY, 1);
IS(VDM_ERROR_JOB_CORRUPTED, 2);
SIZE(enum future_state, 4);
SIZE(enum future_notifier_type, 4);
SIZE(enum future_property, 4);
SIZE(enum vdm_operation_type, 4);
SIZE(enum vdm_operation_result, 4);

IS(FUTURE_CHAIN_FLAG_ENTRY_LAST, 1);
IS(FUTURE_CHAIN_FLAG_ENTRY_PROCESSED, 2);
IS(FUTURE_CHAIN_VALID_FLAGS, 3);
IS(VDM_F_MEM_DURABLE, 1);
IS(VDM_F_NO_CACHE_HINT, 2);
IS(VDM_F_VALID_FLAGS, 3);
IS(VDM_OPERATION_DATA_MAX_SIZE, 40);

SIZE(struct future_context, 24);
AT(struct future_context, data_size, 0);
AT(struct future_context, output_size, 8);
AT(struct future_context, state, 16);
AT(struct future_context, padding, 20);
WIDE(struct future_context, data_size, 8);
WIDE(struct future_context, output_size, 8);
WIDE(struct future_context, state, 4);
WIDE(struct future_context, padding, 4);

SIZE(struct future_waker, 16);
AT(struct future_waker, data, 0);
AT(struct future_waker, wake, 8);

SIZE(struct future_poller, 8);
AT(struct future_poller, ptr_to_monitor, 0);
WIDE(struct future_poller, ptr_to_monitor[0], 8);

SIZE(struct future_notifier, 32);
AT(struct future_notifier, waker, 0);
AT(struct future_notifier, poller, 16);
AT(struct future_notifier, notifier_used, 24);
AT(struct future_notifier, padding, 28);

SIZE(struct future, 40);
AT(struct future, task, 0);
AT(struct future, has_property, 8);
AT(struct future, context, 16);

SIZE(struct future_chain_entry, 80);
AT(struct future_chain_entry, map, 0);
AT(struct future_chain_entry, map_arg, 8);
AT(struct future_chain_entry, init, 16);
AT(struct future_chain_entry, init_arg, 24);
AT(struct future_chain_entry, flags, 32);
WIDE(struct future_chain_entry, flags, 8);
AT(struct future_chain_entry, future, 40);

SIZE(struct vdm_operation_data_memcpy, 32);
AT(struct vdm_operation_data_memcpy, dest, 0);
AT(struct vdm_operation_data_memcpy, src, 8);
AT(struct vdm_operation_data_memcpy, n, 16);
AT(struct vdm_operation_data_memcpy, flags, 24);
WIDE(struct vdm_operation_data_memcpy, flags, 8);
SIZE(struct vdm_operation_data_memmove, 32);
AT(struct vdm_operation_data_memmove, dest, 0);
AT(struct vdm_operation_data_memmove, src, 8);
AT(struct vdm_operation_data_memmove, n, 16);
AT(struct vdm_operation_data_memmove, flags, 24);
WIDE(struct vdm_operation_data_memmove, flags, 8);
SIZE(struct vdm_operation_data_memset, 32);
AT(struct vdm_operation_data_memset, str, 0);
AT(struct vdm_operation_data_memset, c, 8);
WIDE(struct vdm_operation_data_memset, c, 4);
AT(struct vdm_operation_data_memset, n, 16);
AT(struct vdm_operation_data_memset, flags, 24);
WIDE(struct vdm_operation_data_memset, flags, 8);
SIZE(struct vdm_operation_data_flush, 24);
AT(struct vdm_operation_data_flush, dest, 0);
AT(struct vdm_operation_data_flush, n, 8);
AT(struct vdm_operation_data_flush, flags, 16);
WIDE(struct vdm_operation_data_flush, flags, 8);

SIZE(struct vdm_operation, 48);
AT(struct vdm_operation, data, 0);
AT(struct vdm_operation, data.memcpy, 0);
AT(struct vdm_operation, data.memmove, 0);
AT(struct vdm_operation, data.memset, 0);
AT(struct vdm_operation, data.flush, 0);
AT(struct vdm_operation, data.data, 0);
WIDE(struct vdm_operation, data, 40);
WIDE(struct vdm_operation, data.data, 40);
AT(struct vdm_operation, type, 40);
AT(struct vdm_operation, padding, 44);

SIZE(struct vdm_operation_data, 64);
AT(struct vdm_operation_data, data, 0);
AT(struct vdm_operation_data, vdm, 8);
AT(struct vdm_operation_data, operation, 16);

SIZE(struct vdm_operation_output, 16);
AT(struct vdm_operation_output, type, 0);
AT(struct vdm_operation_output, result, 4);
AT(struct vdm_operation_output, output, 8);
AT(struct vdm_operation_output, output.memcpy.dest, 8);
AT(struct vdm_operation_output, output.memmove.dest, 8);
AT(struct vdm_operation_output, output.memset.str, 8);
AT(struct vdm_operation_output, output.flush.unused, 8);
WIDE(struct vdm_operation_output, output.flush.unused, 8);

SIZE(struct vdm_operation_future, 120);
AT(struct vdm_operation_future, base, 0);
AT(struct vdm_operation_future, data, 40);
AT(struct vdm_operation_future, output, 104);

SIZE(struct vdm, 48);
AT(struct vdm, op_new, 0);
AT(struct vdm, op_delete, 8);
AT(struct vdm, op_start, 16);
AT(struct vdm, op_check, 24);
AT(struct vdm, capabilities, 32);
WIDE(struct vdm, capabilities, 4);
AT(struct vdm, has_property, 40);

/* A typed chain entry lies over the untyped one. */
struct small_data {
	char c;
};
FUTURE(small_future, struct small_data, struct small_data);
struct chain_data {
	FUTURE_CHAIN_ENTRY(struct small_future, first);
	FUTURE_CHAIN_ENTRY_LAST(struct small_future, last);
};
SIZE(struct small_future, 48);
AT(struct chain_data, first.map, 0);
AT(struct chain_data, first.map_arg, 8);
AT(struct chain_data, first.init, 16);
AT(struct chain_data, first.init_arg, 24);
AT(struct chain_data, first.flags, 32);
AT(struct chain_data, first.fut, 40);
AT(struct chain_data, last, 88);
IS(sizeof(*((struct chain_data *)0)->first.flags), 1);
IS(sizeof(*((struct chain_data *)0)->last.flags), 2);

/* Each assignment fails to compile if a signature has changed. */
static int
signatures(void)
{
	future_waker_wake_fn wake = 0;
	void (*as_wake)(void *) = wake;
	enum future_state (*as_task)(struct future_context *,
		struct future_notifier *) = (future_task_fn)0;
	int (*as_has)(void *, enum future_property) = (future_has_property_fn)0;
	void (*as_map)(struct future_context *, struct future_context *,
		void *) = (future_map_fn)0;
	void (*as_init)(void *, struct future_context *, void *) =
		(future_init_fn)0;
	void *(*as_new)(struct vdm *, const enum vdm_operation_type) =
		(vdm_operation_new)0;
	int (*as_start)(void *, const struct vdm_operation *,
		struct future_notifier *) = (vdm_operation_start)0;
	enum future_state (*as_check)(void *, const struct vdm_operation *) =
		(vdm_operation_check)0;
	void (*as_delete)(void *, const struct vdm_operation *,
		struct vdm_operation_output *) = (vdm_operation_delete)0;
	void *(*as_memcpy)(void *, const void *, size_t, unsigned) =
		(memcpy_fn)0;
	void *(*as_memmove)(void *, const void *, size_t, unsigned) =
		(memmove_fn)0;
	void *(*as_memset)(void *, int, size_t, unsigned) = (memset_fn)0;

	struct runtime *(*f1)(void) = runtime_new;
	void (*f2)(struct runtime *) = runtime_delete;
	void (*f3)(struct runtime *, struct future *) = runtime_wait;
	void (*f4)(struct runtime *, struct future *[], size_t) =
		runtime_wait_multiple;
	struct data_mover_sync *(*f5)(void) = data_mover_sync_new;
	struct vdm *(*f6)(struct data_mover_sync *) = data_mover_sync_get_vdm;
	void (*f7)(struct data_mover_sync *) = data_mover_sync_delete;
	struct data_mover_threads *(*f8)(size_t, size_t,
		enum future_notifier_type) = data_mover_threads_new;
	struct data_mover_threads *(*f9)(void) = data_mover_threads_default;
	struct vdm *(*f10)(struct data_mover_threads *) =
		data_mover_threads_get_vdm;
	void (*f11)(struct data_mover_threads *, memcpy_fn) =
		data_mover_threads_set_memcpy_fn;
	void (*f12)(struct data_mover_threads *, memmove_fn) =
		data_mover_threads_set_memmove_fn;
	void (*f13)(struct data_mover_threads *, memset_fn) =
		data_mover_threads_set_memset_fn;
	void (*f14)(struct data_mover_threads *) = data_mover_threads_delete;

	enum future_state (*i1)(struct future *, struct future_notifier *) =
		future_poll;
	int (*i2)(struct future *, enum future_property) = future_has_property;
	void *(*i3)(struct future_context *) = future_context_get_data;
	void *(*i4)(struct future_context *) = future_context_get_output;
	size_t (*i5)(struct future_context *) = future_context_get_size;
	future_has_property_fn i6 = future_has_property_default;
	future_has_property_fn i7 = future_chain_has_property;
	future_task_fn i8 = async_chain_impl;
	future_task_fn i9 = vdm_operation_impl;
	void (*i10)(struct vdm *, struct vdm_operation_future *) =
		vdm_generic_operation;
	void (*i11)(struct vdm_operation_future *,
		int (*)(void *, enum future_property)) =
		vdm_set_has_property_fn;
	int (*i12)(struct vdm *, unsigned) = vdm_is_supported;
	struct vdm_operation_future (*i13)(struct vdm *, void *, void *, size_t,
		uint64_t) = vdm_memcpy;
	struct vdm_operation_future (*i14)(struct vdm *, void *, void *, size_t,
		uint64_t) = vdm_memmove;
	struct vdm_operation_future (*i15)(struct vdm *, void *, int, size_t,
		uint64_t) = vdm_memset;
	struct vdm_operation_future (*i16)(struct vdm *, void *, size_t,
		uint64_t) = vdm_flush;

	(void)as_wake, (void)as_task, (void)as_has, (void)as_map;
	(void)as_init, (void)as_new, (void)as_start, (void)as_check;
	(void)as_delete, (void)as_memcpy, (void)as_memmove, (void)as_memset;
	return !(f1 && f2 && f3 && f4 && f5 && f6 && f7 && f8 && f9 && f10 &&
		f11 && f12 && f13 && f14 && i1 && i2 && i3 && i4 && i5 && i6 &&
		i7 && i8 && i9 && i10 && i11 && i12 && i13 && i14 && i15 &&
		i16);
}

/* The same of what LIBMINIASYNC_1.1 adds for event loops. */
static int
monitor_signatures(void)
{
	struct future_monitor *(*f1)(void) = future_monitor_new;
	void (*f2)(struct future_monitor *) = future_monitor_delete;
	int (*f3)(const struct future_monitor *) = future_monitor_fd;
	int (*f4)(struct future_monitor *, struct future *, void *) =
		future_monitor_add;
	int (*f5)(struct future_monitor *, struct future *) =
		future_monitor_remove;
	size_t (*f6)(struct future_monitor *, void *[], size_t) =
		future_monitor_run;
	uint64_t (*f7)(const struct future_monitor *) = future_monitor_deadline;
	size_t (*f8)(const struct future_monitor *) = future_monitor_count;

	return !(f1 && f2 && f3 && f4 && f5 && f6 && f7 && f8);
}

int
main(void)
{
	return signatures() || monitor_signatures();
}
