/* gears_class.c: what can be done with GEARS: training on the autofocus and direction losses, and prediction. */
#include "gears.h"

#include <math.h>
#include <string.h>

#define TAKE(t, count, type) ((type *)cw_arena_take((t)->arena, (int64_t)(count) * (int64_t)sizeof(type)))

/* ---- training ---- */

typedef struct judging {
    float regularisation, direction;
} judging;

static const cw_setting judging_settings[] = {
    CW_SET_REAL(judging, regularisation, "uncertainty_reg", "uncertaintyReg", 1, 0, 1e6, 0,
                "weight of the loss that the told variance divides"),
    CW_SET_REAL(judging, direction, "direction_lambda", "directionWeight", 0.1, 0, 1e6, 0,
                "weight of genes that move the wrong way"),
    {0}};

enum { AUTOFOCUS, DIRECTION };
static const cw_term terms[] = {{"autofocus", 1.0f, CW_TERM_FATAL, 0}, {"direction", 1.0f, CW_TERM_FATAL, 0}, {0}};

/* weight (cells, genes): 1 / (values kept of the cell's condition x conditions in the batch), 0 where not kept. */
static float *value_weights(cw_tape *t, const int32_t *condition, const uint8_t *kept, int64_t cells, int64_t genes)
{
    float *weight = TAKE(t, cells * genes, float);
    double *own = TAKE(t, cells, double), conditions = 0; /* own: values kept of each cell */
    if (!weight || !own) return NULL;
    for (int64_t i = 0; i < cells; i++) {
        int first = 1;
        for (int64_t j = 0; j < i && first; j++) first = condition[j] != condition[i];
        conditions += first, own[i] = 0;
        for (int64_t g = 0; g < genes; g++) own[i] += kept[i * genes + g] != 0;
    }
    for (int64_t i = 0; i < cells; i++) {
        double n = 0;
        for (int64_t j = 0; j < cells; j++) n += condition[j] == condition[i] ? own[j] : 0;
        for (int64_t g = 0; g < genes; g++)
            weight[i * genes + g] = kept[i * genes + g] ? (float)(1.0 / (n * conditions)) : 0.0f;
    }
    return weight;
}

static float sign(float x) { return (float)((x > 0) - (x < 0)); }

/* Sum of weight (sign(truth - reference) - sign(told - reference))^2: no gradient, as published. */
static cw_tensor *direction_loss(cw_tape *t, const cw_tensor *told, const float *truth, const float *reference,
                                 const float *weight, float scale)
{
    const float *y = cw_tape_host(t, told);
    float *sum = TAKE(t, 1, float);
    if (!y || !sum) return NULL;
    int64_t genes = cw_cols(told);
    double total = 0;
    for (int64_t i = 0; i < cw_count(told); i++) {
        float apart = sign(truth[i] - reference[i % genes]) - sign(y[i] - reference[i % genes]);
        total += (double)weight[i] * apart * apart;
    }
    *sum = (float)(scale * total);
    return cw_tape_constant(t, sum, 1, 1);
}

/* truth (cells, genes); condition (cells), equal for cells of one perturbation; kept (cells, genes): 1 where the loss
 * looks; reference (genes): mean of control cells. */
static cw_status train(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    cw_gears *m = (cw_gears *)model;
    const judging *o = settings;
    cw_gears_batch b;
    cw_tensor *log_variance = NULL;
    int64_t G = m->config.genes;
    if (cw_gears_batch_read(m, in, &b) == CW_OK) {
        int64_t dim[] = {b.cells, G};
        const float *truth = cw_in_f32(in, "truth", 2, dim, 0), *reference = cw_in_f32(in, "reference", 1, &G, 0);
        const int32_t *condition = cw_in_i32(in, "condition", 1, &b.cells, 0);
        const uint8_t *kept = cw_in_flags(in, "kept", 2, dim, 0);
        float *weight = truth && reference && condition && kept ? value_weights(t, condition, kept, b.cells, G) : NULL;
        if (weight) {
            cw_tensor *y = cw_gears_forward(m, t, &b, &log_variance, NULL), *w = cw_tape_constant(t, weight, b.cells, G);
            cw_tensor *miss = cw_add_scaled(t, y, cw_tape_constant(t, truth, b.cells, G), -1.0f);
            const cw_function square = {CW_FN_SQUARE, 1.0f}, inverse = {CW_FN_EXP, -1.0f};
            cw_tensor *fourth = cw_product(t, cw_apply(t, cw_apply(t, miss, square), square), w);
            cw_tensor *all = cw_sum(t, fourth, 1.0f);
            if (log_variance) {
                cw_tensor *certain = cw_tape_reshape(t, cw_apply(t, log_variance, inverse), b.cells, G);
                all = cw_add_scaled(t, all, cw_sum(t, cw_product(t, fourth, certain), 1.0f), o->regularisation);
            }
            loss->term[AUTOFOCUS] = all;
            if (loss->wanted[DIRECTION]) loss->term[DIRECTION] = direction_loss(t, y, truth, reference, weight, o->direction);
        }
    }
    return model->ctx->status;
}

static const cw_task tasks[] = {{.name = "train",
                                 .terms = terms,
                                 .settings = judging_settings,
                                 .bytes = sizeof(judging),
                                 .loss = train},
                                {0}};

/* ---- prediction ---- */

/* -> "expression" (cells, genes) and, with uncertainty, "logVariance" (cells, genes) */
static cw_status predict(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    cw_gears *m = (cw_gears *)model;
    cw_gears_batch b;
    cw_tensor *log_variance = NULL;
    (void)settings;
    if (cw_gears_batch_read(m, in, &b) != CW_OK) return model->ctx->status;
    const int64_t dim[] = {b.cells, m->config.genes};
    const cw_tensor *x[] = {cw_gears_forward(m, t, &b, &log_variance, NULL), log_variance};
    static const char *const name[] = {"expression", "logVariance"};
    for (int i = 0; i < 2 && x[i]; i++) {
        const float *values = cw_tape_host(t, x[i]);
        float *to = values ? cw_out(model->ctx, out, name[i], CW_ARRAY_F32, 2, dim) : NULL;
        if (to) memcpy(to, values, (size_t)(dim[0] * dim[1]) * sizeof *to);
    }
    return model->ctx->status;
}

static const cw_query queries[] = {{"predict", NULL, 0, predict}, {0}};

const cw_model_class cw_gears_class = {.name = "gears",
                                       .title = "GEARS",
                                       .settings = cw_gears_settings,
                                       .rules = cw_gears_rules,
                                       .tasks = tasks,
                                       .queries = queries,
                                       .bytes = sizeof(cw_gears),
                                       .config = offsetof(cw_gears, config),
                                       .config_bytes = sizeof(cw_gears_config),
                                       .build = cw_gears_build,
                                       .release = cw_gears_release,
                                       .forecast = cw_gears_forecast};
