/* screen.h: cells of a perturbation screen with known truth.
 *
 * 4 signalling genes per pathway feed its 2 transcription factors (TFs); TFs regulate targets and now and then each
 * other. Production of a gene saturates in its regulators, 2 / (1 + exp(-(W h + b))), h = x / (1 + x), b so that it
 * is 1 where all x are 1; some targets with two regulators or more need two at once (AND gates: pairs are not
 * additive). A stress programme of targets answers to the total disturbance of the TFs: perturbed cells share a mean
 * effect. Degradation is linear; the steady state of every cell is found by fixed-point iteration. Cells differ by
 * pathway factors, so that genes of a pathway are correlated without any perturbation; a perturbation works in a
 * share of the cells only. Counts are negative binomial at log-normal library sizes.
 *
 * Side information is a noisy copy of the wiring: terms (as of the Gene Ontology), a graph of interactions, and edges
 * of a network, recall .6 and about as many false ones.
 *
 * Genes in this order: signalling (4 pathways), TFs (2 pathways), targets. All but the targets are perturbed, one by
 * one and in pairs. Every number is a function of (key, gene, pair or cell): equal for any number of threads. */
#ifndef CW_SCREEN_H
#define CW_SCREEN_H

#include "../core/core.h"
#include "../core/settings.h"

enum { CW_SCREEN_SIGNALS = 4, CW_SCREEN_FACTORS = 2, CW_SCREEN_TERMS = 4 }; /* of a pathway */

typedef struct cw_screen_options {
    int64_t pathways, targets, pairs;
    int64_t cells_low, cells_high; /* of a perturbation, drawn from this range */
    int64_t controls;              /* control cells */
    int64_t truth;                 /* cells per perturbation that the truth is the mean of; 0: no truth */
    double depth;                  /* median library size */
    int escape, activation;        /* some cells are not changed; genes are turned up, not down */
    uint64_t key;
} cw_screen_options;

extern const cw_setting cw_screen_settings[]; /* all but the key */
cw_screen_options cw_screen_defaults(void);

typedef struct cw_screen {
    int64_t regulators, genes, perts, cells; /* perts: singles in the order of the genes, then the pairs */
    float *wiring;      /* (regulators, genes) */
    int32_t *gate;      /* (genes, 2) the regulators of an AND gate; -1 */
    double *works;      /* (regulators) share of cells in which the perturbation works */
    double *stress;     /* (genes) */
    int32_t *first, *second; /* (perts) the genes of a perturbation; second -1: single */
    uint8_t *term;      /* (regulators, CW_SCREEN_TERMS pathways) */
    uint8_t *graph;     /* (regulators, regulators), symmetric */
    float *network;     /* (regulators, genes) */
    int32_t *of;        /* (cells) the perturbation; -1: control */
    uint8_t *hit;       /* (cells, 2) the perturbation of the first, second gene works */
    int32_t *counts;    /* (cells, genes) */
    double *truth;      /* (perts, genes) mean log-normalised change where every perturbation works; NULL */
} cw_screen;

/* Fills `out`, which is freed with cw_screen_free, also after a failure. */
cw_status cw_screen_simulate(cw_ctx *ctx, cw_screen *out, const cw_screen_options *options);
void cw_screen_free(cw_ctx *ctx, cw_screen *s);

#endif
