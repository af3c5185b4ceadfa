test_that("the laptop preset has the published keys, in their order", {
    config <- SFMParam()@config
    published <- SFMParam(preset = "published")@config
    expect_identical(names(config), c("sfm", "vgae"))
    expect_identical(names(config$sfm), names(published$sfm))
    root <- fixture("sfm_b")
    file <- jsonlite::fromJSON(
        file.path(root, "models/sfm/sfm_config.json"),
        simplifyVector = FALSE
    )
    expect_identical(names(config$sfm), names(file$sfm))
    expect_identical(names(config$vgae), names(file$vgae))
})

test_that("published sizes are one argument away", {
    s <- SFMParam(preset = "published")@config$sfm
    expect_identical(s$embed_dim, 768L)
    expect_identical(s$num_factors, 256L)
    expect_identical(s$topk, 32L)
    expect_null(s$backbone_mlp_hidden_dim)
    expect_true("backbone_mlp_hidden_dim" %in% names(s))
    json <- .configJson(SFMParam(preset = "published")@config)
    expect_match(json, "\"backbone_mlp_hidden_dim\": null", fixed = TRUE)
    expect_match(json, "\"norm_eps\": 1e-06", fixed = TRUE)
})

test_that("arguments reach the configuration", {
    p <- SFMParam(
        embedDim = 24, heads = 3, topk = 5, rotary = "interleaved",
        vgaeSteps = 0, maxLength = 100
    )
    expect_identical(p@config$sfm$embed_dim, 24L)
    expect_true(p@config$sfm$use_rotary)
    expect_true(p@config$sfm$rotary_interleaved)
    expect_identical(p@config$vgae$fp_steps, 0L)
    expect_identical(p@maxLength, 100L)
    expect_output(show(p), "at most 99 genes")
})

test_that("fewer factors than the preset's topk lowers topk", {
    expect_identical(SFMParam(factors = 2)@config$sfm$topk, 2L)
})

test_that("bad settings are named", {
    expect_error(SFMParam(embedDim = 30), "'embedDim'.*multiple of 'heads'")
    expect_error(SFMParam(topk = 64), "'topk'.*'factors'")
    expect_error(SFMParam(layers = 0), "'layers' must be one whole number")
    expect_error(SFMParam(layers = 1.5), "'layers'")
    expect_error(SFMParam(exprTau = 0), "'exprTau'.*greater than 0")
    expect_error(SFMParam(outDropout = 1), "'outDropout'")
    expect_error(SFMParam(rotary = "full"), "'rotary'.*full")
    expect_error(SFMParam(preset = "huge"), "'preset'.*huge")
    expect_error(
        SFMParam(embedDim = 9, heads = 3, rotary = "half"), "even width"
    )
    expect_error(SFMParam(normEps = NA), "'normEps'")
})

test_that("the defaults are reported for both presets", {
    d <- SFMParamDefaults()
    expect_identical(names(d), c("argument", "laptop", "published"))
    expect_setequal(
        d$argument, setdiff(names(formals(SFMParam)), "preset")
    )
    expect_identical(d$published[d$argument == "mlpHidden"], "4 x embedDim")
})
