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

test_that("an alias that is plainly used for one gene is taken, and said", {
    out <- reconcileGenes(c("OCT4", "PD-1", "CD25", "p38"), species = "human",
        minCoverage = 0
    )
    expect_identical(out$output, c("POU5F1", "PDCD1", "IL2RA", NA))
    expect_identical(out$how, c("alias", "alias", "alias", "ambiguous"))
    expect_match(out$others[[1L]], "POU5F1P3")
    expect_match(out$others[[2L]], "RPL17")
    ## mouse: by the human name of the homolog
    out <- reconcileGenes(c("Oct4", "Pou5f1", "nothing"), species = "mouse",
        minCoverage = 0
    )
    expect_identical(out$output, c("Pou5f1", "Pou5f1", NA))
    expect_identical(out$how, c("alias", "symbol", "lost"))
})

test_that("missing names, identifiers one by one, dates by their number", {
    out <- reconcileGenes(c("NA", "TP53", "7157", "43891", "44256", "MYC"),
        species = "human"
    )
    expect_identical(out$output, c(NA, "TP53", "TP53", NA, NA, "MYC"))
    expect_identical(out$how, c("lost", "symbol", "entrez", "date", "date",
        "symbol"
    ))
})

test_that("names that programs have changed are found again", {
    names <- c("HLA.DRA", "HLA_DRA", "TP53.1", "NKX2.1", "GRCh38_TP53",
        "HLA.DRA.1", "GRCh38_ENSG00000141510", "AC000111.9999"
    )
    out <- reconcileGenes(names, species = "human", minCoverage = 0)
    expect_identical(out$output, c("HLA-DRA", "HLA-DRA", "TP53", "NKX2-1",
        "TP53", "HLA-DRA", "TP53", NA
    ))
    out <- reconcileGenes(c("H2.K1", "X0610005C13Rik", "mm10___Trp53"),
        species = "mouse"
    )
    expect_identical(out$output, c("H2-K1", "0610005C13Rik", "Trp53"))
})

test_that("mitochondrial genes have their approved symbols", {
    ids <- sprintf("ENSG00000%d", c(198888, 198804, 198727, 210127))
    symbols <- c("MT-ND1", "MT-CO1", "MT-CYB", "MT-TA")
    expect_identical(reconcileGenes(ids)$output, symbols)
    old <- reconcileGenes(c("ND1", "COX1", "CYTB", "MT-ND1"), species = "human")
    expect_identical(old$output, c("MT-ND1", "MT-CO1", "MT-CYB", "MT-ND1"))
    for (species in c("human", "mouse")) {
        symbol <- .geneIndex(species)$genes$symbol
        mt <- grepl("^mt-(atp[68]|co[123]|cytb|cyb|nd[1-6]|nd4l|rnr[12]|t.*)$",
            symbol, ignore.case = TRUE
        ) & nzchar(.geneIndex(species)$genes$ensembl)
        expect_identical(sum(mt), 37L)
    }
    expect_identical(reconcileGenes("mt-Nd1", homologs = "mouse to human")$output,
        "MT-ND1"
    )
})

test_that("an alias of several genes is not guessed", {
    index <- .geneIndex("human")
    twice <- index$alias$name[duplicated(index$alias$name)]
    plain <- setdiff(twice, c(index$symbol$name, index$previous$name,
        index$preferred$name
    ))
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

test_that("a model's error on unknown genes points here", {
    model <- tinyModel()
    x <- tinyCells()
    rownames(x) <- paste0("zz", seq_len(nrow(x)))
    expect_error(inferGRN(x, model), "reconcileGenes\\(\\)")
})
