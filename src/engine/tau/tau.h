/* tau.h: chromatin-to-RNA delays of genes (tau), anchored: identified by where each gene's own RNA repeats its
 * chromatin.
 *
 *   a_g(z) = c_g(z),   r_g(z) = alpha_g + beta_g c_g(phi_{-tau_g}(z)),   beta_g > 0
 *
 * z is cell state shared by both modalities, phi the flow of that state. Delays are identified up to one common unit
 * (median 1 over usable genes) and a modulation over cells that all genes share. Steps, each with its own file:
 *   tau_counts.c   counts in the order of names, capped, halved
 *   tau_embed.c    LSI, PCA and their canonical correlations -> z
 *   tau_flow.c     metacells, landmarks, gene chromatin, displacement -> velocity, back-trace, lead of held-out genes
 *   tau_readout.c  lag-free fits, profile likelihood over a grid of lags, posterior, amortised prior
 *   tau_shape.c    lags with a shape: delay, kinetics, and between; the same curves under another flow
 *   tau_clock.c    true differences of genes beside errors that they share
 *   tau_follow.c   does RNA follow chromatin? on halved counts
 *   tau_along.c    the rim of the sampled window, baselines
 *   tau.c          all of it in order; tau_steps.c: what it shares with the test
 *
 * Matrices are row-major; sizes: N cells, G genes, P peaks, M metacells, J landmarks, d shared axes, T grid points.
 * Gene-wise arrays are (G, M), so that R sees them as M x G. All functions return the context's status and record the
 * reason of a failure; outputs then are undefined. Results depend on the key, never on ctx->threads. */
#ifndef CW_TAU_H
#define CW_TAU_H

#include "../core/arena.h"
#include "../core/core.h"
#include "../core/settings.h"

/* Counts, column-compressed by cell (the slots of a dgCMatrix, features x cells); rows ascend within a cell. Borrowed.
 */
typedef struct cw_counts {
    const int32_t *start; /* (cells + 1) */
    const int32_t *row;   /* (start[cells]) */
    const double *value;  /* (start[cells]) >= 0 */
    int64_t rows, cells;
} cw_counts;

/* ---- tau_counts.c ------------------------------------------------------------------------------------------------ */

/* Ids of cells and features: all random numbers that belong to one are keyed by it. NULL: the index. */
uint64_t cw_tau_mix(uint64_t x);
uint64_t cw_tau_id(const char *name);

/* x with its cells and rows in the order given: cell i is x's cell[i], row j x's row[j]. A copy, in the arena. */
cw_status cw_tau_arrange(cw_arena *arena, cw_counts *out, const cw_counts *x, const int32_t *cell, const int32_t *row);

typedef struct cw_tau_capped {
    int64_t values, cells; /* changed */
} cw_tau_capped;

/* No value above 10 x (the row's 99% point over cells + 1); then cells above 10 x the median depth are thinned to that
 * depth. x->value is replaced by a copy where anything changes; zeros stay listed. */
cw_status cw_tau_cap(cw_arena *arena, cw_counts *x, cw_tau_capped *told, const uint64_t *cell_id,
                     const uint64_t *row_id, uint64_t key);

/* n of the cells, drawn by their ids: cell (n), ascending. */
cw_status cw_tau_draw_cells(cw_arena *arena, int32_t *cell, const uint64_t *cell_id, int64_t cells, int64_t n,
                            uint64_t key);
/* Two halves of the counts of the cells listed: Binomial(x, 1/2) and the rest, independent where x is Poisson. Zeros
 * stay listed. */
cw_status cw_tau_halve(cw_arena *arena, cw_counts half[2], const cw_counts *x, const int32_t *cell, int64_t cells,
                       const uint64_t *cell_id, const uint64_t *row_id, uint64_t key);
void cw_tau_halves_give(cw_arena *arena, cw_counts half[2]);

/* ---- tau_embed.c ------------------------------------------------------------------------------------------------- */

/* What puts a cell of one modality on linear axes: score = (f(x) - centre) loading. */
typedef struct cw_tau_axes {
    int64_t rows, k;  /* features, axes; rows = 0: the scores were given, there is no way from counts */
    int chromatin;    /* f: 1 log1p(1e4 x / depth * weight), 0 log1p(x / depth * target) */
    double target;    /* median depth */
    double *weight;   /* (rows) log(1 + N / cells with the peak); NULL for RNA */
    double *centre;   /* (rows) means for RNA; NULL for chromatin */
    double *loading;  /* (rows, k) */
    double *mean;     /* (k) of the scores */
    double *rotation; /* (k, d) ridge-whitening and CCA: u = (score - mean) rotation */
} cw_tau_axes;

/* LSI: SVD of log1p(1e4 TF x log(1 + N/n_p)) without its first component, which tracks depth; or PCA of log1p of
 * median-normalised RNA. score (N, axes->k) is written; axes' arrays and score are taken from the arena. At most
 * `components` axes, fewer for small data. Randomised SVD: Halko, Martinsson & Tropp 2011, algorithm 4.4. */
cw_status cw_tau_embed_counts(cw_arena *arena, double **score, cw_tau_axes *axes, const cw_counts *x, int chromatin,
                              int64_t components, uint64_t key);

/* score (x->cells, axes->k) of new cells. */
cw_status cw_tau_score(cw_arena *arena, double *score, const cw_tau_axes *axes, const cw_counts *x);

typedef struct cw_tau_shared {
    int64_t d;     /* axes kept */
    int64_t above; /* canonical correlations above `null` */
    int64_t count; /* canonical correlations there are */
    double null;   /* the largest of `shuffles` shuffled pairings */
    double *cor;   /* (count) descending */
    double *z;     /* (N, d): (u + v) s / sqrt(2 (1 + s)), the posterior mean of the shared state, weighted by s */
} cw_tau_shared;

/* Ridge canonical correlation of two embeddings of the same cells: a (N, A->k), b (N, B->k). Sets mean and rotation. */
cw_status cw_tau_cca(cw_arena *arena, cw_tau_shared *out, cw_tau_axes *A, cw_tau_axes *B, const double *a,
                     const double *b, int64_t N, int64_t shuffles, int64_t low, int64_t high, uint64_t key);

/* z (n, d) of cells with one modality: E[z | u] = u s sqrt((1 + s) / 2), for E[v | u] = s u. cor (d). */
cw_status cw_tau_project(cw_arena *arena, double *z, const cw_tau_axes *axes, const double *score, const double *cor,
                         int64_t n, int64_t d);

/* ---- tau_flow.c -------------------------------------------------------------------------------------------------- */

#define CW_TAU_PULL 0.7 /* of the back-trace towards the cells, per unit of time; .3 to .7 do the same */

/* Metacells, the basis and the flow on it. */
typedef struct cw_tau_flow {
    int64_t M, J, d;
    double *z;         /* (M, d) mean state of each metacell */
    double *size;      /* (M) cells in it */
    double *landmark;  /* (J, d) */
    double bandwidth;  /* of B_j(z) = softmax_j(-|z - l_j|^2 / 2 h^2) */
    double *velocity;  /* (J, d) at the landmarks; v(z) = sum_j B_j(z) v_j */
    double pull;       /* of a back-trace towards the local mean, orthogonal to the flow: rate per unit of time */
} cw_tau_flow;

/* Weighted k-means, greedy k-means++ start, at most `rounds` rounds, best of `starts`: centre (k, dims), label (n).
 * weight (n) >= 0 or NULL. No cluster stays empty where there are k different points. */
cw_status cw_tau_kmeans(cw_arena *arena, double *centre, int32_t *label, const double *point, const double *weight,
                        int64_t starts, int64_t rounds, uint64_t key, int64_t n, int64_t dims, int64_t k);

void cw_tau_soft(double *B, const double *point, const double *landmark, double h, int64_t n, int64_t J, int64_t d,
                 int threads); /* B (n, J) */

/* Neighbours of each metacell (M, k), nearest first, without itself. */
void cw_tau_neighbours(int32_t *near, const double *z, int64_t M, int64_t d, int64_t k, int threads);

/* Features of points (n, d) for a grid of delays from 0 in equal steps: B at phi_{-t}(z), F (T, n, J). Points are first
 * denoised 8 times orthogonally to the flow: denoised (n, d) or NULL. path (T, n, d) or NULL. The midpoint rule, two
 * substeps to a grid step, each followed by a pull to the local mean, orthogonal to the flow, at the flow's rate. */
cw_status cw_tau_backtrace(cw_arena *arena, double *F, double *path, double *denoised, const double *point,
                           const cw_tau_flow *flow, const double *grid, int64_t T, int64_t n);

/* Links by gene, and counts of linked peaks by metacell. */
typedef struct cw_tau_links {
    int64_t n, peaks, G;    /* links, linked peaks */
    int64_t *from;          /* (G + 1) into order */
    int64_t *order;         /* (n) links sorted by gene */
    int32_t *slot;          /* (n) the linked peak's number */
    int32_t *slot_of_peak;  /* (all peaks) or -1 */
    double *weight;         /* (n) omega, in the order of the links given; 1 at first */
} cw_tau_links;

cw_status cw_tau_links_new(cw_arena *arena, cw_tau_links *l, const int32_t *gene, const int32_t *peak, int64_t n,
                           int64_t G, int64_t P);
/* Sums of counts over the cells of each metacell: all rows, or those with slot_of_row >= 0 where that isn't NULL, as
 * rates (slots, M) over depth (M), the sum over all rows plus 1e-9. label (cells) from 0. */
cw_status cw_tau_pool(cw_arena *arena, double *rate, double *depth, const cw_counts *x, const int32_t *slot_of_row,
                      const int32_t *label, int64_t slots, int64_t M);
/* a (G, M) = sum of weight x rate over the gene's links. */
void cw_tau_activity(double *a, const cw_tau_links *l, const double *rate, int64_t M, int threads);
/* weight = max(0, slope of the peak on the gene's profile) / mean rate; 1 for a gene none of whose peaks follow it.
 * profile (G, M); depth (M). */
void cw_tau_weigh(cw_tau_links *l, const double *rate, const double *profile, const double *depth, int64_t M,
                  int threads);


/* What drives the velocity, metacell by metacell, for n genes. */
typedef struct cw_tau_lag {
    int64_t n;
    double *D, *m;  /* (M, n) standardised chromatin minus RNA, and their mean */
    double *weight; /* (n) */
} cw_tau_lag;

/* vl (J, d) and first-order delays tau (n; scaled to median 1): alternating regressions, see the specification. near
 * (M, k). B0 (M, J) is the basis at the metacells. v (M, d): smoothed velocity. flow->velocity is not used. */
cw_status cw_tau_velocity(cw_arena *arena, double *vl, double *v, double *tau, const cw_tau_lag *lag,
                          const cw_tau_flow *flow, const double *B0, const int32_t *near, int64_t k,
                          int64_t iterations);

/* dd (M, n): derivative of lag->m along v (M, d), by local linear regression on the neighbours. */
cw_status cw_tau_derivative(cw_arena *arena, double *dd, const cw_tau_lag *lag, const cw_tau_flow *flow,
                            const double *v, const int32_t *near, int64_t k);

/* Share of held-out genes whose chromatin leads along the flow of the other half, over 2 x splits. vl (2 x splits, J, d)
 * and halves (splits, n) or NULL: split s cuts the genes halves[s]; [0 .. n/2) made vl[2 s], the others vl[2 s + 1]. */
cw_status cw_tau_lead(cw_arena *arena, double *lead, double *vl, int32_t *halves, const cw_tau_lag *lag,
                      const cw_tau_flow *flow, const double *B0, const int32_t *near, int64_t k, int64_t iterations,
                      int64_t splits, uint64_t key);

/* Arrival time T (M): least squares T_k - T_i ~ (z_k - z_i) v / |v|^2 over neighbours, weighted by alignment. */
cw_status cw_tau_arrival(cw_arena *arena, double *time, const cw_tau_flow *flow, const double *v, const int32_t *near,
                         int64_t k);

/* ---- tau_readout.c ----------------------------------------------------------------------------------------------- */

/* Lag-free ridge fits of both modalities of each gene on the basis; all (G, M) or (G). Genes whose counts are all zero
 * (or not finite) in a modality have usable = 0, fits of 1 and signals of 0. */
typedef struct cw_tau_lagfree {
    int64_t G, M;
    double *a, *r;   /* rates, scaled to mean 1 */
    double *fa, *fr; /* fits */
    double *wa, *wr; /* weights: depth / (dispersion fit) */
    double *signal_a, *signal_r, *cor; /* explained weighted deviance; correlation of the fits */
    uint8_t *counted; /* both modalities have counts */
    uint8_t *usable;  /* signals > 60 and cor > .2 */
    uint8_t *repressed; /* signals > 60 and cor < -.2; cw_tau_profile takes beta < 0 for these */
    double floor; /* least fit that weights are made from; 0: .1 for chromatin, .05 for RNA; 1: even weights */
} cw_tau_lagfree;

cw_status cw_tau_lagfree_new(cw_arena *arena, cw_tau_lagfree *f, int64_t G, int64_t M);
/* chromatin, rna (G, M) rates of any scale; depth_a, depth_r (M). */
cw_status cw_tau_lagfree_fit(cw_arena *arena, cw_tau_lagfree *f, const double *chromatin, const double *rna,
                             const double *depth_a, const double *depth_r, const double *B0, double lambda, int64_t J);

/* Profile of -2 log likelihood over the grid, `rounds` alternations of curve and coefficients: dev, beta, alpha (n, T), w (n, T, J) or NULL, for the genes listed in
 * `gene` (n; NULL: all). F (T, M, J); F0 (M, J) the basis of the chromatin. NaN for genes that aren't counted. */
cw_status cw_tau_profile(cw_arena *arena, double *dev, double *beta, double *alpha, double *w, const double *F,
                         const double *F0, const cw_tau_lagfree *f, const int32_t *gene, double lambda, int rounds,
                         int64_t n, int64_t T, int64_t J);

/* Empirical-Bayes prior over the grid, 60 EM steps on the usable genes, smoothed with sd 2 bins. dev (G, T). */
cw_status cw_tau_prior(cw_arena *arena, double *prior, const double *dev, const uint8_t *usable, int64_t G, int64_t T);
/* The same with the shares of shapes beside it, 40 steps: share (CW_TAU_SHAPES) to start with, 0 stays 0. dev (shapes,
 * G, T). */
cw_status cw_tau_shape_prior(cw_arena *arena, double *prior, double *share, const double *dev, const uint8_t *usable,
                             int64_t G, int64_t T);
/* Posterior mean, sd, 5% and 95% points and mode of each gene; NaN where dev is NaN. prior NULL: flat. */
cw_status cw_tau_posterior(cw_arena *arena, double *mean, double *sd, double *low, double *high, double *mode,
                           const double *dev, const double *prior, const double *grid, int64_t G, int64_t T);

typedef struct cw_tau_amortised {
    double r2, df, s2, ridge;
} cw_tau_amortised;

/* log tau_g ~ N(c + e_g b, s2): 30 EM steps on the profiles of the usable genes, ridge by generalised cross-validation.
 * embedding (G, E), fresh (n, E) or NULL; tau, sd (G; NaN where not usable), tau_new, sd_new (n). */
cw_status cw_tau_amortise(cw_arena *arena, cw_tau_amortised *out, double *tau, double *sd, double *tau_new,
                          double *sd_new, const double *dev, const double *grid, const uint8_t *usable,
                          const double *embedding, const double *fresh, int64_t G, int64_t T, int64_t E, int64_t n);

/* ---- tau_shape.c ------------------------------------------------------------------------------------------------- */

enum { CW_TAU_SHAPES = 3 };
extern const double cw_tau_shapes[CW_TAU_SHAPES]; /* share of the lag that is first-order kinetics: 0, .5, 1 */

/* kernel (T, R): rows of mean grid[k] on the times of a back-trace, from 0 in equal steps; what lies beyond them sits at
 * the last. Rows sum to 1. */
void cw_tau_kernel(double *kernel, double shape, const double *grid, int64_t T, const double *trace, int64_t R);
/* F (T, n) = the kernels, mixed by share (CW_TAU_SHAPES), of traced (R, n). */
cw_status cw_tau_answer(cw_arena *arena, double *F, const double *traced, const double *share, const double *grid,
                        int64_t T, const double *trace, int64_t R, int64_t n);
/* Odd grid points of dev (n, T), T odd, from the even ones, by cubics. */
void cw_tau_between(double *dev, int64_t n, int64_t T);
/* out (G, T) = -2 log sum over shapes of share x exp(-dev / 2); dev (shapes, G, T) */
void cw_tau_marginal(double *out, const double *dev, const double *share, int64_t G, int64_t T);
/* dev (G, T) of lags that are multiplied by factor (G), on the same grid. */
void cw_tau_rescale(double *dev, const double *factor, const double *grid, int64_t G, int64_t T);
/* dev (n, T) under other features with the curves w (n, T, J) held: right to first order, for the curves are at their
 * best (envelope theorem), and without a solve. Of the genes listed; odd grid points as cw_tau_between. */
cw_status cw_tau_reprofile(cw_arena *arena, double *dev, const double *w, const double *F, const double *F0,
                           const cw_tau_lagfree *f, const int32_t *gene, double lambda, int64_t n, int64_t T,
                           int64_t J);

/* ---- tau_clock.c ------------------------------------------------------------------------------------------------- */

typedef struct cw_tau_clock {
    double omega, s;   /* variances of log lags: true differences; the clock's error at the landmarks */
    double *gamma;     /* (J) */
    double *shift;     /* (G) the clock's error of each gene, to be taken off */
    double *variance;  /* (G) of the shift */
} cw_tau_clock;

/* Restricted maximum likelihood of log lags y (n) with error variances (n) of the genes listed, whose places of change
 * are rows of place (., J); predictions for rows of all_places (G, J). Arrays of out are the caller's. */
cw_status cw_tau_clock_fit(cw_arena *arena, cw_tau_clock *out, const double *y, const double *error,
                           const double *place, const int32_t *gene, int64_t n, const double *all_places, int64_t G,
                           int64_t J);

/* ---- tau.c: all of it -------------------------------------------------------------------------------------------- */

/* AUTO: all shapes */
typedef enum cw_tau_readout { CW_TAU_AUTO = 0, CW_TAU_DELAY = 1, CW_TAU_KINETICS = 2 } cw_tau_readout;

typedef struct cw_tau_options {
    int64_t metacells;  /* 0: cells / 15, between 80 and 400 */
    int64_t landmarks, components, shuffles, min_axes, max_axes, neighbours, iterations, lead_splits;
    int64_t grid_size, trace_size, test_cells;
    double grid_max, lambda;
    int peak_weights;
    cw_tau_readout readout;
    uint64_t key;
} cw_tau_options;

extern const cw_setting cw_tau_settings[]; /* all but the key */
cw_tau_options cw_tau_defaults(void);

typedef struct cw_tau_data {
    cw_counts atac, rna;          /* the same cells, in the same order */
    const int32_t *gene, *peak;   /* (links) from 0 */
    int64_t links;
    const double *atac_embedding; /* (cells, atac_axes) or NULL: LSI */
    const double *rna_embedding;  /* (cells, rna_axes) or NULL: PCA */
    int64_t atac_axes, rna_axes;
    const uint64_t *cell_id, *gene_id, *peak_id; /* or NULL */
} cw_tau_data;

typedef struct cw_tau_verdict {
    double axes, usable_half, lead, lead_z; /* on halved counts: does RNA follow chromatin? */
    double usable, concord;
    double spread, clock, reliability; /* sd of true log lags, of the clock's error; omega / (omega + error) */
    double gain, gain_z, heterogeneity;
} cw_tau_verdict;

/* Everything of a fit. Arrays belong to the arena given to cw_tau_fit. */
typedef struct cw_tau {
    int64_t N, G, P, T, links;
    cw_tau_axes axes_a, axes_r;
    cw_tau_shared shared;
    int32_t *metacell;         /* (N) from 0 */
    cw_tau_flow flow;          /* velocity in final units: phi moves 1 in a median delay; 0 without a flow */
    double *z_denoised;        /* (M, d) */
    double *depth_a, *depth_r; /* (M) counts */
    double scale;              /* velocity = regression's velocity x a factor with this mean over landmarks */
    double *time;              /* (M) arrival time; NaN without a flow */
    cw_tau_lagfree fit;
    double *fitted_a, *fitted_r; /* (G, M) at the grid point nearest to the posterior mean */
    double *peak_weight;         /* (links) */
    int64_t R;
    double *grid, *prior, *trace; /* (T), (T), (R) times of the back-trace */
    double share[CW_TAU_SHAPES];  /* of the shapes */
    double *dev;                  /* (G, T) -2 log likelihood over shapes, lags in final units; NULL without a flow */
    cw_tau_readout readout;
    double *features;             /* (T, M, J) of the shapes by their shares */
    double *weight;              /* (G, J) at that grid point */
    double *alpha, *beta, *tau, *sd, *low, *high, *mode; /* (G) total lags; errors of flow and clock are in sd, low, high */
    double *var_flow, *var_clock; /* (G) variances of the log lag */
    cw_tau_capped capped_a, capped_r;
    double *rim;                 /* (G) share of the gene's change that lies at the rim of the sampled window */
    uint8_t *at_rim;             /* (M) metacells at the rim */
    double *xcorr, *switch_time; /* (G) baselines along `time` */
    cw_tau_verdict verdict;
} cw_tau;

/* With fewer than 20 usable genes there is no flow: tau and all that follows from it are NaN, which is no failure. */
cw_status cw_tau_fit(cw_arena *arena, cw_tau *out, const cw_tau_data *data, const cw_tau_options *options);

/* Bytes cw_tau_fit will take at most, with a copy of its results. */
int64_t cw_tau_forecast(int64_t cells, int64_t genes, int64_t peaks, int64_t links, int64_t atac_values,
                        int64_t rna_values, int threads, const cw_tau_options *options);

#endif
