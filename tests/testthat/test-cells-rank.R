## rankNovelTypes().

test_that("groups get a parent, a neighbour and suggestions", {
    o <- bloodOntology()
    for (method in c("default", "ppr", "parent")) {
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
