## Data beside their nulls, drawn.

#' @rdname tauNull
#' @param title of the plot; NULL: a default.
#' @export
plotTauNull <- function(x, fit = NULL, title = NULL, ...) {
    .noRenamed(..., renamed = c(null = "x"))
    if (methods::is(x, "TauFit") || !is.null(fit)) {
        .checkCellsFirst(x, fit, "plotTauNull(x, fit)")
        x <- tauNull(x, fit, ...)
    } else {
        .noDots(...)
    }
    if (!is.data.frame(x) || !all(c("data", "identifiable", .verdictNumbers)
        %in% names(x))) {
        .stopArgument("x", "must come from tauNull(), or be cells with their ",
            "'fit'; it is a ", class(x)[[1L]], "."
        )
    }
    .drawNull(x, title)
}

.nullPanels <- c(lead = "lead: held-out genes\nwith chromatin ahead",
    reliability = "reliability of\ngenes' differences",
    concord = "concordance of\nchromatin and RNA", usable = "usable genes",
    axes = "shared axes"
)

## The numbers that each kind of permuted data must fail; others it may pass.
.mustFail <- list(pairing = c("axes", "usable"), links = c("concord", "lead"))

.nullKinds <- c(observed = "data", pairing = "pairing\npermuted",
    links = "links\npermuted"
)

.panelTitle <- function(what) {
    failing <- names(.mustFail)[vapply(.mustFail, function(m) what %in% m, NA)]
    paste0(.nullPanels[[what]], "\n", if (length(failing)) {
        paste("permuted", failing, "must fail")
    } else {
        "permuted data may pass"
    })
}

## A row per number and run. `role`: data, a null that must fail here, or one
## that may pass.
.nullLong <- function(null) {
    titles <- vapply(names(.nullPanels), .panelTitle, "")
    do.call(rbind, lapply(names(.nullPanels), function(what) {
        must <- mapply(function(kind) what %in% .mustFail[[kind]], null$data)
        data.frame(
            panel = factor(titles[[what]], titles),
            kind = factor(.nullKinds[null$data], rev(.nullKinds)),
            value = as.numeric(null[[what]]),
            role = ifelse(null$data == "observed", "the data",
                ifelse(must, "permuted, must fail", "permuted, may pass"))
        )
    }))
}

.drawNull <- function(null, title) {
    .data <- ggplot2::.data
    long <- .nullLong(null)
    need <- data.frame(panel = unique(long$panel),
        at = unname(.tauThresholds[names(.nullPanels)])
    )
    shown <- long[is.finite(long$value), ]
    roles <- c("the data", "permuted, must fail", "permuted, may pass")
    ggplot2::ggplot(shown, ggplot2::aes(.data$value, .data$kind)) +
        ggplot2::geom_vline(ggplot2::aes(xintercept = .data$at), need,
            linetype = 2, colour = "grey50"
        ) +
        ggplot2::geom_point(ggplot2::aes(colour = .data$role,
            shape = .data$role
        ), size = 2.6, alpha = 0.8) +
        .nullGaps(long, need) +
        ggplot2::facet_wrap(~panel, scales = "free_x", nrow = 2L) +
        ggplot2::scale_colour_manual(NULL, limits = roles,
            values = c("#D55E00", "#0072B2", "grey60")
        ) +
        ggplot2::scale_shape_manual(NULL, limits = roles,
            values = c(19, 19, 1)
        ) +
        ggplot2::scale_x_continuous(
            expand = ggplot2::expansion(mult = 0.12)
        ) +
        ggplot2::labs(
            title = if (is.null(title)) {
                "Do the data know about delays? The data beside permuted ones"
            } else {
                title
            }, subtitle = .nullSubtitle(null), x = NULL, y = NULL,
            caption = "dashed: what the verdict needs; left of it fails"
        ) + .tauTheme() + ggplot2::theme(legend.position = "top")
}

## Where a kind of data had no number, words in its place.
.nullGaps <- function(long, need) {
    .data <- ggplot2::.data
    without <- tapply(is.finite(long$value), long[c("panel", "kind")], any)
    gaps <- which(!is.na(without) & !without, arr.ind = TRUE)
    if (!nrow(gaps)) {
        return(NULL)
    }
    panel <- levels(long$panel)[gaps[, 1L]]
    at <- vapply(panel, function(p) {
        mean(range(long$value[long$panel == p & is.finite(long$value)],
            need$at[need$panel == p]))
    }, 0)
    ggplot2::geom_text(ggplot2::aes(.data$at, .data$kind,
        label = "too few usable genes"
    ), data.frame(at = at, panel = factor(panel, levels(long$panel)),
        kind = factor(levels(long$kind)[gaps[, 2L]], levels(long$kind))
    ), size = 2.6, colour = "grey40", fontface = "italic")
}

## The verdict of the fit, and whether the nulls fail what they must.
.nullSubtitle <- function(null) {
    runs <- null[null$data != "observed", ]
    kept <- .nullLong(runs)
    kept <- merge(kept, data.frame(
        panel = vapply(names(.nullPanels), .panelTitle, ""),
        need = unname(.tauThresholds[names(.nullPanels)])
    ))
    passed <- kept$role == "permuted, must fail" & kept$value >= kept$need
    text <- c(attr(null, "verdict"), paste0(sum(!runs$identifiable), " of ",
        nrow(runs), " permuted data sets are refused. ",
        if (any(passed %in% TRUE)) {
            paste0(sum(passed, na.rm = TRUE), " numbers that must fail pass!")
        } else {
            "All that must fail does."
        }))
    paste(unlist(lapply(text, strwrap, width = 92L)), collapse = "\n")
}
