## Genes x cells: in label "b" the last TF drives the first targets besides.
labelledCells <- function(n = 120, few = 0) {
    set.seed(3)
    label <- rep(c("a", "b", "c"), length.out = n)
    x <- matrix(rnorm(n * 15), 15)
    drive <- function(g, t, by) x[g, ] + by * x[t, ]
    for (g in 5:15) {
        x[g, ] <- drive(g, 1L, 0.7)
    }
    for (g in 5:9) {
        x[g, ] <- drive(g, 4L, ifelse(label == "b", 1, 0))
    }
    x <- x + outer(seq_len(15), match(label, letters)) / 5
    label[seq_len(few)] <- "few"
    dimnames(x) <- list(paste0("G", 1:15), paste0("cell", seq_len(n)))
    list(x = x - min(x), label = label)
}

fitLabels <- function(d, ..., label = d$label, maxTFs = 300) {
    inferGRN(d$x, PerCellGRNParam(states = label, nPerm = 2, ...),
        tfs = paste0("G", 1:4), genes = rownames(d$x), seed = 1,
        alreadyNormalised = TRUE, verbose = FALSE,
        preprocess = list(dropQC = FALSE, minCells = 0), maxTFs = maxTFs
    )
}

## What code() gives in each locale's order of text that there is, one answer
## if none of them matters: "ctrl", "Stim" are in other orders in C and en_US.
inLocales <- function(code) {
    old <- Sys.getlocale("LC_COLLATE")
    on.exit(Sys.setlocale("LC_COLLATE", old))
    unique(lapply(c("C", "C.UTF-8", "en_US.UTF-8"), function(locale) {
        suppressWarnings(Sys.setlocale("LC_COLLATE", locale))
        code()
    }))
}
