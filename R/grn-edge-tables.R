## One reader for tables of edges: files, data.frames, graphs.

.referenceColumns <- list(
    from = c("gene1", "tf", "source", "from", "regulator", "source_genesymbol"),
    to = c("gene2", "target", "to", "targets", "target_genesymbol")
)

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
