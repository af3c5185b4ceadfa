/* bench_attention.c: seconds of the attention kernels alone, best of `repeats`. Not a test.
 *
 *   make -C tests/engine SAN= OPT=-O2 B=/tmp/engine lib
 *   gcc -std=c11 -O2 -fopenmp -D_POSIX_C_SOURCE=200809L -Isrc/engine bench/bench_attention.c \
 *       $(find /tmp/engine -name '*.o') -lopenblas -lcjson -lm -o /tmp/bench_attention
 *   /tmp/bench_attention [threads=2] [sequences=8] [length=1025] [heads=8] [head_dim=32] [causal=0] [repeats=10]
 *
 * Operations counted: 4 L^2 Dh a head forward, 10 L^2 Dh backward (half when causal); exponentials not counted. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernels/kernels.h"
#include "kernels/cpu/cpu.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *noise(int64_t n, uint64_t seed)
{
    float *x = malloc(sizeof(float) * (size_t)n);
    for (int64_t i = 0; x && i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)(seed >> 40) / 8388608.0f - 1.0f;
    }
    return x;
}

int main(int argc, char **argv)
{
    int64_t arg[] = {2, 8, 1025, 8, 32, 0, 10};
    for (int i = 1; i < argc && i <= 7; i++) arg[i - 1] = atoll(argv[i]);
    int64_t count = arg[1], length = arg[2], heads = arg[3], d = arg[4], n = count * length, width = heads * d;
    cw_exec ex = {(int)arg[0]};
    cw_attention a = {heads, d, 0.17677669f, (int)arg[5]};
    int64_t *start = malloc(sizeof(int64_t) * (size_t)(count + 1));
    float *qkv = noise(n * 3 * width, 1), *dqkv = noise(n * 3 * width, 2), *o = noise(n * width, 3);
    float *dout = noise(n * width, 4), *lse = noise(heads * n, 5), *delta = noise(heads * n, 6);
    int32_t *position = malloc(sizeof(int32_t) * (size_t)n);
    if (!start || !qkv || !dqkv || !o || !dout || !lse || !delta || !position) return 1;
    for (int64_t s = 0; s <= count; s++) start[s] = s * length;
    for (int64_t i = 0; i < n; i++) position[i] = (int32_t)(i % length);
    cw_ragged seq = {count, start};
    double best[3] = {1e9, 1e9, 1e9};
    for (int64_t r = 0; r < arg[6]; r++) {
        double t0 = now();
        cw_cpu_attention(&ex, o, lse, qkv, qkv + width, qkv + 2 * width, 3 * width, seq, a);
        double t1 = now();
        cw_cpu_attention_backward(&ex, dqkv, dqkv + width, dqkv + 2 * width, 3 * width, delta, dout, o, lse, qkv,
                                  qkv + width, qkv + 2 * width, 3 * width, seq, a);
        double t2 = now();
        cw_cpu_rotary(&ex, qkv, 3 * width, position, CW_ROTARY_HALF, 10000.0f, r % 2, n, 2 * heads, d);
        double t3 = now();
        if (t1 - t0 < best[0]) best[0] = t1 - t0;
        if (t2 - t1 < best[1]) best[1] = t2 - t1;
        if (t3 - t2 < best[2]) best[2] = t3 - t2;
    }
    double work = (double)n * (double)length * (double)width * (a.causal ? 0.5 : 1.0);
    printf("threads %d C %lld L %lld H %lld Dh %lld causal %d: forward %.2f ms (%.0f GFLOP/s), backward %.2f ms "
           "(%.0f GFLOP/s), rotary %.2f ms\n",
           ex.threads, (long long)count, (long long)length, (long long)heads, (long long)d, a.causal, best[0] * 1e3,
           4e-9 * work / best[0], best[1] * 1e3, 10e-9 * work / best[1], best[2] * 1e3);
    free(start), free(qkv), free(dqkv), free(o), free(dout), free(lse), free(delta), free(position);
    return 0;
}
