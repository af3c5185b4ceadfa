## Reading files of known regulation.

.readPrior <- function(file, name = basename(file)) {
    name <- tolower(name)
    if (grepl("\\.(rda|rdata|rds)$", name)) {
        return(.readPriorData(file, name))
    }
    .readEdgeFile(.edgePath(file, "source"), 2^31, "source")
}

.readPriorData <- function(file, name) {
    table <- tryCatch({
        if (endsWith(name, "rds")) {
            readRDS(file)
        } else {
            env <- new.env()
            tables <- Filter(is.data.frame,
                mget(suppressWarnings(load(file, envir = env)), envir = env)
            )
            if (length(tables) == 1L) tables[[1L]]
        }
    }, error = function(e) {
        .stopArgument("source", "names a file that can't be read, ", file,
            ": ", conditionMessage(e), "."
        )
    })
    if (!is.data.frame(table)) {
        .stopArgument("source", "names a file that doesn't hold one ",
            "data.frame: ", file, "."
        )
    }
    as.data.frame(table)
}

## data.frame(Gene1, Gene2, sign, confidence) of whatever columns there are;
## `rows`: of the source, before those that are no edges are left out.
.priorColumns <- function(table, name) {
    if (!nrow(table)) {
        .stopArgument("source", "(", name, ") has no edges.")
    }
    found <- .edgeTableOf(table, "source")
    table <- found$table
    kept <- .edgesOnly(found, "source")
    key <- .columnKey(names(table))
    pick <- function(...) {
        at <- match(c(...), key)
        at[!is.na(at)][1L]
    }
    text <- function(at) trimws(as.character(table[[at]]))
    level <- pick("confidence", "dorothealevel")
    out <- data.frame(
        Gene1 = text(found$at[[1L]]), Gene2 = text(found$at[[2L]]),
        sign = .priorSign(table, pick("mor", "sign", "weight", "mode"), name),
        confidence = if (is.na(level)) NA_character_ else
            .bestLevel(text(level))
    )
    structure(out[kept, ], rows = nrow(table))
}

## The best of levels such as "A;D".
.bestLevel <- function(x) {
    vapply(strsplit(x, "[^A-E]+"), function(v) {
        v <- sort(v[nzchar(v) & !is.na(v)], method = "radix")
        if (length(v)) v[[1L]] else NA_character_
    }, character(1))
}

.priorSign <- function(table, at, name) {
    up <- table[["is_stimulation"]]
    down <- table[["is_inhibition"]]
    if (!is.null(up) && !is.null(down)) {
        yes <- function(x) tolower(as.character(x)) %in% c("1", "true", "t")
        return(yes(up) - yes(down))
    }
    if (is.na(at)) {
        return(rep(0, nrow(table)))
    }
    x <- trimws(as.character(table[[at]]))
    words <- c(activation = 1, repression = -1, unknown = 0, activates = 1,
        represses = -1, stimulation = 1, inhibition = -1, `+` = 1, `-` = -1
    )
    ## write.csv2() and spreadsheets in many countries have decimal commas
    comma <- grepl("^-?[0-9]*,[0-9]+$", x)
    number <- suppressWarnings(as.numeric(
        ifelse(comma, sub(",", ".", x, fixed = TRUE), x)))
    word <- is.na(number) & !is.na(x)
    number[word] <- words[tolower(x[word])]
    if (anyNA(number[word])) {
        .stopArgument("source", "(", name, ") has a column '",
            names(table)[[at]], "' of signs with ",
            .some(unique(x[word][is.na(number[word])]), 3L), "; numbers, ",
            "Activation, Repression or Unknown are known."
        )
    }
    number[is.na(number)] <- 0
    sign(number)
}
