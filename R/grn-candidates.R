## Candidate edges of an evaluation, and which of them are known.

## The candidates and which of them are known edges. `use`: logical, TFs x
## genes as a vector; `positive`: by candidate.
.candidates <- function(scores, reference, candidates = "reference TFs") {
    split <- .splitParts(reference)
    edges <- split$edges
    cleaned <- .cleanEdges(edges, scores)
    pairs <- .candidatePairs(candidates, scores)
    tfs <- .candidateTfs(candidates, scores, cleaned$edges, pairs, split)
    genes <- colnames(scores)
    use <- matrix(TRUE, length(tfs), length(genes))
    if (!is.null(pairs)) {
        use[] <- FALSE
        mine <- pairs$Gene1 %in% tfs
        use[cbind(match(pairs$Gene1, tfs), match(pairs$Gene2, genes))[mine, ,
            drop = FALSE
        ]] <- TRUE
    }
    use[cbind(seq_along(tfs), match(tfs, genes))] <- FALSE
    use <- .restrictToSplit(use, split, tfs, genes)
    positive <- matrix(FALSE, length(tfs), length(genes))
    known <- cleaned$edges[cleaned$edges$Gene1 %in% tfs, ]
    positive[cbind(match(known$Gene1, tfs), match(known$Gene2, genes))] <- TRUE
    use <- as.vector(use)
    positive <- as.vector(positive)[use]
    if (!any(positive) || all(positive)) {
        .stopArgument("reference", if (any(positive)) paste(
            "has every candidate edge, so nothing can be told apart."
        ) else "has no edge among the candidates; see 'candidates'.")
    }
    list(tfs = tfs, genes = genes, use = use, positive = positive,
        facts = c(list(
            candidates = length(positive), positives = sum(positive),
            positiveRate = mean(positive), tfs = length(tfs),
            genes = length(genes)
        ), cleaned$facts, list(
            candidateSet = .candidateText(candidates, pairs, split),
            split = if (is.null(split$by)) NA_character_ else split$by
        ))
    )
}

## Reference edges without duplicates and self edges, of known genes.
.cleanEdges <- function(edges, scores) {
    all <- nrow(edges)
    names <- unique(c(edges$Gene1, edges$Gene2))
    from <- match(edges$Gene1, names)
    to <- match(edges$Gene2, names)
    keep <- !is.na(edges$Gene1) & !is.na(edges$Gene2)
    keep[keep] <- !duplicated(from[keep] * (length(names) + 1) + to[keep])
    twice <- sum(!keep)
    self <- keep & from == to
    keep <- keep & !self
    names <- names[unique(c(from[keep], to[keep]))]
    unknown <- setdiff(names, colnames(scores))
    known <- keep & edges$Gene1 %in% rownames(scores) &
        edges$Gene2 %in% colnames(scores)
    if (!any(known)) {
        .stopArgument("reference", "has no edge from a TF of the network to a ",
            "gene of the network (", all, " edges given, ", sum(self),
            " of them self edges, ", length(unknown), " of ", length(names),
            " genes unknown", if (length(unknown)) ", such as ",
            .some(unknown, 3L), "); check the kind of gene names."
        )
    }
    edges <- data.frame(Gene1 = edges$Gene1[known], Gene2 = edges$Gene2[known])
    list(edges = edges, facts = list(
        referenceEdges = all, unknownGenes = length(unknown),
        lostEdges = sum(keep & !known), selfEdges = sum(self),
        duplicates = twice
    ))
}

## `candidates` as pairs that the network has, or NULL for a rule.
.candidatePairs <- function(candidates, scores) {
    if (is.character(candidates) && length(candidates) == 1L) {
        .oneOf(candidates, c("reference TFs", "all"), "candidates")
        return(NULL)
    }
    pairs <- .referenceEdges(candidates, "candidates", pairs = TRUE)
    known <- pairs$Gene1 %in% rownames(scores) &
        pairs$Gene2 %in% colnames(scores) & pairs$Gene1 != pairs$Gene2
    if (!any(known)) {
        .stopArgument("candidates", "has no pair of a TF and a gene of the ",
            "network among its ", nrow(pairs), " rows."
        )
    }
    kept <- unique(pairs[known, ])
    attr(kept, "given") <- nrow(pairs)
    kept
}

.candidateTfs <- function(candidates, scores, edges, pairs, split) {
    tfs <- rownames(scores)
    if (!is.null(pairs)) {
        tfs <- tfs[tfs %in% pairs$Gene1]
    } else if (candidates == "reference TFs") {
        tfs <- tfs[tfs %in% edges$Gene1]
    }
    if (identical(split$by, "TF")) {
        tfs <- tfs[tfs %in% split$tfs]
    }
    tfs
}

.restrictToSplit <- function(use, split, tfs, genes) {
    if (identical(split$by, "target")) {
        use[, !genes %in% split$targets] <- FALSE
    } else if (identical(split$by, "edge")) {
        seen <- split$train
        seen <- seen[seen$Gene1 %in% tfs & seen$Gene2 %in% genes, ]
        use[cbind(match(seen$Gene1, tfs), match(seen$Gene2, genes))] <- FALSE
    }
    use
}

.candidateText <- function(candidates, pairs, split) {
    text <- if (!is.null(pairs)) {
        paste0("the ", format(nrow(pairs), big.mark = ","), " of ",
            format(attr(pairs, "given"), big.mark = ","),
            " given pairs that the network has"
        )
    } else if (candidates == "all") {
        "all TFs of the network x all genes"
    } else {
        "TFs that are sources in the reference x all genes"
    }
    held <- switch(if (is.null(split$by)) "none" else split$by,
        none = "",
        TF = ", held-out TFs only", target = ", held-out targets only",
        edge = ", without the training edges"
    )
    paste0(text, held, ", no self edges")
}
