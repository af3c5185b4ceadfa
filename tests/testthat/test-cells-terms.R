## mapLabels() and the back-off.

test_that("labels find their terms in many spellings", {
    o <- bloodOntology()
    how <- suppressMessages(mapLabels(c("CL:0000236", "T cell", "B_cells",
        "CD14+ Mono", "Mono_CD14", "CD14+ Monocytes", "NK", "T_CD8",
        "CD4 T cells", "astronaut"), o))
    got <- setNames(how$name, how$label)
    expect_identical(got[["CL:0000236"]], "B cell")
    expect_identical(got[["B_cells"]], "B cell")
    expect_identical(got[["NK"]], "natural killer cell")
    for (l in c("CD14+ Mono", "Mono_CD14", "CD14+ Monocytes")) {
        expect_identical(got[[l]], "CD14-positive monocyte")
    }
    expect_identical(got[["T_CD8"]], "CD8-positive, alpha-beta T cell")
    expect_identical(got[["CD4 T cells"]], "CD4-positive, alpha-beta T cell")
    expect_true(is.na(got[["astronaut"]]))
    expect_message(mapLabels("astronaut", o), "not found")
    expect_error(mapLabels(3, o), "text")
    expect_identical(nrow(mapLabels(c("", NA, " "), o)), 0L)
    expect_error(mapLabels("B"), "'ontology' is missing")
    expect_error(mapLabels("B", 3), "readOntology")
})

test_that("the back-off takes the most informative term that reaches it", {
    o <- bloodOntology()
    at <- match(c("CL:0000624", "CL:0000625", "CL:0000236"), o@ids)
    p <- rbind(c(.9, .05, .05), c(.5, .45, .05), c(.4, .2, .4))
    back <- causeway:::.backOff(p, list(ontology = o, term = at), 0.8)
    expect_identical(back$node[[1]], at[[1]])
    expect_match(o@names[back$node[[2]]], "T cell")
    expect_equal(back$p, c(.9, .95, 1))
    expect_true(all(o@ancestors[[at[[1]]]][1] == at[[1]]))
    none <- causeway:::.backOff(p, list(ontology = o, term = c(NA, NA,
        at[[3]])), 0.8)
    expect_identical(none$node, c(0L, NA, NA))
    all <- causeway:::.backOff(p, list(ontology = o, term = rep(NA_integer_,
        3)), 0.8)
    expect_identical(all$node, c(0L, NA, NA))
})

test_that("terms that the ontology lacks are refused", {
    o <- list(ontology = bloodOntology(), terms = c(B = "CL:9999999"))
    expect_error(causeway:::.typeTerms("B", o), "ontology lacks")
    o$terms <- "CL:0000236"
    expect_error(causeway:::.typeTerms("B", o), "named by the types")
    o$terms <- c(Z = o$ontology@ids[[1]])
    expect_error(causeway:::.typeTerms("B", o),
        "names no type of the reference: it has Z; the types are B")
    o$terms <- c(B = o$ontology@ids[[1]])
    o$verbose <- TRUE
    expect_message(causeway:::.typeTerms(c("B", "T"), o),
        "Without a term, so never left at a broader one: T")
})
