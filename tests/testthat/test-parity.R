## The published reference implementation's golden values, through R.

lossOptions <- function(root, model) {
    prior <- read.csv(file.path(root, "resources/OmniPath.csv"))
    .engineBind(model, list(prior = .priorTokens(prior, model@vocab)))
    list(priorEdges = 24, priorPositive = 5, priorNegative = 0.1)
}

caseBatch <- function(case, cells = NULL) {
    ids <- genesByCells(case$input_ids)
    storage.mode(ids) <- "integer"
    conditions <- genesByCells(case$condition_ids)
    storage.mode(conditions) <- "integer"
    batch <- list(
        ids = ids, values = genesByCells(case$expression_values),
        conditions = conditions, nonTF = genesByCells(case$non_tf_mask),
        padding = if (!is.null(case$padding_mask)) {
            genesByCells(case$padding_mask)
        }
    )
    if (!is.null(cells)) {
        batch <- lapply(batch, function(x) {
            if (!is.null(x)) x[, cells, drop = FALSE]
        })
    }
    batch
}

## (cells, genes, genes) from u and v, row-major as the file has it.
networkOf <- function(out) {
    u <- aperm(out$u)
    v <- aperm(out$v)
    shape <- dim(u)
    grn <- vapply(seq_len(shape[[1L]]), function(c) {
        as.vector(t(matrix(u[c, , ], shape[[2L]]) %*%
            t(matrix(v[c, , ], shape[[2L]]))))
    }, numeric(shape[[2L]]^2))
    as.vector(grn)
}

## Which entries of a (cells, genes, ..) result are no padding. The engine
## never computes padded places; what the reference leaves in two of its
## results there (an encoded zero, the noise) means nothing.
active <- function(case, key, n) {
    if (is.null(case$padding_mask) ||
        !(key %in% c("expr_embedding", "vgae.z"))) {
        return(rep(TRUE, n))
    }
    rep(!as.vector(case$padding_mask), each = n / length(case$padding_mask))
}

expectClose <- function(got, want, rtol, atol, label) {
    got <- as.numeric(as.vector(got))
    want <- as.numeric(as.vector(want))
    expect_identical(length(got), length(want), label = label)
    over <- max(abs(got - want) - (atol + rtol * abs(want)))
    expect_lte(over, 0, label = paste(label, "error above tolerance"))
}

for (name in c("sfm_a", "sfm_b")) {
    test_that(paste(name, "forward pass agrees"), {
        root <- fixture(name)
        model <- loadModel(root, threads = 1, verbose = FALSE)
        case <- readTensors(file.path(root, "case.safetensors"))
        out <- .engineRun(model, "trace", c(caseBatch(case),
            list(eps = genesByCells(case$vgae.eps))
        ))
        out$grn <- networkOf(out)
        expected <- grep("^expect\\.", names(case), value = TRUE)
        expected <- expected[!grepl("loss|beta_qb|order", expected)]
        for (e in expected) {
            key <- sub("^expect\\.", "", e)
            expect_true(key %in% names(out), label = key)
            shown <- active(case, key, length(case[[e]]))
            expectClose(
                as.vector(out[[key]])[shown], as.vector(case[[e]])[shown],
                1e-4, 1e-5, key
            )
        }
    })

    test_that(paste(name, "losses and gradients agree"), {
        root <- fixture(name)
        model <- loadModel(root, threads = 2, verbose = FALSE)
        case <- readTensors(file.path(root, "case.safetensors"))
        out <- .engineGradients(model, "pretrain", c(caseBatch(case),
            list(eps = genesByCells(case$vgae.eps))
        ), lossOptions(root, model))
        w <- out$losses$weighted
        got <- c(elbo = w[["reconstruction"]] + w[["kl"]],
            prior = out$losses$value[["prior"]], w[c("dag", "sparsity")],
            total = out$losses$total
        )
        for (term in names(got)) {
            expectClose(got[[term]], case[[paste0("expect.loss.", term)]],
                1e-4, 1e-5, term
            )
        }
        wanted <- grep("^grad\\.", names(case), value = TRUE)
        expect_gt(length(wanted), 50L)
        for (g in wanted) {
            key <- sub("^grad\\.", "", g)
            expect_true(key %in% names(out$gradients), label = key)
            expectClose(out$gradients[[key]], case[[g]], 1e-3, 1e-5, g)
        }
    })

    test_that(paste(name, "six training steps agree"), {
        root <- fixture(name)
        model <- loadModel(root, threads = 1, verbose = FALSE)
        case <- readTensors(file.path(root, "case.safetensors"))
        train <- readTensors(file.path(root, "train.safetensors"))
        .engineBegin(model, "pretrain", list(lr = 0.003, totalSteps = 6,
            warmupSteps = 2
        ), lossOptions(root, model))
        n <- attr(case$input_ids, "dim_rm")[[1L]]
        for (step in 0:5) {
            at <- paste0("step", step)
            for (micro in 0:1) {
                key <- paste0(at, ".micro", micro)
                ## All cells, then the last half in reverse order.
                cells <- if (micro == 0) seq_len(n) else
                    rev(seq_len(n))[seq_len(n %/% 2)]
                eps <- genesByCells(train[[paste0(key, ".eps")]])
                got <- .engineMicro(model, c(caseBatch(case, cells),
                    list(eps = eps[, seq_along(cells), drop = FALSE])
                ), micro, 0.5)
                expectClose(got[["total"]],
                    train[[paste0("expect.", key, ".loss")]], 1e-3, 1e-4, key
                )
            }
            update <- .engineApply(model)
            expectClose(update[["gradNorm"]],
                train[[paste0("expect.", at, ".grad_norm")]], 2e-3, 1e-4, at
            )
            expectClose(update[["lr"]],
                train[[paste0("expect.", at, ".lr")]], 1e-4, 1e-8, at
            )
        }
        finals <- grep("^expect\\.final\\.", names(train), value = TRUE)
        weights <- weightsOf(model)
        for (f in finals) {
            key <- sub("^expect\\.final\\.", "", f)
            expectClose(.toRowMajor(weights[[key]]), train[[f]], 2e-3, 2e-5, f)
        }
    })
}
