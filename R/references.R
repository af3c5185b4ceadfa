## Reference networks: reading them, splitting them.

.referenceColumns <- list(
    from = c("gene1", "tf", "source", "from", "regulator", "source_genesymbol"),
    to = c("gene2", "target", "to", "targets", "target_genesymbol")
)

#' Read a reference network from a file
#'
#' Reads a table of known edges: comma, tab or semicolon separated, plain or
#' compressed (gzip, bzip2, xz), with a header that names the columns. The file
#' is looked through before it is read: its size once unpacked, the length of
#' its lines, bytes that no text has, its encoding. Nothing in it is run or
#' converted but the two columns of names.
#'
#' @param file path of the file.
#' @param maxBytes most bytes the file may have once unpacked.
#' @return A data.frame with the columns `Gene1` (source) and `Gene2` (target),
#'   character, blanks around names removed, in the order of the file; rows in
#'   which a name is missing are NA and are counted by [evaluateGRN()].
#' @details Sources are in a column Gene1, TF, source, from, regulator or
#'   source_genesymbol; targets in Gene2, target, targets, to or
#'   target_genesymbol; case does not matter; where several are there, the
#'   first of this list is taken (gene symbols before others).
#' @section Errors: no such file, a folder, an empty file; binary content or
#'   text that isn't UTF-8; a file, line or header that is too long; no such
#'   columns; rows that don't have the header's number of fields.
#' @seealso [evaluateGRN()], [splitReference()]
#' @examples
#' file <- tempfile(fileext = ".tsv")
#' writeLines(c("TF\ttarget\tscore", "MYOD1\tACTA1\t0.9"), file)
#' readReference(file)
#' @export
readReference <- function(file, maxBytes = 2^31) {
    .checkText(file, "file")
    maxBytes <- .checkNumber(maxBytes, "maxBytes", 1)
    .readEdges(file, maxBytes, "file")
}

.readEdges <- function(file, maxBytes, arg) {
    path <- path.expand(file)
    if (!file.exists(path) || dir.exists(path)) {
        .stopArgument(arg, "must be ", if (arg != "file")
            "a data.frame with columns Gene1 and Gene2, an igraph or ",
            "the path of a file; \"", file, "\" is ",
            if (dir.exists(path)) "a folder." else "no file."
        )
    }
    lines <- .screenFile(path, maxBytes, arg)
    header <- sub("^\ufeff", "", lines$header)
    counts <- vapply(c("\t", ",", ";"), function(sep) {
        sum(strsplit(header, "", fixed = TRUE)[[1L]] == sep)
    }, numeric(1))
    if (max(counts) > 1000) {
        .stopArgument(arg, "has ", max(counts) + 1, " columns; a table of ",
            "edges has a few."
        )
    }
    sep <- names(counts)[[which.max(counts)]]
    names <- scan(text = header, what = "", sep = sep, quote = "\"",
        quiet = TRUE
    )
    at <- .referenceAt(names, arg)
    what <- rep(list(NULL), length(names))
    what[at] <- list("")
    columns <- tryCatch(scan(path, what = what, sep = sep, quote = "\"",
        skip = 1L, multi.line = FALSE, comment.char = "", quiet = TRUE,
        na.strings = c("NA", ""), encoding = "UTF-8"
    ), warning = identity, error = identity)
    if (inherits(columns, "condition")) {
        .stopArgument(arg, "can't be read as a table: ",
            conditionMessage(columns), "; each row needs the header's ",
            length(names), " fields, and quotes must be closed."
        )
    }
    if (length(columns[[at[[1L]]]]) > lines$rows) {
        .stopArgument(arg, "can't be read as a table: it has rows with more ",
            "fields than the header's ", length(names), "."
        )
    }
    data.frame(Gene1 = trimws(columns[[at[[1L]]]]),
        Gene2 = trimws(columns[[at[[2L]]]])
    )
}

## The first line, after a look at all bytes. gzfile() reads plain files too.
.screenFile <- function(path, maxBytes, arg) {
    con <- gzfile(path, "rb")
    on.exit(close(con))
    read <- 0
    since <- 0
    header <- NULL
    tail <- raw()
    rows <- 0
    repeat {
        block <- tryCatch(readBin(con, "raw", 2^20),
            error = function(e) .stopArgument(arg, "can't be read: ",
                conditionMessage(e), "."
            ),
            warning = function(w) .stopArgument(arg, "can't be read: ",
                conditionMessage(w), "."
            )
        )
        if (length(block) == 0L) {
            break
        }
        read <- read + length(block)
        if (read > maxBytes) {
            .stopArgument(arg, "has more than ", .bytes(maxBytes),
                " once unpacked; raise 'maxBytes' of readReference() if ",
                "that is right."
            )
        }
        if (any(block == as.raw(0L))) {
            .stopArgument(arg, "holds bytes that no text has; it must be a ",
                "csv or tsv table."
            )
        }
        ends <- which(block == as.raw(10L))
        since <- .lineLength(since, ends, length(block), arg)
        rows <- rows + length(ends) - sum(diff(ends) == 1L)
        tail <- .checkUtf8(c(tail, block), arg)
        if (is.null(header)) {
            header <- .firstLine(block, ends)
        }
    }
    if (length(tail)) {
        .checkUtf8(tail, arg, last = TRUE)
    }
    if (read == 0 || !nzchar(header)) {
        .stopArgument(arg, "is empty; it must be a csv or tsv table with a ",
            "header."
        )
    }
    ## at least as many as there are records: not the header, nor empty lines
    list(header = header, rows = rows - 1 + (since > 0))
}

.firstLine <- function(block, ends) {
    n <- if (length(ends)) ends[[1L]] - 1L else length(block)
    line <- rawToChar(block[seq_len(n)])
    Encoding(line) <- "UTF-8"
    sub("\r$", "", line)
}

## Bytes since the last line's end; no line may be longer than a megabyte.
.lineLength <- function(since, ends, size, arg) {
    gaps <- diff(c(-since, ends))
    left <- if (length(ends)) size - ends[[length(ends)]] else since + size
    if (max(gaps, left, 0) > 2^20) {
        .stopArgument(arg, "has a line of more than ", .bytes(2^20),
            "; it must be a csv or tsv table."
        )
    }
    left
}

## Checks all complete lines; returns what is left of the last one.
.checkUtf8 <- function(bytes, arg, last = FALSE) {
    ends <- which(bytes == as.raw(10L))
    n <- if (last) length(bytes) else if (length(ends)) max(ends) else 0L
    if (n && !validUTF8(rawToChar(bytes[seq_len(n)]))) {
        .stopArgument(arg, "isn't UTF-8 text; convert it, such as with ",
            "iconv -f latin1 -t utf-8."
        )
    }
    bytes[seq_len(length(bytes) - n) + n]
}

## ---- edges of any kind of reference ----------------------------------------

## -> data.frame with the columns Gene1, Gene2.
.referenceEdges <- function(reference, arg = "reference") {
    if (is.character(reference) && length(reference) == 1L &&
        !is.na(reference)) {
        return(.readEdges(reference, 2^31, arg))
    }
    if (inherits(reference, "igraph")) {
        ends <- igraph::as_edgelist(reference, names = TRUE)
        reference <- data.frame(Gene1 = as.character(ends[, 1L]),
            Gene2 = as.character(ends[, 2L])
        )
    }
    if (is(reference, "PooledGRN")) {
        reference <- .pooledReference(reference, arg)
    }
    if (is.matrix(reference) || is(reference, "DataFrame")) {
        reference <- as.data.frame(reference)
    }
    if (!is.data.frame(reference)) {
        .stopArgument(arg, "must be a data.frame with columns Gene1 ",
            "and Gene2, an igraph, a filtered PooledGRN or the path of a ",
            "file; it is a ", class(reference)[[1L]], "."
        )
    }
    at <- .referenceAt(colnames(reference), arg)
    data.frame(
        Gene1 = trimws(as.character(reference[[at[[1L]]]])),
        Gene2 = trimws(as.character(reference[[at[[2L]]]]))
    )
}

## Which columns are the sources and the targets.
.referenceAt <- function(names, arg) {
    column <- function(known) {
        at <- match(known, tolower(trimws(names)), nomatch = 0L)
        at[at > 0L]
    }
    from <- column(.referenceColumns$from)
    to <- column(.referenceColumns$to)
    ## OmniPath's files have accession numbers in source and target
    symbols <- column(c("source_genesymbol", "target_genesymbol"))
    if (length(symbols) == 2L) {
        return(symbols)
    }
    if (!length(from) || !length(to)) {
        .stopArgument(arg, "needs the columns Gene1 and Gene2 (or TF ",
            "and target); it has ", .some(names), "."
        )
    }
    c(from[[1L]], to[[1L]])
}

.pooledReference <- function(x, arg) {
    if (!x@filtered) {
        .stopArgument(arg, "is a PooledGRN with all edges, so every ",
            "candidate would be known; filter it first (keep the edges that ",
            "count, set the others to 0, filtered = TRUE)."
        )
    }
    at <- which(x@scores > 0, arr.ind = TRUE)
    data.frame(Gene1 = rownames(x@scores)[at[, 1L]],
        Gene2 = colnames(x@scores)[at[, 2L]]
    )
}

## ---- splits ----------------------------------------------------------------

#' A reference split into a training and a held-out part
#'
#' Made by [splitReference()].
#'
#' @slot train,test data.frames with columns Gene1, Gene2.
#' @slot by `"TF"`, `"target"` or `"edge"`.
#' @slot fraction numeric, share held out.
#' @slot seed character, the key it was drawn with.
#' @param x,object a `ReferenceSplit`.
#' @param name `train` or `test`.
#' @return `x$train` and `x$test` give data.frames; `show()` prints.
#' @seealso [splitReference()]
#' @name ReferenceSplit-class
#' @exportClass ReferenceSplit
#' @examples
#' edges <- data.frame(TF = rep(c("A", "B"), each = 3), target = letters[1:6])
#' split <- splitReference(edges, by = "target", seed = 1)
#' split
#' split$test
setClass("ReferenceSplit", slots = c(
    train = "data.frame", test = "data.frame", by = "character",
    fraction = "numeric", seed = "character"
))

#' Split a reference for held-out scoring
#'
#' A network that saw a reference, as a prior or in training, can only be
#' judged on edges it did not see. Give `split$train` to whatever learns, and
#' the split itself to [evaluateGRN()].
#'
#' @details By TF, the edges of some sources are held out: asks whether a
#' method finds the targets of TFs it was told nothing about. By target, the
#' edges to some targets: the candidates are then the held-out targets only. By
#' edge, single edges: the easiest, for how many targets each TF has, and how
#' many regulators each target, is seen in training, and that alone can score
#' well ([nullGRN()] with `"marginal"` or `"degree"` shows how well).
#'
#' @param reference as for [evaluateGRN()]; duplicated and self edges and rows
#'   with missing names are left out.
#' @param by what is held out.
#' @param fraction share of TFs, targets or edges held out, above 0, below 1.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number.
#' @return A [ReferenceSplit-class].
#' @section Errors: as for [evaluateGRN()] for a bad reference; fewer than two
#'   TFs, targets or edges; a `fraction` that holds out none or all.
#' @seealso [evaluateGRN()], [priorNetwork()]
#' @examples
#' edges <- data.frame(
#'     TF = rep(c("MYOD1", "MYOG", "FOS"), each = 2),
#'     target = c("ACTA1", "CKM", "DES", "MYH3", "TTN", "ACTA1")
#' )
#' split <- splitReference(edges, by = "TF", seed = 1)
#' split$train
#' evaluateGRN(exampleGRN(), split, nBoot = 20, seed = 1)
#' @export
splitReference <- function(reference, by = c("TF", "target", "edge"),
    fraction = 0.5, seed = NULL) {
    by <- .oneOf(by, c("TF", "target", "edge"), "by")
    fraction <- .checkNumber(fraction, "fraction", 0, 1)
    edges <- .referenceEdges(reference)
    edges <- edges[!is.na(edges$Gene1) & !is.na(edges$Gene2), ]
    edges <- unique(edges[edges$Gene1 != edges$Gene2, ])
    rownames(edges) <- NULL
    unit <- switch(by,
        TF = edges$Gene1, target = edges$Gene2,
        edge = as.character(seq_len(nrow(edges)))
    )
    ## sorted, so that a split does not depend on the order of the rows
    order <- order(edges$Gene1, edges$Gene2, method = "radix")
    units <- if (by == "edge") unit[order] else sort(unique(unit),
        method = "radix"
    )
    n <- round(fraction * length(units))
    if (n < 1 || n >= length(units)) {
        .stopArgument("fraction", "holds out ", n, " of ",
            .count(length(units), by), "; both parts must have at least one."
        )
    }
    key <- .newKey(seed)
    out <- units[.Call(cw_r_permutation, length(units), key, 0)[seq_len(n)] +
        1L]
    held <- unit %in% out
    new("ReferenceSplit", train = edges[!held, ], test = edges[held, ],
        by = by, fraction = fraction, seed = .keyText(key)
    )
}

#' @rdname ReferenceSplit-class
#' @export
setMethod("$", "ReferenceSplit", function(x, name) {
    name <- .oneOf(name, c("train", "test"), "name")
    table <- slot(x, name)
    rownames(table) <- NULL
    table
})

#' @rdname ReferenceSplit-class
#' @export
setMethod("show", "ReferenceSplit", function(object) {
    cat("Reference split by ", object@by, ": ",
        .count(nrow(object@train), "edge"), " for training, ",
        .count(nrow(object@test), "edge"), " held out\n", sep = ""
    )
    cat("Give $train to what learns, and this object to evaluateGRN()\n")
})

## What evaluateGRN() needs of any reference.
.splitParts <- function(reference) {
    if (!is(reference, "ReferenceSplit")) {
        return(list(edges = .referenceEdges(reference), by = NULL))
    }
    list(
        edges = reference@test, by = reference@by, train = reference@train,
        tfs = unique(reference@test$Gene1),
        targets = unique(reference@test$Gene2)
    )
}
