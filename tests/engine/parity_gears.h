/* parity_gears.h: GEARS cases against the engine. The includer has `tolerance`, `compare` and `end_group`. Every expect.*
 * and grad.* of the file has to be compared. */
#ifndef CW_PARITY_GEARS_H
#define CW_PARITY_GEARS_H

#include "models/gears/gears.h"
#include "parity_encoder.h"

/* Outputs of batch norms over few rows: within 1e-3 of the largest value. */
static tolerance gears_loose(encoder_case *c, const char *name)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    float *x = encoder_read(c, name), most = 0;
    for (int64_t i = 0; e && i < e->count; i++) most = fmaxf(most, fabsf(x[i]));
    free(x);
    return (tolerance){1e-4, 1e-3 * (double)most + 1e-9};
}

static void gears_compare(encoder_case *c, const char *group_name, const char *name, const float *got, int64_t n)
{
    int loose = strstr(name, "logvar") || strstr(name, "cross_gene_state") || strstr(name, "uncertainty_w");
    if (cw_safetensors_find(c->file, name))
        encoder_compare(c, group_name, name, got, n, loose ? gears_loose(c, name) : FORWARD);
}

static void gears_see(void *user, const char *name, const cw_tensor *x)
{
    encoder_case *c = user;
    char full[64];
    snprintf(full, sizeof full, "expect.%s", name);
    gears_compare(c, "forward", full, cw_tape_host(c->tape, x), cw_count(x));
    if (strcmp(name, "logvar") == 0)
        gears_compare(c, "forward", "expect.uncertainty_w", cw_tape_host(c->tape, x), cw_count(x));
}

/* Edges as the engine takes them: (edges, 2), target and source. */
static cw_array gears_edges(encoder_case *c, const char *name, const char *as)
{
    cw_array a = encoder_ints(c, name, as);
    int64_t edges = a.dim[1];
    const int32_t *of = a.data;
    int32_t *e = encoder_hold(c, malloc((size_t)(2 * edges + 1) * sizeof *e));
    for (int64_t i = 0; i < edges; i++) e[2 * i] = of[edges + i], e[2 * i + 1] = of[i];
    a.dim[0] = edges, a.dim[1] = 2, a.data = e;
    return a;
}

/* Rows of `nonzero` for each cell; all genes of the control. */
static cw_array gears_kept(encoder_case *c, const cw_array *condition, int64_t control)
{
    cw_array a = encoder_floats(c, "nonzero", "kept");
    int64_t genes = a.dim[1], cells = condition->dim[0];
    const float *of = a.data;
    int32_t *kept = encoder_hold(c, malloc((size_t)(cells * genes + 1) * sizeof *kept));
    for (int64_t i = 0; i < cells; i++)
        for (int64_t g = 0; g < genes; g++) {
            int64_t row = ((const int32_t *)condition->data)[i];
            kept[i * genes + g] = row == control || (of[row * genes + g] > 0.5f);
        }
    a.type = CW_ARRAY_I32, a.data = kept, a.dim[0] = cells;
    return a;
}

enum { GEARS_CONTROL, GEARS_PERTURBED, GEARS_NEAR, GEARS_NEAR_WEIGHT, GEARS_GO, GEARS_GO_WEIGHT };

/* Evaluation: the batch, every cell alone, all cells without perturbation. */
static void gears_evaluate(encoder_case *c, cw_gears *m, const cw_array *item, int64_t n)
{
    int64_t cells = item[GEARS_CONTROL].dim[0], genes = m->config.genes, most = item[GEARS_PERTURBED].dim[1];
    encoder_result got[2] = {{0}};
    float *alone = calloc((size_t)(2 * cells * genes + 1), sizeof *alone), *doubt = alone + cells * genes;
    encoder_query(c, &m->model, "predict", NULL, 0, item, n, got);
    gears_compare(c, "evaluation", "expect.eval.out", got[0].data, got[0].n);
    gears_compare(c, "evaluation", "expect.eval.logvar", got[1].data, got[1].n);
    float *kept = got[0].data;
    free(got[1].data);
    for (int64_t i = 0; i < cells; i++) {
        cw_array one[8];
        encoder_result each[2] = {{0}};
        memcpy(one, item, (size_t)n * sizeof *one);
        for (int64_t a = 0; a < n; a++) {
            int64_t per = cw_array_count(&item[a]) / item[a].dim[0];
            if (a != GEARS_CONTROL && a != GEARS_PERTURBED && a <= GEARS_GO_WEIGHT) continue;
            one[a].dim[0] = 1, one[a].data = (const char *)item[a].data + 4 * i * per;
        }
        encoder_query(c, &m->model, "predict", NULL, 0, one, n, each);
        if (each[0].data) memcpy(alone + i * genes, each[0].data, (size_t)genes * sizeof *alone);
        if (each[1].data) memcpy(doubt + i * genes, each[1].data, (size_t)genes * sizeof *doubt);
        free(each[0].data), free(each[1].data);
    }
    gears_compare(c, "evaluation", "expect.eval.out_alone", alone, cells * genes);
    gears_compare(c, "evaluation", "expect.eval.logvar_alone", doubt, cells * genes);
    cw_array none[8];
    int32_t *nobody = malloc((size_t)(cells * most + 1) * sizeof *nobody);
    for (int64_t i = 0; i < cells * most; i++) nobody[i] = -1;
    memcpy(none, item, (size_t)n * sizeof *none);
    none[GEARS_PERTURBED].data = nobody;
    memset(got, 0, sizeof got);
    encoder_query(c, &m->model, "predict", NULL, 0, none, n, got);
    gears_compare(c, "evaluation", "expect.eval.out_control", got[0].data, got[0].n);
    free(got[0].data), free(got[1].data), free(nobody), free(alone);
    encoder_hold(c, kept);
}

/* Mean profiles per condition: squared error and correlation, conditions ascending. */
static void gears_metrics(encoder_case *c, const float *told, const cw_array *condition, int64_t genes)
{
    float *truth = encoder_read(c, "y"), mse[64] = {0}, pearson[64] = {0};
    int64_t cells = condition->dim[0], n = 0;
    const int32_t *of = condition->data;
    for (int32_t k = 0; told && truth && k < 64; k++) {
        double count = 0, sx = 0, sy = 0, xx = 0, yy = 0, xy = 0, square = 0;
        for (int64_t i = 0; i < cells; i++) count += of[i] == k;
        if (count == 0) continue;
        for (int64_t g = 0; g < genes; g++) {
            double x = 0, y = 0;
            for (int64_t i = 0; i < cells; i++)
                if (of[i] == k) x += (double)told[i * genes + g] / count, y += (double)truth[i * genes + g] / count;
            sx += x, sy += y, xx += x * x, yy += y * y, xy += x * y, square += (x - y) * (x - y);
        }
        double G = (double)genes;
        mse[n] = (float)(square / G);
        pearson[n++] = (float)((xy - sx * sy / G) / sqrt((xx - sx * sx / G) * (yy - sy * sy / G)));
    }
    gears_compare(c, "metrics", "expect.metrics.mse", mse, n);
    gears_compare(c, "metrics", "expect.metrics.pearson", pearson, n);
    free(truth);
}

static void gears_state(encoder_case *c, cw_gears *m)
{
    const struct {
        const char *name;
        cw_tensor *x;
    } table[] = {{"gene_emb", m->gene}, {"emb_pos", m->place}, {"pert_emb", m->perturbation}};
    char name[200];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "expect.renorm.%s", table[i].name);
        gears_compare(c, "tables", name, cw_param_host(c->ctx, table[i].x), cw_count(table[i].x));
    }
    for (int64_t i = 0; i < m->model.params.count; i++) {
        cw_param *p = m->model.params.item[i];
        snprintf(name, sizeof name, "expect.buffers.%s", p->name);
        gears_compare(c, "buffers", name, cw_param_host(c->ctx, &p->tensor), cw_count(&p->tensor));
    }
}

/* Of what isn't used the file has zeros. Where it has zeros of what is used: 1e-5 of the case's largest gradient. */
static void gears_gradients(encoder_case *c, cw_gears *m)
{
    cw_params_mute_gradients(&m->model.params);
    const double share = m->config.uncertainty ? 5e-5 : 1e-5; /* of a tensor's largest: published tolerances */
    double largest = 0;
    for (int64_t i = 0; i < cw_safetensors_count(c->file); i++) {
        const cw_safetensors_entry *e = cw_safetensors_at(c->file, i);
        if (strncmp(e->name, "grad.", 5) != 0) continue;
        float *x = encoder_read(c, e->name);
        for (int64_t j = 0; j < e->count; j++) largest = fmax(largest, fabs((double)x[j]));
        free(x);
    }
    for (int64_t i = 0; i < m->model.params.count; i++) {
        cw_param *p = m->model.params.item[i];
        char name[300];
        snprintf(name, sizeof name, "grad.%s", p->name);
        const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
        if (!e) continue;
        float *want = encoder_read(c, name), *got = calloc((size_t)cw_count(&p->tensor) + 1, sizeof *got);
        double most = 0;
        for (int64_t j = 0; j < e->count; j++) most = fmax(most, fabs((double)want[j]));
        if (p->role == CW_WEIGHT) cw_param_gradient(c->ctx, &p->tensor, got);
        encoder_compare(c, "gradients", name, got, cw_count(&p->tensor),
                        (tolerance){1e-3, share * (most > 0 ? most : largest)});
        free(want), free(got);
    }
}

static void run_gears(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: gears, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    const cw_option more[] = {{"every_cell", NULL, 0}};
    cw_model *model = c.file && c.config ? encoder_model(&c, &cw_gears_class, more, 1) : NULL;
    if (model) {
        cw_gears *m = (cw_gears *)model;
        cw_array item[12] = {encoder_floats(&c, "x", "control"),
                             encoder_ints(&c, "pert_idx", "perturbed"),
                             gears_edges(&c, "G_coexpress", "coexpression"),
                             encoder_floats(&c, "G_coexpress_weight", "coexpressionWeight"),
                             gears_edges(&c, "G_go", "go"),
                             encoder_floats(&c, "G_go_weight", "goWeight")};
        int64_t n = 6;
        if (m->config.external) item[n++] = encoder_floats(&c, "z.embedding", "embedding");
        int64_t asked = n, control = cw_json_int(c.ctx, c.config, "control_condition", 0, 0, 1 << 20);
        item[n++] = encoder_floats(&c, "y", "truth");
        item[n++] = encoder_floats(&c, "ctrl", "reference");
        item[n++] = encoder_ints(&c, "condition", "condition");
        item[n] = gears_kept(&c, &item[n - 1], control), n++;
        const cw_option option[] = {
            {"uncertainty_reg", NULL, cw_json_number(c.ctx, c.config, "uncertainty_reg", 1, 0, 1e6)},
            {"direction_lambda", NULL, cw_json_number(c.ctx, c.config, "direction_lambda", 0.1, 0, 1e6)}};
        const float weight[] = {1, 1};
        cw_observer observer = {&c, gears_see};
        cw_gears_batch b;
        cw_tape_reset(c.tape, 0, 1, 1, 0);
        cw_inputs in = cw_model_inputs(model, c.tape->arena, item, asked);
        cw_tensor *doubt;
        if (cw_gears_batch_read(m, &in, &b) == CW_OK) cw_gears_forward(m, c.tape, &b, &doubt, &observer);
        gears_state(&c, m);
        gears_evaluate(&c, m, item, asked);
        gears_metrics(&c, c.held[c.holds - 1], &item[n - 2], m->config.genes);
        cw_step_report report;
        if (encoder_step(&c, model, "train", option, 2, weight, item, n, &report)) {
            encoder_compare(&c, "losses", "expect.loss.autofocus", &(float){(float)report.value[0]}, 1, FORWARD);
            encoder_compare(&c, "losses", "expect.loss.direction", &(float){(float)report.value[1]}, 1, FORWARD);
            encoder_compare(&c, "losses", "expect.loss.total", &(float){(float)report.total}, 1, FORWARD);
            gears_gradients(&c, m);
        }
    }
    end_group();
    encoder_close(&c, model);
}

#endif
