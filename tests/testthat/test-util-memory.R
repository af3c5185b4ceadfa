## Most memory that a call takes.

test_that("memory of a call is measured where the kernel tells", {
    before <- .peakStart()
    skip_if(is.na(before), "no /proc here")
    big <- numeric(3e7) + 1
    expect_gt(.peakEnd(before), 1e8)
    rm(big)
})
