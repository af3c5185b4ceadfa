## rankNovelTypes().

test_that("groups get a parent, a neighbour and suggestions", {
    o <- bloodOntology()
    for (method in c("default", "ppr", "vote", "parent")) {
        r <- rankNovelTypes(simulatedLabels(), o, bloodTerms, method, top = 4)
        s <- as.data.frame(r, which = "suggestions")
        expect_true(all(table(s$group) == 4))
        expect_false(any(s$term %in% bloodTerms))
        g <- as.data.frame(r)
        up <- o@parents[match(bloodTerms[g$nearest], o@ids)]
        expect_true(all(mapply(function(term, p) {
            !length(p) || term %in% o@ids[p] # a root is its own parent
        },
            g$parentTerm, up)))
    }
    expect_match(verdict(r)$text[[1]], "a kind of")
    expect_error(rankNovelTypes(simulatedLabels(), o, bloodTerms,
        group = "nobody"), "group")
    expect_error(suppressMessages(rankNovelTypes(simulatedLabels(), o,
        c(B = NA_character_, NK = NA, T = NA))), "no term")
})

test_that("votes are the published ones", {
    case <- fixture("kcfm_ontology_a")
    of <- function(name) goldenTensor("kcfm_ontology_a", name)
    edges <- of("edges")
    n <- nrow(of("expect.ppr"))
    o <- bloodOntology()
    o@ids <- o@names <- paste0("T", seq_len(n))
    o@parents <- unname(split(edges[, 2L] + 1L, factor(edges[, 1L] + 1L,
        seq_len(n))))
    storage.mode(edges) <- "integer"
    found <- .Call(cw_r_page_rank, edges, seq_len(n) - 1L, c(n, 0.9, 1e-6, 100),
        2L)
    expect_equal(t(found$rank), of("expect.ppr"), tolerance = 1e-6)
    expect_identical(found$steps, as.integer(of("expect.iterations")))
    known <- of("known_node") + 1L
    use <- known > 0L
    votes <- .voteTerms(o, of("expect.vote.cell_similarity")[, use],
        known[use], 16L)
    want <- .Call(cw_r_column_spearman,
        t(of("expect.vote.cell_similarity")[, use]),
        t(of("expect.vote.type_similarity")[, use]))
    expect_equal(votes[of("novel_node") + 1L, ], want, tolerance = 1e-6)
})
