## Labels of perturbed cells.

genes <- c("KLF1", "BAK1", "STAT1", "NKX2-5", "HLA-A", "TP53", "FOXG1")
read <- function(labels, ...) {
    out <- parsePerturbations(labels, genes = genes, ...)
    out[match(labels, out$label), ]
}

test_that("the ways that screens are published in are read", {
    same <- c("KLF1+BAK1", "BAK1_KLF1", "KLF1;BAK1", "KLF1, BAK1",
        "KLF1|BAK1", "ctrl+KLF1+BAK1", "KLF1_BAK1", "KLF1+BAK1+KLF1")
    expect_identical(read(same)$perturbation, rep("BAK1+KLF1", 8L))
    expect_identical(read(same)$kind, rep("pair", 8L))
    one <- c("KLF1", "KLF1+ctrl", "ctrl_KLF1", "KLF1_2", "KLF1-g1", "KLF1g2",
        "KLF1_sg10", "KLF1_ACGTACGTACGTACGTACGT", "klf1", "KLF1.3")
    expect_identical(read(one)$perturbation, rep("KLF1", 10L))
    expect_identical(read(one)$guide[4:8], c("2", "g1", "g2", "sg10",
        "ACGTACGTACGTACGTACGT"))
    none <- c("control", "ctrl", "non-targeting", "NT", "NTC_3", "NegCtrl0",
        "ctrl+ctrl", "Non_Targeting", "scrambled", "safe-targeting-2")
    expect_identical(read(none)$kind, rep("control", 10L))
    expect_identical(read(c("NKX2-5", "HLA-A", "FOXG1"))$perturbation,
        c("NKX2-5", "HLA-A", "FOXG1"))
    expect_identical(read("KLF1+BAK1+TP53")$kind, "set")
})

test_that("genes that aren't measured are still genes", {
    out <- read(c("ABC9", "KLF1+ABC9", "ABC9_g1"))
    expect_identical(out$perturbation, c("ABC9", "ABC9+KLF1", "ABC9"))
    expect_identical(out$measured, c(0L, 1L, 0L))
})

test_that("what can be read in two ways is asked about", {
    expect_error(read("ABC_DEF"), "two ways.*gene ABC_DEF.*ABC and DEF")
    expect_identical(read("ABC_DEF", sep = "_")$perturbation, "ABC+DEF")
    expect_identical(read("ABC_DEF", sep = "+")$perturbation, "ABC_DEF")
    both <- c(genes, "KLF1_2")
    expect_error(parsePerturbations("KLF1_2", genes = both),
        "the gene KLF1_2.*a guide of KLF1")
    expect_identical(parsePerturbations("KLF1_2", genes = both,
        guides = FALSE)$perturbation, "KLF1_2")
})

test_that("control labels may be named", {
    out <- read(c("mock", "KLF1", "NT"), control = "mock")
    expect_identical(out$kind, c("control", "single", "single"))
    expect_error(read("KLF1", control = "mock"), "control.*mock.*KLF1")
    expect_error(parsePerturbations(1:3), "labels")
    expect_error(parsePerturbations("A", control = 3), "control")
    out <- parsePerturbations(c("KLF1", "KLF1", NA, ""), genes = genes)
    expect_identical(out$cells, 2L)
})

test_that("a second gene that ends as a guide does is a gene", {
    r <- parsePerturbations(c("NT", "STAT1_PAG1", "SIG01_SIG04", "STAT1_g2"),
        genes = c("STAT1", "PAG1", "SIG01", "SIG04"))
    expect_identical(r$perturbation[r$kind == "pair"], c("PAG1+STAT1",
        "SIG01+SIG04"))
    expect_identical(r$perturbation[r$label == "STAT1_g2"], "STAT1")
    ## with a guide at the end of a pair, too
    expect_identical(parsePerturbations(c("NT", "STAT1_SIG04_2"),
        genes = c("STAT1", "SIG04"))$perturbation[[2L]], "SIG04+STAT1")
})

test_that("guides of a gene that isn't measured are that gene's", {
    r <- parsePerturbations(c("NTg1", "ATF2g1", "ATF2g2", "BRD4sg3", "Ing1",
        "SIG01", "ABC2"), genes = "KLF1")
    expect_identical(r$perturbation[match(c("ATF2g1", "ATF2g2", "BRD4sg3"),
        r$label)], c("ATF2", "ATF2", "BRD4"))
    expect_identical(r$guide[r$label == "ATF2g2"], "g2")
    ## symbols that end in a way like it are whole
    whole <- r$label %in% c("Ing1", "SIG01", "ABC2")
    expect_identical(r$perturbation[whole], r$label[whole])
    expect_identical(parsePerturbations("ATF2g1", guides = FALSE)$perturbation,
        "ATF2g1")
})

test_that("labels that name nothing, and arguments that are none, are told", {
    expect_error(parsePerturbations(), "'labels' is missing")
    expect_error(parsePerturbations(c("A", "+")), "'labels'.*name nothing.*\\+")
    expect_error(parsePerturbations("A", control = character()),
        "'control' must be.*it is empty")
    expect_error(parsePerturbations("A_B", sep = ""), "'sep'.*\"\"")
    expect_error(parsePerturbations("A_B", genes = 3), "'genes'.*3")
    expect_error(read("ABC_DEF"), "'labels'.*two ways")
})
