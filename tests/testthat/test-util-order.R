## Orders of text that no locale changes.

test_that("names and levels have one order in every locale", {
    old <- Sys.getlocale("LC_COLLATE")
    on.exit(Sys.setlocale("LC_COLLATE", old))
    for (locale in c("C", "C.UTF-8", "en_US.UTF-8")) {
        if (nzchar(suppressWarnings(Sys.setlocale("LC_COLLATE", locale)))) {
            expect_identical(.sortedUnique(c("ctrl", "Stim", "b", "ctrl")),
                c("Stim", "b", "ctrl"))
            expect_identical(levels(.asFactor(c("ctrl", "Stim"))),
                c("Stim", "ctrl"))
        }
    }
    expect_identical(.sortedUnique(c(10, 9, 9)), c(9, 10))
    expect_identical(.sortedUnique(NULL), NULL)
    expect_identical(length(.asFactor(NULL)), 0L)
    expect_identical(levels(.asFactor(character())), character())
    expect_identical(levels(.asFactor(c(10, 9))), c("9", "10"))
    expect_identical(levels(.asFactor(factor("b", c("c", "b")))), "b")
})

test_that("a random order is a permutation that key and use determine", {
    order <- .shuffled(50, c(1, 2), 3L)
    expect_identical(sort(order), 1:50)
    expect_identical(order, .shuffled(50L, c(1L, 2L), 3))
    expect_false(identical(order, .shuffled(50, c(1, 2), 4L)))
    expect_false(identical(order, .shuffled(50, c(2, 2), 3L)))
    expect_identical(.shuffled(0, c(1, 2), 0L), integer())
})
