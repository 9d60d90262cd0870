/* SPDX-License-Identifier: BSD-3-Clause */
/* device.h -- what the parts of the emulated device share */

#ifndef DSA_DEVICE_H
#define DSA_DEVICE_H

#include "dsa.h"

#include <stdbool.h>

#define DSA_EXPORT __attribute__((visibility("default")))

/* How a descriptor is to end, and what its record says of it. */
struct dsa_outcome {
	uint8_t status;
	uint8_t result; /* 1: a move that went from the end to the start */
	uint32_t done; /* bytes */
};

/* What the queue answers to ENQCMD. Called in a signal handler. */
bool dsa_enqueue(const struct dsa_descriptor *descriptor);

/* Says that the device has been found, by this process. */
void dsa_found(void);

/* The process that found the device, or 0. */
int dsa_owner(void);

/* Catches ENQCMD from now on. */
void dsa_trap(void);

enum dsa_setup dsa_setup(void);
unsigned dsa_capabilities(void);

/* Ends the process. */
__attribute__((noreturn)) void dsa_die(const char *why);

/* DSA_SUCCESS, or the error with which a device answers the descriptor. */
unsigned dsa_validate(const struct dsa_descriptor *d, unsigned capabilities,
	uint32_t max_transfer);

/* Does the first outcome->done bytes of the work, and sets outcome->result. */
void dsa_execute(const struct dsa_descriptor *d, struct dsa_outcome *outcome);

/* Writes the completion record: the status last, which is what is polled. */
void dsa_complete(const struct dsa_descriptor *d, struct dsa_outcome outcome);

#endif /* DSA_DEVICE_H */
