## Which type could cells be that the reference lacks?

#' Names for cells of an unknown type
#'
#' Ranks the terms of an ontology that no type of the reference has (and that
#' don't stand above all of them, as "cell" does), for each group of cells, by their similarity to the reference's types.
#'
#' @details
#' With w the softmax (temperature .1) of the cosines of the group's profile
#' with those of the types k, a term c scores
#' \describe{
#'   \item{`"default"`}{sum over k of w_k times the sum of simGIC(c, k), the
#'     information content of shared ancestors over that of all, and the
#'     similarity of the names;}
#'   \item{`"ppr"`}{personalised PageRank that starts from w, on `is_a`,
#'     `develops_from` and `part_of` taken as undirected (restart .15), over the
#'     root of its mean over all starts;}
#'   \item{`"vote"`}{scCello's: Spearman's correlation over types k of the
#'     group's cosine with k and personalised PageRank of k from c, on `is_a`
#'     taken as undirected (restart .1);}
#'   \item{`"parent"`}{simGIC with the parent of the most similar type: the
#'     baseline.}
#' }
#' On 69 types left out in turn, the default's median rank of the truth among
#' 2,526 terms was 29, PageRank's 44, chance 1,285; but the baseline's 56 was
#' not clearly worse (p = .79). So what is said first is "a kind of (parent),
#' near (type)"; the names are suggestions.
#'
#' @param labels what [annotateCells()] gives with `novelty = TRUE`; `cluster`
#'   there says what the groups are.
#' @param ontology what [readOntology()] gives.
#' @param terms Cell Ontology term of each type of the reference, see
#'   [trainAnnotator()]; `NULL`: [mapLabels()].
#' @param method see Details.
#' @param group groups to name; `NULL`: those that look unknown, else all.
#' @param top names per group.
#' @return A [CausewayReport-class] of class `NovelTypes` with tables `"groups"`
#'   (`group`, `cells`, `unknown`, `nearest` type, `similarity`, `parent`,
#'   `parentTerm`) and `"suggestions"` (`group`, `rank`, `term`, `name`,
#'   `score`, `parentRank`: its rank by the baseline).
#' @section Errors: labels without novelty, types none of which has a term, an
#'   unknown group.
#' @references The measurements are those of `spec/annotation-that-works.md` of
#'   the sources. Voting by personalised PageRank on the Cell Ontology: Yuan et
#'   al., scCello (NeurIPS 2024).
#' @seealso [noveltyScore()], [mapLabels()]; [nearestTypes()], KCellFM's way
#' @examples
#' ontology <- readOntology(
#'     system.file("extdata", "blood.obo", package = "causeway"))
#' cells <- exampleCells(180)
#' labels <- annotateCells(cells, cells, "group", nPerm = 3, seed = 1)
#' rankNovelTypes(labels, ontology, setNames(c("CL:0000236", "CL:0000084",
#'     "CL:0000576")[seq_along(unique(cells$group))], unique(cells$group)),
#'     top = 3)
#' @export
rankNovelTypes <- function(labels, ontology, terms = NULL,
    method = c("default", "ppr", "vote", "parent"), group = NULL, top = 5) {
    .isReport(labels, "CellLabels", "annotateCells", "labels")
    .isOntology(ontology)
    method <- match.arg(method)
    top <- .checkNumber(top, "top", 1, whole = TRUE)
    if (is.null(labels@facts$similarity)) {
        .stopArgument("labels", "was made with novelty = FALSE; say novelty = ",
            "TRUE in annotateCells()."
        )
    }
    groups <- .groupsToName(labels@tables$groups, group)
    similarity <- labels@facts$similarity[groups$group, , drop = FALSE]
    at <- .typeTerms(colnames(similarity), list(ontology = ontology,
        terms = terms))$term
    known <- !is.na(at)
    if (!any(known)) {
        .stopArgument("terms", "has no term for any type of the reference (",
            .some(colnames(similarity)), "); see mapLabels()."
        )
    }
    named <- .nameGroups(similarity[, known, drop = FALSE], at[known],
        ontology, method, top)
    groups <- cbind(groups[c("group", "cells", "unknown")], named$groups)
    .report("NovelTypes", .verdict(.novelText(groups, named$suggestions)),
        list(groups = groups, suggestions = named$suggestions),
        list(method = method, candidates = length(ontology@ids) -
            length(unique(at[known])), withoutTerm = colnames(similarity)[
            !known]))
}

#' @rdname rankNovelTypes
#' @exportClass NovelTypes
setClass("NovelTypes", contains = "CausewayReport")

.groupsToName <- function(groups, group) {
    if (is.null(group)) {
        return(if (any(groups$unknown)) groups[groups$unknown, ,
            drop = FALSE] else groups)
    }
    group <- .someOf(as.character(group), groups$group, "group")
    groups[match(group, groups$group), , drop = FALSE]
}

.nameGroups <- function(similarity, terms, ontology, method, top) {
    gic <- .simGic(ontology, seq_along(ontology@ids))
    text <- if (method == "default") .nameSimilarity(ontology, terms)
    votes <- if (method == "vote") .voteTerms(ontology, similarity, terms)
    out <- c(terms, Reduce(intersect, ontology@ancestors[terms]))
    rows <- lapply(seq_len(nrow(similarity)), function(i) {
        s <- similarity[i, ]
        nearest <- which.max(s)
        parent <- .parentOf(ontology, terms[[nearest]])
        base <- gic[, parent]
        base[parent] <- 9
        score <- switch(method, parent = base, vote = votes[, i],
            .rankTerms(ontology, s, terms, method, gic, text))
        score[out] <- base[out] <- -Inf
        best <- head(order(-score), top)
        list(group = data.frame(nearest = colnames(similarity)[[nearest]],
                similarity = s[[nearest]], parent = ontology@names[parent],
                parentTerm = ontology@ids[parent]),
            suggestion = data.frame(group = rownames(similarity)[[i]],
                rank = seq_along(best), term = ontology@ids[best],
                name = ontology@names[best], score = score[best],
                parentRank = rank(-base, ties.method = "min")[best]))
    })
    list(groups = do.call(rbind, lapply(rows, `[[`, "group")),
        suggestions = do.call(rbind, lapply(rows, `[[`, "suggestion")))
}

## Scores of all terms from similarities to the types' terms.
.rankTerms <- function(ontology, similarity, terms, method, gic, text) {
    w <- exp((similarity - max(similarity)) / 0.1)
    w <- w / sum(w)
    if (method == "ppr") {
        start <- numeric(length(ontology@ids))
        for (k in seq_along(terms)) {
            start[terms[[k]]] <- start[terms[[k]]] + w[[k]]
        }
        return(.pageRank(ontology, start))
    }
    as.vector(gic[, terms, drop = FALSE] %*% w + text %*% w)
}

## Terms x groups: how well what a group says of the types agrees with how
## near these are to the term.
.voteTerms <- function(ontology, similarity, terms, block = 256L) {
    n <- length(ontology@ids)
    ends <- cbind(rep(seq_len(n), lengths(ontology@parents)),
        unlist(ontology@parents)) - 1L
    storage.mode(ends) <- "integer"
    blocks <- split(seq_len(n), (seq_len(n) - 1L) %/% block)
    near <- do.call(cbind, lapply(blocks, function(at) {
        .Call(cw_r_page_rank, ends, at - 1L, c(n, 0.9, 1e-6, 100),
            .threads(NULL))$rank[terms, , drop = FALSE]
    }))
    .Call(cw_r_column_spearman, t(similarity), near)
}

## The most informative parent; a root is its own.
.parentOf <- function(ontology, term) {
    up <- ontology@parents[[term]]
    if (!length(up)) term else up[[which.max(ontology@ic[up])]]
}

.novelText <- function(groups, suggestions) {
    lines <- vapply(seq_len(nrow(groups)), function(i) {
        g <- groups[i, ]
        own <- suggestions$name[suggestions$group == g$group]
        sprintf("%s (%s%s): a kind of %s, near %s (cosine %.2f).", g$group,
            .count(g$cells, "cell"), if (g$unknown) ", looks unknown" else
                ", looks known", g$parent, g$nearest, g$similarity)
    }, "")
    c(head(lines, 10L), if (length(lines) > 10L) sprintf("And %d more groups.",
        length(lines) - 10L), paste("The names in \"suggestions\" are",
        "suggestions: such ranks are far above chance, but not proven better",
        "than the parent of the nearest type."))
}

setMethod(".showBody", "NovelTypes", function(x) {
    .showRows(x@tables$suggestions, 15L)
})
