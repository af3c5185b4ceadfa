## Cells with a known network in each of them.

.courses <- c("mixed", "discrete", "branching", "cycle")

#' Simulate cells with a known regulatory network in each of them
#'
#' TFs regulate each other (without loops) and the other genes through Hill
#' functions that activate (70%) or repress. Cells live in contexts; a share of
#' the edges works in one or two contexts only, while the TF may go on being
#' expressed, and TFs can be off in a context. Expression is drawn at the steady
#' state, counts are negative binomial at log-normal library sizes, and low
#' counts are dropped at random. The gene names are those of real TFs, so that
#' [inferGRN()] finds them; the edges are made up.
#'
#' @param nCells,nGenes,nTFs,nContexts numbers; the TFs are the first genes;
#'   at most 32 contexts.
#' @param trajectory `"mixed"`: the last two contexts are joined by a path, the
#'   others are apart; `"discrete"`: all apart; `"branching"`: from the first
#'   context to one of the others; `"cycle"`: round through all.
#' @param depth mean count per gene and cell.
#' @param switching share of edges that work in one or two contexts only.
#' @param off chance that a TF is off in a context.
#' @param noise log-normal standard deviation of a gene's expression that its
#'   TFs don't explain; `tfNoise` the same for TFs.
#' @param tfNoise see `noise`.
#' @param tfSpread,geneSpread log-normal standard deviation, between contexts,
#'   of the level of TFs and of other genes.
#' @param library log-normal standard deviation of library sizes.
#' @param dispersion shape of the counts' gamma noise; large: Poisson.
#' @param dropout most that is lost of a gene with next to no counts, 0 to 1.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number. The same numbers for any number of threads.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @return A `SingleCellExperiment` with assay `counts` (dgCMatrix, genes x
#'   cells); `colData` columns `context` (the main one), `position` (along the
#'   path, 0 to 1, or NA) and `species`; `rowData` column `tf`; and
#'   `metadata(x)$simulation` with the edges, what works where, and settings:
#'   read it with [simulatedTruth()].
#' @section Errors: a number out of range is an error naming it.
#' @references The functional forms are those of BoolODE (Pratapa et al. 2020,
#'   Nature Methods 17, 147-154) at the steady state; counts as in Splatter
#'   (Zappia et al. 2017, Genome Biology 18, 174), simplified.
#' @seealso [simulatedTruth()], [simulateMultiome()], [PerCellGRNParam()],
#'   [exampleCells()]
#' @examples
#' cells <- simulateCells(nCells = 100, nGenes = 40, nTFs = 8, seed = 1)
#' cells
#' table(cells$context)
#' truth <- simulatedTruth(cells)
#' dim(truth)
#' @export
simulateCells <- function(nCells = 2000, nGenes = 140, nTFs = 24,
    nContexts = 4, trajectory = c("mixed", "discrete", "branching", "cycle"),
    depth = 4, switching = 0.5, off = 0.2, noise = 0.45, tfNoise = 0.6,
    tfSpread = 0.5, geneSpread = 0.5, library = 0.35, dispersion = 8,
    dropout = 0.15, seed = NULL, threads = NULL) {
    nGenes <- .checkNumber(nGenes, "nGenes", 1, 1e6, TRUE)
    trajectory <- .oneOf(trajectory, .courses, "trajectory")
    spread <- list(noise = noise, tfNoise = tfNoise, tfSpread = tfSpread,
        geneSpread = geneSpread, library = library
    )
    share <- list(switching = switching, off = off, dropout = dropout)
    for (name in names(spread)) {
        .checkNumber(spread[[name]], name, 0, 10)
    }
    for (name in names(share)) {
        .checkNumber(share[[name]], name, 0, 1)
    }
    options <- c(list(
        cells = .checkNumber(nCells, "nCells", 1, 2^31, TRUE), genes = nGenes,
        tfs = .checkNumber(nTFs, "nTFs", 1, nGenes, TRUE),
        contexts = .checkNumber(nContexts, "nContexts", 1, 32, TRUE),
        course = trajectory,
        depth = .checkNumber(depth, "depth", 0, 1e6, open = TRUE),
        dispersion = .checkNumber(dispersion, "dispersion", 0, 1e9,
            open = TRUE
        )
    ), spread, share)
    key <- .newKey(seed)
    drawn <- .Call(cw_r_simulate, options, key,
        .threads(threads)
    )
    options$trajectory <- trajectory
    options$course <- match(trajectory, .courses) - 1L
    .simulatedObject(drawn, options, key)
}

.simulatedObject <- function(s, o, key) {
    known <- tfCatalogue("human")$TF
    names <- c(
        c(known, sprintf("TF%05d", seq_len(o$tfs)))[seq_len(o$tfs)],
        sprintf("TARGET%04d", seq_len(o$genes - o$tfs))
    )
    if (o$tfs > length(known)) {
        names[seq_len(o$tfs)] <- c(known, sprintf("TF%05d",
            seq_len(o$tfs - length(known))
        ))
    }
    cells <- sprintf("cell%0*d", nchar(o$cells), seq_len(o$cells))
    contexts <- paste0("context", seq_len(o$contexts))
    counts <- matrix(s$counts, o$genes, o$cells, dimnames = list(names, cells))
    edge <- seq_len(s$edges)
    context <- matrix(s$context, o$contexts, o$cells,
        dimnames = list(contexts, cells)
    )
    works <- matrix(s$works == 1L, o$contexts)[, edge, drop = FALSE]
    on <- matrix(s$on == 1L, o$contexts, o$tfs)
    dimnames(works) <- list(contexts, NULL)
    dimnames(on) <- list(contexts, names[seq_len(o$tfs)])
    SingleCellExperiment::SingleCellExperiment(
        assays = list(counts = .asSparse(counts)),
        rowData = S4Vectors::DataFrame(tf = seq_len(o$genes) <= o$tfs),
        colData = S4Vectors::DataFrame(
            context = contexts[apply(context, 2L, which.max)],
            position = s$position, species = "human", row.names = cells
        ),
        metadata = list(simulation = list(
            edges = data.frame(Gene1 = names[s$tf[edge]],
                Gene2 = names[s$gene[edge]], sign = s$sign[edge]
            ),
            works = works, on = on, context = context,
            settings = o, seed = .keyText(key)
        ))
    )
}

#' The truth behind simulated cells
#'
#' Of cells from [simulateCells()] their networks: an edge is active in a cell
#' when it works in more than half of what the cell's context is made of, and
#' its TF is on in more than half of it. Of cells from [simulateMultiome()] the
#' delays of their genes, from [simulatePerturbations()] the changes.
#'
#' @param x cells from [simulateCells()], [simulateMultiome()] or
#'   [simulatePerturbations()], also a subset of them.
#' @param cell NULL for all cells, or one cell by number or name.
#' @param switching if TRUE, only whether the edge works, whether or not its TF
#'   is on.
#' @return Without `cell` a logical matrix, edges x cells; its rows are those of
#'   `metadata(x)$simulation$edges`. With `cell` a logical matrix, TFs x
#'   genes. For cells from `simulateMultiome()`, where `cell` and `switching`
#'   mean nothing, a data.frame with a row per gene of `x`: `gene`, `tau` (the
#'   course is 10 long), `kind` (`on`, `off`, `pulse`, `flat`, `rnaOnly`,
#'   `atacOnly`), `dynamic`, `kinetic`, `repressed`, `altered`; for cells from
#'   `simulatePerturbations()` a matrix, genes x perturbations, of changes of
#'   the mean log-normalised value. Stops when `x`
#'   has no record of a simulation or `cell` isn't one of its cells.
#' @seealso [simulateCells()], [simulateMultiome()]
#' @examples
#' cells <- simulateCells(nCells = 50, nGenes = 30, nTFs = 6, seed = 2)
#' rowMeans(simulatedTruth(cells))[1:5]
#' simulatedTruth(cells, 1)[1:3, 1:8]
#' @export
simulatedTruth <- function(x, cell = NULL, switching = FALSE) {
    truth <- if (.isExperiment(x)) {
        S4Vectors::metadata(x)$simulation
    }
    if (is.null(truth)) {
        .stopArgument("x", "holds no simulation: it must come from ",
            "simulateCells(), simulateMultiome() or ",
            "simulatePerturbations()."
        )
    }
    if (identical(truth$kind, "multiome")) {
        return(.multiomeTruth(x))
    }
    if (identical(truth$kind, "screen")) {
        return(.screenTruth(truth))
    }
    .checkFlag(switching, "switching")
    names <- colnames(x)
    if (!is.null(cell)) {
        at <- if (is.character(cell)) match(cell, names) else cell
        if (length(at) != 1L || !(at %in% seq_along(names))) {
            .stopArgument("cell", "must be one of the ", length(names),
                " cells, by number or name; it is ", .show(cell), "."
            )
        }
        names <- names[[at]]
    }
    w <- truth$context[, names, drop = FALSE]
    active <- crossprod(truth$works, w) > 0.5
    if (!switching) {
        on <- crossprod(truth$on, w) > 0.5
        active <- active & on[truth$edges$Gene1, , drop = FALSE]
    }
    dimnames(active) <- list(
        paste0(truth$edges$Gene1, ">", truth$edges$Gene2,
            recycle0 = TRUE
        ), names
    )
    if (is.null(cell)) {
        return(active)
    }
    out <- matrix(FALSE, ncol(truth$on), nrow(x),
        dimnames = list(colnames(truth$on), rownames(x))
    )
    ## genes may have been dropped from x since
    left <- truth$edges$Gene2 %in% rownames(x)
    at <- as.matrix(truth$edges[left, c("Gene1", "Gene2")])
    out[at] <- active[left, 1L]
    out
}
