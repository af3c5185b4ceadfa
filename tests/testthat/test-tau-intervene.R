made <- alteredTau()
fit <- made$fit
usable <- made$usable

test_that("the fit these tests stand on is identifiable", {
    expect_true(verdict(fit)$identifiable)
    expect_gt(length(usable), 50)
})

test_that("an intervention moves the gene it is named after, both ways", {
    gene <- usable[[4]]
    up <- intervene(fit, gene, alpha = 1, seed = 1)
    expect_identical(colnames(up), c("gene", "effect", "low", "high", "class"))
    expect_setequal(up$gene, usable)
    own <- up[up$gene == gene, ]
    expect_gt(own$effect, 0.05)
    expect_identical(own$class, "up")
    expect_true(all(up$low <= up$effect & up$effect <= up$high))
    down <- intervene(fit, gene, alpha = -1, seed = 1)
    expect_lt(down$effect[down$gene == gene], 0)
    none <- intervene(fit, gene, alpha = 0, seed = 1)
    expect_equal(max(abs(none$effect)), 0)
    expect_equal(sum(attr(up, "cells")), 1)
    far <- intervene(fit, gene, alpha = 50, seed = 1)
    expect_gt(attr(far, "cells")[["outside"]], 0.9)
    same <- intervene(fit, direction = attr(up, "direction"), alpha = 1,
        seed = 1
    )
    expect_equal(same$effect, up$effect)
    expect_equal(intervene(fit, factor(gene), alpha = 1, seed = 1), up)
    expect_error(intervene(fit), "one of the two")
    expect_error(intervene(fit, gene, embedding = 1), "'embedding' is for")
    expect_error(intervene(fit = fit, gene), "now called 'x'")
    expect_error(intervene(fit, gene, zRna = 1), "now called 'embedding'")
    expect_error(intervene(fit, "nobody"), "the fit doesn't hold")
    expect_error(intervene(fit, direction = 1:50), "one for each axis")
})
