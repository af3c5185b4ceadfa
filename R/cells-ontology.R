## The Cell Ontology: read from its file, and what its graph says.

#' An ontology of cell types
#'
#' Read from an OBO file by [readOntology()].
#'
#' @slot ids,names character, identifier and name of each term in use.
#' @slot parents,related lists of integers: the terms that a term `is_a`, and
#'   those that it develops from or is part of.
#' @slot ancestors list of integers, the term itself among them.
#' @slot ic numeric, information content: -log of the share of terms below a
#'   term, divided by the largest.
#' @slot synonyms data.frame: `term` (number), `text`, `scope`.
#' @slot obsolete data.frame: `id`, `name`, `replacedBy`.
#' @slot source list: `file`, `version`.
#' @param object a `CellOntology`.
#' @return `show()` prints and returns nothing.
#' @seealso [readOntology()]
#' @examples
#' file <- system.file("extdata", "blood.obo", package = "causeway")
#' readOntology(file)
#' @name CellOntology-class
#' @exportClass CellOntology
setClass("CellOntology", slots = c(
    ids = "character", names = "character", parents = "list",
    related = "list", ancestors = "list", ic = "numeric",
    synonyms = "data.frame", obsolete = "data.frame", source = "list"
))

#' @rdname CellOntology-class
#' @export
setMethod("show", "CellOntology", function(object) {
    writeLines(c(sprintf("Ontology of %s, %s, %d obsolete",
        .count(length(object@ids), "term"),
        .count(nrow(object@synonyms), "synonym"), nrow(object@obsolete)),
        paste("  from", object@source$file),
        if (length(object@source$version)) paste("  version",
            object@source$version)))
})

.isOntology <- function(x, arg = "ontology") {
    .given(x, arg, "what readOntology() gives")
    if (!methods::is(x, "CellOntology")) {
        .stopArgument(arg, "must be what readOntology() returns; it is a ",
            class(x)[[1L]], "."
        )
    }
    invisible()
}

#' Read an ontology from an OBO file
#'
#' Terms, synonyms, obsolete terms and the relations `is_a`, `develops_from`
#' and `part_of` of a file such as `cl-basic.obo` of the Cell Ontology
#' (<https://obofoundry.org/ontology/cl.html>).
#'
#' @param file path of the file; may be compressed by gzip.
#' @param prefix of the identifiers to keep.
#' @return A [CellOntology-class]. Obsolete terms are no terms of it, but kept
#'   with what replaces them.
#' @section Errors: a file that is missing, isn't OBO, has no term of the
#'   prefix, has one twice, or says that a term is its own ancestor.
#' @seealso [mapLabels()], [annotateCells()], [rankNovelTypes()]
#' @examples
#' file <- system.file("extdata", "blood.obo", package = "causeway")
#' ontology <- readOntology(file)
#' mapLabels(c("B cells", "CD14+ Mono", "NK", "astronaut"), ontology)
#' @export
readOntology <- function(file, prefix = "CL:") {
    found <- .readObo(file, prefix)
    .buildOntology(found$tags, list(file = file, version =
        sub("^data-version: *", "", grep("^data-version:", head(found$lines,
            50L), value = TRUE))))
}

## list(lines, tags): of the terms whose identifiers start with the prefix.
.readObo <- function(file, prefix) {
    .checkText(file, "file")
    .checkText(prefix, "prefix")
    if (!file.exists(file) || dir.exists(file)) {
        .stopArgument("file", "is \"", file, "\", which is ",
            if (dir.exists(file)) "a folder." else "not there."
        )
    }
    lines <- .oboLines(file)
    tags <- .oboTags(lines, file)
    own <- tags[startsWith(tags$id, prefix), , drop = FALSE]
    if (!nrow(own)) {
        .stopArgument("file", "is \"", file, "\", which has ",
            .count(length(unique(tags$id)), "term"), " but none whose ",
            "identifier starts with ", prefix, "; see 'prefix'."
        )
    }
    list(lines = lines, tags = own)
}

.oboLines <- function(file) {
    con <- gzfile(file, "rb")
    on.exit(close(con))
    lines <- tryCatch(suppressWarnings(readLines(con, warn = FALSE,
        encoding = "UTF-8")), error = function(e) character())
    lines <- sub("\r$", "", lines, useBytes = TRUE)
    Encoding(lines) <- "UTF-8"
    good <- validUTF8(lines)
    if (!length(lines) || mean(good) < 0.9 ||
        !any(lines == "[Term]", na.rm = TRUE)) {
        .stopArgument("file", "is \"", file, "\", which is not an OBO file: ",
            "it has no line [Term]", if (any(grepl("^<\\?xml|<rdf", head(lines,
                5L), useBytes = TRUE)))
                " (it looks like OWL; the OBO form is needed)", "."
        )
    }
    lines[good]
}

## data.frame(id, key, value) of all tags of [Term] stanzas.
.oboTags <- function(lines, file) {
    stanza <- cumsum(startsWith(lines, "["))
    kind <- lines[startsWith(lines, "[")]
    inTerm <- stanza > 0L & kind[pmax(stanza, 1L)] == "[Term]" &
        grepl("^[a-zA-Z_-]+: ", lines)
    at <- which(inTerm)
    key <- sub(": .*$", "", lines[at])
    value <- sub("^[a-zA-Z_-]+: ", "", lines[at])
    isId <- key == "id"
    first <- at[isId][!duplicated(stanza[at][isId])]
    id <- trimws(sub(" [!{].*$", "", value[isId][!duplicated(
        stanza[at][isId])]))
    ofStanza <- match(stanza[at], stanza[first])
    if (anyNA(ofStanza)) {
        .stopArgument("file", "is \"", file, "\", which has a term without ",
            "an identifier near line ", at[which(is.na(ofStanza))[[1L]]], "."
        )
    }
    twice <- id[duplicated(id)]
    if (length(twice)) {
        .stopArgument("file", "is \"", file, "\", which has terms twice: ",
            .some(twice), "."
        )
    }
    data.frame(id = id[ofStanza], key = key, value = value)
}

.relations <- c("develops_from", "RO:0002202", "part_of", "BFO:0000050")

.buildOntology <- function(tags, source) {
    plain <- trimws(sub(" [!{].*$", "", tags$value))
    gone <- unique(tags$id[tags$key == "is_obsolete" & plain == "true"])
    of <- function(key, ids) {
        at <- tags$key == key
        tags$value[at][match(ids, tags$id[at])]
    }
    ids <- sort(setdiff(unique(tags$id), gone), method = "radix")
    names <- of("name", ids)
    names[is.na(names)] <- ids[is.na(names)]
    edge <- function(at, to) {
        from <- match(tags$id[at], ids)
        to <- match(to, ids)
        good <- !is.na(from) & !is.na(to)
        unname(split(to[good], factor(from[good], seq_along(ids))))
    }
    isA <- tags$key == "is_a"
    parents <- edge(isA, plain[isA])
    rel <- tags$key == "relationship"
    rel[rel] <- sub(" .*$", "", plain[rel]) %in% .relations
    ancestors <- .ancestorsOf(parents, ids)
    below <- tabulate(unlist(ancestors), length(ids))
    ic <- -log(below / length(ids))
    methods::new("CellOntology", ids = ids, names = names, parents = parents,
        related = edge(rel, sub("^[^ ]+ +([^ ]+).*$", "\\1", plain[rel])),
        ancestors = ancestors, ic = ic / max(ic, 1e-12),
        synonyms = .synonymTable(tags, ids),
        obsolete = data.frame(id = gone, name = of("name", gone),
            replacedBy = of("replaced_by", gone)),
        source = source)
}

.synonymTable <- function(tags, ids) {
    at <- tags$key == "synonym" & tags$id %in% ids
    pattern <- "^\"((?:[^\"\\\\]|\\\\.)*)\" *([A-Z]*).*$"
    value <- tags$value[at]
    scope <- sub(pattern, "\\2", value, perl = TRUE)
    data.frame(term = match(tags$id[at], ids),
        text = sub(pattern, "\\1", value, perl = TRUE),
        scope = ifelse(nzchar(scope), scope, "RELATED"))
}

## Each term's ancestors and itself, parents before children; a term that is
## its own ancestor is refused.
.ancestorsOf <- function(parents, ids) {
    n <- length(parents)
    waiting <- lengths(parents)
    children <- split(rep(seq_len(n), waiting), factor(unlist(parents),
        seq_len(n)))
    out <- vector("list", n)
    ready <- which(waiting == 0L)
    done <- 0L
    while (length(ready)) {
        for (i in ready) {
            out[[i]] <- unique(c(i, unlist(out[parents[[i]]])))
        }
        done <- done + length(ready)
        touched <- unlist(children[ready], use.names = FALSE)
        waiting <- waiting - tabulate(touched, n)
        ready <- unique(touched[waiting[touched] == 0L])
    }
    if (done < n) {
        .stopArgument("file", "has terms that are their own ancestors: ",
            .some(ids[vapply(out, is.null, NA)]), "."
        )
    }
    out
}

## ---- similarity ------------------------------------------------------------

## Terms x `to`: information content of shared ancestors over that of all
## (simGIC).
.simGic <- function(ontology, to) {
    n <- length(ontology@ids)
    A <- .ancestorMatrix(ontology, seq_len(n))
    B <- .ancestorMatrix(ontology, to)
    shared <- as.matrix(Matrix::tcrossprod(A %*% Matrix::Diagonal(
        x = ontology@ic), B))
    a <- as.vector(A %*% ontology@ic)
    shared / (outer(a, a[to], "+") - shared + 1e-9)
}

## Terms x all terms, 1 where the latter is an ancestor.
.ancestorMatrix <- function(ontology, terms) {
    up <- ontology@ancestors[terms]
    Matrix::sparseMatrix(rep(seq_along(terms), lengths(up)), unlist(up), x = 1,
        dims = c(length(terms), length(ontology@ids)))
}

## Personalised PageRank from weights w on terms: is_a, develops_from and
## part_of, taken as undirected; over the root of the mean over all starts.
.pageRank <- function(ontology, w, restart = 0.15, steps = 60L) {
    n <- length(ontology@ids)
    up <- Map(c, ontology@parents, ontology@related)
    from <- rep(seq_len(n), lengths(up))
    to <- unlist(up)
    W <- Matrix::sparseMatrix(c(from, to), c(to, from), x = 1, dims = c(n, n))
    W@x[] <- 1
    W <- Matrix::Diagonal(x = 1 / pmax(Matrix::rowSums(W), 1)) %*% W
    walk <- function(start) {
        p <- start
        for (s in seq_len(steps)) {
            p <- restart * start + (1 - restart) *
                as.vector(Matrix::crossprod(W, p))
        }
        p
    }
    walk(w) / sqrt(walk(rep(1 / n, n)))
}

## Terms x `to`: cosine of the names' character 3- to 5-grams within words,
## weighted by log(tf) + 1 and inverse document frequency.
.nameSimilarity <- function(ontology, to) {
    grams <- lapply(tolower(ontology@names), .wordGrams)
    all <- .sortedUnique(unlist(grams))
    n <- length(grams)
    X <- Matrix::sparseMatrix(rep(seq_len(n), lengths(grams)),
        match(unlist(grams), all), x = 1, dims = c(n, length(all)))
    X@x <- 1 + log(X@x)
    idf <- log((1 + n) / (1 + Matrix::colSums(X > 0))) + 1
    X <- X %*% Matrix::Diagonal(x = idf)
    X <- Matrix::Diagonal(x = 1 / pmax(sqrt(Matrix::rowSums(X^2)), 1e-12)) %*% X
    as.matrix(Matrix::tcrossprod(X, X[to, , drop = FALSE]))
}

.wordGrams <- function(name) {
    words <- strsplit(name, "[^[:alnum:]_]+")[[1L]]
    words <- paste0(" ", words[nzchar(words)], " ")
    unlist(lapply(words, function(word) {
        unlist(lapply(3:5, function(k) {
            n <- nchar(word) - k + 1L
            if (n < 1L) return(if (k == 3L) word)
            substring(word, seq_len(n), seq_len(n) + k - 1L)
        }))
    }))
}
