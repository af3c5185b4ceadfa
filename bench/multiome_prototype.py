"""Summary statistics of the prototype simulator, for bench/multiome.R.
python3 bench/multiome_prototype.py FOLDER_OF_simulator.py OUT.csv [SEEDS]     (needs numpy and scipy)"""
import csv
import sys

sys.path.insert(0, sys.argv[1])
import numpy as np
from simulator import simulate

NAMES = ("umi umi_sd zeros gene_mean var_mean open open_sd peak_median peak_sd linked dynamic tau_median tau_mean "
         "tau_sd a_mean r_mean a_sd r_sd cor_ar cor_xr").split()
SETTINGS = [("linear", "delay", "real"), ("linear", "kinetic", "low"), ("bifurcation", "mixed", "real"),
            ("loop", "kinetic", "real"), ("clusters", "delay", "low"), ("loop", "delay", "real")]


def correlation(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return (x * y).sum(0) / np.sqrt((x * x).sum(0) * (y * y).sum(0) + 1e-12)


def statistics(topology, mode, depth, seed):
    d = simulate(topology, depth, mode, N=3000, G=300, seed=seed)
    x, y, a, r, k = d["rna"], d["atac"], d["a"], d["r"], d["dynamic"]
    m, v, peak = x.mean(0), x.var(0), np.asarray(y.mean(0)).ravel()
    each = np.asarray(y.sum(1)).ravel()
    return [x.sum(1).mean(), x.sum(1).std(), (x == 0).mean(), np.median(m), np.median(v / m), each.mean(), each.std(),
            np.median(peak), peak.std(), (d["p2g"] >= 0).sum(), k.sum(), np.median(d["tau"]), d["tau"].mean(),
            d["tau"].std(), a.mean(), r.mean(), a.std(0).mean(), r.std(0).mean(), np.median(correlation(a, r)[k]),
            np.median(correlation(x, r)[k])]


seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 8
with open(sys.argv[2], "w", newline="") as f:
    out = csv.writer(f)
    out.writerow(["topology", "mode", "depth", "seed"] + NAMES)
    for setting in SETTINGS:
        for seed in range(100, 100 + seeds):
            out.writerow(list(setting) + [seed] + statistics(*setting, seed))
