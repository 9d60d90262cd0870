/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dml/dml.h -- as much of libdml's interface as the DML mover uses
 *
 * For the test double (../double.c), which takes libdml's place. The numbers and
 * the order of the members are libdml's.
 */

#ifndef DOUBLE_DML_H
#define DOUBLE_DML_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { DML_PATH_AUTO, DML_PATH_SW, DML_PATH_HW } dml_path_t;

typedef enum {
	DML_OP_NOP = 0x00,
	DML_OP_MEM_MOVE = 0x03,
	DML_OP_FILL = 0x04,
	DML_OP_CACHE_FLUSH = 0x20,
} dml_operation_t;

#define DML_FLAG_PREFETCH_CACHE 0x100U

typedef enum {
	DML_STATUS_OK = 0,
	DML_STATUS_FALSE_PREDICATE_OK = 1,
	DML_STATUS_BEING_PROCESSED = 2,
	DML_STATUS_INTERNAL_ERROR = 3,
	DML_STATUS_NULL_POINTER_ERROR = 4,
	DML_STATUS_PATH_ERROR = 6,
	DML_STATUS_JOB_OPERATION_ERROR = 13,
	DML_STATUS_JOB_FLAGS_ERROR = 14,
	DML_STATUS_JOB_LENGTH_ERROR = 15,
	DML_STATUS_PAGE_FAULT_ERROR = 25,
	DML_STATUS_INTL_INVALID_PAGE_REQUEST = 33,
	DML_STATUS_INTL_ADDRESS_TRANSLATION_ERROR = 45,
	DML_STATUS_LIBACCEL_NOT_FOUND = 100,
	DML_STATUS_LIBACCEL_ERROR = 101,
	DML_STATUS_WORK_QUEUES_NOT_AVAILABLE = 102,
} dml_status_t;

typedef struct {
	uint8_t *source_first_ptr;
	uint8_t *source_second_ptr;
	uint8_t *destination_first_ptr;
	uint8_t *destination_second_ptr;
	uint32_t *crc_checksum_ptr;
	uint32_t source_length;
	uint32_t destination_length;
	uint32_t offset;
	uint8_t pattern[8];
	dml_operation_t operation;
	uint32_t result;
	uint32_t expected_result;
	uint64_t flags;
	uint32_t dif_config[6];
	uint32_t numa_id;
	uint8_t *internal_data_ptr;
} dml_job_t;

dml_status_t dml_get_job_size(dml_path_t path, uint32_t *size);
dml_status_t dml_init_job(dml_path_t path, dml_job_t *job);
dml_status_t dml_finalize_job(dml_job_t *job);
dml_status_t dml_submit_job(dml_job_t *job);
dml_status_t dml_check_job(dml_job_t *job);

#ifdef __cplusplus
}
#endif

#endif /* DOUBLE_DML_H */
