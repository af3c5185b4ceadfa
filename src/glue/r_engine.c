/* r_engine.c: what the engine is and how fast; random permutations. */
#include "glue.h"

#include "config.h"
#include "../engine/core/comm.h"
#include "../engine/core/rng.h"
#include "../engine/core/threads.h"
#include "../engine/io/hdf5.h"
#include "../engine/kernels/cpu/cpu.h"

#include <cjson/cJSON.h>
#ifdef CW_HAVE_FFTW3F
#include <fftw3.h>
#endif
#include <string.h>
#include <time.h>

static const char *openmp_version(void)
{
#ifdef _OPENMP
    return CW_OPENMP_VERSION[0] ? CW_OPENMP_VERSION : "yes";
#else
    return "";
#endif
}

static const char *transforms_version(void)
{
#ifdef CW_HAVE_FFTW3F
    return fftwf_version; /* e.g. "fftw-3.3.10-sse2-avx" */
#else
    return "";
#endif
}

SEXP cw_r_engine_info(void)
{
    static const char *const names[] = {"cpu",      "simd",           "kernels",     "threads", "blas",
                                        "blasCore", "blasCoreLoaded", "blasRetuned", "openmp",  "hdf5",
                                        "cjson",    "fftw",           "mpi",         "nvcc",    "compiler"};
    enum { COUNT = sizeof names / sizeof *names };
    SEXP list = PROTECT(cw_glue_list(COUNT, names));
    cw_ctx *ctx = cw_glue_enter(0); /* so that the answer is that of a working engine */
    cw_blas_info blas = cw_blas_get();
    int threads = ctx->threads;
    const char *kernels = ctx->kernels->name;
    cw_glue_leave(ctx);
    const char *text[COUNT] = {cw_cpu_name(),
                               cw_cpu_has_amx() ? "avx512, amx" : cw_cpu_simd(),
                               kernels,
                               NULL,
                               blas.name,
                               blas.core,
                               blas.core_loaded,
                               NULL,
                               openmp_version(),
                               cw_hdf5_version(),
                               cJSON_Version(),
                               transforms_version(),
                               cw_comm_mpi_version(),
                               CW_NVCC_VERSION,
                               CW_CC};
    for (int i = 0; i < COUNT; i++)
        if (text[i]) SET_VECTOR_ELT(list, i, Rf_mkString(text[i]));
    SET_VECTOR_ELT(list, 3, Rf_ScalarInteger(threads));
    SET_VECTOR_ELT(list, 7, Rf_ScalarLogical(blas.retuned));
    UNPROTECT(1);
    return list;
}

static double seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Best of `repeats` sgemm of n x n x n through the engine's kernel, in GFLOP/s. */
SEXP cw_r_gemm_speed(SEXP n_, SEXP repeats_, SEXP threads_)
{
    int64_t n = Rf_asInteger(n_);
    int repeats = Rf_asInteger(repeats_);
    if (n < 1 || n > 32768 || repeats < 1) Rf_error("'n' must be 1 to 32768 and 'repeats' 1 or more");
    SEXP result = PROTECT(Rf_allocVector(REALSXP, 1));
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads_));
    float *a = cw_alloc(ctx, 3 * n * n, sizeof(float));
    double best = 0;
    if (a) {
        cw_rng_fill_uniform(a, 3 * n * n, cw_rng_stream(1, CW_RNG_USER, 0, 0), -1.0f, 1.0f);
        const cw_exec ex = {ctx->threads};
        for (int i = 0; i < repeats && cw_poll(ctx) == CW_OK; i++) {
            double start = seconds();
            ctx->kernels->gemm(&ex, a + 2 * n * n, n, a, n, 0, a + n * n, n, 0, 1.0f, 0.0f, n, n, n);
            double speed = 2e-9 * (double)n * (double)n * (double)n / (seconds() - start);
            if (speed > best) best = speed;
        }
    }
    cw_free(ctx, a);
    cw_glue_leave(ctx);
    REAL(result)[0] = best;
    UNPROTECT(1);
    return result;
}

/* The order 0 .. n-1 of an epoch. */
SEXP cw_r_permutation(SEXP n_, SEXP key, SEXP epoch)
{
    double n = Rf_asReal(n_);
    if (!(n >= 0 && n < 2147483647.0)) Rf_error("internal error: a permutation of %g", n);
    uint64_t k = cw_glue_key(key);
    SEXP result = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)n));
    cw_ctx *ctx = cw_glue_enter(1);
    int64_t *order = cw_alloc(ctx, (int64_t)n, sizeof *order);
    if (order) {
        cw_rng_permutation(order, (int64_t)n, cw_rng_stream(k, CW_RNG_SHUFFLE, (uint64_t)Rf_asInteger(epoch), 0));
        for (int64_t i = 0; i < (int64_t)n; i++) INTEGER(result)[i] = (int)order[i];
    }
    cw_free(ctx, order);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return result;
}
