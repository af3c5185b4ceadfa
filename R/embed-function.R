## Do gene vectors tell what genes do?

#' Evaluate gene vectors on gene function
#'
#' Trains the heads that CellFM publishes for gene function on the vectors of
#' some genes and scores what they tell of others, beside the same heads on what
#' needs no model: how much the gene is expressed, and its place in a principal
#' component analysis of the cells. Genes, not cells, are held out.
#'
#' @details
#' With `go` a head with three hidden layers tells, for each branch, which of
#' its `top` most frequent terms a gene has; genes without any term of the
#' branch are unknown and left out. With `class` two classes are told. All
#' features are scaled on the training genes. Expression levels (mean, standard
#' deviation and share of cells of log values) are given by eight soft steps
#' each, so that they can be bent. Frequent terms follow expression closely:
#' that a vector knows them is worth little unless it knows more than the level.
#'
#' @param x the cells that expression levels and components are taken from; see
#'   [cellInput].
#' @param embedding matrix with genes as rows, as [embedGenes()] gives; or a
#'   model that it can be asked.
#' @param go NULL, or terms: a data.frame (`gene`, `term`, and `branch`, such as
#'   MF, BP, CC, where there are several) or a named list of genes.
#' @param class NULL, or two classes: a named vector, names are genes.
#' @param top terms of each branch.
#' @param folds of the genes, each held out once.
#' @param epochs,batchSize,lr of the training of each head; published: batches
#'   of 4 (1024 with `go`), 30 (5) epochs, 1e-4.
#' @param components principal components.
#' @param nBoot bootstrap samples of genes.
#' @param assay.type,symbols,alreadyNormalised as for [inferGRN()].
#' @param seed NULL: drawn from R's generator; or a whole number.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param verbose show messages and progress.
#' @param ... not used.
#' @return A `GeneFunctionReport` (see [verdict()]) with the table `scores`, a
#'   row per task (branch, or `"class"`) and features (`"embedding"`,
#'   `"components"`, `"expression"`, `"frequency"`: no features): `genes`,
#'   `labels`, `average` (average precision over all pairs of gene and term),
#'   `aupr` (by trapezoids, as published), `fMax`, and with `class` `accuracy`
#'   and `macroF1`; and the table `gain`, a row per task: the embedding's
#'   average precision less that of the best of the others (`baseline`), with a
#'   bootstrap interval.
#' @section Errors: neither or both of `go` and `class`; more than two classes;
#'   too few genes that have vectors, cells and functions.
#' @references Zeng et al. (2025), CellFM, Nature Communications 16:4679.
#' @seealso [embedGenes()], [geneModules()]
#' @examples
#' cells <- exampleCells()
#' model <- newModel(ScGPTParam(embedDim = 16, layers = 1, heads = 2), cells,
#'     seed = 1
#' )
#' genes <- rownames(cells)
#' go <- data.frame(gene = genes, term = rep(c("a", "b", "c"),
#'     length.out = length(genes)))
#' evaluateGeneFunction(cells, model, go = go, folds = 2, epochs = 2,
#'     nBoot = 20, seed = 1, verbose = FALSE
#' )
#' @aliases GeneFunctionReport-class
#' @export
evaluateGeneFunction <- function(x, embedding, go = NULL, class = NULL,
    top = 10, folds = 5, epochs = 30, batchSize = 32, lr = 1e-3,
    components = 50, nBoot = 200, assay.type = NULL, symbols = NULL,
    alreadyNormalised = NULL, seed = NULL, ..., threads = NULL,
    verbose = TRUE) {
    .noDots(..., renamed = c(model = "embedding"))
    .given(embedding, "embedding", "gene vectors, as embedGenes() gives")
    s <- list(top = .checkNumber(top, "top", 1, 1e4, TRUE),
        folds = .checkNumber(folds, "folds", 2, 100, TRUE),
        epochs = .checkNumber(epochs, "epochs", 1, 1e5, TRUE),
        batchSize = .checkNumber(batchSize, "batchSize", 2, 65536, TRUE),
        lr = .checkNumber(lr, "lr", 0, 1, open = TRUE),
        components = .checkNumber(components, "components", 1, 1000, TRUE),
        nBoot = .checkNumber(nBoot, "nBoot", 0, 1e5, TRUE),
        key = .newKey(seed), threads = .threads(threads),
        verbose = .checkFlag(verbose, "verbose")
    )
    if (is.null(go) == is.null(class)) {
        .stopArgument("go", "or 'class' must be given, and not both.")
    }
    how <- .inputArgs(assay.type, symbols,
        alreadyNormalised = alreadyNormalised)
    if (methods::is(embedding, "FoundationModel")) {
        embedding <- embedGenes(x, embedding, assay.type = assay.type,
            symbols = symbols)
    }
    vectors <- .sideEmbedding(embedding)
    input <- .readCells(x, how, s$verbose)
    input$labels <- toupper(.readoutNames(input))
    genes <- intersect(rownames(vectors), input$labels)
    tasks <- if (is.null(go)) list(class = .classTask(class, genes)) else
        .termTasks(go, genes, s)
    used <- unique(unlist(lapply(tasks, `[[`, "genes")))
    features <- c(list(embedding = vectors[used, , drop = FALSE]),
        .levelFeatures(input, used, alreadyNormalised, s)
    )
    bar <- .progressStart("heads", length(tasks) * s$folds * length(features),
        s$verbose
    )
    on.exit(.progressDone(bar))
    results <- lapply(seq_along(tasks), function(i) {
        .functionTask(tasks[[i]], features, s, bar,
            (i - 1L) * s$folds * length(features))
    })
    .functionReport(setNames(results, names(tasks)), s)
}

#' @exportClass GeneFunctionReport
setClass("GeneFunctionReport", contains = "CausewayReport")

setClass("GeneFunctionModel", contains = "FoundationModel")

## ---- tasks -----------------------------------------------------------------

.needFunctions <- function(n, folds, arg) {
    if (n < 4L * folds) {
        .stopArgument(arg, "has functions of ", .count(n, "gene"), " that have ",
            "a vector and are measured; ", 4L * folds, " are needed for ",
            folds, " folds. Are the names of one kind?"
        )
    }
}

.classTask <- function(class, genes) {
    if (is.null(names(class)) || anyDuplicated(toupper(names(class)))) {
        .stopArgument("class", "must have genes as names, each once.")
    }
    value <- as.character(class)
    names(value) <- toupper(trimws(names(class)))
    value <- value[!is.na(value)]
    levels <- sort(unique(value), method = "radix")
    if (length(levels) != 2L) {
        .stopArgument("class", "must have two classes; it has ",
            length(levels), "."
        )
    }
    genes <- intersect(genes, names(value))
    .needFunctions(length(genes), 2L, "class")
    label <- matrix(as.integer(value[genes] == levels[[2L]]), 1L)
    if (min(table(factor(label, 0:1))) < 4L) {
        .stopArgument("class", "has fewer than 4 genes of a class that have a ",
            "vector and are measured.")
    }
    list(genes = genes, label = label, levels = levels)
}

## A named list of genes as a table, the names those of terms.
.termRows <- function(go) {
    data.frame(gene = as.character(unlist(go)),
        term = rep(names(go), lengths(go)))
}

## Per branch the terms that most of the genes have.
.termTasks <- function(go, genes, s) {
    table <- if (is.data.frame(go)) go else .termRows(go)
    ends <- .twoColumns(table, "go", c("gene", "symbol", "SYMBOL"),
        c("term", "go_id", "GO", "GOALL", "pathway"))
    branch <- table[[intersect(c("branch", "ONTOLOGY", "ONTOLOGYALL",
        "ontology", "aspect"), names(table))[1L]]]
    branch <- if (is.null(branch)) rep("terms", nrow(table)) else
        as.character(branch)
    table <- unique(data.frame(gene = ends[[1L]], term = ends[[2L]],
        branch = branch))
    table <- table[table$gene %in% genes & !is.na(table$term) &
        !is.na(table$branch), ]
    out <- lapply(split(table, .asFactor(table$branch)), function(t) {
        known <- unique(t$gene)
        size <- sort(table(.asFactor(t$term)), decreasing = TRUE)
        size <- size[size >= 2L * s$folds & size <= length(known) - 2L]
        terms <- utils::head(names(size), s$top)
        if (!length(terms) || length(known) < 4L * s$folds) {
            return(NULL)
        }
        known <- intersect(genes, known)
        list(genes = known, levels = terms, label = vapply(known, function(g) {
            as.integer(terms %in% t$term[t$gene == g])
        }, integer(length(terms))))
    })
    out <- Filter(Negate(is.null), out)
    if (!length(out)) {
        .needFunctions(length(unique(table$gene)), s$folds, "go")
        .stopArgument("go", "has no term of ", 2L * s$folds, " genes or more ",
            "that have a vector and are measured, and that some genes lack."
        )
    }
    lapply(out, function(t) {
        t$label <- matrix(t$label, length(t$levels))
        t
    })
}

## ---- features --------------------------------------------------------------

## genes x numbers: place in the cells' components, level of expression.
.levelFeatures <- function(input, genes, logged, s, most = 1000L) {
    n <- ncol(input$matrix)
    at <- if (n > most) round(seq(1, n, length.out = most)) else seq_len(n)
    how <- .valueScale(input, at, logged)
    v <- as.matrix(.extractValues(input$matrix, match(genes, input$labels), at,
        1 / how$scale[at], 1, how$logged, FALSE
    ))
    level <- cbind(rowMeans(v), sqrt(rowMeans((v - rowMeans(v))^2)),
        rowMeans(v > 0)
    )
    centred <- v - rowMeans(v)
    scaled <- centred / pmax(sqrt(rowMeans(centred^2)), 1e-8)
    scaled <- .lessEach(scaled, colMeans(scaled))
    axes <- .Call(cw_r_dense_eigen, .product(scaled, scaled, s$threads))
    k <- min(s$components, sum(axes$values > 1e-9 * axes$values[[1L]]))
    list(components = scaled %*% axes$vectors[, seq_len(k), drop = FALSE],
        expression = do.call(cbind, lapply(1:3, function(j) {
            .softSteps(level[, j])
        }))
    )
}

## 8 logistic steps at the octiles of x.
.softSteps <- function(x) {
    r <- rank(x) / length(x)
    outer(r, (seq_len(8L) - 0.5) / 8, function(a, b) stats::plogis(16 * (a - b)))
}

## ---- heads -----------------------------------------------------------------

.functionTask <- function(task, features, s, bar, done) {
    fold <- .foldsOf(length(task$genes), s$folds, s$key, 1L)
    told <- lapply(seq_along(features), function(f) {
        x <- t(features[[f]][match(task$genes, rownames(features[[1L]])), ,
            drop = FALSE])
        p <- array(NA_real_, dim(task$label))
        for (k in seq_len(max(fold))) {
            p[, fold == k] <- .headTold(x, task$label, fold != k, s)
            .progressTick(bar, done + (f - 1L) * s$folds + k)
        }
        p
    })
    frequency <- array(NA_real_, dim(task$label))
    for (k in seq_len(max(fold))) {
        frequency[, fold == k] <- rowMeans(task$label[, fold != k,
            drop = FALSE])
    }
    told <- c(setNames(told, names(features)), list(frequency = frequency))
    list(told = told, task = task)
}

## Probabilities of the genes that aren't seen. x: numbers x genes.
.headTold <- function(x, label, seen, s) {
    m <- rowMeans(x[, seen, drop = FALSE])
    sd <- sqrt(rowMeans((x[, seen, drop = FALSE] - m)^2))
    x <- (x - m) / ifelse(sd > 1e-8, sd, 1)
    two <- nrow(label) == 1L && nrow(x) >= 16L
    config <- list(enc_dims = nrow(x), classes = nrow(label), binary = two,
        hidden_dim = 256L, hidden2 = 128L, hidden3 = 64L
    )
    model <- .encoderModel("GeneFunctionModel", "genefn", config, s$key,
        s$threads, "genefn"
    )
    .engineBegin(model, "train", list(optimizer = "adam", lr = s$lr,
        beta2 = 0.999, weightDecay = 1e-5, clip = 0, schedule = "constant"),
        key = s$key
    )
    batches <- .shuffledBatches(which(seen), s$batchSize, s$key, 100L)
    .rounds(model, rep(batches$n, s$epochs), function(epoch) {
        parts <- batches$of(epoch)
        function(i) {
            part <- parts[[i]]
            c(list(x = x[, part, drop = FALSE]),
                if (two) list(class = label[1L, part]) else
                    list(label = label[, part, drop = FALSE] + 0))
        }
    }, row = function(...) NULL)
    y <- .engineRun(model, "predict", list(x = x[, !seen, drop = FALSE]))$logits
    stats::plogis(if (two) y[2L, ] - y[1L, ] else y)
}

## ---- report ----------------------------------------------------------------

.binaryScores <- function(told, truth) {
    setNames(.Call(cw_r_classify_binary, as.numeric(told),
        as.integer(truth)), c("aupr", "average", "fMax"))
}

.functionScores <- function(r, name) {
    do.call(rbind, lapply(names(r$told), function(f) {
        p <- r$told[[f]]
        b <- .binaryScores(p, r$task$label)
        out <- data.frame(task = name, features = f, genes = ncol(p),
            labels = nrow(p), average = b[["average"]], aupr = b[["aupr"]],
            fMax = b[["fMax"]])
        if (identical(name, "class")) {
            k <- .Call(cw_r_classify_classes, as.integer(r$task$label),
                as.integer(p > 0.5), 2L)
            out$accuracy <- k[[1L]]
            out$macroF1 <- k[[2L]]
        }
        out
    }))
}

## Embedding against the best of the others, over samples of genes.
.functionGain <- function(r, name, scores, s) {
    others <- scores[scores$features != "embedding", ]
    best <- others$features[which.max(others$average)]
    gain <- function(at) {
        of <- function(f) .binaryScores(r$told[[f]][, at],
            r$task$label[, at])[["average"]]
        of("embedding") - of(best)
    }
    n <- ncol(r$task$label)
    low <- .bootInterval(n, gain, s$key, 60L, s$nBoot)
    data.frame(task = name, baseline = best, gain = gain(seq_len(n)),
        low = low[[1L]], high = low[[2L]])
}

.functionReport <- function(results, s) {
    scores <- lapply(names(results), function(n) {
        .functionScores(results[[n]], n)
    })
    gain <- do.call(rbind, lapply(seq_along(results), function(i) {
        .functionGain(results[[i]], names(results)[[i]], scores[[i]], s)
    }))
    scores <- do.call(rbind, scores)
    rownames(scores) <- rownames(gain) <- NULL
    better <- gain$low > 0
    text <- c(sprintf(paste0("The vectors tell more of held-out genes' ",
        "functions than expression and components do, beyond noise, in %d ",
        "of %s."), sum(better, na.rm = TRUE), .count(nrow(gain), "task")),
        sprintf("%s: average precision %.3f, %s %.3f (gain %.3f [%.3f, %.3f]).",
            gain$task, scores$average[scores$features == "embedding"],
            gain$baseline, scores$average[scores$features == "embedding"] -
                gain$gain, gain$gain, gain$low, gain$high))
    .report("GeneFunctionReport", .verdict(text,
        holds = if (anyNA(better)) NA else any(better)),
        list(scores = scores, gain = gain,
            labels = do.call(rbind, lapply(names(results), function(n) {
                t <- results[[n]]$task
                data.frame(task = n, label = if (nrow(t$label) == 1L &&
                    n == "class") t$levels[[2L]] else t$levels,
                    genes = rowSums(t$label))
            }))),
        list(folds = s$folds, epochs = s$epochs, nBoot = s$nBoot),
        .keyText(s$key)
    )
}
