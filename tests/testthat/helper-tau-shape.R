## A TauFit of made-up numbers in the engine's shape: a straight flow of speed
## 1, genes that switch on along it, RNA = alpha + beta * chromatin tau ago.
shapedTau <- function(genes = sprintf("gene%03d", 1:40), identifiable = TRUE,
    M = 80, tau = seq(0.4, 2.2, length.out = length(genes)),
    reported = rep(TRUE, length(genes)), clock = FALSE) {
    G <- length(genes)
    at <- seq(0, 10, length.out = M)
    z <- cbind(at, 0.2 * sin(seq_len(M)))
    landmarks <- cbind(seq(0, 10, length.out = 30), 0)
    centre <- rep_len(seq(2, 7, length.out = 11), G)
    rise <- function(t) {
        vapply(seq_len(G), function(g) {
            stats::plogis(3 * (t[, g] - centre[[g]]))
        }, numeric(M))
    }
    now <- matrix(at, M, G)
    c <- 2 * rise(now)
    beta <- rep_len(c(0.8, 1.3), G)
    alpha <- rep_len(c(0.1, 0.3), G)
    r <- sweep(sweep(2 * rise(now - rep(tau, each = M)), 2L, beta, "*"), 2L,
        alpha, "+"
    )
    wave <- function(m, k) m + 0.1 * sin(k * seq_along(m))
    usable <- is.finite(tau)
    table <- S4Vectors::DataFrame(
        gene = genes, tau = tau, sd = 0.15, low = tau * 0.8, high = tau * 1.25,
        mode = tau, usable = usable, reported = reported & usable,
        flag = ifelse(!usable, "not usable: no RNA signal",
            ifelse(reported, "", "wide")
        ), beta = beta, alpha = alpha, signalChromatin = 200,
        signalRna = ifelse(usable, 200, 5), correlation = 0.8, peaks = 3L
    )
    cells <- paste0("cell", seq_len(3L * M))
    metacell <- rep(seq_len(M), each = 3L)
    new("TauFit", table = table, verdict = list(identifiable = identifiable,
        reasons = if (identifiable) character() else
            "RNA doesn't follow chromatin (lead 0.52, needed 0.70)",
        axes = 2, usable = sum(usable), concord = 0.9,
        lead = if (identifiable) 0.93 else 0.52, leadZ = 5, gain = 3,
        heterogeneity = 4
    ), method = "anchored", unit = if (clock) {
        list(name = "hours", scale = 2, error = 0.1, method = "clock")
    } else {
        list(name = "median delay", scale = NA_real_, error = NA_real_,
            method = "median"
        )
    }, readout = "delay", fit = list(
        z = z, embedding = z[metacell, ], metacell = metacell,
        size = rep(3, M), landmarks = landmarks, bandwidth = 0.5,
        velocity = cbind(rep(1, 30), 0), time = at,
        chromatin = wave(c, 7), rna = wave(r, 11), fittedChromatin = c,
        fittedRna = r
    ), links = data.frame(gene = rep(genes, each = 3),
        peak = paste0("chr1:", seq_len(3 * G), "000-", seq_len(3 * G), "400"),
        distance = 0, weight = 1
    ), genes = genes, cells = cells, cellData = S4Vectors::DataFrame(
        branch = rep(c("A", "B"), length.out = length(cells)),
        stage = rep(at, each = 3)
    ), metadata = list(settings = list(metacells = 0, readout = 0)))
}

## A plot drawn to a file that is thrown away; what was built.
drawn <- function(plot) {
    expect_s3_class(plot, "ggplot")
    file <- openPdf()
    on.exit(unlink(file))
    print(plot)
    grDevices::dev.off()
    ggplot2::ggplot_build(plot)
}
openPdf <- function() {
    file <- tempfile(fileext = ".pdf")
    grDevices::pdf(file)
    file
}

## The validation of a fit, rows by name.
namedRows <- function(fit, ...) {
    out <- as.data.frame(validateTau(fit, ...))
    rownames(out) <- out$test
    out
}

## Delays as the specification expects them: immediate-early genes fastest,
## pioneer factors slowest.
setGenes <- function() {
    sets <- tauGeneSets()
    c(sets$immediateEarly, sets$pioneer, sprintf("GENE%02d", 1:37))
}
fastEarly <- function(...) {
    shapedTau(setGenes(), tau = c(seq(0.3, 0.42, by = 0.02),
        seq(2.4, 2.9, by = 0.1), seq(0.76, 1.3, length.out = 37)^3
    ), ...)
}
