/* test.h: what every engine test includes. A test file is a program; main() runs its functions and returns test_end(). */
#ifndef CW_TEST_H
#define CW_TEST_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_passed, test_failed;

/* One counted check. */
#define CHECK(cond, ...)                                               \
    do {                                                               \
        if (cond) test_passed++;                                       \
        else {                                                         \
            test_failed++;                                             \
            printf("FAIL %s:%d: %s: ", __FILE__, __LINE__, #cond);     \
            printf(__VA_ARGS__);                                       \
            printf("\n");                                              \
        }                                                              \
    } while (0)

/* Prints the closing line and gives main's return value. A program that checked nothing has failed. */
static inline int test_end(void)
{
    if (test_passed + test_failed == 0) test_failed = 1;
    printf("%d passed, %d failed\n", test_passed, test_failed);
    return test_failed != 0;
}

#endif
