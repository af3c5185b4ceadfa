/* test_golden.c: every golden case of tests/fixtures on the guard device, where only kernels can touch tensor memory: a
 * model that passes here computes on a GPU what it computes on the host. Models whose operations are host-only are
 * skipped by name. */
#define PARITY_WITHOUT_MAIN
#include "parity.c"

#include "guard_case.h"

int main(void)
{
    if (!cw_kernels_guard(&cw_kernels_cpu)) {
        printf("no guard device on this system\n");
        CHECK(cw_guard_held() == 0, "nothing is held");
        return test_end();
    }
    kernels_wanted = "guard";
    visit("../fixtures", 0);
    guard_check("golden cases");
    CHECK(host_only == 2, "%d cases are host only, effendi_a and effendi_b should be", host_only);
    CHECK(cw_guard_held() == 0, "%lld bytes of the guard device are still held", (long long)cw_guard_held());
    return test_end();
}
