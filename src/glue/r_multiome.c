/* r_multiome.c: simulated cells with chromatin and RNA. */
#include "glue.h"

#include "../engine/sim/multiome.h"

#include <string.h>

enum { RNA, ATAC, TAU, SHARE, PATTERN, KINETIC, REPRESSED, ALTERED, BRANCH_OF, DYNAMIC, GENE_OF, LINKED, FOLLOWS, TIME, BRANCH,
       GROUP, PARTNER, CHROMATIN, RATE, FIELDS };

static int *ints(SEXP out, int at) { return INTEGER(VECTOR_ELT(out, at)); }

static void set_bytes(SEXP out, int at, const uint8_t *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) ints(out, at)[i] = from[i];
}

static void copy_out(SEXP out, SEXP counts, SEXP bits, const cw_multiome *m, const cw_multiome_options *o)
{
    int64_t values = o->cells * o->genes;
    memcpy(INTEGER(counts), m->rna, (size_t)values * sizeof *m->rna);
    memcpy(RAW(bits), m->open, (size_t)(o->cells * ((m->peaks + 7) / 8)));
    memcpy(REAL(VECTOR_ELT(out, TAU)), m->tau, (size_t)o->genes * sizeof *m->tau);
    memcpy(REAL(VECTOR_ELT(out, SHARE)), m->share, (size_t)o->genes * sizeof *m->share);
    memcpy(REAL(VECTOR_ELT(out, TIME)), m->time, (size_t)o->cells * sizeof *m->time);
    const uint8_t *of_genes[] = {m->pattern, m->kinetic, m->repressed, m->altered, m->branch_of, m->dynamic};
    for (int n = 0; n < 6; n++) set_bytes(out, PATTERN + n, of_genes[n], o->genes);
    set_bytes(out, FOLLOWS, m->follows, m->peaks);
    set_bytes(out, BRANCH, m->branch, o->cells);
    set_bytes(out, GROUP, m->group, o->cells);
    for (int64_t p = 0; p < m->peaks; p++) {
        ints(out, GENE_OF)[p] = m->gene_of[p] < 0 ? NA_INTEGER : m->gene_of[p] + 1;
        ints(out, LINKED)[p] = m->linked[p] < 0 ? NA_INTEGER : m->linked[p] + 1;
    }
    for (int64_t i = 0; i < o->cells; i++) ints(out, PARTNER)[i] = (int)m->partner[i] + 1;
    for (int64_t n = 0; m->chromatin && n < values; n++) {
        REAL(VECTOR_ELT(out, CHROMATIN))[n] = m->chromatin[n];
        REAL(VECTOR_ELT(out, RATE))[n] = m->rate[n];
    }
}

/* list(p, i, x) of a dgCMatrix with `total` entries and a column per cell; the caller protects it and fills i, x. */
static SEXP columns_new(int64_t total, int64_t cells)
{
    static const char *const names[] = {"p", "i", "x"};
    if (total > 2147483647) Rf_error("more than 2^31 counts above 0; ask for fewer cells, genes or peaks.");
    SEXP list = PROTECT(cw_glue_list(3, names));
    SET_VECTOR_ELT(list, 0, Rf_allocVector(INTSXP, (R_xlen_t)cells + 1));
    SET_VECTOR_ELT(list, 1, Rf_allocVector(INTSXP, (R_xlen_t)total));
    SET_VECTOR_ELT(list, 2, Rf_allocVector(REALSXP, (R_xlen_t)total));
    INTEGER(VECTOR_ELT(list, 0))[0] = 0;
    UNPROTECT(1);
    return list;
}

static SEXP columns_of_counts(const int *count, int64_t cells, int64_t genes)
{
    int64_t total = 0;
    for (int64_t n = 0; n < cells * genes; n++) total += count[n] > 0;
    SEXP list = PROTECT(columns_new(total, cells));
    int *p = ints(list, 0), *at = ints(list, 1), n = 0;
    double *x = REAL(VECTOR_ELT(list, 2));
    for (int64_t i = 0; i < cells; i++) {
        for (int64_t g = 0; g < genes; g++)
            if (count[i * genes + g] > 0) at[n] = (int)g, x[n++] = count[i * genes + g];
        p[i + 1] = n;
    }
    UNPROTECT(1);
    return list;
}

static SEXP columns_of_bits(const uint8_t *bits, int64_t total, int64_t cells, int64_t peaks)
{
    SEXP list = PROTECT(columns_new(total, cells));
    int *p = ints(list, 0), *at = ints(list, 1), n = 0;
    for (int64_t i = 0; i < cells; i++) {
        const uint8_t *row = bits + i * ((peaks + 7) / 8);
        for (int64_t k = 0; k < peaks; k++)
            if (row[k / 8] >> k % 8 & 1) at[n++] = (int)k;
        p[i + 1] = n;
    }
    for (int k = 0; k < n; k++) REAL(VECTOR_ELT(list, 2))[k] = 1.0;
    UNPROTECT(1);
    return list;
}

/* -> list: rna and atac list(p, i, x) with a column per cell; then, as multiome.h describes them, numbers of genes,
 * peaks and cells (indices from 1, NA for none); chromatin and rate (genes, cells) if `profiles`, else empty. Vectors
 * over peaks may be longer than `peaks`. */
SEXP cw_r_multiome(SEXP options, SEXP profiles, SEXP key, SEXP threads)
{
    static const char *const names[] = {"rna",      "atac",   "tau",    "share",   "pattern", "kinetic",   "repressed",
                                        "altered",  "branchOf", "dynamic", "geneOf", "linked", "follows",  "time",
                                        "branch",   "group",  "partner", "chromatin", "rate", "peaks"};
    cw_multiome_options o;
    cw_glue_settings(options, cw_multiome_settings, &o);
    o.key = cw_glue_key(key);
    int wanted = Rf_asLogical(profiles) == 1;
    const double size[] = {(double)o.cells, (double)o.genes, (double)o.peaks, (double)o.genes * (double)o.peaks_high};
    for (int i = 0; i < 4; i++)
        if (!(size[i] >= (i < 2) && size[i] < 1e9) || size[0] * size[1] > 1e11)
            Rf_error("internal error: %.0f cells, %.0f genes, %.0f or %.0f peaks", size[0], size[1], size[2], size[3]);
    int64_t most = cw_multiome_most_peaks(&o), peaks = 0, total = 0;
    SEXP out = PROTECT(cw_glue_list(FIELDS + 1, names));
    SEXP counts = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)(o.cells * o.genes)));
    SEXP bits = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)(o.cells * ((most + 7) / 8))));
    for (int n = TAU; n < FIELDS; n++) {
        int64_t length = n <= DYNAMIC ? o.genes : n <= FOLLOWS ? most : n <= PARTNER ? o.cells : 0;
        if (n >= CHROMATIN && wanted) length = o.cells * o.genes;
        int real = n == TAU || n == SHARE || n == TIME || n >= CHROMATIN;
        SET_VECTOR_ELT(out, n, Rf_allocVector(real ? REALSXP : INTSXP, (R_xlen_t)length));
    }
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads));
    cw_multiome m;
    if (cw_multiome_simulate(ctx, &m, &o, wanted) == CW_OK) {
        copy_out(out, counts, bits, &m, &o);
        peaks = m.peaks;
        for (int64_t i = 0; i < o.cells; i++) total += m.opened[i];
    }
    cw_multiome_free(ctx, &m);
    cw_glue_leave(ctx); /* raises the error, if there was one */
    SET_VECTOR_ELT(out, RNA, columns_of_counts(INTEGER(counts), o.cells, o.genes));
    SET_VECTOR_ELT(out, ATAC, columns_of_bits(RAW(bits), total, o.cells, peaks));
    SET_VECTOR_ELT(out, FIELDS, Rf_ScalarInteger((int)peaks));
    UNPROTECT(3);
    return out;
}
