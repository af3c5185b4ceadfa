/* percell.h: networks per cell state, from expression alone: states, the gate on centring, varying-coefficient ridge.
 *
 * The score of TF t on gene g in cell c is |sum_k W_ck beta_ktg| times the standard deviation of the TF in the state of
 * the cell, sqrt(sum_k W_ck sd_kt^2). Nothing here resolves cells within a state. */
#ifndef CW_PERCELL_H
#define CW_PERCELL_H

#include "ridge.h"
#include "states.h"

typedef enum cw_centring { CW_CENTRE_GATED = 0, CW_CENTRE_ALWAYS, CW_CENTRE_NEVER } cw_centring;

typedef struct cw_percell_options {
    cw_varying_options ridge;
    cw_states_options states;
    cw_centring centring;
    int64_t gate_cells, gate_genes; /* the gate opens with at least so many, */
    double gate_gain;               /* and more evidence than this per entry over the empty network, in nats */
} cw_percell_options;

typedef struct cw_percell {
    int64_t states;     /* 1 when the gate was closed */
    int64_t components; /* principal components used; 0 where states or coordinates were given */
    int centred;
    double gate_gain; /* measured; NaN when the gate wasn't asked, or was closed by cells, genes or states */
    double silhouette[CW_STATES_MAX + 1];
    cw_varying fit;
    float *w;          /* (cells, states) */
    double *pooled;    /* (tfs, genes) */
    double *slope;     /* (states, tfs, genes) */
    double *sd;        /* (states, tfs) */
    double *null_gain; /* (permutations) */
} cw_percell;

/* States and centring alone: x (cells, genes) becomes standardised, and centred on its states where the gate (or the
 * option) says so; `out` has w, states, components, silhouettes, the gate's gain and whether x was centred. */
cw_status cw_percell_centre(cw_ctx *ctx, cw_percell *out, float *x, const int32_t *tf, const float *w,
                            const float *point, const cw_percell_options *options, int64_t cells, int64_t genes,
                            int64_t tfs, int64_t states, int64_t dims);

/* x (cells, genes) normalised expression, destroyed. w (cells, states) given memberships, or NULL: found from point
 * (cells, dims), or where that is NULL too from principal components. Fills `out`, which is freed with cw_percell_free,
 * also after a failure. */
cw_status cw_percell_fit(cw_ctx *ctx, cw_percell *out, float *x, const int32_t *tf, const float *w, const float *point,
                         const cw_percell_options *options, int64_t cells, int64_t genes, int64_t tfs, int64_t states,
                         int64_t dims);
void cw_percell_free(cw_ctx *ctx, cw_percell *p);

#endif
