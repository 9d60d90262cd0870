/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * accel_config.c -- what libdml calls of libaccel-config
 *
 * There is a device on each NUMA node, since libdml gives a thread no other, and
 * at most the eight that libdml has room for. All of them have the same queue.
 */

#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_DEVICES 8

struct accfg_ctx {
	int unused;
};

struct accfg_device {
	unsigned node;
};

struct accfg_wq {
	int unused;
};

struct accfg_group {
	int unused;
};

static struct accfg_ctx the_context;
static struct accfg_device devices[MAX_DEVICES];
static struct accfg_wq the_queue;
static struct accfg_group the_group;

static bool
node_exists(unsigned node)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", node);
	return node == 0 || access(path, F_OK) == 0;
}

/* NULL if there is none from this node on. */
static struct accfg_device *
device_from(unsigned node)
{
	for (; node < MAX_DEVICES; node++) {
		if (!node_exists(node))
			continue;
		devices[node].node = node;
		return &devices[node];
	}
	return NULL;
}

DSA_EXPORT int
accfg_new(struct accfg_ctx **context)
{
	if (dsa_setup() == DSA_NO_CONTEXT)
		return -ENOMEM;
	dsa_trap();
	dsa_found();
	*context = &the_context;
	return 0;
}

DSA_EXPORT struct accfg_ctx *
accfg_unref(struct accfg_ctx *context)
{
	(void)context;
	return NULL;
}

DSA_EXPORT struct accfg_device *
accfg_device_get_first(struct accfg_ctx *context)
{
	(void)context;
	return dsa_setup() == DSA_NO_DEVICE ? NULL : device_from(0);
}

DSA_EXPORT struct accfg_device *
accfg_device_get_next(struct accfg_device *device)
{
	return device_from(device->node + 1);
}

DSA_EXPORT const char *
accfg_device_get_devname(struct accfg_device *device)
{
	static char names[MAX_DEVICES][8];

	snprintf(names[device->node], sizeof(names[0]), "dsa%u", device->node);
	return names[device->node];
}

DSA_EXPORT int
accfg_device_get_state(struct accfg_device *device)
{
	(void)device;
	return dsa_setup() != DSA_DEVICE_DISABLED;
}

DSA_EXPORT unsigned
accfg_device_get_version(struct accfg_device *device)
{
	(void)device;
	return 0x100;
}

/* Its largest transfer, 2^31, is that of most devices; the queue's counts. */
DSA_EXPORT unsigned long
accfg_device_get_gen_cap(struct accfg_device *device)
{
	(void)device;
	return dsa_capabilities() | 31ul << 16;
}

/* An int in the real library; libdml reads a whole register. */
DSA_EXPORT unsigned long
accfg_device_get_numa_node(struct accfg_device *device)
{
	return dsa_setup() == DSA_NO_NODE ? UINT32_MAX : device->node;
}

DSA_EXPORT struct accfg_wq *
accfg_wq_get_first(struct accfg_device *device)
{
	(void)device;
	return dsa_setup() == DSA_NO_QUEUE ? NULL : &the_queue;
}

DSA_EXPORT struct accfg_wq *
accfg_wq_get_next(struct accfg_wq *queue)
{
	(void)queue;
	return NULL;
}

DSA_EXPORT int
accfg_wq_get_state(struct accfg_wq *queue)
{
	(void)queue;
	return dsa_setup() != DSA_QUEUE_DISABLED;
}

/* 0 is shared, 1 dedicated. */
DSA_EXPORT int
accfg_wq_get_mode(struct accfg_wq *queue)
{
	(void)queue;
	return dsa_setup() == DSA_QUEUE_DEDICATED;
}

DSA_EXPORT const char *
accfg_wq_get_devname(struct accfg_wq *queue)
{
	(void)queue;
	return "wq0.0";
}

DSA_EXPORT int
accfg_wq_get_priority(struct accfg_wq *queue)
{
	(void)queue;
	return 10;
}

/* libdml maps it as the portal. ENQCMD never gets as far as to write there. */
DSA_EXPORT int
accfg_wq_get_user_dev_path(struct accfg_wq *queue, char *path, size_t size)
{
	(void)queue;
	return snprintf(path, size, "%s",
		dsa_setup() == DSA_NO_ACCESS ? "/dev/does-not-exist"
					     : "/dev/zero");
}

DSA_EXPORT struct accfg_group *
accfg_wq_get_group(struct accfg_wq *queue)
{
	(void)queue;
	return &the_group;
}

DSA_EXPORT int
accfg_wq_get_group_id(struct accfg_wq *queue)
{
	(void)queue;
	return 0;
}

DSA_EXPORT struct accfg_group *
accfg_group_get_first(struct accfg_device *device)
{
	(void)device;
	return &the_group;
}

DSA_EXPORT struct accfg_group *
accfg_group_get_next(struct accfg_group *group)
{
	(void)group;
	return NULL;
}

DSA_EXPORT int
accfg_group_get_id(struct accfg_group *group)
{
	(void)group;
	return 0;
}

DSA_EXPORT int
accfg_group_get_traffic_class_a(struct accfg_group *group)
{
	(void)group;
	return 0;
}

DSA_EXPORT int
accfg_group_get_traffic_class_b(struct accfg_group *group)
{
	(void)group;
	return 1;
}
