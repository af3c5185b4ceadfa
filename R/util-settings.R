## Settings as tables: what the engine's tables say is what R checks.

## A table as the engine gives it (see cw_glue_settings_table), a row a
## setting: name, argument, type ("integer", "number", "flag", "choice",
## "text"), default, min, max, open (min itself not allowed), choices (words),
## help.
.settingsTable <- function(columns) {
    as.data.frame(columns, stringsAsFactors = FALSE)
}

## The default of a row, as R has it; NULL where there is none.
.settingDefault <- function(row) {
    if (is.na(row$default)) {
        return(NULL)
    }
    switch(row$type,
        integer = if (abs(row$default) <= .Machine$integer.max)
            as.integer(row$default) else row$default,
        flag = row$default != 0,
        choice = .settingChoices(row)[[row$default + 1L]],
        row$default
    )
}

.settingChoices <- function(row) strsplit(row$choices, " ", fixed = TRUE)[[1L]]

## A named list of all settings of `table`: `values` where given and allowed,
## else the defaults. `arg`: the argument that holds the list, or NULL where
## each setting is an argument.
.checkSettings <- function(values, table, arg = NULL) {
    if (!is.null(arg)) {
        .checkSettingNames(values, table, arg)
    }
    at <- setNames(seq_len(nrow(table)), table$argument)
    lapply(at, function(i) {
        row <- table[i, ]
        value <- values[[row$argument]]
        if (is.null(value)) {
            return(.settingDefault(row))
        }
        .checkSetting(value, row,
            paste0(if (!is.null(arg)) paste0(arg, "$"), row$argument)
        )
    })
}

.checkSetting <- function(value, row, arg) {
    switch(row$type,
        flag = {
            if (is.numeric(value) && length(value) == 1L &&
                value %in% c(0, 1)) {
                value <- value == 1
            }
            .checkFlag(value, arg)
        },
        choice = .oneOf(value, .settingChoices(row), arg),
        .checkNumber(value, arg, row$min, row$max, row$type == "integer",
            row$open == 1
        )
    )
}

.checkSettingNames <- function(values, table, arg) {
    if (!is.list(values) || length(values) && (is.null(names(values)) ||
        !all(nzchar(names(values))))) {
        .stopArgument(arg, "must be a list of named settings; it is ",
            .show(values), "."
        )
    }
    bad <- setdiff(names(values), table$argument)
    if (length(bad)) {
        .stopArgument(arg, "has no setting called ", .some(bad),
            "; there are ", .some(table$argument, 50L), "."
        )
    }
    twice <- unique(names(values)[duplicated(names(values))])
    if (length(twice)) {
        .stopArgument(arg, "names ", .some(twice), " more than once.")
    }
    invisible()
}

## Lines of a help table: setting, default, what it is.
.settingsHelp <- function(table) {
    rows <- split(table, seq_len(nrow(table)))
    default <- vapply(rows, function(row) {
        value <- .settingDefault(row)
        if (is.character(value)) dQuote(value, FALSE) else format(value)
    }, "")
    c("| setting | default | |", "|---|---|---|",
        paste0("| `", table$argument, "` | ", default, " | ", table$help,
            " |")
    )
}
