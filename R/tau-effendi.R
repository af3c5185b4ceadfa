## estimateTau(method = "effendi"): inputs of the model of the written
## specification from paired counts, and its answer as a TauFit.

## anchored: the TauFit of the anchored method on the same cells, from whose
## axes come embeddings that weren't given, and whose verdict is kept.
.effendiObject <- function(input, anchored, job) {
    data <- .effendiData(input, anchored@fit, job$param, job$verbose)
    fit <- .effendiFit(data$zAtac, data$zRna, data$expression,
        data$geneEmbedding,
        param = job$param, key = job$key, dir = job$dir,
        threads = job$threads, verbose = job$verbose, peaks = data$peaks
    )
    fit <- c(fit, data[c("zAtac", "zRna", "geneEmbedding")])
    settings <- methods::slot(job$param, "settings")
    new("TauFit",
        table = .effendiDelays(fit, data$genes, input), method = "effendi",
        verdict = .effendiVerdict(settings), unit = list(
            name = "model time", scale = NA_real_, error = NA_real_,
            method = "none: the model's own integration time"
        ), readout = settings$readout, fit = fit,
        links = input$links, genes = data$genes, cells = input$cells,
        cellData = input$cellData, metadata = list(
            engine = .engineText(), seed = .keyText(job$key),
            settings = settings,
            coverage = anchored@metadata$coverage,
            anchored = anchored@verdict,
            baselines = fit$rank,
            seconds = proc.time()[["elapsed"]] - job$started
        )
    )
}

.effendiVerdict <- function(settings) {
    reason <- if (identical(settings$readout, "gene")) {
        paste0("delays of this model are not tested against the data, as ",
            "those of method \"anchored\" are"
        )
    } else {
        paste0("tau is exchangeable over genes (permuting tau over genes ",
            "leaves the loss unchanged)"
        )
    }
    list(identifiable = FALSE, reasons = reason)
}

## Embeddings of cells and genes, expression in [0, 1], of the linked genes.
.effendiData <- function(input, fit, param, verbose) {
    at <- which(input$genes %in% input$links$gene)
    given <- input$geneEmbedding
    if (!is.null(given)) {
        at <- at[rowSums(is.na(given[at, , drop = FALSE])) == 0L]
        if (length(at) < 2L) {
            .stopArgument("geneEmbedding", "covers ", length(at),
                " linked genes; at least two are needed."
            )
        }
    }
    logged <- .logNormalised(input$rna)
    zRna <- input$embedding$rna
    if (is.null(zRna)) {
        zRna <- .standardColumns(.axisScores(logged, fit$projectRna))
    }
    zAtac <- input$embedding$atac
    if (is.null(zAtac)) {
        weighted <- .lsiValues(input$atac, fit$projectAtac$weight)
        zAtac <- .standardColumns(.axisScores(weighted, fit$projectAtac))
    }
    logged <- logged[at, , drop = FALSE]
    if (is.null(given)) {
        .say(verbose, "Gene embedding: covariances of genes with the ",
            ncol(zRna), " dimensions of the RNA embedding."
        )
        emb <- .geneCovariances(logged, zRna)
    } else {
        emb <- given[at, , drop = FALSE]
        if (ncol(emb) != ncol(zRna)) {
            .stopArgument("geneEmbedding", "has ", ncol(emb), " dimensions ",
                "and the RNA embedding ", ncol(zRna), "; method \"effendi\" ",
                "needs as many. 'embedding' takes one of the same encoder."
            )
        }
    }
    rownames(zAtac) <- rownames(zRna) <- input$cells
    rownames(emb) <- input$genes[at]
    peaks <- if (isTRUE(methods::slot(param, "settings")$wPeaks > 0)) {
        open <- input$atac
        open@x[] <- 1
        Matrix::t(open)
    }
    list(zAtac = zAtac, zRna = zRna, geneEmbedding = emb,
        expression = .unitExpression(logged), peaks = peaks,
        genes = input$genes[at]
    )
}

## log1p of counts scaled to the median depth; sparse.
.logNormalised <- function(m) {
    depth <- colSums(m)
    m@x <- log1p(m@x * rep.int(median(depth) / pmax(depth, 1), diff(m@p)))
    m
}

## log1p(1e4 x share of the cell's peaks x inverse frequency); sparse.
.lsiValues <- function(m, weight) {
    depth <- colSums(m)
    share <- m@x / rep.int(pmax(depth, 1), diff(m@p))
    m@x <- log1p(1e4 * share * weight[m@i + 1L])
    m
}

## Scores of cells on the axes the engine found: (value - centre) loading.
.axisScores <- function(m, axes) {
    scores <- as.matrix(Matrix::crossprod(m, axes$loading))
    if (!is.null(axes$centre)) {
        scores <- sweep(scores, 2L, drop(axes$centre %*% axes$loading))
    }
    unname(scores)
}

.standardColumns <- function(m) {
    m <- sweep(m, 2L, colMeans(m))
    s <- sqrt(colMeans(m^2))
    sweep(m, 2L, ifelse(s > 0, s, 1), `/`)
}

## genes x dimensions: what a gene has to do with each axis of the cells.
.geneCovariances <- function(logged, z) {
    centred <- sweep(z, 2L, colMeans(z))
    e <- as.matrix(logged %*% centred) / nrow(z)
    s <- sqrt(colMeans(e^2))
    unname(sweep(e, 2L, ifelse(s > 0, s, 1), `/`))
}

## cells x genes in [0, 1]: log-normalised expression over the gene's largest.
.unitExpression <- function(logged) {
    top <- numeric(nrow(logged))
    seen <- tapply(logged@x, logged@i + 1L, max)
    top[as.integer(names(seen))] <- seen
    logged@x <- logged@x / top[logged@i + 1L]
    Matrix::t(logged)
}

## sd, low and high are those over cells, not of a posterior.
.effendiDelays <- function(fit, genes, input) {
    cells <- fit$tauCells
    over <- function(f) {
        if (is.null(cells)) rep(NA_real_, length(genes)) else
            apply(cells, 2L, f)
    }
    none <- rep(NA_real_, length(genes))
    tau <- as.numeric(fit$tau)
    S4Vectors::DataFrame(
        gene = genes, tau = tau, sd = over(stats::sd),
        low = over(function(v) stats::quantile(v, 0.05, names = FALSE)),
        high = over(function(v) stats::quantile(v, 0.95, names = FALSE)),
        mode = none, usable = is.finite(tau), reported = FALSE,
        flag = ifelse(is.finite(tau), "not ranked", "not usable: no value"),
        beta = none, alpha = none, signalChromatin = none, signalRna = none,
        correlation = none,
        peaks = tabulate(match(input$links$gene, genes), length(genes))
    )
}
