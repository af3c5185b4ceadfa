/* integration.h: how well an embedding keeps cell types together and batches mixed (Luecken et al. 2022, scIB; LISI:
 * Korsunsky et al. 2019; kBET: Buettner et al. 2019), in double.
 *
 * What isn't given (NULL) isn't computed: its numbers are NaN and no mean counts them. Time n^2 dims for silhouettes. */
#ifndef CW_INTEGRATION_H
#define CW_INTEGRATION_H

#include "../core/core.h"

typedef struct cw_integration_input {
    int64_t n, labels, batches;
    const int32_t *label, *batch; /* (n) in 0 .. labels - 1, 0 .. batches - 1, every one used */
    const double *embedding;      /* (n, dims) */
    int64_t dims;
    const double *pre; /* (n, genes): before integration, for PCR; or NULL */
    int64_t genes;
    const int32_t *cluster; /* (clusterings, n) any whole numbers >= 0; or NULL */
    int64_t clusterings;
    const int32_t *from, *to; /* (edges) of an undirected graph; or NULL */
    int64_t edges;
    const int32_t *near;    /* (n, k): neighbours, the cell itself first; or NULL */
    const double *distance; /* (n, k) */
    int64_t k;
} cw_integration_input;

/* Arrays are the caller's; any may be NULL. */
typedef struct cw_integration {
    double *nmi, *ari;             /* (clusterings) */
    double *asw_batch_label;       /* (labels), NaN: one batch only, or as many as cells */
    double *lisi_batch, *lisi_label; /* (n) */
    double *kbet_stat, *kbet_p;    /* (n) */
    int64_t best;                  /* clustering with the largest NMI, or -1 */
    double asw_label, asw_batch, graph_connectivity, isolated_asw, isolated_f1, pcr_pre, pcr_post, pcr_comparison, ilisi,
        clisi, kbet_accept, avg_bio, avg_batch, overall;
} cw_integration;

cw_status cw_integration_metrics(cw_ctx *ctx, cw_integration *out, const cw_integration_input *in);

/* s (n): (b - a) / max(a, b), a the mean distance to the own group's others, b the least mean distance to another group;
 * 0 for a group of one, and where there is no other group. x (n, dims), Euclidean; member NULL, or only the cells with
 * member[i] != 0 count, s of the others is 0. */
cw_status cw_silhouette(cw_ctx *ctx, double *s, const double *x, const int32_t *group, const uint8_t *member, int64_t n,
                        int64_t dims, int64_t groups);

#endif
