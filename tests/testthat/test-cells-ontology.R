## readOntology() and the graph.

write <- function(...) {
    file <- tempfile(fileext = ".obo")
    writeLines(c("format-version: 1.2", "", ...), file)
    file
}
term <- function(id, name, ...) c("[Term]", paste("id:", id),
    paste("name:", name), ..., "")

toy <- function() readOntology(write(
    term("CL:0", "cell"), term("CL:1", "blood cell", "is_a: CL:0 ! cell"),
    term("CL:2", "B cell", "is_a: CL:1", "synonym: \"B \\\"l\\\"\" EXACT []",
        "relationship: develops_from CL:4 ! x"),
    term("CL:3", "T cell", "is_a: CL:1 {is_inferred=\"true\"} ! blood cell"),
    term("CL:4", "stem cell", "is_a: CL:0", "is_a: UBERON:1"),
    term("CL:5", "old cell", "is_obsolete: true", "replaced_by: CL:2"),
    c("[Typedef]", "id: develops_from", "name: develops from")))

test_that("terms, synonyms, relations, obsolete terms are read", {
    o <- toy()
    expect_identical(o@ids, paste0("CL:", 0:4))
    expect_identical(o@parents[[4]], 2L)
    expect_identical(o@related[[3]], 5L)
    expect_setequal(o@ancestors[[3]], c(1, 2, 3))
    expect_identical(o@obsolete$replacedBy, "CL:2")
    expect_equal(o@ic, -log(c(5, 3, 1, 1, 1) / 5) / log(5))
    expect_match(capture.output(o)[[1]], "5 terms")
})

test_that("what isn't an ontology is refused", {
    expect_error(readOntology("nowhere.obo"), "not there")
    expect_error(readOntology(write("hello")), "not an OBO file")
    expect_error(readOntology(write("<?xml", "<rdf:RDF>")), "OBO")
    expect_error(readOntology(write(term("GO:1", "a"))), "none whose")
    expect_error(readOntology(write(term("CL:1", "a"), term("CL:1", "b"))),
        "twice")
    expect_error(readOntology(write(term("CL:1", "a", "is_a: CL:2"),
        term("CL:2", "b", "is_a: CL:1"))), "own ancestors: CL:1, CL:2")
    file <- tempfile()
    writeBin(as.raw(c(0:255, 0:255)), file)
    expect_error(readOntology(file), "not an OBO file")
})

test_that("similarities are as defined", {
    o <- toy()
    gic <- causeway:::.simGic(o, 1:5)
    ic <- o@ic
    expect_equal(gic[3, 4], ic[[2]] / (ic[[2]] + 2), tolerance = 1e-6)
    expect_equal(diag(gic)[3:5], rep(1, 3), tolerance = 1e-6)
    names <- causeway:::.nameSimilarity(o, 1:5)
    expect_equal(diag(names), rep(1, 5))
    expect_gt(names[3, 4], 0)
    rank <- causeway:::.pageRank(o, c(0, 0, 1, 0, 0))
    expect_identical(which.max(rank), 3L)
})
