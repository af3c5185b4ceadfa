# sources.mk: every C file of the package, listed by hand. Read by src/Makevars and tests/engine/Makefile.
ENGINE_SOURCES = \
  engine/core/core.c engine/core/arena.c engine/core/rng.c engine/core/select.c engine/core/threads.c \
  engine/kernels/kernels.c \
  engine/kernels/ref/ref_matrix.c engine/kernels/ref/ref_elementwise.c engine/kernels/ref/ref_norm.c \
  engine/kernels/ref/ref_index.c engine/kernels/ref/ref_attention.c engine/kernels/ref/ref_gate.c \
  engine/kernels/ref/ref_loss.c engine/kernels/ref/ref_optimizer.c \
  engine/kernels/cpu/cpu_matrix.c engine/kernels/cpu/cpu_elementwise.c engine/kernels/cpu/cpu_norm.c \
  engine/kernels/cpu/cpu_index.c engine/kernels/cpu/cpu_attention.c engine/kernels/cpu/cpu_gate.c \
  engine/kernels/cpu/cpu_optimizer.c \
  engine/autodiff/tape.c engine/autodiff/op_basic.c engine/autodiff/op_linear.c engine/autodiff/op_norm.c \
  engine/autodiff/op_attention.c engine/autodiff/op_encode.c engine/autodiff/op_factor.c engine/autodiff/op_loss.c \
  engine/autodiff/op_flow.c engine/autodiff/op_match.c engine/autodiff/op_readout.c \
  engine/nn/params.c engine/nn/transformer.c \
  engine/models/sfm_config.c engine/models/sfm.c engine/models/sfm_batch.c engine/models/balance.c engine/models/gene_order.c \
  engine/models/network.c engine/models/forest.c \
  engine/models/ranking.c engine/models/nulls.c engine/models/wasserstein.c \
  engine/models/dense.c engine/models/ridge.c engine/models/states.c engine/models/percell.c engine/models/simulate.c \
  engine/models/multiome.c engine/models/tau.c engine/models/tau_embed.c engine/models/tau_flow.c \
  engine/models/tau_readout.c engine/models/effendi.c \
  engine/train/trainer.c engine/train/effendi_trainer.c engine/io/json.c engine/io/safetensors.c \
  engine/io/csv.c engine/io/vocab.c engine/io/checkpoint.c engine/io/hdf5.c

GLUE_SOURCES = \
  glue/init.c \
  glue/r_common.c \
  glue/r_engine.c \
  glue/r_model.c \
  glue/r_train.c \
  glue/r_network.c \
  glue/r_ranking.c \
  glue/r_hdf5.c \
  glue/r_estimators.c \
  glue/r_ridge.c \
  glue/r_multiome.c \
  glue/r_tau.c \
  glue/r_effendi.c
