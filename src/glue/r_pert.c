/* r_pert.c: .Call entry points for perturbations: sums over groups of cells, the model of their effects, transport
 * between two sets of cells, simulated screens. R's matrices of readouts x perturbations are the engine's
 * (perturbations, readouts). */
#include "glue.h"

#include "../engine/linalg/dense.h"
#include "../engine/linalg/leading.h"
#include "../engine/pert/effects.h"
#include "../engine/pert/interaction.h"
#include "../engine/pert/judge.h"
#include "../engine/pert/model.h"
#include "../engine/pert/profiles.h"
#include "../engine/pert/response.h"
#include "../engine/pert/splits.h"
#include "../engine/pert/transport.h"
#include "../engine/sim/screen.h"

#include <string.h>

/* The doubles, or integers, of list element `name`, which must be `length` long; NULL for R_NilValue. */
static const double *reals(SEXP list, const char *name, double length)
{
    SEXP x = cw_glue_get(list, name);
    if (Rf_isNull(x)) return NULL;
    if (TYPEOF(x) != REALSXP || (double)Rf_xlength(x) != length)
        Rf_error("internal error: '%s' must hold %.0f doubles", name, length);
    return REAL(x);
}

static const int32_t *whole(SEXP x, const char *name, double length, double below)
{
    if (TYPEOF(x) != INTSXP || (double)Rf_xlength(x) != length)
        Rf_error("internal error: '%s' must hold %.0f integers", name, length);
    for (R_xlen_t i = 0; i < Rf_xlength(x); i++)
        if (INTEGER(x)[i] < -1 || INTEGER(x)[i] >= below)
            Rf_error("internal error: %s[%.0f] is %d", name, (double)i + 1, INTEGER(x)[i]);
    return INTEGER(x);
}

/* ---- effects ----------------------------------------------------------------------------------------------------- */

/* cells: list(p, i, x, genes, gene, cells, scale, group, batch), group and batch from 0, group -1: left out; gene: of
 * every row of the matrix its gene from 0, -1: none, or NULL where rows are genes. */
static cw_cells_view as_cells(SEXP list, int64_t groups, int64_t batches)
{
    double genes = cw_glue_number(list, "genes", -1), cells = cw_glue_number(list, "cells", -1);
    if (!(genes >= 1 && cells >= 0)) Rf_error("internal error: a view of cells without its size");
    SEXP p = cw_glue_get(list, "p"), i = cw_glue_get(list, "i"), x = cw_glue_get(list, "x");
    SEXP gene = cw_glue_get(list, "gene");
    int64_t rows = Rf_isNull(gene) ? (int64_t)genes : (int64_t)Rf_xlength(gene);
    cw_glue_need_columns(p, i, x, rows, (int64_t)cells);
    cw_cells_view v = {.start = INTEGER(p), .at = INTEGER(i), .x = REAL(x), .cells = (int64_t)cells,
                       .genes = (int64_t)genes, .scale = reals(list, "scale", cells)};
    v.group = whole(cw_glue_get(list, "group"), "group", cells, (double)groups);
    v.batch = whole(cw_glue_get(list, "batch"), "batch", cells, (double)batches);
    if (!Rf_isNull(gene)) v.gene = whole(gene, "gene", (double)rows, genes);
    for (int64_t c = 0; c < v.cells; c++)
        if (v.batch[c] < 0) Rf_error("internal error: a cell without a batch");
    return v;
}

/* sums: list(sum, square), each genes x groups, or NULL with `groups` a number; centre: genes x batches. -> the sums
 * with the cells of this block added. */
SEXP cw_r_effects_add(SEXP sums, SEXP groups_, SEXP cells, SEXP centre, SEXP threads)
{
    int64_t groups = (int64_t)Rf_asReal(groups_), batches = Rf_ncols(centre);
    if (groups < 1 || TYPEOF(centre) != REALSXP) Rf_error("internal error: groups or centres");
    cw_cells_view v = as_cells(cells, groups, batches);
    if (Rf_nrows(centre) != v.genes) Rf_error("internal error: centres of other genes");
    if (Rf_isNull(sums)) {
        const cw_glue_part parts[] = {{"sum", REALSXP, v.genes, groups}, {"square", REALSXP, v.genes, groups}};
        sums = PROTECT(cw_glue_make(2, parts));
    } else {
        sums = PROTECT(MAYBE_SHARED(sums) ? Rf_duplicate(sums) : sums);
        for (int k = 0; k < 2; k++) {
            SEXP one = VECTOR_ELT(sums, k);
            if (TYPEOF(one) != REALSXP || (int64_t)Rf_xlength(one) != v.genes * groups)
                Rf_error("internal error: sums");
            if (MAYBE_SHARED(one)) SET_VECTOR_ELT(sums, k, Rf_duplicate(one));
        }
    }
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_effects_add(ctx, REAL(VECTOR_ELT(sums, 0)), REAL(VECTOR_ELT(sums, 1)), &v, REAL(centre), groups);
    return cw_glue_return(ctx, sums);
}

/* weight: genes x groups. -> a number per cell */
SEXP cw_r_effects_project(SEXP cells, SEXP centre, SEXP weight, SEXP threads)
{
    int64_t groups = Rf_ncols(weight), batches = Rf_ncols(centre);
    if (TYPEOF(centre) != REALSXP || TYPEOF(weight) != REALSXP) Rf_error("internal error: centres or weights");
    cw_cells_view v = as_cells(cells, groups, batches);
    if (Rf_nrows(centre) != v.genes || Rf_nrows(weight) != v.genes) Rf_error("internal error: weights of other genes");
    SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)v.cells));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_effects_project(ctx, REAL(out), &v, REAL(centre), REAL(weight), groups, batches);
    return cw_glue_return(ctx, out);
}

/* how: 0: a (g x p), b (g x q) -> t(a) b (p x q); 1: a (g x p), b (p x q) -> a b (g x q); 2: a (g x p), b (q x p) ->
 * a t(b) (g x q). The same numbers for any number of threads, whatever BLAS R has. */
SEXP cw_r_dense_product(SEXP a, SEXP b, SEXP how_, SEXP threads)
{
    if (TYPEOF(a) != REALSXP || TYPEOF(b) != REALSXP || !Rf_isMatrix(a) || !Rf_isMatrix(b))
        Rf_error("internal error: products are of matrices of doubles");
    int how = Rf_asInteger(how_), ta = how == 0, tb = how == 2;
    int64_t m = ta ? Rf_ncols(a) : Rf_nrows(a), k = ta ? Rf_nrows(a) : Rf_ncols(a), n = tb ? Rf_nrows(b) : Rf_ncols(b);
    if (how < 0 || how > 2 || (tb ? Rf_ncols(b) : Rf_nrows(b)) != k)
        Rf_error("internal error: matrices that don't fit together");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)m, (int)n));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    /* R's matrices are the transposes of the engine's: t(out) = op(b)^T op(a)^T */
    cw_dense_product(ctx->threads, REAL(out), REAL(b), tb, REAL(a), ta, 0.0, n, m, k);
    return cw_glue_return(ctx, out);
}

/* a: symmetric, finite. -> list(values, falling; vectors, columns), the same bits on any machine's number of threads */
SEXP cw_r_dense_eigen(SEXP a)
{
    int64_t n = TYPEOF(a) == REALSXP && Rf_isMatrix(a) ? Rf_nrows(a) : 0;
    if (n < 1 || Rf_ncols(a) != n) Rf_error("internal error: eigenvectors are of square matrices of doubles");
    const cw_glue_part parts[] = {{"values", REALSXP, n, -1}, {"vectors", REALSXP, n, n}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    double *to = REAL(VECTOR_ELT(out, 1)), *value = REAL(VECTOR_ELT(out, 0));
    cw_ctx *ctx = cw_glue_enter(1);
    double *room = cw_alloc(ctx, cw_dense_eigen_room(n), sizeof *room), *A = cw_alloc(ctx, n * (n + 1), sizeof *A);
    if (room && A) {
        memcpy(A, REAL(a), (size_t)(n * n) * sizeof *A);
        if (cw_dense_eigen(A + n * n, A, room, n, 0) != 0) cw_fail(ctx, CW_ERR_NUMERIC, "eigenvectors were not found");
        for (int64_t i = 0; ctx->status == CW_OK && i < n; i++) {
            value[i] = A[n * n + n - 1 - i];
            memcpy(to + i * n, A + (n - 1 - i) * n, (size_t)n * sizeof *A);
        }
    }
    cw_free(ctx, room), cw_free(ctx, A);
    return cw_glue_return(ctx, out);
}

/* a: symmetric, finite. -> list(values, falling; vectors, columns) of the `count` largest, see cw_leading_eigen() */
SEXP cw_r_leading_eigen(SEXP a, SEXP count_, SEXP key, SEXP threads)
{
    int64_t n = TYPEOF(a) == REALSXP && Rf_isMatrix(a) ? Rf_nrows(a) : 0, count = (int64_t)Rf_asReal(count_);
    if (n < 1 || Rf_ncols(a) != n || count < 1 || count > n)
        Rf_error("internal error: eigenvectors are of square matrices of doubles");
    const cw_glue_part parts[] = {{"values", REALSXP, count, -1}, {"vectors", REALSXP, n, count}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    uint64_t from = cw_glue_key(key);
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    double *S = cw_alloc(ctx, n * n, sizeof *S);
    if (S) {
        memcpy(S, REAL(a), (size_t)(n * n) * sizeof *S);
        cw_leading_eigen(ctx, REAL(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1)), S, from, count, n);
    }
    cw_free(ctx, S);
    return cw_glue_return(ctx, out);
}

/* ---- the model --------------------------------------------------------------------------------------------------- */

/* A list with the members of cw_pert_data; arrays in R's order have the engine's dimensions reversed. */
static cw_pert_data as_data(SEXP list)
{
    double P = cw_glue_number(list, "perts", -1), N = cw_glue_number(list, "genes", -1);
    double K = cw_glue_number(list, "directs", -1), G = cw_glue_number(list, "readouts", -1);
    if (!(P >= 1 && N >= 1 && K >= 0 && K <= CW_PERT_DIRECTS && G >= 1)) Rf_error("internal error: sizes of the model");
    cw_pert_data d = {.perts = (int64_t)P, .genes = (int64_t)N, .directs = (int64_t)K, .readouts = (int64_t)G};
    SEXP start = cw_glue_get(list, "start"), member = cw_glue_get(list, "member");
    d.start = whole(start, "start", P + 1, 2147483647.0);
    for (int64_t p = 0; p < d.perts; p++)
        if (d.start[0] != 0 || d.start[p + 1] <= d.start[p]) Rf_error("internal error: a perturbation without genes");
    d.member = whole(member, "member", d.start[d.perts], N);
    for (int64_t i = 0; i < d.start[d.perts]; i++)
        if (d.member[i] < 0) Rf_error("internal error: a gene that is none");
    d.cells = reals(list, "cells", P);
    d.controls = cw_glue_number(list, "controls", 0);
    d.kernel = reals(list, "kernel", N * N);
    d.yy = reals(list, "yy", P * P);
    d.yd = reals(list, "yd", K * P * N);
    d.dd = reals(list, "dd", K * K * N * N);
    d.ty = reals(list, "ty", P * P);
    d.tt = reals(list, "tt", P);
    d.td = reals(list, "td", K * P * N);
    d.own_y = reals(list, "ownY", P * N);
    d.own_t = reals(list, "ownT", P * N);
    d.own_d = reals(list, "ownD", K * N * N);
    if (!d.cells) Rf_error("internal error: no numbers of cells");
    return d;
}

static void need_products(const cw_pert_data *d, int scores)
{
    if (!d->yy || !d->yd || !d->dd || !d->own_y || !d->own_d || (scores && (!d->ty || !d->tt || !d->td || !d->own_t)))
        Rf_error("internal error: products are missing");
}

static const int32_t *indices(SEXP x, const char *name, int64_t below)
{
    const int32_t *at = whole(x, name, (double)Rf_xlength(x), (double)below);
    for (R_xlen_t i = 0; i < Rf_xlength(x); i++)
        if (at[i] < 0) Rf_error("internal error: %s below 0", name);
    return at;
}

static const int32_t *as_perm(SEXP perm, const cw_pert_data *d)
{
    if (Rf_isNull(perm)) return NULL;
    if (Rf_xlength(perm) != d->genes) Rf_error("internal error: a permutation of other genes");
    return indices(perm, "perm", d->genes);
}

static void fit_out(SEXP out, const cw_pert_fit *f, int64_t directs)
{
    memcpy(REAL(VECTOR_ELT(out, 0)), f->alpha, (size_t)directs * sizeof(double));
    memcpy(REAL(VECTOR_ELT(out, 1)), f->theta, sizeof f->theta);
    memcpy(REAL(VECTOR_ELT(out, 2)), f->share, sizeof f->share);
    const double other[] = {f->c, f->loglik, f->rounds};
    memcpy(REAL(VECTOR_ELT(out, 3)), other, sizeof other);
}

#define FIT_PARTS(directs)                                                                                            \
    {"alpha", REALSXP, directs, -1}, {"theta", REALSXP, CW_PERT_PARTS, -1}, {"share", REALSXP, CW_PERT_PARTS, -1},    \
    {                                                                                                                 \
        "other", REALSXP, 3, -1                                                                                       \
    }

/* train: from 0. -> list(alpha, theta, share, other = c(c, loglik, rounds)) */
SEXP cw_r_pert_fit(SEXP data, SEXP train, SEXP threads)
{
    cw_pert_data d = as_data(data);
    need_products(&d, 0);
    const int32_t *at = indices(train, "train", d.perts);
    const cw_glue_part parts[] = {FIT_PARTS(d.directs)};
    SEXP out = PROTECT(cw_glue_make(4, parts));
    cw_pert_fit f = {0};
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    if (cw_pert_fit_model(ctx, &f, &d, at, Rf_xlength(train), NULL) == CW_OK) fit_out(out, &f, d.directs);
    return cw_glue_return(ctx, out);
}

/* fit: list(theta, other) of the above. -> list(weight = train x test, variance) */
SEXP cw_r_pert_predict(SEXP data, SEXP fit, SEXP train, SEXP test, SEXP threads)
{
    cw_pert_data d = as_data(data);
    const int32_t *from = indices(train, "train", d.perts), *to = indices(test, "test", d.perts);
    cw_pert_fit f = {.c = reals(fit, "other", 3)[0]};
    memcpy(f.theta, reals(fit, "theta", CW_PERT_PARTS), sizeof f.theta);
    int64_t n = Rf_xlength(train), m = Rf_xlength(test);
    const cw_glue_part parts[] = {{"weight", REALSXP, n, m}, {"variance", REALSXP, m, -1}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_pert_predict(ctx, REAL(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1)), &d, &f, from, n, to, m);
    return cw_glue_return(ctx, out);
}

/* folds: a list of list(train, test), from 0; perm: NULL, or from 0. -> of each fold list(alpha, theta, share, other,
 * error) and, where `told`, weight (train x test) and variance */
SEXP cw_r_pert_folds(SEXP data, SEXP folds, SEXP perm, SEXP told, SEXP threads)
{
    cw_pert_data d = as_data(data);
    need_products(&d, 1);
    const int32_t *permuted = as_perm(perm, &d);
    int full = Rf_asLogical(told) == 1;
    R_xlen_t count = Rf_xlength(folds);
    if (TYPEOF(folds) != VECSXP || count < 1) Rf_error("internal error: no folds");
    SEXP out = PROTECT(Rf_allocVector(VECSXP, count));
    cw_pert_fold *fold = (cw_pert_fold *)R_alloc((size_t)count, sizeof *fold);
    for (R_xlen_t k = 0; k < count; k++) {
        SEXP one = VECTOR_ELT(folds, k), train = cw_glue_get(one, "train"), test = cw_glue_get(one, "test");
        fold[k] = (cw_pert_fold){.train = indices(train, "train", d.perts),
                                 .test = indices(test, "test", d.perts),
                                 .n = Rf_xlength(train),
                                 .m = Rf_xlength(test)};
        const cw_glue_part parts[] = {FIT_PARTS(d.directs), {"error", REALSXP, fold[k].m, -1},
                                      {"weight", REALSXP, fold[k].n, fold[k].m}, {"variance", REALSXP, fold[k].m, -1}};
        SEXP to = cw_glue_make(full ? 7 : 5, parts);
        SET_VECTOR_ELT(out, k, to);
        fold[k].error = REAL(VECTOR_ELT(to, 4));
        if (full) fold[k].weight = REAL(VECTOR_ELT(to, 5)), fold[k].variance = REAL(VECTOR_ELT(to, 6));
    }
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    if (cw_pert_folds(ctx, fold, count, &d, permuted) == CW_OK)
        for (R_xlen_t k = 0; k < count; k++) fit_out(VECTOR_ELT(out, k), &fold[k].fit, d.directs);
    return cw_glue_return(ctx, out);
}

/* ---- profiles ---------------------------------------------------------------------------------------------------- */

/* own: list(start, at), of as many perturbations as there are columns. */
static cw_own_rows as_own(SEXP own, int64_t perts, int64_t readouts)
{
    SEXP start = cw_glue_get(own, "start"), at = cw_glue_get(own, "at");
    cw_own_rows o = {whole(start, "start", (double)perts + 1, (double)Rf_xlength(at) + 1),
                     indices(at, "own", readouts)};
    for (int64_t p = 0; p < perts; p++)
        if (o.start[p] < 0 || o.start[p + 1] < o.start[p]) Rf_error("internal error: own rows");
    return o;
}

/* Y: readouts x perturbations; train: from 0; weight: train x test; direct: NULL, or list(total: genes x readouts, start,
 * member). -> readouts x test */
SEXP cw_r_profiles_span(SEXP Y, SEXP own, SEXP train, SEXP weight, SEXP direct, SEXP threads)
{
    if (TYPEOF(Y) != REALSXP || TYPEOF(weight) != REALSXP || !Rf_isMatrix(Y) || !Rf_isMatrix(weight))
        Rf_error("internal error: effects and weights are matrices of doubles");
    int64_t R = Rf_nrows(Y), P = Rf_ncols(Y), n = Rf_xlength(train), m = Rf_ncols(weight);
    const int32_t *from = indices(train, "train", P);
    const cw_own_rows rows = as_own(own, P, R);
    cw_direct_profiles d = {0};
    if (Rf_nrows(weight) != n) Rf_error("internal error: weights of other perturbations");
    if (!Rf_isNull(direct)) {
        SEXP total = cw_glue_get(direct, "total"), member = cw_glue_get(direct, "member");
        d.genes = Rf_nrows(total);
        if (TYPEOF(total) != REALSXP || Rf_ncols(total) != R) Rf_error("internal error: direct profiles");
        d.total = REAL(total), d.member = indices(member, "member", d.genes);
        d.start = whole(cw_glue_get(direct, "start"), "start", (double)P + 1, (double)Rf_xlength(member) + 1);
    }
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)R, (int)m));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_profiles_span(ctx, REAL(out), REAL(Y), R, &rows, from, n, REAL(weight), m, &d);
    return cw_glue_return(ctx, out);
}

/* profiles: list(truth, predicted, baseline, se2), readouts x perturbations each; at: from 0. -> 8 x perturbations, in the
 * order of cw_profile_score */
SEXP cw_r_profiles_score(SEXP profiles, SEXP own, SEXP at, SEXP threads)
{
    SEXP truth = cw_glue_get(profiles, "truth");
    int64_t R = Rf_nrows(truth), P = Rf_ncols(truth), m = Rf_xlength(at);
    double size = (double)R * (double)P;
    const double *told = reals(profiles, "predicted", size), *mean = reals(profiles, "baseline", size);
    const double *se2 = reals(profiles, "se2", size), *right = reals(profiles, "truth", size);
    if (!right || !told || !mean || !se2) Rf_error("internal error: scores are of matrices of doubles");
    const int32_t *which = indices(at, "at", P);
    const cw_own_rows rows = as_own(own, P, R);
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, 8, (int)m));
    double *to = REAL(out);
    cw_profile_score *score = (cw_profile_score *)R_alloc((size_t)m + 1, sizeof *score);
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    if (m > 0 && cw_profiles_score(ctx, score, right, told, mean, se2, R, &rows, which, m) == CW_OK)
        for (int64_t i = 0; i < m; i++) {
            const cw_profile_score *s = &score[i];
            const double all[] = {s->mse, s->mse_mean, s->noise, s->all, s->top, s->centred, s->direction,
                                  s->discrimination == s->discrimination ? s->discrimination : NA_REAL};
            memcpy(to + 8 * i, all, sizeof all);
        }
    return cw_glue_return(ctx, out);
}

/* ---- transport --------------------------------------------------------------------------------------------------- */

/* from, to: values x cells. -> list(from, to: means; map: A as R multiplies values with it; shrunk) */
SEXP cw_r_gaussian_map(SEXP from, SEXP to, SEXP threads)
{
    if (TYPEOF(from) != REALSXP || TYPEOF(to) != REALSXP || Rf_nrows(from) != Rf_nrows(to))
        Rf_error("internal error: two sets of cells with as many values are needed");
    int64_t d = Rf_nrows(from);
    const cw_glue_part parts[] = {{"from", REALSXP, d, -1}, {"to", REALSXP, d, -1}, {"map", REALSXP, d, d},
                                  {"shrunk", REALSXP, 2, -1}};
    SEXP out = PROTECT(cw_glue_make(4, parts));
    double *shrunk = REAL(VECTOR_ELT(out, 3));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    double *S = cw_alloc(ctx, 2 * d * d, sizeof *S);
    if (S) {
        cw_shrunk_covariance(ctx, REAL(VECTOR_ELT(out, 0)), S, shrunk, REAL(from), Rf_ncols(from), d);
        cw_shrunk_covariance(ctx, REAL(VECTOR_ELT(out, 1)), S + d * d, shrunk + 1, REAL(to), Rf_ncols(to), d);
        if (ctx->status == CW_OK) cw_gaussian_map(ctx, REAL(VECTOR_ELT(out, 2)), S, S + d * d, d);
    }
    cw_free(ctx, S);
    return cw_glue_return(ctx, out);
}

/* predicted, treated: matrices, a column a cell; times_p, times_t: how often each cell (row) is in each sample (column).
 * -> energy, mmd (a number per gamma), samples (energy of each) */
SEXP cw_r_response(SEXP predicted, SEXP treated, SEXP gamma, SEXP times_p, SEXP times_t)
{
    int64_t d = Rf_nrows(predicted), n = Rf_ncols(predicted), m = Rf_ncols(treated), boots = Rf_ncols(times_p);
    if (TYPEOF(predicted) != REALSXP || TYPEOF(treated) != REALSXP || TYPEOF(gamma) != REALSXP ||
        TYPEOF(times_p) != REALSXP || TYPEOF(times_t) != REALSXP || Rf_nrows(treated) != d || Rf_nrows(times_p) != n ||
        Rf_nrows(times_t) != m || Rf_ncols(times_t) != boots)
        Rf_error("internal error: two sets of cells with as many values, and samples of each, are needed");
    const cw_glue_part parts[] = {{"energy", REALSXP, 1, -1}, {"mmd", REALSXP, Rf_xlength(gamma), -1},
                                  {"samples", REALSXP, boots, -1}};
    SEXP out = PROTECT(cw_glue_make(3, parts));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_response_distances(ctx, REAL(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1)), REAL(gamma), Rf_xlength(gamma),
                          REAL(predicted), n, REAL(treated), m, d);
    if (boots > 0)
        cw_response_resample(ctx, REAL(VECTOR_ELT(out, 2)), REAL(times_p), REAL(times_t), boots, REAL(predicted), n,
                             REAL(treated), m, d);
    return cw_glue_return(ctx, out);
}

/* first, second, pair: as many numbers each. -> double (10), in the order of cw_interaction */
SEXP cw_r_interaction(SEXP first, SEXP second, SEXP pair)
{
    R_xlen_t n = Rf_xlength(pair);
    if (TYPEOF(first) != REALSXP || TYPEOF(second) != REALSXP || TYPEOF(pair) != REALSXP || Rf_xlength(first) != n ||
        Rf_xlength(second) != n || n < 2)
        Rf_error("internal error: three effects of as many genes are needed");
    SEXP out = PROTECT(Rf_allocVector(REALSXP, 10));
    double *to = REAL(out);
    cw_ctx *ctx = cw_glue_enter(1);
    cw_interaction x;
    if (cw_interaction_scores(ctx, &x, REAL(first), REAL(second), REAL(pair), (int64_t)n) == CW_OK) {
        const double all[] = {x.c1, x.c2, x.magnitude, x.dominance, x.fit, x.dcor, x.dcor_singles, x.dcor_first,
                              x.dcor_second, x.equality};
        memcpy(to, all, sizeof all);
    }
    return cw_glue_return(ctx, out);
}

/* ---- published splits and scores --------------------------------------------------------------------------------- */

/* gene: 2 x conditions, from 0, -1: none; rank of the names; kind: cw_split_kind. -> list(set, seen), integers */
SEXP cw_r_published_split(SEXP gene, SEXP rank, SEXP genes, SEXP kind, SEXP seed)
{
    int64_t n = Rf_xlength(rank), m = (int64_t)Rf_asReal(genes);
    const double from = Rf_asReal(seed);
    const cw_conditions all = {n, m, whole(gene, "gene", 2.0 * (double)n, (double)m),
                               whole(rank, "rank", (double)n, (double)n)};
    if (!(from >= 0 && from < 4294967296.0)) Rf_error("internal error: seed");
    const cw_glue_part parts[] = {{"set", INTSXP, n, -1}, {"seen", INTSXP, n, -1}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_published_split(ctx, INTEGER(VECTOR_ELT(out, 0)), INTEGER(VECTOR_ELT(out, 1)), &all,
                       (cw_split_kind)Rf_asInteger(kind), (uint32_t)from, (cw_split_shares){0.75, 0.9, 0.3, 0.1});
    return cw_glue_return(ctx, out);
}

static cw_moments as_moments(SEXP list, R_xlen_t n)
{
    return (cw_moments){reals(list, "mean", (double)n), reals(list, "var", (double)n), cw_glue_number(list, "cells", 0)};
}

/* condition, control: list(mean, var, cells). -> genes from 0 by falling |t| */
SEXP cw_r_judge_order(SEXP condition, SEXP control)
{
    R_xlen_t n = Rf_xlength(cw_glue_get(condition, "mean"));
    cw_moments a = as_moments(condition, n), b = as_moments(control, n);
    if (!a.mean || !a.var || !b.mean || !b.var) Rf_error("internal error: moments");
    SEXP out = PROTECT(Rf_allocVector(INTSXP, n));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_judge_order(ctx, INTEGER(out), &a, &b, n);
    return cw_glue_return(ctx, out);
}

/* Profiles of as many genes; order: genes from 0; kept: logical, genes that `top` may hold. -> double (9), in the order
 * of cw_judgement */
SEXP cw_r_judge_profile(SEXP told, SEXP truth, SEXP control, SEXP sd, SEXP order, SEXP kept)
{
    R_xlen_t n = Rf_xlength(told);
    SEXP all[] = {told, truth, control, sd};
    for (int i = 0; i < 4; i++)
        if (TYPEOF(all[i]) != REALSXP || Rf_xlength(all[i]) != n) Rf_error("internal error: profiles of other genes");
    const int32_t *by = indices(order, "order", n);
    if (Rf_xlength(order) != n || TYPEOF(kept) != LGLSXP || Rf_xlength(kept) != n) Rf_error("internal error: genes");
    uint8_t *set = (uint8_t *)R_alloc((size_t)n + 1, 1);
    for (R_xlen_t g = 0; g < n; g++) set[g] = LOGICAL(kept)[g] == 1;
    int32_t top[20];
    cw_judgement j;
    int64_t tops = cw_judge_top(top, by, set, 20, n);
    cw_judge_profile(&j, REAL(told), REAL(truth), REAL(control), REAL(sd), by, top, tops, n);
    const double scores[] = {j.mse, j.pearson, j.mse_de, j.pearson_de, j.pearson_delta, j.direction, j.opposite, j.mse_top,
                             j.within};
    SEXP out = Rf_allocVector(REALSXP, 9);
    memcpy(REAL(out), scores, sizeof scores);
    return out;
}

/* ---- simulated screens ------------------------------------------------------------------------------------------- */

static void set_ints(SEXP out, int at, const int32_t *from, int64_t n)
{
    for (int64_t k = 0; k < n; k++) INTEGER(VECTOR_ELT(out, at))[k] = from[k];
}

static void set_bytes(SEXP out, int at, const uint8_t *from, int64_t n)
{
    for (int64_t k = 0; k < n; k++) INTEGER(VECTOR_ELT(out, at))[k] = from[k];
}

static void set_floats(SEXP out, int at, const float *from, int64_t n)
{
    for (int64_t k = 0; k < n; k++) REAL(VECTOR_ELT(out, at))[k] = from[k];
}

/* -> list, matrices in R's order (genes x ...): see screen.h; counts as a matrix genes x cells of integers. The
 * number of cells is known only when it is done, so the simulation lives on while R makes room. */
SEXP cw_r_screen(SEXP options, SEXP key, SEXP threads)
{
    enum { WIRING, NETWORK, TERM, GRAPH, WORKS, STRESS, FIRST, SECOND, OF, HIT, COUNTS, TRUTH, PARTS };
    cw_screen_options o;
    cw_glue_settings(options, cw_screen_settings, &o);
    o.key = cw_glue_key(key);
    int64_t R = (CW_SCREEN_SIGNALS + CW_SCREEN_FACTORS) * o.pathways, G = R + o.targets, P = R + o.pairs;
    int64_t most = o.controls + P * o.cells_high;
    if ((double)most * (double)G > 2147483647.0) Rf_error("more than 2^31 counts; ask for fewer cells or genes.");
    const cw_glue_part parts[] = {
        {"wiring", REALSXP, G, R}, {"network", REALSXP, G, R}, {"term", INTSXP, CW_SCREEN_TERMS * o.pathways, R},
        {"graph", INTSXP, R, R}, {"works", REALSXP, R, -1}, {"stress", REALSXP, G, -1}, {"first", INTSXP, P, -1},
        {"second", INTSXP, P, -1}, {"of", INTSXP, most, -1}, {"hit", INTSXP, 2, most}, {"counts", INTSXP, G, most},
        {"truth", REALSXP, G, o.truth > 0 ? P : 0}};
    SEXP out = PROTECT(cw_glue_make(PARTS, parts));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_screen s;
    if (cw_screen_simulate(ctx, &s, &o) == CW_OK) {
        set_floats(out, WIRING, s.wiring, R * G);
        set_floats(out, NETWORK, s.network, R * G);
        set_bytes(out, TERM, s.term, R * CW_SCREEN_TERMS * o.pathways);
        set_bytes(out, GRAPH, s.graph, R * R);
        memcpy(REAL(VECTOR_ELT(out, WORKS)), s.works, (size_t)R * sizeof(double));
        memcpy(REAL(VECTOR_ELT(out, STRESS)), s.stress, (size_t)G * sizeof(double));
        set_ints(out, FIRST, s.first, P);
        set_ints(out, SECOND, s.second, P);
        set_ints(out, OF, s.of, s.cells);
        for (int64_t c = s.cells; c < most; c++) INTEGER(VECTOR_ELT(out, OF))[c] = NA_INTEGER;
        set_bytes(out, HIT, s.hit, 2 * s.cells);
        set_ints(out, COUNTS, s.counts, s.cells * G);
        if (s.truth) memcpy(REAL(VECTOR_ELT(out, TRUTH)), s.truth, (size_t)(P * G) * sizeof(double));
    }
    cw_screen_free(ctx, &s);
    return cw_glue_return(ctx, out);
}
