## Configurations of pre-training in YAML: the published keys, each with its
## type, and where in the file it stands.

## name, type, default ("" for none: then the key may be absent, "!" required).
## Types: text, flag, whole, number (a trailing ? allows null), range 0..1
## (share), paths, pair, names, or the words allowed (a|b). Keys that mean
## nothing here (workers, sharding, attention kernels) are checked all the
## same, and said to be passed over where they would change something.
.configKeys <- function() {
    text <- c(
        "model_source text !", "runtime.attention_backend fa4|fa2|plain",
        "runtime.precision.model_dtype fp32|bf16",
        "runtime.precision.autocast_dtype fp32|bf16|fp16",
        "runtime.fsdp.enabled flag", "runtime.fsdp.sharding_strategy text",
        "runtime.fsdp.use_orig_params flag",
        "runtime.fsdp.limit_all_gathers flag",
        "data.train_paths paths !", "data.shuffle_train_paths flag false",
        "data.shuffle_train_paths_seed whole 0", "data.batch_size count !",
        "data.gradient_accumulation_steps count 1", "data.num_workers whole",
        "data.pin_memory flag", "data.drop_last flag false",
        "data.persistent_workers flag", "data.prefetch_factor whole?",
        "data.max_length count !", "data.gene_key text?",
        "data.platform_key text?", "data.species_key text?",
        "data.tissue_key text?", "data.disease_key text?",
        "data.expr_pad_value zero 0",
        "data.condition_vocab.regenerate flag false",
        "data.condition_mask.enabled flag false",
        "data.condition_mask.unk_ratio share 0.1",
        "data.preprocess.enabled flag false",
        "data.preprocess.min_genes whole? 200",
        "data.preprocess.min_cells whole? 3",
        "data.preprocess.max_pct_counts_mt number? 20",
        "data.preprocess.target_sum number 10000",
        "data.preprocess.log1p flag true",
        "data.preprocess.n_top_genes count 2000",
        "data.preprocess.hvg_flavor seurat seurat",
        "data.preprocess.subset_hvg flag true",
        "data.preprocess.remove_mito_genes flag true",
        "data.preprocess.remove_ribo_genes flag false",
        "data.preprocess.remove_hb_genes flag false",
        "data.preprocess.sanitize_X flag true",
        "data.preprocess.X_fill_value zero 0",
        "data.preprocess.inplace flag", "optimizer.name adamw adamw",
        "optimizer.lr number !", "optimizer.betas pair",
        "optimizer.eps number 1e-8", "optimizer.weight_decay number 0.01",
        "scheduler.name cosine_with_warmup|constant cosine_with_warmup",
        "scheduler.warmup_ratio share 0.03",
        "scheduler.min_lr_ratio share 0",
        "loss.foundation_name sfm sfm", "loss.head_name vgae vgae",
        "loss.elbo.enabled flag true", "loss.prior.enabled flag false",
        "loss.prior.kwargs.pos_weight number 5",
        "loss.prior.kwargs.neg_weight number 0.1",
        "loss.prior.kwargs.pred_topk count 512",
        "loss.prior.weight_schedule.initial number 1",
        "loss.prior.weight_schedule.final number 0",
        "loss.prior.prior_grn_path text?", "loss.dag.enabled flag false",
        "loss.dag.kwargs.lambda_dag number 1",
        "loss.dag.kwargs.warmup_steps whole?",
        "loss.sparsity.enabled flag false",
        "loss.sparsity.kwargs.lambda_sparsity number 0.001",
        "loss.sparsity.kwargs.warmup_steps whole?",
        "loss.lambda_exp number", "trainer.epochs count !",
        "trainer.grad_clip_norm number?",
        "trainer.checkpoint_frequency adata|file|dataset|pair|epoch epoch",
        "trainer.nonfinite_policy disable_regularizer disable_regularizer",
        "causeway.dir text", "causeway.seed whole 0",
        "causeway.save_every count", "causeway.keep_last count 3",
        "causeway.conditions count 1024"
    )
    words <- strsplit(text, " ", fixed = TRUE)
    data.frame(
        key = vapply(words, `[[`, "", 1L), type = vapply(words, `[[`, "", 2L),
        default = vapply(words, function(w) {
            if (length(w) > 2L) w[[3L]] else ""
        }, "")
    )
}

## The configuration as a flat list by key, checked, with defaults filled in;
## attributes: file, lines, given (keys that the file has).
.readConfig <- function(file) {
    .checkText(file, "config")
    if (!file.exists(file) || dir.exists(file)) {
        .stopArgument("config", "is \"", file, "\", which is ",
            if (dir.exists(file)) "a folder" else "not there",
            "; a YAML file is wanted."
        )
    }
    if (!requireNamespace("yaml", quietly = TRUE)) {
        stop("reading '", file, "' needs the package yaml: ",
            "install.packages(\"yaml\").",
            call. = FALSE
        )
    }
    text <- .configText(file)
    tree <- .parseYaml(text, file)
    lines <- .yamlLines(text)
    flat <- .flatConfig(tree, file, lines)
    .checkKeys(flat, file, lines)
    .fillConfig(flat, file, lines)
}

.configText <- function(file) {
    if (file.size(file) > 1024^2) {
        .stopArgument("config", "is larger than 1 MB: no configuration.")
    }
    bytes <- readBin(file, "raw", file.size(file))
    text <- if (any(bytes == 0)) NA else rawToChar(bytes)
    if (is.na(text) || !validUTF8(text)) {
        .stopArgument("config", "is \"", file, "\", which is no text in UTF-8.")
    }
    strsplit(sub("^\ufeff", "", text), "\r?\n")[[1L]]
}

## No code in a file is run, no tag heeded.
.parseYaml <- function(text, file) {
    tree <- tryCatch(
        withCallingHandlers(
            yaml::yaml.load(paste(text, collapse = "\n"), eval.expr = FALSE,
                handlers = list(expr = function(x) stop("tag !expr: code in ",
                    "a configuration is not run"))
            ),
            warning = function(w) stop(conditionMessage(w), call. = FALSE)
        ),
        error = function(e) {
            stop("'", file, "' is not sound YAML: ", conditionMessage(e),
                call. = FALSE
            )
        }
    )
    if (!is.list(tree) || is.null(names(tree))) {
        stop("'", file, "' must hold sections (data:, optimizer: ...); it ",
            "holds ", if (is.null(tree)) "nothing" else class(tree)[[1L]],
            ".",
            call. = FALSE
        )
    }
    tree
}

## Line of every key, as "a.b.c". Only block style is followed: a key within
## braces has the line of what holds it.
.yamlLines <- function(text) {
    out <- integer()
    indent <- integer()
    path <- character()
    key <- "^( *)[\"']?([A-Za-z0-9_.-]+)[\"']? *:( |$)"
    for (i in seq_along(text)) {
        found <- regmatches(text[[i]], regexec(key, text[[i]]))[[1L]]
        if (!length(found)) next
        at <- nchar(found[[2L]])
        keep <- indent < at
        indent <- c(indent[keep], at)
        path <- c(path[keep], found[[3L]])
        out[[paste(path, collapse = ".")]] <- i
    }
    out
}

## "FILE:12" of a key, or of the nearest that holds it.
.configPlace <- function(key, file, lines) {
    while (nzchar(key) && !(key %in% names(lines))) {
        key <- if (grepl(".", key, fixed = TRUE)) sub("\\.[^.]*$", "", key) else
            ""
    }
    paste0(file, if (nzchar(key)) paste0(":", lines[[key]]))
}

.stopKey <- function(key, file, lines, ...) {
    stop(.configPlace(key, file, lines), ": '", key, "' ", ..., call. = FALSE)
}

.flatConfig <- function(tree, file, lines, prefix = "") {
    out <- list()
    for (i in seq_along(tree)) {
        key <- paste0(prefix, names(tree)[[i]])
        value <- tree[[i]]
        if (is.list(value) && !is.null(names(value))) {
            out <- c(out, .flatConfig(value, file, lines, paste0(key, ".")))
        } else if (is.null(value) &&
            !(key %in% .configKeys()$key)) {
            next # an empty section
        } else {
            out[key] <- list(value)
        }
    }
    twice <- names(out)[duplicated(names(out))]
    if (length(twice)) {
        .stopKey(twice[[1L]], file, lines, "is given twice.")
    }
    out
}

.checkKeys <- function(flat, file, lines) {
    known <- .configKeys()$key
    for (key in setdiff(names(flat), known)) {
        near <- .nearestWord(key, known)
        .stopKey(key, file, lines, "is no key that is known here",
            if (length(near)) paste0("; is '", near, "' meant?") else "."
        )
    }
    invisible()
}

.fillConfig <- function(flat, file, lines) {
    keys <- .configKeys()
    out <- list()
    for (i in seq_len(nrow(keys))) {
        key <- keys$key[[i]]
        given <- key %in% names(flat)
        value <- if (given) {
            .configValue(flat[[key]], keys$type[[i]], key, file, lines)
        } else if (keys$default[[i]] == "!") {
            .stopKey(key, file, lines, "is missing; it has no default.")
        } else if (nzchar(keys$default[[i]])) {
            .configValue(keys$default[[i]], keys$type[[i]], key, file, lines)
        }
        out[key] <- list(value)
    }
    structure(out, file = file, lines = lines, given = names(flat))
}

.configValue <- function(value, type, key, file, lines) {
    bad <- function(what) {
        .stopKey(key, file, lines, "must be ", what, "; it is ",
            if (is.null(value)) "null" else .show(unlist(value)), "."
        )
    }
    if (endsWith(type, "?")) {
        if (is.null(value)) {
            return(NULL)
        }
        type <- sub("?", "", type, fixed = TRUE)
    }
    one <- length(value) == 1L && !is.list(value) && !is.na(value)
    number <- if (one && !is.logical(value)) {
        suppressWarnings(as.numeric(value))
    } else NA_real_
    among <- function(low, high, whole, what) {
        if (is.na(number) || number < low || number > high ||
            whole && number != round(number)) {
            bad(what)
        }
        number
    }
    switch(type,
        flag = {
            word <- if (one) tolower(as.character(value)) else ""
            if (!word %in% c("true", "false")) bad("true or false")
            word == "true"
        },
        whole = among(0, 2^53, TRUE, "a whole number from 0 up"),
        count = among(1, 1e9, TRUE, "a whole number from 1 up"),
        number = among(0, 1e12, FALSE, "a number from 0 up"),
        share = among(0, 1, FALSE, "a number from 0 to 1"),
        zero = among(0, 0, FALSE, "0 (nothing else is known to the model)"),
        pair = {
            pair <- suppressWarnings(as.numeric(unlist(value)))
            if (length(pair) != 2L || anyNA(pair) || any(pair < 0 | pair >= 1)) {
                bad("two numbers from 0 to below 1")
            }
            pair
        },
        paths = {
            paths <- unlist(value)
            if (!is.character(paths) || !length(paths) ||
                any(!nzchar(paths))) {
                bad("a path or a list of paths")
            }
            paths
        },
        text = {
            if (!one || !is.character(value) || !nzchar(value)) bad("text")
            value
        },
        {
            words <- strsplit(type, "|", fixed = TRUE)[[1L]]
            if (!one || !as.character(value) %in% words) {
                bad(paste0("one of ", paste(words, collapse = ", ")))
            }
            as.character(value)
        }
    )
}
