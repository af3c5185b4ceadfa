## Edges over cells.

example <- exampleGRN()

test_that("plotEdge draws the scores and both expressions", {
    p <- plotEdge(example, "MYOG", "CKM")
    expect_s3_class(p, "ggplot")
    expect_silent(ggplot2::ggplot_build(p))
    expect_identical(nlevels(p$data$panel), 3L)
    score <- vapply(1:40, function(c) {
        cellNetwork(example, c)["MYOG", "CKM"]
    }, 0)
    most <- quantile(score[score > 0], 0.99)
    got <- p$data[p$data$panel == levels(p$data$panel)[[1L]], ]
    expect_equal(sort(got$shade), sort(unname(pmin(score / most, 1))))
    ## high values last, that is on top
    expect_false(is.unsorted(got$shade))
    expect_s3_class(plotEdge(example, "MYOG", "MYOG"), "ggplot")
})

test_that("coordinates: of a matrix, by name, of a container, computed", {
    place <- cbind(a = 40:1, b = 1:40)
    plain <- .cellCoordinates(example, place, 1)
    expect_identical(unname(plain), unname(place))
    rownames(place) <- rev(cellNames(example))
    expect_identical(unname(.cellCoordinates(example, place, 1)[, 1L]), 1:40)
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(counts = matrix(1, 2, 40, dimnames = list(NULL,
            cellNames(example)
        ))), reducedDims = list(UMAP = unname(place[40:1, ]))
    )
    got <- .cellCoordinates(example, sce, "UMAP")
    expect_identical(colnames(got), c("UMAP 1", "UMAP 2"))
    expect_equal(unname(got[, 1L]), 1:40)
    p <- .principalPlane(example@expression)
    e <- t(as.matrix(example@expression))
    want <- prcomp(e[, apply(e, 2, sd) > 1e-9], scale. = TRUE)$x[, 1:2]
    expect_equal(abs(diag(cor(p, want))), c(1, 1), tolerance = 1e-6,
        ignore_attr = TRUE
    )
    flat <- example@expression * 0
    expect_true(all(.principalPlane(flat) == 0))
    expect_error(plotEdge(example, "MYOG", "CKM", sce, "PCA"), "'dimred'")
    expect_error(plotEdge(example, "MYOG", "CKM", place[1:9, ]), "lacks 31")
    expect_error(plotEdge(example, "MYOG", "CKM", cbind(1:40)),
        "'embedding' must be"
    )
    expect_error(plotEdge(example, "CKM", "MYOG"), "'tf' has names")
    expect_error(plotEdge(example, "MYOG", "NONE"), "'target' is \"NONE\"")
    expect_error(plotEdge(1, "MYOG", "CKM"), "'x' must be")
})

test_that("the argument's old name is refused", {
    expect_error(plotEdge(example, "MYOG", "CKM", coordinates = 1),
        "now called 'embedding'"
    )
    expect_error(plotEdge(example, "MYOG", "CKM", dimension = 1), "dimension")
})
