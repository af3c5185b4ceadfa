/* transformer.c: see transformer.h. */
#include "transformer.h"

#include <stdio.h>

void cw_observe(const cw_observer *observer, cw_tape *tape, const char *name, const cw_tensor *x)
{
    if (observer && x && tape->ctx->status == CW_OK) observer->see(observer->user, name, x);
}

/* A Linear's weight (out, in), Xavier-uniform, and its bias (zeros) or NULL. */
static void add_linear(cw_params *params, cw_tensor **w, cw_tensor **b, int64_t out, int64_t in, int with_bias,
                       const char *name)
{
    *w = cw_params_add(params, CW_WEIGHT, 2, (int64_t[]){out, in}, "%s.weight", name);
    cw_init_xavier_uniform(*w, cw_rng_stream(params->key, CW_RNG_INIT, (uint64_t)params->count, 0));
    *b = with_bias ? cw_params_add(params, CW_WEIGHT, 1, &out, "%s.bias", name) : NULL;
}

void cw_transformer_init(cw_transformer *net, cw_params *params, cw_transformer_config c, const char *prefix)
{
    char name[200];
    net->config = c;
    net->block = cw_calloc(params->ctx, c.layers, sizeof *net->block);
    for (int64_t i = 0; net->block && i < c.layers; i++) {
        cw_block *b = &net->block[i];
        int64_t d = c.width, h = c.hidden;
#define NAMED(part) (snprintf(name, sizeof name, "%slayers.%lld.%s", prefix, (long long)i, part), name)
        b->attn_norm = cw_params_add(params, CW_WEIGHT, 1, &d, "%s.weight", NAMED("attn_norm"));
        cw_init_constant(b->attn_norm, 1.0f);
        add_linear(params, &b->qkv_w, &b->qkv_b, 3 * d, d, c.qkv_bias, NAMED("attn.qkv_proj"));
        if (c.rotary == CW_ROTARY_NONE) cw_params_mute(b->qkv_b, d, d); /* of the keys */
        add_linear(params, &b->out_w, &b->out_b, d, d, c.out_bias, NAMED("attn.out_proj"));
        b->mlp_norm = cw_params_add(params, CW_WEIGHT, 1, &d, "%s.weight", NAMED("mlp_norm"));
        cw_init_constant(b->mlp_norm, 1.0f);
        add_linear(params, &b->mlp.gate_w, &b->mlp.gate_b, h, d, c.mlp_bias, NAMED("mlp.gate_proj"));
        add_linear(params, &b->mlp.up_w, &b->mlp.up_b, h, d, c.mlp_bias, NAMED("mlp.up_proj"));
        add_linear(params, &b->mlp.down_w, &b->mlp.down_b, d, h, c.mlp_bias, NAMED("mlp.down_proj"));
#undef NAMED
    }
    net->final_norm = cw_params_add(params, CW_WEIGHT, 1, &c.width, "%sfinal_norm.weight", prefix);
    cw_init_constant(net->final_norm, 1.0f);
}

void cw_transformer_free(cw_transformer *net, cw_ctx *ctx)
{
    cw_free(ctx, net->block);
    net->block = NULL;
}

/* A block up to its attention: queries, keys and values of RMS(x). */
static cw_tensor *project(const cw_transformer_config *c, cw_tape *t, cw_tensor *x, const cw_block *b)
{
    cw_tensor *n = cw_rmsnorm(t, x, b->attn_norm, c->norm_eps);
    cw_tensor *qkv = cw_linear_again(t, n, b->qkv_w, b->qkv_b);
    cw_tape_drop(t, n);
    return qkv;
}

/* A block from its attention's output o on: x + W o, then x + SwiGLU(RMS(x)). Consumes both. */
static cw_tensor *close_block(const cw_transformer_config *c, cw_tape *t, cw_tensor *x, cw_tensor *o, const cw_block *b)
{
    x = cw_linear_residual(t, o, b->out_w, b->out_b, x);
    cw_tape_drop(t, o);
    cw_tensor *n = cw_rmsnorm(t, x, b->mlp_norm, c->norm_eps);
    x = cw_swiglu_residual(t, n, b->mlp, c->dropout, x);
    cw_tape_drop(t, n);
    return x;
}

cw_tensor *cw_transformer_forward(const cw_transformer *net, cw_tape *t, cw_tensor *x, cw_ragged seq,
                                  const int32_t *position, const cw_observer *observer)
{
    const cw_transformer_config *c = &net->config;
    cw_attention_spec attention = {c->heads, c->causal, c->rotary, c->rotary_base, position, seq};
    char name[32];
    for (int64_t i = 0; i < c->layers; i++) {
        cw_tensor *qkv = project(c, t, x, &net->block[i]);
        cw_tensor *o = cw_self_attention(t, qkv, attention);
        cw_tape_drop(t, qkv);
        x = close_block(c, t, x, o, &net->block[i]);
        snprintf(name, sizeof name, "layer%lld", (long long)i);
        cw_observe(observer, t, name, x);
    }
    cw_tensor *y = cw_rmsnorm(t, x, net->final_norm, c->norm_eps);
    cw_tape_drop(t, x);
    cw_observe(observer, t, "hidden", y);
    return y;
}

/* ---- decoding ---- */

cw_status cw_transformer_cache_make(cw_transformer_cache *cache, const cw_transformer *net, cw_tape *t, int64_t cells,
                                    int64_t room)
{
    int64_t layers = net->config.layers, bytes = layers * (int64_t)sizeof(cw_tensor *);
    *cache = (cw_transformer_cache){.cells = cells, .room = room};
    cache->key = cw_arena_take(t->arena, bytes), cache->value = cw_arena_take(t->arena, bytes);
    for (int64_t i = 0; cache->key && cache->value && i < layers; i++) {
        cache->key[i] = cw_tape_matrix(t, cells * room, net->config.width);
        cache->value[i] = cw_tape_matrix(t, cells * room, net->config.width);
    }
    return t->ctx->status;
}

/* Where the next token of every sequence stands: its row of the cache, its position, the sequences of queries and keys. */
typedef struct step {
    int32_t *row, *position;
    int64_t *one, *all, *keys;
} step;

static int make_step(step *s, cw_tape *t, const cw_transformer_cache *cache)
{
    int64_t n = cache->cells;
    s->row = cw_arena_take(t->arena, n * (int64_t)sizeof *s->row);
    s->position = cw_arena_take(t->arena, n * (int64_t)sizeof *s->position);
    s->one = cw_arena_take(t->arena, (n + 1) * (int64_t)sizeof *s->one);
    s->all = cw_arena_take(t->arena, (n + 1) * (int64_t)sizeof *s->all);
    s->keys = cw_arena_take(t->arena, n * (int64_t)sizeof *s->keys);
    if (!s->row || !s->position || !s->one || !s->all || !s->keys) return 0;
    for (int64_t i = 0; i <= n; i++) {
        s->one[i] = i, s->all[i] = i * cache->room;
        if (i == n) break;
        s->row[i] = (int32_t)(i * cache->room + cache->length), s->position[i] = (int32_t)cache->length;
        s->keys[i] = cache->length + 1;
    }
    return 1;
}

/* Attention of the new tokens over all of their sequences so far; their keys and values join the cache. */
static cw_tensor *attend_cached(const cw_transformer_config *c, cw_tape *t, cw_tensor *qkv, cw_transformer_cache *cache,
                                int64_t layer, const step *s)
{
    int64_t d = c->width, n = cache->cells;
    cw_tensor *qk = cw_columns(t, qkv, 0, 2 * d), *v = cw_columns(t, qkv, 2 * d, d);
    if (c->rotary != CW_ROTARY_NONE) /* queries' heads, then keys' */
        qk = cw_turn_positions(t, qk, 2 * c->heads, c->rotary, c->rotary_base, s->position);
    cw_tensor *k = cw_columns(t, qk, d, d);
    cw_tensor *keys = k ? cw_cache_rows(t, cache->key[layer], k, s->row) : NULL;
    cw_tensor *values = v ? cw_cache_rows(t, cache->value[layer], v, s->row) : NULL;
    cw_attend_spec spec = {.heads = c->heads, .query = {n, s->one, NULL}, .key = {n, s->all, NULL}, .keys = s->keys,
                           .width = d};
    cw_tensor *o = cw_attention_over(t, qk, keys, values, spec);
    cw_tape_drop(t, qk), cw_tape_drop(t, k), cw_tape_drop(t, v);
    return o;
}

cw_tensor *cw_transformer_step(const cw_transformer *net, cw_tape *t, cw_tensor *x, cw_transformer_cache *cache)
{
    const cw_transformer_config *c = &net->config;
    step s;
    if (t->ctx->status == CW_OK && cache->length >= cache->room)
        cw_fail(t->ctx, CW_ERR_STATE, "a cache of %lld tokens is full", (long long)cache->room);
    if (t->ctx->status != CW_OK || !make_step(&s, t, cache)) return NULL;
    for (int64_t i = 0; i < c->layers; i++) {
        cw_tensor *qkv = project(c, t, x, &net->block[i]);
        cw_tensor *o = attend_cached(c, t, qkv, cache, i, &s);
        cw_tape_drop(t, qkv);
        x = close_block(c, t, x, o, &net->block[i]);
    }
    cw_tensor *y = cw_rmsnorm(t, x, net->final_norm, c->norm_eps);
    cw_tape_drop(t, x);
    cache->length++;
    return y;
}
