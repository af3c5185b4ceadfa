/* r_model.c: models: making, loading, saving, inference. Every entry point reads and checks R's values, creates its
 * result, runs the engine between cw_glue_resume and cw_glue_pause, copies out before the latter, which raises last. */
#include "r_model.h"

#include "../engine/core/threads.h"
#include "../engine/train/checkpoint.h"
#include "../engine/io/json.h"

#include <math.h>
#include <string.h>

/* ---- handles ---- */

static void free_handle(cw_handle *h)
{
    cw_ctx *ctx = h->ctx;
    cw_trainer_free(h->trainer);
    cw_tape_free(h->tape);
    cw_arena_free(h->staging);
    cw_sfm_free(h->model);
    cw_free(ctx, h);
    cw_ctx_free(ctx);
}

static void finalize(SEXP ptr)
{
    cw_handle *h = R_ExternalPtrAddr(ptr);
    if (!h) return;
    R_ClearExternalPtr(ptr);
    free_handle(h);
}

cw_handle *cw_handle_of(SEXP ptr)
{
    if (TYPEOF(ptr) != EXTPTRSXP || R_ExternalPtrTag(ptr) != Rf_install("causeway_sfm"))
        Rf_error("this is not a causeway model");
    cw_handle *h = R_ExternalPtrAddr(ptr);
    if (!h)
        Rf_error("this model's memory is gone: it was restored from saveRDS() or an old session. "
                 "Use saveModel() and loadModel() to keep models");
    return h;
}

static const char *as_text(SEXP x, const char *what)
{
    if (TYPEOF(x) != STRSXP || Rf_xlength(x) != 1 || STRING_ELT(x, 0) == NA_STRING)
        Rf_error("'%s' must be one string", what);
    return Rf_translateCharUTF8(STRING_ELT(x, 0));
}

SEXP cw_r_model_new(SEXP config_, SEXP vocab_, SEXP conditions_, SEXP pad_, SEXP key_, SEXP threads_)
{
    const char *json = as_text(config_, "config");
    uint64_t key = cw_glue_key(key_);
    int vocab = Rf_asInteger(vocab_), conditions = Rf_asInteger(conditions_), pad = Rf_asInteger(pad_);
    SEXP ptr = PROTECT(R_MakeExternalPtr(NULL, Rf_install("causeway_sfm"), R_NilValue));
    R_RegisterCFinalizerEx(ptr, finalize, TRUE);
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads_));
    cw_sfm_config config = {.vocab = vocab, .conditions = conditions, .pad = pad};
    cw_json *parsed = cw_json_parse(ctx, json, (int64_t)strlen(json));
    if (parsed) cw_sfm_config_read(ctx, &config, parsed);
    cw_json_free(parsed);
    cw_handle *h = cw_calloc(ctx, 1, sizeof *h);
    if (h) {
        h->ctx = ctx;
        h->model = cw_sfm_new(ctx, &config, key);
        h->tape = cw_tape_new(ctx);
        h->staging = cw_arena_new(ctx);
    }
    if (ctx->status != CW_OK) {
        if (h) {
            cw_tape_free(h->tape);
            cw_arena_free(h->staging);
            cw_sfm_free(h->model);
            cw_free(ctx, h);
        }
        cw_glue_leave(ctx); /* raises */
    }
    R_SetExternalPtrAddr(ptr, h);
    cw_glue_pause(ctx);
    UNPROTECT(1);
    return ptr;
}

/* ---- tensors by name ---- */

SEXP cw_r_model_tensors(SEXP ptr)
{
    static const char *const names[] = {"name", "shape"};
    const cw_params *params = &cw_handle_of(ptr)->model->params;
    SEXP list = PROTECT(cw_glue_list(2, names));
    SEXP name = Rf_allocVector(STRSXP, params->count);
    SET_VECTOR_ELT(list, 0, name);
    SEXP shape = Rf_allocVector(VECSXP, params->count);
    SET_VECTOR_ELT(list, 1, shape);
    for (int64_t i = 0; i < params->count; i++) {
        const cw_tensor *t = &params->item[i]->tensor;
        SET_STRING_ELT(name, i, Rf_mkChar(params->item[i]->name));
        SEXP dim = Rf_allocVector(INTSXP, t->ndim);
        SET_VECTOR_ELT(shape, i, dim);
        for (int j = 0; j < t->ndim; j++) INTEGER(dim)[j] = (int)t->dim[j];
    }
    UNPROTECT(1);
    return list;
}

static cw_tensor *tensor_called(cw_handle *h, SEXP name)
{
    const char *text = as_text(name, "name");
    cw_param *p = cw_params_find(&h->model->params, text);
    if (!p) Rf_error("the model has no tensor called '%s'", text);
    return &p->tensor;
}

SEXP cw_r_model_get(SEXP ptr, SEXP name)
{
    const cw_tensor *t = tensor_called(cw_handle_of(ptr), name);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, cw_count(t)));
    for (int64_t i = 0; i < cw_count(t); i++) REAL(out)[i] = cw_f32(t)[i];
    UNPROTECT(1);
    return out;
}

SEXP cw_r_model_set(SEXP ptr, SEXP name, SEXP value)
{
    cw_tensor *t = tensor_called(cw_handle_of(ptr), name);
    if (TYPEOF(value) != REALSXP || Rf_xlength(value) != cw_count(t))
        Rf_error("'%s' takes %lld numbers", CHAR(STRING_ELT(name, 0)), (long long)cw_count(t));
    for (int64_t i = 0; i < cw_count(t); i++) cw_f32(t)[i] = (float)REAL(value)[i];
    return R_NilValue;
}

/* ---- files ---- */

static SEXP strings(char *const *text, int64_t n)
{
    SEXP out = PROTECT(Rf_allocVector(STRSXP, n));
    for (int64_t i = 0; i < n; i++) SET_STRING_ELT(out, i, Rf_mkCharCE(text[i], CE_UTF8));
    UNPROTECT(1);
    return out;
}

/* The report in R memory. Runs under R_ToplevelExec, for R may run out of memory while the report is the engine's. */
typedef struct {
    const cw_load_report *report;
    SEXP list;
} report_copy;

static void copy_report(void *data)
{
    report_copy *c = data;
    const cw_load_report *r = c->report;
    SET_VECTOR_ELT(c->list, 0, strings(r->missing_name, r->missing));
    SET_VECTOR_ELT(c->list, 1, strings(r->unexpected_name, r->unexpected));
    SET_VECTOR_ELT(c->list, 2, strings(r->misshapen_text, r->misshapen));
    SET_VECTOR_ELT(c->list, 3, Rf_ScalarInteger((int)r->loaded));
}

SEXP cw_r_model_load(SEXP ptr, SEXP file)
{
    static const char *const names[] = {"missing", "unexpected", "misshapen", "loaded"};
    cw_handle *h = cw_handle_of(ptr);
    const char *path = as_text(file, "file");
    SEXP list = PROTECT(cw_glue_list(4, names));
    cw_glue_resume(h->ctx);
    cw_load_report report;
    cw_params_load(&h->model->params, path, &report);
    report_copy copy = {&report, list};
    if (h->ctx->status == CW_OK && !R_ToplevelExec(copy_report, &copy))
        cw_fail(h->ctx, CW_ERR_MEMORY, "no memory for the report of what was loaded");
    cw_load_report_free(&report);
    cw_glue_pause(h->ctx);
    UNPROTECT(1);
    return list;
}

SEXP cw_r_model_save(SEXP ptr, SEXP file)
{
    cw_handle *h = cw_handle_of(ptr);
    const char *path = as_text(file, "file");
    cw_glue_resume(h->ctx);
    cw_params_save(&h->model->params, path);
    cw_glue_pause(h->ctx);
    return R_NilValue;
}

/* ---- batches ---- */

static SEXP typed(SEXP list, const char *name, SEXPTYPE type, double length, int optional)
{
    SEXP x = cw_glue_get(list, name);
    if (Rf_isNull(x) && optional) return R_NilValue;
    if ((SEXPTYPE)TYPEOF(x) != type)
        Rf_error("internal error: batch$%s has type %s", name, Rf_type2char((SEXPTYPE)TYPEOF(x)));
    if (length >= 0 && (double)Rf_xlength(x) != length)
        Rf_error("internal error: batch$%s holds %.0f items, not %.0f", name, (double)Rf_xlength(x), length);
    return x;
}

/* values: a double matrix or a dgCMatrix, genes x cells. Fills cells, genes and where the numbers are. */
static void read_values(cw_r_batch *b, SEXP values)
{
    SEXP dim = Rf_isMatrix(values) ? Rf_getAttrib(values, R_DimSymbol) : R_NilValue;
    int sparse = (int)Rf_inherits(values, "dgCMatrix");
    if (sparse) dim = R_do_slot(values, Rf_install("Dim"));
    if (TYPEOF(dim) != INTSXP || Rf_xlength(dim) != 2 || (!sparse && TYPEOF(values) != REALSXP))
        Rf_error("internal error: batch$values must be a double matrix or a dgCMatrix");
    b->genes = INTEGER(dim)[0], b->cells = INTEGER(dim)[1];
    if (!sparse) {
        b->dense = REAL(values);
        return;
    }
    SEXP p = R_do_slot(values, Rf_install("p")), i = R_do_slot(values, Rf_install("i")),
         x = R_do_slot(values, Rf_install("x"));
    int good = TYPEOF(p) == INTSXP && TYPEOF(i) == INTSXP && TYPEOF(x) == REALSXP && Rf_xlength(p) == b->cells + 1;
    if (!good) Rf_error("'x' holds a damaged sparse matrix");
    b->column_start = INTEGER(p), b->row = INTEGER(i), b->x = REAL(x);
    int last = b->column_start[b->cells];
    good = b->column_start[0] == 0 && Rf_xlength(i) >= last && Rf_xlength(x) >= last;
    for (int64_t c = 0; good && c < b->cells; c++) good = b->column_start[c] <= b->column_start[c + 1];
    for (int64_t n = 0; good && n < last; n++) good = b->row[n] >= 0 && b->row[n] < b->genes;
    if (!good) Rf_error("'x' holds a damaged sparse matrix");
}

cw_r_batch cw_r_batch_read(SEXP batch, SEXP eps)
{
    cw_r_batch b = {0};
    read_values(&b, cw_glue_get(batch, "values"));
    double all = (double)b.genes * (double)b.cells;
    SEXP ids = typed(batch, "ids", INTSXP, -1, 0), padding = typed(batch, "padding", LGLSXP, all, 1);
    b.ids_shared = !Rf_isMatrix(ids);
    double id_count = b.ids_shared ? (double)b.genes : all;
    b.ids = INTEGER(typed(batch, "ids", INTSXP, id_count, 0));
    b.non_tf = LOGICAL(typed(batch, "nonTF", LGLSXP, id_count, 0));
    b.conditions = INTEGER(typed(batch, "conditions", INTSXP, 4.0 * (double)b.cells, 0));
    if (!Rf_isNull(padding)) b.padding = LOGICAL(padding);
    if (!Rf_isNull(eps)) {
        if (TYPEOF(eps) != REALSXP || (double)Rf_xlength(eps) != all)
            Rf_error("internal error: eps must be genes x cells");
        b.eps = REAL(eps);
    }
    return b;
}

static uint8_t *stage_flags(cw_handle *h, const int *x, int64_t n)
{
    uint8_t *y = x ? cw_arena_take(h->staging, n) : NULL;
    for (int64_t i = 0; y && i < n; i++) y[i] = x[i] != 0;
    return y;
}

static float *stage_dense(cw_handle *h, const double *x, int64_t n)
{
    float *y = x ? cw_arena_take(h->staging, n * (int64_t)sizeof(float)) : NULL;
    for (int64_t i = 0; y && i < n; i++) y[i] = (float)x[i];
    return y;
}

static float *stage_values(cw_handle *h, const cw_r_batch *b)
{
    int64_t n = b->cells * b->genes;
    if (b->dense) return stage_dense(h, b->dense, n);
    float *y = cw_arena_take(h->staging, n * (int64_t)sizeof(float));
    if (!y) return NULL;
    memset(y, 0, (size_t)n * sizeof(float));
    for (int64_t c = 0; c < b->cells; c++)
        for (int i = b->column_start[c]; i < b->column_start[c + 1]; i++) y[c * b->genes + b->row[i]] = (float)b->x[i];
    return y;
}

cw_sfm_input cw_r_batch_stage(cw_handle *h, const cw_r_batch *b)
{
    int64_t n = b->cells * b->genes;
    cw_arena_reset(h->staging);
    return (cw_sfm_input){.cells = b->cells,
                          .genes = b->genes,
                          .ids = b->ids,
                          .ids_shared = b->ids_shared,
                          .values = stage_values(h, b),
                          .condition = b->conditions,
                          .non_tf = stage_flags(h, b->non_tf, b->ids_shared ? b->genes : n),
                          .padding = stage_flags(h, b->padding, n),
                          .eps = stage_dense(h, b->eps, n)};
}

/* ---- inference ---- */

static int all_finite(const cw_tensor *x)
{
    for (int64_t i = 0; i < cw_count(x); i++)
        if (!isfinite(cw_f32(x)[i])) return 0;
    return 1;
}

SEXP cw_r_model_infer(SEXP ptr, SEXP batch, SEXP options)
{
    static const char *const names[] = {"uIndex", "uWeight", "vIndex", "vWeight"};
    cw_handle *h = cw_handle_of(ptr);
    cw_r_batch b = cw_r_batch_read(batch, R_NilValue);
    if (!b.ids_shared || b.padding) Rf_error("internal error: networks need one list of genes without padding");
    int64_t tfs = 0, k = cw_sfm_gate_width(&h->model->config), m = h->model->config.factors;
    for (int64_t g = 0; g < b.genes; g++) tfs += !b.non_tf[g];
    double keep = cw_glue_number(options, "keep", (double)k); /* weights kept of each row */
    if (keep >= 1 && keep < (double)k) k = (int64_t)keep;
    double rows[2] = {(double)b.cells * (double)tfs, (double)b.cells * (double)b.genes};
    SEXP list = PROTECT(cw_glue_list(4, names));
    for (int i = 0; i < 4; i++)
        SET_VECTOR_ELT(list, i, Rf_allocVector(RAWSXP, (R_xlen_t)(rows[i / 2] * (double)k * (i % 2 ? 4.0 : 2.0))));
    cw_glue_resume(h->ctx);
    cw_sfm_input input = cw_r_batch_stage(h, &b);
    cw_tape_reset(h->tape, 0, 0, 0, 0);
    cw_sfm_batch packed;
    if (h->ctx->status == CW_OK && cw_sfm_batch_build(&packed, h->tape->arena, &input, &h->model->config) == CW_OK) {
        cw_sfm_output y = cw_sfm_forward(h->model, h->tape, &packed, NULL);
        if (h->ctx->status == CW_OK && !(all_finite(y.tf_logits) && all_finite(y.gene_logits)))
            cw_fail(h->ctx, CW_ERR_NUMERIC,
                    "'model' gives numbers that are not finite for these cells: its weights are "
                    "damaged (NaN, infinite or huge); load or train it again");
        float *scratch = cw_arena_take(h->tape->arena, m * (int64_t)sizeof(float));
        if (h->ctx->status == CW_OK) {
            cw_gate_pack((uint16_t *)RAW(VECTOR_ELT(list, 0)), (float *)RAW(VECTOR_ELT(list, 1)), scratch, cw_f32(y.u),
                         packed.tfs, m, k);
            cw_gate_pack((uint16_t *)RAW(VECTOR_ELT(list, 2)), (float *)RAW(VECTOR_ELT(list, 3)), scratch, cw_f32(y.v),
                         packed.actives, m, k);
        }
    }
    cw_glue_pause(h->ctx);
    UNPROTECT(1);
    return list;
}

/* ---- every intermediate result, padded, for comparisons ---- */

#define MAX_SEEN 1024

typedef struct {
    cw_handle *h;
    const cw_sfm_batch *batch;
    int count;
    struct {
        char name[64];
        int64_t dim[3];
        float *data; /* staging */
    } seen[MAX_SEEN];
} witness;

static void keep(witness *w, const char *name, cw_rows_kind kind, const float *x, float fill, int64_t d)
{
    int64_t slots = cw_sfm_slots(w->batch, kind), n = w->batch->cells * slots * d;
    float *y = w->count < MAX_SEEN ? cw_arena_take(w->h->staging, n * (int64_t)sizeof(float)) : NULL;
    if (!y) return;
    cw_sfm_unpack(y, w->batch, kind, x, fill, d);
    strncpy(w->seen[w->count].name, name, sizeof w->seen[0].name - 1);
    w->seen[w->count].dim[0] = w->batch->cells, w->seen[w->count].dim[1] = slots, w->seen[w->count].dim[2] = d;
    w->seen[w->count++].data = y;
}

static void see(void *user, const char *name, const cw_tensor *x)
{
    static const char *const vgae[2][3] = {{"vgae.mu_z", "vgae.sigma_z", ""},
                                           {"vgae.mu_h", "vgae.sigma_h", "vgae.p_drop"}};
    witness *w = user;
    int64_t d = cw_cols(x), n = cw_rows(x);
    if (strcmp(name, "vgae.stats") == 0 || strcmp(name, "vgae.out") == 0) {
        float *column = cw_arena_take(w->h->staging, n * (int64_t)sizeof(float));
        for (int j = 0; column && j < d; j++) {
            for (int64_t i = 0; i < n; i++) column[i] = cw_vgae_value(cw_f32(x)[i * d + j], j);
            keep(w, vgae[d == 3][j], CW_ROWS_GENE, column, j == 1 ? 1.0f : 0.0f, 1);
        }
        return;
    }
    cw_rows_kind kind = n == w->batch->tokens ? CW_ROWS_TOKEN : CW_ROWS_GENE;
    if (strcmp(name, "u") == 0) kind = CW_ROWS_TF;
    if (strncmp(name, "batch_", 6) == 0 || strncmp(name, "condition_", 10) == 0) kind = CW_ROWS_CELL;
    keep(w, name, kind, cw_f32(x), 0.0f, d);
}

static SEXP as_array(const float *x, const int64_t dim[3])
{
    int64_t n = dim[0] * dim[1] * dim[2];
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n)), shape = PROTECT(Rf_allocVector(INTSXP, 3));
    for (int64_t i = 0; i < n; i++) REAL(out)[i] = x[i];
    for (int j = 0; j < 3; j++) INTEGER(shape)[j] = (int)dim[j];
    Rf_setAttrib(out, Rf_install("dim_rm"), shape);
    UNPROTECT(2);
    return out;
}

SEXP cw_r_model_forward(SEXP ptr, SEXP batch, SEXP eps)
{
    cw_handle *h = cw_handle_of(ptr);
    cw_r_batch b = cw_r_batch_read(batch, eps);
    witness *w = (witness *)R_alloc(1, sizeof *w); /* R gives it back when the call ends */
    memset(w, 0, sizeof *w);
    cw_glue_resume(h->ctx);
    cw_sfm_input input = cw_r_batch_stage(h, &b);
    cw_tape_reset(h->tape, 0, 0, 0, 0);
    cw_sfm_batch packed;
    cw_observer observer = {w, see};
    *w = (witness){.h = h, .batch = &packed};
    if (h->ctx->status == CW_OK && cw_sfm_batch_build(&packed, h->tape->arena, &input, &h->model->config) == CW_OK) {
        cw_sfm_output y = cw_sfm_forward(h->model, h->tape, &packed, &observer);
        const cw_sfm_loss_spec none = {0};
        if (eps != R_NilValue) cw_sfm_loss(h->model, h->tape, &packed, y, &none, &observer);
    }
    cw_glue_pause(h->ctx); /* what was seen stays in the staging arena until the next call */
    SEXP list = PROTECT(Rf_allocVector(VECSXP, w->count)), names = PROTECT(Rf_allocVector(STRSXP, w->count));
    for (int i = 0; i < w->count; i++) {
        SET_VECTOR_ELT(list, i, as_array(w->seen[i].data, w->seen[i].dim));
        SET_STRING_ELT(names, i, Rf_mkChar(w->seen[i].name));
    }
    Rf_setAttrib(list, R_NamesSymbol, names);
    UNPROTECT(2);
    return list;
}

/* ---- forecasts ---- */

SEXP cw_r_forecast(SEXP ptr, SEXP cells, SEXP genes, SEXP train)
{
    cw_handle *h = cw_handle_of(ptr);
    double c = Rf_asReal(cells), g = Rf_asReal(genes);
    if (!(c >= 1 && c < 2147483648.0 && g >= 1 && g < 2147483648.0))
        Rf_error("internal error: %g cells x %g genes", c, g);
    /* the worst case: every gene is a TF */
    return Rf_ScalarReal(
        (double)cw_sfm_forecast(&h->model->config, (int64_t)c, (int64_t)g, (int64_t)g, Rf_asLogical(train)));
}

SEXP cw_r_memory(SEXP ptr)
{
    static const char *const names[] = {"bytes", "peak", "calls", "threads"};
    const cw_ctx *ctx = cw_handle_of(ptr)->ctx;
    const cw_memory *m = &ctx->memory;
    SEXP out = PROTECT(Rf_allocVector(REALSXP, 4)), labels = PROTECT(Rf_allocVector(STRSXP, 4));
    const double values[] = {(double)m->bytes, (double)m->peak, (double)m->calls, ctx->threads};
    for (int i = 0; i < 4; i++) {
        REAL(out)[i] = values[i];
        SET_STRING_ELT(labels, i, Rf_mkChar(names[i]));
    }
    Rf_setAttrib(out, R_NamesSymbol, labels);
    UNPROTECT(2);
    return out;
}
