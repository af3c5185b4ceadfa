## Networks of states of cells that are read by blocks. Of labels that are given
## from sums over the cells of every half of every label
## (src/engine/stats/labels.h); else of a sample.

## Are the networks of these settings known from sums over all cells?
.sumsSuffice <- function(s, block) {
    !is.null(s$label) && nlevels(s$label) > 1L && !isFALSE(s$centre) &&
        is.null(block)
}

.sampleStates <- function(s, at) {
    if (!is.null(s$label)) {
        s$label <- droplevels(s$label[at])
        s$names <- levels(s$label)
        s$w <- .labelFlags(s$label)
    }
    if (!is.null(s$point)) {
        s$point <- s$point[, at, drop = FALSE]
    }
    s$high <- min(s$high, length(at) - 1L)
    s
}

## The sample of a file as if it were all there is; `drawn`: how many.
.asHeld <- function(prepared) {
    prepared <- .sampleOf(prepared)
    prepared$drawn <- length(prepared$sampled)
    prepared$sampled <- NULL
    prepared
}

.sayPerCell <- function(prepared, verbose) {
    all <- prepared$report$cells
    if (!is.null(prepared$drawn)) {
        .say(verbose, "Of ", all, " cells ", prepared$drawn, ", drawn at ",
            "random, are read.")
    } else if (!is.null(prepared$sampled)) {
        .say(verbose, "Networks are those of all ", all, " cells; the ",
            "expression of ", length(prepared$sampled), ", drawn at random, ",
            "is kept.")
    }
}

## ---- sums -------------------------------------------------------------------

## What .fitSplits() gives, and `sums`, of all cells. As many splits at a time
## as .splitBytes() holds; each time the cells are read once more.
.fitStreamed <- function(prepared, splits, count, threads, tick) {
    tf <- which(!prepared$nonTF)
    genes <- length(prepared$nonTF)
    each <- 16 * count * length(tf) * genes
    parts <- split(splits, (seq_along(splits) - 1L) %/%
        max(1, floor(.splitBytes() / each)))
    fit <- function(train, held, keep = FALSE) {
        out <- .nameLabelFit(.Call(cw_r_labels_sums, train, held,
            c(.labelGrid, .pooledMore), length(.labelGrid), keep, threads
        ))
        tick()
        out
    }
    full <- all <- NULL
    held <- lapply(unname(parts), function(part) {
        sums <- .splitSums(prepared$source, part, count, tf, threads)
        if (is.null(full)) {
            both <- Map(.joinSums, sums[[1L]]$train, sums[[1L]]$held)
            full <<- fit(both, NULL, TRUE)
            all <<- Reduce(.joinSums, both)
            rm(both)
        }
        lapply(sums, function(s) {
            .heldSums(fit(s$train, s$held)) + .heldSums(fit(s$held, s$train))
        })
    })
    list(full = full, held = unlist(held, recursive = FALSE), sums = all)
}

## Bytes of sums that are held at a time.
.splitBytes <- function() 8 * .blockBytes()

## One pass: for every split list(train, held), lists of sums by label.
.splitSums <- function(source, splits, count, tf, threads) {
    sums <- lapply(splits, function(split) {
        new <- function(k) {
            .newSums(length(split$genes), match(tf, split$genes) - 1L, FALSE)
        }
        list(train = lapply(seq_len(count), new),
            held = lapply(seq_len(count), new)
        )
    })
    .eachBlock(source, function(x, at) {
        for (i in seq_along(splits)) {
            s <- splits[[i]]
            part <- if (length(s$genes) < nrow(x)) x[s$genes, , drop = FALSE]
                else x
            for (half in names(sums[[i]])) {
                here <- which(s$train[at] == (half == "train"))
                of <- split(here, s$label[at][here])
                for (k in names(of)) {
                    .addSums(sums[[i]][[half]][[as.integer(k)]],
                        part[, of[[k]], drop = FALSE], threads)
                }
            }
        }
        NULL
    })
    sums
}

## Sums over the cells of both; of none least and most are 0.
.joinSums <- function(a, b) {
    if (a$cells == 0) {
        return(b)
    }
    if (b$cells == 0) {
        return(a)
    }
    out <- a
    for (part in c("cells", "sum", "square", "cube", "product", "both")) {
        out[[part]] <- a[[part]] + b[[part]]
    }
    out$least <- pmin(a$least, b$least)
    out$most <- pmax(a$most, b$most)
    out
}

## The cells of the sample alone.
.sampleOf <- function(prepared) {
    at <- prepared$sampled
    if (is.null(at)) {
        return(prepared)
    }
    prepared$cells <- prepared$cells[at]
    prepared$columns <- prepared$columns[at]
    prepared$cellData <- prepared$cellData[at, , drop = FALSE]
    prepared
}
