## Makes inst/extdata/cells.h5ad, the file of the examples: from the folder of
## the package, Rscript inst/scripts/cells-h5ad.R
library(causeway)
x <- simulateCells(120, seed = 1)
S4Vectors::metadata(x) <- list()
writeH5AD(x, "inst/extdata/cells.h5ad", overwrite = TRUE)
