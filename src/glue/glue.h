/* glue.h: what the files of the glue share: contexts, and the entry points that init.c registers. */
#ifndef CW_GLUE_H
#define CW_GLUE_H

#ifndef R_NO_REMAP
#define R_NO_REMAP
#endif
#ifndef STRICT_R_HEADERS
#define STRICT_R_HEADERS
#endif
#include <R.h>
#include <Rinternals.h>

#include "../engine/core/core.h"
#include "../engine/core/settings.h"

/* A fresh context with R's callbacks, kernels selected, the BLAS on one thread; raises an R error when there is no
 * memory. Create every SEXP before, for between enter and leave nothing may jump. `threads` 0: the default. */
cw_ctx *cw_glue_enter(int threads);

/* Whether the engine's lines on how far it is are printed; off again by cw_glue_leave. */
void cw_glue_inform(int yes);

/* Frees the context. If it holds an error, raises it: an interrupt as R's, anything else as a condition of class
 * causewayError. Everything taken from the context must be free by then. */
void cw_glue_leave(cw_ctx *ctx);

/* The same for a context that lives on (a model's): errors cleared, callbacks, threads and BLAS set. */
void cw_glue_resume(cw_ctx *ctx);
void cw_glue_pause(cw_ctx *ctx); /* raises as cw_glue_leave does, and leaves the context usable */

/* The element `name` of a list; R_NilValue when there is none. */
SEXP cw_glue_get(SEXP list, const char *name);
double cw_glue_number(SEXP list, const char *name, double fallback);
/* Fills the struct that `table` describes from a named list of single numbers, truth values and strings (NULL members
 * count as not given). What the table doesn't have, of the wrong type or out of range raises an R error that names it:
 * call it before the engine is entered. */
void cw_glue_settings(SEXP list, const cw_setting *table, void *out);
/* A list's members as options in R_alloc'd memory, *n of them; names and types checked as above. */
const cw_option *cw_glue_options(SEXP list, int64_t *n);
/* A settings table as R sees it: a list of columns name, argument, type, default, min, max, open, choices, help. The
 * caller protects it. */
SEXP cw_glue_settings_table(const cw_setting *table);
/* The grid `name` of a list of them: doubles, *n >= 1 of them; raises an R error for anything else. */
const double *cw_glue_grid(SEXP grids, const char *name, int64_t *n);
/* Threads as R hands them over; 0, the default, for NA and what is negative. */
int cw_glue_threads(SEXP threads);
/* Two whole numbers below 2^32 as one 64-bit key; raises an R error for anything else. */
uint64_t cw_glue_key(SEXP key);
/* Raises an R error unless p, i, x (doubles) are a column-compressed matrix with `rows` rows and `columns` columns:
 * what reads them then can't leave them. */
void cw_glue_need_columns(SEXP p, SEXP i, SEXP x, int64_t rows, int64_t columns);
/* One path in the system's encoding, ~ expanded; R frees it when the .Call ends. */
const char *cw_glue_path(SEXP path);
/* The same matrix, checked, as floats: (columns, rows), or (rows, columns) with `by_row`. The context's; NULL when
 * memory is short, with the error recorded. */
float *cw_glue_dense(cw_ctx *ctx, SEXP p, SEXP i, SEXP x, int64_t rows, int64_t columns, int by_row);
/* A named list of n NULLs; the caller protects it. */
SEXP cw_glue_list(int n, const char *const *names);

/* What an entry point returns: a list of vectors (columns < 0) and matrices. */
typedef struct cw_glue_part {
    const char *name;
    SEXPTYPE type;
    int64_t rows, columns;
} cw_glue_part;
/* The list, its parts made, numbers set to 0; the caller protects it. */
SEXP cw_glue_make(int n, const cw_glue_part *part);
/* cw_glue_leave, then gives up the one protection that `out` has, and returns it. */
SEXP cw_glue_return(cw_ctx *ctx, SEXP out);

/* ---- the engine itself (r_engine.c) ----------------------------------------------------------------------------- */
SEXP cw_r_engine_info(void);
SEXP cw_r_gemm_speed(SEXP n, SEXP repeats, SEXP threads);
SEXP cw_r_permutation(SEXP n, SEXP key, SEXP epoch);
SEXP cw_r_signal_watch(SEXP yes);
SEXP cw_r_signal_seen(void);

#define CW_ENGINE_ENTRIES                                                                                              \
    {"cw_r_engine_info", (DL_FUNC)&cw_r_engine_info, 0}, {"cw_r_gemm_speed", (DL_FUNC)&cw_r_gemm_speed, 3},            \
        {"cw_r_permutation", (DL_FUNC)&cw_r_permutation, 3},                                                           \
        {"cw_r_signal_watch", (DL_FUNC)&cw_r_signal_watch, 1}, {"cw_r_signal_seen", (DL_FUNC)&cw_r_signal_seen, 0}

/* ---- the processes of a launcher (r_world.c) -------------------------------------------------------------------- */
SEXP cw_r_world(SEXP size);
SEXP cw_r_world_meet(void);
SEXP cw_r_world_fail(SEXP text, SEXP interrupted);
SEXP cw_r_world_send(SEXP raw);
SEXP cw_r_world_leave(void);
SEXP cw_r_train_share(SEXP ptr);

#define CW_WORLD_ENTRIES                                                                                               \
    {"cw_r_world", (DL_FUNC)&cw_r_world, 1}, {"cw_r_world_meet", (DL_FUNC)&cw_r_world_meet, 0},                        \
        {"cw_r_world_fail", (DL_FUNC)&cw_r_world_fail, 2}, {"cw_r_world_send", (DL_FUNC)&cw_r_world_send, 1},          \
        {"cw_r_world_leave", (DL_FUNC)&cw_r_world_leave, 0}, {"cw_r_train_share", (DL_FUNC)&cw_r_train_share, 1}

/* ---- models of every class (r_model.c, r_train.c) --------------------------------------------------------------- */
SEXP cw_r_model_classes(void);
SEXP cw_r_model_settings(SEXP class, SEXP kind, SEXP name);
SEXP cw_r_model_presets(SEXP class);
SEXP cw_r_model_terms(SEXP class, SEXP task);
SEXP cw_r_model_new(SEXP class, SEXP config, SEXP key, SEXP threads);
SEXP cw_r_model_tensors(SEXP ptr);
SEXP cw_r_model_get(SEXP ptr, SEXP name);
SEXP cw_r_model_set(SEXP ptr, SEXP name, SEXP value);
SEXP cw_r_model_load(SEXP ptr, SEXP file, SEXP only);
SEXP cw_r_model_save(SEXP ptr, SEXP file, SEXP only);
SEXP cw_r_model_bind(SEXP ptr, SEXP inputs);
SEXP cw_r_model_run(SEXP ptr, SEXP query, SEXP inputs, SEXP settings, SEXP raw);
SEXP cw_r_model_forecast(SEXP ptr, SEXP sizes);
SEXP cw_r_memory(SEXP ptr);
SEXP cw_r_train_begin(SEXP ptr, SEXP task, SEXP optimizer, SEXP settings, SEXP weights, SEXP groups, SEXP key);
SEXP cw_r_train_micro(SEXP ptr, SEXP inputs, SEXP options, SEXP weights);
SEXP cw_r_train_apply(SEXP ptr);
SEXP cw_r_train_gradients(SEXP ptr, SEXP task, SEXP inputs, SEXP settings, SEXP weights);
SEXP cw_r_train_save(SEXP ptr, SEXP dir, SEXP keep, SEXP pairs);
SEXP cw_r_train_load(SEXP ptr, SEXP file);
SEXP cw_r_train_latest(SEXP dir);
SEXP cw_r_train_pair(SEXP file, SEXP key);

#define CW_MODEL_ENTRIES                                                                                              \
    {"cw_r_model_classes", (DL_FUNC)&cw_r_model_classes, 0},                                                          \
    {"cw_r_model_settings", (DL_FUNC)&cw_r_model_settings, 3},                                                        \
    {"cw_r_model_presets", (DL_FUNC)&cw_r_model_presets, 1},                                                          \
    {"cw_r_model_terms", (DL_FUNC)&cw_r_model_terms, 2},                                                              \
    {"cw_r_model_new", (DL_FUNC)&cw_r_model_new, 4},                                                                  \
    {"cw_r_model_tensors", (DL_FUNC)&cw_r_model_tensors, 1},                                                          \
    {"cw_r_model_get", (DL_FUNC)&cw_r_model_get, 2},                                                                  \
    {"cw_r_model_set", (DL_FUNC)&cw_r_model_set, 3},                                                                  \
    {"cw_r_model_load", (DL_FUNC)&cw_r_model_load, 3},                                                                \
    {"cw_r_model_save", (DL_FUNC)&cw_r_model_save, 3},                                                                \
    {"cw_r_model_bind", (DL_FUNC)&cw_r_model_bind, 2},                                                                \
    {"cw_r_model_run", (DL_FUNC)&cw_r_model_run, 5},                                                                  \
    {"cw_r_model_forecast", (DL_FUNC)&cw_r_model_forecast, 2},                                                        \
    {"cw_r_memory", (DL_FUNC)&cw_r_memory, 1},                                                                        \
    {"cw_r_train_begin", (DL_FUNC)&cw_r_train_begin, 7},                                                              \
    {"cw_r_train_micro", (DL_FUNC)&cw_r_train_micro, 4},                                                              \
    {"cw_r_train_apply", (DL_FUNC)&cw_r_train_apply, 1},                                                              \
    {"cw_r_train_gradients", (DL_FUNC)&cw_r_train_gradients, 5},                                                      \
    {"cw_r_train_save", (DL_FUNC)&cw_r_train_save, 4},                                                                \
    {"cw_r_train_load", (DL_FUNC)&cw_r_train_load, 2},                                                                \
    {"cw_r_train_latest", (DL_FUNC)&cw_r_train_latest, 1},                                                            \
    {"cw_r_train_pair", (DL_FUNC)&cw_r_train_pair, 2}

/* ---- networks (r_network.c) ------------------------------------------------------------------------------------- */
SEXP cw_r_network_check(SEXP view, SEXP threads);
SEXP cw_r_network_cell(SEXP view, SEXP cell, SEXP threads);
SEXP cw_r_network_checksums(SEXP view, SEXP threads);
SEXP cw_r_network_add(SEXP total, SEXP view, SEXP cells, SEXP threads);
SEXP cw_r_network_top(SEXP view, SEXP cells, SEXP top, SEXP self, SEXP threads);
SEXP cw_r_network_count(SEXP view, SEXP cells, SEXP threshold, SEXP self, SEXP threads);
SEXP cw_r_network_above(SEXP view, SEXP cells, SEXP threshold, SEXP self, SEXP room, SEXP threads);
SEXP cw_r_network_activity(SEXP view, SEXP cells, SEXP values, SEXP top, SEXP threads);
SEXP cw_r_network_strength(SEXP view, SEXP cells, SEXP threads);
SEXP cw_r_network_sums(SEXP view, SEXP cells, SEXP threads);
SEXP cw_r_network_moments(SEXP view, SEXP cells, SEXP threads);

#define CW_NETWORK_ENTRIES                                                                                             \
    {"cw_r_network_check", (DL_FUNC)&cw_r_network_check, 2}, {"cw_r_network_cell", (DL_FUNC)&cw_r_network_cell, 3},    \
        {"cw_r_network_checksums", (DL_FUNC)&cw_r_network_checksums, 2},                                               \
        {"cw_r_network_add", (DL_FUNC)&cw_r_network_add, 4}, {"cw_r_network_top", (DL_FUNC)&cw_r_network_top, 5},    \
        {"cw_r_network_count", (DL_FUNC)&cw_r_network_count, 5},                                                       \
        {"cw_r_network_above", (DL_FUNC)&cw_r_network_above, 6},                                                       \
        {"cw_r_network_activity", (DL_FUNC)&cw_r_network_activity, 5},                                                 \
        {"cw_r_network_strength", (DL_FUNC)&cw_r_network_strength, 3},                                                 \
        {"cw_r_network_sums", (DL_FUNC)&cw_r_network_sums, 3},                                                         \
        {"cw_r_network_moments", (DL_FUNC)&cw_r_network_moments, 3}

/* ---- places of files (r_files.c) -------------------------------------------------------------------------------- */
SEXP cw_r_place_find(SEXP path);
SEXP cw_r_place_part(SEXP target, SEXP make);
SEXP cw_r_place_leftovers(SEXP target);
SEXP cw_r_place_commit(SEXP part, SEXP target, SEXP replace);
SEXP cw_r_place_sync(SEXP paths);
SEXP cw_r_place_swap(SEXP a, SEXP b);

#define CW_FILE_ENTRIES                                                                                                \
    {"cw_r_place_find", (DL_FUNC)&cw_r_place_find, 1}, {"cw_r_place_part", (DL_FUNC)&cw_r_place_part, 2},              \
        {"cw_r_place_leftovers", (DL_FUNC)&cw_r_place_leftovers, 1},                                                   \
        {"cw_r_place_commit", (DL_FUNC)&cw_r_place_commit, 3}, {"cw_r_place_sync", (DL_FUNC)&cw_r_place_sync, 1},      \
        {"cw_r_place_swap", (DL_FUNC)&cw_r_place_swap, 2}

/* ---- files of weights, texts (r_checkpoint.c, r_wordpiece.c) ---------------------------------------------------- */
SEXP cw_r_checkpoint_inspect(SEXP path);
SEXP cw_r_checkpoint_convert(SEXP from, SEXP to);
SEXP cw_r_pickle_table(SEXP bytes);
SEXP cw_r_wordpiece(SEXP vocab, SEXP lower, SEXP texts, SEXP pairs, SEXP most, SEXP how);

#define CW_CHECKPOINT_ENTRIES                                                                                          \
    {"cw_r_checkpoint_inspect", (DL_FUNC)&cw_r_checkpoint_inspect, 1},                                                 \
        {"cw_r_checkpoint_convert", (DL_FUNC)&cw_r_checkpoint_convert, 2},                                             \
        {"cw_r_pickle_table", (DL_FUNC)&cw_r_pickle_table, 1}, {"cw_r_wordpiece", (DL_FUNC)&cw_r_wordpiece, 6}

/* ---- ontologies (r_ontology.c) --------------------------------------------------------------------------------------- */
SEXP cw_r_relations(SEXP lines, SEXP words);
SEXP cw_r_page_rank(SEXP ends, SEXP source, SEXP how, SEXP threads);
SEXP cw_r_column_spearman(SEXP a, SEXP b);
SEXP cw_r_pick_scores(SEXP score, SEXP truth, SEXP pick);

#define CW_ONTOLOGY_ENTRIES                                                                                            \
    {"cw_r_relations", (DL_FUNC)&cw_r_relations, 2}, {"cw_r_page_rank", (DL_FUNC)&cw_r_page_rank, 4},                  \
        {"cw_r_column_spearman", (DL_FUNC)&cw_r_column_spearman, 2},                                                   \
        {"cw_r_pick_scores", (DL_FUNC)&cw_r_pick_scores, 3}

/* ---- tables in HDF5 files (r_hdf5.c) --------------------------------------------------------------------------- */
SEXP cw_r_h5_create(SEXP path, SEXP tables);
SEXP cw_r_h5_shapes(SEXP path, SEXP names);
SEXP cw_r_h5_write(SEXP path, SEXP names, SEXP first, SEXP data, SEXP guard);
SEXP cw_r_h5_read(SEXP path, SEXP names, SEXP rows, SEXP guard);
SEXP cw_r_disk_free(SEXP path);

#define CW_HDF5_ENTRIES                                                                                                \
    {"cw_r_h5_create", (DL_FUNC)&cw_r_h5_create, 2}, {"cw_r_h5_shapes", (DL_FUNC)&cw_r_h5_shapes, 2},                  \
        {"cw_r_h5_write", (DL_FUNC)&cw_r_h5_write, 5}, {"cw_r_h5_read", (DL_FUNC)&cw_r_h5_read, 4},                    \
        {"cw_r_disk_free", (DL_FUNC)&cw_r_disk_free, 1}

/* ---- files of cells (r_cells.c) --------------------------------------------------------------------------------- */
SEXP cw_r_h5_plugins(SEXP folder);
SEXP cw_r_h5_look(SEXP path, SEXP name);
SEXP cw_r_h5_values(SEXP path, SEXP name, SEXP member);
SEXP cw_r_h5_put(SEXP path, SEXP steps, SEXP fresh);
SEXP cw_r_cells_check(SEXP path, SEXP layout);
SEXP cw_r_cells_read(SEXP path, SEXP layout, SEXP cells, SEXP place, SEXP threads);
SEXP cw_r_cells_offsets(SEXP path, SEXP layout, SEXP first, SEXP n);

#define CW_CELLS_ENTRIES                                                                                               \
    {"cw_r_h5_plugins", (DL_FUNC)&cw_r_h5_plugins, 1}, {"cw_r_h5_look", (DL_FUNC)&cw_r_h5_look, 2},                    \
        {"cw_r_h5_values", (DL_FUNC)&cw_r_h5_values, 3}, {"cw_r_h5_put", (DL_FUNC)&cw_r_h5_put, 3},                    \
        {"cw_r_cells_check", (DL_FUNC)&cw_r_cells_check, 2}, {"cw_r_cells_read", (DL_FUNC)&cw_r_cells_read, 5},        \
        {"cw_r_cells_offsets", (DL_FUNC)&cw_r_cells_offsets, 4}

/* ---- pooled estimators (r_estimators.c) ------------------------------------------------------------------------ */
SEXP cw_r_forest(SEXP x, SEXP tf, SEXP target, SEXP options, SEXP key, SEXP threads);
SEXP cw_r_forest_forecast(SEXP sizes, SEXP options);
SEXP cw_r_gram_add(SEXP list, SEXP view, SEXP threads);
SEXP cw_r_gram_numbers(SEXP list);
SEXP cw_r_ridge_pooled(SEXP list, SEXP grid, SEXP threads);
SEXP cw_r_ridge_known(SEXP list, SEXP known, SEXP grids, SEXP options, SEXP key, SEXP threads);
SEXP cw_r_ridge_forecast(SEXP sizes, SEXP threads);

#define CW_ESTIMATOR_ENTRIES                                                                                           \
    {"cw_r_forest", (DL_FUNC)&cw_r_forest, 6}, {"cw_r_forest_forecast", (DL_FUNC)&cw_r_forest_forecast, 2},            \
        {"cw_r_gram_add", (DL_FUNC)&cw_r_gram_add, 3},                                                                 \
        {"cw_r_gram_numbers", (DL_FUNC)&cw_r_gram_numbers, 1},                                                         \
        {"cw_r_ridge_pooled", (DL_FUNC)&cw_r_ridge_pooled, 3},                                                         \
        {"cw_r_ridge_known", (DL_FUNC)&cw_r_ridge_known, 6},                                                           \
        {"cw_r_ridge_forecast", (DL_FUNC)&cw_r_ridge_forecast, 2}

/* ---- networks per cell state, simulated cells (r_ridge.c) ---------------------------------------------------------- */
SEXP cw_r_percell(SEXP view, SEXP tf, SEXP w, SEXP point, SEXP grids, SEXP options, SEXP key, SEXP threads);
SEXP cw_r_centre(SEXP view, SEXP tf, SEXP grids, SEXP options, SEXP key, SEXP threads);
SEXP cw_r_labels(SEXP view, SEXP tf, SEXP label, SEXP labels, SEXP train, SEXP grid, SEXP own, SEXP keep,
                 SEXP threads);
SEXP cw_r_labels_sums(SEXP train, SEXP held, SEXP grid, SEXP own, SEXP keep, SEXP threads);
SEXP cw_r_labels_forecast(SEXP sizes);
SEXP cw_r_simulate(SEXP options, SEXP key, SEXP threads);

#define CW_RIDGE_ENTRIES                                                                                               \
    {"cw_r_percell", (DL_FUNC)&cw_r_percell, 8}, {"cw_r_centre", (DL_FUNC)&cw_r_centre, 6},                            \
        {"cw_r_labels", (DL_FUNC)&cw_r_labels, 9}, {"cw_r_labels_forecast", (DL_FUNC)&cw_r_labels_forecast, 1},        \
        {"cw_r_labels_sums", (DL_FUNC)&cw_r_labels_sums, 6},                                                           \
        {"cw_r_simulate", (DL_FUNC)&cw_r_simulate, 3}

/* ---- types of cells (r_celltype.c) ------------------------------------------------------------------------------- */
SEXP cw_r_logistic(SEXP block, SEXP view, SEXP label, SEXP weight, SEXP start, SEXP options, SEXP threads);
SEXP cw_r_cell_matrix(SEXP block, SEXP view, SEXP threads);
SEXP cw_r_cell_sums(SEXP block, SEXP view, SEXP group, SEXP groups, SEXP threads);
SEXP cw_r_cell_score(SEXP block, SEXP models, SEXP threads);
SEXP cw_r_cell_label(SEXP block, SEXP models, SEXP rule, SEXP types, SEXP threads);
SEXP cw_r_cell_novelty(SEXP block, SEXP model, SEXP threads);
SEXP cw_r_neighbour_means(SEXP point, SEXP landmark, SEXP value, SEXP k, SEXP threads);

#define CW_CELLTYPE_ENTRIES                                                                                            \
    {"cw_r_logistic", (DL_FUNC)&cw_r_logistic, 7}, {"cw_r_cell_matrix", (DL_FUNC)&cw_r_cell_matrix, 3},                \
        {"cw_r_cell_sums", (DL_FUNC)&cw_r_cell_sums, 5}, {"cw_r_cell_score", (DL_FUNC)&cw_r_cell_score, 3},        \
        {"cw_r_cell_label", (DL_FUNC)&cw_r_cell_label, 5}, {"cw_r_cell_novelty", (DL_FUNC)&cw_r_cell_novelty, 3},      \
        {"cw_r_neighbour_means", (DL_FUNC)&cw_r_neighbour_means, 5}

/* ---- neighbours and integration (r_neighbours.c) ----------------------------------------------------------------- */
SEXP cw_r_nearest(SEXP point, SEXP k, SEXP cosine, SEXP threads);
SEXP cw_r_neighbour_graph(SEXP index, SEXP distance, SEXP least, SEXP threads);
SEXP cw_r_modularity(SEXP ends, SEXP weight, SEXP group, SEXP resolution);
SEXP cw_r_overlap(SEXP counts);
SEXP cw_r_integration(SEXP input, SEXP labels, SEXP batches, SEXP threads);

#define CW_NEIGHBOUR_ENTRIES                                                                                           \
    {"cw_r_nearest", (DL_FUNC)&cw_r_nearest, 4}, {"cw_r_neighbour_graph", (DL_FUNC)&cw_r_neighbour_graph, 4},          \
        {"cw_r_modularity", (DL_FUNC)&cw_r_modularity, 4}, {"cw_r_overlap", (DL_FUNC)&cw_r_overlap, 1},                \
        {"cw_r_integration", (DL_FUNC)&cw_r_integration, 4}

/* ---- simulated chromatin and RNA (r_multiome.c) ----------------------------------------------------------------- */
SEXP cw_r_multiome(SEXP options, SEXP profiles, SEXP key, SEXP threads);

#define CW_MULTIOME_ENTRIES {"cw_r_multiome", (DL_FUNC)&cw_r_multiome, 4}

/* ---- chromatin-to-RNA delays (r_tau.c) ------------------------------------------------------------------------------- */
SEXP cw_r_tau_fit(SEXP atac, SEXP rna, SEXP links, SEXP embedding, SEXP names, SEXP order, SEXP options, SEXP key,
                  SEXP threads, SEXP loud);
SEXP cw_r_tau_readout(SEXP features, SEXP chromatin, SEXP rna, SEXP depth_a, SEXP depth_r, SEXP lambda, SEXP threads);
SEXP cw_r_tau_features(SEXP points, SEXP flow, SEXP grid, SEXP readout, SEXP threads);
SEXP cw_r_tau_posterior(SEXP deviance, SEXP grid, SEXP usable);
SEXP cw_r_tau_amortise(SEXP deviance, SEXP grid, SEXP usable, SEXP embedding, SEXP fresh);
SEXP cw_r_tau_project(SEXP projection, SEXP modality, SEXP which);
SEXP cw_r_tau_forecast(SEXP sizes, SEXP options);
SEXP cw_r_tau_settings(void);

#define CW_TAU_ENTRIES                                                                                                 \
    {"cw_r_tau_fit", (DL_FUNC)&cw_r_tau_fit, 10}, {"cw_r_tau_readout", (DL_FUNC)&cw_r_tau_readout, 7},                  \
        {"cw_r_tau_features", (DL_FUNC)&cw_r_tau_features, 5},                                                         \
        {"cw_r_tau_posterior", (DL_FUNC)&cw_r_tau_posterior, 3},                                                       \
        {"cw_r_tau_amortise", (DL_FUNC)&cw_r_tau_amortise, 5}, {"cw_r_tau_project", (DL_FUNC)&cw_r_tau_project, 3},    \
        {"cw_r_tau_forecast", (DL_FUNC)&cw_r_tau_forecast, 2}, {"cw_r_tau_settings", (DL_FUNC)&cw_r_tau_settings, 0}

/* ---- which genes, and the null of degrees (r_genes.c) ----------------------------------------------------------- */
SEXP cw_r_gene_sums(SEXP view);
SEXP cw_r_gene_excess(SEXP sums, SEXP total, SEXP threads);
SEXP cw_r_quality(SEXP view, SEXP group, SEXP sums, SEXP least);
SEXP cw_r_moments(SEXP view, SEXP by, SEXP take, SEXP moments, SEXP how);
SEXP cw_r_null_degrees(SEXP use, SEXP positive, SEXP tfs, SEXP threads);

#define CW_GENES_ENTRIES                                                                                               \
    {"cw_r_gene_sums", (DL_FUNC)&cw_r_gene_sums, 1}, {"cw_r_gene_excess", (DL_FUNC)&cw_r_gene_excess, 3},              \
        {"cw_r_null_degrees", (DL_FUNC)&cw_r_null_degrees, 4}, {"cw_r_quality", (DL_FUNC)&cw_r_quality, 4},            \
        {"cw_r_moments", (DL_FUNC)&cw_r_moments, 5}

/* ---- perturbations (r_pert.c) ----------------------------------------------------------------------------------- */
SEXP cw_r_effects_add(SEXP sums, SEXP groups, SEXP cells, SEXP centre, SEXP threads);
SEXP cw_r_effects_project(SEXP cells, SEXP centre, SEXP weight, SEXP threads);
SEXP cw_r_dense_product(SEXP a, SEXP b, SEXP how_, SEXP threads);
SEXP cw_r_dense_eigen(SEXP a);
SEXP cw_r_leading_eigen(SEXP a, SEXP count, SEXP key, SEXP threads);
SEXP cw_r_profiles_span(SEXP Y, SEXP own, SEXP train, SEXP weight, SEXP direct, SEXP threads);
SEXP cw_r_profiles_score(SEXP profiles, SEXP own, SEXP at, SEXP threads);
SEXP cw_r_pert_fit(SEXP data, SEXP train, SEXP threads);
SEXP cw_r_pert_predict(SEXP data, SEXP fit, SEXP train, SEXP test, SEXP threads);
SEXP cw_r_pert_folds(SEXP data, SEXP folds, SEXP perm, SEXP told, SEXP threads);
SEXP cw_r_gaussian_map(SEXP from, SEXP to, SEXP threads);
SEXP cw_r_response(SEXP predicted, SEXP treated, SEXP gamma, SEXP times_p, SEXP times_t);
SEXP cw_r_interaction(SEXP first, SEXP second, SEXP pair);
SEXP cw_r_screen(SEXP options, SEXP key, SEXP threads);
SEXP cw_r_published_split(SEXP gene, SEXP rank, SEXP genes, SEXP kind, SEXP seed);
SEXP cw_r_judge_order(SEXP condition, SEXP control);
SEXP cw_r_judge_profile(SEXP told, SEXP truth, SEXP control, SEXP sd, SEXP order, SEXP kept);

#define CW_PERT_ENTRIES                                                                                                \
    {"cw_r_effects_add", (DL_FUNC)&cw_r_effects_add, 5}, {"cw_r_effects_project", (DL_FUNC)&cw_r_effects_project, 4},  \
        {"cw_r_dense_product", (DL_FUNC)&cw_r_dense_product, 4}, {"cw_r_pert_fit", (DL_FUNC)&cw_r_pert_fit, 3},        \
        {"cw_r_dense_eigen", (DL_FUNC)&cw_r_dense_eigen, 1},                                                           \
        {"cw_r_pert_predict", (DL_FUNC)&cw_r_pert_predict, 5},                                                         \
        {"cw_r_leading_eigen", (DL_FUNC)&cw_r_leading_eigen, 4},                                                       \
        {"cw_r_profiles_span", (DL_FUNC)&cw_r_profiles_span, 6},                                                       \
        {"cw_r_profiles_score", (DL_FUNC)&cw_r_profiles_score, 4},                                                     \
        {"cw_r_pert_folds", (DL_FUNC)&cw_r_pert_folds, 5},                                                             \
        {"cw_r_interaction", (DL_FUNC)&cw_r_interaction, 3},                                                           \
        {"cw_r_gaussian_map", (DL_FUNC)&cw_r_gaussian_map, 3}, {"cw_r_screen", (DL_FUNC)&cw_r_screen, 3},      \
        {"cw_r_published_split", (DL_FUNC)&cw_r_published_split, 5},                                                   \
        {"cw_r_response", (DL_FUNC)&cw_r_response, 5},                                                                \
        {"cw_r_judge_order", (DL_FUNC)&cw_r_judge_order, 2}, {"cw_r_judge_profile", (DL_FUNC)&cw_r_judge_profile, 6}

/* ---- rankings, nulls, shifts (r_ranking.c) ---------------------------------------------------------------------- */
SEXP cw_r_rank_sort(SEXP score);
SEXP cw_r_rank_metrics(SEXP order, SEXP group, SEXP positive);
SEXP cw_r_classify_binary(SEXP score, SEXP truth);
SEXP cw_r_classify_classes(SEXP truth, SEXP told, SEXP classes);
SEXP cw_r_rank_by(SEXP order, SEXP group, SEXP positive, SEXP member, SEXP members);
SEXP cw_r_rank_bootstrap(SEXP order, SEXP group, SEXP positive, SEXP key, SEXP draws, SEXP threads);
SEXP cw_r_rank_random(SEXP n, SEXP positives, SEXP key, SEXP draws, SEXP threads);
SEXP cw_r_null_permute(SEXP x, SEXP group, SEXP groups, SEXP key, SEXP draw);
SEXP cw_r_null_shuffle(SEXP score, SEXP tf, SEXP by_tf, SEXP key, SEXP draw);
SEXP cw_r_null_rewire(SEXP tf, SEXP gene, SEXP tf_gene, SEXP genes, SEXP attempts, SEXP key, SEXP draw);
SEXP cw_r_null_above(SEXP observed, SEXP null, SEXP tf, SEXP threads);
SEXP cw_r_wasserstein(SEXP x, SEXP label, SEXP stratum, SEXP strata, SEXP options, SEXP key, SEXP threads);

#define CW_RANKING_ENTRIES                                                                                             \
    {"cw_r_classify_binary", (DL_FUNC)&cw_r_classify_binary, 2},                                                      \
        {"cw_r_classify_classes", (DL_FUNC)&cw_r_classify_classes, 3},                                                \
        {"cw_r_rank_sort", (DL_FUNC)&cw_r_rank_sort, 1}, {"cw_r_rank_metrics", (DL_FUNC)&cw_r_rank_metrics, 3},            \
        {"cw_r_rank_by", (DL_FUNC)&cw_r_rank_by, 5}, {"cw_r_rank_bootstrap", (DL_FUNC)&cw_r_rank_bootstrap, 6},        \
        {"cw_r_rank_random", (DL_FUNC)&cw_r_rank_random, 5}, {"cw_r_null_permute", (DL_FUNC)&cw_r_null_permute, 5},    \
        {"cw_r_null_shuffle", (DL_FUNC)&cw_r_null_shuffle, 5}, {"cw_r_null_rewire", (DL_FUNC)&cw_r_null_rewire, 7},    \
        {"cw_r_null_above", (DL_FUNC)&cw_r_null_above, 4}, {"cw_r_wasserstein", (DL_FUNC)&cw_r_wasserstein, 7}

#endif
