/* multiome.h: cells with chromatin and RNA, in which every gene's RNA follows its chromatin with a known delay.
 *
 * Cells lie on a course: a line, a line that forks, a loop, a loop with an exit, or resting states without any movement.
 * Each gene's chromatin opens, closes or pulses somewhere along it, stays flat, or moves in one modality only:
 *   a_g(t) in [0, 1],   RNA: s tau_g dr/dt = drive_g(t - (1 - s) tau_g) - r
 * s = 0: a delay; s = 1: kinetics; between: both, the total lag is tau_g in any case;
 *   drive_g = a_g, or a saturating or repressive function of it, or its own course.
 * RNA counts: Poisson with gamma noise at log-normal library sizes, then dropout. Chromatin: several peaks per gene,
 * open or not in a cell, some following the gene and some constant, and distal peaks that belong to no gene. The
 * lengths and delays are in the unit of the course (10 long). Numbers follow the prototype of the method page.
 *
 * Every number is a function of (key, gene, peak or cell): equal for any number of threads. */
#ifndef CW_MULTIOME_H
#define CW_MULTIOME_H

#include "../core/core.h"
#include "../core/settings.h"

typedef enum cw_topology {
    CW_TOPOLOGY_LINEAR = 0, CW_TOPOLOGY_FORK, CW_TOPOLOGY_LOOP, CW_TOPOLOGY_RESTING, CW_TOPOLOGY_EXIT
} cw_topology;
/* MIXED: half of the genes each; BOTH: every gene has some of both */
typedef enum cw_lag { CW_LAG_DELAY = 0, CW_LAG_KINETICS, CW_LAG_MIXED, CW_LAG_BOTH } cw_lag;
typedef enum cw_pattern { /* of a gene */
    CW_PATTERN_ON = 0, CW_PATTERN_OFF, CW_PATTERN_PULSE, CW_PATTERN_FLAT, CW_PATTERN_RNA_ONLY, CW_PATTERN_ATAC_ONLY
} cw_pattern;
typedef enum cw_spoil { /* what is done to the data, for null cases */
    CW_SPOIL_NOTHING = 0,
    CW_SPOIL_DELAY,   /* every delay is 0 */
    CW_SPOIL_PAIRING, /* the chromatin of the cells is shuffled */
    CW_SPOIL_LINKS    /* a gene is linked to the peaks of another one */
} cw_spoil;

typedef struct cw_multiome_options {
    int64_t cells, genes;
    int64_t peaks; /* all of them; 0: those of the genes and 5 distal ones per 3 genes */
    int64_t peaks_low, peaks_high; /* peaks of a gene, drawn from this range */
    cw_topology topology;
    int64_t states;    /* of CW_TOPOLOGY_RESTING, up to CW_MULTIOME_STATES */
    cw_lag lag;
    cw_spoil spoil;
    double depth_rna, depth_atac; /* times the realistic depth (1.5 counts per gene at the median) */
    double median, spread, low, high; /* tau: log-normal, clipped */
    double hill;       /* > 0: the drive saturates, a^h / (a^h + .5^h) */
    double modulation; /* the delay varies along the course by this share (delay only) */
    double uneven;     /* 1: cells crowd at two places of a line or loop; 0: they don't */
    double repressed;  /* share of genes whose RNA falls when their chromatin opens */
    double altered, factor; /* share of genes whose delay is `factor` times longer in group 1, and that factor */
    int altered_branch;     /* group 1 is the second branch of a fork (else a random half of the cells) */
    double dispersion, dropout, library_rna, library_atac; /* gamma shape; share lost; log-normal sds */
    uint64_t key;
} cw_multiome_options;

typedef struct cw_multiome {
    int64_t peaks;
    /* genes */
    double *tau, *share; /* total lag; share of it that is kinetics */
    uint8_t *pattern, *kinetic, *repressed, *altered;
    uint8_t *branch_of; /* the branch a gene moves in; 0: both */
    uint8_t *dynamic;   /* both chromatin and RNA really change over the cells (by > .3 of the range) */
    /* peaks */
    int32_t *gene_of; /* (peaks) the gene that opens it, -1: distal; ascending, the distal ones last */
    int32_t *linked;  /* (peaks) the gene it is said to belong to, -1: none; differs under CW_SPOIL_LINKS */
    uint8_t *follows; /* (peaks) it follows its gene's (a distal one: some gene's) chromatin; else constant */
    /* cells */
    double *time;     /* 0 to 10, on the exit CW_MULTIOME_EXIT to 10; of resting cells 0 */
    uint8_t *branch;  /* 0 trunk or loop, 1, 2 (the exit); of resting cells the state, from 0 */
    uint8_t *group;   /* 0 or 1, see `altered` */
    int64_t *partner; /* the cell whose chromatin is shown in this cell's place */
    /* data */
    int32_t *rna;     /* (cells, genes) */
    uint8_t *open;    /* (cells, (peaks + 7) / 8): bit p % 8 of byte p / 8 */
    int64_t *opened;  /* (cells) bits set in a cell's row */
    float *chromatin, *rate; /* (cells, genes) a and r, only if wanted; NULL otherwise */
} cw_multiome;

enum { CW_MULTIOME_LENGTH = 10, CW_MULTIOME_EXIT = 6, CW_MULTIOME_STATES = 12 };

/* The page's 3,000 cells x 300 genes, delays of median .8. */
extern const cw_setting cw_multiome_settings[]; /* all but the key */
cw_multiome_options cw_multiome_defaults(void);

/* Fills `out`, which is freed with cw_multiome_free, also after a failure. `profiles`: also chromatin and rate. */
cw_status cw_multiome_simulate(cw_ctx *ctx, cw_multiome *out, const cw_multiome_options *options, int profiles);
void cw_multiome_free(cw_ctx *ctx, cw_multiome *m);

/* Peaks there can be at most: some room for the drawn number per gene. */
int64_t cw_multiome_most_peaks(const cw_multiome_options *options);

#endif
