## What the engine says, as R conditions.

test_that("an engine error has its text, its classes and no call", {
    e <- tryCatch(.raiseEngineError("memory", "needs 9 GB"), error = identity)
    expect_s3_class(e, c("causewayError_memory", "causewayError", "error",
        "condition"), exact = TRUE)
    expect_identical(conditionMessage(e), "needs 9 GB")
    expect_null(conditionCall(e))
})

test_that("an interrupt is no error, and back to the prompt if none takes it", {
    got <- tryCatch(.raiseEngineError("interrupt", "stopped"),
        error = function(e) "error", interrupt = function(i) class(i))
    expect_identical(got, c("interrupt", "condition"))
    expect_identical(withRestarts(.raiseEngineError("interrupt", "stopped"),
        abort = function() "prompt"), "prompt")
})
