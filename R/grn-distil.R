## Students: an SFM taught the factors of a network per cell state.

## trainModel(x, SFMParam(), teacher = ). Factor i < M is the i-th TF's, the
## last belongs to none: gene g gives factor i the share that TF i has of its
## regulation in the cell's state. Cells are read as the mean profile of their
## state, because single cells are too noisy to tell contexts apart.
.distil <- function(param, x, teacher, species = NULL, assay.type = NULL,
    symbols = NULL, threads = NULL, seed = NULL, epochs = NULL,
    batchSize = 16, lr = 5e-3, weightDecay = 0.05, clip = 1,
    preprocess = list(), alreadyNormalised = NULL,
    verbose = interactive()) {
    teacher <- .asTeacher(teacher)
    batchSize <- .checkNumber(batchSize, "batchSize", 1, 65536, TRUE)
    .checkNumber(lr, "lr", 0, 1, open = TRUE)
    .checkNumber(weightDecay, "weightDecay", 0)
    .checkNumber(clip, "clip", 0, open = TRUE)
    if (!is.null(epochs)) {
        epochs <- .checkNumber(epochs, "epochs", 1, 1e6, whole = TRUE)
    }
    .checkFlag(verbose, "verbose")
    model <- .newStudent(param, x, teacher, species, assay.type, symbols,
        threads, seed
    )
    how <- .inputArgs(assay.type, symbols, model@state$species, nTargets = 0,
        genes = teacher$genes, alreadyNormalised = alreadyNormalised,
        preprocess = preprocess
    )
    prepared <- .modelCells(model, x, "infer", how, verbose)
    lesson <- .lesson(prepared, teacher)
    .checkMemory(model, min(batchSize, nrow(lesson$w)), nrow(prepared$values),
        sum(!prepared$nonTF), TRUE, "batchSize"
    )
    model@state$student <- lesson$student
    model@state$tokens <- prepared$tokens
    model@state$coverage <- prepared$report
    .teach(model, prepared, lesson, epochs, batchSize, list(
        lr = lr, weightDecay = weightDecay, clip = clip
    ), .newKey(seed), verbose)
    invisible(model)
}

.newStudent <- function(param, x, teacher, species, assay.type, symbols,
    threads, seed) {
    param@config$sfm$num_factors <- length(teacher$tfs) + 1L
    param@config$sfm["topk"] <- list(NULL)
    for (rate in c("cond_dropout", "out_dropout", "backbone_mlp_dropout",
        "router_dropout")) {
        param@config$sfm[[rate]] <- 0
    }
    newModel(param, x,
        species = species,
        tfs = teacher$tfs, seed = seed, threads = threads,
        assay.type = assay.type, symbols = symbols
    )
}

## What is taught: names, memberships of the cells (rows named), and a function
## from memberships to scores, TFs x genes.
.asTeacher <- function(teacher) {
    if (methods::is(teacher, "StateGRN")) {
        return(list(
            tfs = tfNames(teacher), genes = geneNames(teacher),
            w = memberships(teacher),
            scores = function(w) .nameScores(abs(.mixedScores(teacher, w)),
                teacher
            )
        ))
    }
    if (methods::is(teacher, "PooledGRN")) {
        scores <- abs(as.matrix(teacher))
        return(list(
            tfs = tfNames(teacher), genes = geneNames(teacher), w = NULL,
            scores = function(w) scores
        ))
    }
    .stopArgument("teacher", "must be a StateGRN, as inferGRN(x, ",
        "PerCellGRNParam()) returns, or a PooledGRN; it is a ",
        class(teacher)[[1L]], "."
    )
}

## The teacher put to the prepared cells: `w`, the different memberships to
## learn; `share(w)`, factors x genes; `student`, what reading new cells takes.
.lesson <- function(prepared, teacher) {
    w <- .teacherMemberships(prepared, teacher)
    order <- match(prepared$labels, teacher$genes)
    tfs <- prepared$labels[!prepared$nonTF]
    if (anyNA(order) || !setequal(tfs, teacher$tfs)) {
        .stopArgument("teacher", "speaks of genes that 'x' names otherwise: ",
            .some(setdiff(prepared$labels, teacher$genes)), "."
        )
    }
    scoresAt <- function(w) teacher$scores(w)[tfs, order, drop = FALSE]
    different <- w[!duplicated(round(w, 6L)), , drop = FALSE]
    columns <- vapply(seq_len(nrow(different)), function(i) {
        colSums(scoresAt(different[i, ]))
    }, numeric(length(order)))
    full <- stats::quantile(columns, 0.99, names = FALSE)
    if (!(full > 0)) {
        .stopArgument("teacher", "has no edge: all its scores are 0.")
    }
    share <- function(w) {
        scores <- scoresAt(w)
        scores <- scores / rep(pmax(colSums(scores), full),
            each = nrow(scores)
        )
        rbind(scores, 1 - colSums(scores))
    }
    list(w = different, share = share, student = .stateReader(prepared, w))
}

.teacherMemberships <- function(prepared, teacher) {
    if (is.null(teacher$w)) {
        return(matrix(1, length(prepared$cells), 1L))
    }
    at <- match(prepared$cells, rownames(teacher$w))
    if (anyNA(at)) {
        .stopArgument("teacher", "knows ", sum(!is.na(at)), " of the ",
            length(at), " cells of 'x'; give the cells it was made from ",
            "(unknown: ", .some(prepared$cells[is.na(at)], 3L), ")."
        )
    }
    unname(teacher$w[at, , drop = FALSE])
}

## Reading cells by their state: profiles of the states (genes x states), and
## up to 2,000 reference cells in the space the states span, by which the
## memberships of new cells are found. Nothing of a new cell's company enters.
.stateReader <- function(prepared, w) {
    values <- prepared$values
    w <- as.matrix(w)
    mean <- .perColumn(as.matrix(values %*% w), colSums(w))
    s <- .standardiser(values)
    axes <- (mean - s$mean) * s$scale
    reader <- list(tokens = prepared$tokens, profiles = mean,
        centre = s$mean, scale = s$scale, axes = axes, neighbours = 30L
    )
    keep <- unique(round(seq(1, nrow(w), length.out = min(2000, nrow(w)))))
    reader$memberships <- w[keep, , drop = FALSE]
    reader$reference <- .stateCoordinates(reader,
        values[, keep, drop = FALSE], seq_along(prepared$tokens)
    )
    reader
}

## Cells x states: how far each cell goes from the mean towards each profile.
.stateCoordinates <- function(reader, values, at) {
    axes <- reader$axes[at, , drop = FALSE]
    size <- sqrt(pmax(colSums(axes^2), 1e-300))
    scaled <- axes * reader$scale[at]
    moved <- do.call(rbind, .valueBlocks(values, function(v, columns) {
        as.matrix(Matrix::crossprod(v, scaled))
    }))
    shift <- colSums(scaled * reader$centre[at])
    t((t(moved) - shift) / size)
}

## Memberships of the prepared cells: the mean of the nearest references'.
.readStates <- function(reader, prepared) {
    at <- match(prepared$tokens, reader$tokens)
    if (anyNA(at)) {
        .stopArgument("genes", "must be among those the student was taught.")
    }
    w <- reader$memberships
    if (ncol(w) > 1L) {
        point <- .stateCoordinates(reader, prepared$values, at)
        from <- reader$reference
        k <- min(reader$neighbours, nrow(from))
        length2 <- rowSums(from^2)
        w <- t(vapply(seq_len(nrow(point)), function(i) {
            d2 <- length2 - 2 * as.vector(from %*% point[i, ])
            colMeans(w[order(d2)[seq_len(k)], , drop = FALSE])
        }, numeric(ncol(w))))
    } else {
        w <- matrix(1, ncol(prepared$values), 1L)
    }
    prepared$read <- list(
        profiles = reader$profiles[at, , drop = FALSE], w = w
    )
    prepared$conditions[] <- 0L
    prepared
}

## What the model reads of the cells `at`, genes x cells.
.valuesRead <- function(prepared, at) {
    if (is.null(prepared$read)) {
        return(.cellsRead(prepared$values, at))
    }
    tcrossprod(prepared$read$profiles, prepared$read$w[at, , drop = FALSE])
}

.teach <- function(model, prepared, lesson, epochs, batchSize, settings, key,
    verbose) {
    state <- model@state
    n <- nrow(lesson$w)
    batches <- ceiling(n / batchSize)
    if (is.null(epochs)) {
        epochs <- max(10L, as.integer(ceiling(600 / batches)))
    }
    total <- epochs * batches
    .engineBegin(model, "distil", list(
        lr = settings$lr, beta2 = 0.95, weightDecay = settings$weightDecay,
        clip = settings$clip, schedule = "cosine", totalSteps = total,
        warmupSteps = floor(total * 0.03), minLrRatio = 0.01
    ), key = key)
    state$log <- .emptyLog(total)
    state$logged <- 0L
    state$status <- "running"
    .say(verbose, "Teaching ", n, " different memberships of ",
        ncol(lesson$w), " states, ", nrow(prepared$values), " genes (",
        sum(!prepared$nonTF), " TFs), ", total, " steps."
    )
    prepared$read <- list(profiles = lesson$student$profiles, w = lesson$w)
    prepared$conditions <- matrix(0L, 4L, n)
    bar <- .progressStart("Teaching ", total, verbose)
    on.exit({
        .progressDone(bar)
        if (identical(state$status, "running")) state$status <- "failed"
    })
    state$status <- tryCatch({
        for (step in seq_len(total)) {
            .teachStep(model, prepared, lesson, step, batches, batchSize, key)
            .progressTick(bar, step, .lossText(c(
                loss = state$log[[step, "total"]]
            )))
        }
        "student"
    }, interrupt = function(e) {
        message("Teaching stopped after ", state$logged, " of ", total,
            " steps; the model is usable. To go on, teach it anew."
        )
        "stopped"
    })
    invisible(model)
}

.teachStep <- function(model, prepared, lesson, step, batches, batchSize,
    key) {
    state <- model@state
    started <- proc.time()[["elapsed"]]
    epoch <- (step - 1L) %/% batches
    window <- (step - 1L) %% batches
    n <- nrow(lesson$w)
    order <- .Call(cw_r_permutation, n, as.double(key), epoch) + 1L
    at <- order[seq(window * batchSize + 1, min(n, (window + 1) * batchSize))]
    share <- vapply(at, function(i) as.vector(lesson$share(lesson$w[i, ])),
        numeric((sum(!prepared$nonTF) + 1) * nrow(prepared$values))
    )
    batch <- .tokenBatch(prepared, at)
    batch$teacher <- array(share,
        c(sum(!prepared$nonTF) + 1L, nrow(prepared$values), length(at))
    )
    loss <- .engineMicro(model, batch)$total
    suspendInterrupts({
        update <- .engineApply(model)
        state$logged <- step
        state$log[step, ] <- c(step, epoch + 1, NA, NA, NA, NA, loss,
            update[["gradNorm"]], update[["lr"]],
            proc.time()[["elapsed"]] - started, 1
        )
    })
    invisible()
}

## ---- kept with the model ---------------------------------------------------

.readerParts <- c("profiles", "axes", "memberships", "reference")

## From JSON, where a matrix is an array of rows.
.checkReader <- function(x, file) {
    if (!length(x)) {
        return(NULL)
    }
    for (part in .readerParts) {
        x[[part]] <- as.matrix(x[[part]])
    }
    n <- length(x$tokens)
    finite <- vapply(x[c(.readerParts, "tokens", "centre", "scale",
        "neighbours")], function(v) is.numeric(v) && all(is.finite(v)),
        logical(1)
    )
    states <- ncol(x$profiles)
    if (!all(finite) || n < 2L || nrow(x$profiles) != n ||
        !identical(dim(x$axes), dim(x$profiles)) || length(x$centre) != n ||
        length(x$scale) != n || length(x$neighbours) != 1L ||
        x$neighbours < 1 || nrow(x$reference) < 1L ||
        !identical(dim(x$reference), dim(x$memberships)) ||
        ncol(x$reference) != states) {
        stop("'", file, "' describes a student whose parts don't fit ",
            "together; it was changed after saveModel() wrote it.",
            call. = FALSE
        )
    }
    x$tokens <- as.integer(x$tokens)
    x
}
