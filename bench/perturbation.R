## Predicting unseen perturbations: the tables of the method page
## (perturbation-that-works.md).
##
##   Rscript bench/perturbation.R [PART ...] [--seeds N] [--data FOLDER]
##     [--csv CSV]   (PART: sim null papalexi gears yeast kang size)
##
## sim: the page's protocol on simulated screens (18 of 60 genes never seen, half
## of the pairs of seen genes held out); "truth" is the skill against cells in
## which every perturbation works. shuffled: the same with the network, terms and
## graph dealt to other genes. null: verdicts with side information permuted
## beforehand over the genes (19 permutations each); share of "no". papalexi: THP-1
## ECCITE-seq, 25 genes, leave one out. gears: the same in five folds, GEARS as
## published and with a slower decay of its rate beside the baselines. yeast: transcription factor knock-outs
## in bulk, which have no control cells: effects share one reference, so a skill
## is an upper bound there. kang: interferon response of cell types left out
## (there the columns are: skill, share of the mean shift explained; low, energy
## distance; high, MMD; rTop, of 50 genes; rCentred, Wasserstein; direction, DE
## agreement). size: 200,000 cells x 5,000 genes x 2,000 perturbations.

arguments <- commandArgs(trailingOnly = TRUE)
option <- function(name, default) {
    at <- match(paste0("--", name), arguments)
    if (is.na(at)) default else arguments[[at + 1L]]
}
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
bench <- if (length(script)) dirname(script) else "bench"
data <- option("data", file.path(bench, "..", "..", "shared", "data"))
csv <- option("csv", file.path(bench, "results", "perturbation.csv"))
seeds <- as.integer(option("seeds", "2"))
parts <- intersect(arguments, c("sim", "null", "papalexi", "yeast", "kang",
    "size", "gears"))
if (!length(parts)) parts <- c("sim", "null", "papalexi", "yeast", "kang")
suppressPackageStartupMessages({
    library(causeway)
    library(SingleCellExperiment)
})
inside <- function(name) getFromNamespace(name, "causeway")

job <- list(key = c(1, 1), threads = 2L)
rows <- list()
add <- function(part, group, table, seed = NA) {
    keep <- c("method", "skill", "low", "high", "rAll", "rTop", "rCentred",
        "direction", "discrimination", "truth")
    table$truth <- if (is.null(table$truth)) NA else table$truth
    group <- sub(",", ":", group) # no comma in a csv without quotes
    out <- cbind(part = part, group = group, seed = seed, table[keep])
    print(out, digits = 2, row.names = FALSE)
    assign("rows", c(rows, list(out)), globalenv())
}

## Scores of a list of predictions for the perturbations `at`.
scored <- function(predictions, e, at, base, truth = NULL) {
    s <- inside(".scoreAll")(predictions, e, base, at, 2L)
    out <- inside(".scoreTable")(s, c(1, 1), 500L)
    if (!is.null(truth)) {
        t <- inside(".scoreAll")(predictions, e, base, at, 2L, truth)
        out$truth <- vapply(t, inside(".skill"), 0)
    }
    out
}

## What a fit knows of its genes; `shuffle`: all but the control cells' part
## dealt to other genes.
knownOf <- function(s, shuffle = FALSE) {
    e <- s$effects
    k <- inside(".sideOf")(s$side, e$controls, e$readouts, e$sd, e$trainMean,
        s$genes, s$genes)
    if (shuffle) {
        p <- sample(length(s$genes))
        k$kernels <- lapply(setNames(names(k$kernels), names(k$kernels)),
            function(n) {
                if (n == "coexpression") k$kernels[[n]] else
                    k$kernels[[n]][p, p]
            })
        k$direct <- lapply(setNames(names(k$direct), names(k$direct)),
            function(n) {
                if (n == "covariance") k$direct[[n]] else k$direct[[n]][p, ]
            })
    }
    k
}

## The model with some of its parts, over splits.
modelled <- function(s, known, folds, kernel = TRUE, direct = TRUE) {
    d <- inside(".modelData")(s$effects, known, s$perts, s$genes, 2L)
    inside(".crossPredict")(d, s$effects, known, s$perts, s$genes, folds, 2L,
        kernel, direct)$mean
}

## What there is so far, after every part.
save <- function() {
    if (!length(rows)) return(invisible())
    all <- do.call(rbind, rows)
    number <- vapply(all, is.numeric, NA)
    all[number] <- lapply(all[number], round, 4)
    hardware <- tryCatch(system2("sh", file.path(bench, "hardware.sh"),
        stdout = TRUE), error = function(e) "hardware unknown")
    con <- file(csv, "w")
    writeLines(c(paste("#", sub("^# *", "", hardware)),
        "# measured under load; no times here"), con)
    utils::write.csv(all, con, row.names = FALSE, quote = FALSE)
    close(con)
}

simulated <- function(seed, shuffle = FALSE) {
    x <- simulatePerturbations(seed = seed, truth = 300)
    k <- metadata(x)
    fit <- fitPerturbation(x, "perturbation", network = k$network, go = k$go,
        graph = k$graph, nPerm = 19, nBoot = 200, folds = 6, seed = seed,
        verbose = FALSE)
    if (!shuffle) print(fit@verdict$text[1:2])
    s <- fit@state
    set.seed(seed)
    known <- knownOf(s, shuffle)
    hold <- sample(s$genes, 18)
    unseen <- vapply(s$perts, function(g) sum(g %in% hold), 0L)
    pair <- lengths(s$perts) == 2L
    two <- sample(which(pair & unseen == 0L))
    tested <- two[seq_len(length(two) %/% 2L)]
    train <- setdiff(which(unseen == 0L), tested)
    groups <- list("single, unseen" = which(!pair & unseen == 1L),
        "pair, 2 seen" = tested, "pair, 1 seen" = which(pair & unseen == 1L),
        "pair, 0 seen" = which(pair & unseen == 2L))
    e <- s$effects
    truth <- simulatedTruth(x)
    at <- match(s$names, vapply(strsplit(colnames(truth), "+", fixed = TRUE),
        function(g) paste(sort(g), collapse = "+"), ""))
    truth <- inside(".withoutOwn")(truth[e$readouts, at] / e$sd, e$own)
    for (g in names(groups)) {
        if (length(groups[[g]]) < 2L) next
        folds <- list(list(train = train, test = groups[[g]]))
        p <- inside(".crossBaselines")(e, known, s$perts, s$genes, folds,
            job)
        base <- p[["mean perturbed"]]
        p[["no side information"]] <- modelled(s, known, folds, FALSE, FALSE)
        p[["average kernel"]] <- modelled(s, known, folds, TRUE, FALSE)
        p[["direct only"]] <- modelled(s, known, folds, FALSE, TRUE)
        p[["the model"]] <- modelled(s, known, folds)
        add(if (shuffle) "shuffled" else "sim", g, scored(p, e, groups[[g]],
            base, truth), seed)
    }
}

if ("sim" %in% parts) {
    for (seed in seq_len(seeds)) simulated(seed)
    simulated(1L, shuffle = TRUE)
    save()
}

## ---- verdicts where there is nothing to find --------------------------------

if ("null" %in% parts) {
    n <- as.integer(option("nulls", "100"))
    no <- logical()
    first <- as.integer(option("first", "1"))
    for (seed in first - 1L + seq_len(ceiling(n / 20))) {
        x <- simulatePerturbations(nPairs = 0, seed = 500 + seed)
        k <- metadata(x)
        fit <- fitPerturbation(x, "perturbation", network = k$network,
            go = k$go, graph = k$graph, nPerm = 1, nBoot = 0, seed = seed,
            verbose = FALSE)
        s <- fit@state
        e <- s$effects
        e$R1 <- e$R2 <- NULL
        for (draw in seq_len(min(20L, n - length(no)))) {
            set.seed(1000 * seed + draw)
            p <- sample(length(s$genes))
            known <- knownOf(s)
            known$kernels <- lapply(known$kernels, function(K) K[p, p])
            known$direct <- lapply(known$direct, function(D) D[p, ])
            d <- inside(".modelData")(e, known, s$perts, s$genes, 2L)
            one <- inside(".judgeSingles")(e, known, d, s$perts, s$genes,
                list(folds = 10, nPerm = 19L, nBoot = 200L,
                    key = as.numeric(c(seed, draw)), threads = 2L,
                    verbose = FALSE))
            no <- c(no, !(one$facts$p <= 0.05 && one$facts$gainLow > 0))
        }
        cat("no skill:", sum(no), "of", length(no), "\n")
        rows$null <- data.frame(part = "null", group = "verdict no",
            seed = length(no), method = "the model", skill = mean(no),
            low = NA, high = NA, rAll = NA, rTop = NA, rCentred = NA,
            direction = NA, discrimination = NA, truth = NA)
        save()
    }
}

## ---- Papalexi ----------------------------------------------------------------

papalexi <- function() {
    e <- new.env()
    load(file.path(data, "05_perturb/papalexi_eccite_thp1",
        "lowmoi_example_data.rda"), e)
    x <- get(ls(e)[[1L]], e)
    guides <- as(x$grna_matrix, "CsparseMatrix")
    dense <- as.matrix(guides)
    top <- apply(dense, 2L, max)
    ok <- top >= 5 & top > 0.5 * colSums(dense)
    target <- setNames(x$grna_target_data_frame$grna_target,
        x$grna_target_data_frame$grna_id)
    label <- as.character(target)[match(rownames(dense), names(target))][
        apply(dense, 2L, which.max)]
    label[label == "MARCH8"] <- "MARCHF8"
    m <- as(x$response_matrix, "CsparseMatrix")
    rownames(m)[rownames(m) == "MARCH8"] <- "MARCHF8"
    colnames(m) <- paste0("cell", seq_len(ncol(m)))
    SingleCellExperiment(list(counts = as(m, "generalMatrix")[, ok]),
        colData = DataFrame(guide = unname(label)[ok],
            batch = as.character(x$extra_covariates[ok, 1L])))
}

sideTables <- function() {
    read <- function(...) utils::read.delim(file.path(data, ...))
    go <- read("04_resources/org_hs_eg_debian/go_bp_direct.tsv.gz")
    string <- utils::read.csv(file.path(data,
        "03_grn/beeline_networks/human_STRING-network.csv"))
    net <- utils::read.csv(file.path(data,
        "04_resources/collectri/collectri.csv"))
    list(go = data.frame(gene = go$symbol, term = go$go_id),
        graph = data.frame(from = string$Gene1, to = string$Gene2),
        network = data.frame(from = net$source, to = net$target,
            weight = net$weight))
}

if ("papalexi" %in% parts) {
    x <- papalexi()
    k <- sideTables()
    for (seed in seq_len(seeds)) {
        fit <- fitPerturbation(x, "guide", block = "batch", go = k$go,
            graph = k$graph, network = k$network, folds = 25, seed = seed)
        print(fit)
        s <- fit@state
        table <- as.data.frame(fit)
        at <- which(lengths(s$perts) == 1L)
        folds <- lapply(at, function(i) list(train = setdiff(at, i), test = i))
        known <- knownOf(s)
        only <- function(n) {
            known$kernels <- known$kernels[n]
            modelled(s, known, folds, TRUE, FALSE)
        }
        p <- list(only("go"), only("graph"), modelled(s, known, folds, TRUE,
            FALSE), modelled(s, known, folds, FALSE, TRUE))
        names(p) <- c("GO only", "graph only", "average kernel", "direct only")
        base <- inside(".crossBaselines")(s$effects, known, s$perts, s$genes,
            folds, job)[["mean perturbed"]]
        more <- scored(p, s$effects, at, base)
        same <- intersect(names(table), names(more))
        add("papalexi", "single, unseen", rbind(table[same], more[same]),
            seed)
    }
    save()
}

if ("gears" %in% parts) {
    x <- papalexi()
    k <- sideTables()
    fit <- fitPerturbation(x, "guide", block = "batch", go = k$go,
        graph = k$graph, network = k$network, folds = 5, seed = 1)
    models <- list("GEARS" = GEARSParam(),
        "GEARS, decay 0.9" = GEARSParam(decay = 0.9))
    for (seed in seq_len(seeds)) {
        ev <- evaluatePerturbationModel(fit, models = models, x = x, folds = 5,
            seed = seed)
        print(ev)
        add("gears", "single, unseen", as.data.frame(ev), seed)
    }
    save()
}

## ---- yeast -------------------------------------------------------------------

yeastEffects <- function(set) {
    dir <- file.path(data, "05_perturb/yeast_tf_knockouts")
    file <- function(what) file.path(dir, paste0(set, "_", what, ".csv"))
    m <- as.matrix(utils::read.csv(file("expression_all"), header = FALSE))
    genes <- readLines(file("gene_list"))
    samples <- sub("[,\"].*", "", gsub("\"", "", readLines(
        file("sample_list_all"))))
    samples <- samples[nzchar(samples)][seq_len(ncol(m))]
    stopifnot(nrow(m) == length(genes), !anyNA(samples))
    tfs <- readLines(file("tf_list"))
    chip <- abs(as.matrix(utils::read.csv(file("binary_cs_signed"),
        header = FALSE)))
    if (nrow(chip) == length(genes)) chip <- t(chip)
    dimnames(chip) <- list(tfs, genes)
    keep <- !duplicated(samples)
    list(m = m[, keep], genes = genes, samples = samples[keep], chip = chip)
}

if ("yeast" %in% parts) {
    for (set in c("hk", "zev15")) {
        y <- yeastEffects(set)
        sd <- apply(y$m, 1L, stats::mad)
        sd <- pmax(sd, stats::quantile(sd[sd > 0], 0.1))
        Y <- y$m / sd
        perts <- setNames(as.list(toupper(y$samples)), y$samples)
        own <- inside(".ownRows")(perts, y$genes)
        Y <- inside(".withoutOwn")(Y, own)
        e <- list(Y = Y, T = Y, se2 = matrix(1, nrow(Y), ncol(Y)),
            n = rep(4L, ncol(Y)), nControl = c(1e6, 1e6), sd = sd,
            mean = 0 * sd, own = own, ownChange = rep(NA_real_, ncol(Y)),
            readouts = y$genes, up = toupper(y$genes),
            responded = rep(1, ncol(Y)))
        side <- inside(".sideInformation")(y$chip, NULL, NULL, NULL)
        genes <- unlist(perts)
        known <- inside(".sideOf")(side, NULL, y$genes, sd, 0 * sd, genes,
            genes)
        d <- inside(".modelData")(e, known, perts, genes, 2L)
        one <- inside(".judgeSingles")(e, known, d, perts, genes, list(
            folds = 10, nPerm = 19L, nBoot = 500L, key = c(1, 1),
            threads = 2L, verbose = FALSE))
        print(unlist(one$facts), digits = 2)
        add("yeast", set, one$table)
    }
    save()
}

## ---- Kang --------------------------------------------------------------------

## Types by the best of six marker scores: ours, so expect noise in the labels.
kang <- function() {
    e <- new.env()
    load(file.path(data, "01_scrna/pbmc_kang_ifnb_harmony/pbmc_stim.RData"), e)
    m <- cbind(e$pbmc.ctrl, e$pbmc.stim)
    colnames(m) <- make.unique(colnames(m))
    markers <- list("CD14 monocytes" = c("CD14", "LYZ", "S100A8", "S100A9"),
        "CD16 monocytes" = c("FCGR3A", "MS4A7", "VMO1"),
        "B cells" = c("CD79A", "MS4A1", "CD79B"),
        "CD4 T cells" = c("CD3D", "IL7R", "SELL", "LTB"),
        "NK, CD8 T cells" = c("GNLY", "NKG7", "CD8A", "GZMB"),
        "dendritic cells" = c("HLA-DQA1", "FCER1A", "CLEC10A", "HLA-DPA1"))
    v <- log1p(t(t(as.matrix(m)) / Matrix::colSums(m)) * 1e4)
    score <- vapply(markers, function(g) {
        g <- intersect(g, rownames(v))
        colMeans((v[g, ] - rowMeans(v[g, ])) / apply(v[g, ], 1L, sd))
    }, numeric(ncol(v)))
    list(m = m, type = names(markers)[max.col(score, "first")],
        condition = rep(c("ctrl", "stim"), c(ncol(e$pbmc.ctrl),
            ncol(e$pbmc.stim))))
}

if ("kang" %in% parts) {
    k <- kang()
    print(table(k$type, k$condition))
    r <- predictResponse(k$m, k$condition, "ctrl", "stim", group = k$type,
        seed = 1)
    print(r)
    s <- as.data.frame(r)
    print(s, digits = 3)
    rows <- c(rows, list(data.frame(part = "kang", group = "types left out",
        seed = 1, method = s$method, skill = s$explained, low = s$energy,
        high = s$mmd, rAll = s$rAll, rTop = s$rTop, rCentred = s$wasserstein,
        direction = s$de, discrimination = NA, truth = NA)))
    save()
}

## ---- size --------------------------------------------------------------------

## In two processes, so that the peak is the fit's and not that of making cells:
##   Rscript bench/perturbation.R size --input FILE    (makes FILE, stops)
##   /usr/bin/time -v Rscript bench/perturbation.R size --input FILE
if ("size" %in% parts) {
    file <- option("input", tempfile(fileext = ".rds"))
    cells <- as.integer(option("cells", "200000"))
    genes <- as.integer(option("genes", "5000"))
    perts <- as.integer(option("perts", "2000"))
    if (!file.exists(file)) {
        set.seed(1)
        per <- 250L
        i <- unlist(lapply(seq_len(cells), function(c) {
            sort(sample.int(genes, per, useHash = TRUE)) - 1L
        }))
        m <- methods::new("dgCMatrix", i = i, p = seq(0L, by = per,
            length.out = cells + 1L), x = as.numeric(1 + rpois(length(i), 1)),
            Dim = c(genes, cells), Dimnames = list(sprintf("G%05d",
                seq_len(genes)), sprintf("c%06d", seq_len(cells))))
        label <- rep(c("control", sprintf("G%05d", seq_len(perts))),
            length.out = cells)
        label[sample(cells, cells %/% 20L)] <- "control"
        net <- data.frame(from = sprintf("G%05d", sample(perts, 2e4, TRUE)),
            to = sprintf("G%05d", sample(genes, 2e4, TRUE)), weight = 1)
        saveRDS(list(m = m, label = label, net = net), file, compress = FALSE)
        quit("no")
    }
    input <- readRDS(file)
    resident <- function(what) {
        line <- grep(what, readLines("/proc/self/status"), value = TRUE)
        as.numeric(gsub("[^0-9]", "", line)) / 2^20
    }
    gc()
    before <- resident("VmRSS")
    if (!is.na(option("profile", NA))) Rprof(option("profile", NA), 0.1)
    time <- system.time(fit <- fitPerturbation(input$m, input$label,
        network = input$net, seed = 1, threads = 2))
    Rprof(NULL)
    processor <- sum(time[c("user.self", "sys.self")])
    cat("seconds", time[["elapsed"]], "processor", processor, "GB before",
        before, "at the peak", resident("VmHWM"), "\n")
    print(fit@verdict$text)
    out <- file.path(bench, "results", "perturbation_size.csv")
    if (!file.exists(out)) {
        hardware <- system2("sh", file.path(bench, "hardware.sh"),
            stdout = TRUE)
        writeLines(c(hardware, paste("# bench/perturbation.R size: GiB of the",
            "process, the cells (before) included"), paste0("date,cells,",
            "genes,perts,seconds,processor,before,peak")), out)
    }
    cat(paste(c(format(Sys.Date()), cells, genes, perts,
        round(c(time[["elapsed"]], processor, before, resident("VmHWM")), 2)),
        collapse = ","), "\n", sep = "", file = out, append = TRUE)
}
