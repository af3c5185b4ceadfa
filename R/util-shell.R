## The script exec/causeway: verbs from a shell.

## Exit codes, as in sysexits.h where there is one for it.
.exitCodes <- c(done = 0L, failed = 1L, usage = 2L, again = 75L)

## Options of each command: name, what follows it ("" for a flag), what it is.
.shellCommands <- list(
    pretrain = list(
        what = "CONFIG.yaml", about = "train a module as configured",
        options = rbind(
            c("dir", "DIR", "folder of the run"),
            c("dry-run", "", "check everything, train nothing"),
            c("resume", "", "there must be a run to go on with"),
            c("no-resume", "", "there must be none"),
            c("init", "PACKAGE", "start from the weights of this package")
        )
    ),
    infer = list(
        what = "CELLS", about = "a gene regulatory network of the cells",
        options = rbind(
            c("out", "FILE.csv", "edges: Gene1, Gene2, score (needed)"),
            c("method", "NAME", "combined (the usual way), cor, ridge or trees"),
            c("model", "PACKAGE", "a trained SFM: pooled per-cell networks"),
            c("species", "NAME", "human or mouse"),
            c("targets", "N", "variable genes beside the factors")
        )
    ),
    embed = list(
        what = "CELLS", about = "embeddings of the cells",
        options = rbind(
            c("out", "FILE", "a .csv, or .h5ad with all of the cells (needed)"),
            c("model", "PACKAGE", "the encoder (needed)")
        )
    ),
    tau = list(
        what = "CELLS", about = "chromatin-to-RNA delays of genes",
        options = rbind(
            c("out", "FILE.csv", "one row per gene (needed)"),
            c("genes", "FILE", "where genes lie: GTF, GFF, BED, CSV"),
            c("links", "FILE.csv", "columns gene and peak, instead of genes")
        )
    )
)

.shellCommon <- rbind(
    c("threads", "N", "threads of the engine"),
    c("seed", "N", "of all random numbers"),
    c("overwrite", "", "replace what is there"),
    c("quiet", "", "no messages but errors"),
    c("help", "", "this text")
)

## Runs a command line; returns the exit code.
.shell <- function(args) {
    command <- if (length(args)) args[[1L]] else "--help"
    if (command %in% c("--help", "-h", "help")) {
        writeLines(.shellHelp())
        return(.exitCodes[["done"]])
    }
    if (command == "--version") {
        writeLines(paste("causeway", utils::packageVersion("causeway")))
        return(.exitCodes[["done"]])
    }
    tryCatch(
        {
            parsed <- .shellParse(command, args[-1L])
            if (isTRUE(parsed$help)) {
                writeLines(.shellHelp(command))
                return(.exitCodes[["done"]])
            }
            if (!is.null(parsed$threads)) {
                old <- options(causeway.threads = parsed$threads)
                on.exit(options(old))
            }
            .shellRun(command, parsed)
        },
        shellUsage = function(e) {
            message("causeway: ", conditionMessage(e))
            .exitCodes[["usage"]]
        },
        error = function(e) {
            message("causeway: ", conditionMessage(e))
            .exitCodes[["failed"]]
        },
        interrupt = function(e) 130L
    )
}

.stopUsage <- function(...) {
    stop(structure(list(message = paste0(...), call = NULL),
        class = c("shellUsage", "error", "condition")
    ))
}

.shellOptions <- function(command) {
    rbind(.shellCommands[[command]]$options, .shellCommon)
}

## list(x = the argument without a name, and the options given).
.shellParse <- function(command, args) {
    if (!command %in% names(.shellCommands)) {
        .stopUsage("there is no command '", command, "'; there are ",
            paste(names(.shellCommands), collapse = ", "), "."
        )
    }
    table <- .shellOptions(command)
    out <- list()
    while (length(args)) {
        word <- args[[1L]]
        args <- args[-1L]
        if (!startsWith(word, "--")) {
            if (!is.null(out$x)) {
                .stopUsage("'", word, "' is one argument too many.")
            }
            out$x <- word
            next
        }
        name <- sub("=.*", "", substring(word, 3L))
        at <- match(name, table[, 1L])
        if (is.na(at)) {
            near <- .nearestWord(name, table[, 1L])
            .stopUsage("--", name, " is not known",
                if (length(near)) paste0("; is --", near, " meant?") else "."
            )
        }
        if (!nzchar(table[at, 2L])) {
            out[[name]] <- TRUE
            next
        }
        if (grepl("=", word, fixed = TRUE)) {
            value <- sub("^[^=]*=", "", word)
        } else if (length(args)) {
            value <- args[[1L]]
            args <- args[-1L]
        } else {
            .stopUsage("--", name, " needs ", table[at, 2L], ".")
        }
        if (table[at, 2L] == "N") {
            value <- suppressWarnings(as.numeric(value))
            if (is.na(value)) .stopUsage("--", name, " needs a number.")
        }
        out[[name]] <- value
    }
    .shellNeeds(command, out, table)
    out
}

.shellNeeds <- function(command, out, table) {
    if (isTRUE(out$help)) {
        return(invisible())
    }
    if (is.null(out$x)) {
        .stopUsage(command, " needs ", .shellCommands[[command]]$what, ".")
    }
    need <- table[grepl("(needed)", table[, 3L], fixed = TRUE), 1L]
    missing <- setdiff(need, names(out))
    if (length(missing)) {
        .stopUsage(command, " needs --", missing[[1L]], ".")
    }
    invisible()
}

.shellHelp <- function(command = NULL) {
    if (is.null(command)) {
        return(c("Usage: causeway COMMAND ... [OPTIONS]", "", "Commands:",
            vapply(names(.shellCommands), function(n) {
                sprintf("  %-9s %s", n, .shellCommands[[n]]$about)
            }, ""), "", "causeway COMMAND --help tells of one.",
            "Exit codes: 0 done, 1 failed, 2 wrong usage, 75 stopped by a",
            "signal after a checkpoint (call again to go on)."
        ))
    }
    table <- .shellOptions(command)
    c(sprintf("Usage: causeway %s %s [OPTIONS]", command,
        .shellCommands[[command]]$what
    ), "", paste0("  ", .shellCommands[[command]]$about), "", sprintf("  %-18s %s",
        trimws(paste0("--", table[, 1L], " ", table[, 2L])), table[, 3L]
    ))
}

.shellRun <- function(command, o) {
    verbose <- !isTRUE(o$quiet)
    switch(command,
        pretrain = .shellPretrain(o, verbose),
        infer = .shellInfer(o, verbose),
        embed = .shellEmbed(o, verbose),
        tau = .shellTau(o, verbose)
    )
}

.shellPretrain <- function(o, verbose) {
    if (!is.null(o$seed)) {
        .stopUsage("--seed isn't for pretrain: causeway.seed in the ",
            "configuration is.")
    }
    resume <- if (isTRUE(o$resume)) TRUE else if (isTRUE(o[["no-resume"]]))
        FALSE
    dry <- isTRUE(o[["dry-run"]])
    done <- pretrain(o$x, o$dir, dry, resume, o$init, o$threads, verbose)
    if (dry) {
        if (.isFirst()) print(done)
        return(.exitCodes[[if (all(done@tables$checks$holds)) "done" else
            "failed"]])
    }
    .exitCodes[[if (done@state$status == "finished") "done" else "again"]]
}

.shellInfer <- function(o, verbose) {
    method <- if (is.null(o$method)) "combined" else
        .oneOf(o$method, c("combined", "cor", "ridge", "trees"), "--method")
    more <- Filter(Negate(is.null), list(species = o$species,
        nTargets = o$targets, seed = if (is.null(o$model)) o$seed
    ))
    model <- if (!is.null(o$model)) loadModel(o$model, verbose = FALSE) else
        switch(method, combined = CombinedGRNParam(), cor = CorGRNParam(),
            ridge = RidgeGRNParam(), trees = TreeGRNParam()
        )
    grn <- do.call(inferGRN, c(list(o$x, model), more,
        list(verbose = verbose)
    ))
    if (methods::is(grn, "PerCellNetworks")) {
        grn <- poolGRN(grn)
    }
    writeGRN(grn, o$out, overwrite = isTRUE(o$overwrite), verbose = verbose)
    .exitCodes[["done"]]
}

.shellEmbed <- function(o, verbose) {
    model <- loadModel(o$model, verbose = FALSE)
    cells <- openCells(o$x, verbose = verbose)
    network <- if (methods::is(model, "EFModel") &&
        !is.na(.firstFile(o$model, .modulePaths("sfm")$weights))) {
        list(network = loadModel(o$model, module = "sfm", verbose = FALSE))
    }
    done <- do.call(embedCells, c(list(cells, model, name = "embedding",
        verbose = verbose
    ), network))
    if (grepl("[.]h5ad$", o$out)) {
        writeH5AD(done, o$out, overwrite = isTRUE(o$overwrite),
            verbose = FALSE)
    } else {
        found <- SingleCellExperiment::reducedDim(done, "embedding")
        table <- data.frame(cell = rownames(found), found)
        .writeCsv(table, o$out, isTRUE(o$overwrite), "out")
    }
    .exitCodes[["done"]]
}

.shellTau <- function(o, verbose) {
    links <- if (!is.null(o$links)) .annotationFile(o$links, "links")
    fit <- estimateTau(o$x, links = links, genes = o$genes, seed = o$seed,
        verbose = verbose
    )
    message(paste(verdict(fit)$text, collapse = "\n"))
    .writeCsv(as.data.frame(fit), o$out, isTRUE(o$overwrite), "out")
    .exitCodes[["done"]]
}
