/* sfm_class.c: what can be done with an SFM: its tasks (pretrain, distil) and queries (networks, trace). */
#include "sfm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- batches ---- */

static cw_status read_batch(cw_sfm *s, cw_tape *t, cw_inputs *in, cw_sccafm_batch *batch)
{
    cw_sccafm_input input = cw_sccafm_input_read(in);
    if (in->ctx->status != CW_OK) return in->ctx->status;
    return cw_sccafm_batch_build(batch, t->arena, &input, &s->config.trunk);
}

/* ---- pretrain: ELBO, and what keeps the network in bounds ---- */

static const cw_term pretrain_terms[] = {{"reconstruction", 1.0f, CW_TERM_FATAL, 0},
                                         {"kl", 1.0f, CW_TERM_FATAL, 0},
                                         {"prior", 20.0f, CW_TERM_FATAL, 0},
                                         {"dag", 1.0f, CW_TERM_DROP, 1},
                                         {"sparsity", 0.001f, CW_TERM_DROP, 1},
                                         {0}};
enum { RECONSTRUCTION, KL, PRIOR, DAG, SPARSITY };

static const cw_setting pretrain_settings[] = {
    CW_SET_INT(cw_sfm_pretrain, prior_top, "prior_top", "priorEdges", 512, 0, 1e12,
               "edges per cell the prior loss looks at; 0: all pairs"),
    CW_SET_REAL(cw_sfm_pretrain, prior_positive, "prior_positive", "priorPositive", 5, 0, 1e6, 0, "weight of known edges"),
    CW_SET_REAL(cw_sfm_pretrain, prior_negative, "prior_negative", "priorNegative", 0.1, 0, 1e6, 0,
                "weight of the others"),
    {0}};

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The kept input "prior", (pairs, 2) tokens of source and target, sorted for look-up. */
static cw_status begin_pretrain(cw_model *m, const void *settings)
{
    cw_sfm *s = (cw_sfm *)m;
    (void)settings;
    cw_free(m->ctx, s->pair);
    s->pair = NULL, s->pairs = 0;
    cw_inputs in = {.ctx = m->ctx, .kept = &m->kept};
    int64_t dim[2] = {-1, 2};
    const int32_t *edge = cw_in_i32(&in, "prior", 2, dim, 1);
    if (!edge) return m->ctx->status;
    s->pair = cw_alloc(m->ctx, dim[0], sizeof *s->pair);
    if (!s->pair) return m->ctx->status;
    for (int64_t i = 0; i < dim[0]; i++)
        s->pair[i] = (uint64_t)(uint32_t)edge[2 * i] << 32 | (uint32_t)edge[2 * i + 1];
    qsort(s->pair, (size_t)dim[0], sizeof *s->pair, by_key);
    s->pairs = dim[0];
    return CW_OK;
}

static cw_status pretrain(cw_model *m, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    cw_sfm *s = (cw_sfm *)m;
    const cw_sfm_pretrain *o = settings;
    cw_sccafm_batch batch;
    if (read_batch(s, t, in, &batch) != CW_OK) return m->ctx->status;
    const cw_sfm_loss_spec spec = {.prior = {s->pairs, s->pair},
                                   .prior_top = o->prior_top,
                                   .prior_positive = o->prior_positive,
                                   .prior_negative = o->prior_negative,
                                   .use_prior = loss->wanted[PRIOR],
                                   .use_dag = loss->wanted[DAG],
                                   .use_sparsity = loss->wanted[SPARSITY]};
    cw_sfm_output y = cw_sfm_forward(s, t, &batch, NULL);
    cw_sfm_losses l = cw_sfm_loss(s, t, &batch, y, &spec, NULL);
    cw_sfm_balance_gather(s, t, y);
    loss->term[RECONSTRUCTION] = l.reconstruction;
    loss->term[KL] = l.kl;
    loss->term[PRIOR] = l.prior;
    loss->term[DAG] = l.dag;
    loss->term[SPARSITY] = l.sparsity;
    return m->ctx->status;
}

/* ---- distil: the input "teacher", (cells, genes, factors) ---- */

static const cw_term distil_terms[] = {{"distillation", 1.0f, CW_TERM_FATAL, 0}, {0}};

static cw_status distil(cw_model *m, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    cw_sfm *s = (cw_sfm *)m;
    cw_sccafm_batch batch;
    (void)settings;
    if (read_batch(s, t, in, &batch) != CW_OK) return m->ctx->status;
    int64_t dim[3] = {batch.cells, batch.genes, s->config.factors};
    cw_sfm_teacher teacher = {cw_in_f32(in, "teacher", 3, dim, 0)};
    if (m->ctx->status != CW_OK) return m->ctx->status;
    cw_sfm_output y = cw_sfm_forward(s, t, &batch, NULL);
    loss->term[0] = cw_sfm_distil_loss(s, t, &batch, y, teacher);
    return m->ctx->status;
}

static const cw_task tasks[] = {
    {.name = "pretrain", .terms = pretrain_terms, .settings = pretrain_settings, .bytes = sizeof(cw_sfm_pretrain),
     .begin = begin_pretrain, .loss = pretrain},
    {.name = "distil", .terms = distil_terms, .loss = distil},
    {0}};

/* ---- networks: the gates of every cell, packed ---- */

typedef struct networks_options {
    int64_t keep;
} networks_options;

static const cw_setting networks_settings[] = {
    CW_SET_INT(networks_options, keep, "keep", NULL, 0, 0, 65535, "weights kept of a gate; 0: all that can be there"), {0}};

static int all_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return 0;
    return 1;
}

/* uIndex, uWeight (TFs of all cells, k) and vIndex, vWeight (genes of all cells, k) */
static cw_status networks(cw_model *m, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    cw_sfm *s = (cw_sfm *)m;
    cw_sccafm_batch batch;
    if (read_batch(s, t, in, &batch) != CW_OK) return m->ctx->status;
    if (batch.actives != batch.cells * batch.genes)
        return cw_fail(m->ctx, CW_ERR_ARGUMENT, "networks are of one list of genes without padding");
    int64_t k = cw_sfm_gate_width(&s->config), keep = ((const networks_options *)settings)->keep;
    if (keep > 0 && keep < k) k = keep;
    cw_sfm_output y = cw_sfm_forward(s, t, &batch, NULL);
    int64_t factors = s->config.factors;
    const cw_tensor *gate[] = {y.u, y.v}, *logits[] = {y.tf_logits, y.gene_logits};
    static const char *const names[2][2] = {{"uIndex", "uWeight"}, {"vIndex", "vWeight"}};
    float *scratch = cw_arena_take(t->arena, factors * (int64_t)sizeof(float));
    for (int i = 0; i < 2 && m->ctx->status == CW_OK; i++) {
        int64_t dim[] = {cw_rows(gate[i]), k};
        if (!all_finite(cw_tape_host(t, logits[i]), cw_count(logits[i])))
            return cw_fail(m->ctx, CW_ERR_NUMERIC,
                           "'model' gives numbers that are not finite for these cells: its weights are damaged (NaN, "
                           "infinite or huge); load or train it again");
        uint16_t *index = cw_out(m->ctx, out, names[i][0], CW_ARRAY_U16, 2, dim);
        float *weight = cw_out(m->ctx, out, names[i][1], CW_ARRAY_F32, 2, dim);
        const float *x = cw_tape_host(t, gate[i]);
        if (index && weight && x) cw_gate_pack(index, weight, scratch, x, dim[0], factors, k);
    }
    return m->ctx->status;
}

/* ---- trace: every intermediate result in the padded layout, for comparisons ---- */

typedef struct witness {
    cw_tape *tape;
    const cw_sccafm_batch *batch;
    const cw_sink *out;
} witness;

static void put(witness *w, const char *name, cw_rows_kind kind, const float *x, float fill, int64_t d)
{
    int64_t slots = cw_sccafm_slots(w->batch, kind);
    const int64_t dim[] = {w->batch->cells, slots, d};
    float *y = cw_out(w->tape->ctx, w->out, name, CW_ARRAY_F32, 3, dim);
    if (y && x) cw_sccafm_unpack(y, w->batch, kind, x, fill, d);
}

/* The VGAE's raw columns under their links; at padding mu 0, sigma 1, p 0. */
static void see_vgae(witness *w, const cw_tensor *x)
{
    static const char *const names[2][3] = {{"vgae.mu_z", "vgae.sigma_z", NULL},
                                            {"vgae.mu_h", "vgae.sigma_h", "vgae.p_drop"}};
    int64_t d = cw_cols(x), n = w->batch->actives;
    const float *values = cw_tape_host(w->tape, x);
    float *column = cw_arena_take(w->tape->arena, n * (int64_t)sizeof(float));
    for (int j = 0; j < d && column && values; j++) {
        for (int64_t i = 0; i < n; i++) column[i] = cw_vgae_value(values[i * d + j], j);
        put(w, names[d == 3][j], CW_ROWS_GENE, column, j == 1 ? 1.0f : 0.0f, 1);
    }
}

static void see(void *user, const char *name, const cw_tensor *x)
{
    witness *w = user;
    if (strcmp(name, "vgae.stats") == 0 || strcmp(name, "vgae.out") == 0) {
        see_vgae(w, x);
        return;
    }
    cw_rows_kind kind = strcmp(name, "u") == 0                                             ? CW_ROWS_TF
                        : strncmp(name, "batch_", 6) == 0 || strncmp(name, "cond", 4) == 0 ? CW_ROWS_CELL
                        : cw_rows(x) == w->batch->tokens                                   ? CW_ROWS_TOKEN
                                                                                           : CW_ROWS_GENE;
    put(w, name, kind, cw_tape_host(w->tape, x), 0.0f, cw_cols(x));
}

static cw_status trace(cw_model *m, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    cw_sfm *s = (cw_sfm *)m;
    cw_sccafm_batch batch;
    (void)settings;
    if (read_batch(s, t, in, &batch) != CW_OK) return m->ctx->status;
    witness w = {t, &batch, out};
    cw_observer observer = {&w, see};
    cw_sfm_output y = cw_sfm_forward(s, t, &batch, &observer);
    const cw_sfm_loss_spec none = {0};
    if (batch.eps) cw_sfm_loss(s, t, &batch, y, &none, &observer);
    return m->ctx->status;
}

static const cw_query queries[] = {{"networks", networks_settings, sizeof(networks_options), networks},
                                   {"trace", NULL, 0, trace},
                                   {0}};

/* Packages may hold the two halves without the module's name in front. */
static const cw_name_rule rules[] = {{.to = "foundation_modules.sfm.*", .from = "*"},
                                     {.to = "head_modules.vgae.*", .from = "*"},
                                     {0}};

const cw_model_class cw_sfm_class = {.name = "sfm",
                                     .title = "structure foundation module (scCAFM)",
                                     .settings = cw_sfm_settings,
                                     .presets = cw_sfm_presets,
                                     .rules = rules,
                                     .tasks = tasks,
                                     .queries = queries,
                                     .bytes = sizeof(cw_sfm),
                                     .config = offsetof(cw_sfm, config),
                                     .config_bytes = sizeof(cw_sfm_config),
                                     .check = cw_sfm_check,
                                     .build = cw_sfm_build,
                                     .release = cw_sfm_release,
                                     .after_step = cw_sfm_balance_apply,
                                     .forget = cw_sfm_balance_forget,
                                     .gathered = cw_sfm_balance_gathered,
                                     .forecast = cw_sfm_forecast};
