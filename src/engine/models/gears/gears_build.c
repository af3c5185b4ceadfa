/* gears_build.c: GEARS's settings, its parameters under the published names, and what a batch costs. */
#include "gears.h"

#include <math.h>
#include <stdio.h>

#define S cw_gears_config
const cw_setting cw_gears_settings[] = {
    CW_SET_INT(S, genes, "num_genes", "genes", NAN, 1, 1e7, "genes whose expression is told"),
    CW_SET_INT(S, perturbations, "num_perts", "perturbations", NAN, 1, 1e7, "genes that can be perturbed"),
    CW_SET_INT(S, width, "hidden_size", "hiddenSize", 64, 1, 65536, "width of all embeddings"),
    CW_SET_INT(S, go_layers, "num_go_gnn_layers", "goLayers", 1, 1, CW_GEARS_GRAPH_LAYERS, "convolutions on the GO graph"),
    CW_SET_INT(S, gene_layers, "num_gene_gnn_layers", "geneLayers", 1, 1, CW_GEARS_GRAPH_LAYERS,
               "convolutions on the co-expression graph"),
    CW_SET_INT(S, external, "external_embedding", "external", 0, 0, 65536,
               "width of another model's gene embeddings in place of the learnt ones; 0: none"),
    CW_SET_FLAG(S, uncertainty, "uncertainty", "uncertainty", 0, "a log variance for every gene of every cell"),
    CW_SET_FLAG(S, no_perturb, "no_perturb", "noPerturb", 0, "perturbations are not looked at"),
    CW_SET_FLAG(S, every_cell, "every_cell", "everyCell", 1,
                "co-expression informs every cell of a batch; published: the first only"),
    {0}};
#undef S

/* Data-parallel files prefix all names. */
const cw_name_rule cw_gears_rules[] = {{.to = "*", .from = "module.*"}, {0}};

/* ---- parameters ---- */

/* `used`: what the forward never reads is a buffer, kept for who wrote the file. */
static cw_role role_of(int used) { return used ? CW_WEIGHT : CW_BUFFER; }

static cw_layer_norm batch_norm(cw_params *p, int64_t d, const char *name, int used)
{
    const int64_t one = 1;
    cw_layer_norm l = {.kind = CW_NORM_BATCH, .eps = 1e-5f, .momentum = 0.1f};
    l.w = cw_params_add(p, role_of(used), 1, &d, "%s.weight", name);
    l.b = cw_params_add(p, role_of(used), 1, &d, "%s.bias", name);
    l.mean = cw_params_add(p, CW_BUFFER, 1, &d, "%s.running_mean", name);
    l.var = cw_params_add(p, CW_BUFFER, 1, &d, "%s.running_var", name);
    cw_params_add(p, CW_BUFFER, 1, &one, "%s.num_batches_tracked", name); /* only a momentum of None would read it */
    if (l.w) cw_init_constant(l.w, 1.0f);
    if (l.var) cw_init_constant(l.var, 1.0f);
    return l;
}

/* `name`.weight, `name`.bias as PyTorch begins them. */
static cw_layer_linear linear(cw_params *p, int64_t out, int64_t in, const char *name, int used)
{
    if (used) return cw_layer_linear_new(p, out, in, 1, name, ".");
    cw_layer_linear l = {0};
    l.w = cw_params_add(p, CW_BUFFER, 2, (int64_t[]){out, in}, "%s.weight", name);
    l.b = cw_params_add(p, CW_BUFFER, 1, &out, "%s.bias", name);
    return l;
}

/* A batch norm after every linear layer, ReLU between: network.0, .1, (.2), .3, .4, .. The norm takes a bias before it
 * away, so that has no gradient. */
static cw_layer_mlp network(cw_params *p, const char *name, int steps, const int64_t *width, int used)
{
    cw_layer_mlp mlp = {.steps = steps};
    char part[120];
    for (int i = 0; i < steps; i++) {
        cw_mlp_step *s = &mlp.step[i];
        snprintf(part, sizeof part, "%s.network.%d", name, 3 * i);
        s->linear = linear(p, width[i + 1], width[i], part, used);
        snprintf(part, sizeof part, "%s.network.%d", name, 3 * i + 1);
        s->before = batch_norm(p, width[i + 1], part, used);
        s->activated = i + 1 < steps, s->act = (cw_function){CW_FN_LEAKY_RELU, 0.0f};
        if (used && s->linear.b) cw_params_mute(s->linear.b, 0, width[i + 1]);
    }
    return mlp;
}

static cw_tensor *table(cw_params *p, int64_t rows, int64_t d, const char *name, int used)
{
    cw_tensor *x = cw_params_add(p, role_of(used), 2, (int64_t[]){rows, d}, "%s.weight", name);
    if (x) cw_init_normal(x, cw_init_stream(p), 1.0f);
    return x;
}

/* Begun as published, by PyTorch's xavier_normal_: dimensions after the second count for both fans. */
static cw_tensor *per_gene(cw_params *p, int ndim, const int64_t *dim, const char *name)
{
    cw_tensor *x = cw_params_add(p, CW_WEIGHT, ndim, dim, "%s", name);
    double fans = (double)(dim[0] + dim[1]) * (ndim > 2 ? (double)dim[2] : 1.0);
    if (x) cw_init_normal(x, cw_init_stream(p), (float)sqrt(2.0 / fans));
    return x;
}

cw_status cw_gears_build(cw_model *model)
{
    cw_gears *m = (cw_gears *)model;
    const cw_gears_config *c = &m->config;
    cw_params *p = &model->params;
    int64_t d = c->width, G = c->genes;
    int own = c->external == 0;
    char name[64];
    m->gene = table(p, G, d, "gene_emb", own);
    m->perturbation = table(p, c->perturbations, d, "pert_emb", !c->no_perturb);
    m->place = table(p, G, d, "emb_pos", own);
    m->gene_norm = batch_norm(p, d, "bn_emb", own);
    m->base_norm = batch_norm(p, d, "bn_pert_base", 1);
    batch_norm(p, d, "bn_pert_base_trans", 0);
    cw_params_add(p, CW_BUFFER, 2, (int64_t[]){d, 1}, "pert_w.weight");
    cw_params_add(p, CW_BUFFER, 1, &d, "pert_w.bias");
    for (int64_t i = 0; i < c->gene_layers; i++) {
        snprintf(name, sizeof name, "layers_emb_pos.%d.lin", (int)i);
        m->near[i] = linear(p, d, d, name, own);
    }
    for (int64_t i = 0; i < c->go_layers; i++) {
        snprintf(name, sizeof name, "sim_layers.%d.lin", (int)i);
        m->similar[i] = linear(p, d, d, name, !c->no_perturb);
    }
    m->base = network(p, "emb_trans_v2", 2, (int64_t[]){own ? d : c->external, d, d}, 1);
    m->fuse = network(p, "pert_fuse", 2, (int64_t[]){d, d, d}, !c->no_perturb);
    m->recover = network(p, "recovery_w", 2, (int64_t[]){d, 2 * d, d}, 1);
    m->cross = network(p, "cross_gene_state", 2, (int64_t[]){G, d, d}, 1);
    if (c->uncertainty) m->doubt = network(p, "uncertainty_w", 3, (int64_t[]){d, 2 * d, d, 1}, 1);
    if (!own) network(p, "cell_fitness_mlp", 3, (int64_t[]){G, 2 * d, d, 1}, 0);
    m->w1 = per_gene(p, 3, (int64_t[]){G, d, 1}, "indv_w1");
    m->b1 = per_gene(p, 2, (int64_t[]){G, 1}, "indv_b1");
    m->w2 = per_gene(p, 3, (int64_t[]){1, G, d + 1}, "indv_w2");
    m->b2 = per_gene(p, 2, (int64_t[]){1, G}, "indv_b2");
    return model->ctx->status;
}

/* At its peak training has about 12 numbers of the width for a gene of a cell, measured; more where every cell has an
 * embedding of its own. */
double cw_gears_forecast(const cw_model *model, const cw_sizes *sizes)
{
    const cw_gears_config *c = &((const cw_gears *)model)->config;
    double rows = (double)sizes->cells * (double)c->genes;
    double wide = (!sizes->train ? 6.0 : c->external ? 18.0 : 13.0) * (double)c->width + (double)c->external;
    return 4.0 * (rows * wide + (double)cw_params_values(&model->params) * (sizes->train ? 4 : 1));
}
