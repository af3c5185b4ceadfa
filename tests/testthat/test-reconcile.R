test_that("names are found in the order symbol, previous, alias", {
    names <- c("TP53", "tp53 ", "MLL", "p53", "SEPT2", "C1ORF112", "nothing",
        "1-Mar", "2-Sep", NA
    )
    out <- reconcileGenes(names, species = "human")
    expect_identical(out$input, names)
    expect_identical(out$output, c("TP53", "TP53", "KMT2A", "TP53", "SEPTIN2",
        "C1orf112", NA, NA, NA, NA
    ))
    expect_identical(out$how, c("symbol", "symbol", "previous", "alias",
        "previous", "symbol", "lost", "date", "date", "lost"
    ))
    expect_match(out$others[[5]], "SEPTIN6")
    expect_identical(sum(attr(out, "summary")), 10L)
})

test_that("an alias of several genes is not guessed", {
    index <- .geneIndex("human")
    twice <- index$alias$name[duplicated(index$alias$name)]
    plain <- setdiff(twice, c(index$symbol$name, index$previous$name))
    out <- reconcileGenes(head(plain, 20), species = "human", minCoverage = 0)
    expect_true(all(is.na(out$output)))
    expect_true(all(out$how == "ambiguous"))
    expect_true(all(grepl("|", out$others, fixed = TRUE)))
    ## a current symbol that is also an alias is itself
    both <- intersect(twice, index$genes$symbol)
    out <- reconcileGenes(both, species = "human")
    expect_identical(out$output, both)
    expect_true(all(out$how == "symbol"))
})

test_that("every current symbol and identifier is found again", {
    for (species in c("human", "mouse")) {
        genes <- .geneIndex(species)$genes
        out <- reconcileGenes(genes$symbol, species = species)
        expect_identical(out$output, genes$symbol)
        has <- !is.na(.geneIndex(species)$main)
        ids <- reconcileGenes(genes$symbol, "ensembl", species,
            minCoverage = 0.1
        )
        expect_identical(!is.na(ids$output), has)
        back <- reconcileGenes(ids$output[has], species = species)
        single <- back$how == "ensembl"
        expect_gt(mean(single), 0.98)
        ## a gene without a name of its own gives way
        single <- single & !startsWith(genes$symbol[has], "LOC")
        expect_identical(back$output[single], genes$symbol[has][single])
    }
})

test_that("Ensembl versions, lower case and Entrez identifiers", {
    out <- reconcileGenes(c("ENSG00000141510", "ENSG00000141510.18",
        "ensg00000141510", "ENSG00000141510_PAR_Y"
    ))
    expect_identical(out$output, rep("TP53", 4))
    expect_identical(attr(out, "species"), "human")
    ## LOC105371348 has it too
    expect_identical(reconcileGenes("ENSG00000166848")$output, "TERF2IP")
    expect_identical(
        reconcileGenes("Trp53", "ensembl")$output, "ENSMUSG00000059552"
    )
    out <- reconcileGenes(c("7157", "4609"))
    expect_identical(out$output, c("TP53", "MYC"))
    expect_identical(out$how, rep("entrez", 2))
    expect_identical(
        reconcileGenes("7157", from = "symbol", minCoverage = 0)$how, "lost"
    )
})

test_that("homologs are one-to-one or not at all", {
    pairs <- .homologTable()
    expect_false(anyDuplicated(pairs$mouse) > 0)
    expect_false(anyDuplicated(pairs$human) > 0)
    out <- reconcileGenes(c("Trp53", "Myod1", "Gm26206"),
        homologs = "mouse to human"
    )
    expect_identical(out$output, c("TP53", "MYOD1", NA))
    expect_identical(out$how[[3]], "no homolog")
    out <- reconcileGenes(c("TP53", "ENSG00000129152"), "ensembl",
        homologs = "human to mouse"
    )
    expect_identical(out$output, reconcileGenes(c("Trp53", "Myod1"),
        "ensembl"
    )$output)
    expect_error(reconcileGenes("TP53", species = "human",
        homologs = "mouse to human"
    ), "'homologs'.*'species' is human")
})

test_that("refusals say why", {
    mouse <- c("Trp53", "Myod1", "Sox2", "Nanog", "Pou5f1")
    expect_error(reconcileGenes(mouse, species = "human"),
        "written as mouse genes.*mouse to human"
    )
    expect_error(reconcileGenes(toupper(mouse), species = "mouse"),
        "written as human genes"
    )
    expect_error(reconcileGenes(c("ENSMUSG00000051951"), species = "human"),
        "look like mouse genes"
    )
    expect_error(reconcileGenes(c("ENSDARG00000051951")), "another species")
    expect_error(reconcileGenes(c("1007_s_at", "1053_at")), "probes")
    expect_error(reconcileGenes(c("1-Mar", "xx1", "xx2", "TP53")),
        "1 of 4 names.*spreadsheet"
    )
    expect_error(reconcileGenes(c("zqx1", "zqx2")), "0 of 2.*another naming")
    expect_error(reconcileGenes(character()), "no gene names")
    expect_error(reconcileGenes("TP53", to = "refseq"), "'to' must be one of")
    expect_error(reconcileGenes("TP53", species = "fish"), "'species'")
    expect_error(reconcileGenes("TP53", homologs = "rat"), "'homologs'")
    expect_error(reconcileGenes(3), "'x' must be gene names")
    expect_error(reconcileGenes(matrix(1, 2, 2)), "no row names")
    expect_message(reconcileGenes(c("TP53", "MLL"), verbose = TRUE),
        "2 of 2 names \\(human\\).*1 symbol, 1 previous"
    )
})

reconcileCounts <- function() {
    matrix(as.integer(c(1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 0, 0, 7, 0, 9)), 5,
        dimnames = list(c("KMT2A", "nothing", "MLL", "MYC", "CXXC7"),
            c("a", "b", "c")
        )
    )
}

test_that("rows of one gene are added up in every kind of matrix", {
    m <- reconcileCounts()
    want <- rbind(KMT2A = m[1, ] + m[3, ] + m[5, ], MYC = m[4, ])
    got <- reconcileGenes(m)
    expect_identical(got, want)
    sparse <- methods::as(m * 1, "CsparseMatrix")
    got <- reconcileGenes(sparse)
    expect_s4_class(got, "CsparseMatrix")
    expect_equal(as.matrix(got), want)
    skip_if_not_installed("HDF5Array")
    disk <- methods::as(m, "HDF5Array")
    dimnames(disk) <- dimnames(m)
    got <- reconcileGenes(disk)
    expect_s4_class(got, "DelayedMatrix")
    expect_equal(as.matrix(got), want)
    kept <- reconcileGenes(m, lost = "keep")
    expect_identical(rownames(kept), c("KMT2A", "nothing", "MYC"))
    expect_identical(kept["nothing", ], m["nothing", ])
})

test_that("a SingleCellExperiment keeps what can be kept, with a report", {
    m <- reconcileCounts()
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(counts = m, logcounts = log1p(m)),
        rowData = S4Vectors::DataFrame(id = letters[1:5], old = rownames(m)),
        colData = S4Vectors::DataFrame(day = 1:3)
    )
    expect_warning(out <- reconcileGenes(sce), "logcounts can't be added up")
    expect_identical(SummarizedExperiment::assayNames(out), "counts")
    expect_identical(SummarizedExperiment::assay(out, "counts"),
        reconcileGenes(m)
    )
    expect_identical(SummarizedExperiment::rowData(out)$id, c("a", "d"))
    expect_identical(out$day, 1:3)
    report <- S4Vectors::metadata(out)$reconcileGenes
    expect_identical(report$table$merged, c(TRUE, FALSE, TRUE, FALSE, TRUE))
    expect_identical(report$summary[["lost"]], 1L)
    ## nothing to merge: every assay stays
    few <- reconcileGenes(sce[3:4, ])
    expect_identical(SummarizedExperiment::assayNames(few),
        c("counts", "logcounts")
    )
    expect_identical(rownames(few), c("KMT2A", "MYC"))
    rownames(sce) <- NULL
    expect_identical(
        rownames(suppressWarnings(reconcileGenes(sce, symbols = "old"))),
        c("KMT2A", "MYC")
    )
    expect_error(reconcileGenes(sce, symbols = "new"), "'symbols' is \"new\"")
})

test_that("a Seurat object is made anew from its counts", {
    skip_if_not_installed("SeuratObject")
    m <- reconcileCounts()
    x <- suppressWarnings(SeuratObject::CreateSeuratObject(
        methods::as(m * 1, "CsparseMatrix")
    ))
    x$day <- 1:3
    out <- suppressWarnings(reconcileGenes(x))
    expect_s4_class(out, "Seurat")
    expect_identical(rownames(out), c("KMT2A", "MYC"))
    expect_equal(unname(out$day), 1:3)
    expect_equal(
        as.matrix(SeuratObject::GetAssayData(out, slot = "counts")),
        reconcileGenes(m * 1)
    )
})

test_that("a model's error on unknown genes points here", {
    model <- tinyModel()
    x <- tinyCells()
    rownames(x) <- paste0("zz", seq_len(nrow(x)))
    expect_error(inferGRN(x, model), "reconcileGenes\\(\\)")
})
