/* test_comm.c: several processes train one model, as threads behind the communicator: the numbers of one process at the same
 * global batch, and that nobody is left waiting. */
#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "comm_threads.h"
#include "models/bert/bert.h"
#include "models/effendi/effendi.h"
#include "models/efm/efm.h"
#include "models/sfm/sfm.h"
#include "toy.h"
#include "train/checkpoint.h"

/* ---- what is trained ---- */

typedef struct {
    const char *class, *task;
    cw_option model[24];
    int models;
    cw_option settings[8]; /* of the task */
    int options;
    const float *weight;
    cw_array kept[8], item[8];
    int keeps, items;
    int64_t each[8]; /* of an item: values a cell; 0: it has no cells */
    int64_t cells;
    int bad_item; /* which of the items may be huge */
} job;

enum { CELLS = 24, GENES = 11, WORDS = 40 };

static int32_t ids[GENES], non_tf[GENES], conditions[CELLS * 4], order[CELLS * GENES], padding[CELLS * GENES],
    prior[] = {1, 5, 2, 7, 1, 2, 3, 9};
static float values[CELLS * GENES], noise[CELLS * GENES];

static float huge[CELLS * GENES];

static void fill_cells(void)
{
    for (int i = 0; i < CELLS * GENES; i++) huge[i] = 1e30f;
    cw_stream s = cw_rng_stream(4, CW_RNG_USER, 0, 0);
    cw_rng_fill_normal(noise, CELLS * GENES, s, 0, 1);
    for (int g = 0; g < GENES; g++) ids[g] = g + 1, non_tf[g] = g > 3;
    for (int i = 0; i < CELLS * GENES; i++) {
        float u = cw_rng_uniform(s, (uint64_t)(CELLS * GENES + i));
        values[i] = u < 0.4f ? 0.0f : 3.0f * u;
        order[i] = (i % GENES * 4 + i / GENES) % GENES;
        padding[i] = i % GENES > 5 + i / GENES % 6; /* cells of 6 to 11 genes */
    }
    for (int i = 0; i < CELLS * 4; i++) conditions[i] = i % 5;
}

#define I32(text, x, ...) {.name = text, .type = CW_ARRAY_I32, .data = x, __VA_ARGS__}
#define F32(text, x, ...) {.name = text, .type = CW_ARRAY_F32, .data = x, __VA_ARGS__}
#define NUM(text, x) {text, NULL, x}
#define TRUNK NUM("vocab", WORDS), NUM("conditions", 6), NUM("pad", 0), NUM("embedDim", 16), NUM("exprBins", 5),          \
    NUM("exprHidden", 7), NUM("batchBins", 4), NUM("batchHidden", 6), NUM("layers", 2), NUM("heads", 2)
#define TOKENS I32("ids", ids, .ndim = 1, .dim = {GENES}), I32("nonTF", non_tf, .ndim = 1, .dim = {GENES}),               \
    F32("values", values, .ndim = 2, .dim = {CELLS, GENES}), I32("conditions", conditions, .ndim = 2, .dim = {CELLS, 4})

static const float sfm_weight[] = {1, 1, 20, 1, 0.001f}, sfm_free[] = {1, 1, 0, 1, 0.001f};

/* `whole`: no dropout, noise that is given, cells of different lengths: for comparing with one batch of all cells. */
static job sfm_job(int whole)
{
    float p = whole ? 0 : 0.1f;
    job j = {.class = "sfm", .task = "pretrain",
             .model = {TRUNK, NUM("factors", 9), NUM("routerHidden", 10), NUM("topk", 3), NUM("vgaeHidden", 6),
                       NUM("condDropout", p), NUM("outDropout", p), NUM("mlpDropout", p), NUM("routerDropout", p),
                       NUM("vgaeDropout", p)},
             .models = 19, .settings = {NUM("priorEdges", 12)}, .options = 1, .weight = whole ? sfm_weight : sfm_free,
             .kept = {I32("prior", prior, .ndim = 2, .dim = {4, 2})}, .keeps = 1,
             .item = {TOKENS, I32("padding", padding, .ndim = 2, .dim = {CELLS, GENES}),
                      F32("eps", noise, .ndim = 2, .dim = {CELLS, GENES})},
             .items = whole ? 6 : 4, .each = {0, 0, GENES, 4, GENES, GENES}, .cells = CELLS};
    return j;
}

static job efm_job(int whole)
{
    float p = whole ? 0 : 0.1f;
    job j = {.class = "efm", .task = "pretrain",
             .model = {TRUNK, NUM("condDropout", p), NUM("outDropout", p), NUM("mlpDropout", p), NUM("headDropout", p)},
             .models = 14,
             .item = {TOKENS, I32("order", order, .ndim = 2, .dim = {CELLS, GENES}),
                      I32("padding", padding, .ndim = 2, .dim = {CELLS, GENES})},
             .items = whole ? 6 : 5, .each = {0, 0, GENES, 4, GENES, GENES}, .cells = CELLS, .bad_item = 2};
    if (whole) /* a cell's padding stands at the end of its order, too */
        for (int i = 0; i < CELLS * GENES; i++) order[i] = i % GENES;
    return j;
}

enum { LONG = 5 };
static int32_t token[CELLS * LONG], length[CELLS], target[CELLS * LONG];

static job bert_job(int whole)
{
    for (int i = 0; i < CELLS * LONG; i++) {
        token[i] = 4 + i * 7 % 15;
        int hidden = whole ? i / LONG % 4 >= i % LONG : i % LONG == 2; /* one to four a text, or one */
        target[i] = hidden ? 4 + i * 3 % 15 : -100;
        length[i / LONG] = LONG;
    }
    job j = {.class = "bert", .task = "pretrain",
             .model = {NUM("vocab_size", 20), NUM("hidden_size", 16), NUM("num_hidden_layers", 2),
                       NUM("num_attention_heads", 2), NUM("intermediate_size", 24), NUM("max_position_embeddings", 8),
                       NUM("mlm_head", 1), NUM("hidden_dropout_prob", whole ? 0 : 0.1f)},
             .models = 8,
             .item = {I32("id", token, .ndim = 1, .dim = {CELLS * LONG}), I32("length", length, .ndim = 1, .dim = {CELLS}),
                      I32("target", target, .ndim = 1, .dim = {CELLS * LONG})},
             .items = 3, .each = {LONG, 1, LONG}, .cells = CELLS};
    return j;
}

enum { ATAC = 6, DIM = 8, PEAKS = 5 };
static float atac[CELLS * ATAC], rna[CELLS * DIM], expression[CELLS * GENES], gene[GENES * DIM], open_peaks[CELLS * PEAKS];
static int32_t row[CELLS];
static const float match_weight[] = {1, 0.1f, 0.2f}, paired_weight[] = {1, 0.5f, 0.01f, 0.1f, 0.1f, 0.1f};

static job effendi_job(const char *task)
{
    float *all[] = {atac, rna, expression, gene, open_peaks};
    const int64_t size[] = {CELLS * ATAC, CELLS * DIM, CELLS * GENES, GENES * DIM, CELLS * PEAKS};
    for (int i = 0; i < 5; i++) cw_rng_fill_normal(all[i], size[i], cw_rng_stream(6, CW_RNG_USER, (uint64_t)i, 0), 0, 1);
    for (int i = 0; i < CELLS * PEAKS; i++) open_peaks[i] = open_peaks[i] > 0;
    for (int i = 0; i < CELLS; i++) row[i] = i;
    int match = strcmp(task, "match") == 0;
    job j = {.class = "effendi", .task = task,
             .model = {NUM("atac", ATAC), NUM("dim", DIM), NUM("alignHidden", 7), NUM("fieldHidden", 5), NUM("tauHidden", 4),
                       NUM("decoderHidden", 10), NUM("peaks", PEAKS), NUM("dropout", 0.1f)},
             .models = 8, .settings = {NUM("nSteps", 6), NUM("projections", 11)}, .options = 2,
             .weight = match ? match_weight : paired_weight,
             .kept = {F32("zAtac", atac, .ndim = 2, .dim = {CELLS, ATAC}), F32("zRna", rna, .ndim = 2, .dim = {CELLS, DIM}),
                      F32("expression", expression, .ndim = 2, .dim = {CELLS, GENES}),
                      F32("geneEmbedding", gene, .ndim = 2, .dim = {GENES, DIM}),
                      F32("peaks", open_peaks, .ndim = 2, .dim = {CELLS, PEAKS})},
             .keeps = 5,
             .item = {I32("atac", row, .ndim = 1, .dim = {CELLS}), I32("rna", row, .ndim = 1, .dim = {CELLS})},
             .items = 2, .each = {1, 1}, .cells = CELLS};
    return j;
}

/* ---- a run ---- */

enum { STEPS = 4 };

typedef struct {
    double value[STEPS][CW_MAX_TERMS], total[STEPS], norm[STEPS];
    float *weights; /* all parameters side by side */
    int64_t count, sent;
    cw_status status;
    char text[1024];
} outcome;

typedef struct {
    const job *j;
    int rank, size, micros;     /* micro-batches a process and step */
    const int64_t *cut;         /* cells of micro-batch number n: cut[n] .. cut[n + 1] - 1 */
    int steps, first;           /* first: of a run that goes on */
    int64_t bucket;
    int last;                   /* tell the trainer which micro-batch is the last */
    uint64_t key;               /* of the initial weights */
    const char *save, *load;    /* folder, file */
    /* what goes wrong here, in the second step */
    int misuse, leave, stop, bad_value;
    int64_t fail_at;            /* allocations from there on */
    thread_comm *comm;          /* NULL: one process */
    int asked;
    outcome *out;
} process;

static int told_to_stop(void *user)
{
    process *p = user;
    return p->stop && p->asked++ > 40;
}

/* The cells of a micro-batch. */
static int64_t slice(const process *p, int64_t number, cw_array *item)
{
    const job *j = p->j;
    int64_t first = p->cut[number], n = p->cut[number + 1] - first;
    for (int i = 0; i < j->items; i++) {
        item[i] = j->item[i];
        if (!j->each[i]) continue;
        item[i].dim[0] = n * (item[i].ndim == 1 ? j->each[i] : 1);
        item[i].data = (const char *)item[i].data + 4 * first * j->each[i];
    }
    return n;
}

static cw_status one_step(process *p, cw_trainer *tr, int step, cw_array *item)
{
    cw_ctx *ctx = tr->model->ctx;
    cw_step_report r, applied;
    outcome *o = p->out;
    for (int i = 0; i < p->micros; i++) {
        int64_t number = (int64_t)i * p->size + p->rank;
        int wrong = step == p->first + 1;
        if (p->size > 1 && p->last && i == p->micros - 1) tr->last = 1;
        int64_t n = slice(p, number, item);
        if (wrong && p->misuse) item[1].name = "misspelt";
        if (wrong && p->bad_value) item[p->j->bad_item].data = huge;
        if (n == 0) cw_trainer_idle(tr, NULL, &r);
        else cw_trainer_micro(tr, item, p->j->items, number, NULL, 1.0f / (float)p->micros, &r);
        if (ctx->status != CW_OK) return ctx->status;
        for (int k = 0; k < tr->terms; k++) o->value[step - p->first][k] += r.value[k] / p->micros;
        o->total[step - p->first] += r.total / p->micros;
    }
    cw_trainer_apply(tr, &applied);
    o->norm[step - p->first] = applied.grad_norm;
    return ctx->status;
}

static void *run(void *given)
{
    process *p = given;
    const job *j = p->j;
    const cw_host host = {.user = p, .interrupted = told_to_stop};
    cw_ctx *ctx = cw_ctx_new(&host);
    ctx->kernels = cw_kernels_select(NULL);
    const cw_model_class *class = strcmp(j->class, "toy") == 0 ? &toy_class : cw_model_class_named(j->class);
    cw_model *m = cw_model_make(ctx, class, j->model, j->models, 1, p->key);
    cw_tape *tape = m ? cw_tape_new(ctx) : NULL;
    cw_trainer *tr = NULL;
    const cw_task *task = cw_model_task(class, j->task);
    const cw_optimizer o = {.kind = CW_ADAMW, .lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-3f, .clip = 1.0f,
                            .schedule = CW_SCHEDULE_CONSTANT, .total_steps = STEPS, .every = 1};
    char why[200] = "", settings[256] = {0};
    if (task->settings && cw_settings_fill(task->settings, settings, j->settings, j->options, 1, why, sizeof why) != CW_OK)
        cw_fail(ctx, CW_ERR_ARGUMENT, "%s", why);
    if (m && cw_model_bind(m, j->kept, j->keeps) == CW_OK)
        tr = cw_trainer_new(m, tape, task, &o, task->settings ? settings : NULL, NULL, 0, j->weight, 3 + p->key);
    if (tr && p->load) cw_checkpoint_load(tr, p->load);
    if (tr && p->comm) cw_trainer_share(tr, &p->comm->comm, p->bucket);
    cw_array item[8];
    for (int s = p->first; tr && s < p->first + p->steps && ctx->status == CW_OK; s++) {
        if (s == p->first + 1 && p->leave) {
            cw_comm_meet(&p->comm->comm, ctx, CW_MEET_LEAVE, NULL, 0);
            break;
        }
        if (s == p->first && p->fail_at >= 0) ctx->fail_at = ctx->memory.calls + p->fail_at;
        if (s == p->first + 1) p->asked = 1;
        one_step(p, tr, s, item);
    }
    p->out->status = ctx->status;
    memcpy(p->out->text, ctx->text, sizeof ctx->text);
    if (ctx->status == CW_OK && tr && p->save) cw_checkpoint_save(tr, p->save, 1, NULL, 0);
    if (ctx->status == CW_OK && m) {
        p->out->count = cw_params_values(&m->params);
        p->out->weights = malloc((size_t)p->out->count * sizeof(float));
        int64_t at = 0;
        for (int64_t i = 0; i < m->params.count; at += cw_count(&m->params.item[i++]->tensor))
            cw_param_get(ctx, &m->params.item[i]->tensor, p->out->weights + at);
    }
    if (p->comm) p->out->sent = p->comm->sent;
    cw_ctx_clear(ctx);
    cw_trainer_free(tr);
    cw_model_free(m);
    cw_tape_free(tape);
    cw_ctx_let_go(ctx);
    if (ctx->memory.bytes != 0) p->out->status = CW_ERR_STATE, strcpy(p->out->text, "memory is left");
    cw_ctx_free(ctx);
    return NULL;
}

static outcome results[COMM_MOST];

static void clear(void)
{
    for (int r = 0; r < COMM_MOST; r++) free(results[r].weights);
    memset(results, 0, sizeof results);
}

/* `change` may spoil single processes. */
static void run_world(const process *like, void (*change)(process *p))
{
    static thread_comm comm[COMM_MOST];
    pthread_t thread[COMM_MOST];
    process p[COMM_MOST];
    hub h;
    clear();
    hub_open(&h, like->size);
    for (int r = 0; r < like->size; r++) {
        thread_comm_open(&comm[r], &h, r);
        p[r] = *like;
        p[r].rank = r, p[r].comm = like->size > 1 ? &comm[r] : NULL, p[r].out = &results[r], p[r].key += (uint64_t)r;
        if (change) change(&p[r]);
        pthread_create(&thread[r], NULL, run, &p[r]);
    }
    for (int r = 0; r < like->size; r++) pthread_join(thread[r], NULL);
    CHECK(h.unlike == 0, "the processes sent unlike things");
    hub_close(&h);
}

static double relative(double a, double b) { return fabs(a - b) / fmax(1e-3, fabs(b)); }

/* Every process's results are those of `one`. */
static void same_as(const char *what, const outcome *one, int size, int steps, int terms_only)
{
    double loss = 0, norm = 0, weight = 0;
    for (int r = 0; r < size; r++) {
        const outcome *o = &results[r];
        CHECK(o->status == CW_OK, "%s, process %d: %s", what, r, o->text);
        if (o->status != CW_OK) return;
        for (int s = 0; s < steps; s++) {
            for (int k = 0; k < CW_MAX_TERMS; k++) loss = fmax(loss, relative(o->value[s][k], one->value[s][k]));
            loss = fmax(loss, relative(o->total[s], one->total[s]));
            norm = fmax(norm, relative(o->norm[s], one->norm[s]));
        }
        for (int64_t i = 0; i < o->count; i++) weight = fmax(weight, fabs((double)o->weights[i] - one->weights[i]));
        CHECK(o->sent > 0 && memcmp(o->weights, results[0].weights, (size_t)o->count * sizeof(float)) == 0,
              "%s: the weights of process %d are its own", what, r);
    }
    CHECK(loss < 1e-5 && norm < 1e-4 && (terms_only || weight < 1e-5), "%s: losses %g, norms %g, weights %g apart", what, loss,
          norm, weight);
    CHECK(one->total[0] != 0 && one->norm[0] > 0, "%s trains nothing", what);
}

/* One process that takes all, kept aside. */
static outcome alone(const process *like)
{
    process p = *like;
    p.size = 1, p.rank = 0, p.comm = NULL;
    run_world(&p, NULL);
    CHECK(results[0].status == CW_OK, "%s", results[0].text);
    outcome one = results[0];
    memset(results, 0, sizeof results);
    return one;
}

/* ---- tests ---- */

/* N processes with a micro-batch each do what one does with N: the same noise, the same sums. */
static void numbers(const char *what, const job *j)
{
    static const int64_t even[] = {0, 3, 6, 9, 12, 15, 18, 21, 24};
    process p = {.j = j, .size = 1, .micros = 8, .cut = even, .steps = STEPS, .key = 5, .fail_at = -1, .bucket = 100};
    outcome one = alone(&p);
    for (int size = 8; size >= 2; size /= 2) {
        p.size = size, p.micros = 8 / size, p.last = size != 4, p.bucket = size == 2 ? 0 : 100;
        run_world(&p, NULL);
        same_as(what, &one, size, STEPS, 0);
    }
    free(one.weights);
    clear();
}

/* Unequal shares of a batch, one of them without cells, make the losses of the batch. `steps`: of an SFM 1, since balancing
 * averages the quantiles of micro-batches. */
static void shares(const char *what, const job *j, int steps)
{
    static const int64_t whole[] = {0, CELLS}, apart[] = {0, 5, 5, 21, 24};
    process p = {.j = j, .size = 1, .micros = 1, .cut = whole, .steps = steps, .key = 5, .fail_at = -1};
    outcome one = alone(&p);
    p.size = 4, p.cut = apart, p.bucket = 300;
    for (p.last = 0; p.last < 2; p.last++) {
        run_world(&p, NULL);
        same_as(what, &one, 4, steps, strcmp(j->class, "sfm") == 0);
    }
    free(one.weights);
    clear();
}

static int culprit;
static int64_t failing;
static void misuses(process *p) { p->misuse = p->rank == culprit; }
static void leaves(process *p) { p->leave = p->rank == culprit; }
static void is_stopped(process *p) { p->stop = p->rank == culprit; }
static void is_huge(process *p) { p->bad_value = p->rank == culprit; }
static void lacks_memory(process *p) { p->fail_at = p->rank == culprit ? failing : -1; }
static void is_larger(process *p)
{
    static job other;
    if (p->rank != culprit) return;
    other = *p->j;
    other.model[3].number = 20; /* embedDim */
    p->j = &other;
}

/* Whoever fails, all end, with its reason. */
static void failures(void)
{
    static const int64_t cut[] = {0, 4, 8, 12, 16, 20, 24};
    job j = efm_job(0);
    process p = {.j = &j, .size = 3, .micros = 2, .cut = cut, .steps = 3, .key = 5, .fail_at = -1, .bucket = 200};
    const struct {
        void (*change)(process *p);
        cw_status status;
        const char *says;
        int all_alike; /* nobody's own */
    } way[] = {{misuses, CW_ERR_ARGUMENT, "'nonTF' is missing", 0},
               {leaves, CW_ERR_STATE, "it has ended, and others have not", 0},
               {is_stopped, CW_ERR_INTERRUPT, "", 0},
               {is_larger, CW_ERR_STATE, "models of different sizes", 1},
               {is_huge, CW_ERR_NUMERIC, "the loss is not finite", 1}};
    for (p.last = 0; p.last < 2; p.last++)
        for (culprit = 0; culprit < 3; culprit++)
            for (size_t w = 0; w < sizeof way / sizeof *way; w++) {
                run_world(&p, way[w].change);
                for (int r = 0; r < 3; r++) {
                    char from[40];
                    snprintf(from, sizeof from, "process %d of 3: ", culprit + 1);
                    int named = strstr(results[r].text, from) == results[r].text;
                    CHECK(results[r].status == way[w].status && strstr(results[r].text, way[w].says) &&
                              named == (r != culprit && !way[w].all_alike),
                          "way %zu, culprit %d, process %d: \"%s\"", w, culprit, r, results[r].text);
                }
            }
    /* memory fails at any place of a step */
    culprit = 1;
    int ended = 0, went_on = 0;
    for (p.last = 0; p.last < 2; p.last++)
        for (failing = 0; failing < 60; failing += 3) {
            run_world(&p, lacks_memory);
            int ok = results[1].status == CW_OK;
            for (int r = 0; r < 3; r++)
                CHECK(results[r].status == (ok ? CW_OK : CW_ERR_MEMORY), "memory, process %d: %s", r, results[r].text);
            ended += !ok, went_on += ok;
        }
    CHECK(ended > 0, "memory never failed (%d runs went on)", went_on);
    clear();
}

static void first_loads(process *p)
{
    if (p->rank > 0) p->load = NULL;
}
static void first_saves(process *p)
{
    if (p->rank > 0) p->save = NULL;
}

/* What rank 0 has on disk is enough: the others begin with nothing, and the bits are those of the run that went through. */
static void going_on(void)
{
    char folder[] = "/tmp/cw-comm-XXXXXX", file[300];
    static const int64_t cut[] = {0, 8, 16, 24};
    job j = sfm_job(0);
    process p = {.j = &j, .size = 3, .micros = 1, .cut = cut, .steps = STEPS, .key = 5, .fail_at = -1, .last = 1};
    CHECK(mkdtemp(folder) != NULL, "no folder");
    run_world(&p, NULL);
    outcome through = results[2];
    memset(&results[2], 0, sizeof results[2]);
    p.steps = 2, p.save = folder;
    run_world(&p, first_saves);
    CHECK(cw_checkpoint_latest(folder, file, sizeof file), "no checkpoint");
    p.first = 2, p.save = NULL, p.load = file, p.key = 90;
    run_world(&p, first_loads);
    for (int r = 0; r < 3; r++) {
        CHECK(results[r].status == CW_OK, "%s", results[r].text);
        CHECK(results[r].weights && memcmp(results[r].weights, through.weights, (size_t)through.count * 4) == 0,
              "process %d: other bits after going on", r);
        CHECK(results[r].total[1] == through.total[3], "process %d: other losses", r);
    }
    free(through.weights);
    clear();
    unlink(file), rmdir(folder);
}

/* A loss that overflows at one process is switched off at all, and the run goes on. */
static void switching_off(void)
{
    static const int64_t cut[] = {0, 8, 16, 24};
    static const float weight[] = {1, 1e-38f};
    for (int i = 0; i < CELLS * GENES; i++) huge[i] = 30.0f;
    job j = {.class = "toy", .task = "fit", .model = {NUM("in", 6), NUM("out", 5)}, .models = 2, .weight = weight,
             .item = {F32("x", atac, .ndim = 2, .dim = {CELLS, 6}), F32("y", open_peaks, .ndim = 2, .dim = {CELLS, 5})},
             .items = 2, .each = {6, 5}, .cells = CELLS, .bad_item = 1};
    process p = {.j = &j, .size = 3, .micros = 1, .cut = cut, .steps = 3, .key = 5, .fail_at = -1, .last = 1};
    for (culprit = 0; culprit < 3; culprit++) {
        run_world(&p, is_huge);
        for (int r = 0; r < 3; r++) {
            const outcome *o = &results[r];
            CHECK(o->status == CW_OK, "%s", o->text);
            CHECK(o->value[0][1] > 0 && o->value[1][1] == 0 && o->value[2][1] == 0, "process %d: %g, %g, %g", r,
                  o->value[0][1], o->value[1][1], o->value[2][1]);
            CHECK(o->status != CW_OK || memcmp(o->weights, results[0].weights, (size_t)o->count * 4) == 0, "process %d", r);
        }
    }
    clear();
}

int main(void)
{
    alarm(600); /* a process that waits for ever is a failure */
    fill_cells();
    cw_kernels_select(NULL); /* looks at the processor once, before there are threads */
    job j = sfm_job(0);
    numbers("SFM", &j);
    j = efm_job(0);
    numbers("EFM", &j);
    j = bert_job(0);
    numbers("BERT", &j);
    j = effendi_job("match");
    numbers("Effendi, match", &j);
    j = effendi_job("tuned");
    numbers("Effendi, tuned", &j);
    failures();
    going_on();
    switching_off();
    j = bert_job(1);
    shares("BERT", &j, STEPS);
    j = sfm_job(1);
    shares("SFM", &j, 1);
    j = efm_job(1);
    shares("EFM", &j, STEPS);
    return test_end();
}
