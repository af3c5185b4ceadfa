## Training steps of GEARS and of CellOT, and the weights and cells of both for
## the PyTorch peer. See pert_nets.sh.
##
##   Rscript bench/pert_nets.R gears|cellot FOLDER STEPS THREADS [write]
##
## `write`: makes FOLDER's weights, cells and graphs, and stops. Prints a line:
## who, what, seconds of wall time and of the processor per step, peak bytes
## above the process before the model, first and last loss.

arguments <- commandArgs(trailingOnly = TRUE)
what <- arguments[[1L]]
folder <- arguments[[2L]]
steps <- as.integer(arguments[[3L]])
threads <- as.integer(arguments[[4L]])
write <- identical(arguments[5L], "write")
suppressPackageStartupMessages(library(causeway))
inside <- function(name) getFromNamespace(name, "causeway")

put <- function(name, x) {
    file <- file.path(folder, paste0(what, "-", name, ".safetensors"))
    inside(".writeSafetensor")(file, "x", as.matrix(x))
}

take <- function(name) {
    file <- file.path(folder, paste0(what, "-", name, ".safetensors"))
    t <- inside(".readSafetensor")(file, "x")
    inside(".fromRowMajor")(t$values, as.integer(unlist(t$shape)))
}

## Norman's size: 5,000 genes, 9,853 perturbations, batches of 32, width 64,
## 20 links of a gene in each graph and itself.
gears <- list(num_genes = 5000L, num_perts = 9853L, hidden_size = 64L,
    num_go_gnn_layers = 1L, num_gene_gnn_layers = 1L, external_embedding = 0L,
    uncertainty = FALSE)
## sciplex's: codes of 50, four layers of 64, batches of 256, 10 inner steps.
cellot <- list(input_dim = 50L, hidden_units = as.list(rep(64, 4)),
    activation = "LeakyReLU", softplus_W_kernels = FALSE,
    kernel_init_fxn = list(a = 0, b = 0.1))

config <- if (what == "gears") {
    c(gears, every_cell = Sys.getenv("EVERY_CELL", "1") == "1")
} else cellot

if (write) {
    set.seed(1)
    model <- inside(".encoderModel")("GEARSModel", what, config, c(1, 2),
        threads, what)
    inside(".engineSave")(model, file.path(folder, paste0(what,
        "-weights.safetensors")))
    if (what == "gears") {
        links <- function(n) {
            rbind(rep(seq_len(n) - 1, each = 21),
                c(vapply(seq_len(n), function(i) c(i - 1,
                    sample.int(n, 20) - 1), numeric(21))),
                runif(21 * n, 0.4, 1))
        }
        put("near", links(config$num_genes))
        put("go", links(config$num_perts))
        put("control", matrix(rexp(5000 * 32) * rbinom(5000 * 32, 1, 0.3),
            5000))
        put("truth", matrix(rexp(5000 * 32) * rbinom(5000 * 32, 1, 0.3), 5000))
        put("perturbed", rbind(sample.int(9853, 32) - 1,
            ifelse(runif(32) < 0.5, sample.int(9853, 32) - 1, -1)))
    } else {
        put("source", matrix(rnorm(50 * 256), 50))
        put("target", matrix(rnorm(50 * 256, 1), 50))
    }
    quit("no")
}

memory <- function(field) {
    line <- grep(field, readLines("/proc/self/status"), value = TRUE)
    1024 * as.numeric(gsub("[^0-9]", "", line))
}

if (what == "gears") {
    near <- take("near")
    go <- take("go")
    ends <- function(t) matrix(as.integer(t[1:2, ]), 2L)
    batch <- list(control = take("control"), truth = take("truth"),
        perturbed = matrix(as.integer(take("perturbed")), 2L),
        condition = 0:31, kept = matrix(1L, 5000, 32))
} else {
    batch <- list(source = take("source"), target = take("target"))
}
invisible(gc())
before <- memory("VmRSS")
model <- inside(".encoderModel")("GEARSModel", what, config, c(1, 2), threads,
    what)
loaded <- inside(".engineLoad")(model, file.path(folder, paste0(what,
    "-weights.safetensors")))
if (what == "gears") {
    inside(".engineBind")(model, list(reference = rowMeans(batch$control),
        coexpression = ends(near), coexpressionWeight = near[3L, ],
        go = ends(go), goWeight = go[3L, ]))
    begun <- inside(".engineBegin")(model, "train", list(optimizer = "adam", lr = 1e-3,
        beta2 = 0.999, weightDecay = 5e-4, clip = 0, clipValue = 1,
        schedule = "constant"), list(), key = c(1, 2))
} else {
    begun <- inside(".engineBegin")(model, "train", list(optimizer = "adam", lr = 1e-4,
        beta1 = 0.5, beta2 = 0.9, weightDecay = 0, clip = 0,
        schedule = "constant"), list(innerSteps = 10, penalty = 1),
        key = c(1, 2))
}
one <- function() {
    loss <- inside(".engineMicro")(model, batch)$value
    inside(".engineApply")(model)
    loss
}
first <- one()
if (what == "cellot") for (i in 1:10) one() # to the round's end
started <- proc.time()
for (i in seq_len(steps)) last <- one()
spent <- proc.time() - started
cat("causeway", what, format(c(spent[["elapsed"]],
    spent[["user.self"]] + spent[["sys.self"]]) / steps, digits = 4),
    memory("VmHWM") - before, format(sum(first), digits = 7),
    format(sum(last), digits = 7), sep = ",")
cat("\n")
