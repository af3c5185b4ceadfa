## Tests that take minutes: processes killed at random moments. From the root:
##   Rscript longtests/testthat.R
library(testthat)
library(causeway)
test_dir(file.path("longtests", "testthat"), package = "causeway",
    load_package = "installed"
)
