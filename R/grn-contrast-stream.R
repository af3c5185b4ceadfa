## Differences of networks between groups of cells that are read by blocks.

#' @param grn for cells as `x`: their networks, a [StateGRN-class] of states
#'   that were given; NULL: `inferGRN(x, PerCellGRNParam(states = ))`.
#' @param states for cells as `x`: the labels whose networks are compared, a
#'   column of `colData(x)` or a value per cell; NULL: those `grn` was inferred
#'   with, without `grn` those of `group`.
#' @rdname contrastGRN
#' @export
setMethod("contrastGRN", "ANY", function(x, group, grn = NULL, states = NULL,
    ref = NULL, level = NULL, nPerm = 100, top = 500,
    by = c("edges", "regulators"), block = NULL, targets = 50, signed = NULL,
    seed = NULL, ..., verbose = interactive()) {
    x <- .cellsOf(x)
    if (.kindOf(x) == "other") {
        .refuseCells(x)
    }
    .given(group, "group", "a column of colData(x), or a value per cell")
    how <- list(...)
    if (is.null(grn)) {
        grn <- inferGRN(x, PerCellGRNParam(states = if (is.null(states)) group
            else states), seed = seed, verbose = verbose, ...)
        how <- how[intersect(names(how), .sourceArgs)]
    }
    .checkStates(grn)
    if (length(cellNames(grn)) == ncol(x)) {
        return(contrastGRN(grn, group, ref = ref, level = level, nPerm = nPerm,
            top = top, by = by, block = block, targets = targets,
            signed = signed, seed = seed, verbose = verbose))
    }
    .checkLabelled(grn)
    s <- .contrastSettings(grn, nPerm, top, by, targets, signed, verbose)
    .checkContrastMemory(grn, ncol(x), s)
    read <- do.call(.pooledSource, c(list(x, grn), how, list(same = TRUE)))
    groups <- .contrastGroups(read$cellData, group, ref, level)
    key <- .newKey(seed)
    design <- .contrastDesign(read$cellData, groups, block, s$nPerm, key)
    label <- .labelsOf(read, grn, states)
    .streamedContrast(grn, read$source, label, design, groups, s, key)
})

## What of contrastGRN(x)'s arguments says how cells are read.
.sourceArgs <- c("assay.type", "symbols", "species", "alreadyNormalised")

.checkStates <- function(grn) {
    if (!methods::is(grn, "StateGRN")) {
        .stopArgument("grn", "must be the networks of given states, as ",
            "inferGRN(x, PerCellGRNParam(states = )) gives; it is a ",
            class(grn)[[1L]], ".", if (methods::is(grn, "CellGRN"))
                " contrastGRN(grn, group) compares its cells."
        )
    }
}

.checkLabelled <- function(grn) {
    if (!isTRUE(grn@verdict$labelled)) {
        .stopArgument("grn", "has states that were found in the ",
            length(cellNames(grn)), " cells it holds, and other cells have ",
            "none. contrastGRN(grn, group) compares those; with ",
            "PerCellGRNParam(states = ) every cell has one."
        )
    }
}

## Bytes: labels as they are permuted, sums of features and of labels, a block.
.contrastBytes <- function(grn, cells, s) {
    genes <- length(geneNames(grn))
    tfs <- length(tfNames(grn))
    tested <- min(2 * s$top, genes * as.numeric(tfs))
    cells * (200 + s$nPerm) + 24 * s$nPerm * (genes + 3 * tfs + tested) +
        8 * ncol(grn@memberships) * tfs * (tfs + min(genes, tested)) +
        4 * .blockBytes()
}

.checkContrastMemory <- function(grn, cells, s) {
    need <- .contrastBytes(grn, cells, s)
    if (need > .memoryLimit()) {
        .stopArgument("nPerm", "is ", s$nPerm, ": for ", cells, " cells the ",
            "permuted labels and sums take about ", .bytes(need), ", and ",
            .bytes(.memoryLimit()), " are free. Ask for fewer."
        )
    }
    .say(s$verbose, "Sums over all ", cells, " cells, read by blocks; about ",
        .bytes(need), " of memory."
    )
}

## The state of every cell, a number.
.labelsOf <- function(read, grn, states) {
    known <- colnames(grn@memberships)
    if (is.null(states)) {
        states <- grn@metadata$statesBy
    }
    if (is.null(states)) {
        .stopArgument("states", "is missing: 'grn' was inferred with a label ",
            "per cell, and doesn't hold those of all cells. Give them again."
        )
    }
    label <- .groupsIn(read$cellData, states, seq_len(nrow(read$cellData)),
        "states")
    at <- match(as.character(label), known)
    if (anyNA(at)) {
        .stopArgument("states", "has values without a network in 'grn': ",
            .some(unique(as.character(label[is.na(at)]))), "; its states are ",
            .some(known, 8L), "."
        )
    }
    at
}

## The states alone: in place of cells one for each.
.statesAlone <- function(grn) {
    k <- ncol(grn@memberships)
    w <- diag(k)
    colnames(w) <- colnames(grn@memberships)
    grn@cells <- colnames(w)
    grn@memberships <- w
    grn@expression <- Matrix::sparseMatrix(integer(), integer(), x = numeric(),
        dims = c(length(grn@genes), k))
    grn@cellData <- S4Vectors::make_zero_col_DFrame(k)
    grn
}

## label: state of every cell of the source.
.streamedContrast <- function(grn, source, label, design, groups, s, key) {
    x <- .statesAlone(grn)
    of <- label[design$at]
    networks <- list(first = sort(unique(of)))
    networks$of <- match(of, networks$first)
    w <- NULL
    if ("edges" %in% s$by) {
        s$tested <- .testedEdges(x, networks, design, s$top)
        if (.perLabel(x) && x@verdict$distinguishable) {
            w <- .groupMemberships(x, networks, design)
        }
    }
    first <- .firstPass(x, source, label, w, s)
    if (!is.null(w)) {
        s$noise <- .labelNoiseP(x, w, s$tested$at, first$sums)
    }
    if ("regulators" %in% s$by) {
        .say(s$verbose, "Regulators, ", design$facts$nPerm, " permutations")
        s$values <- .streamedValues(x, source, networks, design, first$z, s)
    }
    .contrastOf(x, networks, design, groups, s, key)
}

## One pass over all cells: list(z: mean and scale of genes; sums by label).
.firstPass <- function(x, source, label, w, s) {
    regulators <- "regulators" %in% s$by
    if (is.null(w) && !regulators) {
        return(NULL)
    }
    moments <- .noMoments(length(source$rows))
    if (!is.null(w)) {
        sums <- .newLabelSums(x, w, s$tested$at)
        rows <- .labelRows(x, s$tested$at)
    }
    .eachBlock(source, function(v, at) {
        if (regulators) {
            moments <<- .addMoments(moments, v)
        }
        if (!is.null(w)) {
            .addLabelSums(sums, v[rows, , drop = FALSE], label[at])
        }
        NULL
    })
    list(z = if (regulators) .zScale(.momentsOf(moments)),
        sums = if (!is.null(w)) sums
    )
}

## What .heldValues() gives, of cells that are read by blocks.
.streamedValues <- function(x, source, networks, design, z, s) {
    weights <- lapply(networks$first, function(state) {
        weight <- .mixedWeights(x, x@memberships[state, ], s$targets, s$signed)
        .asSparse(weight * rep(z$scale, each = nrow(weight)))
    })
    less <- lapply(weights, function(weight) as.vector(weight %*% z$mean))
    source$columns <- source$columns[design$at]
    source$total <- source$total[design$at]
    list(z = z, each = function(f) {
        .eachBlock(source, function(v, at) {
            dimnames(v) <- list(NULL, NULL)
            for (few in .columnBlocks(length(at), 2048L)) {
                f(v[, few, drop = FALSE], at[few])
            }
        })
    }, activity = function(v, at) {
        out <- matrix(0, length(x@tfs), length(at))
        for (u in unique(networks$of[at])) {
            here <- networks$of[at] == u
            out[, here] <- as.matrix(weights[[u]] %*% v[, here, drop = FALSE]) -
                less[[u]]
        }
        out
    })
}
