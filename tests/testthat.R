library(testthat)
library(causeway)

test_check("causeway")
