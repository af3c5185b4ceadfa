#!/bin/sh
# Prints one line that says what a benchmark ran on: CPU, cores, RAM, kernel, compiler, BLAS.
# No commas, so that it fits a CSV field.
set -u
LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin # ldconfig
export LC_ALL PATH

field() { # field NAME FILE: the first value of "NAME : value"
    sed -n "s/^$1[[:space:]]*:[[:space:]]*//p" "$2" 2>/dev/null | head -n 1
}

cpu=$(field 'model name' /proc/cpuinfo)
family=$(field 'cpu family' /proc/cpuinfo)
model=$(field 'model' /proc/cpuinfo)
simd=none
for flag in avx2 avx512f avx512_bf16 amx_tile; do
    if grep -qw "$flag" /proc/cpuinfo 2>/dev/null; then simd=$flag; fi
done
cores=$(nproc 2>/dev/null || echo '?')
ram=$(awk '/^MemTotal/ {printf "%.0f GB", $2 / 1048576}' /proc/meminfo 2>/dev/null)
compiler=$( (gcc --version || cc --version) 2>/dev/null | head -n 1)

# The BLAS that a C program gets; with OpenBLAS its own words on version and core type.
blas=$(ldconfig -p 2>/dev/null | awk '/libopenblas\.so\.0/ {print $NF; exit}')
if [ -n "$blas" ] && command -v python3 >/dev/null 2>&1; then
    text=$(python3 - "$blas" 2>/dev/null <<'PY'
import ctypes, os, sys
lib = ctypes.CDLL(sys.argv[1])
lib.openblas_get_config.restype = lib.openblas_get_corename.restype = ctypes.c_char_p
print(lib.openblas_get_config().decode().strip(), "loaded core", lib.openblas_get_corename().decode(),
      "from", os.path.realpath(sys.argv[1]))
PY
    )
    blas=${text:-$blas}
fi
[ -n "$blas" ] || blas=$(ldconfig -p 2>/dev/null | awk '/libblas\.so\.3/ {print $NF; exit}')

format='cpu: %s (family %s model %s, widest %s); cores: %s; ram: %s; kernel: %s; '
printf "$format"'compiler: %s; blas: %s; OPENBLAS_CORETYPE: %s\n' \
    "${cpu:-unknown}" "${family:-?}" "${model:-?}" "$simd" "$cores" "${ram:-unknown}" "$(uname -sr)" \
    "${compiler:-none}" "${blas:-none}" "${OPENBLAS_CORETYPE:-unset}" | tr ',' ' ' | tr -s ' '
