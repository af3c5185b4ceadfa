## Labels as terms of the ontology, and the back-off to an ancestor.

#' Find the terms that labels mean
#'
#' Free-text labels to terms of an ontology: by identifier, name, exact
#' synonym, the same words in any order and spelling ("CD14+ Monocytes",
#' "Mono_CD14"), then other synonyms. What is only similar is suggested, never
#' taken.
#'
#' @param labels labels; each different one is looked up once.
#' @param ontology what [readOntology()] gives.
#' @return A data.frame, a row per different label: `label`, `term`, `name`
#'   (NA: not found), `how` (`"identifier"`, `"replaced"` (an obsolete term by
#'   the one that replaces it), `"name"`, `"synonym"`, `"words"`,
#'   `"related synonym"`, `"none"`), `suggestion` (the most similar name, for
#'   those not found) and its `similarity`. The report in words is printed by
#'   `message()`, if any label isn't found.
#' @section Errors: `labels` that are no text.
#' @seealso [readOntology()], [trainAnnotator()]
#' @examples
#' ontology <- readOntology(
#'     system.file("extdata", "blood.obo", package = "causeway"))
#' mapLabels(c("Mono_CD14", "T_CD4", "NK cells", "CL:0000236"), ontology)
#' @export
mapLabels <- function(labels, ontology) {
    .isOntology(ontology)
    if (!is.character(labels) && !is.factor(labels)) {
        .stopArgument("labels", "must be text; it is ", .show(labels), ".")
    }
    labels <- as.character(labels)
    labels <- .sortedUnique(labels[!is.na(labels) & nzchar(trimws(labels))])
    if (!length(labels)) {
        return(data.frame(label = character(), term = character(),
            name = character(), how = character(), suggestion = character(),
            similarity = numeric()))
    }
    found <- .lookUpTerms(labels, ontology)
    out <- data.frame(label = labels, term = ontology@ids[found$term],
        name = ontology@names[found$term], how = found$how,
        suggestion = NA_character_, similarity = NA_real_)
    lost <- which(is.na(found$term))
    if (length(lost)) {
        near <- .nearestNames(labels[lost], ontology)
        out$suggestion[lost] <- ontology@names[near$term]
        out$similarity[lost] <- near$similarity
        message(.count(length(lost), "label"), " not found in the ontology: ",
            .some(sprintf("%s (\"%s\"?)", labels[lost],
                out$suggestion[lost])), ".")
    }
    out
}

.lookUpTerms <- function(labels, o) {
    term <- rep(NA_integer_, length(labels))
    how <- rep("none", length(labels))
    take <- function(found, what) {
        new <- is.na(term) & !is.na(found)
        list(term = ifelse(new, found, term), how = ifelse(new, what, how))
    }
    exact <- o@synonyms$scope == "EXACT"
    words <- .termWords(o, exact)
    plain <- tolower(trimws(labels))
    steps <- list(
        identifier = match(toupper(trimws(labels)), o@ids),
        replaced = match(o@obsolete$replacedBy[match(toupper(trimws(labels)),
            o@obsolete$id)], o@ids, incomparables = NA),
        name = match(plain, tolower(o@names)),
        synonym = o@synonyms$term[exact][match(plain,
            tolower(o@synonyms$text[exact]))],
        words = words$term[match(.wordKey(labels), words$key,
            incomparables = "")],
        "related synonym" = o@synonyms$term[!exact][match(plain,
            tolower(o@synonyms$text[!exact]))])
    for (what in names(steps)) {
        found <- take(steps[[what]], what)
        term <- found$term
        how <- found$how
    }
    list(term = term, how = how)
}

## Words of names and exact synonyms; of terms with the same words the most
## general one comes first.
.termWords <- function(o, exact) {
    term <- c(seq_along(o@ids), o@synonyms$term[exact])
    key <- .wordKey(c(o@names, o@synonyms$text[exact]))
    order <- order(c(rep(0, length(o@ids)), rep(1, sum(exact))), o@ic[term],
        term)
    list(term = term[order], key = key[order])
}

.wordMap <- c(mono = "monocyte", nk = "natural killer", dc = "dendritic",
    dcs = "dendritic", pdc = "plasmacytoid dendritic",
    treg = "regulatory t", tregs = "regulatory t", mk = "megakaryocyte",
    hsc = "hematopoietic stem", macro = "macrophage", reg = "regulatory",
    lymphocyte = "",
    lymphocytes = "", cell = "", cells = "", ab = "", "alpha-beta" = "",
    human = "", thymus = "", derived = "")

## The words of a label, in one spelling and order: "" where none are left.
.wordKey <- function(x) {
    x <- tolower(trimws(x))
    x <- gsub("(cd[0-9]+[a-z]*|fcgr3a)\\s*\\+", "\\1-positive ", x)
    x <- gsub("(cd[0-9]+[a-z]*)-(?![a-z0-9])", "\\1-negative ", x, perl = TRUE)
    x <- gsub("alpha-beta", " ", x, fixed = TRUE)
    x <- gsub("-?(positive|negative)", "-\\1", x)
    parts <- strsplit(x, "[^a-z0-9-]+|(?<=[a-z])-(?=[a-z])(?!positive|negative)",
        perl = TRUE)
    vapply(parts, function(w) {
        w <- w[nzchar(w) & w != "-"]
        w <- sub("^(cd[0-9]+[a-z]*)$", "\\1-positive", w)
        known <- w %in% names(.wordMap)
        w[known] <- .wordMap[w[known]]
        w <- unlist(strsplit(w, " ", fixed = TRUE))
        w <- sub("^fcgr3a", "cd16", w)
        w <- sub("([a-z]{3,})s$", "\\1", w)
        w <- w[nzchar(w)]
        paste(.sortedUnique(w), collapse = " ")
    }, "")
}

## The most similar name of each label, by shared pieces of words.
.nearestNames <- function(labels, o) {
    grams <- lapply(tolower(o@names), .wordGrams)
    best <- vapply(labels, function(label) {
        own <- .wordGrams(tolower(label))
        overlap <- vapply(grams, function(g) {
            2 * sum(own %in% g) / (length(own) + length(g))
        }, 0)
        c(which.max(overlap), max(overlap))
    }, numeric(2L))
    list(term = as.integer(best[1L, ]), similarity = best[2L, ])
}

## ---- terms of a reference's types ------------------------------------------

## list(ontology, term (number per type, NA: not found)), or NULL without an
## ontology. `terms`: a named vector or a table of mapLabels().
.typeTerms <- function(types, o) {
    if (is.null(o$ontology)) {
        return(NULL)
    }
    terms <- o$terms
    if (is.null(terms)) {
        map <- mapLabels(types, o$ontology)
        terms <- setNames(map$term, map$label)
    } else if (is.data.frame(terms)) {
        terms <- setNames(as.character(terms$term), terms$label)
    }
    if (is.null(names(terms))) {
        .stopArgument("terms", "must be named by the types, or be what ",
            "mapLabels() returns."
        )
    }
    if (!any(names(terms) %in% types)) {
        .stopArgument("terms", "names no type of the reference: it has ",
            .some(names(terms)), "; the types are ", .some(types), "."
        )
    }
    lost <- types[is.na(terms[types])]
    if (length(lost) && !is.null(o$terms)) {
        .say(o$verbose, "Without a term, so never left at a broader one: ",
            .some(lost), ".")
    }
    at <- match(terms[types], o$ontology@ids)
    bad <- !is.na(terms[types]) & is.na(at)
    if (any(bad)) {
        .stopArgument("terms", "has terms that the ontology lacks: ",
            .some(terms[types][bad]), "; see mapLabels()."
        )
    }
    list(ontology = o$ontology, term = unname(at))
}

## The most informative node whose summed probability reaches `level`, for
## each cell: list(node, p). Types without a term stand for themselves: a cell
## whose best type is one of these and reaches the level has node 0.
.backOff <- function(p, terms, level) {
    o <- terms$ontology
    known <- which(!is.na(terms$term))
    up <- o@ancestors[terms$term[known]]
    nodes <- .sortedUnique(as.integer(unlist(up)))
    member <- matrix(0, length(known), length(nodes))
    for (i in seq_along(known)) {
        member[i, match(up[[i]], nodes)] <- 1
    }
    node <- rep(NA_integer_, nrow(p))
    prob <- rep(NA_real_, nrow(p))
    if (length(known)) {
        q <- p[, known, drop = FALSE] %*% member
        ic <- matrix(o@ic[nodes], nrow(q), ncol(q), byrow = TRUE)
        ic[q < level - 1e-9] <- -1
        at <- max.col(ic, "first")
        reached <- ic[cbind(seq_len(nrow(ic)), at)] >= 0
        node <- ifelse(reached, nodes[at], NA_integer_)
        prob <- ifelse(reached, q[cbind(seq_len(nrow(q)), at)], NA_real_)
    }
    alone <- .callsOf(p)
    own <- p[cbind(seq_len(nrow(p)), alone)]
    single <- is.na(terms$term[alone]) & own >= level
    node[single] <- 0L
    prob[single] <- own[single]
    list(node = node, p = prob)
}
