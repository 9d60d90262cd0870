/* SPDX-License-Identifier: BSD-3-Clause */
/* engine_x86.c -- the kernels of x86-64; elsewhere there are none */

#include "engine_kernels.h"

#include "cputopo.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>

#define MA__STEP ((size_t)4096)
#define MA__AHEAD_SRC ((size_t)98304)
#define MA__AHEAD_DST ((size_t)49152)

#define MA__NAME "sse2"
#define MA__ISA(name_) sse2_##name_
#define MA__TARGET
#define MA__VEC __m128i
#define MA__LOAD(p_) _mm_loadu_si128((const void *)(p_))
#define MA__STORE(p_, v_) _mm_store_si128((void *)(p_), v_)
#define MA__STOREU(p_, v_) _mm_storeu_si128((void *)(p_), v_)
#define MA__STREAM(p_, v_) _mm_stream_si128((void *)(p_), v_)
#define MA__SPREAD(c_) _mm_set1_epi8(c_)
#define MA__BACKWARD_BELOW 32
#define MA__FORWARD_BEATS_LIBC false
#include "engine_kernels.inc"

#define MA__NAME "avx2"
#define MA__ISA(name_) avx2_##name_
#define MA__TARGET __attribute__((target("avx2")))
#define MA__VEC __m256i
#define MA__LOAD(p_) _mm256_loadu_si256((const void *)(p_))
#define MA__STORE(p_, v_) _mm256_store_si256((void *)(p_), v_)
#define MA__STOREU(p_, v_) _mm256_storeu_si256((void *)(p_), v_)
#define MA__STREAM(p_, v_) _mm256_stream_si256((void *)(p_), v_)
#define MA__SPREAD(c_) _mm256_set1_epi8(c_)
#define MA__BACKWARD_BELOW 256
#define MA__FORWARD_BEATS_LIBC true
#include "engine_kernels.inc"

const struct ma__kernels *
ma__kernels_choose(unsigned features)
{
	if (features & MA__CPU_AVX2)
		return &avx2_kernels;
	if (features & MA__CPU_SSE2)
		return &sse2_kernels;
	return NULL;
}

#else

const struct ma__kernels *
ma__kernels_choose(unsigned features)
{
	(void)features;
	return NULL;
}

#endif
