/* sfm_build.c: the SFM's parameters, in the order and under the names of the published state dict. */
#include "sfm.h"

#include <stdio.h>

#define SFM "foundation_modules.sfm."
#define VGAE "head_modules.vgae."

static void add_router(cw_sfm *s, cw_mlp *router, cw_balance *balance, const char *name)
{
    const cw_sfm_config *c = &s->config;
    char part[96];
    snprintf(part, sizeof part, SFM "%s.mlp", name);
    *router = cw_sccafm_mlp(&s->model.params, c->factors, c->router_hidden, c->trunk.embed_dim, part);
    /* without top-k there is no gating module, and no beta in the published state */
    if (c->topk > 0) balance->beta = cw_params_add(&s->model.params, CW_BUFFER, 1, &c->factors, SFM "%s.gating.beta_qb", name);
    balance->sum = s->gathered ? s->gathered + (balance == &s->tf_balance ? 0 : c->factors + 1) : NULL;
}

cw_status cw_sfm_build(cw_model *m)
{
    cw_sfm *s = (cw_sfm *)m;
    const cw_sfm_config *c = &s->config;
    cw_params *p = &m->params;
    cw_sccafm_build(&s->trunk, p, &c->trunk, 0, SFM);
    s->gathered = cw_calloc(m->ctx, 2 * (c->factors + 1), sizeof *s->gathered);
    add_router(s, &s->tf_router, &s->tf_balance, "tf_router");
    add_router(s, &s->gene_router, &s->gene_balance, "tg_router");
    int64_t h = c->vgae_hidden;
    s->vgae_expr = cw_sccafm_mlp(p, h, h, 1, VGAE "encoder.expr_proj.proj");
    s->vgae_posterior = cw_sccafm_mlp(p, 2, h, 3 * h, VGAE "encoder.posterior_proj");
    s->vgae_z = cw_sccafm_mlp(p, h, h, 1, VGAE "decoder.z_proj.proj");
    s->vgae_out = cw_sccafm_mlp(p, 3, h, 2 * h, VGAE "decoder.out_proj");
    return m->ctx->status;
}

void cw_sfm_release(cw_model *m)
{
    cw_sfm *s = (cw_sfm *)m;
    cw_sccafm_release(&s->trunk, m->ctx);
    cw_free(m->ctx, s->gathered);
    cw_free(m->ctx, s->pair);
}
