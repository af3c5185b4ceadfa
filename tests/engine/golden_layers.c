/* golden_layers.c: layers against golden intermediates of the published models.   usage: golden_layers DIR
 *
 * DIR holds the folders hyena_a, hyena_b, hyena_o3, cellfm_a, .. (see `cases` below). One line each: the largest error
 * and the largest value. Exits 1 where it is more than 1e-4 of it (gradients: 1e-3), and for a folder in which nothing
 * was compared.
 */
#include "io/safetensors.h"
#include "nn/layer_attention.h"
#include "nn/layer_graph.h"
#include "nn/layer_hyena.h"
#include "nn/layer_mlp.h"
#include "nn/layer_retention.h"
#include "test.h"

enum { MAX_TENSORS = 200 };

typedef struct {
    const char *name;
    cw_ctx *ctx;
    cw_tape *tape;
    cw_safetensors *model, *file;
    cw_tensor tensor[MAX_TENSORS];
    char key[MAX_TENSORS][120];
    int tensors;
} golden;

static float *values(golden *g, const cw_safetensors_entry *e)
{
    float *x = malloc((size_t)(e->count + 1) * sizeof *x);
    cw_safetensors_read_f32(g->ctx, x, e);
    return x;
}

/* A tensor of the model (a leaf with gradient) or of the case (a constant); the same pointer when asked again. NULL:
 * none. */
static cw_tensor *get(golden *g, const char *prefix, const char *name)
{
    char key[120];
    snprintf(key, sizeof key, "%s%s", prefix, name);
    for (int i = 0; i < g->tensors; i++)
        if (strcmp(g->key[i], key) == 0) return &g->tensor[i];
    const cw_safetensors_entry *e = cw_safetensors_find(g->model, key);
    int trained = e != NULL;
    if (!e) e = cw_safetensors_find(g->file, key);
    if (!e || g->tensors == MAX_TENSORS) return NULL;
    cw_tensor *x = &g->tensor[g->tensors];
    snprintf(g->key[g->tensors++], sizeof key, "%s", key);
    *x = (cw_tensor){.ndim = e->ndim, .data = values(g, e), .needs_grad = trained};
    for (int i = 0; i < e->ndim; i++) x->dim[i] = e->dim[i];
    if (trained) x->grad = calloc((size_t)e->count + 1, sizeof(float));
    return x;
}

static cw_layer_linear linear(golden *g, const char *prefix, const char *name)
{
    char w[120], b[120];
    snprintf(w, sizeof w, "%s.weight", name), snprintf(b, sizeof b, "%s.bias", name);
    return (cw_layer_linear){get(g, prefix, w), get(g, prefix, b), NULL, NULL, 0.0f};
}

/* An input (B, L, d) of the case as (B L, d), with `length` L and ragged starts of whole rows. */
static cw_tensor *rows_of(golden *g, const char *name, int64_t *start)
{
    cw_tensor *x = get(g, "", name);
    if (!x) return NULL;
    for (int64_t i = 0; start && i <= x->dim[0]; i++) start[i] = i * x->dim[1];
    return cw_tape_reshape(g->tape, x, cw_rows(x), cw_cols(x));
}

static void compare(golden *g, const char *what, const float *got, const char *want, double tolerance)
{
    const cw_safetensors_entry *e = cw_safetensors_find(g->file, want);
    if (!e) return;
    CHECK(got, "%s %s: %s", g->name, what, g->ctx->text);
    if (!got) return;
    float *x = values(g, e);
    double worst = 0, unit = 0;
    for (int64_t i = 0; i < e->count; i++) unit = fmax(unit, fabs((double)x[i]));
    for (int64_t i = 0; i < e->count; i++) {
        double d = fabs((double)got[i] - x[i]);
        if (!(d <= worst)) worst = isnan(d) ? INFINITY : d;
    }
    printf("  %-12s %-44s %8lld values   error %.2g of %.3g\n", g->name, what, (long long)e->count, worst, unit);
    CHECK(worst <= tolerance * fmax(unit, 1e-3), "%s %s", g->name, what);
    free(x);
}

static void compare_tensor(golden *g, const char *what, cw_tensor *got, const char *want)
{
    compare(g, what, got ? cw_tape_data(g->tape, got) : NULL, want, 1e-4);
}

/* ---- Hyena: filter, short convolution, operator ---- */

static void hyena(golden *g)
{
    cw_tape *t = g->tape;
    const char *p = "backbone.layers.0.mixer.";
    int64_t start[64];
    char name[80];
    cw_layer_hyena l = {.in = linear(g, p, "in_proj"), .out = linear(g, p, "out_proj")};
    l.short_w = get(g, p, "short_filter.weight"), l.short_b = get(g, p, "short_filter.bias");
    l.bias = get(g, p, "filter_fn.bias");
    cw_hyena_filter *f = &l.filter;
    for (int i = 0;; i += 2) { /* 0 linear, 1 sine, 2 linear, ..; the last linear has no bias */
        snprintf(name, sizeof name, "filter_fn.implicit_filter.%d", i);
        cw_layer_linear layer = linear(g, p, name);
        if (!layer.b) {
            f->last = layer;
            break;
        }
        f->layer[f->sines++] = layer;
    }
    f->freq = get(g, p, "filter_fn.implicit_filter.1.freq");
    f->z = get(g, p, "filter_fn.pos_emb.z"), f->time = get(g, p, "filter_fn.pos_emb.t");
    f->deltas = get(g, p, "filter_fn.modulation.deltas");
    f->modulate = 1, f->shift = strcmp(g->name, "hyena_b") == 0 ? 0.0f : 0.05f;
    cw_tensor *x = rows_of(g, "expect.layer0.mixer_in", start);
    if (!x || !l.in.w || !f->deltas || !f->last.w) return;
    cw_tensor *in = get(g, "", "expect.layer0.mixer_in");
    l.order = cw_rows(l.in.w) / cw_cols(l.in.w) - 1;
    cw_ragged seq = {.count = in->dim[0], .start = start};
    cw_tensor *filter = cw_hyena_filter_forward(t, f, in->dim[1]);
    compare_tensor(g, "filter", filter, "expect.layer0.filter");
    compare_tensor(g, "operator", cw_layer_hyena_forward(t, x, &l, filter, seq), "expect.layer0.mixer_out");
    /* the short convolution is stored (B, channel, L) */
    cw_tensor *u = cw_short_conv(t, cw_layer_linear_forward(t, x, &l.in, CW_ACT_NONE), l.short_w, l.short_b, seq);
    const float *y = cw_tape_data(t, u);
    if (!y) return;
    int64_t B = in->dim[0], L = in->dim[1], C = cw_cols(u);
    float *turned = malloc((size_t)(B * L * C) * sizeof *turned);
    for (int64_t b = 0; b < B; b++)
        for (int64_t i = 0; i < L; i++)
            for (int64_t c = 0; c < C; c++) turned[(b * C + c) * L + i] = y[(b * L + i) * C + c];
    compare(g, "short convolution", turned, "expect.layer0.short_conv", 1e-4);
    free(turned);
}

/* ---- CellFM: retention layer, with LoRA and merged ---- */

static cw_layer_linear adapted(golden *g, const char *p, const char *name, const char *pair)
{
    char a[80], b[80];
    cw_layer_linear l = linear(g, p, name);
    snprintf(a, sizeof a, "%s.A.weight", pair), snprintf(b, sizeof b, "%s.B.weight", pair);
    l.down = get(g, p, a), l.up = get(g, p, b), l.scale = 1.0f;
    return l;
}

static cw_tensor *encoder_layer(golden *g, cw_tensor *x, const char *p, int64_t heads, float alpha, cw_tensor *mask,
                                cw_tensor *scale, cw_ragged seq)
{
    cw_tape *t = g->tape;
    cw_layer_retention l = {adapted(g, p, "attn.q_proj", "attn.lora_q"), adapted(g, p, "attn.k_proj", "attn.lora_k"),
                            adapted(g, p, "attn.v_proj", "attn.lora_v"), adapted(g, p, "attn.u_proj", "attn.lora_u"),
                            adapted(g, p, "attn.o_proj", "attn.lora_o"), heads};
    cw_layer_linear u = adapted(g, p, "ffn.u_proj", "ffn.lora_u"), v = adapted(g, p, "ffn.v_proj", "ffn.lora_v");
    cw_layer_linear o = adapted(g, p, "ffn.o_proj", "ffn.lora_o");
    cw_tensor *a = cw_layer_retention_forward(t, x, x, &l, mask, scale, seq, seq);
    x = cw_layernorm(t, cw_add_spread(t, a, x, alpha), get(g, p, "post_norm1.weight"), get(g, p, "post_norm1.bias"),
                     1e-5f);
    cw_tensor *hidden =
        cw_product(t, cw_layer_linear_forward(t, x, &u, CW_ACT_NONE), cw_layer_linear_forward(t, x, &v, CW_ACT_NONE));
    a = cw_layer_linear_forward(t, hidden, &o, CW_ACT_NONE);
    return cw_layernorm(t, cw_add_spread(t, a, x, alpha), get(g, p, "post_norm2.weight"), get(g, p, "post_norm2.bias"),
                        1e-5f);
}

static void merged(golden *g, const char *p)
{
    static const char *const part[] = {"attn.q_proj", "attn.k_proj", "ffn.o_proj"}, *const pair[] = {"attn.lora_q",
                                                                                                     "attn.lora_k",
                                                                                                     "ffn.lora_o"};
    for (int i = 0; i < 3; i++) {
        cw_layer_linear l = adapted(g, p, part[i], pair[i]);
        char want[120];
        if (!l.down) return;
        int64_t n = cw_count(l.w);
        float *before = malloc((size_t)n * sizeof *before), *w = cw_f32(l.w);
        memcpy(before, w, (size_t)n * sizeof *before);
        snprintf(want, sizeof want, "expect.merged.%s%s.weight", p, part[i]);
        CHECK(cw_layer_linear_merge(g->ctx, &l, 1) == CW_OK, "%s", g->ctx->text);
        compare(g, want + 7, w, want, 1e-6);
        cw_layer_linear_merge(g->ctx, &l, -1);
        double worst = 0;
        for (int64_t j = 0; j < n; j++) worst = fmax(worst, fabs((double)w[j] - before[j]));
        CHECK(worst < 1e-6, "%s: taking LoRA out again leaves %g", g->name, worst);
        memcpy(w, before, (size_t)n * sizeof *before);
        free(before);
    }
}

static void cellfm(golden *g)
{
    cw_tensor *in = get(g, "", "expect.encoder_in"), *zero = get(g, "", "zero_idx"),
              *len = get(g, "", "expect.len_scale");
    cw_tensor *data = get(g, "", "dw_nzdata");
    int64_t start[64];
    if (!in || !zero || !len || !data) return;
    cw_tensor *x = rows_of(g, "expect.encoder_in", start);
    int64_t B = in->dim[0], L = in->dim[1], genes = data->dim[1], layers = 0, heads = strstr(g->name, "_a") ? 4 : 2;
    int masked = strstr(g->name, "_a") != NULL; /* pad_zero: the later layers see zero_idx, else everything */
    char p[40], want[40];
    while (snprintf(p, sizeof p, "encoder.%lld.", (long long)layers), get(g, p, "post_norm1.weight")) layers++;
    float *scale = malloc((size_t)(B * L) * sizeof *scale), *unmask = malloc((size_t)(B * L) * sizeof *unmask);
    float *real = malloc((size_t)(B * L) * sizeof *real);
    for (int64_t b = 0; b < B; b++)
        for (int64_t i = 0; i < L; i++) {
            int64_t gene = i - (L - genes), at = b * L + i;
            scale[at] = cw_f32(len)[b];
            unmask[at] = gene < 0 ? 1.0f : cw_f32(data)[(b * genes + gene) * 2];
            real[at] = gene < 0 ? 1.0f : cw_f32(zero)[b * genes + gene];
        }
    cw_tape *t = g->tape;
    cw_tensor *s = cw_tape_constant(t, scale, B * L, 1);
    float alpha = powf(2.0f * (float)layers, 0.25f);
    for (int64_t i = 0; i < layers; i++) {
        cw_tensor *mask = i < layers / 2 ? cw_tape_constant(t, unmask, B * L, 1)
                          : masked       ? cw_tape_constant(t, real, B * L, 1)
                                         : NULL;
        snprintf(p, sizeof p, "encoder.%lld.", (long long)i),
            snprintf(want, sizeof want, "expect.layer%lld", (long long)i);
        x = encoder_layer(g, x, p, heads, alpha, mask, s, (cw_ragged){.count = B, .start = start});
        compare_tensor(g, want + 7, x, want);
    }
    merged(g, "encoder.0.");
    free(scale), free(unmask), free(real);
}

/* ---- scGPT: one post-norm layer, padded keys left out, padded queries computed ---- */

static void scgpt(golden *g)
{
    cw_tape *t = g->tape;
    const char *p = "transformer_encoder.layers.0.";
    int64_t start[64], valid[64];
    cw_tensor *x = rows_of(g, "expect.gene_encoder", start), *pad = get(g, "", "src_key_padding_mask");
    cw_tensor *other = rows_of(g, "expect.value_encoder", NULL), *before = get(g, "", "expect.gene_encoder");
    cw_layer_attention l = {.heads = strstr(g->name, "_a") ? 4 : 6, .o = linear(g, p, "self_attn.out_proj")};
    l.qkv.w = get(g, p, "self_attn.in_proj_weight"), l.qkv.b = get(g, p, "self_attn.in_proj_bias");
    if (!x || !other || !pad || !l.qkv.w) return;
    int64_t B = before->dim[0], L = before->dim[1];
    for (int64_t b = 0; b < B; b++) {
        valid[b] = 0;
        for (int64_t i = 0; i < L; i++) valid[b] += cw_f32(pad)[b * L + i] == 0.0f;
    }
    cw_tape_reset(t, 0, 0, 1, 0); /* keys in use stand for a cache, which isn't differentiated */
    x = rows_of(g, "expect.gene_encoder", start), other = rows_of(g, "expect.value_encoder", NULL);
    x = cw_add_spread(t, x, other, 1.0f);
    cw_attend_spec spec = {.query = {.count = B, .start = start}, .key = {.count = B, .start = start}, .keys = valid};
    cw_layer_linear up = linear(g, p, "linear1"), down = linear(g, p, "linear2");
    cw_tensor *a = cw_layer_attention_forward(t, x, x, &l, spec);
    x = cw_layernorm(t, cw_add_spread(t, x, a, 1.0f), get(g, p, "norm1.weight"), get(g, p, "norm1.bias"), 1e-5f);
    a = cw_layer_linear_forward(t, cw_layer_linear_forward(t, x, &up, CW_ACT_RELU), &down, CW_ACT_NONE);
    x = cw_layernorm(t, cw_add_spread(t, x, a, 1.0f), get(g, p, "norm2.weight"), get(g, p, "norm2.bias"), 1e-5f);
    compare_tensor(g, "layer0", x, "expect.layer0");
}

/* ---- GEARS: capped embeddings, batch norms, both graph convolutions, an MLP with norms; training mode ---- */

static cw_layer_norm batch(golden *g, const char *name)
{
    char key[4][100];
    static const char *const part[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 4; i++) snprintf(key[i], sizeof key[i], "%s.%s", name, part[i]);
    return (cw_layer_norm){.kind = CW_NORM_BATCH,
                           .w = get(g, "", key[0]),
                           .b = get(g, "", key[1]),
                           .mean = get(g, "", key[2]),
                           .var = get(g, "", key[3]),
                           .eps = 1e-5f,
                           .momentum = 0.1f};
}

static cw_graph_store *edges(golden *g, const char *name, int64_t nodes)
{
    char weights[40];
    snprintf(weights, sizeof weights, "%s_weight", name);
    const cw_safetensors_entry *e = cw_safetensors_find(g->file, name), *w = cw_safetensors_find(g->file, weights);
    if (!e || !w) return NULL;
    int32_t *ends = malloc((size_t)e->count * sizeof *ends); /* (2, edges): sources, targets */
    float *weight = values(g, w);
    cw_safetensors_read_i32(g->ctx, ends, e);
    cw_graph_store *graph = cw_graph_new_normalised(g->ctx, nodes, w->count, ends + w->count, ends, weight);
    free(ends), free(weight);
    return graph;
}

static void gears(golden *g)
{
    cw_tape *t = g->tape;
    const cw_function relu = {CW_FN_LEAKY_RELU, 0.0f};
    cw_tensor *gene = get(g, "", "gene_emb.weight"), *pos = get(g, "", "emb_pos.weight"), *in = get(g, "", "x");
    cw_tensor *pert = get(g, "", "pert_emb.weight");
    if (!gene || !pos || !pert || !in) return;
    int64_t genes = cw_rows(gene), cells = cw_rows(in), n = genes * cells;
    int32_t *index = malloc((size_t)n * sizeof *index);
    for (int64_t i = 0; i < n; i++) index[i] = (int32_t)(i % genes);
    cw_tape_reset(t, 1, 1, 1, 0);
    cw_cap_rows(t, gene, index, n, 1.0f), cw_cap_rows(t, pos, index, n, 1.0f);
    cw_cap_rows(t, pert, index, cw_rows(pert), 1.0f);
    compare(g, "gene_emb", cw_f32(gene), "expect.renorm.gene_emb", 1e-6);
    compare(g, "emb_pos", cw_f32(pos), "expect.renorm.emb_pos", 1e-6);
    /* the published quirk: the edges number the genes of the first cell only */
    cw_graph_store *together = edges(g, "G_coexpress", n), *ontology = edges(g, "G_go", cw_rows(pert));
    cw_layer_norm norm = batch(g, "bn_emb");
    cw_layer_linear near = linear(g, "", "layers_emb_pos.0.lin"), similar = linear(g, "", "sim_layers.0.lin");
    if (!together || !ontology || !norm.mean || !near.w || !similar.w) return;
    cw_tensor *base = cw_layer_norm_forward(t, cw_gather(t, gene, index, n), &norm);
    compare_tensor(g, "bn_emb", base, "expect.bn_emb");
    compare(g, "bn_emb's mean", cw_f32(norm.mean), "expect.buffers.bn_emb.running_mean", 1e-5);
    compare(g, "bn_emb's variance", cw_f32(norm.var), "expect.buffers.bn_emb.running_var", 1e-5);
    cw_tensor *place = cw_layer_graph(t, together, cw_gather(t, pos, index, n), near.w, near.b, 1);
    compare_tensor(g, "SGConv of co-expression", place, "expect.layers_emb_pos0");
    compare_tensor(g, "SGConv of GO", cw_layer_graph(t, ontology, pert, similar.w, similar.b, 1), "expect.sim_layers0");
    cw_layer_mlp mlp = {
        2,
        {{.linear = linear(g, "", "emb_trans_v2.network.0"),
          .before = batch(g, "emb_trans_v2.network.1"),
          .activated = 1,
          .act = relu},
         {.linear = linear(g, "", "emb_trans_v2.network.3"), .before = batch(g, "emb_trans_v2.network.4")}}};
    if (strcmp(g->name, "gears_a") == 0) { /* one layer of each graph there, so that `place` is what is added */
        cw_tensor *sum = cw_add_spread(t, cw_apply(t, base, relu), place, 0.2f);
        compare_tensor(g, "emb_trans_v2", cw_layer_mlp_forward(t, sum, &mlp), "expect.emb_trans_v2");
        compare(g, "its second variance", cw_f32(mlp.step[1].before.var),
                "expect.buffers.emb_trans_v2.network.4.running_var", 1e-5);
    }
    cw_graph_free(g->ctx, together), cw_graph_free(g->ctx, ontology);
    free(index);
}

static const struct {
    const char *name;
    void (*run)(golden *g);
} cases[] = {{"hyena_a", hyena},   {"hyena_b", hyena}, {"hyena_o3", hyena}, {"cellfm_a", cellfm},
             {"cellfm_b", cellfm}, {"scgpt_a", scgpt}, {"scgpt_b", scgpt},   {"gears_a", gears},
             {"gears_b", gears}};

static void run(const char *dir, const char *name, void (*what)(golden *g), const char *kernels)
{
    static golden g;
    char path[1200];
    memset(&g, 0, sizeof g);
    g.name = name;
    g.ctx = cw_ctx_new(NULL);
    g.ctx->kernels = cw_kernels_select(kernels);
    g.tape = cw_tape_new(g.ctx);
    cw_tape_reset(g.tape, 1, 0, 1, 0);
    snprintf(path, sizeof path, "%s/%s/model.safetensors", dir, name);
    g.model = cw_safetensors_open(g.ctx, path);
    snprintf(path, sizeof path, "%s/%s/case.safetensors", dir, name);
    g.file = cw_safetensors_open(g.ctx, path);
    int before = test_passed;
    if (g.ctx->status == CW_OK) what(&g);
    CHECK(g.ctx->status == CW_OK, "%s: %s", name, g.ctx->text);
    CHECK(test_passed > before + 1, "%s: nothing was compared", name);
    for (int i = 0; i < g.tensors; i++) free(g.tensor[i].data), free(g.tensor[i].grad);
    cw_safetensors_close(g.model), cw_safetensors_close(g.file);
    cw_tape_free(g.tape);
    cw_ctx_free(g.ctx);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: golden_layers DIR\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(argv[1], cases[i].name, cases[i].run, "ref");
        run(argv[1], cases[i].name, cases[i].run, "cpu");
    }
    return test_end();
}
