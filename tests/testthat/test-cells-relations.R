obo <- function(...) {
    file <- tempfile(fileext = ".obo")
    writeLines(c("format-version: 1.2", "", ...), file)
    file
}
term <- function(id, name, ...) c("[Term]", paste("id:", id),
    paste("name:", name), ..., "")

test_that("golden lines of a relation file are read as published", {
    case <- fixture("kcfm_ontology_a")
    want <- jsonlite::fromJSON(file.path(case, "expect_triples.json"))
    found <- readTriples(file.path(case, "triples.txt"))
    expect_identical(unname(as.matrix(found)), want)
    expect_identical(attr(found, "passed"), 1L)
    types <- jsonlite::fromJSON(file.path(case, "expect_is_a_types.json"))
    isA <- found[found$relation == "is_a", ]
    expect_setequal(c(isA$head, isA$tail), types)
})

test_that("an ontology becomes the published file", {
    file <- obo(
        term("CL:2", "neuron", "is_a: CL:1 ! cell",
            "synonym: \"nerve \\\"cell\\\"\" EXACT []",
            "synonym: \"unit\" NARROW []", "synonym: \"N\" RELATED [x:1]",
            "relationship: RO:0002202 CL:3 ! neuroblast",
            "relationship: part_of UBERON:1",
            "disjoint_from: CL:4 {source=\"a\"} ! B"),
        term("CL:1", "cell"), term("CL:3", "neuroblast", "is_a: CL:1",
            "relationship: develops_into CL:2",
            "relationship: RO:0002120 CL:2"),
        term("CL:4", "B", "is_obsolete: true"),
        term("CL:5", "lens", "is_a: CL:9", "disjoint_from: CL:2")
    )
    to <- tempfile()
    found <- ontologyTriples(file, to)
    expect_identical(paste(found$head, found$relation, found$tail), c(
        "neuron is_a cell", "neuroblast is_a cell",
        "lens disjoint_from neuron", "neuron exact_synonyms nerve \"cell\"",
        "neuron related_synonyms N", "neuron develops_from neuroblast",
        "neuroblast develops_into neuron", "neuroblast synapsed_to neuron"))
    expect_identical(readLines(to), paste(found$head, found$relation,
        found$tail))
    expect_equal(readTriples(to), found, ignore_attr = TRUE)
    expect_error(ontologyTriples(file, to), "exists")
    expect_silent(ontologyTriples(file, to, overwrite = TRUE))
})

test_that("the shipped ontology has its relations", {
    found <- ontologyTriples(system.file("extdata", "blood.obo",
        package = "causeway"))
    has <- function(...) any(paste(found$head, found$relation, found$tail) ==
        paste(...))
    expect_true(has("T cell is_a lymphocyte"))
    expect_true(has("T cell exact_synonyms T-lymphocyte"))
    expect_false(anyDuplicated(found) > 0)
})

test_that("close types are told both ways, in any case", {
    relations <- data.frame(head = c("T cell", "b cell", "NK cell", "T cell"),
        relation = c("is_a", "develops_from", "disjoint_from",
            "broad_synonyms"),
        tail = c("Lymphocyte", "T Cell", "B cell", "NK cell"))
    close <- .closeTypes(relations, c("t cell", "B cell", "lymphocyte",
        "nk cell"))
    expect_identical(close, rbind(c(0L, 1L, 1L, 0L), c(1L, 0L, 0L, 0L),
        c(1L, 0L, 0L, 0L), 0L))
    expect_error(.closeTypes(data.frame(a = 1), "b"), "'relations'")
    relations$relation[[2L]] <- "likes"
    expect_error(.closeTypes(relations, "b"), "aren't known: likes")
})

test_that("what can't be is refused", {
    expect_error(readTriples("nowhere.txt"), "not there")
    file <- tempfile()
    writeLines(c("a b c", ""), file)
    expect_error(readTriples(file), "no line")
    expect_error(ontologyTriples(file), "not an OBO file")
})
