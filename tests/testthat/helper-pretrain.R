## A folder with a package, two files of cells and a configuration.
pretrainFolder <- function(folder = tempfile("pretrain"), ...) {
    dir.create(folder)
    x <- exampleCells(nCells = 40, nGenes = 31)
    x$tissue <- rep(c("lung", "heart"), 20)
    writeH5AD(x[, 1:22], file.path(folder, "a.h5ad"), verbose = FALSE)
    writeH5AD(x[, 23:40], file.path(folder, "b.h5ad"), verbose = FALSE)
    model <- newModel(tinyParam(), x, seed = 7, threads = 1)
    saveModel(model, file.path(folder, "assets"))
    write.csv(data.frame(
        Gene1 = rownames(x)[c(1, 2)], Gene2 = rownames(x)[c(5, 9)]
    ), file.path(folder, "assets", "resources", "OmniPath.csv"),
    row.names = FALSE)
    writeLines(pretrainConfig(...), file.path(folder, "c.yaml"))
    folder
}

pretrainConfig <- function(lr = "0.001", epochs = 2, extra = NULL) {
    c("model_source: assets", "runtime:", "  fsdp: {enabled: true}",
        "data:", "  train_paths: [a.h5ad, b.h5ad]",
        "  shuffle_train_paths: true", "  shuffle_train_paths_seed: 42",
        "  batch_size: 5", "  gradient_accumulation_steps: 2",
        "  max_length: 40", "  tissue_key: tissue",
        "  condition_vocab:", "    regenerate: True",
        "  condition_mask: {enabled: true, unk_ratio: 0.1}",
        "  preprocess:", "    enabled: true", "    min_genes: 0",
        "    n_top_genes: 20", "optimizer:", paste0("  lr: ", lr),
        "  betas: [0.9, 0.95]", "  weight_decay: 0.05", "scheduler:",
        "  name: cosine_with_warmup", "  min_lr_ratio: 0.1", "loss:",
        "  prior:", "    enabled: true", "  dag:", "    enabled: true",
        "  sparsity:", "    enabled: true", "trainer:",
        paste0("  epochs: ", epochs), "  grad_clip_norm: 1.0",
        "  checkpoint_frequency: adata", extra
    )
}
