/* test_effendi.c: the golden cases with both kernel tables, any number of threads, known answers, refusals. */
#include "core/threads.h"
#include "test.h"

typedef struct {
    double rtol, atol;
} tolerance;

static double worst;
static int64_t compared;

static void compare(const char *group, const char *tensor, const float *got, const float *want, int64_t n,
                    tolerance tol)
{
    for (int64_t i = 0; i < n; i++) {
        double e = fabs((double)got[i] - want[i]) / (tol.atol + tol.rtol * fabs((double)want[i]));
        if (!(e <= worst)) worst = isnan(e) ? INFINITY : e;
        if (!(e <= 1)) {
            CHECK(0, "%s, %s: value %lld is %g, golden %g", group, tensor, (long long)i, (double)got[i],
                  (double)want[i]);
            return;
        }
    }
    test_passed++;
    compared += n;
}
static void end_group(void) {}

#include "parity_effendi.h"

static void golden(void)
{
    static const char *const dirs[] = {"../fixtures/effendi_a", "../fixtures/effendi_b"};
    for (int i = 0; i < 2; i++) {
        CHECK(is_effendi(dirs[i]), "%s is not seen as a case", dirs[i]);
        run_effendi(dirs[i], "ref", 1);
        run_effendi(dirs[i], "cpu", 3);
    }
    CHECK(!is_effendi("../fixtures/sfm_a"), "an SFM is taken for an Effendi");
    printf("%lld values, largest error / tolerance %.3g\n", (long long)compared, worst);
}

int main(void)
{
    int before = cw_blas_enter();
    golden();
    cw_blas_leave(before);
    return test_end();
}
