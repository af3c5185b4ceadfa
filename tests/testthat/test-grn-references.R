## References split into parts.

test_that("held-out parts share nothing with training parts", {
    case <- refCase()
    for (by in c("TF", "target", "edge")) {
        split <- splitReference(case$edges, by, 0.4, seed = 3)
        key <- function(d) paste(d$Gene1, d$Gene2)
        expect_length(intersect(key(split$train), key(split$test)), 0)
        expect_setequal(c(key(split$train), key(split$test)),
            paste(case$edges$TF, case$edges$target)
        )
        if (by == "TF") {
            expect_length(intersect(split$train$Gene1, split$test$Gene1), 0)
        }
        if (by == "target") {
            expect_length(intersect(split$train$Gene2, split$test$Gene2), 0)
        }
        shuffled <- case$edges[c(8:1, 3), ]
        again <- splitReference(shuffled, by, 0.4, seed = 3)
        expect_setequal(key(again$test), key(split$test))
        other <- vapply(4:20, function(seed) {
            setequal(key(splitReference(case$edges, by, 0.4, seed)$test),
                key(split$test)
            )
        }, logical(1))
        expect_false(all(other))
        expect_output(show(split), paste("split by", by))
    }
    set.seed(1)
    a <- splitReference(case$edges)
    set.seed(1)
    expect_equal(splitReference(case$edges), a)
})

test_that("splits that can't be are refused", {
    edges <- data.frame(TF = "a", target = c("b", "c"))
    expect_error(splitReference(edges, "TF"), "of 1 TF; both parts")
    expect_error(splitReference(edges, "edge", 0), "holds out 0 of 2 edges")
    expect_error(splitReference(edges, "edge", 1), "holds out 2 of 2 edges")
    expect_error(splitReference(edges, "edge", 2), "'fraction' must be")
    expect_error(splitReference(edges, "gene"), "'by' must be one of")
    expect_error(splitReference(edges, "edge")$all, "'name' must be one of")
    expect_error(splitReference(data.frame(x = 1)), "needs the columns")
})
