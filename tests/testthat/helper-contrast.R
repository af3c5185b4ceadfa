## Networks of states, made once for all tests of contrasts.

contrastCells <- function() {
    simulateCells(nCells = 400, nGenes = 90, nTFs = 8, seed = 3)
}

contrastStates <- local({
    made <- new.env()
    function() {
        if (is.null(made$states)) {
            made$states <- inferGRN(contrastCells(), PerCellGRNParam(
                states = "context", nPerm = 3, centre = TRUE
            ), seed = 1, verbose = FALSE)
        }
        made$states
    }
})

frame <- function(x, which) as.data.frame(x, which = which)
