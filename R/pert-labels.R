## What the labels of perturbed cells say.

#' Read the labels of perturbed cells
#'
#' Labels name one gene or several, with guides or without, in the ways that
#' screens are published in: `A`, `A+B`, `A;B`, `A,B`, `A|B`, `A_B`, `ctrl+A`,
#' `A_2`, `A-g1`, `Ag2`, `A_ACGTACGTACGTACGTACGT`. All verbs on perturbations
#' read them as this function shows; look at it before anything else.
#'
#' @details
#' `+ ; , | &` always separate genes. A label, or what is left after such a
#' separation, that is a measured gene (or the label of other cells) is that
#' gene. Otherwise a number, `g` and a number, or a guide's sequence at its end
#' is a guide, and several guides of a gene are the same perturbation (a small
#' `g` after a capital or a digit also where the gene isn't known); and `_`
#' separates two genes if both are known. Genes are known by `genes`, whose case
#' doesn't matter, and by the labels without any separator. What can be read in
#' two ways, or in none, is an error that says how to ask for one.
#'
#' @param labels character: a label per cell, or each once. NA and `""`: cells
#'   that are not used.
#' @param control labels of control cells; NULL: the usual words (control,
#'   ctrl, non-targeting, NT, NTC, negative control, scrambled, safe,
#'   unperturbed, with or without a number).
#' @param genes measured genes, or NULL.
#' @param sep NULL: as above; or the one string that separates genes.
#' @param guides strip guides? With FALSE every label without a separator is a
#'   gene's name.
#' @return A data.frame, a row per label: `label`, `perturbation` (its genes in
#'   the order of the alphabet, joined by `+`; or `"control"`),
#'   `kind` (`"control"`, `"single"`, `"pair"`, `"set"`), `guide` (what
#'   was taken for a guide), `measured` (how many of its genes are in `genes`),
#'   `cells` (number of labels).
#' @section Errors: labels that are read in two ways; no control label among
#'   them, when `control` is given.
#' @seealso [fitPerturbation()]
#' @examples
#' parsePerturbations(c("NT", "KLF1", "KLF1+BAK1", "ctrl+BAK1", "STAT1_g2"),
#'     genes = c("KLF1", "BAK1", "STAT1")
#' )
#' @export
parsePerturbations <- function(labels, control = NULL, genes = NULL,
    sep = NULL, guides = TRUE) {
    .given(labels, "labels", "a label per cell, or each label once")
    labels <- .textOf(labels)
    if (!is.character(labels) || !length(labels)) {
        .stopArgument("labels", "must be text, a label per cell; it is ",
            if (length(labels)) .show(labels) else "empty", "."
        )
    }
    if (!is.null(genes) && !is.character(.textOf(genes))) {
        .stopArgument("genes", "must be names of genes; it is ", .show(genes),
            "."
        )
    }
    .readLabels(labels, control, .textOf(genes), sep, guides, "labels")
}

## `arg`: what holds the labels, for errors.
.readLabels <- function(labels, control = NULL, genes = NULL, sep = NULL,
    guides = TRUE, arg = "perturbation") {
    if (!is.null(sep)) {
        .checkText(sep, "sep")
    }
    .checkFlag(guides, "guides")
    if (!is.null(control) && (!is.character(control) || anyNA(control) ||
        !length(control))) {
        .stopArgument("control", "must be the labels of control cells; it is ",
            .show(control), "."
        )
    }
    given <- trimws(labels)
    each <- unique(given[!is.na(given) & nzchar(given)])
    if (!is.null(control) &&
        !any(toupper(each) %in% toupper(trimws(control)))) {
        .stopArgument("control", "\"", paste(control, collapse = "\", \""),
            "\" is the label of no cell; the labels are ", .some(each, 8L), "."
        )
    }
    how <- list(control = control, sep = sep, guides = guides,
        genes = .knownLabels(each, genes, control, sep, guides),
        measured = genes
    )
    read <- lapply(each, .readLabel, how = how)
    .askAboutLabels(each, read, arg)
    .refuseBlankLabels(each, arg)
    .readingTable(each, read, given, how)
}

.setSeparators <- "[+;,|&]"

## The usual words, also within a set: "ctrl+KLF1".
.isControlLabel <- function(x, control = NULL) {
    usual <- paste0("^(ctrls?|controls?|nt|ntc|ntctrl|unperturbed|untreated|",
        "non[-_. ]?target(ing|ed)?|neg(ative)?[-_. ]?(ctrls?|controls?)?|",
        "scrambled?|safe([-_. ]?(target(ing)?|harbou?r))?|none|wt|",
        "intergenic|luciferase)([-_. ]?(g|sg|guide)?[-_. ]?[0-9]+)?$")
    if (!is.null(control)) {
        hit <- toupper(x) %in% toupper(trimws(control))
        return(hit | grepl("^(ctrl|control)$", x, ignore.case = TRUE))
    }
    grepl(usual, x, ignore.case = TRUE, perl = TRUE)
}

## Names of genes by their upper case: measured ones, and labels that can be
## nothing else.
.knownLabels <- function(each, genes, control, sep, guides = TRUE) {
    plain <- each[!grepl(paste0(.setSeparators, "|[-_. ]"), each) &
        !.isControlLabel(each, control)]
    base <- .guideBase(plain)
    ## "ATF2g1": no symbol has a small g there, so a guide also of an unmeasured
    ## gene; as genes of their own its guides would tell each other's effects
    guide <- guides & !is.na(base) & grepl("[A-Z0-9]s?g[0-9]{1,3}$", plain)
    plain <- ifelse(guide, base, plain)[guide | is.na(base) |
        !toupper(base) %in% toupper(c(genes, plain))]
    all <- c(genes, plain)
    all <- all[!duplicated(toupper(all))]
    setNames(all, toupper(all))
}

## The label without what may be a guide at its end; NA: none.
.guideBase <- function(x) {
    forms <- c(
        "^(.+)[-_. ](?:sgrna|grna|guide|sg|g|cr|crrna)?[-_.]?[0-9]{1,5}$",
        "^(.+?)(?:sg|g)[0-9]{1,3}$", "^(.+)[-_.][ACGT]{15,30}$"
    )
    out <- rep(NA_character_, length(x))
    for (form in forms) {
        hit <- is.na(out) & grepl(form, x, ignore.case = TRUE, perl = TRUE)
        out[hit] <- sub(form, "\\1", x[hit], ignore.case = TRUE, perl = TRUE)
    }
    out
}

## list(genes, guide, readings): several readings where it isn't clear.
.readLabel <- function(label, how) {
    if (.isControlLabel(label, how$control)) {
        return(list(genes = character(), guide = ""))
    }
    parts <- if (is.null(how$sep)) {
        strsplit(label, .setSeparators)[[1L]]
    } else {
        strsplit(label, how$sep, fixed = TRUE)[[1L]]
    }
    parts <- trimws(parts)
    read <- lapply(parts[nzchar(parts)], .readPartOfLabel, how = how)
    unclear <- Filter(function(r) length(r$readings) != 1L, read)
    if (length(unclear)) {
        return(list(readings = unclear[[1L]]$readings))
    }
    genes <- unlist(lapply(read, function(r) r$readings[[1L]]))
    list(genes = sort(unique(as.character(genes)), method = "radix"),
        guide = paste(unlist(lapply(read, `[[`, "guide")), collapse = ",")
    )
}

.readPartOfLabel <- function(part, how) {
    if (.isControlLabel(part, how$control)) {
        return(list(readings = list(character()), guide = NULL))
    }
    known <- function(x) unname(how$genes[toupper(x)])
    out <- list()
    if (!is.na(known(part))) {
        out$whole <- known(part)
    }
    base <- if (how$guides) .guideBase(part) else NA
    if (!is.na(base) && !is.na(known(base))) {
        out$guide <- known(base)
    }
    if (is.null(how$sep) && is.null(out$guide)) {
        ## whole first: the second gene's name may end as a guide does (PAG1)
        for (inner in c(part, base[!is.na(base)])) {
            members <- strsplit(inner, "_", fixed = TRUE)[[1L]]
            control <- .isControlLabel(members, how$control)
            if (is.null(out$pair) && length(members) > 1L &&
                all(nzchar(members)) &&
                all(control | !is.na(known(members)))) {
                out$pair <- known(members[!control])
            }
        }
    }
    if (!length(out)) {
        out <- .unknownLabel(part, base, how)
    }
    out <- out[!duplicated(lapply(out, sort))]
    list(readings = out, guide = if (identical(names(out), "guide")) {
        sub("^[-_. ]", "", substring(part, nchar(base) + 1L))
    })
}

## A gene that nobody knows: one if no other reading is possible.
.unknownLabel <- function(part, base, how) {
    split <- is.null(how$sep) &&
        grepl("_", if (is.na(base)) part else base, fixed = TRUE)
    if (split) {
        members <- strsplit(if (is.na(base)) part else base, "_")[[1L]]
        return(list(whole = if (is.na(base)) part else base, pair = members))
    }
    if (!is.na(base) && grepl("[-_. ]", part) &&
        grepl("_|guide|sg|[-. ]g[0-9]", substring(part, nchar(base) + 1L))) {
        return(list(guide = base))
    }
    list(whole = part)
}

## "+" would be a set of no gene, that is a control.
.refuseBlankLabels <- function(each, arg) {
    blank <- each[!grepl("[[:alnum:]]", each)]
    if (length(blank)) {
        .stopArgument(arg, "has labels that name nothing: ",
            .some(paste0("\"", blank, "\"")), ". Name genes, the control, or ",
            "make them NA: not used."
        )
    }
}

.askAboutLabels <- function(each, read, arg) {
    unclear <- which(lengths(lapply(read, `[[`, "readings")) > 1L)
    if (!length(unclear)) {
        return(invisible())
    }
    text <- vapply(unclear[seq_len(min(3L, length(unclear)))], function(i) {
        forms <- read[[i]]$readings
        paste0("\"", each[[i]], "\" as ", paste0(vapply(names(forms),
            function(n) {
                paste0(switch(n, whole = "the gene ", guide = "a guide of ",
                    pair = "the genes "), paste(forms[[n]], collapse = " and "))
            }, ""
        ), collapse = " or as "))
    }, "")
    .stopArgument(arg, "has ", .count(length(unclear), "label"),
        " that can be read in two ways: ", paste(text, collapse = "; "),
        ". ", if (arg %in% c("perturbation", "labels")) paste0("Say ",
            "sep = \"_\" where it separates genes, sep = \"+\" where it ",
            "doesn't, guides = FALSE where no label has a guide; or write ",
            "pairs as \"A+B\".") else "Write pairs as \"A+B\"."
    )
}

.readingTable <- function(each, read, given, how) {
    genes <- lapply(read, `[[`, "genes")
    n <- lengths(genes)
    known <- unique(toupper(how$measured))
    measured <- vapply(genes, function(g) sum(toupper(g) %in% known), 0L)
    kind <- c("control", "single", "pair", "set")[pmin(n, 3L) + 1L]
    out <- data.frame(label = each,
        perturbation = ifelse(n == 0L, "control", vapply(genes, paste, "",
            collapse = "+")),
        kind = kind, guide = vapply(read, `[[`, "", "guide"),
        measured = measured,
        cells = tabulate(match(given, each), length(each))
    )
    out <- out[order(match(out$kind, c("control", "single", "pair", "set")),
        out$perturbation, out$label, method = "radix"), ]
    rownames(out) <- NULL
    out
}
