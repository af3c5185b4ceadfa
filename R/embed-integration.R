## How well embeddings keep cell types together and batches mixed.

#' Metrics of batch integration
#'
#' Scores embeddings of the same cells as scIB does: do types stay together,
#' are batches mixed? Beside them stand principal components without any
#' integration, and the same components given to the wrong cells: perfect
#' mixing, no biology. The verdict is whether the best embedding is better than
#' doing nothing.
#'
#' @details
#' `nmi`, `ari`: of the best of ten Leiden clusterings (resolutions 0.2 to 2,
#' on UMAP's graph of 15 neighbours) with the labels. `aswLabel`, `aswBatch`:
#' silhouettes, scaled to 0 to 1. `connectivity`: of each label in the
#' neighbour graph. `isolatedAsw`, `isolatedF1`: for labels found in the fewest
#' batches; `NA` where all are in all. `pcr`: variance explained by batch,
#' relative to the expression values (over all components). `ilisi`, `clisi`: inverse Simpson
#' index of batches and labels among `k` neighbours, scaled. `kbet`: share of cells whose
#' neighbours have the batches of all cells (chi-squared, p >= .05). `avgBio`: mean
#' of `nmi`, `ari`, `aswLabel`; `overall`: 0.6 x mean of `nmi`, `ari`,
#' `aswLabel`, `isolatedAsw`, `clisi` + 0.4 x mean of `aswBatch`,
#' `connectivity`, `pcr`, `ilisi`. All are higher when better.
#'
#' @inheritParams cellInput
#' @param x cells with embeddings as reduced dimensions, see [cellInput].
#' @param labels,batch column of the cell data, or a value per cell.
#' @param embeddings names of reduced dimensions, or a named list of matrices
#'   (cells x dimensions); `NULL`: all of `x` with three dimensions or more.
#' @param nGenes most variable genes for the principal components.
#' @param maxCells above this many cells, as many are drawn: time goes with
#'   their square.
#' @param k neighbours of `ilisi`, `clisi` and `kbet`, the cell itself included.
#' @param nSub random halves of the cells on which all are compared.
#' @param seed whole number for random choices; `NULL`: R's generator.
#' @param threads,verbose as everywhere.
#' @return A [CausewayReport-class] of class `IntegrationReport`. Tables:
#'   `"metrics"` (a row per embedding; `difference`, `low`, `high`: `overall`
#'   less that of the components, its mean and 95% range over the halves),
#'   `"labels"` (cells, batches, `aswBatch` by label and embedding). `plot()`
#'   draws the metrics.
#' @section Errors: one batch or one label; labels that are batches (every
#'   label in one batch only: nothing can be told); embeddings with other
#'   cells, `NA` or infinite values.
#' @references Luecken et al. (2022) Nature Methods 19, 41; Korsunsky et al.
#'   (2019) Nature Methods 16, 1289 (LISI); Buettner et al. (2019) Nature
#'   Methods 16, 43 (kBET).
#' @seealso [embedCells()], [evaluateAnnotation()]
#' @examples
#' cells <- exampleCells(90)
#' cells$batch <- rep(c("a", "b"), 45)
#' pca <- prcomp(t(log1p(SummarizedExperiment::assay(cells))))$x[, 1:5]
#' integrationMetrics(cells, "group", "batch", list(mine = pca), nSub = 3,
#'     seed = 1
#' )
#' @export
integrationMetrics <- function(x, labels = "cell_type", batch = "batch",
    embeddings = NULL, nGenes = 1000, maxCells = 3000, k = 90, nSub = 10,
    assay.type = NULL, assay = NULL, symbols = NULL,
    alreadyNormalised = NULL, seed = NULL, threads = NULL, verbose = TRUE) {
    o <- list(k = .checkNumber(k, "k", 4, 10000, whole = TRUE),
        nSub = .checkNumber(nSub, "nSub", 2, 1000, whole = TRUE),
        nGenes = .checkNumber(nGenes, "nGenes", 2, 1e5, whole = TRUE),
        maxCells = .checkNumber(maxCells, "maxCells", 20, 1e5, whole = TRUE),
        key = .newKey(seed), seed = seed, threads = .threads(threads))
    input <- .typeCells(x, .inputArgs(assay.type = assay.type, assay = assay,
        symbols = symbols, alreadyNormalised = alreadyNormalised), "x", verbose)
    label <- .typeColumn(input, labels, "labels")
    group <- .typeColumn(input, batch, "batch")
    maps <- .integrationMaps(input, embeddings)
    cells <- .integrationCells(label, group, o)
    label <- label[cells]
    group <- group[cells]
    .checkIntegration(label, group)
    values <- .integrationValues(input, cells, o$nGenes)
    maps <- lapply(maps, function(m) m[cells, , drop = FALSE])
    maps$unintegrated <- .pcaOf(values)
    wrong <- .shuffled(length(cells), o$key, 3)
    maps$shuffled <- maps$unintegrated[wrong, , drop = FALSE]
    .integrationReport(maps, label, group, values, o, verbose)
}

#' @rdname integrationMetrics
#' @exportClass IntegrationReport
setClass("IntegrationReport", contains = "CausewayReport")

.integrationBaselines <- c("unintegrated", "shuffled")

## Matrices of the cells' embeddings; `baselines`: names that are taken.
.integrationMaps <- function(input, embeddings,
    baselines = .integrationBaselines) {
    known <- names(input$reductions)
    few <- is.null(embeddings)
    if (few) embeddings <- known
    if (is.matrix(embeddings)) embeddings <- list(embedding = embeddings)
    if (is.list(embeddings)) {
        if (is.null(names(embeddings)) || anyDuplicated(names(embeddings))) {
            .stopArgument("embeddings", "must have a name of its own for each ",
                "matrix."
            )
        }
        maps <- embeddings
    } else {
        if (length(known)) {
            embeddings <- .someOf(embeddings, known, "embeddings")
        } else {
            embeddings <- character()
        }
        maps <- lapply(stats::setNames(nm = embeddings), function(n) {
            input$reductions[[n]]()
        })
    }
    if (few) maps <- Filter(function(m) ncol(m) > 2L, maps)
    if (!length(maps)) {
        .stopArgument("embeddings", "has none: 'x' holds no reduced dimension ",
            "with three dimensions or more. See embedCells()."
        )
    }
    taken <- intersect(names(maps), baselines)
    if (length(taken)) {
        .stopArgument("embeddings", "has \"", taken[[1L]], "\", which is the ",
            "name of a baseline; give it another."
        )
    }
    lapply(stats::setNames(nm = names(maps)), function(n) {
        .checkMap(maps[[n]], n, ncol(input$matrix))
    })
}

.checkMap <- function(m, name, cells) {
    m <- as.matrix(m)
    if (!is.numeric(m) || nrow(m) != cells) {
        .stopArgument("embeddings", "has \"", name, "\", which must be ",
            "numbers, a row for each of the ", cells, " cells; it has ",
            nrow(m), " rows."
        )
    }
    if (any(!is.finite(m))) {
        .stopArgument("embeddings", "has \"", name, "\", in which ",
            .count(sum(rowSums(!is.finite(m)) > 0), "cell"), " have values ",
            "that are NA or infinite; leave these cells out."
        )
    }
    storage.mode(m) <- "double"
    m
}

## Cells with both labels, at most maxCells of them, in their order.
.integrationCells <- function(label, group, o) {
    at <- which(!is.na(label) & !is.na(group))
    if (length(at) > o$maxCells) {
        at <- sort(at[.shuffled(length(at), o$key, 1)[seq_len(o$maxCells)]])
    }
    at
}

.checkIntegration <- function(label, group) {
    if (length(label) < 10L) {
        .stopArgument("x", "has ", .count(length(label), "cell"), " with a ",
            "label and a batch; 10 are needed."
        )
    }
    if (length(unique(group)) < 2L) {
        .stopArgument("batch", "has one value, \"", group[[1L]], "\": there is ",
            "nothing to integrate."
        )
    }
    if (length(unique(label)) < 2L) {
        .stopArgument("labels", "has one value, \"", label[[1L]], "\": nothing ",
            "could be lost."
        )
    }
    both <- rowSums(table(label, group) > 0)
    if (all(both == 1L)) {
        .stopArgument("labels", "has no label that is in two batches, so what ",
            "differs between batches and between types can't be told apart."
        )
    }
}

## Log values of the most variable genes, cells x genes.
.integrationValues <- function(input, cells, nGenes) {
    data <- .dataSet(input$matrix, seq_len(nrow(input$matrix)), input$logged,
        "x", input$assay)
    m <- .loggedBlock(data, cells)
    mean <- Matrix::rowMeans(m)
    spread <- Matrix::rowMeans(m^2) - mean^2
    top <- sort(head(order(-spread), nGenes))
    as.matrix(Matrix::t(m[top, , drop = FALSE]))
}

.pcaOf <- function(values, dims = 30L) {
    centred <- sweep(values, 2L, colMeans(values))
    centred %*% .principal(centred, min(dims, dim(values) - 1L))
}

## ---- numbers ---------------------------------------------------------------

.metricNames <- c("best", "aswLabel", "aswBatch", "connectivity",
    "isolatedAsw", "isolatedF1", "pcr", "pcrPost", "ilisi", "clisi", "kbet",
    "avgBio", "avgBatch", "overall")

## All metrics of one embedding (cells x dimensions).
.scoreMap <- function(map, label, group, values, k, threads) {
    points <- t(map)
    n <- length(label)
    graph <- .neighbourGraph(points, min(15L, n - 1L), threads = threads)
    wide <- .Call(cw_r_nearest, points, as.integer(min(k, n) - 1L), FALSE,
        threads)
    labels <- match(label, .sortedUnique(label)) - 1L
    groups <- match(group, .sortedUnique(group)) - 1L
    found <- .Call(cw_r_integration, list(embedding = points, label = labels,
        batch = groups, pre = t(values),
        cluster = vapply(seq(0.2, 2, 0.2), function(r) {
            .leiden(graph, r) - 1L
        }, integer(n)), edges = graph$ends - 1L,
        near = rbind(seq_len(n) - 1L, wide$index),
        distance = rbind(0, wide$distance)),
        max(labels) + 1L, max(groups) + 1L, threads)
    numbers <- stats::setNames(found$numbers, .metricNames)
    best <- numbers[["best"]] + 1
    list(numbers = c(nmi = found$nmi[[best]], ari = found$ari[[best]],
        numbers[setdiff(.metricNames, c("best", "pcrPost"))]),
        asw = found$asw)
}

## UMAP's graph of the k nearest points (columns), or Seurat's shared
## neighbours: list(n, ends, weight).
.neighbourGraph <- function(points, k, cosine = FALSE, shared = FALSE,
    threads = 0) {
    near <- .Call(cw_r_nearest, points, as.integer(k), cosine, threads)
    c(list(n = ncol(points)), .Call(cw_r_neighbour_graph, near$index,
        near$distance, if (shared) 1 / 15, threads))
}

## Groups of the Leiden algorithm, numbered by size. igraph draws from R's
## generator, whose state is fixed meanwhile.
.leiden <- function(graph, resolution, steps = 10L) {
    net <- igraph::make_empty_graph(graph$n, directed = FALSE)
    net <- igraph::add_edges(net, t(graph$ends))
    got <- .fixedRandomState(igraph::cluster_leiden(net,
        objective_function = "modularity", weights = graph$weight,
        resolution_parameter = resolution, n_iterations = steps
    ))
    member <- as.vector(igraph::membership(got))
    size <- tabulate(member)
    as.integer(match(member, order(-size, seq_along(size))))
}

## ---- report ----------------------------------------------------------------

.integrationReport <- function(maps, label, group, values, o, verbose) {
    scored <- lapply(names(maps), function(n) {
        .say(verbose, "Scoring ", n)
        .scoreMap(maps[[n]], label, group, values, o$k, o$threads)
    })
    table <- data.frame(embedding = names(maps),
        do.call(rbind, lapply(scored, `[[`, "numbers")))
    halves <- .halfDifferences(maps, label, group, values, o)
    table$difference <- rowMeans(halves)
    table$low <- apply(halves, 1L, stats::quantile, 0.025)
    table$high <- apply(halves, 1L, stats::quantile, 0.975)
    names <- .sortedUnique(label)
    labels <- do.call(rbind, Map(function(n, s) {
        data.frame(label = names, embedding = n,
            cells = as.vector(table(label)[names]),
            batches = as.vector(rowSums(table(label, group) > 0)[names]),
            aswBatch = s$asw)
    }, table$embedding, scored))
    rownames(labels) <- NULL
    .report("IntegrationReport", .integrationVerdict(table),
        list(metrics = table, labels = labels),
        list(cells = length(label), labels = length(names),
            batches = length(unique(group)), genes = ncol(values),
            neighbours = min(o$k, length(label)), halves = o$nSub), o$seed)
}

## overall less that of the components, embeddings x halves of the cells.
.halfDifferences <- function(maps, label, group, values, o) {
    n <- length(label)
    halves <- lapply(seq_len(o$nSub), function(i) {
        at <- sort(.shuffled(n, o$key, 10 + i)[seq_len(n %/% 2)])
        score <- vapply(maps, function(m) {
            .scoreMap(m[at, , drop = FALSE], label[at], group[at],
                values[at, , drop = FALSE], o$k, o$threads)$numbers[["overall"]]
        }, 0)
        score - score[["unintegrated"]]
    })
    matrix(unlist(halves), length(maps))
}

.integrationVerdict <- function(table) {
    base <- table[table$embedding == "unintegrated", ]
    null <- table[table$embedding == "shuffled", ]
    own <- table[!table$embedding %in% .integrationBaselines, ]
    own <- own[order(-own$overall), ]
    best <- own[1L, ]
    holds <- isTRUE(best$low > 0) && isTRUE(best$overall > null$overall)
    text <- sprintf(paste("%s scores %.3f overall; principal components",
        "without integration %.3f; components of the wrong cells %.3f. In",
        "halves of the cells the difference to the components is %.3f (%.3f",
        "to %.3f): %s."), best$embedding, best$overall, base$overall,
        null$overall, best$difference, best$low, best$high,
        if (holds) "better than no integration" else
            "not better than no integration")
    text <- c(text, sprintf(paste("Types: avgBio %.3f (components %.3f, wrong",
        "cells %.3f). Mixing: avgBatch %.3f (components %.3f)."), best$avgBio,
        base$avgBio, null$avgBio, best$avgBatch, base$avgBatch))
    .verdict(text, holds)
}

#' @rdname verdict
#' @method plot IntegrationReport
#' @export
plot.IntegrationReport <- function(x, y, ...) {
    .noDots(...)
    table <- x@tables$metrics
    names <- setdiff(names(table), c("embedding", "difference", "low", "high"))
    long <- data.frame(embedding = rep(table$embedding, length(names)),
        metric = rep(names, each = nrow(table)),
        value = unlist(table[names], use.names = FALSE))
    long$embedding <- factor(long$embedding,
        rev(table$embedding[order(-table$overall)]))
    long$metric <- factor(long$metric, names)
    .data <- ggplot2::.data
    ggplot2::ggplot(long, ggplot2::aes(.data$metric, .data$embedding,
        fill = .data$value)) +
        ggplot2::geom_tile(colour = "white") +
        ggplot2::geom_text(ggplot2::aes(label = ifelse(is.na(.data$value), "",
            sprintf("%.2f", .data$value)),
            colour = .data$value > 0.6), size = 3, show.legend = FALSE) +
        ggplot2::scale_fill_gradient(low = "white", high = "#0072B2",
            limits = c(0, 1), oob = function(v, ...) pmin(pmax(v, 0), 1)) +
        ggplot2::scale_colour_manual(values = c("black", "white"),
            na.value = "black") +
        ggplot2::labs(x = NULL, y = NULL, fill = "score") +
        ggplot2::theme_bw() +
        ggplot2::theme(panel.grid = ggplot2::element_blank(),
            axis.text.x = ggplot2::element_text(angle = 45, hjust = 1))
}
