/* layer_hyena.h: the Hyena operator (Poli et al. 2023): gates and long convolutions whose filters are a small network
 * of the position. */
#ifndef CW_LAYER_HYENA_H
#define CW_LAYER_HYENA_H

#include "layer_linear.h"

#define CW_HYENA_MAX_SINES 8
#define CW_HYENA_MAX_ORDER 8

/* h_t = w_last sin(f .. sin(f (w_0 z_t + b_0))) * (e^(-t |delta|) + shift) */
typedef struct cw_hyena_filter {
    int sines;                                 /* layers followed by a sine */
    cw_layer_linear layer[CW_HYENA_MAX_SINES]; /* each with bias */
    cw_layer_linear last;                      /* without, to (order - 1) d channels */
    cw_tensor *freq;                           /* (1,width), one for all sines */
    cw_tensor *z, *time, *deltas;              /* (longest,features), (longest,1), (1,channels) */
    int modulate;
    float shift;
} cw_hyena_filter;

typedef struct cw_layer_hyena {
    int64_t order;                /* >= 2 */
    cw_layer_linear in, out;      /* in: to (order + 1) d */
    cw_tensor *short_w, *short_b; /* ((order + 1) d, 1, taps), ((order + 1) d) */
    cw_hyena_filter filter;
    cw_tensor *bias; /* ((order - 1) d) */
} cw_layer_hyena;

/* The filters' first `length` values, (length, (order - 1) d). The same for all sequences and steps of a frozen model.
 */
cw_tensor *cw_hyena_filter_forward(cw_tape *t, const cw_hyena_filter *f, int64_t length);
/* x (n,d) -> (n,d) with those filters, which must be as long as the longest sequence */
cw_tensor *cw_layer_hyena_forward(cw_tape *t, cw_tensor *x, const cw_layer_hyena *l, cw_tensor *filter, cw_ragged seq);

#endif
