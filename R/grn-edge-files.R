## Files of edges as tables of text: looked through, then read line by line.

## data.frame of text: all columns that may say something of an edge. Lines
## that begin with # before the header are comments. Quotes count where they
## surround a whole field; any other quote is a character like others.
.readEdgeFile <- function(path, maxBytes, arg) {
    .screenFile(path, maxBytes, arg)
    con <- gzfile(path, "rt", encoding = "UTF-8")
    on.exit(close(con))
    start <- .edgeHeader(con, arg)
    parts <- list()
    keep <- rep(TRUE, length(start$names))
    at <- start$at
    lines <- start$rest
    repeat {
        ## line numbers of the file, for errors
        number <- start$line + seq_along(lines)
        start$line <- start$line + length(lines)
        part <- .edgeFields(lines, number, start, arg)
        start$shift <- start$shift | isTRUE(attr(part, "shift"))
        keep <- keep & (start$known | vapply(seq_along(keep), function(k) {
            !keep[[k]] || .isFlag(part[, k])
        }, NA))
        parts <- c(parts, list(lapply(seq_along(keep), function(k) {
            if (keep[[k]]) part[, k]
        })))
        lines <- readLines(con, n = 1e6, warn = FALSE, encoding = "UTF-8")
        if (!length(lines)) {
            break
        }
    }
    columns <- lapply(which(keep), function(k) {
        text <- unlist(lapply(parts, `[[`, k), use.names = FALSE)
        text[text %in% c("", "NA")] <- NA
        text
    })
    names(columns) <- start$names[keep]
    as.data.frame(columns, optional = TRUE)
}

## Values that may say whether there is an edge.
.isFlag <- function(x) {
    all(tolower(trimws(x)) %in% c("0", "1", "0.0", "1.0", "true", "false", "",
        "na", NA))
}

## TRRUST's files have no header: TF, target, Activation, references.
.bareHeader <- "\t(Activation|Repression|Unknown)(\t|$)"

## list(names, sep, known: columns to keep whatever they hold; at; line: lines
## read so far; rest: lines after the header, at most a million; shift: has
## each row one field more than the header, its name?)
.edgeHeader <- function(con, arg) {
    lines <- readLines(con, n = 1e6, warn = FALSE, encoding = "UTF-8")
    lines[[1L]] <- sub("^\ufeff", "", lines[[1L]])
    first <- which(nzchar(trimws(lines)) & !startsWith(lines, "#"))
    if (!length(first)) {
        .stopArgument(arg, "is empty; it must be a csv or tsv table with a ",
            "header."
        )
    }
    first <- first[[1L]]
    header <- lines[[first]]
    counts <- vapply(c("\t", ",", ";"), function(sep) {
        sum(strsplit(header, "", fixed = TRUE)[[1L]] == sep)
    }, numeric(1))
    if (max(counts) > 1000) {
        .stopArgument(arg, "has ", max(counts) + 1, " columns; a table of ",
            "edges has a few."
        )
    }
    out <- list(sep = names(counts)[[which.max(counts)]], shift = FALSE)
    bare <- grepl(.bareHeader, header)
    out$names <- if (bare) {
        c("tf", "target", "mode", "reference")[seq_len(max(counts) + 1)]
    } else {
        scan(text = header, what = "", sep = out$sep, quote = "\"",
            quiet = TRUE)
    }
    out$at <- .edgeAt(out$names, arg)
    out$known <- .columnKey(out$names) %in% .keptColumns
    out$known[out$at] <- TRUE
    out$line <- first - bare
    out$rest <- lines[seq_along(lines) > out$line]
    out
}

## Lines -> matrix of text, a row per line that isn't empty.
.edgeFields <- function(lines, number, start, arg) {
    full <- nzchar(trimws(lines))
    lines <- lines[full]
    number <- number[full]
    n <- length(start$names)
    if (!length(lines)) {
        return(matrix("", 0L, n))
    }
    fields <- strsplit(paste0(.unquoted(lines, start$sep), start$sep, "."),
        start$sep, fixed = TRUE)
    odd <- which(grepl("\"", lines, fixed = TRUE) &
        grepl("\"", .unquoted(lines, start$sep), fixed = TRUE))
    fields[odd] <- lapply(lines[odd], function(line) {
        c(.quotedFields(line, start$sep), ".")
    })
    count <- lengths(fields) - 1L
    shift <- start$shift || .numberedRows(fields, count, n)
    bad <- which(count != n + shift)
    if (length(bad)) {
        .stopArgument(arg, "can't be read as a table: line ",
            number[[bad[[1L]]]], " has ", .count(count[[bad[[1L]]]], "field"),
            " where the header has ", n, "; is a quote not closed in it, or ",
            "has a text the separator in it?"
        )
    }
    out <- matrix(unlist(fields, use.names = FALSE), ncol = n + shift + 1L,
        byrow = TRUE)[, seq_len(n) + shift, drop = FALSE]
    stray <- which(rowSums(matrix(grepl("\"", out[, start$at], fixed = TRUE),
        ncol = 2L)) > 0L)
    if (length(stray)) {
        .stopArgument(arg, "can't be read as a table: line ",
            number[[stray[[1L]]]], " has a quote within a gene's name that is ",
            "not closed."
        )
    }
    structure(out, shift = shift)
}

## Has every row one field more than the header, its number, as write.table()
## writes them?
.numberedRows <- function(fields, count, n) {
    length(count) > 0L && all(count == n + 1L) &&
        all(grepl("^\"?[0-9]+\"?$", vapply(fields, `[[`, "", 1L)))
}

## Fields that are quoted as a whole and have neither quotes nor separators
## within lose their quotes.
.unquoted <- function(lines, sep) {
    if (!any(grepl("\"", lines, fixed = TRUE))) {
        return(lines)
    }
    gsub(sprintf("(^|%s)\"([^\"%s\\\\]*)\"(?=%s|$)", sep, sep, sep), "\\1\\2",
        lines, perl = TRUE)
}

## One line with quotes inside quotes (doubled, or after a backslash), with
## separators in quotes, or with quotes that surround nothing.
.quotedFields <- function(line, sep) {
    field <- sprintf(paste0("%s(?:\"((?:[^\"]|\"\")*)\"(?=%s|$)|",
        "\"((?:[^\"\\\\]|\\\\.)*)\"(?=%s|$)|([^%s]*))"), sep, sep, sep, sep)
    text <- paste0(sep, line)
    out <- substring(regmatches(text, gregexpr(field, text, perl = TRUE))[[1L]],
        2L)
    whole <- grepl("^\".*\"$", out) & nchar(out) > 1L
    out[whole] <- gsub("\"\"|\\\\\"", "\"",
        substr(out[whole], 2L, nchar(out[whole]) - 1L))
    out
}

## Looks at all bytes. gzfile() reads plain files too.
.screenFile <- function(path, maxBytes, arg) {
    con <- gzfile(path, "rb")
    on.exit(close(con))
    read <- 0
    since <- 0
    header <- NULL
    tail <- raw()
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
    invisible()
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
