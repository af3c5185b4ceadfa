## Small paired counts without structure, and an engine's answer made up for
## tests of what R makes of it.
tauCounts <- function(genes = 30, peaks = 60, cells = 230, rate = 1.5) {
    names <- paste0("AAACCCTTTGGG", chartr("0123456789", "ACGTACGTAC",
        sprintf("%04d", seq_len(cells))
    ), seq_len(cells), "-1")
    rna <- matrix(rpois(genes * cells, rate), genes,
        dimnames = list(paste0("gene", seq_len(genes)), names)
    )
    at <- 1000 * seq_len(peaks)
    atac <- matrix(rpois(peaks * cells, rate / 2), peaks,
        dimnames = list(sprintf("chr1:%d-%d", at, at + 500), names)
    )
    list(
        rna = methods::as(rna + 0, "dgCMatrix"),
        atac = methods::as(atac + 0, "dgCMatrix"),
        links = data.frame(gene = rep_len(rownames(rna), peaks),
            peak = rownames(atac)
        )
    )
}

tauGenes <- function(genes = 30) {
    data.frame(gene = paste0("gene", seq_len(genes)), chr = "chr1",
        start = 2000 * seq_len(genes), end = 2000 * seq_len(genes) + 900,
        strand = "+"
    )
}

## Three genes on two chromosomes, one on the minus strand.
genesTable <- function() {
    data.frame(
        gene = c("A", "B", "C"), chr = c("chr1", "chr1", "chr2"),
        start = c(10000, 50000, 1000), end = c(20000, 60000, 2000),
        strand = c("+", "-", "+")
    )
}

tauSCE <- function(d) {
    x <- SingleCellExperiment::SingleCellExperiment(list(counts = d$rna))
    SingleCellExperiment::altExp(x, "other") <-
        SingleCellExperiment::SingleCellExperiment(list(counts = d$rna[1:3, ]))
    SingleCellExperiment::altExp(x, "ATAC") <-
        SingleCellExperiment::SingleCellExperiment(list(counts = d$atac))
    x
}

## The shape of cw_r_tau_fit's answer for `input`, all genes usable.
tauAnswer <- function(input, metacells = 20) {
    g <- length(input$genes)
    m <- matrix(1, metacells, g)
    tau <- seq(0.3, 2, length.out = g)
    grid <- seq(0, 4, length.out = 17)
    ## a line: 4 metacells to a unit, every one a landmark, back from m to
    ## m - 4 t and no farther than the first
    features <- array(0, c(17, metacells, metacells))
    for (k in seq_along(grid)) {
        for (i in seq_len(metacells)) {
            features[k, i, max(1, i - 4 * grid[[k]])] <- 1
        }
    }
    list(
        grid = grid, features = features, size = rep(11.5, metacells),
        rimMetacells = seq_len(metacells) <= 8,
        axes = 3L, usable = rep(TRUE, g), concord = 0.9, lead = 0.85,
        leadZ = 7, usableHalf = 25, reliability = 0.7, spread = 0.5,
        clock = 0.1, gain = 12, heterogeneity = 4, readout = "delay",
        shape = c(1, 0, 0), flowVariance = rep(0.01, g),
        clockVariance = rep(0.01, g),
        tau = tau, sd = rep(0.2, g), low = tau - 0.3, high = tau + 0.3,
        mode = tau, beta = rep(1, g), alpha = rep(0, g), rim = rep(FALSE, g),
        signalChromatin = rep(200, g), signalRna = rep(300, g),
        correlation = rep(0.8, g), peakWeight = rep(1, nrow(input$links)),
        metacell = rep_len(seq_len(metacells), length(input$cells)),
        time = seq_len(metacells) / 4, chromatin = m, rna = m,
        baselines = list(xcorr = tau^2, switchTime = -tau)
    )
}

tauFit <- function(change = list(), time = NULL, d = tauCounts()) {
    input <- .cleanCounts(.readPairs(d$rna, d$atac), FALSE)
    input$links <- .givenLinks(input, d$links, FALSE)
    answer <- utils::modifyList(tauAnswer(input), change)
    input$time <- .tauTime(input, time)
    .anchoredObject(input, answer, .tauOptions(list(), "auto"), "hours",
        .newKey(1), 1L, 0
    )
}

## ---- fits that several files stand on ---------------------------------------

## What `make()` gives, made once per run of the tests.
madeOnce <- local({
    made <- new.env(parent = emptyenv())
    function(name, make) {
        if (is.null(made[[name]])) {
            assign(name, make(), envir = made)
        }
        made[[name]]
    }
})

simulatedFit <- function(name, ...) {
    madeOnce(name, function() {
        x <- simulateMultiome(...)
        fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1,
            verbose = FALSE
        )
        list(cells = x, fit = fit, truth = simulatedTruth(x),
            usable = geneNames(fit)[as.data.frame(fit)$usable]
        )
    })
}

## Identifiable delays; a quarter of the genes slower in one condition.
alteredTau <- function() {
    simulatedFit("altered", nCells = 2200, nGenes = 180, altered = 0.25,
        seed = 5
    )
}

## A small fit, for what is to be run and not to be right.
smallTau <- function() {
    simulatedFit("small", nCells = 600, nGenes = 80, seed = 1)
}

## Spearman of the delays with the truth over genes that change.
recovered <- function(fit, x) {
    truth <- simulatedTruth(x)
    truth <- truth[match(geneNames(fit), truth$gene), ]
    use <- fit@table$usable & truth$dynamic
    stats::cor(fit@table$tau[use], truth$tau[use], method = "spearman")
}

tauLinks <- function(x) S4Vectors::metadata(x)$links

## ---- the engine's entries ---------------------------------------------------

sparseSlots <- function(m) {
    list(p = m@p, i = m@i, x = as.numeric(m@x), rows = nrow(m),
        columns = ncol(m)
    )
}

tauInput <- function(nCells = 400, nGenes = 60, seed = 11) {
    x <- simulateMultiome(nCells, nGenes, seed = seed)
    atac <- SummarizedExperiment::assay(SingleCellExperiment::altExp(x))
    k <- S4Vectors::metadata(x)$links
    list(atac = sparseSlots(atac),
        rna = sparseSlots(SummarizedExperiment::assay(x)),
        links = list(gene = match(k$gene, rownames(x)) - 1L,
            peak = match(k$peak, rownames(atac)) - 1L
        )
    )
}

fitTau <- function(d, options = list(), embedding = NULL, threads = 1L) {
    .Call(cw_r_tau_fit, d$atac, d$rna, d$links, embedding, NULL, NULL, options,
        c(1, 2), threads, FALSE
    )
}
