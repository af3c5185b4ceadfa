## What the engine says of itself.

test_that("engineInfo() prints a line each, and records take one", {
    info <- engineInfo()
    expect_s3_class(info, "engineInfo")
    expect_output(print(info), "causeway engine.*threads")
    expect_match(.engineText(), paste0("^causeway ", info$package))
    expect_match(.engineText(), "threads$")
})

test_that("the engine describes itself", {
    info <- engineInfo()
    expect_s3_class(info, "engineInfo")
    expect_output(print(info), "causeway engine")
    expect_true(length(info$threads) == 1L && info$threads >= 1)
})
