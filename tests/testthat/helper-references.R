## A small network and reference, and their candidates written out.

bruteAuroc <- function(score, positive) {
    mean(outer(score[positive], score[!positive], function(p, n) {
        (p > n) + 0.5 * (p == n)
    }))
}

refCase <- function() {
    genes <- paste0("g", seq_len(14))
    s <- matrix((seq_len(4 * 14) * 37) %% 17, 4,
        dimnames = list(genes[c(2, 5, 9, 11)], genes)
    )
    edges <- data.frame(
        TF = genes[c(2, 2, 2, 5, 5, 9, 9, 9)],
        target = genes[c(1, 3, 4, 12, 7, 8, 1, 3)]
    )
    list(s = s, edges = edges, genes = genes, grn = PooledGRN(s))
}

## label and score of every candidate of the given TFs and genes, by hand
handSet <- function(s, edges, tfs, genes = colnames(s), without = NULL) {
    pairs <- expand.grid(TF = tfs, target = genes, stringsAsFactors = FALSE)
    pairs <- pairs[pairs$TF != pairs$target, ]
    key <- paste(pairs$TF, pairs$target)
    if (!is.null(without)) {
        pairs <- pairs[!key %in% paste(without$Gene1, without$Gene2), ]
        key <- paste(pairs$TF, pairs$target)
    }
    data.frame(pairs, score = s[cbind(pairs$TF, pairs$target)],
        positive = key %in% paste(edges[[1]], edges[[2]])
    )
}
