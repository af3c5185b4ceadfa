## Encoders small enough for tests: random weights, and the golden ones.

tinyScGPT <- function(x = exampleCells(nCells = 30, nGenes = 40), ...,
    seed = 3) {
    newModel(ScGPTParam(embedDim = 16, layers = 2, heads = 4, hiddenDim = 24,
        ...
    ), x, seed = seed, threads = 1)
}

tinyHyena <- function(..., longest = 100) {
    newModel(HyenaParam(embedDim = 8, layers = 2, longest = longest, ...),
        seed = 5, threads = 1
    )
}

## A published folder of a golden case; args and vocabulary can be changed.
scgptFolder <- function(case = "scgpt_a", args = identity, vocab = identity) {
    from <- fixture(case)
    config <- jsonlite::fromJSON(file.path(from, "config.json"))
    dir <- tempfile("scgpt-")
    dir.create(dir)
    genes <- paste0("G", seq_len(config$ntoken) - 1L)
    genes[c(config$pad_token_id, config$cls_token_id) + 1L] <-
        c("<pad>", "<cls>")
    keep <- c("embsize", "nheads", "d_hid", "nlayers", "n_layers_cls",
        "dropout", "pad_token", "pad_value", "mask_value", "n_bins",
        "input_emb_style", "cell_emb_style", "mvc_decoder_style"
    )
    jsonlite::write_json(args(config[keep]), file.path(dir, "args.json"),
        auto_unbox = TRUE, digits = NA
    )
    jsonlite::write_json(vocab(setNames(as.list(seq_along(genes) - 1L),
        genes
    )), file.path(dir, "vocab.json"), auto_unbox = TRUE)
    file.copy(file.path(from, "model.safetensors"), dir)
    dir
}

hyenaFolder <- function(case = "hyena_o3") {
    from <- fixture(case)
    dir <- tempfile("hyena-")
    dir.create(dir)
    file.copy(file.path(from, c("config.json", "model.safetensors")), dir)
    dir
}

## A tensor of a golden case, with its R dimensions (row-major order undone).
## What "states" gives of golden input, cells x slots x width.
goldenStates <- function(model, input, ...) {
    whole <- function(x) {
        x <- t(x)
        storage.mode(x) <- "integer"
        x
    }
    for (name in intersect(names(input), c("src", "padding", "gene"))) {
        input[[name]] <- whole(input[[name]])
    }
    aperm(causeway:::.engineRun(model, "states", input, list(...))$state, 3:1)
}

## Of any encoder of cells: states of genes are a cell's own, whatever it comes
## with; a gene that it wasn't read as has the mean over those that were.
expectStates <- function(x, model, width) {
    of <- function(x, ...) embedGenes(x, model, perCell = TRUE,
        verbose = FALSE, ...)
    all <- of(x)
    n <- c(ncol(x), sum(Matrix::rowSums(SummarizedExperiment::assay(x)) > 0))
    testthat::expect_identical(dim(all), c(n, as.integer(width)))
    testthat::expect_identical(dimnames(all)[[1L]], colnames(x))
    testthat::expect_false(anyNA(all))
    counted <- t(as.matrix(SummarizedExperiment::assay(x)) > 0)
    counted <- counted[, dimnames(all)[[2L]]]
    testthat::expect_identical(attr(all, "read"), colSums(counted) |>
        vapply(as.integer, 0L))
    some <- which(colSums(counted) < nrow(counted))[[1L]]
    testthat::expect_equal(all[which(!counted[, some])[[1L]], some, ],
        colMeans(all[counted[, some], some, , drop = TRUE]), tolerance = 1e-6)
    part <- of(x[, 4:6])
    genes <- dimnames(part)[[2L]]
    both <- counted[4:6, genes]
    testthat::expect_equal(part[both], (all[4:6, genes, ])[both],
        tolerance = 1e-4)
    testthat::expect_equal(of(x, batchSize = 3), all, tolerance = 1e-4)
    testthat::expect_error(of(rownames(x)), "'x' must be cells")
    testthat::expect_error(embedGenes(x, model, perCell = NA), "'perCell'")
    withr::local_options(causeway.memoryLimit = 8 * prod(dim(all)))
    testthat::expect_error(of(x), "not enough memory")
    invisible(all)
}

goldenTensor <- function(case, name) {
    x <- readTensors(file.path(fixture(case), "case.safetensors"))[[name]]
    shape <- attr(x, "dim_rm")
    x <- as.vector(x)
    if (length(shape) > 1L) aperm(array(x, rev(shape))) else x
}

tinyCellFM <- function(x = exampleCells(nCells = 30, nGenes = 40), ...,
    seed = 3) {
    newModel(CellFMParam(embedDim = 16, layers = 2, heads = 4, valueDim = 12,
        ...
    ), x, seed = seed, threads = 1)
}

## A published folder of a golden case: weights under the port's names, the
## table of genes. config: what a config.json says, NULL: there is none.
cellfmFolder <- function(case = "cellfm_pt_a", config = identity) {
    from <- fixture(case)
    said <- jsonlite::fromJSON(file.path(from, "config.json"))
    dir <- tempfile("cellfm-")
    dir.create(dir)
    genes <- paste0("G", seq_len(said$n_genes))
    write.csv(data.frame(name = genes, row.names = genes),
        file.path(dir, "gene_info.csv")
    )
    if (!is.null(config)) {
        jsonlite::write_json(config(said), file.path(dir, "config.json"),
            auto_unbox = TRUE, digits = NA
        )
    }
    file.copy(file.path(from, "model.safetensors"), dir)
    dir
}

## A MindSpore checkpoint of named tensors (a protobuf: tag, dims, type, bytes),
## with what only training needs among them.
writeMindSpore <- function(file, tensors) {
    varint <- function(n) {
        out <- raw()
        repeat {
            low <- n %% 128
            n <- n %/% 128
            out <- c(out, as.raw(low + 128 * (n > 0)))
            if (n == 0) {
                return(out)
            }
        }
    }
    field <- function(number, bytes) {
        c(varint(8 * number + 2), varint(length(bytes)), bytes)
    }
    value <- function(name, x) {
        shape <- attr(x, "dim_rm")
        dims <- unlist(lapply(shape, function(n) c(varint(8), varint(n))))
        tensor <- c(as.raw(dims), field(2, charToRaw("Float32")),
            field(3, writeBin(as.numeric(x), raw(), size = 4))
        )
        field(1, c(field(1, charToRaw(name)), field(2, tensor)))
    }
    tensors[["moment1.cls_token"]] <- tensors[["cls_token"]]
    writeBin(unlist(Map(value, names(tensors), tensors), use.names = FALSE),
        file
    )
}

tinyKCellFM <- function(x = exampleCells(nCells = 30, nGenes = 40), ...,
    seed = 3) {
    newModel(KCellFMParam(embedDim = 16, layers = 2, stateDim = 6,
        headDim = 8, ...
    ), x, seed = seed, threads = 1)
}

## A published folder of a golden case. Without a config.json all is told from
## the weights but the strategy and the cell's vector.
kcellfmFolder <- function(case = "kcfm_b", config = TRUE) {
    from <- fixture(case)
    said <- jsonlite::fromJSON(file.path(from, "config.json"))
    dir <- tempfile("kcellfm-")
    dir.create(dir)
    genes <- paste0("G", seq_len(said$ntoken) - 1L)
    genes[said$pad_token_id + 1L] <- "<pad>"
    cls <- said$cls_token_id
    genes[if (is.null(cls)) 29L else cls + 1L] <- "<cls>"
    jsonlite::write_json(setNames(as.list(seq_along(genes) - 1L), genes),
        file.path(dir, "vocab.json"), auto_unbox = TRUE
    )
    if (config) {
        file.copy(file.path(from, "config.json"), dir)
    }
    file.copy(file.path(from, "model.safetensors"), dir)
    dir
}
