## What an ontology says of types, as sentences "head relation tail".

#' What an ontology says of types, as triples
#'
#' `ontologyTriples()` turns an OBO file into the sentences that KCellFM's
#' encoder of type names is taught, `readTriples()` reads them from the published
#' file (`Knowledge-triples.txt`, `triples.txt`) or one written here.
#'
#' @details
#' The relations are `is_a`, `disjoint_from`, `exact_synonyms`,
#' `broad_synonyms`, `related_synonyms` (narrow synonyms are left out, as
#' published), `develops_from`, `develops_into` and `synapsed_to`, in that
#' order, each in the order of the file's terms. Heads and tails are names of
#' terms, tails of synonyms their texts. A name may contain a relation's word;
#' the line is then read at the first, as published.
#'
#' @param file an OBO file, such as `cl-basic.obo` of the Cell Ontology, may be
#'   compressed; for `readTriples()` a file of a triple per line.
#' @param to `NULL`, or the file to write, a triple per line.
#' @param prefix of the terms' identifiers.
#' @param overwrite `TRUE`: a file that is there is replaced.
#' @return A data.frame with columns `head`, `relation`, `tail`; with `to`
#'   invisibly. Its attribute `passed` (`readTriples()`) counts lines that are no
#'   triples.
#' @section Errors: those of [readOntology()]; a file without any triple.
#' @references KCellFM (2025), nudt-bioinfo/KCFM, PubMedbert/triples.txt.
#' @seealso [trainModel()] of a [BertModel-class], which learns from them;
#'   [readOntology()]
#' @examples
#' obo <- system.file("extdata", "blood.obo", package = "causeway")
#' file <- tempfile(fileext = ".txt")
#' triples <- ontologyTriples(obo, file)
#' table(triples$relation)
#' head(readTriples(file))
#' @export
ontologyTriples <- function(file, to = NULL, prefix = "CL:",
    overwrite = FALSE) {
    tags <- .readObo(file, prefix)$tags
    value <- trimws(sub(" [!{].*$", "", tags$value))
    gone <- tags$id[tags$key == "is_obsolete" & value == "true"]
    keep <- !tags$id %in% gone
    tags <- tags[keep, , drop = FALSE]
    value <- value[keep]
    named <- tags$key == "name"
    name <- setNames(tags$value[named], tags$id[named])
    out <- rbind(.termTriples(tags, value, name), .synonymTriples(tags, name),
        .linkTriples(tags, value, name)
    )
    out <- unique(out[!is.na(out$head) & !is.na(out$tail), , drop = FALSE])
    rownames(out) <- NULL
    if (is.null(to)) {
        return(out)
    }
    .checkFlag(overwrite, "overwrite")
    .writeLines(paste(out$head, out$relation, out$tail), to, overwrite, "to")
    invisible(out)
}

.termTriples <- function(tags, value, name) {
    do.call(rbind, lapply(c("is_a", "disjoint_from"), function(key) {
        at <- tags$key == key
        data.frame(head = unname(name[tags$id[at]]),
            relation = rep(key, sum(at)), tail = unname(name[value[at]])
        )
    }))
}

.synonymTriples <- function(tags, name) {
    all <- .synonymTable(tags, names(name))
    at <- all$scope %in% c("EXACT", "BROAD", "RELATED")
    data.frame(head = unname(name[all$term[at]]),
        relation = paste0(tolower(all$scope[at]), rep("_synonyms", sum(at))),
        tail = gsub("\\\\(.)", "\\1", all$text[at])
    )
}

.linkWords <- c(develops_from = "develops_from", "RO:0002202" = "develops_from",
    develops_into = "develops_into", "RO:0002203" = "develops_into",
    synapsed_to = "synapsed_to", "RO:0002120" = "synapsed_to"
)

.linkTriples <- function(tags, value, name) {
    at <- tags$key == "relationship"
    word <- .linkWords[sub(" .*$", "", value[at])]
    data.frame(head = unname(name[tags$id[at]]), relation = unname(word),
        tail = unname(name[sub("^[^ ]+ +([^ ]+).*$", "\\1", value[at])])
    )[!is.na(word), ]
}

#' @rdname ontologyTriples
#' @export
readTriples <- function(file) {
    .checkText(file, "file")
    if (!file.exists(file) || dir.exists(file)) {
        .stopArgument("file", "is \"", file, "\", which is ",
            if (dir.exists(file)) "a folder." else "not there."
        )
    }
    lines <- readLines(file, warn = FALSE, encoding = "UTF-8")
    lines <- lines[validUTF8(lines)]
    found <- as.data.frame(.Call(cw_r_relations, enc2utf8(lines), FALSE))
    if (!nrow(found)) {
        .stopArgument("file", "is \"", file, "\", which has no line \"head ",
            "relation tail\" with one of the relations ",
            paste(.relationWords, collapse = ", "), "."
        )
    }
    structure(found, passed = sum(nzchar(trimws(lines))) - nrow(found))
}

## In the published order, which numbers them.
.relationWords <- c("is_a", "disjoint_from", "exact_synonyms",
    "broad_synonyms", "related_synonyms", "develops_from", "develops_into",
    "synapsed_to"
)

.checkTriples <- function(x, arg) {
    need <- c("head", "relation", "tail")
    if (!is.data.frame(x) || !all(need %in% names(x)) || !nrow(x) ||
        anyNA(x[need])) {
        .stopArgument(arg, "must be a table of triples, of readTriples() or ",
            "ontologyTriples()."
        )
    }
    odd <- setdiff(x$relation, .relationWords)
    if (length(odd)) {
        .stopArgument(arg, "has relations that aren't known: ", .some(odd),
            "; known are ", paste(.relationWords, collapse = ", "), "."
        )
    }
    data.frame(lapply(x[need], as.character))
}

## types x types, 1 where two are close: what one says of the other by is_a,
## exact_synonyms, develops_from or develops_into. Names in any case.
.closeTypes <- function(relations, types) {
    relations <- .checkTriples(relations, "relations")
    relations <- relations[relations$relation %in% c("is_a", "exact_synonyms",
        "develops_from", "develops_into"), ]
    from <- match(tolower(relations$head), tolower(types))
    to <- match(tolower(relations$tail), tolower(types))
    both <- !is.na(from) & !is.na(to) & from != to
    close <- matrix(0L, length(types), length(types))
    close[cbind(from, to)[both, , drop = FALSE]] <- 1L
    close[cbind(to, from)[both, , drop = FALSE]] <- 1L
    close
}
