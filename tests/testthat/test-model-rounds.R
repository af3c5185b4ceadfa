## Trainings in rounds. The model: two classes of 20 numbers.

roundsModel <- function(key = c(3, 4)) {
    model <- causeway:::.encoderModel("GeneFunctionModel", "genefn", list(
        enc_dims = 20L, classes = 1L, binary = TRUE, hidden_dim = 8L,
        hidden2 = 6L, hidden3 = 4L), key, 1L, "genefn")
    causeway:::.engineBegin(model, "train", list(optimizer = "adam",
        lr = 1e-2, schedule = "constant"), key = key)
    model
}

x <- matrix(sin(seq_len(20 * 11)^2), 20)
batches <- causeway:::.shuffledBatches(1:11, 4, c(3, 4))
inputs <- function(round) {
    parts <- batches$of(round)
    function(i) list(x = x[, parts[[i]]], class = parts[[i]] %% 2L)
}
row <- function(round, told, at) {
    data.frame(round = round, loss = told[[length(told)]][["total"]],
        steps = length(told), at)
}
run <- function(n, model = roundsModel(), ...) {
    out <- causeway:::.rounds(model, rep(batches$n, n), inputs, row, ...)
    out$weights <- weightsOf(model)
    out
}

test_that("every round has an order of its own, of all or of whole batches", {
    expect_identical(batches$n, 3)
    expect_identical(lengths(batches$of(1)), c(4L, 4L, 3L))
    expect_identical(sort(unlist(batches$of(2))), 1:11)
    expect_false(identical(batches$of(1), batches$of(2)))
    whole <- causeway:::.shuffledBatches(1:11, 4, c(3, 4), last = FALSE)
    expect_identical(whole$of(1), batches$of(1)[1:2])
    other <- causeway:::.shuffledBatches(1:11, 4, c(3, 4), use = 1)
    expect_identical(other$of(1), batches$of(2))
})

test_that("rounds are logged, kept, told and go on", {
    kept <- list()
    expect_message(full <- run(4, verbose = TRUE, what = "Doing ",
        keep = function(log) kept[[length(kept) + 1L]] <<- length(log)),
        "12/12")
    expect_identical(kept, as.list(1:4))
    log <- do.call(rbind, full$log)
    expect_identical(log$round, 1:4)
    expect_identical(log$steps, rep(3L, 4L))
    expect_equal(log$lr, rep(0.01, 4L), tolerance = 1e-6)
    expect_true(all(log$seconds >= 0))
    expect_false(full$stopped)
    expect_identical(full$best, 4L)
    model <- roundsModel()
    half <- run(2, model)
    rest <- run(4, model, log = half$log)
    expect_identical(rest$weights, full$weights)
    expect_identical(lapply(rest$log, `[[`, "loss"),
        lapply(full$log, `[[`, "loss"))
    expect_identical(run(4, model, log = rest$log)$weights, full$weights)
})

test_that("the weights of the first of the best rounds come back", {
    of <- function(scores) {
        file <- tempfile(fileext = ".safetensors")
        on.exit(unlink(file))
        run(length(scores), score = function(row) scores[[row$round]],
            file = file)
    }
    two <- run(2)$weights
    best <- of(c(1, 3, NA, 3, 2))
    expect_identical(best$best, 2L)
    expect_identical(best$weights, two)
    expect_length(best$log, 5L)
    expect_identical(of(c(-Inf, Inf, NA))$weights, run(3)$weights)
    expect_identical(of(c(1, 2))$weights, two)
})

test_that("an interrupt ends the run, or the caller's call", {
    stop <- structure(list(message = "", call = NULL),
        class = c("interrupt", "condition"))
    early <- function(round) {
        batch <- inputs(round)
        function(i) if (round == 3 && i == 2) signalCondition(stop) else
            batch(i)
    }
    told <- 0
    model <- roundsModel()
    out <- causeway:::.rounds(model, rep(3, 4), early, row,
        stopped = function() told <<- told + 1)
    expect_true(out$stopped)
    expect_length(out$log, 2L)
    expect_identical(told, 1)
    caught <- tryCatch(causeway:::.rounds(roundsModel(), rep(3, 4), early,
        row), interrupt = function(e) "mine")
    expect_identical(caught, "mine")
})
