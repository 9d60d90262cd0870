/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dsa.h -- an emulated Intel DSA device, for tests of what drives a real one
 *
 * The device is a shared library that libdml takes for libaccel-config: it is
 * called libaccel-config.so.1, a program that is linked with it has it loaded
 * when libdml asks for that name, and any other finds it by LD_LIBRARY_PATH. It
 * reports an enabled shared work queue. libdml submits with the instruction
 * ENQCMD, which the processor does not know: the signal that comes of it is
 * caught, answered as a work queue answers, and the descriptor handed to the
 * device's engine, a thread.
 *
 * A test tells the device how it is set up before libdml looks for it (once in a
 * process), and how it behaves at any time. Descriptors are numbered from 0 in
 * the order in which the queue accepts them, anew from each dsa_reset().
 *
 * The device checks what a test must not get wrong. It ends the process with a
 * message where the test does, and where a descriptor names memory that
 * AddressSanitizer knows to be freed. A submission in a forked child of the
 * process that found the device ends like that to a portal that is not mapped:
 * the kernel driver does not let children have it.
 *
 * What it cannot show is whether a real device accepts a descriptor: it knows no
 * more of the rules than is written here.
 */

#ifndef DSA_H
#define DSA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum dsa_operation {
	DSA_NOP = 0x00,
	DSA_MEMMOVE = 0x03,
	DSA_FILL = 0x04,
	DSA_CACHE_FLUSH = 0x20,
};

enum dsa_flag {
	DSA_FENCE = 0x0001,
	DSA_BLOCK_ON_FAULT = 0x0002,
	DSA_RECORD_VALID = 0x0004,
	DSA_REQUEST_RECORD = 0x0008,
	DSA_CACHE_CONTROL = 0x0100,
	DSA_STRICT_ORDERING = 0x2000,
	DSA_READBACK = 0x4000,
	DSA_DURABLE = 0x8000,
};

/* What a completion record says. */
enum dsa_status {
	DSA_SUCCESS = 0x01,
	DSA_SUCCESS_FALSE = 0x02,
	DSA_PAGE_FAULT = 0x03, /* on a read; some bytes are done */
	DSA_PAGE_REQUEST_REFUSED = 0x04,
	DSA_BAD_OPERATION = 0x10,
	DSA_BAD_FLAGS = 0x11,
	DSA_RESERVED_FIELD = 0x12,
	DSA_BAD_SIZE = 0x13,
	DSA_OVERLAP = 0x16,
	DSA_HARDWARE_TIMEOUT = 0x21,
	DSA_PAGE_FAULT_WRITE = 0x83, /* the same, on a write */
};

/* What the device can do: bits of its register GENCAP. */
enum dsa_capability {
	DSA_CAN_BLOCK_ON_FAULT = 0x001,
	DSA_CAN_OVERLAP = 0x002,
	DSA_CAN_CACHE_CONTROL = 0x004,
	DSA_CAN_CACHE_CONTROL_FLUSH = 0x008,
	DSA_CAN_READBACK = 0x100,
};

#define DSA_CAPABILITIES                                                       \
	(DSA_CAN_BLOCK_ON_FAULT | DSA_CAN_OVERLAP | DSA_CAN_CACHE_CONTROL |    \
		DSA_CAN_READBACK)
#define DSA_QUEUE_SIZE 128 /* the most, and what there is after a reset */
#define DSA_MAX_TRANSFER (UINT32_C(2) << 20)
#define DSA_LOGGED 4096 /* descriptors that dsa_seen() can show */
#define DSA_ALWAYS SIZE_MAX

/* How the device is set up, or what is wrong with it. */
enum dsa_setup {
	DSA_READY,
	DSA_NO_CONTEXT, /* libaccel-config cannot be initialised */
	DSA_NO_DEVICE,
	DSA_DEVICE_DISABLED,
	DSA_NO_QUEUE,
	DSA_QUEUE_DISABLED,
	DSA_QUEUE_DEDICATED,
	DSA_NO_ACCESS, /* to the queue's device file */
	DSA_NO_NODE, /* no thread is on the device's NUMA node */
};

struct dsa_descriptor {
	uint32_t pasid;
	uint16_t flags;
	uint8_t operation_flags;
	uint8_t operation;
	uint64_t record;
	uint64_t source; /* of a fill: the pattern */
	uint64_t destination;
	uint32_t size;
	uint16_t interrupt;
	uint8_t reserved[26];
};

/*
 * NULL, or why there can be no emulated device here: the processor knows ENQCMD
 * itself, or the program runs in something like valgrind. A test skips then.
 */
const char *dsa_unusable(void);

/* Before libdml looks for the device. */
void dsa_set_setup(enum dsa_setup setup);

/*
 * Executes what is in the queue. Then all is as after the start of the program,
 * except for dsa_set_setup().
 */
void dsa_reset(void);

/* The queue refuses a descriptor while it has this many; DSA_QUEUE_SIZE at most. */
void dsa_set_queue_size(size_t n);

/* A descriptor with a larger size ends with DSA_BAD_SIZE. */
void dsa_set_max_transfer(uint32_t size);

/* Bits of enum dsa_capability; what needs another ends with DSA_BAD_FLAGS. */
void dsa_set_capabilities(unsigned capabilities);

/* The queue refuses the next n submissions, or all, or none from now on. */
void dsa_refuse(size_t n);

/*
 * The descriptors from number `first` on, `n` of them, end with this status
 * when `done` bytes of the work, or all if there are fewer, have been done;
 * except for those that the device refuses of its own accord. At most 16 such
 * rules; of those that match, the first counts.
 */
void dsa_answer(size_t first, size_t n, unsigned status, uint32_t done);

/* From now on the engine begins with no descriptor, or goes on. */
void dsa_hold(void);
void dsa_release(void);

/*
 * Executes one accepted descriptor, whatever came before it, in this thread.
 * The device must be held, and the descriptor in the queue.
 */
void dsa_finish(size_t number);

/* Wait until that many, since the reset, have been accepted, or refused. */
void dsa_await_accepted(size_t n);
void dsa_await_refused(size_t n);

/* How many since the reset. */
size_t dsa_accepted(void);
size_t dsa_refused(void);
size_t dsa_executed(void);

/* The accepted descriptor of this number, which is less than DSA_LOGGED. */
struct dsa_descriptor dsa_seen(size_t number);

#ifdef __cplusplus
}
#endif

#endif /* DSA_H */
