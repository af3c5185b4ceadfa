## Modules of genes from their vectors, and what they are enriched in.

#' Modules of genes
#'
#' Groups genes whose vectors point the same way: nearest neighbours, their
#' graph, the Leiden algorithm. Asks of each module in which gene sets it is
#' enriched, and holds the number of enriched modules against that of the
#' co-expression network of the same genes, cut in the same way, and against
#' random modules of the same sizes.
#'
#' @details
#' Enrichment: upper tail of the hypergeometric distribution, sets and modules
#' cut to the genes that have vectors (the background), Benjamini-Hochberg over
#' all pairs. Co-expression: neighbours by the correlation of log values over
#' at most 2,000 cells.
#'
#' @inheritParams cellInput
#' @param x the cells, for the co-expression network, see [cellInput]; `NULL`:
#'   without it.
#' @param vectors matrix, genes x dimensions, with names; of [embedGenes()].
#' @param sets gene sets: a named list of gene names, or a data.frame with
#'   columns `set` and `gene`; `NULL`: modules only.
#' @param resolution of the modularity; higher gives more modules.
#' @param k nearest neighbours of a gene.
#' @param graph `"umap"`: UMAP's weights; `"shared"`: Seurat's shared
#'   neighbours (Jaccard index, 1/15 and more).
#' @param minSize smaller modules are not tested, and not counted.
#' @param fdr rate below which a module counts as enriched.
#' @param nPerm random partitions of the null.
#' @param seed whole number for random choices; `NULL`: R's generator.
#' @param threads,verbose as everywhere.
#' @return A [CausewayReport-class] of class `GeneModules`. Tables: `"genes"`
#'   (`gene`, `module`, 1 being the largest, and `coexpression`, its module
#'   there), `"modules"` (`size`, best `set` with `fold` and `fdr`, mean
#'   cosine `cohesion`), `"enrichment"` (`module`, `set`, `overlap`, `size`,
#'   `fold`, `p`, `fdr`; of `"vectors"` and `"coexpression"`, column `of`),
#'   `"methods"` (modules, modularity, enriched ones). `plot()` draws the
#'   strongest enrichments.
#' @section Errors: fewer than 20 genes with vectors, duplicated names, `NA`,
#'   no set that shares five genes with the vectors.
#' @references Cui et al. (2024) Nature Methods 21, 1470 (gene programs of
#'   scGPT); Zeng et al. (2025) Nature Communications 16, 4679 (CellFM); Traag
#'   et al. (2019) Scientific Reports 9, 5233 (Leiden).
#' @seealso [embedGenes()], [inferGRN()]
#' @examples
#' set.seed(1)
#' centre <- matrix(rnorm(40), 4)
#' vectors <- centre[rep(1:4, each = 15), ] + rnorm(600, 0, 0.4)
#' rownames(vectors) <- paste0("G", 1:60)
#' sets <- split(rownames(vectors), rep(c("a", "b", "c", "d"), each = 15))
#' geneModules(NULL, vectors, sets, nPerm = 20, seed = 1)
#' @export
geneModules <- function(x, vectors, sets = NULL, resolution = 1, k = 10,
    graph = c("umap", "shared"), minSize = 5, fdr = 0.05, nPerm = 100,
    assay.type = NULL, assay = NULL, symbols = NULL,
    alreadyNormalised = NULL, seed = NULL, threads = NULL, verbose = TRUE) {
    .given(vectors, "vectors", "vectors of genes, as embedGenes() gives")
    vectors <- .geneVectorMatrix(vectors)
    k <- .checkNumber(k, "k", 2, nrow(vectors) - 1L, whole = TRUE)
    o <- list(k = k, shared = match.arg(graph) == "shared",
        resolution = .checkNumber(resolution, "resolution", 0, 1000,
            open = TRUE),
        minSize = .checkNumber(minSize, "minSize", 2, 1e6, whole = TRUE),
        fdr = .checkNumber(fdr, "fdr", 0, 1, open = TRUE),
        nPerm = .checkNumber(nPerm, "nPerm", 2, 1e5, whole = TRUE),
        key = .newKey(seed), seed = seed, threads = .threads(threads))
    sets <- .geneSetList(sets, rownames(vectors))
    ways <- list(vectors = vectors)
    if (!is.null(x)) {
        ways$coexpression <- .expressionVectors(x, rownames(vectors),
            .inputArgs(assay.type = assay.type, assay = assay,
                symbols = symbols, alreadyNormalised = alreadyNormalised), o)
    }
    found <- lapply(ways, .modulesOf, o = o)
    .say(verbose, .count(max(found$vectors$member), "module"), " of ",
        .count(nrow(vectors), "gene"))
    .modulesReport(found, ways, sets, o)
}

#' @rdname geneModules
#' @exportClass GeneModules
setClass("GeneModules", contains = "CausewayReport")

.geneVectorMatrix <- function(vectors) {
    if (is.data.frame(vectors)) vectors <- as.matrix(vectors)
    if (!is.matrix(vectors) || !is.numeric(vectors) ||
        is.null(rownames(vectors))) {
        .stopArgument("vectors", "must be a matrix of numbers with a named ",
            "row for each gene, as embedGenes() gives."
        )
    }
    twice <- rownames(vectors)[duplicated(rownames(vectors))]
    if (length(twice)) {
        .stopArgument("vectors", "has several rows called ", twice[[1L]], ".")
    }
    if (any(!is.finite(vectors))) {
        .stopArgument("vectors", "has values that are NA or infinite, first ",
            "of ", rownames(vectors)[which(rowSums(!is.finite(vectors)) > 0)[[
                1L]]], "."
        )
    }
    if (nrow(vectors) < 20L) {
        .stopArgument("vectors", "has ", .count(nrow(vectors), "gene"),
            "; modules need 20."
        )
    }
    storage.mode(vectors) <- "double"
    vectors
}

## A named list of the sets' genes that have vectors, sets of 5 and more.
.geneSetList <- function(sets, genes) {
    if (is.null(sets)) return(NULL)
    if (is.data.frame(sets)) {
        if (!all(c("set", "gene") %in% names(sets))) {
            .stopArgument("sets", "must have the columns 'set' and 'gene'; it ",
                "has ", .some(names(sets), 5L), "."
            )
        }
        sets <- split(as.character(sets$gene),
            .asFactor(as.character(sets$set)))
    }
    if (!is.list(sets) || is.null(names(sets))) {
        .stopArgument("sets", "must be a named list of gene names or a ",
            "data.frame with columns 'set' and 'gene'."
        )
    }
    inside <- lapply(sets, function(s) intersect(as.character(s), genes))
    kept <- inside[lengths(inside) >= 5L]
    if (!length(kept)) {
        .stopArgument("sets", "has no set with five of the ", length(genes),
            " genes, which are like ", .some(genes, 3L), ". Are its names ",
            "of the same kind?"
        )
    }
    kept
}

## Centred log values of the genes over at most 2,000 cells: their cosine is
## the correlation. Genes that `x` lacks or that are constant are 0.
.expressionVectors <- function(x, genes, how, o) {
    input <- .typeCells(x, how, "x")
    row <- match(genes, input$names)
    if (sum(!is.na(row)) < length(genes) / 2) row <- match(toupper(genes),
        toupper(input$names))
    if (sum(!is.na(row)) < 20L) {
        .stopArgument("x", "has ", sum(!is.na(row)), " of the ",
            length(genes), " genes of 'vectors'; 20 are needed."
        )
    }
    n <- ncol(input$matrix)
    cells <- sort(.shuffled(n, o$key, 1)[seq_len(min(n, 2000L))])
    data <- .dataSet(input$matrix, seq_len(nrow(input$matrix)), input$logged,
        "x", input$assay)
    out <- matrix(0, length(genes), length(cells),
        dimnames = list(genes, NULL))
    there <- which(!is.na(row))
    m <- as.matrix(.loggedBlock(data, cells)[row[there], , drop = FALSE])
    out[there, ] <- m - rowMeans(m)
    out
}

## list(member, graph, modularity) of vectors (genes x dimensions).
.modulesOf <- function(vectors, o) {
    graph <- .neighbourGraph(t(vectors), o$k, TRUE, o$shared, o$threads)
    member <- .leiden(graph, o$resolution)
    list(member = member, modularity = .modularity(graph, member,
        o$resolution))
}

.modularity <- function(graph, member, resolution) {
    .Call(cw_r_modularity, graph$ends, graph$weight, member, resolution)
}

## Every module of minSize and more in every set.
.enrichment <- function(member, genes, sets, minSize) {
    modules <- which(tabulate(member) >= minSize)
    if (!length(modules)) return(NULL)
    inSet <- vapply(sets, function(s) genes %in% s, logical(length(genes)))
    inModule <- outer(member, modules, `==`)
    overlap <- crossprod(inModule * 1, inSet * 1)
    size <- colSums(inModule)
    out <- data.frame(module = rep(modules, length(sets)),
        set = rep(names(sets), each = length(modules)),
        overlap = as.integer(overlap), size = as.integer(rep(size,
            length(sets))), setSize = as.integer(rep(colSums(inSet),
            each = length(modules))))
    out$fold <- out$overlap * length(genes) / (out$size * out$setSize)
    out$p <- 10^.Call(cw_r_overlap, rbind(out$overlap, length(genes),
        out$setSize, out$size))
    out$fdr <- stats::p.adjust(out$p, "BH")
    out
}

.enriched <- function(table, fdr) {
    if (is.null(table)) 0L else
        length(unique(table$module[table$fdr < fdr]))
}

## ---- report ----------------------------------------------------------------

.modulesReport <- function(found, ways, sets, o) {
    genes <- rownames(ways$vectors)
    tables <- list(genes = data.frame(gene = genes,
        module = found$vectors$member))
    tables$genes$coexpression <- found$coexpression$member
    tests <- if (!is.null(sets)) lapply(found, function(f) {
        .enrichment(f$member, genes, sets, o$minSize)
    })
    chance <- if (!is.null(sets)) vapply(seq_len(o$nPerm), function(i) {
        any <- .shuffled(length(genes), o$key, 10 + i)
        .enriched(.enrichment(found$vectors$member[any], genes, sets,
            o$minSize), o$fdr)
    }, 0L)
    tables$methods <- data.frame(of = names(found),
        modules = vapply(found, function(f) {
            sum(tabulate(f$member) >= o$minSize)
        }, 0L), modularity = vapply(found, `[[`, 0, "modularity"))
    if (!is.null(sets)) {
        tables$methods$enriched <- vapply(tests, .enriched, 0L, fdr = o$fdr)
    }
    rownames(tables$methods) <- NULL
    tables$modules <- .moduleTable(found$vectors$member, ways$vectors,
        tests$vectors, o)
    tables$enrichment <- do.call(rbind, Map(function(of, t) {
        if (is.null(t)) NULL else cbind(of = of, t[order(t$p), ])
    }, names(tests), tests))
    if (!is.null(tables$enrichment)) rownames(tables$enrichment) <- NULL
    facts <- list(genes = length(genes), sets = length(sets),
        resolution = o$resolution, neighbours = o$k, fdr = o$fdr,
        chance = chance)
    .report("GeneModules", .modulesVerdict(tables$methods, chance, o),
        tables[c("modules", "genes", "methods", "enrichment")], facts, o$seed)
}

.moduleTable <- function(member, vectors, test, o) {
    size <- tabulate(member)
    unit <- vectors / pmax(sqrt(rowSums(vectors^2)), 1e-300)
    out <- data.frame(module = seq_along(size), size = size,
        cohesion = vapply(seq_along(size), function(m) {
            sum <- colSums(unit[member == m, , drop = FALSE])
            n <- size[[m]]
            if (n > 1L) (sum(sum^2) - n) / (n * (n - 1)) else NA_real_
        }, 0))
    out$genes <- vapply(seq_along(size), function(m) {
        paste(head(rownames(vectors)[member == m], 8L), collapse = " ")
    }, "")
    if (!is.null(test)) {
        best <- test[order(test$module, test$p), ]
        best <- best[!duplicated(best$module), ]
        at <- match(out$module, best$module)
        out$set <- best$set[at]
        out$fold <- best$fold[at]
        out$fdr <- best$fdr[at]
    }
    out[out$size >= o$minSize, ]
}

.modulesVerdict <- function(methods, chance, o) {
    own <- methods[1L, ]
    other <- if (nrow(methods) > 1L) methods[2L, ]
    if (is.null(chance)) {
        return(.verdict(sprintf(paste("%s of %d genes and more (modularity",
            "%.2f). No gene sets were given, so nothing says whether they",
            "mean anything."), .count(own$modules, "module"), o$minSize,
            own$modularity)))
    }
    limit <- stats::quantile(chance, 0.95, names = FALSE)
    beats <- own$enriched > limit
    share <- own$enriched / max(own$modules, 1)
    text <- sprintf(paste("%d of %s of %d genes and more %s enriched in some",
        "set (FDR < %s); of random modules of the same sizes %.1f, at most",
        "%g in 95%% of draws."), own$enriched, .count(own$modules, "module"),
        o$minSize, if (own$enriched == 1L) "is" else "are", format(o$fdr),
        mean(chance), limit)
    holds <- beats
    if (!is.null(other)) {
        theirs <- other$enriched / max(other$modules, 1)
        holds <- beats && share >= theirs
        text <- c(text, sprintf(paste("Co-expression of the same genes: %d of",
            "%s. The vectors %s."), other$enriched, .count(other$modules,
            "module"), if (share > theirs) "do better" else if (share ==
            theirs) "do as well" else "do worse"))
    }
    .verdict(text, holds)
}

#' @rdname verdict
#' @method plot GeneModules
#' @export
plot.GeneModules <- function(x, y, ...) {
    .noDots(...)
    table <- x@tables$enrichment
    if (is.null(table)) {
        .stopArgument("x", "has no enrichment to draw; give geneModules() ",
            "'sets'."
        )
    }
    table <- head(table[table$of == "vectors", ], 20L)
    table$what <- paste0(table$set, " (module ", table$module, ")")
    table$what <- factor(table$what, rev(unique(table$what)))
    .data <- ggplot2::.data
    ggplot2::ggplot(table, ggplot2::aes(-log10(.data$p), .data$what,
        size = .data$overlap, colour = .data$fdr < x@facts$fdr)) +
        ggplot2::geom_point() +
        ggplot2::scale_colour_manual(values = c(`FALSE` = "grey60",
            `TRUE` = "#0072B2")) +
        ggplot2::scale_size_area(max_size = 6) +
        ggplot2::labs(x = "-log10 p", y = NULL, size = "genes shared",
            colour = paste("FDR <", format(x@facts$fdr))) +
        ggplot2::theme_bw()
}
