## Drawing the course of training.

#' Plot the course of training
#'
#' @param x a data.frame as [trainingHistory()] gives, with the columns
#'   `step`, `epoch` and one or more of `total`, `elbo`, `prior`, `dag`,
#'   `sparsity`, `gradNorm`, `lr`; or a model that has one.
#' @param terms which of these to draw; NULL: all but `lr` that are there and
#'   not always 0 or missing.
#' @param window steps of the running mean drawn over the values; NULL: a
#'   twentieth of all.
#' @param ... not used.
#' @return A `ggplot`: one panel per term, values by step in grey, their
#'   running mean in blue, dotted lines where epochs begin (when there are
#'   at most 20). Panels of terms
#'   that are positive throughout and span more than a factor of ten show
#'   log10 values, and say so. Stops when there is nothing to draw.
#' @examples
#' step <- 1:60
#' history <- data.frame(
#'     step = step, epoch = rep(1:3, each = 20),
#'     elbo = 80 + 40 * exp(-step / 20), dag = 10^(-step / 20)
#' )
#' plotTraining(history)
#' @rdname plotTraining
#' @export
setMethod("plotTraining", "data.frame", function(x, terms = NULL,
    window = NULL, ...) {
    terms <- .trainingTerms(x, terms)
    if (is.null(window)) {
        window <- max(1, round(nrow(x) / 20))
    }
    window <- .checkNumber(window, "window", 1, 1e6, whole = TRUE)
    long <- do.call(rbind, lapply(terms, .trainingPanel, x = x,
        window = window
    ))
    long$panel <- factor(long$panel, levels = unique(long$panel))
    .drawTraining(long, .epochStarts(x))
})

#' @rdname plotTraining
#' @export
setMethod("plotTraining", "ANY", function(x, ...) {
    if (!methods::is(x, "FoundationModel")) {
        .stopArgument("x", "must be a trained model or the data.frame of its ",
            "trainingHistory(); it is a ", class(x)[[1L]], "."
        )
    }
    plotTraining(as.data.frame(trainingHistory(x)), ...)
})

.trainingTerms <- function(x, terms) {
    if (nrow(x) == 0L || !"step" %in% names(x)) {
        .stopArgument("x", "has no training steps to draw; train the model ",
            "first with trainModel()."
        )
    }
    known <- c("total", "elbo", "prior", "dag", "sparsity", "gradNorm")
    if (!is.null(terms)) {
        missing <- setdiff(terms, names(x))
        if (length(missing)) {
            .stopArgument("terms", "has columns that 'x' lacks: ",
                .some(missing), "."
            )
        }
        return(terms)
    }
    known <- intersect(known, names(x))
    told <- vapply(known, function(term) {
        any(is.finite(x[[term]]) & x[[term]] != 0)
    }, logical(1))
    if (!any(told)) {
        .stopArgument("x", "has no loss column with values to draw.")
    }
    known[told]
}

.trainingPanel <- function(term, x, window) {
    value <- x[[term]]
    value[!is.finite(value)] <- NA
    there <- value[!is.na(value)]
    label <- term
    if (length(there) && all(there > 0) && max(there) > 10 * min(there)) {
        value <- log10(value)
        label <- paste0(term, " (log10)")
    }
    data.frame(panel = label, step = x$step, value = value,
        smooth = .runningMean(value, window)
    )
}

## Mean of the values that are there, `window` of them around each.
.runningMean <- function(x, window) {
    there <- !is.na(x)
    total <- c(0, cumsum(ifelse(there, x, 0)))
    count <- c(0, cumsum(there))
    from <- pmax(seq_along(x) - (window - 1L) %/% 2L, 1L)
    to <- pmin(seq_along(x) + window %/% 2L, length(x))
    n <- count[to + 1L] - count[from]
    ifelse(n > 0, (total[to + 1L] - total[from]) / n, NA_real_)
}

.epochStarts <- function(x) {
    if (is.null(x$epoch)) {
        return(numeric())
    }
    x$step[which(diff(x$epoch) != 0) + 1L]
}

.drawTraining <- function(long, starts) {
    .data <- ggplot2::.data
    plot <- ggplot2::ggplot(long, ggplot2::aes(.data$step))
    lines <- length(starts) > 0L && length(starts) <= 20L
    if (lines) {
        plot <- plot + ggplot2::geom_vline(
            xintercept = starts, linetype = 3, colour = "grey75"
        )
    }
    plot +
        ggplot2::geom_line(ggplot2::aes(y = .data$value),
            colour = "grey65", linewidth = 0.3, na.rm = TRUE
        ) +
        ggplot2::geom_line(ggplot2::aes(y = .data$smooth),
            colour = "#0072B2", linewidth = 0.8, na.rm = TRUE
        ) +
        ggplot2::facet_wrap(~panel, scales = "free_y") +
        ggplot2::labs(x = "step", y = NULL, title = "Training",
            subtitle = paste0("grey: each step; blue: running mean",
                if (lines) "; dotted: epochs"
            )
        ) +
        ggplot2::theme_bw(base_size = 11) +
        ggplot2::theme(
            panel.grid.minor = ggplot2::element_blank(),
            strip.background = ggplot2::element_rect(fill = "grey95")
        )
}
