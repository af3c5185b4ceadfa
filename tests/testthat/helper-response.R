## Three groups; treatment shifts the first ten genes, in the third group by
## half as much.
treatedCells <- function() {
    set.seed(9)
    group <- rep(c("a", "b", "c"), each = 120)
    yes <- rep(c(FALSE, TRUE), 180)
    level <- matrix(2, 30, 360)
    for (k in 1:3) {
        level[(10 * k - 9):(10 * k), group == c("a", "b", "c")[[k]]] <- 6
    }
    level[1:10, yes] <- level[1:10, yes] * 4
    m <- matrix(rpois(length(level), level), 30, dimnames = list(
        sprintf("G%02d", 1:30), sprintf("c%03d", 1:360)))
    list(m = m, group = group, condition = ifelse(yes, "drug", "none"))
}
