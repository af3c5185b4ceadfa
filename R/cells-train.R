## A reference of labelled cells made into an annotator, with what it can tell.

#' A trained annotator of cell types
#'
#' Made by [trainAnnotator()], used by [annotateCells()]. It holds the cells of
#' the reference that it needs (so `saveRDS()` and [saveModel()] keep all of
#' it), and is a report: `show()` begins with the verdict, and
#' `as.data.frame(x, which = )` gives `"types"` (cells, held-out F1, recall,
#' precision of each), `"pairs"` (which types can be told apart), `"baselines"`
#' (held-out macro-F1 beside other methods), `"genes"` (chosen, with F) and,
#' where donors were given, `"geneCounts"`.
#'
#' @slot reference list: cells, labels and names of the reference.
#' @slot models list: what has been fit.
#' @return `saveModel()` the path of the folder, invisibly.
#' @seealso [trainAnnotator()], [annotateCells()], [CausewayReport-class]
#' @examples
#' cells <- exampleCells(120)
#' annotator <- trainAnnotator(cells, "group", nPerm = 3, seed = 1)
#' annotator
#' @name CellAnnotator-class
#' @exportClass CellAnnotator
setClass("CellAnnotator", contains = "CausewayReport", slots = c(
    reference = "list", models = "list"
))

#' Train an annotator on labelled cells
#'
#' Chooses genes, fits the classifiers of [annotateCells()], and finds by
#' held-out cells which of the labels can be told apart, how probabilities are
#' to be calibrated, and what permuted labels would reach.
#'
#' @details
#' Genes are chosen by the F of a one-way analysis of variance within the
#' training part. With `block` (donors, better batches or studies) whole blocks
#' are held out, and the number of genes is the fewest of 300, 1,000 and 3,000
#' that come within .01 of the best macro-F1; without, random cells are held
#' out, which is optimistic and said so, and 300 genes serve up to 10 types,
#' else 1,000.
#'
#' Labels are called distinguishable if the macro-F1 of logistic regression is
#' above that of all permutations, and above what 1 in 200 further ones would
#' reach by their spread. A pair of types is, if among their held-out cells the
#' area under the curve of the difference of log probabilities is at least .8
#' and at least two standard errors above .5.
#'
#' @param reference cells with known types, as [cellInput] says.
#' @param labels column of the cell data with the types, or a label per cell.
#'   Cells without a label (NA, "") and types of fewer than 3 cells are left
#'   out, and said so.
#' @param block column of the cell data (or a value per cell) with the donor,
#'   batch, or study: whole ones are held out.
#' @param genes names of genes to stay within, such as those of the cells to
#'   be annotated; `NULL`: all.
#' @param nGenes genes of the classifier; `NULL`: chosen.
#' @param maxCells cells of a type that are kept, chosen at random.
#' @param nPerm permutations of the labels, 3 or more.
#' @param ontology what [readOntology()] gives, or `NULL`.
#' @param terms Cell Ontology term of each type: a named vector, or a table of
#'   [mapLabels()]; `NULL`: `mapLabels()` of the labels, with an ontology.
#' @param assay.type,assay,symbols,species,alreadyNormalised see [cellInput].
#' @param seed whole number for random choices; `NULL`: R's generator.
#' @param threads engine threads; `NULL`: the default.
#' @param verbose tell what is left out.
#' @return A [CellAnnotator-class].
#' @section Errors: fewer than two types with 3 cells, fewer than 50 genes, an
#'   unknown column, `block` of one value, values that are negative or missing.
#' @references `spec/annotation-that-works.md` of the sources has the equations
#'   and the measurements behind each choice.
#' @seealso [annotateCells()], [evaluateAnnotation()]
#' @examples
#' cells <- exampleCells(120)
#' annotator <- trainAnnotator(cells, "group", nPerm = 3, seed = 1)
#' verdict(annotator)$text
#' as.data.frame(annotator, which = "types")
#' @export
trainAnnotator <- function(reference, labels = "cell_type", block = NULL,
    genes = NULL, nGenes = NULL, maxCells = 500, nPerm = 9, ontology = NULL,
    terms = NULL, assay.type = NULL, assay = NULL, symbols = NULL,
    species = NULL, alreadyNormalised = NULL, seed = NULL, threads = NULL,
    verbose = TRUE) {
    o <- .trainOptions(nGenes, maxCells, nPerm, ontology, terms, seed,
        threads, verbose)
    input <- .typeCells(reference, .inputArgs(assay.type = assay.type,
        symbols = symbols, species = species, assay = assay,
        alreadyNormalised = alreadyNormalised), "reference", verbose)
    rows <- .rowsWithin(input, genes)
    .trainOn(input, labels, block, rows, o)
}

.trainOptions <- function(nGenes, maxCells, nPerm, ontology, terms, seed,
    threads, verbose) {
    if (!is.null(ontology)) {
        .isOntology(ontology)
    }
    .checkFlag(verbose, "verbose")
    list(nGenes = if (!is.null(nGenes)) .checkNumber(nGenes, "nGenes", 2,
            whole = TRUE),
        maxCells = .checkNumber(maxCells, "maxCells", 10, whole = TRUE),
        nPerm = .checkNumber(nPerm, "nPerm", 3, 1000, whole = TRUE),
        ontology = ontology, terms = terms, key = .newKey(seed), seed = seed,
        threads = .threads(threads), verbose = verbose)
}

.rowsWithin <- function(input, genes) {
    if (is.null(genes)) {
        rows <- which(!duplicated(input$key))
    } else {
        .checkGenes(genes, "genes")
        rows <- which(input$key %in% .cleanNames(genes, input$type) &
            !duplicated(input$key))
    }
    if (length(rows) < 50L) {
        .stopArgument("genes", if (is.null(genes)) "of the reference are " else
            "and the reference share ", length(rows), "; 50 are needed."
        )
    }
    rows
}

## ---- the work --------------------------------------------------------------

## notes: what has been said already.
.trainOn <- function(input, labels, block, rows, o, notes = character()) {
    usable <- .usableLabels(.typeColumn(input, labels, "labels"))
    blocks <- .checkBlock(input, block, usable$label)
    lapply(c(usable$notes, blocks$notes), function(n) .say(o$verbose, n))
    notes <- c(notes, usable$notes, blocks$notes)
    kept <- .capCells(usable$label, o$maxCells, .shuffled(
        length(usable$label), o$key, 1))
    types <- .sortedUnique(usable$label[kept])
    kept <- unname(kept)
    stored <- list(
        matrix = .sparseColumns(input$matrix, kept)[rows, , drop = FALSE],
        logged = input$logged, y = match(usable$label[kept], types),
        types = types, block = blocks$value[kept],
        cells = table(factor(usable$label, types)),
        naming = .namingOf(input, rows))
    .checkFinite(stored$matrix@x, input$assay, "reference")
    .trainStored(stored, o, notes)
}

.namingOf <- function(input, rows) {
    list(type = input$type, caseOf = input$caseOf, key = input$key[rows],
        names = input$names[rows], ids = input$ids[rows],
        symbols = if (!is.null(input$symbols)) input$symbols[rows],
        species = input$species, arg = "reference")
}

.checkBlock <- function(input, block, label) {
    if (is.null(block)) {
        return(list(value = NULL, notes = character()))
    }
    value <- .typeColumn(input, block, "block")
    if (anyNA(value[!is.na(label)])) {
        .stopArgument("block", "is missing for ",
            .count(sum(is.na(value[!is.na(label)])), "labelled cell"), "."
        )
    }
    if (length(unique(value[!is.na(label)])) < 2L) {
        .stopArgument("block", "has one value, ", value[!is.na(label)][[1L]],
            "; two or more are needed to hold one out. Without donors leave ",
            "it NULL."
        )
    }
    list(value = value, notes = character())
}

## At most `most` cells of each label, in the order of the data.
.capCells <- function(label, most, order) {
    at <- order[!is.na(label[order])]
    sort(unlist(lapply(split(at, label[at]), head, most)))
}

## From stored cells: what .trainOn() keeps, or a part of its genes.
.trainStored <- function(stored, o, notes = character()) {
    ref <- .reference(stored$matrix, seq_len(nrow(stored$matrix)),
        stored$logged, stored$y, stored$types, o$threads)
    varying <- sum(ref$f > 0)
    if (varying < 2L) {
        .stopArgument("reference", "has no gene that differs between cells.")
    }
    small <- .heldOutCells(ref, stored$block, o)
    count <- if (is.null(o$nGenes)) .chooseGeneCount(small$ref, small$few,
        !is.null(stored$block), varying) else list(n = min(o$nGenes, varying))
    held <- .judgeLabels(ref, small, count$n, o)
    models <- list(nGenes = count$n, options = o, held = held$held,
        guess = .fitGuess(ref, count$n), terms = .typeTerms(ref$types, o))
    .newAnnotator(stored, ref, models, held, count, o, notes)
}

## The cells that are held out in turn: at most 5,000, evenly over types.
.heldOutCells <- function(ref, block, o) {
    order <- .shuffled(length(ref$y), o$key, 2)
    at <- unname(.capCells(ref$y, max(20L, 5000L %/% ref$K), order))
    unit <- .shuffled(length(at), o$key, 3)
    small <- .subReference(ref, at)
    list(ref = small, block = block[at],
        fold = .folds(small$y, block[at], unit, 5L),
        few = .folds(small$y, block[at], unit, 3L))
}

## Held-out predictions of the default and the baselines, null, pairs.
.judgeLabels <- function(ref, small, nGenes, o) {
    s <- small$ref
    one <- function(method) {
        .heldOut(s, small$fold, function(train, query, held) {
            .classify(train, query, nGenes, method)$logp
        })
    }
    logp <- one("default")
    t <- .temperature(logp, s$y)
    p <- .tempered(logp, t)
    base <- c(default = list(.callsOf(logp)), lapply(setNames(nm = c(
        "logisticZ", "centroid", "bayes")), function(m) .callsOf(one(m))),
        list(majority = rep(which.max(tabulate(s$y)), length(s$y))))
    keys <- lapply(seq_len(o$nPerm), function(i) {
        .shuffled(length(s$y), o$key, 10 + i)
    })
    list(held = list(p = p, y = s$y, fold = small$fold, temperature = t,
            threshold = .conformalThresholds(p, s$y, s$K),
            error = .calibrationError(apply(p, 1L, max),
                .callsOf(p) == s$y)),
        null = .permutedF1(s, small$fold, small$block, keys),
        pairs = .pairTable(logp, s$y, s$types),
        baselines = .baselineTable(base, s, small$fold),
        types = .typeTable(s$y, base$default, s$types))
}

.baselineTable <- function(calls, s, fold) {
    f1 <- vapply(calls, function(called) .foldF1(s$y, called, fold),
        numeric(2L))
    data.frame(method = colnames(f1), macroF1 = f1[1L, ], sd = f1[2L, ],
        accuracy = vapply(calls, function(called) mean(called == s$y), 0),
        row.names = NULL)
}

## A row per type that occurs: cells, F1, recall, precision, and what it is
## mostly taken for where it isn't found.
.typeTable <- function(y, called, types) {
    rows <- lapply(.sortedUnique(y), function(k) {
        own <- called[y == k]
        wrong <- own[own != k]
        data.frame(type = types[[k]], cells = length(own),
            f1 = 2 * sum(own == k) / (length(own) + sum(called == k)),
            recall = mean(own == k),
            precision = if (any(called == k)) mean(y[called == k] == k) else
                NA_real_,
            mostlyTakenFor = if (length(wrong)) types[[
                which.max(tabulate(wrong, length(types)))]] else "")
    })
    do.call(rbind, rows)
}

## ---- the annotator and its verdict -----------------------------------------

.newAnnotator <- function(stored, ref, models, held, count, o, notes) {
    top <- .topGenes(ref$f, max(models$nGenes, .plainGenes))
    facts <- list(cells = sum(stored$cells), types = ref$K,
        genes = nrow(stored$matrix), genesUsed = models$nGenes,
        f1 = held$baselines$macroF1[[1L]], sd = held$baselines$sd[[1L]],
        f1Null = held$null$null, f1Tested = held$null$observed,
        calibrationError = held$held$error, heldOut = if (is.null(
            stored$block)) "random cells" else "blocks",
        blocks = length(unique(stored$block)), folds = max(held$held$fold),
        notes = notes)
    types <- held$types
    types$cells <- as.integer(stored$cells[types$type])
    .report("CellAnnotator", .annotatorVerdict(facts, held, types),
        list(types = types, pairs = held$pairs, baselines = held$baselines,
            genes = data.frame(gene = stored$naming$names[top],
                f = ref$f[top]), geneCounts = count$table),
        facts, o$seed, reference = stored, models = models)
}

.annotatorVerdict <- function(facts, held, types) {
    good <- .isAbove(held$null$observed, held$null$null) &&
        facts$f1 > max(held$null$null)
    enough <- !is.na(good)
    how <- if (facts$heldOut == "blocks") {
        sprintf("%d blocks held out in %d parts", facts$blocks, facts$folds)
    } else {
        "no donors: random cells held out, optimistic"
    }
    text <- c(sprintf(paste("%s on these %s genes: held-out macro-F1 %.2f",
            "(sd %.2f; %s); permuted labels reach %.2f."),
        if (!enough) paste(length(facts$f1Null), "permutations are too few to",
            "say whether the labels are distinguishable") else if (good)
            "The labels are distinguishable" else
            "The labels are not distinguishable", format(facts$genes,
            big.mark = ","), facts$f1, facts$sd, how, max(facts$f1Null)),
        if (!enough) "More permutations will say: 'nPerm', 9 by default.",
        if (isTRUE(good)) .pairText(held$pairs), .baselineText(held$baselines),
        .fewText(types))
    .verdict(text, good, f1 = facts$f1, pairs = held$pairs[
        !held$pairs$distinguishable, c("a", "b", "auroc")])
}

.pairText <- function(pairs) {
    bad <- pairs[!pairs$distinguishable, , drop = FALSE]
    if (!nrow(bad)) {
        return("Every pair of types can be told apart.")
    }
    paste0("Not distinguishable in this reference: ", .some(sprintf(
        "%s and %s (area %.2f)", bad$a, bad$b, bad$auroc)),
        "; consider merging them.")
}

.methodNames <- c(default = "default", logisticZ = "logistic regression",
    logisticZZ = "logistic regression, query standardised by itself",
    centroid = "centroids", bayes = "naive Bayes", knn = "nearest neighbours",
    lda = "linear discriminants", guess = "first guess",
    singler = "SingleR", majority = "most common type")

.baselineText <- function(table) {
    table <- table[table$method != "default", , drop = FALSE]
    paste0("Beside it: ", paste(sprintf("%s %.2f",
        .methodNames[table$method], table$macroF1), collapse = ", "), ".")
}

.fewText <- function(types) {
    few <- types$cells < 15
    if (any(few)) paste0("Types with fewer than 15 cells, to be read with ",
        "care: ", .some(sprintf("%s (%d)", types$type[few],
            types$cells[few])), ".")
}

## ---- files -----------------------------------------------------------------

.annotatorFile <- "annotator.rds"

#' @rdname CellAnnotator-class
#' @param model a `CellAnnotator`.
#' @param dir the folder to make.
#' @param overwrite `TRUE` replaces a folder that holds an annotator.
#' @param ... not used.
#' @export
setMethod("saveModel", "CellAnnotator", function(model, dir,
    overwrite = FALSE, ...) {
    .noDots(...)
    .checkText(dir, "dir")
    .checkFlag(overwrite, "overwrite")
    target <- .findFolder(dir)
    if (file.exists(target)) {
        old <- list.files(target, all.files = TRUE, no.. = TRUE)
        if (!overwrite || !dir.exists(target) ||
            !all(old %in% c(.annotatorFile, .sumsFile))) {
            .stopArgument("dir", "is \"", dir, "\", which exists",
                if (overwrite) " and is not an annotator's folder" else
                    "; choose another or say overwrite = TRUE", "."
            )
        }
    }
    .writeFolder(target, function(part) {
        saveRDS(model, file.path(part, .annotatorFile))
    })
    invisible(dir)
})

## What loadModel() gives for such a folder; NULL for any other.
.loadAnnotator <- function(path) {
    file <- file.path(path, .annotatorFile)
    if (!file.exists(file)) {
        return(NULL)
    }
    model <- tryCatch(readRDS(file), error = function(e) NULL)
    if (!methods::is(model, "CellAnnotator")) {
        .stopArgument("path", "is \"", path, "\", whose ", .annotatorFile,
            " holds no annotator."
        )
    }
    methods::validObject(model)
    model
}
