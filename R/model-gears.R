## GEARS: its settings, the model, its folder.

#' Settings of GEARS
#'
#' How [trainModel()] trains GEARS on a screen, and [evaluatePerturbationModel()]
#' on the perturbations that a split leaves it. Defaults are the published ones
#' where no other is given.
#'
#' @details
#' In independent comparisons, and in ours, GEARS does not beat the mean of the
#' measured perturbations or a linear model on genes that were not perturbed.
#' [evaluatePerturbationModel()] says how it does on your screen, beside these.
#' Its skill counts errors in units of each gene's standard deviation in control
#' cells, while GEARS learns log values, so genes that hardly vary weigh against
#' it; table `published` of `splits = "gears"` has errors of log values.
#'
#' @param hiddenSize width of all embeddings.
#' @param geneLayers,goLayers convolutions on the graph of co-expression, on
#'   that of shared terms.
#' @param uncertainty learn a log variance for every gene, too?
#' @param uncertaintyReg weight of the loss that this variance divides.
#' @param directionWeight weight of genes predicted to change the wrong way. It
#'   shows in the loss; as published it has no gradient.
#' @param threshold least absolute correlation (in control cells and single
#'   perturbations) that links two genes.
#' @param overlap least share of terms (Jaccard) that links two perturbations.
#' @param neighbours most links of a gene in either graph.
#' @param everyCell the graph of co-expression informs every cell; published
#'   (FALSE): the first of each batch only, so a prediction depends on its place.
#' @param epochs,batchSize,lr,weightDecay of Adam.
#' @param decay factor of the rate after every epoch; as published a half, so
#'   that all epochs after the first move the weights as far as one more.
#' @param clipValue largest magnitude of a gradient.
#' @param valid share of the training perturbations that choose the best epoch,
#'   by the error on the 20 genes that differ most; 0: the last one is taken.
#' @param maxCells most cells of a perturbation, and of the control, that are
#'   trained on; published: Inf.
#' @param geneEmbedding NULL, or what stands in place of learnt gene vectors and
#'   of the graph of co-expression: a matrix with genes as rows, as [embedGenes()]
#'   gives; a model that it takes (scGPT, CellFM, KCellFM), whose gene vectors
#'   are read; or, as CellFM and KCellFM publish it, vectors of the genes in
#'   every control cell, an array control cells x genes x width with names of
#'   cells and genes, of all or of some of the control cells, which
#'   `embedGenes(x, model, perCell = TRUE)` gives. Genes that it lacks get its
#'   mean.
#' @param object a `GEARSParam`.
#' @return An object of class `GEARSParam`.
#' @section Errors: a value out of range; an embedding that is no matrix.
#' @references Roohani, Huang & Leskovec (2024) Nature Biotechnology 42, 927;
#'   Ahlmann-Eltze, Huber & Anders (2025) Nature Methods.
#' @seealso [GEARSModel-class], [evaluatePerturbationModel()]
#' @examples
#' GEARSParam(hiddenSize = 16, epochs = 2)
#' ## with the states of genes in control cells, by a model such as
#' ## loadModel("CellFM_80M/")
#' x <- simulatePerturbations(nPathways = 2, nTargets = 20, nPairs = 0,
#'     cells = c(15, 25), nControl = 60, seed = 1
#' )
#' other <- newModel(CellFMParam(embedDim = 16, layers = 1, heads = 2,
#'     valueDim = 8), rownames(x), seed = 1)
#' states <- embedGenes(x[, x$perturbation == "control"], other, perCell = TRUE,
#'     verbose = FALSE
#' )
#' dim(states)
#' trainModel(x, GEARSParam(hiddenSize = 8, epochs = 1, geneEmbedding = states),
#'     "perturbation", go = S4Vectors::metadata(x)$go, seed = 1, verbose = FALSE
#' )
#' @export
GEARSParam <- function(hiddenSize = 64, geneLayers = 1, goLayers = 1,
    uncertainty = FALSE, uncertaintyReg = 1, directionWeight = 0.1,
    threshold = 0.4, overlap = 0.1, neighbours = 20, everyCell = TRUE,
    epochs = 20, batchSize = 32, lr = 1e-3, decay = 0.5, weightDecay = 5e-4,
    clipValue = 1, valid = 0.1, maxCells = 200, geneEmbedding = NULL) {
    given <- list(hiddenSize = hiddenSize, geneLayers = geneLayers,
        goLayers = goLayers, uncertainty = uncertainty, everyCell = everyCell,
        uncertaintyReg = uncertaintyReg, directionWeight = directionWeight,
        lr = lr, weightDecay = weightDecay, clipValue = clipValue
    )
    table <- rbind(.engineSettings("gears"),
        .engineSettings("gears", "task", "train"),
        .engineSettings("gears", "optimizer"))
    s <- .checkSettings(given, table[table$argument %in% names(given), ])
    s$threshold <- .checkNumber(threshold, "threshold", 0, 1)
    s$overlap <- .checkNumber(overlap, "overlap", 0, 1)
    s$neighbours <- .checkNumber(neighbours, "neighbours", 1, 1e4, TRUE)
    s$epochs <- .checkNumber(epochs, "epochs", 1, 1e4, TRUE)
    s$batchSize <- .checkNumber(batchSize, "batchSize", 2, 65536, TRUE)
    s$decay <- .checkNumber(decay, "decay", 0, 1, open = TRUE)
    s$valid <- .checkNumber(valid, "valid", 0, 0.9)
    s$maxCells <- if (identical(maxCells, Inf)) Inf else
        .checkNumber(maxCells, "maxCells", 2, whole = TRUE)
    s["geneEmbedding"] <- list(.otherVectors(geneEmbedding))
    new("GEARSParam", settings = s)
}

## What may be given as geneEmbedding.
.otherVectors <- function(x) {
    if (is.null(x)) {
        return(NULL)
    }
    if (methods::is(x, "FoundationModel")) {
        .alive(x)
        if (!methods::existsMethod("embedGenes", c("ANY", class(x)))) {
            .stopArgument("geneEmbedding", "is a ", class(x)[[1L]], ", which ",
                "has no gene vectors; a model of scGPT, CellFM or KCellFM has.")
        }
        return(x)
    }
    if (!is.array(x) || length(dim(x)) != 3L) {
        return(.sideEmbedding(x, "geneEmbedding"))
    }
    names <- dimnames(x)
    if (!is.numeric(x) || is.null(names[[1L]]) || is.null(names[[2L]]) ||
        anyDuplicated(names[[1L]]) || any(dim(x) < 1L) || anyNA(x) ||
        any(is.infinite(range(x)))) {
        .stopArgument("geneEmbedding", "must have finite numbers, control ",
            "cells x genes x width, with the names of the cells and of the ",
            "genes, each cell once.")
    }
    x
}

#' @rdname GEARSParam
#' @name GEARSParam-class
#' @exportClass GEARSParam
setClass("GEARSParam", contains = "CausewayParam")

#' @rdname GEARSParam
#' @export
setMethod("show", "GEARSParam", function(object) {
    s <- object@settings
    cat("GEARSParam: width ", s$hiddenSize, ", ", s$epochs, " epochs",
        if (s$uncertainty) ", uncertainty",
        if (methods::is(s$geneEmbedding, "FoundationModel")) {
            paste0(", embeddings of a ", class(s$geneEmbedding)[[1L]])
        } else if (is.matrix(s$geneEmbedding)) {
            paste0(", embeddings of ", .count(nrow(s$geneEmbedding), "gene"))
        } else if (!is.null(s$geneEmbedding)) {
            paste0(", embeddings of ", .count(ncol(s$geneEmbedding), "gene"),
                " in ", .count(nrow(s$geneEmbedding), "control cell"))
        },
        "\n", sep = "")
})

#' GEARS
#'
#' GEARS (Roohani, Huang & Leskovec 2024) tells how expression changes when
#' genes are perturbed: genes are informed by co-expression, perturbations by
#' shared terms, and a decoder of each gene's own tells its change.
#' [trainModel()] with [GEARSParam()] trains it on a screen,
#' [predictPerturbation()] asks it.
#'
#' @section The folder: [saveModel()] writes `config.json`, the graphs
#'   (`coexpression.csv`, `go.csv`: `target` and `source` counted from 0,
#'   `weight`) and `model.safetensors`; of a model of other vectors these too
#'   (`embedding.csv`; of control cells' own `control.safetensors` and
#'   `vectors.safetensors`, of 64 cells at most). A published checkpoint (`model.pt`, and
#'   `config.pkl` with the graphs; nothing in either is run) names neither genes
#'   nor perturbations: put `genes.txt` and `perturbations.txt` beside it, a
#'   name per line in the order of its tables. Without a graph predictions are
#'   made with none, and [modelReport()] says so.
#'
#' @param object a model.
#' @return `show()` prints and returns nothing.
#' @section Errors: a folder without the names, or with other numbers of them
#'   than the weights have; a graph of other genes.
#' @references Roohani, Huang & Leskovec (2024) Nature Biotechnology 42, 927
#'   (snap-stanford/GEARS).
#' @seealso [GEARSParam()], [trainModel()], [predictPerturbation()]
#' @examples
#' ## see GEARSParam() and trainModel()
#' methods::slotNames("GEARSModel")
#' @name GEARSModel-class
#' @aliases GEARSModel
#' @exportClass GEARSModel
setClass("GEARSModel", contains = "FoundationModel")

#' @rdname GEARSModel-class
#' @export
setMethod("show", "GEARSModel", function(object) {
    s <- object@state
    .encoderShow(object, "GEARS", c(
        paste0("genes: ", length(s$readouts), ", perturbations: ",
            length(s$vocab), " (", length(s$screen$perts), " measured)"),
        paste0("links: ", nrow(s$coexpression), " of co-expression, ",
            nrow(s$go), " of terms"),
        if (object@config$uncertainty) "with uncertainty",
        if (object@config$external_embedding > 0)
            "with another model's gene embeddings"
    ), "predictPerturbation(model, c(\"A\", \"A+B\")), saveModel(model, dir)")
})

#' @rdname trainingHistory
#' @export
setMethod("trainingHistory", "GEARSModel", function(model, ...) {
    .noDots(...)
    model@state$history
})

## config: as the engine calls settings. g: list(readouts, vocab, coexpression,
## go: data.frames target, source, weight; reference; embedding; screen).
.gearsModel <- function(config, g, key, threads) {
    model <- .encoderModel("GEARSModel", "gears", config, key, threads,
        "GEARS")
    for (name in c("readouts", "vocab", "coexpression", "go", "reference",
        "embedding", "own", "screen", "meanDelta")) {
        assign(name, g[[name]], envir = model@state)
    }
    ends <- function(t) matrix(as.integer(rbind(t$target, t$source)), 2L)
    .engineBind(model, c(list(reference = as.numeric(g$reference)),
        if (!is.null(g$embedding)) {
            list(geneEmbedding = t(g$embedding))
        } else if (is.null(g$own)) {
            list(coexpression = ends(g$coexpression),
                coexpressionWeight = as.numeric(g$coexpression$weight))
        },
        list(go = ends(g$go), goWeight = as.numeric(g$go$weight))
    ))
    model
}

## ---- folder ----------------------------------------------------------------

.gearsFiles <- c("config.json", "coexpression.csv", "go.csv",
    "embedding.csv", "control.safetensors", "vectors.safetensors",
    "model.safetensors")

#' @rdname saveModel
#' @export
setMethod("saveModel", "GEARSModel", function(model, dir, overwrite = FALSE,
    ...) {
    .noDots(...)
    .alive(model)
    target <- .encoderFolder(dir, overwrite, .gearsFiles)
    .writeFolder(target, function(part) {
        s <- model@state
        plain <- c(list(model_type = "gears"), model@config, list(
            genes = s$readouts, perturbations = s$vocab,
            reference = s$reference, meanDelta = s$meanDelta,
            screen = list(names = as.list(s$screen$names),
                perts = as.list(vapply(s$screen$perts, paste, "",
                    collapse = "+", USE.NAMES = FALSE)),
                sd = s$screen$sd, control = as.list(s$screen$control),
                known = as.list(s$screen$known))
        ))
        .writeLines(as.character(.configJson(plain)),
            file.path(part, "config.json"))
        for (graph in c("coexpression", "go")) {
            .writeCsv(s[[graph]], file.path(part, paste0(graph, ".csv")))
        }
        if (!is.null(s$embedding)) {
            .writeCsv(as.data.frame(s$embedding),
                file.path(part, "embedding.csv"))
        }
        if (!is.null(s$own)) {
            .writeSafetensor(file.path(part, "control.safetensors"), "values",
                s$own$values)
            .writeSafetensor(file.path(part, "vectors.safetensors"), "vectors",
                s$own$vectors)
        }
        .engineSave(model, file.path(part, "model.safetensors"))
    })
    invisible(dir)
})

.isGEARS <- function(path) {
    config <- file.path(path, "config.json")
    if (file.exists(config)) {
        return(identical(.readJson(config, FALSE)$model_type, "gears"))
    }
    weights <- .firstFile(path, c("model.safetensors", "model.pt"))
    !is.na(weights) && any(grepl("(^|\\.)indv_w1$", tryCatch(
        .checkpointTensors(weights)$name, error = function(e) "")))
}

.loadGEARS <- function(path, threads, strict, verbose) {
    file <- .encoderWeights(path, "model.pt")
    shapes <- .checkpointShapes(file)
    names(shapes) <- sub("^module\\.", "", names(shapes))
    said <- file.path(path, "config.json")
    said <- if (file.exists(said)) .readJson(said) else list()
    size <- function(name, at) shapes[[name]][[at]]
    lost <- setdiff(c("gene_emb.weight", "pert_emb.weight",
        "emb_trans_v2.network.0.weight"), names(shapes))
    if (length(lost)) {
        stop("'", file, "' has no ", .some(lost), ": not GEARS's weights.",
            call. = FALSE)
    }
    layers <- function(pattern) sum(grepl(pattern, names(shapes)))
    width <- size("gene_emb.weight", 2L)
    from <- size("emb_trans_v2.network.0.weight", 2L)
    config <- list(num_genes = size("gene_emb.weight", 1L),
        num_perts = size("pert_emb.weight", 1L), hidden_size = width,
        num_go_gnn_layers = layers("^sim_layers\\.[0-9]+\\.lin\\.weight$"),
        num_gene_gnn_layers = layers("^layers_emb_pos\\.[0-9]+\\.lin\\.weight$"),
        external_embedding = if (layers("^cell_fitness_mlp") > 0) from else 0L,
        uncertainty = layers("^uncertainty_w") > 0,
        no_perturb = FALSE,
        every_cell = isTRUE(said$every_cell)
    )
    g <- .gearsFolder(path, config, said)
    model <- .gearsModel(config, g, .newKey(0), threads)
    .finishEncoder(model, file, path, g$notes, "emb|indv|recovery|cross",
        strict, verbose)
}

.gearsFolder <- function(path, config, said) {
    notes <- character()
    names <- function(what, given, n) {
        file <- file.path(path, paste0(what, ".txt"))
        if (is.null(given) && !file.exists(file)) {
            .stopArgument("path", "is \"", path, "\", which doesn't name the ",
                "model's ", what, "; put ", what, ".txt there, ", n,
                " names in the order of the weights, a line each."
            )
        }
        x <- if (is.null(given)) trimws(readLines(file, warn = FALSE)) else
            as.character(given)
        x <- x[nzchar(x)]
        if (length(x) != n || anyDuplicated(x)) {
            .stopArgument("path", "is \"", path, "\", whose ", what, " are ",
                length(x), ", and not ", n, " different names as the weights ",
                "have it.")
        }
        x
    }
    kept <- .publishedGraphs(file.path(path, "config.pkl"))
    graph <- function(name, nodes) {
        file <- file.path(path, paste0(name, ".csv"))
        if (!file.exists(file) && is.null(kept[[name]])) {
            notes <<- c(notes, paste0("no ", name, ".csv: predictions are ",
                "made without that graph"))
            return(.noLinks())
        }
        t <- if (file.exists(file)) utils::read.csv(file) else kept[[name]]
        if (!all(c("target", "source", "weight") %in% base::names(t)) ||
            any(c(t$target, t$source) < 0 | c(t$target, t$source) >= nodes)) {
            .stopArgument("path", "is \"", path, "\", whose ", name, ".csv ",
                "(or graph in config.pkl) must have columns target, source (0 to ", nodes - 1L,
                ") and weight.")
        }
        t
    }
    G <- config$num_genes
    embedding <- file.path(path, "embedding.csv")
    own <- .gearsOwn(path, config)
    if (config$external_embedding > 0 && is.null(own) &&
        !file.exists(embedding)) {
        .stopArgument("path", "is \"", path, "\", a model of another model's ",
            "gene embeddings without embedding.csv (or control.safetensors ",
            "and vectors.safetensors), which has them.")
    }
    screen <- said$screen
    readouts <- names("genes", said$genes, G)
    list(readouts = readouts,
        vocab = toupper(names("perturbations", said$perturbations,
            config$num_perts)),
        coexpression = graph("coexpression", G),
        go = graph("go", config$num_perts),
        reference = if (is.null(said$reference)) numeric(G) else said$reference,
        meanDelta = if (is.null(said$meanDelta)) numeric(G) else said$meanDelta,
        embedding = if (file.exists(embedding))
            as.matrix(utils::read.csv(embedding)), own = own,
        screen = list(names = as.character(unlist(screen$names)),
            perts = stats::setNames(strsplit(as.character(unlist(
                screen$perts)), "+", fixed = TRUE),
                as.character(unlist(screen$names))),
            sd = if (is.null(screen$sd)) rep(1, G) else screen$sd,
            control = as.character(unlist(screen$control)),
            known = as.character(unlist(screen$known))),
        notes = notes
    )
}

## Control cells with embeddings of their own, or NULL.
.gearsOwn <- function(path, config) {
    file <- file.path(path, c("control.safetensors", "vectors.safetensors"))
    if (!all(file.exists(file))) {
        return(NULL)
    }
    read <- function(file, name) {
        t <- .readSafetensor(file, name)
        .fromRowMajor(t$values, as.integer(unlist(t$shape)))
    }
    own <- list(values = read(file[[1L]], "values"),
        vectors = read(file[[2L]], "vectors"))
    if (!identical(dim(own$vectors), c(as.integer(config$external_embedding),
        dim(own$values))) || nrow(own$values) != config$num_genes) {
        .stopArgument("path", "is \"", path, "\", whose ",
            "vectors.safetensors are of another shape than its weights want.")
    }
    own
}

## The graphs of a published config.pkl, or NULL.
.publishedGraphs <- function(file) {
    if (!file.exists(file)) {
        return(NULL)
    }
    plain <- tempfile("gears-", fileext = ".safetensors")
    on.exit(.removeFile(plain))
    convertCheckpoint(file, plain, verbose = FALSE)
    values <- function(name) .readSafetensor(plain, name)$values
    found <- names(.safetensorsHeader(plain))
    one <- function(name) {
        ends <- values(name)
        weight <- values(paste0(name, "_weight"))
        n <- length(weight)
        if (length(ends) != 2L * n || !n) {
            return(NULL)
        }
        data.frame(target = ends[n + seq_len(n)], source = ends[seq_len(n)],
            weight = weight)
    }
    there <- function(name) {
        if (all(paste0(name, c("", "_weight")) %in% found)) one(name)
    }
    list(coexpression = there("G_coexpress"), go = there("G_go"))
}

.noLinks <- function() {
    data.frame(target = integer(), source = integer(), weight = numeric())
}
