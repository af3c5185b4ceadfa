/* simulate.h: single cells with a known regulatory network in each of them.
 *
 * TFs regulate each other (earlier ones only, so there is no loop) and the other genes, through Hill functions that
 * activate or repress. Cells live in contexts, pure or mixed along a path. A share of the edges works in one or two
 * contexts only, and TFs can be off in a context. Expression is drawn at the steady state, in the order of the genes:
 *   x_g = base_g(context) noise prod_e f_e,   f = 1 + a h S for an activator, 1 / (1 + a h S) for a repressor,
 *   h = u^n / (1 + u^n), u = x_TF / (its median k),  S = share of the cell's context in which the edge works.
 * Counts: Poisson with gamma noise (negative binomial) at log-normal library sizes, then dropout of low counts.
 *
 * Every number is a function of (key, gene or cell): equal for any number of threads. */
#ifndef CW_SIMULATE_H
#define CW_SIMULATE_H

#include "../core/core.h"

typedef enum cw_course {
    CW_COURSE_MIXED = 0, /* the last two contexts are joined by a path, the others are apart */
    CW_COURSE_DISCRETE,  /* every cell in one context */
    CW_COURSE_BRANCHING, /* from context 0 to one of the others */
    CW_COURSE_CYCLE      /* round through all contexts */
} cw_course;

enum { CW_SIMULATE_CONTEXTS = 32 }; /* at most */

typedef struct cw_simulate_options {
    int64_t cells, genes, tfs, contexts;
    cw_course course;
    double depth;       /* mean count per gene and cell */
    double switching;   /* share of edges that work in one or two contexts only */
    double off;         /* chance of a TF to be off in a context */
    double noise;       /* log-normal sd of a target's expression, not explained by its TFs */
    double tf_noise;    /* the same for TFs */
    double tf_spread;   /* log-normal sd of a TF's level between contexts */
    double gene_spread; /* the same for the other genes */
    double library;     /* log-normal sd of library size */
    double dispersion;  /* shape of the gamma noise; large: Poisson */
    double dropout;     /* most that is lost of a gene with next to no counts */
    uint64_t key;
} cw_simulate_options;

typedef struct cw_simulation {
    int64_t edges;
    int32_t *tf, *gene;   /* (edges), from 0; TFs are the first genes */
    int8_t *sign;         /* (edges) +1 or -1 */
    uint8_t *works;       /* (edges, contexts): the edge works there, its TF being on */
    uint8_t *on;          /* (tfs, contexts): the TF is on */
    float *context;       /* (cells, contexts), rows sum to 1 */
    double *position;     /* (cells) along the path, 0 to 1; NaN for a cell that is not on one */
    int32_t *counts;      /* (cells, genes) */
} cw_simulation;

/* The defaults: the method page's 2,000 cells, 140 genes, 24 TFs, 4 contexts at depth 4. */
cw_simulate_options cw_simulate_defaults(void);

/* Fills `out`, which is freed with cw_simulation_free, also after a failure. An edge is active in a cell when its
 * context-weighted `works` and its TF's `on` are both above 1/2. */
cw_status cw_simulate(cw_ctx *ctx, cw_simulation *out, const cw_simulate_options *options);
void cw_simulation_free(cw_ctx *ctx, cw_simulation *s);

#endif
