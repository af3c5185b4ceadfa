## The splits that GEARS publishes, and the scores it publishes on them.

#' Published splits of perturbations
#'
#' Which perturbations GEARS (and what is compared with it) trains, validates
#' and tests on, for a seed: the same sets as its code draws, number by number,
#' without Python. There only to reproduce published numbers.
#'
#' @details
#' `"simulation"` holds out a quarter of the genes, and so their single
#' perturbations, pairs with one or none of the other genes, and a quarter of
#' the pairs of two others; of the rest a tenth is for validation in the same
#' way. `"simulation_single"` is that for single perturbations alone;
#' `"single"` holds out the single perturbations of genes drawn with
#' replacement, and leaves their pairs out; `"combo"` holds out pairs drawn so;
#' `"no_test"` draws a validation set only.
#'
#' @param conditions labels as published: `"ctrl"`, `"KLF1+ctrl"` (or
#'   `"KLF1"`), `"KLF1+BAK1"`, in their order of appearance in the data, which
#'   `"combo"` and `"no_test"` depend on.
#' @param type the kind of split.
#' @param seed a whole number from 0; published: 1 and others.
#' @return A data.frame, a row per condition: `condition`; `set` (`"train"`,
#'   `"valid"`, `"test"`, NA: in none); `seen`, of what `"simulation"` holds out
#'   `"single, unseen"`, `"pair, 0 seen"`, `"pair, 1 seen"`, `"pair, 2 seen"`.
#' @section Errors: labels of more than two genes, or given twice.
#' @references Roohani et al. (2024) Nature Biotechnology 42, 927
#'   (snap-stanford/GEARS).
#' @seealso [evaluatePerturbationModel()], `splits = "gears"`
#' @examples
#' publishedSplit(c("ctrl", "A+ctrl", "B+ctrl", "C+ctrl", "D+ctrl", "A+B"))
#' @export
publishedSplit <- function(conditions, type = c("simulation",
    "simulation_single", "single", "combo", "no_test"), seed = 1) {
    types <- c("simulation", "simulation_single", "single", "combo", "no_test")
    type <- .oneOf(if (missing(type)) types[[1L]] else type, types, "type")
    conditions <- .textOf(conditions)
    if (!is.character(conditions) || !length(conditions) ||
        anyNA(conditions) || !all(nzchar(conditions))) {
        .stopArgument("conditions", "must be labels such as \"ctrl\", ",
            "\"KLF1+ctrl\" and \"KLF1+BAK1\"; it is ", .show(conditions), "."
        )
    }
    if (anyDuplicated(conditions)) {
        .stopArgument("conditions", "names ",
            .some(unique(conditions[duplicated(conditions)])), " more than ",
            "once; give unique() of the labels."
        )
    }
    genes <- lapply(strsplit(conditions, "+", fixed = TRUE), setdiff, "ctrl")
    if (any(lengths(genes) > 2L)) {
        .stopArgument("conditions", "has ",
            .some(conditions[lengths(genes) > 2L]), "; published splits are ",
            "of single genes and pairs."
        )
    }
    .drawSplit(conditions, genes, match(type, types) - 1L, seed)
}

.drawSplit <- function(conditions, genes, kind, seed) {
    seed <- .checkNumber(seed, "seed", 0, 2^32 - 1, whole = TRUE)
    all <- sort(unique(unlist(genes)), method = "radix")
    at <- vapply(genes, function(g) c(match(g, all) - 1L, -1L, -1L)[1:2],
        integer(2L))
    out <- .Call(cw_r_published_split, at,
        match(conditions, sort(conditions, method = "radix")) - 1L,
        length(all), kind, seed
    )
    data.frame(condition = conditions,
        set = c(NA, "train", "valid", "test")[out$set + 1L],
        seen = c(NA, "single, unseen", "pair, 0 seen", "pair, 1 seen",
            "pair, 2 seen")[out$seen + 1L]
    )
}

## The groups of simulation as folds of one, of what the screen has.
.gearsSplits <- function(s, seed) {
    keep <- which(lengths(s$perts) <= 2L)
    if (!length(keep)) {
        .stopArgument("splits", "are \"gears\", which are of single genes and ",
            "pairs; the fit has neither."
        )
    }
    ## pairs are sorted by their published names, where there is one
    name <- vapply(s$names[keep], function(n) {
        of <- s$labels$label[s$labels$perturbation == n]
        if (length(of) == 1L) of else n
    }, "")
    genes <- strsplit(s$names[keep], "+", fixed = TRUE)
    pairs <- any(lengths(genes) > 1L)
    split <- .drawSplit(name, genes, if (pairs) 0L else 1L, seed)
    of <- function(set) keep[which(split$set == set)]
    groups <- c("single, unseen", "pair, 2 seen", "pair, 1 seen",
        "pair, 0 seen")
    out <- lapply(setNames(nm = groups), function(g) {
        test <- keep[which(split$set == "test" & split$seen == g)]
        if (length(test)) {
            list(list(train = of("train"), valid = of("valid"), test = test))
        }
    })
    if (length(of("train")) < 2L || !any(lengths(out))) {
        .stopArgument("splits", "are \"gears\", for which ",
            .count(length(keep), "perturbation"), " are too few."
        )
    }
    Filter(length, out)
}

## GEARS's published scores on mean log values, a row per perturbation of `at`;
## own genes are left out. p: predictions, readouts x perturbations, NA where
## there are none.
.judgedProfiles <- function(e, p, at) {
    one <- function(i) {
        k <- setdiff(seq_along(e$mean), e$own[[i]])
        sd <- e$sd[k]
        control <- e$mean[k]
        truth <- control + e$T[k, i] * sd
        truth[abs(truth) < 1e-9] <- 0
        spread <- e$n[[i]] * sd^2 * pmax(e$se2[k, i] - 1 / e$nControl[[1L]], 0)
        .Call(cw_r_judge_profile, control + p[k, i] * sd, truth, control,
            sqrt(spread),
            order(-abs(e$T[k, i]) / sqrt(e$se2[k, i] + 1e-12)) - 1L,
            truth != 0 | control == 0
        )
    }
    out <- t(vapply(at, one, numeric(9L)))
    colnames(out) <- c("mse", "pearson", "mseDe", "pearsonDe", "pearsonDelta",
        "direction", "opposite", "mseTop", "within")
    as.data.frame(out)
}
