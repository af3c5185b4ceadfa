/* transformer.h: the pre-norm Transformer of scCAFM's SFM and EFM: RMSNorm, attention with a fused qkv projection, and
 * SwiGLU, on packed sequences (padding is never computed). */
#ifndef CW_TRANSFORMER_H
#define CW_TRANSFORMER_H

#include "../autodiff/ops.h"
#include "observe.h"
#include "params.h"

typedef struct cw_transformer_config {
    int64_t width, layers, heads, hidden; /* hidden: of the SwiGLU */
    int qkv_bias, out_bias, mlp_bias, causal;
    float dropout; /* after the SwiGLU */
    float norm_eps;
    cw_rotary rotary;
    float rotary_base;
} cw_transformer_config;

typedef struct cw_block {
    cw_tensor *attn_norm, *qkv_w, *qkv_b, *out_w, *out_b, *mlp_norm;
    cw_swiglu_params mlp;
} cw_block;

typedef struct cw_transformer {
    cw_transformer_config config;
    cw_block *block; /* (layers) */
    cw_tensor *final_norm;
} cw_transformer;

/* Adds the parameters `prefix`layers.{i}.{attn_norm,attn.qkv_proj,attn.out_proj,mlp_norm,mlp.*_proj} and
 * `prefix`final_norm, with initial values from the store's key. Errors are in the store's context. */
void cw_transformer_init(cw_transformer *net, cw_params *params, cw_transformer_config config, const char *prefix);
void cw_transformer_free(cw_transformer *net, cw_ctx *ctx);

/* x (n, width) -> (n, width), after the final norm; consumes x. `position` (n) is read with rotary only. */
cw_tensor *cw_transformer_forward(const cw_transformer *net, cw_tape *tape, cw_tensor *x, cw_ragged seq,
                                  const int32_t *position, const cw_observer *observer);

/* Keys and values of the tokens so far, for decoding one token of each of `cells` sequences at a time, at most `room`. Lives
 * on a tape that doesn't record. */
typedef struct cw_transformer_cache {
    int64_t cells, room, length; /* length: tokens so far */
    cw_tensor **key, **value;    /* (layers): (cells room, width) */
} cw_transformer_cache;
cw_status cw_transformer_cache_make(cw_transformer_cache *cache, const cw_transformer *net, cw_tape *tape, int64_t cells,
                                    int64_t room);

/* The next token of every sequence, x (cells, width) -> (cells, width), after the final norm; consumes x. What a causal
 * cw_transformer_forward gives at that place. */
cw_tensor *cw_transformer_step(const cw_transformer *net, cw_tape *tape, cw_tensor *x, cw_transformer_cache *cache);

#endif
