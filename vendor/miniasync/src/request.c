/* SPDX-License-Identifier: BSD-3-Clause */
/* request.c -- what an operation asks for, the same for every mover */

#include "request.h"

#include "engine.h"
#include "flush.h"

bool
ma__request_read(struct ma__request *request,
	const struct vdm_operation *operation)
{
	request->type = operation->type;
	request->c = 0;
	request->src = NULL;
	switch (operation->type) {
	case VDM_OPERATION_MEMCPY:
		request->dst = operation->data.memcpy.dest;
		request->src = operation->data.memcpy.src;
		request->n = operation->data.memcpy.n;
		request->flags = operation->data.memcpy.flags;
		return true;
	case VDM_OPERATION_MEMMOVE:
		request->dst = operation->data.memmove.dest;
		request->src = operation->data.memmove.src;
		request->n = operation->data.memmove.n;
		request->flags = operation->data.memmove.flags;
		return true;
	case VDM_OPERATION_MEMSET:
		request->dst = operation->data.memset.str;
		request->c = operation->data.memset.c;
		request->n = operation->data.memset.n;
		request->flags = operation->data.memset.flags;
		return true;
	case VDM_OPERATION_FLUSH:
		request->dst = operation->data.flush.dest;
		request->n = operation->data.flush.n;
		request->flags = operation->data.flush.flags;
		return true;
	}
	return false;
}

void
ma__request_run(const struct ma__request *request, size_t offset, size_t n)
{
	char *dst = request->dst + offset;

	if (n == 0)
		return; /* dst and src may be NULL, which libc does not bear */
	switch (request->type) {
	case VDM_OPERATION_MEMCPY:
		ma__copy(dst, request->src + offset, n, request->n,
			request->flags);
		break;
	case VDM_OPERATION_MEMMOVE:
		ma__move(dst, request->src + offset, n, request->n,
			request->flags);
		break;
	case VDM_OPERATION_MEMSET:
		ma__fill(dst, request->c, n, request->n, request->flags);
		break;
	case VDM_OPERATION_FLUSH:
		ma__flush(dst, n);
		break;
	}
}

bool
ma__request_overlaps(const struct ma__request *request)
{
	const uintptr_t dst = (uintptr_t)request->dst;
	const uintptr_t src = (uintptr_t)request->src;

	if (request->src == NULL)
		return false;
	return dst < src ? src - dst < request->n : dst - src < request->n;
}

void
ma__request_output(const struct vdm_operation *operation,
	enum vdm_operation_result result, struct vdm_operation_output *output)
{
	const bool ok = result == VDM_SUCCESS;

	memset(output, 0, sizeof(*output));
	output->type = operation->type;
	output->result = result;
	switch (operation->type) {
	case VDM_OPERATION_MEMCPY:
		output->output.memcpy.dest =
			ok ? operation->data.memcpy.dest : NULL;
		break;
	case VDM_OPERATION_MEMMOVE:
		output->output.memmove.dest =
			ok ? operation->data.memmove.dest : NULL;
		break;
	case VDM_OPERATION_MEMSET:
		output->output.memset.str =
			ok ? operation->data.memset.str : NULL;
		break;
	case VDM_OPERATION_FLUSH:
		break;
	}
}
