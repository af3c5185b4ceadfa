## Cells with chromatin and RNA, and a known delay between them in each gene.

.topologies <- c("linear", "bifurcation", "loop", "clusters", "exit")
.lagModes <- c("delay", "kinetic", "mixed", "both")

.multiomeNulls <- c("none", "zeroDelay", "shuffledPairing", "permutedLinks",
    "resting"
)

.genePatterns <- c("on", "off", "pulse", "flat", "rnaOnly", "atacOnly")

#' Simulate cells with chromatin and RNA whose delays are known
#'
#' Cells lie along a course; every gene's chromatin opens, closes or pulses
#' somewhere along it, and its RNA follows after the gene's own delay tau:
#' shifted by tau, as first-order kinetics with time constant tau, or both in
#' turn, tau then being the sum (the total lag).
#' Some genes stay flat, or move in one modality only. RNA counts are negative
#' binomial at log-normal library sizes with dropout; every gene has several
#' peaks, some of which follow it and some of which are constant, and there are
#' distal peaks that belong to no gene. The course is 10 units long, tau is in
#' the same unit. Four nulls leave nothing to estimate, so that an estimator
#' can be seen to refuse.
#'
#' @param nCells,nGenes numbers of cells and genes.
#' @param nPeaks number of peaks, or NULL: those of the genes (`peaksPerGene`
#'   each) and 5 distal ones per 3 genes, about 2,000 for 300 genes. A number
#'   must hold the peaks of the genes; the others are distal.
#' @param topology the course: `"linear"`; `"bifurcation"`: forks at 4 of 10,
#'   30% of the cells are on the trunk; `"loop"`; `"exit"`: a loop that 30% of
#'   the cells have left at 6 of 10; or `"clusters"`: resting `states` without
#'   any movement.
#' @param mode how RNA follows: `"delay"`, `"kinetic"`, `"mixed"` (half of the
#'   genes each), or `"both"`: every gene waits, then responds by kinetics; 20
#'   to 80% of its lag are kinetics.
#' @param states number of resting states, 1 to 12.
#' @param depth `"realistic"` (median gene 1.5 counts per cell when fully on),
#'   `"low"` (0.25 of the counts, 0.35 of the peaks' opening rate), or
#'   one or two numbers to multiply the realistic depth of RNA and chromatin
#'   with.
#' @param null `"none"`; `"zeroDelay"`: every tau is 0; `"shuffledPairing"`:
#'   each cell shows the chromatin of another one; `"permutedLinks"`: the links
#'   name the peaks of another gene; `"resting"`: as topology `"clusters"`.
#' @param tauMedian,tauSpread,tauBounds delays are log-normal with this median
#'   and standard deviation of the logarithm, clipped to the bounds; the upper
#'   bound at most 10.
#' @param peaksPerGene two whole numbers: fewest and most peaks of a gene.
#' @param hill 0: RNA is proportional to chromatin; otherwise it saturates,
#'   a^hill / (a^hill + 0.5^hill).
#' @param modulation share by which a gene's delay swings along the course
#'   (mode `"delay"` only), 0 to 1.
#' @param density `"uniform"`, or `"uneven"`: cells crowd at two places of a
#'   line or loop.
#' @param repressed share of genes whose RNA falls when their chromatin opens.
#' @param altered,alteredFactor,alteredIn share of genes whose delay is
#'   `alteredFactor` times longer in one half of the cells: a second
#'   `"condition"` (drawn at random), or the second `"branch"` of a bifurcation.
#' @param dispersion shape of the counts' gamma noise; large: Poisson.
#' @param dropout share of counts lost, 0 to 1.
#' @param libraryRna,libraryAtac log-normal standard deviations of the
#'   cells' depths.
#' @param deepCells,deepFactor,deepIn so many cells, the first ones, have
#'   `deepFactor` times their counts in `deepIn`, `"rna"` or `"chromatin"`, as
#'   a few doublets or unfiltered cells may.
#' @param profiles if TRUE, the noise-free course of every gene in every cell
#'   is kept too: dense assays `chromatin` and `rate`, 0 to 1.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number. The same numbers for any number of threads. Calls that
#'   differ only in `null`, `mode`, `depth` or the delays share their genes.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @return A `SingleCellExperiment` with assay `counts` (dgCMatrix, genes x
#'   cells) and `altExp(x, "ATAC")` with assay `counts` (dgCMatrix of 0 and 1,
#'   peaks x cells; names such as `chr1:1000-1500`). `colData`: `time` (0 to
#'   10; NA when resting), `branch` (`trunk`, `A`, `B`; `loop`, `exit`;
#'   `state1`, ... when resting; `course` otherwise) and `condition` if `altered` asks for
#'   it. `rowData`: `trueTau` (in the first condition or branch), its parts
#'   `trueDelay` and `trueKinetics`, `kind`,
#'   `dynamic` (chromatin and RNA really change over these cells), `kinetic`,
#'   `repressed`, `altered`. `metadata(x)`: `links`, a data.frame `gene`,
#'   `peak`; `genes`, a data.frame `gene`, `chr`, `start`, `end`, `strand`,
#'   at whose coordinates [linkPeaks()] finds these links with any window from
#'   50,000 to 150,000; and `simulation` with settings, seed and for each peak
#'   whether it follows its gene. Read the truth of the genes with
#'   [simulatedTruth()].
#' @section Errors: a number out of range is an error naming it.
#' @references The distributions are those of the package's method notes on
#'   identifiable delays; the course and count models are in the manner of
#'   dyngen (Cannoodt et al. 2021, Nature Communications 12, 3942) and Splatter
#'   (Zappia et al. 2017, Genome Biology 18, 174), much simplified.
#' @seealso [estimateTau()], [simulatedTruth()], [simulateCells()]
#' @examples
#' x <- simulateMultiome(nCells = 200, nGenes = 30, seed = 1)
#' x
#' SingleCellExperiment::altExp(x, "ATAC")
#' head(simulatedTruth(x))
#' head(S4Vectors::metadata(x)$links)
#' @export
simulateMultiome <- function(nCells = 3000, nGenes = 300, nPeaks = NULL,
    topology = c("linear", "bifurcation", "loop", "clusters", "exit"),
    mode = c("delay", "kinetic", "mixed", "both"), states = 6,
    depth = "realistic", null = c(
        "none", "zeroDelay", "shuffledPairing", "permutedLinks", "resting"
    ),
    tauMedian = 0.8, tauSpread = 0.6, tauBounds = c(0.1, 2.5),
    peaksPerGene = c(3, 7), hill = 0, modulation = 0,
    density = c("uniform", "uneven"), repressed = 0, altered = 0,
    alteredFactor = 2, alteredIn = c("condition", "branch"), dispersion = 3,
    dropout = 0.1, libraryRna = 0.35, libraryAtac = 0.4, deepCells = 0,
    deepFactor = 100, deepIn = c("rna", "chromatin"), profiles = FALSE,
    seed = NULL, threads = NULL) {
    o <- list(
        nCells = .checkNumber(nCells, "nCells", 1, 1e7, TRUE),
        nGenes = .checkNumber(nGenes, "nGenes", 1, 1e5, TRUE),
        topology = .oneOf(topology, .topologies, "topology"),
        mode = .oneOf(mode, .lagModes, "mode"),
        states = .checkNumber(states, "states", 1, 12, TRUE),
        null = .oneOf(null, .multiomeNulls, "null"),
        depth = .multiomeDepth(depth),
        peaksPerGene = .twoNumbers(peaksPerGene, "peaksPerGene", 1, 1000, TRUE),
        tauMedian = .checkNumber(tauMedian, "tauMedian", 0, 10, open = TRUE),
        tauSpread = .checkNumber(tauSpread, "tauSpread", 0, 10),
        tauBounds = .twoNumbers(tauBounds, "tauBounds", 0, 10),
        hill = .checkNumber(hill, "hill", 0, 100),
        modulation = .checkNumber(modulation, "modulation", 0, 1),
        density = .oneOf(density, c("uniform", "uneven"), "density"),
        repressed = .checkNumber(repressed, "repressed", 0, 1),
        altered = .checkNumber(altered, "altered", 0, 1),
        alteredFactor = .checkNumber(alteredFactor, "alteredFactor", 0, 100,
            open = TRUE
        ),
        alteredIn = .oneOf(alteredIn, c("condition", "branch"), "alteredIn"),
        dispersion = .checkNumber(dispersion, "dispersion", 0, 1e9,
            open = TRUE
        ),
        dropout = .checkNumber(dropout, "dropout", 0, 1),
        libraryRna = .checkNumber(libraryRna, "libraryRna", 0, 10),
        libraryAtac = .checkNumber(libraryAtac, "libraryAtac", 0, 10),
        deepCells = .checkNumber(deepCells, "deepCells", 0, 1e7, TRUE),
        deepFactor = .checkNumber(deepFactor, "deepFactor", 1, 1e6, TRUE),
        deepIn = .oneOf(deepIn, c("rna", "chromatin"), "deepIn")
    )
    o$nPeaks <- .multiomePeaks(nPeaks, o)
    o <- .multiomeAgrees(o)
    .checkFlag(profiles, "profiles")
    key <- .newKey(seed)
    drawn <- .Call(cw_r_multiome, .multiomeOptions(o), profiles, key,
        .threads(threads)
    )
    .multiomeObject(drawn, o, key)
}

.twoNumbers <- function(x, arg, min, max, whole = FALSE) {
    good <- is.numeric(x) && length(x) == 2L && all(is.finite(x)) &&
        all(x >= min & x <= max) && x[[1L]] <= x[[2L]] && x[[2L]] > 0 &&
        (!whole || all(x == round(x)))
    if (!good) {
        .stopArgument(arg, "must be two ", if (whole) "whole ", "numbers, ",
            "ascending, from ", min, " to ", max, "; it is ", .show(x), "."
        )
    }
    as.numeric(x)
}

.multiomeDepth <- function(depth) {
    if (is.character(depth)) {
        depth <- .oneOf(depth, c("realistic", "low"), "depth")
        return(if (depth == "low") c(0.25, 0.35) else c(1, 1))
    }
    good <- is.numeric(depth) && length(depth) %in% 1:2 &&
        all(is.finite(depth)) && all(depth > 0) && all(depth <= 1e6)
    if (!good) {
        .stopArgument("depth", "must be \"realistic\", \"low\", or one or ",
            "two positive numbers (RNA, chromatin) up to 1e6; it is ",
            .show(depth), "."
        )
    }
    rep_len(as.numeric(depth), 2L)
}

.multiomePeaks <- function(nPeaks, o) {
    if (is.null(nPeaks)) {
        return(0)
    }
    .checkNumber(nPeaks, "nPeaks", o$peaksPerGene[[1L]] * o$nGenes, 2^31 - 1,
        whole = TRUE
    )
}

## What settings mean for each other.
.multiomeAgrees <- function(o) {
    if (o$null == "resting") {
        o$topology <- "clusters"
    }
    if (o$altered > 0 && o$alteredIn == "branch" &&
        o$topology != "bifurcation") {
        .stopArgument("alteredIn", "is \"branch\", but topology \"",
            o$topology, "\" has none; use topology = \"bifurcation\" or ",
            "alteredIn = \"condition\"."
        )
    }
    if (o$tauBounds[[2L]] * o$alteredFactor > 10) {
        .stopArgument("alteredFactor", "times the upper of 'tauBounds' must ",
            "be at most 10, the length of the course; it is ",
            format(o$tauBounds[[2L]] * o$alteredFactor), "."
        )
    }
    o
}

.multiomeOptions <- function(o) {
    spoils <- c(none = "nothing", zeroDelay = "delay",
        shuffledPairing = "pairing", permutedLinks = "links",
        resting = "nothing"
    )
    list(
        cells = o$nCells, genes = o$nGenes, peaks = o$nPeaks,
        peaksLow = o$peaksPerGene[[1L]], peaksHigh = o$peaksPerGene[[2L]],
        topology = o$topology, states = o$states, lag = o$mode, spoil = spoils[[o$null]],
        alteredBranch = o$alteredIn == "branch",
        depthRna = o$depth[[1L]], depthAtac = o$depth[[2L]],
        median = o$tauMedian, spread = o$tauSpread, low = o$tauBounds[[1L]],
        high = o$tauBounds[[2L]], hill = o$hill, modulation = o$modulation,
        uneven = as.numeric(o$density == "uneven"), repressed = o$repressed,
        altered = o$altered, factor = o$alteredFactor,
        dispersion = o$dispersion, dropout = o$dropout,
        libraryRna = o$libraryRna, libraryAtac = o$libraryAtac
    )
}

## Gene bodies of 10 kb far from each other; a gene's first peak lies at its
## start (at an odd number, so that no two peaks have one name), the others
## within 50 kb of it, distal ones farther than 150 kb from any gene.
.multiomePlaces <- function(linked, nGenes) {
    peaks <- length(linked)
    distal <- is.na(linked)
    perGene <- ceiling(sum(distal) / nGenes)
    spacing <- 4e5 + 1e3 * perGene
    chromosomes <- min(22, ceiling(nGenes / 20))
    perChromosome <- ceiling(nGenes / chromosomes)
    locus <- seq_len(nGenes) - 1
    chr <- paste0("chr", locus %/% perChromosome + 1)
    start <- 1e6 + spacing * (locus %% perChromosome)
    at <- linked
    nth <- numeric(peaks)
    nth[!distal] <- stats::ave(linked[!distal], linked[!distal],
        FUN = seq_along
    )
    most <- max(c(1, nth))
    at[distal] <- (seq_len(sum(distal)) - 1) %% nGenes + 1
    from <- start[at] - 45e3 + 2 * floor(50e3 / most) * (nth - 1)
    promoter <- !distal & nth == 1
    from[promoter] <- start[at[promoter]] +
        ifelse(at[promoter] %% 2 == 1, -251, 1e4 - 251)
    from[distal] <- start[at[distal]] + 180e3 +
        1e3 * ((seq_len(sum(distal)) - 1) %/% nGenes)
    list(
        genes = data.frame(chr = chr, start = start, end = start + 1e4 - 1,
            strand = rep_len(c("+", "-"), nGenes)
        ),
        peaks = sprintf("%s:%.0f-%.0f", chr[at], from, from + 500)
    )
}

.multiomeObject <- function(s, o, key) {
    peak <- seq_len(s$peaks)
    linked <- s$linked[peak]
    genes <- sprintf("gene%0*d", max(3L, nchar(o$nGenes)), seq_len(o$nGenes))
    cells <- sprintf("cell%0*d", nchar(o$nCells), seq_len(o$nCells))
    places <- .multiomePlaces(linked, o$nGenes)
    sparse <- function(x, rows) {
        methods::new("dgCMatrix", p = x$p, i = x$i, x = x$x,
            Dim = c(length(rows), length(cells)), Dimnames = list(rows, cells)
        )
    }
    dense <- function(x) {
        matrix(x, o$nGenes, dimnames = list(genes, cells))
    }
    deep <- function(m, where) {
        if (o$deepCells < 1 || o$deepIn != where) {
            return(m)
        }
        last <- m@p[min(o$deepCells, ncol(m)) + 1L]
        m@x[seq_len(last)] <- m@x[seq_len(last)] * o$deepFactor
        m
    }
    assays <- list(counts = deep(sparse(s$rna, genes), "rna"))
    if (length(s$chromatin)) {
        assays$chromatin <- dense(s$chromatin)
        assays$rate <- dense(s$rate)
    }
    atac <- SingleCellExperiment::SingleCellExperiment(
        assays = list(counts = deep(sparse(s$atac, places$peaks),
            "chromatin"))
    )
    known <- which(!is.na(linked))
    SingleCellExperiment::SingleCellExperiment(
        assays = assays, altExps = list(ATAC = atac),
        mainExpName = "RNA",
        rowData = S4Vectors::DataFrame(
            trueTau = s$tau, trueDelay = s$tau * (1 - s$share),
            trueKinetics = s$tau * s$share, kind = .genePatterns[s$pattern + 1L],
            dynamic = s$dynamic == 1L, kinetic = s$kinetic == 1L,
            repressed = s$repressed == 1L, altered = s$altered == 1L
        ),
        colData = .multiomeCells(s, o, cells),
        metadata = list(
            links = data.frame(gene = genes[linked[known]],
                peak = places$peaks[known]
            ),
            genes = cbind(gene = genes, places$genes),
            simulation = list(
                kind = "multiome", settings = o, seed = .keyText(key),
                peaks = data.frame(peak = places$peaks,
                    gene = genes[s$geneOf[peak]],
                    follows = s$follows[peak] == 1L
                ), partner = s$partner
            )
        )
    )
}

.multiomeCells <- function(s, o, cells) {
    resting <- o$topology == "clusters"
    branch <- switch(o$topology,
        clusters = paste0("state", s$branch + 1L),
        bifurcation = c("trunk", "A", "B")[s$branch + 1L],
        exit = ifelse(s$branch == 2L, "exit", "loop"),
        rep("course", length(cells))
    )
    data <- S4Vectors::DataFrame(
        time = if (resting) rep(NA_real_, length(cells)) else s$time,
        branch = branch, row.names = cells
    )
    if (o$altered > 0 && o$alteredIn == "condition") {
        data$condition <- c("control", "treated")[s$group + 1L]
    }
    data
}

## What simulatedTruth() gives for these cells.
.multiomeTruth <- function(x) {
    data <- SummarizedExperiment::rowData(x)
    fields <- c("trueTau", "kind", "dynamic", "kinetic", "repressed", "altered")
    left <- setdiff(fields, colnames(data))
    if (length(left)) {
        .stopArgument("x", "has lost these columns of rowData: ", .some(left),
            "."
        )
    }
    out <- cbind(gene = rownames(x), as.data.frame(data[, fields]))
    names(out)[[2L]] <- "tau"
    rownames(out) <- NULL
    out
}
