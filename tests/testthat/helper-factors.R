## Networks of cells from dense factors, for the tests of CellGRN.

denseFactors <- function(nCells = 5L, nTF = 3L, nGenes = 11L, m = 6L) {
    value <- function(n) ((seq_len(n) * 7919) %% 1009) / 1009
    list(
        u = array(value(nCells * nTF * m), c(nCells, nTF, m)),
        v = array(value(nCells * nGenes * m + 5)[-seq_len(5)],
            c(nCells, nGenes, m)
        )
    )
}

fromDense <- function(d, k, cells = NULL) {
    nCells <- dim(d$u)[[1L]]
    genes <- paste0("g", seq_len(dim(d$v)[[2L]]))
    CellGRN(
        tfs = genes[c(4, 1, 7)], genes = genes,
        cells = if (is.null(cells)) paste0("c", seq_len(nCells)) else cells,
        nFactors = dim(d$u)[[3L]], k = k,
        factors = causeway:::.factorsFromDense(d$u, d$v, k),
        expression = matrix(seq_len(length(genes) * nCells) %% 5,
            length(genes)
        ),
        cellData = S4Vectors::DataFrame(
            group = rep(c("a", "b"), length.out = nCells)
        )
    )
}

keepTop <- function(a, k) {
    aperm(apply(a, c(1, 2), function(r) {
        r[order(-r)[-seq_len(k)]] <- 0
        r
    }), c(2, 3, 1))
}
