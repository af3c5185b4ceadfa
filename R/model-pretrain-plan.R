## From a configuration to the arguments of a run, and the dry run.

## list(config, module, source, files, prior, vectors, paths, dir, init, notes).
.pretrainPlan <- function(config, dir, init, verbose, dryRun = FALSE) {
    module <- if ("loss.lambda_exp" %in% attr(config, "given")) "efm" else
        "sfm"
    .checkConfigPairs(config, module)
    if (is.null(dir)) {
        dir <- config$causeway.dir
    }
    if (is.null(dir) && !dryRun) {
        .stopArgument("dir", "is missing: the folder of the run, here or as ",
            "causeway.dir in the configuration."
        )
    }
    source <- .configPath(config$model_source, config, "model_source")
    known <- c(.modulePaths(module), .packageFiles)
    files <- lapply(known, function(f) .firstFile(source, f))
    for (need in c("config", "vocab")) {
        if (is.na(files[[need]])) {
            .stopIn(config, "model_source", "is \"", source, "\", which holds ",
                "none of ", paste(known[[need]], collapse = ", "), "."
            )
        }
    }
    if (module == "efm" && is.na(.firstFile(source,
        .modulePaths("sfm")$weights))) {
        .stopIn(config, "model_source", "is \"", source, "\", which has no ",
            "trained SFM: the order of genes comes from it."
        )
    }
    paths <- .configPaths(config)
    plan <- list(
        config = config, module = module, source = source, files = files,
        prior = .configPrior(config, source, module),
        vectors = .firstFile(source, c("tokenizer/vocab.safetensors",
            "models/vocab.safetensors", "vocab.safetensors"
        )), paths = paths, dir = if (!is.null(dir)) .checkText(dir, "dir"),
        init = init
    )
    plan$notes <- .configNotes(config)
    for (note in plan$notes) .say(verbose, "Note: ", note, ".")
    plan
}

.stopIn <- function(config, key, ...) {
    .stopKey(key, attr(config, "file"), attr(config, "lines"), ...)
}

.checkConfigPairs <- function(c, module) {
    if (c$data.max_length - 1 < c$data.preprocess.n_top_genes &&
        c$data.preprocess.enabled) {
        .stopIn(c, "data.preprocess.n_top_genes", "is ",
            c$data.preprocess.n_top_genes, ", but data.max_length leaves ",
            "room for ", c$data.max_length - 1, " genes."
        )
    }
    drop <- unlist(c[paste0("data.preprocess.remove_",
        c("mito", "ribo", "hb"), "_genes"
    )])
    given <- intersect(names(drop), attr(c, "given"))
    if (length(unique(drop[given])) > 1L) {
        .stopIn(c, given[[length(given)]], "must be as its sisters: here ",
            "mitochondrial, ribosomal and haemoglobin genes are left out ",
            "together, or none."
        )
    }
    for (key in c("data.preprocess.log1p", if (module == "sfm")
        "loss.elbo.enabled")) {
        if (!c[[key]]) {
            .stopIn(c, key, "can't be false.")
        }
    }
    if (module == "efm" && c$data.condition_vocab.regenerate) {
        .stopIn(c, "data.condition_vocab.regenerate", "must be false: the SFM ",
            "fixes the table of conditions."
        )
    }
    delays <- .configDelays(c)
    if (length(unique(delays)) > 1L) {
        .stopIn(c, "loss.sparsity.kwargs.warmup_steps", "must be that of ",
            "loss.dag: both terms start at one step."
        )
    }
    invisible()
}

.configDelays <- function(c) {
    unlist(c[c("loss.dag.kwargs.warmup_steps",
        "loss.sparsity.kwargs.warmup_steps"
    )])
}

.configNotes <- function(c) {
    given <- attr(c, "given")
    half <- c("runtime.precision.model_dtype", "runtime.precision.autocast_dtype")
    half <- half[vapply(c[half], function(v) !is.null(v) && v != "fp32", NA)]
    c(
        if (length(half)) paste0(paste(half, collapse = " and "),
            " is passed over: computations are in single precision"
        ),
        if (isTRUE(c$runtime.fsdp.enabled)) paste0("runtime.fsdp is passed ",
            "over: every process holds the whole model"
        ),
        if (isTRUE(c$data.drop_last)) paste0("data.drop_last is passed ",
            "over: every cell is read once an epoch"
        )
    )
}

## A path as it is, else from the configuration's folder.
.configPath <- function(path, config, key) {
    near <- file.path(dirname(attr(config, "file")), path)
    found <- c(path, near)[file.exists(c(path, near))]
    if (!length(found)) {
        .stopIn(config, key, "is \"", path, "\", which is neither here (",
            getwd(), ") nor beside the configuration."
        )
    }
    found[[1L]]
}

## The files of cells, in the order of the run.
.configPaths <- function(c) {
    paths <- unlist(lapply(c$data.train_paths, function(path) {
        path <- .configPath(path, c, "data.train_paths")
        if (!dir.exists(path)) {
            return(path)
        }
        found <- list.files(path, "[.]h5ad$", recursive = TRUE,
            full.names = TRUE
        )
        if (!length(found)) {
            .stopIn(c, "data.train_paths", "names the folder \"", path,
                "\", which holds no .h5ad file."
            )
        }
        sort(found, method = "radix")
    }))
    if (c$data.shuffle_train_paths && length(paths) > 1L) {
        key <- .newKey(c$data.shuffle_train_paths_seed)
        paths <- paths[.shuffled(length(paths), key, 0L)]
    }
    paths
}

.configPrior <- function(c, source, module) {
    if (module != "sfm" || !c$loss.prior.enabled) {
        return(NULL)
    }
    own <- c$loss.prior.prior_grn_path
    if (!is.null(own)) {
        return(.configPath(own, c, "loss.prior.prior_grn_path"))
    }
    file <- .firstFile(source, c("resources/OmniPath.csv", "OmniPath.csv"))
    if (is.na(file)) {
        .stopIn(c, "loss.prior.enabled", "is true, but \"", source,
            "\" holds no resources/OmniPath.csv."
        )
    }
    file
}

## ---- arguments of the run ---------------------------------------------------------

.configSettings <- function(c, width, module) {
    betas <- c$optimizer.betas
    if (is.null(betas)) {
        betas <- c(0.9, 0.999)
    }
    on <- function(term, value) if (c[[paste0("loss.", term, ".enabled")]])
        value else 0
    delay <- .configDelays(c)
    s <- list(
        batchSize = c$data.batch_size,
        accumulate = c$data.gradient_accumulation_steps, lr = c$optimizer.lr,
        weightDecay = c$optimizer.weight_decay,
        warmup = c$scheduler.warmup_ratio,
        minLrRatio = c$scheduler.min_lr_ratio,
        clip = if (is.null(c$trainer.grad_clip_norm)) 1e30 else
            c$trainer.grad_clip_norm,
        conditionMask = if (c$data.condition_mask.enabled)
            c$data.condition_mask.unk_ratio else 0,
        beta1 = betas[[1L]], beta2 = betas[[2L]], eps = c$optimizer.eps,
        constant = as.numeric(c$scheduler.name == "constant")
    )
    if (length(delay)) {
        s$delay <- delay[[1L]]
    }
    if (module == "efm") {
        s$lambdaExpression <- c$loss.lambda_exp
        return(.runSettings(s, width))
    }
    .trainSettings(c(s, list(
        priorWeight = c(c$loss.prior.weight_schedule.initial,
            c$loss.prior.weight_schedule.final
        ), priorEdges = c$loss.prior.kwargs.pred_topk,
        priorPositive = c$loss.prior.kwargs.pos_weight,
        priorNegative = c$loss.prior.kwargs.neg_weight,
        lambdaDag = on("dag", c$loss.dag.kwargs.lambda_dag),
        lambdaSparsity = on("sparsity",
            c$loss.sparsity.kwargs.lambda_sparsity
        )
    )), width)
}

.configHow <- function(c) {
    q <- function(name) c[[paste0("data.preprocess.", name)]]
    none <- function(value, instead) if (is.null(value)) instead else value
    if (!q("enabled")) {
        how <- .inputArgs(nTargets = Inf, alreadyNormalised = TRUE,
            preprocess = list(minGenes = 0, minCells = 0, maxMt = 100,
                dropQC = FALSE
            )
        )
    } else {
        how <- .inputArgs(
            nTargets = if (q("subset_hvg")) q("n_top_genes") else Inf,
            preprocess = list(
                minGenes = none(q("min_genes"), 0),
                minCells = none(q("min_cells"), 0),
                maxMt = none(q("max_pct_counts_mt"), 100),
                dropQC = q("remove_mito_genes"), target = q("target_sum"),
                sanitize = q("sanitize_X")
            )
        )
    }
    how$alike <- TRUE # as published: factors are among the variable genes or not
    how$fixed <- !c$data.condition_vocab.regenerate
    how
}

## Columns of the cells that the configuration names, where a file has them.
.configColumns <- function(c, there) {
    keys <- c("platform", "species", "tissue", "disease")
    name <- lapply(keys, function(k) c[[paste0("data.", k, "_key")]])
    names(name) <- keys
    lapply(name, function(n) if (!is.null(n) && n %in% there) n)
}

.configFiles <- function(plan) {
    c <- plan$config
    .trainFiles(plan$paths, open = function(file) .configCells(file, c),
        how = function(cells, how) {
            columns <- .configColumns(c, colnames(colData(cells)))
            how[c("platform", "tissue", "disease")] <-
                columns[c("platform", "tissue", "disease")]
            how$species <- if (is.null(columns$species)) "human" else
                columns$species
            how
        }
    )
}

## Genes are called by the column `gene_key` where a file has it.
.configCells <- function(file, c) {
    cells <- openCells(file, verbose = FALSE)
    key <- c$data.gene_key
    if (!is.null(key) && key %in% colnames(rowData(cells))) {
        rownames(cells) <- as.character(rowData(cells)[[key]])
    }
    cells
}

## ---- the dry run ---------------------------------------------------------------------

#' The plan of a pre-training run
#'
#' What [pretrain()] gives with `dryRun = TRUE`: a [CausewayReport-class].
#' @name PretrainPlan-class
#' @exportClass PretrainPlan
#' @return Nothing: this is a class.
#' @seealso [pretrain()]
#' @examples
#' showClass("PretrainPlan")
setClass("PretrainPlan", contains = "CausewayReport")

setMethod(".showBody", "PretrainPlan", function(x) {
    print(x@tables$files, row.names = FALSE)
})

.dryRun <- function(plan, threads, verbose) {
    c <- plan$config
    vocab <- .checkVocab(.readJson(plan$files$vocab), plan$files$vocab)
    files <- do.call(rbind, lapply(plan$paths, .dryFile, c = c, vocab = vocab,
        windows = list(batchSize = c$data.batch_size,
            accumulate = c$data.gradient_accumulation_steps,
            processes = .world()$size
        )
    ))
    bad <- files$problem[nzchar(files$problem)]
    steps <- c$trainer.epochs * sum(files$steps)
    model <- .pretrainModel(plan, threads)
    genes <- min(max(files$known), c$data.max_length - 1)
    if (c$data.preprocess.enabled && c$data.preprocess.subset_hvg) {
        genes <- min(genes, c$data.preprocess.n_top_genes)
    }
    bytes <- .engineForecast(model, cells = c$data.batch_size,
        genes = as.double(genes), tfs = as.double(genes), train = TRUE
    )
    room <- .dryFolder(plan)
    enough <- bytes <= .memoryLimit()
    seconds <- if (enough && !length(bad)) .drySeconds(model, plan) else NA
    total <- seconds * steps * c$data.gradient_accumulation_steps
    checks <- data.frame(
        check = c("files of cells", "folder of the run", "memory"),
        holds = c(!length(bad), !nzchar(room), enough),
        note = c(.some(bad), room, paste(.bytes(bytes), "of",
            .bytes(.memoryLimit())))
    )
    .report("PretrainPlan", .verdict(c(
        sprintf("%s: %s, %s, at most %s (%d of warm-up)%s",
            if (all(checks$holds)) "Ready" else "Not ready",
            .count(nrow(files), "file"), .count(sum(files$cells), "cell"),
            .count(steps, "step"),
            as.integer(floor(steps * c$scheduler.warmup_ratio)),
            .byProcesses(list(processes = .world()$size))),
        paste0("Memory of a batch about ", .bytes(bytes), ", time about ",
            if (is.na(total)) "unknown" else .duration(total)),
        checks$note[!checks$holds], plan$notes
    ), holds = all(checks$holds)), list(files = files, checks = checks),
    list(steps = steps, warmup = floor(steps * c$scheduler.warmup_ratio),
        bytes = bytes, seconds = total, module = plan$module,
        processes = .world()$size
    ))
}

.dryFile <- function(path, c, vocab, windows) {
    row <- data.frame(file = path, cells = 0L, genes = 0L, known = 0L,
        share = NA_real_, absent = "", steps = 0, problem = ""
    )
    cells <- tryCatch(.configCells(path, c), error = function(e) {
        paste0(path, ": ", conditionMessage(e))
    })
    if (is.character(cells)) {
        row$problem <- cells
        return(row)
    }
    input <- tryCatch(.readCells(cells), error = function(e) {
        paste0(path, ": ", conditionMessage(e))
    })
    row$cells <- ncol(cells)
    row$genes <- nrow(cells)
    if (is.character(input)) {
        row$problem <- input
        return(row)
    }
    row$known <- sum(.lookupTokens(vocab, input$clean, input$type) >= 0L)
    row$share <- round(row$known / row$genes, 3)
    keys <- unlist(c[paste0("data.", c("platform", "species", "tissue",
        "disease"), "_key")])
    row$absent <- paste(setdiff(keys, colnames(colData(cells))),
        collapse = ", ")
    row$steps <- .windowsOf(row$cells, windows)
    if (row$known < 2L) {
        row$problem <- paste0(path, ": ", row$known, " genes are in the ",
            "vocabulary")
    }
    row
}

## "" or why the folder of the run can't be used.
.dryFolder <- function(plan) {
    if (is.null(plan$dir)) {
        return("")
    }
    if (file.exists(plan$dir)) {
        return(tryCatch({
            .continuedModel(plan, 1L)
            ""
        }, error = conditionMessage))
    }
    parent <- dirname(normalizePath(plan$dir, mustWork = FALSE))
    if (file.access(parent, 2L) == 0L) "" else
        paste0("\"", parent, "\" can't be written")
}

## Seconds of one batch, forward and backward: the second of two.
.drySeconds <- function(model, plan) {
    c <- plan$config
    prepared <- .prepareFile(model, .configFiles(plan), 1L, .configHow(c),
        identity, FALSE
    )
    n <- min(ncol(prepared$values), c$data.batch_size)
    batch <- .tokenBatch(prepared, seq_len(n))
    once <- function() {
        started <- proc.time()[["elapsed"]]
        .engineGradients(model, "pretrain", batch)
        proc.time()[["elapsed"]] - started
    }
    once()
    once() * c$data.batch_size / n
}
