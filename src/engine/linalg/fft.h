/* fft.h: Fourier transforms of real numbers, single precision: FFTW where the build has it, else a radix-2 transform
 * of our own (powers of two only).
 *
 * A plan belongs to a context and is made once per length (FFTW's planner isn't thread-safe, so calls to it are
 * serialised; it estimates and never measures, so that the same plan is chosen every time). Transforms with a plan may
 * run on many threads at once. Arrays are CW_ALIGN-aligned. */
#ifndef CW_FFT_H
#define CW_FFT_H

#include "../core/core.h"

typedef struct cw_fft cw_fft;

int64_t cw_fft_size(int64_t n); /* the smallest length >= n, and >= 2, that is fast */
/* The plan for n = cw_fft_size(..) values, owned by the context; NULL with the error recorded. */
const cw_fft *cw_fft_plan(cw_ctx *ctx, int64_t n);
int64_t cw_fft_floats(int64_t n); /* room for n values, or for their spectrum (n / 2 + 1 complex numbers), in floats */
const char *cw_fft_name(void);    /* static: "FFTW 3.3.10" or "built-in" */

/* spectrum_k = sum_t x_t e^(-2 pi i k t / n), k = 0 .. n/2, (re, im) pairs. Destroys x. */
void cw_fft_forward(const cw_fft *plan, float *spectrum, float *x);
/* x with that spectrum, times n (nothing is scaled). Destroys the spectrum. */
void cw_fft_backward(const cw_fft *plan, float *x, float *spectrum);

#endif
