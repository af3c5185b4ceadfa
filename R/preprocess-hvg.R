## Moments of genes, and the variable ones by dispersion as in scanpy.

.nonZero <- function(x) ifelse(x == 0, 1, x)

.scaleColumns <- function(x, by) {
    x@x <- x@x * rep.int(by, diff(x@p))
    x
}

## Mean and unbiased variance per gene: of values, times `by` (a number for each
## of the columns; NULL: as they are), `logged`: log1p of that.
.geneMoments <- function(m, rows, columns, by = NULL, logged = FALSE,
    chunks = .columnChunks(m, columns)) {
    sums <- .noMoments(length(rows))
    for (part in chunks) {
        sums <- .addMoments(sums, .columnChunk(m, part, rows),
            by[sums$n + seq_along(part)], logged
        )
    }
    .momentsOf(sums)
}

## See src/engine/stats/quality.h.
.noMoments <- function(genes) {
    list(n = 0, mean = numeric(genes), square = numeric(genes))
}

## `take`: flags of the cells that count; NULL: all. `less`: takes cells away
## that were added.
.addMoments <- function(s, x, by = NULL, logged = FALSE, take = NULL,
    less = FALSE) {
    .Call(cw_r_moments, .countsView(x), by, take, s, c(logged, less))
}

.countsView <- function(x) list(dim = dim(x), p = x@p, i = x@i, x = x@x)

.momentsOf <- function(s) {
    list(mean = s$mean, variance = s$square / max(1, s$n - 1))
}

## Sum and sum of squares per gene of counts cut at `most`.
.clippedSums <- function(m, rows, columns, most) {
    sum <- square <- numeric(length(rows))
    for (part in .columnChunks(m, columns)) {
        x <- .columnChunk(m, part, rows)
        x@x <- pmin(x@x, most[x@i + 1L])
        sum <- sum + Matrix::rowSums(x)
        x@x <- x@x^2
        square <- square + Matrix::rowSums(x)
    }
    list(sum = sum, square = square)
}

## Log of variance / mean, standardised within equal bins of log1p(mean). A bin
## with one value gets 1, as there.
.binnedDispersion <- function(mean, dispersion, bins = 20L) {
    span <- range(mean)
    if (diff(span) == 0) {
        bin <- rep(1L, length(mean))
    } else {
        breaks <- seq(span[[1L]], span[[2L]], length.out = bins + 1L)
        breaks[[1L]] <- breaks[[1L]] - diff(span) * 1e-3
        bin <- findInterval(mean, breaks, left.open = TRUE,
            rightmost.closed = TRUE
        )
        bin <- pmin(pmax(bin, 1L), bins)
    }
    centre <- tapply(dispersion, bin, base::mean, na.rm = TRUE)
    spread <- tapply(dispersion, bin, stats::sd, na.rm = TRUE)
    alone <- is.na(spread)
    spread[alone] <- centre[alone]
    centre[alone] <- 0
    bin <- as.character(bin)
    as.numeric((dispersion - centre[bin]) / spread[bin])
}

## Variance over mean; "seurat" takes logs of both.
.rawDispersion <- function(mean, variance, logs) {
    mean[mean == 0] <- 1e-12
    dispersion <- variance / mean
    if (logs) {
        dispersion[dispersion == 0] <- NA
        dispersion <- log(dispersion)
        mean <- log1p(mean)
    }
    list(mean = mean, dispersion = dispersion)
}

## "cell_ranger": centred by the median and scaled by the median absolute
## deviation of bins of 5% of the genes, the lowest 10% in one.
.rankedDispersion <- function(mean, dispersion) {
    edges <- stats::quantile(mean, seq(0.1, 1, by = 0.05), names = FALSE)
    edges <- c(-Inf, edges, Inf)
    if (anyDuplicated(edges)) {
        .stopArgument("flavor", "\"cell_ranger\" needs genes of more ",
            "different means: ", length(unique(mean)), " are too few for its ",
            "20 bins. Take \"seurat\"."
        )
    }
    bin <- findInterval(mean, edges, left.open = TRUE)
    centre <- tapply(dispersion, bin, stats::median)
    spread <- tapply(dispersion, bin, stats::mad,
        constant = 1 / stats::qnorm(0.75)
    )
    at <- as.character(bin)
    out <- as.numeric((dispersion - centre[at]) / spread[at])
    out[is.nan(out)] <- NA
    out
}

## Table of the kept genes, see the value of preprocess(); moments: of them, see
## .keptMoments().
.variableTable <- function(input, kept, isTF, moments, s) {
    isTF <- isTF[kept$rows]
    compete <- which(!(s$keepTFs & isTF))
    if (!length(compete)) {
        .stopArgument("keepTFs", "is TRUE, and all kept genes are ",
            "transcription factors: none is left to be variable."
        )
    }
    out <- if (s$flavor == "seurat_v3") {
        .clippedVariance(input$matrix, kept, moments, compete, s)
    } else {
        .dispersionTable(moments, compete, s)
    }
    out$chosen <- out$highly_variable | s$keepTFs & isTF
    S4Vectors::DataFrame(out)
}

.dispersionTable <- function(moments, compete, s) {
    raw <- .rawDispersion(moments$mean, moments$variance,
        s$flavor == "seurat"
    )
    norm <- rep(NA_real_, length(raw$mean))
    norm[compete] <- if (s$flavor == "seurat") {
        .binnedDispersion(raw$mean[compete], raw$dispersion[compete], s$bins)
    } else {
        .rankedDispersion(raw$mean[compete], raw$dispersion[compete])
    }
    variable <- logical(length(norm))
    score <- norm[compete]
    if (is.null(s$nTargets)) {
        score[is.na(score)] <- 0
        variable[compete] <- raw$mean[compete] > s$means[[1L]] &
            raw$mean[compete] < s$means[[2L]] &
            score > s$dispersions[[1L]] & score < s$dispersions[[2L]]
    } else {
        ranked <- sort(score, decreasing = TRUE)
        last <- if (length(ranked)) ranked[[min(s$nTargets, length(ranked))]] else
            Inf
        variable[compete] <- !is.na(score) & score >= last
    }
    list(
        means = raw$mean, dispersions = raw$dispersion,
        dispersions_norm = norm, highly_variable = variable
    )
}

.clippedVariance <- function(m, kept, moments, compete, s) {
    mean <- moments$mean
    variance <- moments$variance
    sd <- rep(1, length(mean))
    vary <- compete[variance[compete] > 0]
    sd[vary] <- .expectedSd(mean[vary], variance[vary], s$span)
    n <- length(kept$columns)
    clipped <- .clippedSums(m, kept$rows, kept$columns, sd * sqrt(n) + mean)
    norm <- (n * mean^2 + clipped$square - 2 * clipped$sum * mean) /
        ((n - 1) * sd^2)
    norm[-compete] <- NA
    rank <- rep(NA_real_, length(mean))
    order <- compete[order(-norm[compete])]
    order <- order[seq_len(min(s$nTargets, length(order)))]
    rank[order] <- seq_along(order) - 1
    list(
        means = mean, variances = variance, variances_norm = norm,
        highly_variable_rank = rank, highly_variable = !is.na(rank)
    )
}

## Standard deviation expected at a gene's mean: R's loess is the library that
## scanpy's scikit-misc wraps.
.expectedSd <- function(mean, variance, span) {
    table <- data.frame(x = log10(mean), y = log10(variance))
    if (nrow(table) < 3L) {
        .stopArgument("x", "has ", nrow(table), " genes that vary; flavor ",
            "\"seurat_v3\" fits a curve through them and needs many more. ",
            "Take \"seurat\"."
        )
    }
    noted <- new.env()
    fit <- withCallingHandlers(
        stats::loess(y ~ x, table, span = span, degree = 2,
            control = stats::loess.control(trace.hat = "approximate")
        ),
        warning = function(w) {
            assign("rough", TRUE, envir = noted)
            invokeRestart("muffleWarning")
        }
    )
    if (!is.null(noted$rough) || !all(is.finite(fit$fitted))) {
        warning("flavor \"seurat_v3\": the loess of variance on mean is near ",
            "singular (few genes, or many of the same mean; scanpy may stop ",
            "here); a larger 'span' or 'minCells' helps.",
            call. = FALSE
        )
    }
    sqrt(10^fit$fitted)
}
