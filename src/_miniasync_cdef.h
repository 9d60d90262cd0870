/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Python sees. Read by _miniasync_build.py, parsed by cffi, never
 * compiled. Values given as ... come from the C compiler.
 */

/* libminiasync/version.h */
static char *const MINIASYNC_VERSION;
const char *miniasync_version(void);

/* libminiasync/future.h */
enum future_state {
	FUTURE_STATE_IDLE, FUTURE_STATE_COMPLETE, FUTURE_STATE_RUNNING, ...
};
struct future_context {
	size_t data_size;
	size_t output_size;
	enum future_state state;
	...;
};
typedef void (*future_waker_wake_fn)(void *data);
struct future_waker { void *data; future_waker_wake_fn wake; ...; };
struct future_poller { uint64_t *ptr_to_monitor; ...; };
enum future_notifier_type {
	FUTURE_NOTIFIER_NONE, FUTURE_NOTIFIER_WAKER, FUTURE_NOTIFIER_POLLER, ...
};
struct future_notifier {
	struct future_waker waker;
	struct future_poller poller;
	enum future_notifier_type notifier_used;
	...;
};
enum future_property { FUTURE_PROPERTY_ASYNC, ... };
typedef enum future_state (*future_task_fn)(struct future_context *context,
	struct future_notifier *notifier);
typedef int (*future_has_property_fn)(void *future,
	enum future_property property);
struct future {
	future_task_fn task;
	future_has_property_fn has_property;
	struct future_context context;
	...;
};
void *future_context_get_data(struct future_context *context);
void *future_context_get_output(struct future_context *context);
size_t future_context_get_size(struct future_context *context);
enum future_state future_poll(struct future *fut,
	struct future_notifier *notifier);
int future_has_property(struct future *fut, enum future_property property);

/* libminiasync/runtime.h */
struct runtime;
struct runtime *runtime_new(void);
void runtime_delete(struct runtime *runtime);
void runtime_wait(struct runtime *runtime, struct future *fut);
void runtime_wait_multiple(struct runtime *runtime, struct future *futs[],
	size_t nfuts);

/* libminiasync/vdm.h */
#define VDM_F_MEM_DURABLE ...
#define VDM_F_NO_CACHE_HINT ...
#define VDM_F_VALID_FLAGS ...
#define VDM_OPERATION_DATA_MAX_SIZE ...
enum vdm_operation_type {
	VDM_OPERATION_MEMCPY, VDM_OPERATION_MEMMOVE, VDM_OPERATION_MEMSET,
	VDM_OPERATION_FLUSH, ...
};
enum vdm_operation_result {
	VDM_SUCCESS, VDM_ERROR_OUT_OF_MEMORY, VDM_ERROR_JOB_CORRUPTED, ...
};
/* What is in a union is declared in full: cffi cannot leave out part of one. */
struct vdm_operation_data_memcpy {
	void *dest; void *src; size_t n; uint64_t flags;
};
struct vdm_operation_data_memmove {
	void *dest; void *src; size_t n; uint64_t flags;
};
struct vdm_operation_data_memset {
	void *str; int c; size_t n; uint64_t flags;
};
struct vdm_operation_data_flush {
	void *dest; size_t n; uint64_t flags;
};
struct vdm_operation {
	union {
		struct vdm_operation_data_memcpy memcpy;
		struct vdm_operation_data_memmove memmove;
		struct vdm_operation_data_memset memset;
		struct vdm_operation_data_flush flush;
		uint8_t data[40];
	} data;
	enum vdm_operation_type type;
	uint32_t padding;
};
struct vdm_operation_data {
	void *data;
	struct vdm *vdm;
	struct vdm_operation operation;
	...;
};
struct vdm_operation_output_memcpy { void *dest; };
struct vdm_operation_output_memmove { void *dest; };
struct vdm_operation_output_memset { void *str; };
struct vdm_operation_output_flush { uint64_t unused; };
struct vdm_operation_output {
	enum vdm_operation_type type;
	enum vdm_operation_result result;
	union {
		struct vdm_operation_output_memcpy memcpy;
		struct vdm_operation_output_memmove memmove;
		struct vdm_operation_output_memset memset;
		struct vdm_operation_output_flush flush;
	} output;
};
struct vdm_operation_future {
	struct future base;
	struct vdm_operation_data data;
	struct vdm_operation_output output;
	...;
};
typedef void *(*vdm_operation_new)(struct vdm *vdm,
	const enum vdm_operation_type type);
typedef int (*vdm_operation_start)(void *data,
	const struct vdm_operation *operation, struct future_notifier *n);
typedef enum future_state (*vdm_operation_check)(void *data,
	const struct vdm_operation *operation);
typedef void (*vdm_operation_delete)(void *data,
	const struct vdm_operation *operation,
	struct vdm_operation_output *output);
struct vdm {
	vdm_operation_new op_new;
	vdm_operation_delete op_delete;
	vdm_operation_start op_start;
	vdm_operation_check op_check;
	unsigned capabilities;
	future_has_property_fn has_property;
	...;
};
struct vdm_operation_future vdm_memcpy(struct vdm *vdm, void *dest, void *src,
	size_t n, uint64_t flags);
struct vdm_operation_future vdm_memmove(struct vdm *vdm, void *dest, void *src,
	size_t n, uint64_t flags);
struct vdm_operation_future vdm_memset(struct vdm *vdm, void *str, int c,
	size_t n, uint64_t flags);
struct vdm_operation_future vdm_flush(struct vdm *vdm, void *dest, size_t n,
	uint64_t flags);
void vdm_generic_operation(struct vdm *vdm,
	struct vdm_operation_future *future);
int vdm_is_supported(struct vdm *vdm, unsigned capability);

/* libminiasync/waiter.h */
#define FUTURE_WAITER_F_INTERRUPTIBLE ...
#define FUTURE_WAITER_FOREVER ...
struct future_waiter;
struct future_waiter *future_waiter_new(void);
void future_waiter_delete(struct future_waiter *waiter);
int future_waiter_wait(struct future_waiter *waiter, struct future *futs[],
	size_t nfuts, size_t nwanted, uint64_t deadline, unsigned flags);
int vdm_operation_release(struct vdm_operation_future *future);

/* libminiasync/monitor.h */
struct future_monitor;
struct future_monitor *future_monitor_new(void);
void future_monitor_delete(struct future_monitor *monitor);
int future_monitor_fd(const struct future_monitor *monitor);
int future_monitor_add(struct future_monitor *monitor,
	struct future *future, void *data);
int future_monitor_remove(struct future_monitor *monitor,
	struct future *future);
size_t future_monitor_run(struct future_monitor *monitor, void *done[],
	size_t max);
uint64_t future_monitor_deadline(const struct future_monitor *monitor);
size_t future_monitor_count(const struct future_monitor *monitor);

/* libminiasync/data_mover_sync.h */
struct data_mover_sync;
struct data_mover_sync *data_mover_sync_new(void);
struct vdm *data_mover_sync_get_vdm(struct data_mover_sync *dms);
void data_mover_sync_delete(struct data_mover_sync *dms);

/* libminiasync/data_mover_threads.h */
typedef void *(*memcpy_fn)(void *dst, const void *src, size_t n,
	unsigned flags);
typedef void *(*memmove_fn)(void *dst, const void *src, size_t n,
	unsigned flags);
typedef void *(*memset_fn)(void *str, int c, size_t n, unsigned flags);
struct data_mover_threads;
struct data_mover_threads *data_mover_threads_new(size_t nthreads,
	size_t ringbuf_size, enum future_notifier_type desired);
struct data_mover_threads *data_mover_threads_default(void);
struct vdm *data_mover_threads_get_vdm(struct data_mover_threads *dmt);
void data_mover_threads_set_memcpy_fn(struct data_mover_threads *dmt,
	memcpy_fn dmt_memcpy);
void data_mover_threads_set_memmove_fn(struct data_mover_threads *dmt,
	memmove_fn dmt_memmove);
void data_mover_threads_set_memset_fn(struct data_mover_threads *dmt,
	memset_fn dmt_memset);
void data_mover_threads_set_inline_below(struct data_mover_threads *dmt,
	size_t nbytes);
size_t data_mover_threads_get_inline_below(
	const struct data_mover_threads *dmt);
size_t data_mover_threads_get_nthreads(const struct data_mover_threads *dmt);
struct data_mover_threads_stats {
	size_t size;
	uint64_t queued;
	uint64_t worker_pieces;
	uint64_t worker_bytes;
	uint64_t waiter_pieces;
	uint64_t waiter_bytes;
};
int data_mover_threads_get_stats(struct data_mover_threads *dmt,
	struct data_mover_threads_stats *stats);
void data_mover_threads_delete(struct data_mover_threads *dmt);

/* libminiasync-vdm-dml/data_mover_dml.h */
enum data_mover_dml_type {
	DATA_MOVER_DML_SOFTWARE, DATA_MOVER_DML_HARDWARE, DATA_MOVER_DML_AUTO,
	...
};
struct data_mover_dml;
struct data_mover_dml_stats {
	size_t size;
	uint64_t hardware;
	uint64_t operations;
	uint64_t hardware_jobs;
	uint64_t hardware_bytes;
	uint64_t software_jobs;
	uint64_t software_bytes;
	uint64_t cpu_bytes;
	uint64_t retries;
	uint64_t resubmissions;
	uint64_t cpu_unavailable;
	uint64_t cpu_forked;
	uint64_t cpu_small;
	uint64_t cpu_overlap;
	uint64_t cpu_flush;
	uint64_t cpu_no_memory;
	uint64_t cpu_queue_full;
	uint64_t cpu_refused;
	uint64_t cpu_page_fault;
	uint64_t cpu_device_error;
	uint64_t last_error;
	...;
};
struct data_mover_dml *data_mover_dml_new(enum data_mover_dml_type type);
struct vdm *data_mover_dml_get_vdm(struct data_mover_dml *dmd);
int data_mover_dml_get_stats(const struct data_mover_dml *dmd,
	struct data_mover_dml_stats *stats);
void data_mover_dml_delete(struct data_mover_dml *dmd);

/* _miniasync_shim.h: for the package's own use */
#define MA_PROVIDER_IS_UPSTREAM ...
static char *const MINIASYNC_PROVIDER_NAME;
#define MA_RUNNING ...
#define MA_MAKE_ONLY ...
int ma_shim_run(struct vdm_operation_future *slot, struct vdm *vdm,
	enum vdm_operation_type type, void *dst, void *src, int c, size_t n,
	uint64_t flags, struct future_waiter *waiter, uint64_t timeout_ns);
int ma_shim_run_future(struct future *fut, struct future_waiter *waiter,
	uint64_t timeout_ns);
size_t ma_shim_wait(struct future_waiter *waiter, struct future *futs[],
	size_t nfuts, size_t nwanted, uint64_t timeout_ns);

/* _miniasync_event.h: likewise */
struct ma_event;
struct ma_event *ma_event_new(void);
void ma_event_delete(struct ma_event *event);
struct future *ma_event_future(struct ma_event *event);
void ma_event_set(struct ma_event *event);
int ma_event_reset(struct ma_event *event);

/* _miniasync_watch.h: likewise */
struct ma_watch;
struct ma_watch *ma_watch_new(void);
void ma_watch_delete(struct ma_watch *watch);
int ma_watch_fd(const struct ma_watch *watch);
uint64_t ma_watch_deadline(struct ma_watch *watch);
int ma_watch_add(struct ma_watch *watch, struct future *future);
void ma_watch_remove(struct ma_watch *watch, struct future *future);
size_t ma_watch_run(struct ma_watch *watch, uintptr_t done[], size_t max,
	uint64_t timeout_ns);
void ma_watch_kick(struct ma_watch *watch);

/* _miniasync_sweep.h: likewise */
int ma_sweep_install(void);

/* _miniasync_batch.h */
#define MA_BATCH_FAILED ...
struct ma_batch_op { ...; };
struct ma_batch { struct future base; int code; int has_more; ...; };
void ma_batch_init(struct ma_batch *batch, struct vdm *vdm,
	enum vdm_operation_type type, const struct ma_batch_op *ops,
	uint8_t *results, size_t n, uint64_t flags);
int ma_batch_run(struct ma_batch *batch, struct vdm *vdm,
	enum vdm_operation_type type, const struct ma_batch_op *ops,
	uint8_t *results, size_t n, uint64_t flags,
	struct future_waiter *waiter, uint64_t timeout_ns);
uint64_t ma_batch_bytes(const struct ma_batch_op *ops, size_t n);
void ma_batch_abandon(struct ma_batch *batch);

/* _miniasync_ranges.h */
struct ma_numbers {
	const void *data;
	size_t size;
	int is_signed;
	uint64_t value;
};
struct ma_region { void *start; size_t size; };
enum ma_fault {
	MA_FAULT_NONE, MA_FAULT_SIZES, MA_FAULT_DST, MA_FAULT_SRC,
	MA_FAULT_OVERLAP, MA_FAULT_SHARED, MA_FAULT_MEMORY, ...
};
struct ma_fault_at {
	size_t index;
	size_t other;
	uint64_t offset;
	uint64_t length;
};
enum ma_fault ma_ranges_of_buffers(struct ma_batch_op ops[], size_t n,
	void *const dsts[], const size_t dst_sizes[], void *const srcs[],
	const size_t src_sizes[], const uint8_t values[],
	const int64_t lengths[], struct ma_fault_at *at);
enum ma_fault ma_ranges_of_offsets(struct ma_batch_op ops[], size_t n,
	const struct ma_region *dst, const struct ma_region *src, int value,
	const struct ma_numbers *dst_offsets,
	const struct ma_numbers *src_offsets, const struct ma_numbers *lengths,
	struct ma_fault_at *at);
enum ma_fault ma_ranges_disjoint(const struct ma_batch_op ops[], size_t n,
	struct ma_fault_at *at);

/* _miniasync_chain.h */
#define MA_CHAIN_STOPPED ...
struct ma_chain_entry { ...; };
struct ma_chain {
	int code;
	size_t index;
	struct future base;
	struct ma_chain_entry entries[];
	...;
};
void ma_chain_init(struct ma_chain *chain, struct future *const targets[],
	const int *const results[], size_t n);
void ma_chain_stop(struct ma_chain *chain);

/* _miniasync_bench.h and _miniasync_files.h: for the command line */
void ma_bench_fill(void *buf, size_t n, uint64_t seed, int invert);
void ma_bench_memcpy(void *dst, const void *src, size_t n);
int ma_bench_each(struct vdm *vdm, void *dst, void *src, size_t n,
	size_t rounds, uint64_t *samples, uint64_t *total);
int ma_bench_batch(struct vdm *vdm, void *dst, void *src, size_t n,
	size_t batch, size_t rounds, uint64_t *total);
int ma_bench_stream(void *buf, size_t n, int two, uint64_t duration,
	double *gbps);
int ma_bench_round_trips(int descriptor, size_t rounds, uint64_t samples[]);
void ma_bench_hold(int held);
void *ma_bench_held_memcpy(void *dst, const void *src, size_t n,
	unsigned flags);
size_t ma_first_difference(const void *a, const void *b, size_t n);
int ma_busguard_on(const char *path, const char *message);
void ma_busguard_off(void);
