/* select.c: see select.h. */
#include "select.h"

static void swap(float *a, float *b)
{
    float t = *a;
    *a = *b, *b = t;
}

float cw_select_largest(float *a, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1, want = k - 1;
    while (low < high) {
        float pivot = a[low + (high - low) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (a[i] > pivot) i++;
            while (a[j] < pivot) j--;
            if (i <= j) swap(&a[i++], &a[j--]);
        }
        if (want <= j) high = j;
        else if (want >= i) low = i;
        else break;
    }
    return a[want];
}

int cw_double_rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int cw_int32_rising(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

int cw_ranked_rising(const void *a, const void *b)
{
    const cw_ranked *x = a, *y = b;
    return x->value != y->value ? (x->value > y->value) - (x->value < y->value) : cw_int32_rising(&x->at, &y->at);
}

int cw_ranked_falling(const void *a, const void *b)
{
    const cw_ranked *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value) - (x->value > y->value) : cw_int32_rising(&x->at, &y->at);
}
