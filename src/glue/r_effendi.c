/* r_effendi.c: Effendi from R. R drives stages, epochs and order; one call is one step, or one prediction. */
#include "glue.h"

#include "../engine/core/select.h"
#include "../engine/train/checkpoint.h"
#include "../engine/train/effendi_trainer.h"

#include <math.h>
#include <string.h>

#define BLOCK 256              /* cells predicted at once */
#define MEDIAN_VALUES 50000000 /* delays a prediction's median is taken over; of more, every so many */

/* Behind the external pointer. The data are the handle's own copies. */
typedef struct {
    cw_ctx *ctx;
    cw_effendi *model;
    cw_tape *tape;
    cw_effendi_trainer trainer;
    cw_effendi_data data;
    float *own[7]; /* what data points to */
    int begun;
} handle;

/* ---- handles ---- */

static void forget_data(handle *h)
{
    for (int i = 0; i < 7; i++) cw_free(h->ctx, h->own[i]), h->own[i] = NULL;
    h->data = (cw_effendi_data){0};
}

static void free_handle(handle *h)
{
    cw_ctx *ctx = h->ctx;
    forget_data(h);
    cw_tape_free(h->tape);
    cw_effendi_free(h->model);
    cw_free(ctx, h);
}

static void finalize(SEXP ptr)
{
    handle *h = R_ExternalPtrAddr(ptr);
    if (!h) return;
    R_ClearExternalPtr(ptr);
    cw_ctx *ctx = h->ctx;
    free_handle(h);
    cw_ctx_free(ctx);
}

static handle *handle_of(SEXP ptr)
{
    if (TYPEOF(ptr) != EXTPTRSXP || R_ExternalPtrTag(ptr) != Rf_install("causeway_effendi"))
        Rf_error("this is not an Effendi model");
    handle *h = R_ExternalPtrAddr(ptr);
    if (!h)
        Rf_error("this Effendi model's memory is gone: it comes from another R session (readRDS(), load()). Fit again "
                 "with estimateTau(method = \"effendi\"), or give 'dir' there and fit again with the same: what is "
                 "finished is then read, not computed");
    return h;
}

static int64_t whole(SEXP list, const char *name, double fallback)
{
    return (int64_t)cw_glue_number(list, name, fallback);
}

SEXP cw_r_effendi_new(SEXP config_, SEXP key_, SEXP threads_)
{
    uint64_t key = cw_glue_key(key_);
    cw_effendi_config config = {.atac = whole(config_, "atac", 0),
                                .dim = whole(config_, "dim", 0),
                                .align_hidden = whole(config_, "alignHidden", 512),
                                .field_hidden = whole(config_, "fieldHidden", 128),
                                .tau_hidden = whole(config_, "tauHidden", 128),
                                .decoder_hidden = whole(config_, "decoderHidden", 256),
                                .mod_scale = (float)cw_glue_number(config_, "tauModScale", 0.1),
                                .dropout = (float)cw_glue_number(config_, "dropout", 0.1),
                                .tau_heads = whole(config_, "tauHeads", 0),
                                .adapter_hidden = whole(config_, "adapterHidden", 0),
                                .peaks = whole(config_, "peaks", 0),
                                .readout_tokens = whole(config_, "readoutTokens", 0),
                                .gene_readout = (int)whole(config_, "geneReadout", 0)};
    SEXP ptr = PROTECT(R_MakeExternalPtr(NULL, Rf_install("causeway_effendi"), R_NilValue));
    R_RegisterCFinalizerEx(ptr, finalize, TRUE);
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads_));
    handle *h = cw_calloc(ctx, 1, sizeof *h);
    if (h) {
        h->ctx = ctx;
        h->model = cw_effendi_new(ctx, &config, key);
        h->tape = cw_tape_new(ctx);
    }
    if (ctx->status != CW_OK) {
        if (h) free_handle(h);
        cw_glue_leave(ctx); /* raises */
    }
    R_SetExternalPtrAddr(ptr, h);
    cw_glue_pause(ctx);
    UNPROTECT(1);
    return ptr;
}

/* ---- matrices ---- */

/* A matrix of R as rows of floats, in memory of ctx. `x`: double matrix or dgCMatrix (n,d); d < 0: any. */
typedef struct {
    const double *dense, *x;
    const int *start, *row;
    int64_t n, d;
} source;

static source read_matrix(SEXP m, const char *what, int64_t rows, int64_t cols)
{
    int sparse = (int)Rf_inherits(m, "dgCMatrix");
    SEXP dim = sparse ? R_do_slot(m, Rf_install("Dim")) : Rf_getAttrib(m, R_DimSymbol);
    if ((!sparse && TYPEOF(m) != REALSXP) || TYPEOF(dim) != INTSXP || Rf_xlength(dim) != 2)
        Rf_error("internal error: %s is not a matrix of numbers", what);
    source s = {.n = INTEGER(dim)[0], .d = INTEGER(dim)[1]};
    if ((rows >= 0 && s.n != rows) || (cols >= 0 && s.d != cols))
        Rf_error("internal error: %s is %lld x %lld, expected %lld x %lld", what, (long long)s.n, (long long)s.d,
                 (long long)rows, (long long)cols);
    if (sparse) {
        SEXP p = R_do_slot(m, Rf_install("p")), i = R_do_slot(m, Rf_install("i")), x = R_do_slot(m, Rf_install("x"));
        cw_glue_need_columns(p, i, x, s.n, s.d);
        s.start = INTEGER(p), s.row = INTEGER(i), s.x = REAL(x);
    } else
        s.dense = REAL(m);
    return s;
}

static float *take_matrix(cw_ctx *ctx, const source *s, const char *what)
{
    float *y = s->dense ? cw_alloc(ctx, s->n * s->d, sizeof *y) : cw_calloc(ctx, s->n * s->d, sizeof *y);
    for (int64_t j = 0; y && j < s->d; j++) {
        if (s->dense)
            for (int64_t i = 0; i < s->n; i++) y[i * s->d + j] = (float)s->dense[j * s->n + i];
        else
            for (int64_t k = s->start[j]; k < s->start[j + 1]; k++) y[(int64_t)s->row[k] * s->d + j] = (float)s->x[k];
    }
    for (int64_t i = 0; y && i < s->n * s->d; i++)
        if (!isfinite(y[i])) {
            cw_fail(ctx, CW_ERR_NUMERIC, "%s holds a value that is not finite (row %lld, column %lld)", what,
                    (long long)(i / s->d + 1), (long long)(i % s->d + 1));
            break;
        }
    return y;
}

/* rows [first, first + n) of an R matrix with `all` rows from row-major floats (n,d) */
static void put_rows(double *out, int64_t all, int64_t first, const float *x, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) out[j * all + first + i] = x[i * d + j];
}

/* ---- data and training ---- */

SEXP cw_r_effendi_data(SEXP ptr, SEXP data)
{
    static const char *const name[] = {"zAtac", "zRna", "expression", "geneEmbedding", "freeAtac", "freeRna", "peaks"};
    handle *h = handle_of(ptr);
    const cw_effendi_config *c = &h->model->config;
    source s[7];
    int64_t cells = -1, genes = -1;
    int have[7];
    const int64_t width[] = {c->atac, c->dim, -1, c->dim, c->atac, c->dim, c->peaks};
    for (int i = 0; i < 7; i++) {
        SEXP m = cw_glue_get(data, name[i]);
        have[i] = !Rf_isNull(m);
        if (!have[i]) continue;
        s[i] = read_matrix(m, name[i], i == 3 ? genes : i < 3 || i == 6 ? cells : -1, width[i]);
        if (i == 0) cells = s[i].n;
        if (i == 2) genes = s[i].d;
    }
    if (!have[0] || !have[1] || !have[2] || !have[3])
        Rf_error("internal error: Effendi needs both embeddings, expression and gene embeddings");
    cw_glue_resume(h->ctx);
    forget_data(h);
    for (int i = 0; i < 7 && h->ctx->status == CW_OK; i++)
        if (have[i]) h->own[i] = take_matrix(h->ctx, &s[i], name[i]);
    if (h->ctx->status != CW_OK)
        forget_data(h);
    else
        h->data = (cw_effendi_data){.z_atac = h->own[0],
                                    .z_rna = h->own[1],
                                    .expression = h->own[2],
                                    .gene_emb = h->own[3],
                                    .free_atac = have[4] ? h->own[4] : h->own[0],
                                    .free_rna = have[5] ? h->own[5] : h->own[1],
                                    .peaks = h->own[6],
                                    .cells = cells,
                                    .genes = genes,
                                    .free_atacs = have[4] ? s[4].n : cells,
                                    .free_rnas = have[5] ? s[5].n : cells};
    cw_glue_pause(h->ctx);
    return R_NilValue;
}

static cw_effendi_flow flow_of(SEXP o)
{
    return (cw_effendi_flow){.method = whole(o, "rk4", 0) ? CW_FLOW_RK4 : CW_FLOW_EULER,
                             .steps = whole(o, "nSteps", 200),
                             .exact = whole(o, "exact", 0) != 0,
                             .iterations = whole(o, "powerIterations", 1),
                             .tau_max = (float)cw_glue_number(o, "tauMax", 2)};
}

SEXP cw_r_effendi_begin(SEXP ptr, SEXP stage, SEXP o, SEXP key_)
{
    handle *h = handle_of(ptr);
    uint64_t key = cw_glue_key(key_);
#define GET(name, fallback) (float)cw_glue_number(o, name, fallback)
    cw_effendi_options options = {.lr = GET("lr", 1e-3),
                                  .lr_field = GET("lrField", 1e-3),
                                  .beta1 = GET("beta1", 0.9),
                                  .beta2 = GET("beta2", 0.999),
                                  .eps = GET("eps", 1e-8),
                                  .weight_decay = GET("weightDecay", 0),
                                  .clip = GET("clip", 50),
                                  .w_ode = GET("wOde", 1),
                                  .w_recon = GET("wRecon", 0.5),
                                  .w_tau = GET("wTau", 0.01),
                                  .w_reverse = GET("wReverse", 0.1),
                                  .w_contrast = GET("wContrast", 0),
                                  .w_peaks = GET("wPeaks", 0),
                                  .temperature = GET("temperature", 0.1),
                                  .projections = whole(o, "projections", 200),
                                  .flow = flow_of(o)};
#undef GET
    cw_glue_resume(h->ctx);
    h->begun =
        cw_effendi_begin(&h->trainer, h->model, h->tape, (cw_effendi_stage)Rf_asInteger(stage), &options, key) == CW_OK;
    cw_glue_pause(h->ctx);
    return R_NilValue;
}

/* Row numbers from 1 as offsets in the tape's arena would be reset by the step, so in memory of their own. */
static int64_t *take_rows(cw_ctx *ctx, SEXP rows)
{
    int64_t n = Rf_xlength(rows), *out = cw_alloc(ctx, n, sizeof *out);
    for (int64_t i = 0; out && i < n; i++) out[i] = (int64_t)INTEGER(rows)[i] - 1;
    return out;
}

SEXP cw_r_effendi_step(SEXP ptr, SEXP atac, SEXP rna)
{
    static const char *const names[] = {"ode",      "recon", "tau",   "reverse", "sw2",
                                        "contrast", "peaks", "total", "tauBar",  "gradNorm"};
    handle *h = handle_of(ptr);
    if (!h->begun || !h->data.z_atac) Rf_error("internal error: no data, or training has not begun");
    if (TYPEOF(atac) != INTSXP || TYPEOF(rna) != INTSXP) Rf_error("internal error: row numbers must be integers");
    SEXP out = PROTECT(Rf_allocVector(REALSXP, 10)), labels = PROTECT(Rf_allocVector(STRSXP, 10));
    for (int i = 0; i < 10; i++) SET_STRING_ELT(labels, i, Rf_mkChar(names[i]));
    Rf_setAttrib(out, R_NamesSymbol, labels);
    cw_glue_resume(h->ctx);
    int64_t *a = take_rows(h->ctx, atac), *r = take_rows(h->ctx, rna);
    cw_effendi_values v = {0};
    if (a && r) cw_effendi_step(&h->trainer, &h->data, a, Rf_xlength(atac), r, Rf_xlength(rna), &v);
    const double values[] = {v.ode,      v.recon, v.tau,   v.reverse, v.sliced,
                             v.contrast, v.peaks, v.total, v.tau_bar, v.grad_norm};
    memcpy(REAL(out), values, sizeof values);
    cw_free(h->ctx, a), cw_free(h->ctx, r);
    cw_glue_pause(h->ctx);
    UNPROTECT(2);
    return out;
}

/* ---- weights ---- */

SEXP cw_r_effendi_tensors(SEXP ptr)
{
    handle *h = handle_of(ptr);
    const cw_params *p = &h->model->params;
    SEXP list = PROTECT(Rf_allocVector(VECSXP, p->count)), labels = PROTECT(Rf_allocVector(STRSXP, p->count));
    for (int64_t i = 0; i < p->count; i++) {
        const cw_tensor *t = &p->item[i]->tensor;
        SEXP x = Rf_allocVector(REALSXP, cw_count(t));
        SET_VECTOR_ELT(list, i, x);
        SET_STRING_ELT(labels, i, Rf_mkChar(p->item[i]->name));
        for (int64_t j = 0; j < cw_count(t); j++) REAL(x)[j] = cw_f32(t)[j];
        if (t->ndim == 2) { /* row-major: seen from R it is the transpose */
            SEXP dim = PROTECT(Rf_allocVector(INTSXP, 2));
            INTEGER(dim)[0] = (int)t->dim[1], INTEGER(dim)[1] = (int)t->dim[0];
            Rf_setAttrib(x, R_DimSymbol, dim);
            UNPROTECT(1);
        }
    }
    Rf_setAttrib(list, R_NamesSymbol, labels);
    UNPROTECT(2);
    return list;
}

/* Writes, or reads, the parameters whose names begin with one of `prefixes`; the number of missing ones. */
SEXP cw_r_effendi_file(SEXP ptr, SEXP file, SEXP prefixes, SEXP save)
{
    handle *h = handle_of(ptr);
    if (TYPEOF(file) != STRSXP || Rf_xlength(file) != 1 || TYPEOF(prefixes) != STRSXP)
        Rf_error("'file' must be one string");
    const char *path = Rf_translateCharUTF8(STRING_ELT(file, 0));
    int64_t missing = 0;
    cw_glue_resume(h->ctx);
    const cw_params *all = &h->model->params;
    cw_param **item = cw_alloc(h->ctx, all->count, sizeof *item);
    cw_params some = {.ctx = h->ctx, .item = item};
    for (int64_t i = 0; item && i < all->count; i++)
        for (R_xlen_t j = 0; j < Rf_xlength(prefixes); j++) {
            const char *prefix = CHAR(STRING_ELT(prefixes, j));
            if (strncmp(all->item[i]->name, prefix, strlen(prefix)) != 0) continue;
            item[some.count++] = all->item[i];
            break;
        }
    if (item && Rf_asLogical(save))
        cw_params_save(&some, path);
    else if (item) {
        cw_load_report report;
        cw_params_load(&some, path, &report);
        missing = report.missing + report.misshapen;
        cw_load_report_free(&report);
    }
    cw_free(h->ctx, item);
    cw_glue_pause(h->ctx);
    return Rf_ScalarInteger((int)missing);
}

/* ---- prediction ---- */

static int wants(SEXP what, const char *name)
{
    for (R_xlen_t i = 0; i < Rf_xlength(what); i++)
        if (strcmp(CHAR(STRING_ELT(what, i)), name) == 0) return 1;
    return 0;
}

typedef struct {
    double *za, *tau, *mean, *y, *zi, *peaks; /* R's; NULL where not wanted */
    float *all;                               /* delays for the median */
    int64_t every, taken;
    float tau_bar;
} prediction;

/* Cells [first, first + n) of x, chromatin embeddings or aligned states. Pass 0: all but zi; pass 1: zi. */
static void predict_block(handle *h, prediction *p, const float *x, int latent, const float *emb, int64_t genes,
                          const cw_effendi_flow *flow, int64_t first, int64_t n, int64_t cells, int pass)
{
    cw_tape *t = h->tape;
    const cw_effendi_config *c = &h->model->config;
    int64_t width = latent ? c->dim : c->atac;
    cw_tape_reset(t, 0, 0, 0, 0);
    cw_tensor *z = cw_tape_constant(t, x + first * width, n, width);
    if (!latent) z = cw_effendi_align(h->model, t, z);
    cw_effendi_field field = {0};
    if (p->zi || p->y) field = cw_effendi_field_make(h->model, t, flow);
    if (pass == 1) {
        cw_tensor *bar = cw_tape_constant(t, &p->tau_bar, 1, 1), *zi = cw_effendi_run(t, z, &field, bar, 1.0f, flow);
        if (zi) put_rows(p->zi, cells, first, cw_f32(zi), n, c->dim);
        return;
    }
    if (z && p->za) put_rows(p->za, cells, first, cw_f32(z), n, c->dim);
    if (p->peaks) {
        cw_tensor *open = cw_activate(t, cw_effendi_peaks(h->model, t, z), CW_ACT_SIGMOID);
        if (open) put_rows(p->peaks, cells, first, cw_f32(open), n, c->peaks);
    }
    if (!p->tau && !p->mean && !p->y && !p->zi && !p->all) return;
    cw_tensor *e = cw_effendi_embed(h->model, t, cw_tape_constant(t, emb, genes, c->dim));
    cw_tensor *tau = cw_effendi_tau(h->model, t, z, e, NULL);
    if (!tau) return;
    if (p->tau) put_rows(p->tau, cells, first, cw_f32(tau), n, genes);
    for (int64_t i = 0; p->mean && i < n * genes; i++) p->mean[i % genes] += cw_f32(tau)[i] / (double)cells;
    for (int64_t i = 0; p->all && i < n * genes; i++)
        if ((first * genes + i) % p->every == 0) p->all[p->taken++] = cw_f32(tau)[i];
    cw_tensor *y = p->y ? cw_effendi_decode(h->model, t, z, tau, e, &field, flow) : NULL;
    if (y) put_rows(p->y, cells, first, cw_f32(y), n, genes);
}

static double *wanted_matrix(SEXP list, int at, int wanted, int64_t rows, int64_t cols)
{
    if (!wanted) return NULL;
    SET_VECTOR_ELT(list, at, Rf_allocMatrix(REALSXP, (int)rows, (int)cols));
    return REAL(VECTOR_ELT(list, at));
}

/* x: (cells, atac) or with latent (cells, dim); emb (genes, dim); what: any of the names below. With nSteps and
 * powerIterations 0 of `flow` the stored vectors serve, as in training's last step. */
SEXP cw_r_effendi_predict(SEXP ptr, SEXP x_, SEXP latent_, SEXP emb_, SEXP flow_, SEXP what)
{
    static const char *const names[] = {"zA", "tau", "tauMean", "yHat", "zIntegrated", "tauBar", "peaks"};
    handle *h = handle_of(ptr);
    const cw_effendi_config *c = &h->model->config;
    int latent = Rf_asLogical(latent_) == 1;
    source x = read_matrix(x_, "x", -1, latent ? c->dim : c->atac),
           emb = read_matrix(emb_, "geneEmbedding", -1, c->dim);
    cw_effendi_flow flow = flow_of(flow_);
    SEXP list = PROTECT(cw_glue_list(7, names));
    int64_t cells = x.n, genes = emb.n;
    prediction p = {.za = wanted_matrix(list, 0, wants(what, "zA"), cells, c->dim),
                    .tau = wanted_matrix(list, 1, wants(what, "tau"), cells, genes),
                    .mean = wanted_matrix(list, 2, wants(what, "tauMean"), genes, 1),
                    .y = wanted_matrix(list, 3, wants(what, "yHat"), cells, genes),
                    .zi = wanted_matrix(list, 4, wants(what, "zIntegrated"), cells, c->dim),
                    .peaks = wanted_matrix(list, 6, wants(what, "peaks") && c->peaks > 0, cells, c->peaks)};
    SET_VECTOR_ELT(list, 5, Rf_ScalarReal(NA_REAL));
    double *bar = REAL(VECTOR_ELT(list, 5));
    for (int64_t g = 0; p.mean && g < genes; g++) p.mean[g] = 0;
    cw_glue_resume(h->ctx);
    float *xf = take_matrix(h->ctx, &x, "x"), *ef = take_matrix(h->ctx, &emb, "geneEmbedding");
    p.every = 1 + cells * genes / MEDIAN_VALUES;
    if (p.zi || wants(what, "tauBar")) p.all = cw_alloc(h->ctx, cells * genes / p.every + 1, sizeof *p.all);
    for (int64_t i = 0; i < cells && h->ctx->status == CW_OK; i += BLOCK)
        predict_block(h, &p, xf, latent, ef, genes, &flow, i, cells - i < BLOCK ? cells - i : BLOCK, cells, 0);
    if (p.all && p.taken > 0 && h->ctx->status == CW_OK) {
        p.tau_bar = cw_select_largest(p.all, p.taken, p.taken - (p.taken - 1) / 2);
        *bar = p.tau_bar;
    }
    for (int64_t i = 0; p.zi && i < cells && h->ctx->status == CW_OK; i += BLOCK)
        predict_block(h, &p, xf, latent, ef, genes, &flow, i, cells - i < BLOCK ? cells - i : BLOCK, cells, 1);
    cw_free(h->ctx, p.all), cw_free(h->ctx, xf), cw_free(h->ctx, ef);
    cw_glue_pause(h->ctx);
    UNPROTECT(1);
    return list;
}

/* z (n,dim) after `duration` (one, or one per row; negative: back) */
SEXP cw_r_effendi_flow(SEXP ptr, SEXP z_, SEXP duration, SEXP flow_)
{
    handle *h = handle_of(ptr);
    int64_t dim = h->model->config.dim;
    source z = read_matrix(z_, "z", -1, dim);
    if (TYPEOF(duration) != REALSXP || (Rf_xlength(duration) != 1 && Rf_xlength(duration) != z.n))
        Rf_error("internal error: one duration, or one for every row");
    cw_effendi_flow flow = flow_of(flow_);
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)z.n, (int)dim));
    int64_t durations = Rf_xlength(duration);
    cw_glue_resume(h->ctx);
    float *x = take_matrix(h->ctx, &z, "z");
    for (int64_t i = 0; i < z.n && h->ctx->status == CW_OK; i += BLOCK) {
        int64_t n = z.n - i < BLOCK ? z.n - i : BLOCK;
        cw_tape_reset(h->tape, 0, 0, 0, 0);
        cw_effendi_field field = cw_effendi_field_make(h->model, h->tape, &flow);
        cw_tensor *tau = cw_tape_matrix(h->tape, durations == 1 ? 1 : n, 1);
        for (int64_t r = 0; tau && r < cw_rows(tau); r++)
            cw_f32(tau)[r] = (float)REAL(duration)[durations == 1 ? 0 : i + r];
        cw_tensor *end =
            cw_effendi_run(h->tape, cw_tape_constant(h->tape, x + i * dim, n, dim), &field, tau, 1.0f, &flow);
        if (end) put_rows(REAL(out), z.n, i, cw_f32(end), n, dim);
    }
    cw_free(h->ctx, x);
    cw_glue_pause(h->ctx);
    UNPROTECT(1);
    return out;
}

/* tau_base of every gene, and the field's Lipschitz bound */
SEXP cw_r_effendi_base(SEXP ptr, SEXP emb_, SEXP flow_)
{
    static const char *const names[] = {"tauBase", "lipschitz"};
    handle *h = handle_of(ptr);
    source emb = read_matrix(emb_, "geneEmbedding", -1, h->model->config.dim);
    cw_effendi_flow flow = flow_of(flow_);
    SEXP list = PROTECT(cw_glue_list(2, names));
    SET_VECTOR_ELT(list, 0, Rf_allocVector(REALSXP, emb.n));
    SET_VECTOR_ELT(list, 1, Rf_ScalarReal(NA_REAL));
    cw_glue_resume(h->ctx);
    float *e = take_matrix(h->ctx, &emb, "geneEmbedding");
    cw_tape *t = h->tape;
    cw_tape_reset(t, 0, 0, 0, 0);
    cw_tensor *x = e ? cw_effendi_embed(h->model, t, cw_tape_constant(t, e, emb.n, emb.d)) : NULL;
    cw_tensor *base = x ? cw_effendi_tau_base(h->model, t, x) : NULL;
    for (int64_t g = 0; base && g < emb.n; g++) REAL(VECTOR_ELT(list, 0))[g] = cw_f32(base)[g];
    cw_effendi_field field = cw_effendi_field_make(h->model, t, &flow);
    if (h->ctx->status == CW_OK) REAL(VECTOR_ELT(list, 1))[0] = cw_effendi_lipschitz(h->model, &field);
    cw_free(h->ctx, e);
    cw_glue_pause(h->ctx);
    UNPROTECT(1);
    return list;
}
