## Tables of edges, of whatever tool.

edgesOf <- function(...) {
    data.frame(..., check.names = FALSE)
}

test_that("the columns of other tools are known, wherever edges are read", {
    want <- data.frame(Gene1 = c("MYOG", "MYOG", "SOX2"),
        Gene2 = c("G1", "G2", "G3"))
    grn <- PooledGRN(matrix(1:12 / 12, 2, dimnames = list(c("MYOG", "SOX2"),
        c("MYOG", "SOX2", paste0("G", 1:4)))))
    facts <- function(x) {
        evaluateGRN(grn, x, nBoot = 0, seed = 1)@facts$positives
    }
    tools <- list(GENIE3 = c("regulatoryGene", "targetGene"),
        SCENICplus = c("TF", "Gene"), pySCENIC = c("TF", "target"),
        GENIE3matrix = c("regulatory.gene", "target.gene"),
        SCENIC = c("TF", "Target"), ARACNe = c("Regulator", "Target"),
        decoupleR = c("source", "target"), igraph = c("from", "to"),
        OmniPath = c("source_genesymbol", "target_genesymbol"),
        words = c("Transcription factor", "target_gene"),
        RegNetwork = c("regulator_symbol", "target_symbol")
    )
    for (tool in names(tools)) {
        x <- setNames(want, tools[[tool]])
        x$importance <- c(3, 2, 1)
        expect_identical(.referenceEdges(x), want, info = tool)
        expect_identical(facts(x), 3L, info = tool)
        expect_identical(nrow(priorNetwork("human", x)), 3L, info = tool)
        split <- splitReference(x, by = "edge", seed = 1)
        expect_identical(nrow(split$train) + nrow(split$test), 3L, info = tool)
        expect_identical(RidgeGRNParam(prior = x)@settings$prior$Gene2, want$Gene2,
            info = tool)
        file <- tempfile(fileext = ".tsv")
        utils::write.table(x, file, sep = "\t", row.names = FALSE)
        expect_identical(readReference(file), want, info = tool)
        ## with row numbers and without quotes, as write.table() likes
        utils::write.table(x, file, sep = "\t", quote = FALSE)
        expect_identical(readReference(file), want, info = tool)
        unlink(file)
    }
    ## a database named in 'source' is no factor
    expect_identical(.referenceEdges(data.frame(TF = "A", target = "B",
        source = "ChEA"))$Gene1, "A")
    expect_error(splitReference(data.frame(x = 1, target = 2)),
        "needs the columns.*x, target")
})

test_that("rows with 0 in a column of 0 and 1 are no edges", {
    pairs <- data.frame(Gene1 = rep(c("A", "B"), 5),
        Gene2 = rep(paste0("G", 1:5), each = 2))
    yes <- rep(c(1, 0, 0, 1, 0), 2)
    want <- pairs[yes == 1, ]
    rownames(want) <- NULL
    expect_message(got <- .referenceEdges(cbind(pairs, weight = yes)),
        "6 of 10 rows say 0")
    expect_identical(got, want)
    forms <- list(weight = yes, score = as.character(yes), label = yes > 0,
        label = ifelse(yes > 0, "yes", "no"), known = c("N", "Y")[1 + (yes > 0)],
        Type = factor(yes), Score = yes * 0.3, importance = yes * 2L,
        label = replace(yes, yes == 0, NA))
    for (i in seq_along(forms)) {
        x <- cbind(pairs, setNames(data.frame(forms[[i]]), names(forms)[[i]]))
        if (anyNA(forms[[i]])) {
            x$label[[2L]] <- 0
        }
        expect_identical(suppressMessages(.referenceEdges(x)), want)
        expect_identical(nrow(suppressMessages(
            splitReference(x, "edge", seed = 1))@tables$train), 2L)
        file <- tempfile(fileext = ".csv")
        utils::write.csv(x, file, row.names = FALSE)
        expect_identical(suppressMessages(readReference(file)), want)
        expect_identical(suppressMessages(
            RidgeGRNParam(prior = x))@settings$prior,
            want)
        prior <- suppressMessages(priorNetwork("human", x))
        expect_identical(nrow(prior), 4L)
        expect_identical(attr(prior, "source")$rows, 10L)
        unlink(file)
    }
    ## of other columns of 0 and 1 the meaning is asked
    expect_error(.referenceEdges(cbind(pairs, V3 = yes)),
        "'V3' of 0 and 1.*'label'")
    ## signs and OmniPath's flags are none
    expect_identical(nrow(.referenceEdges(cbind(pairs, mor = yes,
        is_stimulation = yes, Type = "+"))), 10L)
    ## pairs of candidates are pairs, edges or not
    expect_identical(nrow(.referenceEdges(cbind(pairs, label = yes),
        "candidates", pairs = TRUE)), 10L)
    ## in a graph too
    graph <- igraph::graph_from_data_frame(cbind(pairs, weight = yes))
    expect_identical(suppressMessages(.referenceEdges(graph)), want)
    expect_error(suppressMessages(splitReference(
        cbind(pairs, weight = 0), "edge")), "holds out")
})

test_that("a gold standard with zeros scores as its edges alone", {
    case <- refCase()
    pairs <- expand.grid(Gene1 = rownames(case$s)[1:3], Gene2 = case$genes,
        stringsAsFactors = FALSE)
    pairs$label <- as.integer(paste(pairs$Gene1, pairs$Gene2) %in%
        paste(case$edges$TF, case$edges$target))
    expect_message(got <- evaluateGRN(case$grn, pairs, nBoot = 0, seed = 1),
        "no edge")
    expect_equal(as.data.frame(got), as.data.frame(evaluateGRN(case$grn,
        case$edges, nBoot = 0, seed = 1)))
})
