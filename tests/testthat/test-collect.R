## The build for AddressSanitizer (tests/run-all.sh asan) collects R's garbage
## inside the engine's calls, at polls. Finalizers then run there, and may do
## what they like.

## Calls `action` from finalizers: one for every collection, at most `most`,
## until it says TRUE. Returns the environment with `calls`.
atCollections <- function(action, most = 60L) {
    seen <- new.env()
    seen$calls <- 0L
    drop <- function(unused) {
        seen$calls <- seen$calls + 1L
        if (!isTRUE(action()) && seen$calls < most) {
            reg.finalizer(new.env(), drop)
        }
    }
    reg.finalizer(new.env(), drop)
    seen
}

collecting <- function() {
    skip_if_not(Sys.getenv("CW_COLLECT_AT_POLLS") == "yes",
        "a build that collects at polls"
    )
}

test_that("calls from finalizers inside a call change nothing", {
    collecting()
    cells <- simulateCells(nCells = 150, nGenes = 40, nTFs = 6, seed = 1)
    alone <- inferGRN(cells, RidgeGRNParam(), seed = 1)
    seen <- atCollections(function() {
        inferGRN(cells, RidgeGRNParam(), seed = 2)
        FALSE
    }, 5L)
    expect_identical(as.matrix(inferGRN(cells, RidgeGRNParam(), seed = 1)),
        as.matrix(alone)
    )
    gc()
    expect_gt(seen$calls, 0L)
})

test_that("a model at work is refused to a finalizer and stays as it is", {
    collecting()
    cells <- exampleCells(nCells = 30)
    model <- newModel(SFMParam(), cells, seed = 1)
    before <- inferGRN(cells, model)
    said <- new.env()
    said$text <- ""
    seen <- atCollections(function() {
        said$text <- tryCatch({
            inferGRN(cells, model)
            ""
        }, error = conditionMessage)
        grepl("at work", said$text)
    })
    expect_identical(as.matrix(poolGRN(inferGRN(cells, model))),
        as.matrix(poolGRN(before))
    )
    expect_match(said$text, "at work in a call that has not ended")
})
