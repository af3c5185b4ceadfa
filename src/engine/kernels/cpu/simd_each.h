/* simd_each.h: includes the file CW_TILES ("x_tiles.h") once for every SIMD level. */
#include "cpu.h"

#if defined(__x86_64__)
#define CW_SIMD CW_SIMD_AVX512
#include "simd.h"
#include CW_TILES
#undef CW_SIMD
#define CW_SIMD CW_SIMD_AVX2
#include "simd.h"
#include CW_TILES
#undef CW_SIMD
#endif
#define CW_SIMD CW_SIMD_GENERIC
#include "simd.h"
#include CW_TILES
#undef CW_SIMD
#undef CW_TILES

/* CW_SIMD_TABLE(f) = {f_generic, f_avx2, f_avx512}, indexed by cw_cpu_simd_level() */
#undef CW_SIMD_TABLE
#if defined(__x86_64__)
#define CW_SIMD_TABLE(f) {f##_generic, f##_avx2, f##_avx512}
#else
#define CW_SIMD_TABLE(f) {f##_generic, f##_generic, f##_generic}
#endif
