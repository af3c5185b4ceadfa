/* gene_order.h: a causal order of genes from a network (scCAFM's EFM reads genes in it). */
#ifndef CW_GENE_ORDER_H
#define CW_GENE_ORDER_H

#include "../../core/core.h"

/* grn (genes, genes), row = source, of one cell; active (genes) or NULL: all. The diagonal and negative weights count as
 * 0. Again and again the gene with no incoming weight left and the most outgoing is taken (ties: first position); where
 * every gene has incoming weight, the one with the largest out / (in + 1e-12) (a cycle break); its edges are removed.
 * position (genes) is written: the order of active genes, then the inactive ones as they stand. Returns CW_OK or the
 * error recorded. */
cw_status cw_gene_order(cw_ctx *ctx, int32_t *position, int64_t *actives, int64_t *cycle_breaks, const float *grn,
                        const uint8_t *active, int64_t genes);

#endif
