## Conditions of a cell and the batches the engine reads.

.conditionNames <- c("platform", "species", "tissue", "disease")

.unknownWords <- c("", "nan", "none", "<na>", "na", "null")

.cleanCondition <- function(x) {
    x <- tolower(trimws(as.character(x)))
    x[is.na(x) | x %in% .unknownWords] <- "<unk>"
    x
}

## One value per cell from NULL, a column of colData, one value, or a vector.
.conditionValues <- function(value, arg, cellData, columns, nAll) {
    n <- length(columns)
    if (is.null(value)) {
        return(rep("<unk>", n))
    }
    if (!is.atomic(value) && !is.factor(value)) {
        .stopArgument(arg, "must be NULL, a column of colData(x), one value ",
            "or one value per cell; it is ", .show(value), "."
        )
    }
    if (length(value) == 1L) {
        if (is.character(value) && value %in% colnames(cellData)) {
            return(.cleanCondition(cellData[[value]]))
        }
        return(rep(.cleanCondition(value), n))
    }
    if (length(value) != nAll) {
        .stopArgument(arg, "must have one value per cell (", nAll,
            "); it has ", length(value), "."
        )
    }
    .cleanCondition(value[columns])
}

## 4 x cells integer matrix of condition ids. With `grow` new values take the
## table's free places (a model that is being trained), else they are <unk>.
.conditionIds <- function(model, prepared, given, species, grow, verbose) {
    nAll <- length(prepared$allCells)
    values <- lapply(.conditionNames, function(name) {
        if (name == "species") {
            return(rep(species, length(prepared$columns)))
        }
        .conditionValues(given[[name]], name, prepared$cellData,
            prepared$columns, nAll
        )
    })
    table <- model@state$conditions
    if (grow) {
        table <- .growConditions(table, unlist(lapply(values, unique)),
            model@state$conditionRows
        )
        model@state$conditions <- table
    }
    new <- setdiff(unlist(lapply(values, unique)), table$cond_value)
    if (length(new)) {
        .say(verbose, "Conditions the model does not know, taken as <unk>: ",
            .some(new), "."
        )
    }
    ids <- vapply(values, function(value) {
        id <- table$token_index[match(value, table$cond_value)]
        id[is.na(id)] <- 0L
        as.integer(id)
    }, integer(length(prepared$columns)))
    t(matrix(ids, ncol = 4L, dimnames = list(NULL, .conditionNames)))
}

.growConditions <- function(table, values, rows) {
    new <- setdiff(unique(values), table$cond_value)
    free <- setdiff(seq_len(rows) - 1L, table$token_index)
    n <- min(length(new), length(free))
    if (n) {
        table <- rbind(table, data.frame(
            cond_value = new[seq_len(n)], token_index = free[seq_len(n)]
        ))
    }
    table
}

## The batch of the given cells (columns of prepared$values).
.tokenBatch <- function(prepared, at, conditions = prepared$conditions) {
    list(
        ids = prepared$tokens,
        values = .valuesRead(prepared, at),
        conditions = conditions[, at, drop = FALSE],
        nonTF = prepared$nonTF, padding = NULL,
        order = .orderOf(prepared$order, at)
    )
}

## Of the cells `at`; see .withOrder().
.orderOf <- function(order, at) {
    if (is.null(order) || is.function(order)) {
        return(if (is.function(order)) order(at))
    }
    order[, if (ncol(order) > 1L) at else rep(1L, length(at)), drop = FALSE]
}

## Platform, tissue and disease (not species) give way to <unk> for a share of
## the cells, anew in every epoch: the first round(share x 3 C) of a seeded
## permutation of the 3 x C places.
.maskConditions <- function(conditions, share, key, epoch) {
    places <- 3L * ncol(conditions)
    n <- round(share * places)
    if (n < 1L) {
        return(conditions)
    }
    order <- .Call(cw_r_permutation, places, .otherKey(key), epoch)
    hit <- order[seq_len(n)]
    row <- c(1L, 3L, 4L)[hit %% 3L + 1L]
    conditions[cbind(row, hit %/% 3L + 1L)] <- 0L
    conditions
}

.otherKey <- function(key) c(key[[1L]], (key[[2L]] + 2^31) %% 2^32)
