## What memory may be used; most memory that a call takes.

test_that("the memory a container leaves is read from its control group", {
    root <- tempfile()
    dir.create(file.path(root, "memory"), recursive = TRUE)
    put <- function(text, file) writeLines(text, file.path(root, file))
    left <- causeway:::.containerMemory
    expect_identical(left(root), Inf)
    put("9223372036854771712", "memory/memory.limit_in_bytes")
    put("1000", "memory/memory.usage_in_bytes")
    expect_gt(left(root), 9e18)
    put("5000", "memory/memory.limit_in_bytes")
    put(c("cache 1", "total_inactive_file 300"), "memory/memory.stat")
    expect_identical(left(root), 4300)
    put("max", "memory.max")
    put("2000", "memory.current")
    expect_identical(left(root), Inf)
    put("3000", "memory.max")
    put(c("anon 7", "inactive_file 500"), "memory.stat")
    expect_identical(left(root), 1500)
})

test_that("memory of a call is measured where the kernel tells", {
    before <- .peakStart()
    skip_if(is.na(before), "no /proc here")
    big <- numeric(3e7) + 1
    expect_gt(.peakEnd(before), 1e8)
    rm(big)
})
