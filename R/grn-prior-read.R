## Reading files of known regulation.

.readPrior <- function(file, name = basename(file)) {
    name <- tolower(name)
    if (grepl("\\.(rda|rdata|rds)$", name)) {
        return(.readPriorData(file, name))
    }
    first <- tryCatch(readLines(file, n = 5L, warn = FALSE),
        error = function(e) character(), warning = function(w) character()
    )
    first <- first[nzchar(trimws(first)) & !startsWith(first, "#")]
    if (!length(first)) {
        .stopArgument("source", "names a file without a line of text: ", file,
            "."
        )
    }
    marks <- c("\t", ",", ";")
    count <- vapply(marks, function(m) {
        lengths(regmatches(first[[1L]], gregexpr(m, first[[1L]],
            fixed = TRUE
        )))
    }, numeric(1))
    mark <- marks[[which.max(count)]]
    bare <- grepl("\t(Activation|Repression|Unknown)(\t|$)", first[[1L]])
    args <- list(file, sep = mark, header = !bare, quote = "\"",
        comment.char = "", colClasses = "character", fill = TRUE,
        na.strings = c("NA", ""), check.names = FALSE
    )
    if (bare) {
        args$col.names <- c("tf", "target", "mode", "reference")
    }
    tryCatch(
        do.call(utils::read.table, args),
        error = function(e) {
            .stopArgument("source", "names a file that can't be read as a ",
                "table, ", file, ": ", conditionMessage(e), "."
            )
        }
    )
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

.priorNames <- list(
    Gene1 = c("Gene1", "source_genesymbol", "source", "tf", "TF", "regulator",
        "from"
    ),
    Gene2 = c("Gene2", "target_genesymbol", "target", "gene", "to"),
    sign = c("mor", "sign", "weight", "mode"),
    confidence = c("confidence", "dorothea_level")
)

## data.frame(Gene1, Gene2, sign, confidence) of whatever columns there are.
.priorColumns <- function(table, name) {
    pick <- lapply(.priorNames, function(n) {
        at <- match(tolower(n), tolower(names(table)))
        at[!is.na(at)][1L]
    })
    if (is.na(pick$Gene1) || is.na(pick$Gene2)) {
        .stopArgument("source", "(", name, ") has no columns of factors and ",
            "targets; it has ", .some(names(table), 10L), ". Call them ",
            "Gene1 and Gene2 (or tf and target, source and target)."
        )
    }
    if (!nrow(table)) {
        .stopArgument("source", "(", name, ") has no edges.")
    }
    text <- function(at) as.character(table[[at]])
    data.frame(
        Gene1 = trimws(text(pick$Gene1)), Gene2 = trimws(text(pick$Gene2)),
        sign = .priorSign(table, pick$sign, name),
        confidence = if (is.na(pick$confidence)) NA_character_ else
            .bestLevel(text(pick$confidence))
    )
}

## The best of levels such as "A;D".
.bestLevel <- function(x) {
    vapply(strsplit(x, "[^A-E]+"), function(v) {
        v <- sort(v[nzchar(v) & !is.na(v)])
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
    number <- suppressWarnings(as.numeric(x))
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
